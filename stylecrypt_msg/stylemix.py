"""Layer masks and the style mixing of the paper's equations (2) and (3), on latent codes in W+.

"The paper" is Yan, Otsu, Shimizu and Suzuki, "A Fake Face Image Encryption With Style Mixing"; its table I says
which styles move which region of the face.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

from .errors import LayerMaskError

if TYPE_CHECKING:
    from torch import Tensor

    Codes = TypeVar("Codes", NDArray[np.float32], Tensor)

__all__ = ["REGIONS", "LayerMask", "mix"]

REGIONS = {
    "direction": "0-3",
    "shape": "3-5",
    "expressions": "4,5",
    "hairstyle": "4,5",
    "eyes": "6-8",
    "color": "8-",
}
"""The paper's table I: region of the face -> the styles that move it."""

_MAX_TEXT = 200  # a mask of 18 styles, each named, is under 60 characters
_TERM = re.compile(r"(\d{1,3})(-(\d{1,3})?)?")


@dataclass(frozen=True)
class LayerMask:
    """The set of style layers that are REPLACED by those of the key face, for a model with ``n_styles`` styles.

    Raises LayerMaskError when a layer lies outside 0 ... n_styles - 1, or none is left.
    """

    layers: frozenset[int]
    n_styles: int

    def __post_init__(self) -> None:
        if not self.layers:
            raise LayerMaskError("The layer mask replaces no layer.", hint="Name at least one, such as 3-7.")
        wrong = sorted(layer for layer in self.layers if not 0 <= layer < self.n_styles)
        if wrong:
            raise LayerMaskError(
                f"The layer mask names layer {wrong[0]}, but this model has layers 0 to {self.n_styles - 1}.",
                hint="Write an open range, such as 8-, to mean up to the model's last layer.",
            )

    @classmethod
    def of(cls, layers: Iterable[int], n_styles: int) -> LayerMask:
        """The mask that replaces ``layers``."""
        return cls(frozenset(layers), n_styles)

    @classmethod
    def paper(cls, n_styles: int) -> LayerMask:
        """All layers but 3, 6 and 7 (section IV-C of the paper): for the aligned square alone."""
        return cls.of(set(range(n_styles)) - {3, 6, 7}, n_styles)

    @classmethod
    def photo(cls, n_styles: int) -> LayerMask:
        """Layers 3 to 7: identity, but not the pose (0-2) and the colours (8 on), so that the head fits its neck."""
        return cls.of(range(3, 8), n_styles)

    @classmethod
    def parse(cls, text: str, n_styles: int) -> LayerMask:
        """Reads ``"paper"``, ``"photo"``, ``"0-2,4,5,8-"``, ``"all-but:3,6,7"`` or names of `REGIONS`, mixed by commas.

        Raises LayerMaskError with the term that does not parse.
        """
        if text in ("paper", "photo"):
            return cls.paper(n_styles) if text == "paper" else cls.photo(n_styles)
        if len(text) > _MAX_TEXT:
            raise LayerMaskError(f"The layer mask is longer than {_MAX_TEXT} characters.")
        inverted = text.startswith("all-but:")
        layers: set[int] = set()
        for term in text.removeprefix("all-but:").split(","):
            layers |= cls._term(term.strip().lower(), n_styles)
        return cls.of(set(range(n_styles)) - layers if inverted else layers, n_styles)

    @staticmethod
    def _term(term: str, n_styles: int) -> set[int]:
        if term in REGIONS:
            return set().union(*(LayerMask._term(part, n_styles) for part in REGIONS[term].split(",")))
        match = _TERM.fullmatch(term)
        if match is None:
            raise LayerMaskError(
                f"{term!r} is not a layer, a range or a region.",
                hint=f"Write 3, 3-7, 8-, all-but:3,6,7, paper, photo, or one of {', '.join(REGIONS)}.",
            )
        first = int(match[1])
        last = first if match[2] is None else max(first, n_styles - 1) if match[3] is None else int(match[3])
        if last < first:
            raise LayerMaskError(f"The range {term} runs backwards.", hint=f"Write {last}-{first}.")
        return set(range(first, last + 1))

    def __str__(self) -> str:
        """The shortest form without open ranges, such as ``0-2,4-5,8-15``, which `parse` reads back."""
        runs: list[list[int]] = []
        for layer in sorted(self.layers):
            if runs and layer == runs[-1][1] + 1:
                runs[-1][1] = layer
            else:
                runs.append([layer, layer])
        return ",".join(str(a) if a == b else f"{a}-{b}" for a, b in runs)


def mix(content: Codes, style: Codes, mask: LayerMask, eta: float = 1.0) -> Codes:
    """Equation (2): ``w_con + eta * (w_sty - w_con)`` in the mask's layers; with eta = 1, equation (3).

    Args:
        content, style: codes (..., n_styles, style_dim) of one shape, or broadcastable to one; NumPy arrays or PyTorch
            tensors, both of the same kind.
        eta: degree of style application, 0 to 1.

    Returns new codes; layers outside the mask, and the mask's with eta = 1, are copied bit by bit.
    Raises LayerMaskError when the codes' number of styles is not the mask's, ValueError for another eta.
    """
    if not 0 <= eta <= 1:
        raise ValueError(f"eta is {eta}, but must lie in [0, 1]")
    for name, codes in (("content", content), ("style", style)):
        if codes.ndim < 2 or codes.shape[-2] != mask.n_styles:
            raise LayerMaskError(
                f"The {name} codes have shape {tuple(codes.shape)}, but the layer mask is for {mask.n_styles} styles."
            )
    if isinstance(content, np.ndarray):
        mixed = np.array(np.broadcast_arrays(content, style)[0])
    else:
        mixed = content.expand(*np.broadcast_shapes(content.shape, style.shape)).clone()
    layers = sorted(mask.layers)
    applied = style if eta == 1 else content + eta * (style - content)
    mixed[..., layers, :] = applied[..., layers, :]
    return mixed

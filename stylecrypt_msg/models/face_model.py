"""One face model, whatever runs it: pictures to latent codes and back, in NumPy arrays.

`embedded` runs the model that comes with the package from stored graphs; `torch_model` runs any other, and the embedded one
where gradients are needed. Only the latter imports PyTorch.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..errors import ModelError
from .descent import FIRM, LOOSE

__all__ = ["CLEARLY", "FaceModel", "Floats"]

Floats = NDArray[np.float32]
Values = TypeVar("Values")

# Pictures go through the networks in steps of this many pixels (one at 256 px and more). Bigger steps are no faster per
# picture on a CPU and cost 130 MB more for each.
STEP_PIXELS = 256 * 256

CLEARLY = 1.0
"""The score of sex from which a person who does not exist is clearly a woman (below 0) or a man, to whoever looks."""


class FaceModel(ABC):
    """A generator of faces with (perhaps) an encoder, for inference.

    Images are (B, 3, H, W) float32, RGB in [-1, 1]; codes, the style vectors of W+, are (B, n_styles, style_dim) float32.
    Both are NumPy arrays; a PyTorch tensor gets one back, on the same device. The same input gives the same output
    on one machine; noise maps are fixed. Several threads may use one model at the same time.

    Attributes:
        name: what the user calls the model; ``family`` is the kind of network.
        n_styles, style_dim: shape of the codes.
        image_size: side in pixels of the pictures that `synthesize` makes.
        input_size: side in pixels of the encoder's input; 0 without an encoder.
        steps: of descent that the model is made for.
        latent_avg: average style of the generator, (n_styles, style_dim): the centre of truncation.
        latent_std: standard deviation of w per dimension, (style_dim,).
    """

    name: str
    family: str
    n_styles: int
    style_dim: int
    image_size: int
    input_size: int
    steps: int
    latent_avg: Floats
    latent_std: Floats

    @property
    @abstractmethod
    def runtime(self) -> str:
        """What runs the networks: "onnxruntime" or "torch"."""

    @property
    @abstractmethod
    def digest(self) -> str:
        """The model hash, hex SHA-256; see `weights.digest`."""

    @property
    def has_encoder(self) -> bool:
        return self.input_size > 0

    def encode(
        self, images: Values, *, steps: int | None = None, start: Callable[[Values], Values] | None = None
    ) -> Values:
        """Inverts faces: images (B, 3, H, W), any square size, aligned as in FFHQ -> codes (B, n_styles, style_dim).

        Resized as the encoder needs: by area from larger, bilinearly from smaller ones. An encoder of several passes also
        reads the picture that the generator makes of the codes; the difference between its two readings is the correction.
        This is ReStyle's idea (Alaluf et al., arXiv 2104.02699), with an encoder that sees one picture at a time. ``steps``
        of descent through 128 px follow, at most as many as the model is made for, which is the default; with 0 the encoder
        alone decides. Prior knowledge of the person improves the result: ``start`` gets the encoder's codes and returns
        those to start from; the descent then moves only as far as the picture demands. Without descent it is not called.

        Raises ModelError if the model has no encoder, ValueError if the images are not as described.
        """
        self._check_encoder()
        pictures = _array("images", images, "(B, 3, H, W)", ndim=4)
        if pictures.shape[1] != 3 or pictures.shape[2] != pictures.shape[3]:
            raise ValueError(f"images must be RGB and square, (B, 3, H, H), but have shape {tuple(pictures.shape)}")
        codes = _in_steps(self._look, pictures, (self.n_styles, self.style_dim), self.input_size)
        steps = self.steps if steps is None else min(steps, self.steps)
        if steps:
            hold = LOOSE
            if start is not None:
                codes, hold = _array("start", start(_like(codes, images)), "codes", ndim=3), FIRM
            codes = self._descend(pictures, codes, steps, hold)
        return _like(codes, images)

    @abstractmethod
    def refine(
        self, images: Floats, codes: Floats, steps: int, progress: Callable[[int, int], None] | None = None
    ) -> Floats:
        """Codes (B, n_styles, style_dim) that come closer to ``images`` (B, 3, H, W) than ``codes`` do; see `refine.refine`.

        Raises ModelError where PyTorch is not installed.
        """

    def synthesize(self, codes: Values) -> Values:
        """Codes (B, n_styles, style_dim) -> images (B, 3, image_size, image_size), not clamped to [-1, 1].

        Raises ModelError if the codes are those of another model, ValueError if they are no codes.
        """
        styles = _array("codes", codes, "(B, n_styles, style_dim)", ndim=3)
        if styles.shape[1] != self.n_styles:
            raise ModelError(f"These codes have {styles.shape[1]} styles, this model has {self.n_styles}.")
        if styles.shape[2] != self.style_dim:
            raise ModelError(f"These codes have {styles.shape[2]} dimensions a style, this model has {self.style_dim}.")
        shape = (3, self.image_size, self.image_size)
        return _like(_in_steps(self._make, styles, shape, self.image_size), codes)

    @abstractmethod
    def glimpse(self, codes: Floats) -> Floats:
        """`synthesize` at 128 px, approximately, for a fraction of the work: images (B, 3, 128, 128), or of the generator's
        own size if that is less."""

    def map(self, z: Values, truncation: float = 1.0) -> Values:
        """z (B, style_dim), standard normal -> codes (B, n_styles, style_dim) of people who do not exist.

        ``truncation`` in [0, 1] pulls them towards the average: 1 leaves them, 0 gives the average
        (StyleGAN, Karras et al. 2019, arXiv 1812.04948, appendix B). Raises ValueError on other input.
        """
        normal = _array("z", z, "(B, style_dim)", ndim=2)
        if normal.shape[1] != self.style_dim:
            raise ValueError(f"z has {normal.shape[1]} dimensions, this model takes {self.style_dim}")
        if not 0 <= truncation <= 1:
            raise ValueError(f"truncation must be between 0 and 1, not {truncation}")
        w = np.repeat(self._map(normal)[:, None], self.n_styles, axis=1)
        if truncation < 1:
            w = self.latent_avg + np.float32(truncation) * (w - self.latent_avg)
        return _like(w, z)

    @abstractmethod
    def suits(self, people: Floats, codes: Floats) -> NDArray[np.bool_]:
        """Which of ``people`` (B, n_styles, style_dim), from `map`, can stand in for ``codes`` (n_styles, style_dim): (B,).

        The embedded model skips children, headgear, glasses, turned heads and the other sex; other models' people are taken
        as they are.
        """

    def _check_encoder(self) -> None:
        if not self.has_encoder:
            raise ModelError(
                f"The model {self.name!r} has no encoder, so it cannot read faces from pictures.",
                hint="Use a pSp or e4e file, which holds both encoder and generator.",
            )

    @abstractmethod
    def _look(self, images: Floats) -> Floats:
        """Codes of a few images of any size, by the encoder alone."""

    @abstractmethod
    def _descend(self, images: Floats, codes: Floats, steps: int, hold: float) -> Floats: ...

    @abstractmethod
    def _make(self, codes: Floats) -> Floats:
        """Images of a few codes."""

    @abstractmethod
    def _map(self, z: Floats) -> Floats:
        """z (B, style_dim) -> w (B, style_dim)."""


def _in_steps(function: Callable[[Floats], Floats], batch: Floats, shape: tuple[int, ...], side: int) -> Floats:
    """Runs ``function`` over the batch, a bounded number of pictures of ``side`` pixels at a time."""
    out = np.empty((len(batch), *shape), np.float32)
    step = max(1, STEP_PIXELS // side**2)
    for start in range(0, len(batch), step):
        out[start : start + step] = function(batch[start : start + step])
    return out


def _array(what: str, value: Any, shape: str, *, ndim: int) -> Floats:
    """``value``, an array or a tensor, as an array. Raises ValueError."""
    array = value.detach().cpu().numpy() if hasattr(value, "detach") else value
    if not isinstance(array, np.ndarray):
        raise ValueError(f"{what} must be an array, not {type(value).__name__}")
    if array.ndim != ndim or 0 in array.shape:
        raise ValueError(f"{what} must have shape {shape}, not {tuple(array.shape)}")
    if array.dtype != np.float32:
        raise ValueError(f"{what} must be float32, not {array.dtype}")
    if not np.isfinite(array).all():
        raise ValueError(f"{what} hold values that are not finite numbers")
    return array


def _like(array: Floats, given: Values) -> Values:
    if isinstance(given, np.ndarray):
        return array  # type: ignore[return-value]
    import torch  # whoever passes a tensor has imported it

    return torch.from_numpy(array).to(given.device)  # type: ignore[attr-defined,return-value]

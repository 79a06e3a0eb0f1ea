"""What the cover of a sealed photo may show of its sender's face: 24 bits, an entry of a codebook of people who do not exist.

The styles that a layer mask keeps are read from the sender, and whoever reads a cover with the encoder has them back. Where the
photo itself travels sealed nobody needs them. There the cover gets those of the nearest people in the codebook: of one whose
head is held alike, and of one in like colours and light; and the stand-in's mouth is made as wide and as open as the sender's,
in four steps each. So the generated face is a function of the stand-in and of an `Entry`, and no recogniser and no network will
ever learn more from it. Not bound are where the face sits, and what is not of the face: hair, clothes, background, and the
colours and the sharpness that `faces.paste` takes over from the photo.

``scripts/model/make_codebook.py`` makes it, from the embedded model; other models have none.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .models.face_model import Floats
from .stylemix import LayerMask, mix

__all__ = ["BITS", "COLOUR", "ENTRIES", "FACE", "PATH", "Codebook", "Entry", "codebook"]

PATH = Path(__file__).parent / "models" / "data" / "codebook.npz"

ENTRIES = 1024
BITS = 24  # 10 for the pose, 10 for colours and light, 2 for each of the mouth's two measures
FACE, COLOUR = slice(3, 8), slice(8, 16)  # styles; 0 to 2 are the pose

# Width and opening of the mouth, in standard deviations of people's. Closed is where most are.
_STEPS = np.array([(-1.5, -1.0), (-0.5, 0.0), (0.5, 1.0), (1.5, 2.0)], np.float32)
_UNDERSTATED = 1.2  # photos are read as less expressive than the model's own people
_FURTHEST = 3.0  # standard deviations that a stand-in's expression is moved by, at most


class Entry(NamedTuple):
    """All that the generated face tells of its sender: two numbers below `ENTRIES`, and two steps from 0 to 3."""

    pose: int
    colour: int
    width: int
    opening: int


class Codebook:
    """Of one model. Arrays are those of the script.

    Attributes:
        w: (ENTRIES, style_dim), the people.
    """

    def __init__(self, arrays: dict[str, NDArray[Any]]) -> None:
        self._arrays = {name: values.astype(np.float32) for name, values in arrays.items() if values.dtype.kind == "f"}
        self.w = self._arrays["w"]

    def entry(self, codes: Floats, landmarks: NDArray[np.float32]) -> Entry:
        """The nearest entry for a face.

        ``codes``: (n_styles, style_dim), read without descent. ``landmarks``: (5, 2), in sides of its aligned square.
        """
        a = self._arrays
        read = ((codes - a["mean"]) / a["std"]).astype(np.float32)
        *mouth, man = read.ravel() @ a["reading"] + a["reading_bias"]
        other_sex = np.where((a["men"] > 0) == (man > 0), np.float32(0), np.float32(np.inf))
        seat = np.square(a["landmarks"] - landmarks).sum((1, 2))
        wanted = a["colour_axes"] @ read[COLOUR].ravel() - a["colour_centre"]
        alike = a["colour"] @ wanted / np.linalg.norm(a["colour"], axis=1)
        steps = abs(_STEPS - _UNDERSTATED * np.array(mouth, np.float32)).argmin(0)
        return Entry(int(np.argmin(seat + other_sex)), int(np.argmax(alike - other_sex)), *map(int, steps))

    def content(self, entry: Entry) -> Floats:
        """The codes (n_styles, style_dim) that stand for the sender's in the mixing."""
        codes = np.repeat(self.w[entry.pose][None], COLOUR.stop, axis=0)
        codes[COLOUR] = self.w[entry.colour]
        return codes

    def fake(self, entry: Entry, key: Floats, mask: LayerMask) -> Floats:
        """Codes of the face that a cover shows: equation (3) of the paper, with the entry's people for the sender.

        ``key``: codes of the stand-in, of the same shape, (n_styles, style_dim).
        """
        return mix(self.content(entry), self._expressive(key, entry), mask)

    def _expressive(self, key: Floats, entry: Entry) -> Floats:
        """``key`` with the mouth that the entry names, once it is mixed with `content`."""
        seen = self._arrays["seen"]
        three = np.stack([self.w[entry.pose], key[FACE].mean(0), self.w[entry.colour]])
        scores = three @ self._arrays["scores"] + self._arrays["scores_bias"]
        wanted = np.array([_STEPS[entry.width, 0], _STEPS[entry.opening, 1]])
        missing = np.linalg.solve(seen[2:4].T.astype(np.float64), wanted - np.append(scores, 1) @ seen)
        moved = key.copy()
        moved[FACE] += np.clip(missing, -_FURTHEST, _FURTHEST).astype(np.float32) @ self._arrays["directions"]
        return moved


@cache
def _stored() -> tuple[str, Codebook]:
    with np.load(PATH, allow_pickle=False) as arrays:
        return str(arrays["model"]), Codebook(dict(arrays))


def codebook(model_hash: str) -> Codebook | None:
    """The codebook of the model with this hash, if it has one."""
    made_for, book = _stored()
    return book if made_for == model_hash else None

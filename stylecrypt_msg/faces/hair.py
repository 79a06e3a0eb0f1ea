"""Hair in aligned squares: where it is, and how it looks in the colour of somebody else's.

Hair is what GrabCut takes for the person (`matte.person`), round the face, in another colour than the skin's. A pixel whose
colour lies between the two is a strand on skin.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from .matte import person
from .outline import FACE, Outline

__all__ = ["SIDE", "Head", "lab_of"]

SIDE = 128
"""px of the squares in which hair is looked for."""

_HALVED = np.array([0.5, 1, 1], np.float32)  # CIELAB: light differs from place to place, tint less

# Where hair may be, in radii of the face's outline, and down to the mouth: lower, it cannot be told from clothes.
_NEAREST, _SURE, _FARTHEST = 0.8, 1.0, 1.7
_LOWEST = 0.6  # of the distance from eyes to mouth

_UNLIKE_SKIN = 12.0  # CIELAB
_TYPICAL = 0.8  # of the median distance from the skin's colour: what is closer is half skin
_LITTLE = 0.01  # of the square: less hair than this has no colour to speak of
_BLUE, _VIVID = -12.0, 50.0  # CIELAB: no hair is as blue or green, or has such a chroma; walls and hats have
_STRANDS = 0.3, 0.7  # of the way from the skin's colour to the hair's: from none to all of it
_DARKER = 15.0, 25.0  # CIELAB lightness, than skin: from what may be blond or grey to dark hair beyond doubt
_CONTRAST = 0.5, 1.2  # of the contrast in the other's hair


@dataclass(frozen=True, eq=False)
class Head:
    """What an aligned square shows.

    Attributes:
        person: where somebody is, (SIDE, SIDE).
        hair: how much of each pixel is hair, (SIDE, SIDE) float32.
        dark: how clearly hair is darker than skin, 0 to 1.
    """

    person: NDArray[np.bool_]
    hair: NDArray[np.float32]
    dark: float
    _colours: tuple[NDArray[np.float32], NDArray[np.float32]] | None  # the skin's and the hair's, RGB
    _contrast: float  # in the hair, levels

    @classmethod
    def of(cls, square: NDArray[np.uint8], outline: Outline) -> Head:
        """Of a square (S, S, 3) uint8 in which the face lies within ``outline``."""
        small = np.asarray(cv2.resize(square, (SIDE, SIDE), interpolation=cv2.INTER_AREA), np.uint8)
        across = (np.arange(SIDE) + 0.5) / SIDE
        y, x = np.meshgrid(across, across, indexing="ij")
        _, radius = outline.polar(x, y)
        there, lab = person(small), lab_of(small)
        skin = np.median(lab[radius < FACE], axis=0)
        apart = np.linalg.norm((lab - skin) * _HALVED, axis=2)
        zone = there & (y < outline.eyes + _LOWEST * outline.length) & (radius > _NEAREST) & (radius < _FARTHEST)
        some = zone & (radius > _SURE) & (apart > _UNLIKE_SKIN)
        if some.any():
            some &= apart > _TYPICAL * np.median(apart[some])
        tint = np.median(lab[some], axis=0)[1:] if some.any() else np.zeros(2)
        if some.sum() < _LITTLE * some.size or tint.min() < _BLUE or np.hypot(*tint) > _VIVID:
            return cls(there, np.zeros((SIDE, SIDE), np.float32), 0.0, None, 0.0)
        rgb = small.astype(np.float32)
        colours = np.median(rgb[radius < FACE], axis=0), np.median(rgb[some], axis=0)
        return cls(
            there,
            _share(rgb, colours) * zone,
            float(np.clip((skin[0] - np.median(lab[some][:, 0]) - _DARKER[0]) / (_DARKER[1] - _DARKER[0]), 0, 1)),
            colours,
            float(np.median(abs(rgb[some].mean(1) - colours[1].mean()))),
        )

    def dyed(self, square: NDArray[np.uint8], like: Head) -> NDArray[np.uint8]:
        """``square``, which shows this head, with hair of the colour of ``like``'s, if both have some.

        Strands of light hair cannot be told from skin, and keep their colour.
        """
        if self._colours is None or like._colours is None:
            return square
        side = square.shape[0]
        around = cv2.GaussianBlur(cv2.dilate((self.hair > 0).astype(np.float32), np.ones((5, 5))), (0, 0), 2.0)
        rgb = square.astype(np.float32)
        share = _share(rgb, self._colours) * cv2.resize(around, (side, side), interpolation=cv2.INTER_LINEAR)
        contrast = np.clip(like._contrast / max(self._contrast, 1.0), *_CONTRAST)
        change = like._colours[1] + np.float32(contrast) * (rgb - self._colours[1]) - rgb
        return np.clip(np.rint(rgb + self.dark * share[..., None] * change), 0, 255).astype(np.uint8)


def lab_of(square: NDArray[np.uint8]) -> NDArray[np.float32]:
    """CIELAB of (H, W, 3) uint8 sRGB."""
    return np.asarray(cv2.cvtColor(square.astype(np.float32) / 255, cv2.COLOR_RGB2LAB), np.float32)


def _share(rgb: NDArray[np.float32], colours: tuple[NDArray[np.float32], NDArray[np.float32]]) -> NDArray[np.float32]:
    """How far each pixel is from the skin's colour to the hair's: (H, W), 0 to 1."""
    skin, hair = colours
    way = hair - skin
    along = ((rgb - skin) @ way) / max(float(way @ way), 1.0)
    start, end = _STRANDS
    share = np.clip((along - start) / (end - start), 0, 1)
    return np.asarray(share * share * (3 - 2 * share), np.float32)

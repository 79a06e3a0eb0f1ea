"""Hide a face that cannot be replaced: a dozen colours are left of its head.

A Gaussian blur or a mosaic that looks strong leaves enough for recognisers, and for networks that undo it (McPherson, Shokri
and Shmatikov, "Defeating Image Obfuscation with Deep Learning", 2016). Here the remainder is limited instead: 3 x 4 mean
colours of 15 bits, 180 bits for a head of any size, stretched smoothly over the face and faded into its surroundings.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from .detectors import Face

__all__ = ["blur"]

_COLUMNS, _ROWS = 3, 4
_STEP = 8  # of 256 levels: each of a colour's values has 5 bits

# Radii, relative to the ellipse in the face's box. Inside the inner one, which holds brows, ears and chin, nothing of the
# photo shows.
_INNER, _OUTER = 1.25, 1.6
_FACE = 1.0  # inside it, nothing shows, whose head may be there
_HEAD = 1.25, 1.6  # radii of a spared head: within the inner one, only a face is blurred
_NARROWEST = 0.8  # a radius to the other one: the box of a leaning head does not tell how far it leans


def blur(pixels: NDArray[np.uint8], face: Face, spared: Sequence[Face] = ()) -> NDArray[np.uint8]:
    """``pixels``, (H, W, 3) uint8, with ``face`` blurred beyond recognition; a new array.

    Where the heads of the ``spared`` faces reach behind or before it, the blur keeps to the face itself.
    """
    result = pixels.copy()
    height, width = pixels.shape[:2]
    radii = _radii(face)
    low = np.clip(np.floor(np.subtract(face.centre, radii * _OUTER)).astype(int), 0, (width, height))
    high = np.clip(np.ceil(np.add(face.centre, radii * _OUTER)).astype(int), low, (width, height))
    if np.any(high == low):  # beside the picture
        return result
    part = result[low[1] : high[1], low[0] : high[0]]
    colours = cv2.resize(part, (_COLUMNS, _ROWS), interpolation=cv2.INTER_AREA).astype(np.float32)
    colours = colours // _STEP * _STEP + _STEP / 2
    smooth = cv2.resize(colours, (part.shape[1], part.shape[0]), interpolation=cv2.INTER_CUBIC)

    def within(one: Face, inner: float, outer: float) -> NDArray[np.float64]:
        """1 within the inner radius of this face, fading to 0 at the outer one."""
        across, down = (
            (np.arange(low[axis], high[axis]) + 0.5 - one.centre[axis]) / _radii(one)[axis] for axis in (0, 1)
        )
        fading = np.clip((outer - np.hypot(across, down[:, None])) / (outer - inner), 0, 1)
        return np.asarray(fading * fading * (3 - 2 * fading))

    weight = within(face, _INNER, _OUTER)
    for one in spared:
        weight = np.maximum(within(face, _FACE, _INNER), weight * (1 - within(one, *_HEAD)))
    part[:] = np.clip(np.rint(part + weight[..., None] * (smooth - part)), 0, 255)
    return result


def _radii(face: Face) -> NDArray[np.float64]:
    radii = np.array(face.box[2:]) / 2
    return np.maximum(radii, radii[::-1] * _NARROWEST)

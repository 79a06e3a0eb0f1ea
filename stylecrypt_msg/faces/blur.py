"""Hide a face that cannot be replaced: a dozen colours are left of its head.

A Gaussian blur or a mosaic that looks strong leaves enough for recognisers, and for networks that undo it (McPherson, Shokri
and Shmatikov, "Defeating Image Obfuscation with Deep Learning", 2016). Here the remainder is limited instead: 3 x 4 mean
colours of 15 bits, 180 bits for a head of any size, stretched smoothly over the face and faded into its surroundings.
"""

from __future__ import annotations

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
_NARROWEST = 0.8  # a radius to the other one: the box of a leaning head does not tell how far it leans


def blur(pixels: NDArray[np.uint8], face: Face) -> NDArray[np.uint8]:
    """``pixels``, (H, W, 3) uint8, with ``face`` blurred beyond recognition; a new array."""
    result = pixels.copy()
    height, width = pixels.shape[:2]
    radii = np.array(face.box[2:]) / 2
    radii = np.maximum(radii, radii[::-1] * _NARROWEST)
    low = np.clip(np.floor(np.subtract(face.centre, radii * _OUTER)).astype(int), 0, (width, height))
    high = np.clip(np.ceil(np.add(face.centre, radii * _OUTER)).astype(int), low, (width, height))
    if np.any(high == low):  # beside the picture
        return result
    part = result[low[1] : high[1], low[0] : high[0]]
    colours = cv2.resize(part, (_COLUMNS, _ROWS), interpolation=cv2.INTER_AREA).astype(np.float32)
    colours = colours // _STEP * _STEP + _STEP / 2
    smooth = cv2.resize(colours, (part.shape[1], part.shape[0]), interpolation=cv2.INTER_CUBIC)
    across = (np.arange(low[0], high[0]) + 0.5 - face.centre[0]) / radii[0]
    down = (np.arange(low[1], high[1]) + 0.5 - face.centre[1]) / radii[1]
    fading = np.clip((_OUTER - np.hypot(across, down[:, None])) / (_OUTER - _INNER), 0, 1)
    weight = (fading * fading * (3 - 2 * fading))[..., None]
    part[:] = np.clip(np.rint(part + weight * (smooth - part)), 0, 255)
    return result

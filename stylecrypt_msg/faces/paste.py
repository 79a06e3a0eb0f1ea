"""Paste a face square back into its photo so that the seam cannot be seen.

The square comes from a generator: its colours drift from the photo's, and it is sharper than a soft photo.
So it is softened to the photo's sharpness, its colours are led over to the photo's along the rim of the
mask, and it is blended in under the feathered mask. Pixels outside the mask stay as they are, bit for bit.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from stylecrypt_msg.faces.align import Pixel, Quad, inverted, quad_matrix, transform, warp

__all__ = ["face_mask", "paste"]

_MASK = 256  # px; the mask is smooth, finer would show nothing
_FADE_FROM, _FADE_TO = 0.78, 1.18  # radii of the face's outline between which the mask goes from 1 to 0
_HEAD = 1.45  # times the face's outline: head with hair, where a matte keeps the background out
_RIM = 0.018  # of the square's side: what the mask keeps clear, for the square may end in hair or shoulders

_FIT = 64  # px per side of the square: colours differ smoothly, so that the fit needs no more
_FIT_REACH = 0.12  # of the side: what is further from a place of the rim does not decide its colour
_FIT_OUTLIER = 25.0  # levels of 255; more is hair against skin or wall, and not a drift of colour
_SOFTEST = 4.0  # px of Gaussian blur; a face softer than that is beyond likeness


def face_mask(
    landmarks: NDArray[np.float32], quad: Quad, alpha: NDArray[np.float32] | None = None
) -> NDArray[np.float32]:
    """How far a face square may show: (256, 256) float32 over ``quad``, 1 on the face, fading to 0 within
    the square.

    ``landmarks`` (5, 2) are those of the face in the photo, as ``quad`` is. With ``alpha``, a matte of the
    square that is pasted, (S, S) float32 (see ``matte``), the mask takes in the hair too, and leaves out
    what the matte does.
    """
    points = transform(quad_matrix(quad, 1), landmarks)
    eyes, nose, mouth = points[:2].mean(0), points[2], points[3:].mean(0)
    length = math.dist(eyes, mouth)
    # A head that is turned shows more of the side away from the nose.
    middle = 1.5 * (eyes[0] + mouth[0]) / 2 - 0.5 * nose[0]
    across = (np.arange(_MASK) + 0.5) / _MASK
    y, x = np.meshgrid(across, across, indexing="ij")
    # An egg: beside a narrow jaw an ellipse would show the square's background.
    half_width = 0.31 - 0.06 * np.clip((y - eyes[1]) / (1.6 * length), 0, 1)
    radius = np.hypot((x - middle) / half_width, (y - eyes[1] - 0.38 * length) / (1.45 * length))
    if alpha is not None:
        radius /= _HEAD
    mask = _fall(radius, _FADE_FROM, _FADE_TO)
    mask *= _fall(np.maximum(abs(x - 0.5), abs(y - 0.5)), 0.5 - 6 * _RIM, 0.5 - _RIM)
    if alpha is not None:
        mask *= cv2.resize(alpha, (_MASK, _MASK), interpolation=cv2.INTER_AREA)
    return mask.astype(np.float32)


def paste(
    pixels: NDArray[np.uint8], square: NDArray[np.uint8], quad: Quad, mask: NDArray[np.float32]
) -> NDArray[np.uint8]:
    """``pixels`` with ``square`` at ``quad``, as far as ``mask`` lets it show; a new array.

    ``pixels`` is (H, W, 3) uint8; ``square`` the aligned face, (S, S, 3) uint8 of any size; ``mask`` (M, M)
    float32 from 0 to 1 over the same quad, as :func:`face_mask` makes it.
    """
    result = pixels.copy()
    height, width = pixels.shape[:2]
    low = np.clip(np.floor(quad.min(0)).astype(int), 0, (width, height))
    high = np.clip(np.ceil(quad.max(0)).astype(int), low, (width, height))
    if np.any(high == low):  # the whole square lies beside the picture
        return result
    part = result[low[1] : high[1], low[0] : high[0]]
    photo = part.astype(np.float32)
    size = photo.shape[1], photo.shape[0]
    side = math.dist(quad[0], quad[1])

    weight = _laid(mask, quad - low, size, cv2.INTER_LINEAR, cv2.BORDER_CONSTANT)[..., None]
    fake = _laid(square, quad - low, size).astype(np.float32)
    fake = _softened(fake, photo, weight)
    fake += _colour_drift(photo - fake, weight, side)
    blended = photo + weight * (fake - photo)
    # Less than half a level at most: not worth touching a pixel.
    touched = weight[..., 0] > 1 / 512
    part[touched] = np.clip(np.rint(blended[touched]), 0, 255).astype(np.uint8)
    return result


def _fall(value: NDArray[np.float64], start: float, end: float) -> NDArray[np.float64]:
    """1 up to ``start``, 0 from ``end``, smooth between."""
    t = np.clip((end - value) / (end - start), 0, 1)
    return np.asarray(t * t * (3 - 2 * t))


def _laid(
    square: NDArray[Pixel],
    quad: Quad,
    size: tuple[int, int],
    interpolation: int = cv2.INTER_LANCZOS4,
    border: int = cv2.BORDER_REFLECT,
) -> NDArray[Pixel]:
    """``square`` as it lies at ``quad`` in a picture of ``size``; averaged down first where it shrinks."""
    side = max(1, round(math.dist(quad[0], quad[1])))
    if side < square.shape[0]:
        square = np.asarray(cv2.resize(square, (side, side), interpolation=cv2.INTER_AREA), square.dtype)
    return warp(square, inverted(quad_matrix(quad, square.shape[0])), size, interpolation, border)


def _softened(
    fake: NDArray[np.float32], photo: NDArray[np.float32], weight: NDArray[np.float32]
) -> NDArray[np.float32]:
    """``fake``, blurred as much as it takes for its fine detail to fade as early as the photo's does."""
    inside = weight[..., 0] > 0.5
    if not inside.any():
        return fake
    wanted = _fineness(photo, inside)
    sigma = 0.0
    softened = fake
    while _fineness(softened, inside) > wanted * 1.1 and sigma < _SOFTEST:
        sigma += 0.25
        softened = np.asarray(cv2.GaussianBlur(fake, (0, 0), sigma), np.float32)
    return softened


def _fineness(picture: NDArray[np.float32], inside: NDArray[np.bool_]) -> float:
    """Finest detail over the next coarser: alike for smooth and wrinkled skin, less where the focus is soft."""
    grey = picture.mean(2)
    once, twice = (cv2.GaussianBlur(grey, (0, 0), sigma) for sigma in (1.0, 2.0))
    return float((grey - once)[inside].std() / max((once - twice)[inside].std(), 1e-3))


def _colour_drift(difference: NDArray[np.float32], weight: NDArray[np.float32], side: float) -> NDArray[np.float32]:
    """A smooth field of what ``difference`` (photo less fake) is along the rim of the mask, carried on
    inside.

    Not Poisson blending: it would carry a strand of hair, against which the mask happens to end, across the
    cheek.
    """
    scale = min(1.0, _FIT / side)
    small = max(1, round(difference.shape[1] * scale)), max(1, round(difference.shape[0] * scale))
    rim = cv2.resize(4 * weight * (1 - weight), small, interpolation=cv2.INTER_AREA)[..., None]
    small_difference = cv2.resize(difference, small, interpolation=cv2.INTER_AREA).reshape(*rim.shape[:2], 3)
    reach = _FIT_REACH * side * scale

    drift = np.zeros_like(small_difference)
    for _ in range(4):  # reweighted, so that what differs by more than colour decides less each time
        apart = np.linalg.norm(small_difference - drift, axis=2, keepdims=True)
        trust = rim / (1 + (apart / _FIT_OUTLIER) ** 2)
        mean = (trust * small_difference).sum((0, 1)) / max(float(trust.sum()), 1e-6)
        near = cv2.GaussianBlur(trust, (0, 0), reach)[..., None]
        summed = cv2.GaussianBlur(trust * small_difference, (0, 0), reach)
        drift = (summed + 0.02 * mean) / (near + 0.02)  # far from the rim: the mean of all of it
    size = difference.shape[1], difference.shape[0]
    return np.asarray(cv2.resize(drift, size, interpolation=cv2.INTER_CUBIC), np.float32)

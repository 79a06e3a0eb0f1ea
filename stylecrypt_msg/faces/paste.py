"""Paste a face square back into its photo without a visible seam.

The square comes from a generator: another face, with other hair and another background, in colours that drift from the
photo's, and sharper than a soft photo. So it is cut along the closed line around the face where the two pictures differ
least; softened to the photo's sharpness and, if it is somebody else's, subdued to its contrast; its colours are shifted to
the photo's along that line; and it is blended in under a feathered mask. Pixels outside the mask stay as they are, bit for
bit.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from .align import Pixel, Quad, crop, inverted, quad_matrix, transform, warp

__all__ = ["paste"]

_MASK = 256  # px per side of the square; the mask is smooth, so finer would not show
_RIM = 0.018  # of the side, which the mask keeps clear: the square may end in hair or shoulders

# Where the seam may run, in radii of the face's outline.
_INNER_ACROSS, _INNER_DOWN = 0.84, 0.88  # brows, beard and chin are inside
_INNER_JAW = 0.2  # by which it is narrower at the jaw, where the other face may already end
_INNER_BROW = 0.35  # by which it is lower at the forehead, where the other's hair may begin
_OUTER = 1.1
_OUTER_OF_HEAD = 1.6  # head with hair, where a matte keeps the background out
_FEATHER = 0.08  # to either side
_FACE = 0.75  # that is surely skin, eyes and mouth

# How it is found.
_SEAM = 128  # px per side
_ANGLES, _STEPS = 180, 64  # round the face, and from the inner to the outer limit
_UNLIKE = 8.0  # distance in CIELAB, lightness halved, that is about as bad as good
_WITHIN = 2.5  # what differs from the inner limit to the seam, to what differs along it: a jaw on another background
_OUTWARDS = 1.5  # what of the original is left, from the seam to the outer limit
_BEND = 0.1  # a step aside per angle, to a seam between things that have nothing in common
_BENDS = 2  # steps per angle at most

_FIT = 64  # px per side of the square: colours differ smoothly, so that the fit needs no more
_FIT_REACH = 0.12  # of the side: pixels further from a point of the rim do not decide its colour
_FIT_OUTLIER = 25.0  # levels of 255; a larger difference is hair against skin or wall, not a drift of colour
_HARDEST = 1.3  # of the contrast in the photo's face: the excess that brows and beards account for
_SOFTEST = 4.0  # px of Gaussian blur; a softer face shows no likeness anyway


def paste(
    pixels: NDArray[np.uint8],
    square: NDArray[np.uint8],
    quad: Quad,
    landmarks: NDArray[np.float32],
    alpha: NDArray[np.float32] | None = None,
    *,
    subdue: bool = False,
) -> NDArray[np.uint8]:
    """``pixels`` with the face of ``square`` at ``quad``; a new array.

    ``pixels`` is (H, W, 3) uint8; ``square`` the aligned face, (S, S, 3) uint8 of any size; ``landmarks`` (5, 2) are those of
    the face in the photo, as ``quad`` is. With ``alpha``, a matte of ``square``, (S, S) float32 (see ``matte``), the hair
    is pasted as well, except what the matte leaves out. ``subdue`` is for a face with another person's styles, which
    bring that person's skin and light along: its contrast is limited to little more than that of the face in the photo.
    """
    result = pixels.copy()
    view = crop(pixels, quad, _MASK)
    outline = _Outline.of(landmarks, quad)
    if subdue:
        square = _subdued(square, view, outline)
    mask = _mask(view, square, outline, alpha)
    low, high = _reach(mask, quad, pixels.shape)
    if np.any(high <= low):  # what would show lies outside the picture
        return result
    photo = result[low[1] : high[1], low[0] : high[0]]
    size = photo.shape[1], photo.shape[0]

    weight = _laid(mask, quad - low, size, cv2.INTER_LINEAR, cv2.BORDER_CONSTANT)
    weight[weight < 1 / 512] = 0  # less than half a level at most: not worth touching a pixel
    fake = _softened(_laid(square, quad - low, size), photo, weight > 0.5)
    change = np.asarray(cv2.subtract(fake, photo, dtype=cv2.CV_32F), np.float32)
    change += _laid(_colour_drift(view, square, mask), quad - low, size, cv2.INTER_LINEAR)
    change *= weight[..., None]
    cv2.add(photo, change, dst=photo, dtype=cv2.CV_8U)
    return result


def _reach(mask: NDArray[np.float32], quad: Quad, shape: tuple[int, ...]) -> tuple[NDArray[np.int_], NDArray[np.int_]]:
    """Left and top, right and bottom (x, y) of the part of a picture (H, W, ...) that ``mask`` covers when laid at
    ``quad``."""
    left, top, width, height = cv2.boundingRect((mask > 0).astype(np.uint8))
    # A pixel more on each side, since the mask is interpolated.
    x, y = ((start - 1, start + length + 1) for start, length in ((left, width), (top, height)))
    corners = np.array([(x[0], y[0]), (x[1], y[0]), (x[1], y[1]), (x[0], y[1])], np.float64)
    corners = transform(inverted(quad_matrix(quad, _MASK)), corners)
    end = np.array([shape[1], shape[0]])
    low, high = np.floor(corners.min(0)).astype(int), np.ceil(corners.max(0)).astype(int)
    return np.clip(low, 0, end), np.clip(high, 0, end)


@dataclass(frozen=True)
class _Outline:
    """An egg around a face, in fractions of the square's side; points are given by their angle and by radii of the egg.

    Beside a narrow jaw, an ellipse would lie outside the face.
    """

    middle: float
    eyes: float
    length: float  # eyes to mouth

    @classmethod
    def of(cls, landmarks: NDArray[np.float32], quad: Quad) -> _Outline:
        points = transform(quad_matrix(quad, 1), landmarks)
        eyes, nose, mouth = points[:2].mean(0), points[2], points[3:].mean(0)
        # A turned head shows more of the side away from the nose.
        middle = 1.5 * (eyes[0] + mouth[0]) / 2 - 0.5 * nose[0]
        return cls(float(middle), float(eyes[1]), math.dist(eyes, mouth))

    def _half_width(self, y: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(0.31 - 0.06 * np.clip((y - self.eyes) / (1.6 * self.length), 0, 1))

    def points(self, angle: NDArray[np.float64], radius: NDArray[np.float64]) -> NDArray[np.float64]:
        """(2, ...): x and y."""
        y = self.eyes + (0.38 + 1.45 * radius * np.sin(angle)) * self.length
        return np.stack([self.middle + radius * np.cos(angle) * self._half_width(y), y])

    def polar(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Angles from -pi to pi, clockwise from the right, and radii."""
        across, down = (x - self.middle) / self._half_width(y), ((y - self.eyes) / self.length - 0.38) / 1.45
        return np.arctan2(down, across), np.hypot(across, down)


def _subdued(square: NDArray[np.uint8], photo: NDArray[np.uint8], outline: _Outline) -> NDArray[np.uint8]:
    """``square``, dimmed until its face has little more contrast than the face in ``photo``, (256, 256, 3) uint8.

    On dark skin, or in weak light, the highlights and shadows of a bright face are too hard, and no shift of colours removes
    them.
    """
    across = (np.arange(_MASK) + 0.5) / _MASK
    _, radius = outline.polar(across[None], across[:, None])
    small = cv2.resize(square, (_MASK, _MASK), interpolation=cv2.INTER_AREA)
    wanted, there = (
        float(np.subtract(*np.percentile(part.mean(2)[radius < _FACE], (90, 10)))) for part in (photo, small)
    )
    return np.asarray(cv2.convertScaleAbs(square, alpha=min(1.0, _HARDEST * wanted / max(there, 1.0))), np.uint8)


def _mask(
    photo: NDArray[np.uint8], square: NDArray[np.uint8], outline: _Outline, alpha: NDArray[np.float32] | None
) -> NDArray[np.float32]:
    """How much ``square`` shows: (256, 256) float32, 1 within the seam, fading to 0 beyond it and at the rim.

    ``photo`` is what lies under the square, (256, 256, 3) uint8.
    """
    across = (np.arange(_MASK) + 0.5) / _MASK
    y, x = np.meshgrid(across, across, indexing="ij")
    angle, radius = outline.polar(x, y)
    unlike = _unlike(photo, square, radius)
    if alpha is not None:
        unlike *= cv2.resize(alpha, (_SEAM, _SEAM), interpolation=cv2.INTER_AREA)
    seam = np.interp(angle, *_seam(unlike, outline, _OUTER if alpha is None else _OUTER_OF_HEAD), period=math.tau)
    mask = _fall(radius, seam - _FEATHER, seam + _FEATHER)
    mask *= _fall(np.maximum(abs(x - 0.5), abs(y - 0.5)), 0.5 - 6 * _RIM, 0.5 - _RIM)
    if alpha is not None:
        mask *= cv2.resize(alpha, (_MASK, _MASK), interpolation=cv2.INTER_AREA)
    return mask.astype(np.float32)


def _unlike(photo: NDArray[np.uint8], square: NDArray[np.uint8], radius: NDArray[np.float64]) -> NDArray[np.float32]:
    """How much ``photo`` and ``square`` differ: (128, 128) float32, 0 to 1.

    Apart from a drift of the skin's colour, which is fitted within the face.
    """
    size = _SEAM, _SEAM
    difference = np.zeros((_SEAM, _SEAM, 3), np.float32)
    for sign, picture in ((1, photo), (-1, square)):
        small = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.float32) / 255
        # Light falls on the two faces from different sides; tint tells skin from wall and hair.
        difference += sign * cv2.cvtColor(small, cv2.COLOR_RGB2LAB) * np.array([0.5, 1, 1], np.float32)
    skin = (cv2.resize(radius, size, interpolation=cv2.INTER_AREA) < _FACE).astype(np.float32)[..., None]
    difference -= _smooth_field(difference, skin, 0.2 * _SEAM, _UNLIKE)
    squared = (np.asarray(cv2.GaussianBlur(difference, (0, 0), 1.0), np.float32) ** 2).sum(2)
    return np.asarray(squared / (squared + _UNLIKE**2), np.float32)


def _seam(
    unlike: NDArray[np.float32], outline: _Outline, outer: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Angles (180,) and radii of the least visible closed line around the face.

    It runs where photo and square are alike, encloses little besides the face in which they differ, and leaves little of the
    original face outside. By dynamic programming, as Efros and Freeman cut textures ("Image Quilting", 2001) and Jia et al.
    pasted objects ("Drag-and-Drop Pasting", 2006).
    """
    angles = np.linspace(-math.pi, math.pi, _ANGLES, endpoint=False)
    jaw, brow = np.maximum(np.sin(angles), 0), np.maximum(-np.sin(angles), 0)
    across, down = _INNER_ACROSS - _INNER_JAW * jaw, _INNER_DOWN - _INNER_BROW * brow
    inner = 1 / np.hypot(np.cos(angles) / across, np.sin(angles) / down)
    outwards = np.linspace(0, 1, _STEPS)
    radii = inner[:, None] + (outer - inner[:, None]) * outwards
    points = outline.points(angles[:, None], radii)
    x, y = (points * _SEAM - 0.5).astype(np.float32)
    cost = cv2.remap(unlike, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    cost = cost + _WITHIN * np.cumsum(cost, axis=1) / _STEPS + _OUTWARDS * (1 - outwards)
    cost[abs(points - 0.5).max(0) > 0.5 - 3 * _RIM] += 10

    # Three times round, of which the middle one closes.
    total = cost[0]
    came_from = []
    aside = np.arange(-_BENDS, _BENDS + 1)[:, None]
    steps = np.arange(_STEPS)
    padded = np.full(_STEPS + 2 * _BENDS, np.inf)
    for angle in range(1, 3 * _ANGLES):
        padded[_BENDS:-_BENDS] = total
        ways = padded[_BENDS + steps + aside] + _BEND * abs(aside)
        came_from.append(steps + ways.argmin(0) - _BENDS)
        total = ways.min(0) + cost[angle % _ANGLES]
    path = [int(total.argmin())]
    for before in reversed(came_from):
        path.append(int(before[path[-1]]))
    seam = radii[np.arange(_ANGLES), path[::-1][_ANGLES : 2 * _ANGLES]]
    smooth = cv2.GaussianBlur(np.tile(seam, 3)[None], (0, 0), 2.5)[0, _ANGLES : 2 * _ANGLES]
    return angles, np.asarray(smooth, np.float64)


def _fall(
    value: NDArray[np.float64], start: float | NDArray[np.float64], end: float | NDArray[np.float64]
) -> NDArray[np.float64]:
    """1 up to ``start``, 0 from ``end``, smooth between."""
    t = np.clip((end - value) / (end - start), 0, 1)
    return np.asarray(t * t * (3 - 2 * t))


def _laid(
    square: NDArray[Pixel],
    quad: Quad,
    size: tuple[int, int],
    interpolation: int = cv2.INTER_CUBIC,
    border: int = cv2.BORDER_REFLECT,
) -> NDArray[Pixel]:
    """``square`` as it lies at ``quad`` in a picture of ``size``; averaged down first where it shrinks."""
    side = max(1, round(math.dist(quad[0], quad[1])))
    if side < square.shape[0]:
        square = np.asarray(cv2.resize(square, (side, side), interpolation=cv2.INTER_AREA), square.dtype)
    return warp(square, inverted(quad_matrix(quad, square.shape[0])), size, interpolation, border)


def _softened(fake: NDArray[np.uint8], photo: NDArray[np.uint8], inside: NDArray[np.bool_]) -> NDArray[np.float32]:
    """``fake``, blurred until its fine detail ``inside`` fades as early as the photo's."""
    colours = fake.astype(np.float32)
    if not inside.any():
        return colours
    grey, wanted = _grey(colours), 1.1 * _fineness(_grey(photo.astype(np.float32)), inside)
    if _fineness(grey, inside) <= wanted:
        return colours
    sigmas = np.arange(0.25, _SOFTEST, 0.25)
    soft = bisect_left(sigmas, True, key=lambda sigma: _fineness(_blurred(grey, sigma), inside) <= wanted)
    return _blurred(colours, sigmas[soft] if soft < len(sigmas) else _SOFTEST)


def _grey(colours: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(cv2.transform(colours, np.full((1, 3), 1 / 3)), np.float32)


def _blurred(picture: NDArray[np.float32], sigma: float) -> NDArray[np.float32]:
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), sigma), np.float32)


def _fineness(grey: NDArray[np.float32], inside: NDArray[np.bool_]) -> float:
    """Finest detail over the next coarser: alike for smooth and wrinkled skin, less where the focus is soft."""
    once, twice = _blurred(grey, 1.0), _blurred(grey, 2.0)
    fine, coarser = (
        float(cv2.meanStdDev(band, mask=inside.view(np.uint8))[1][0, 0]) for band in (grey - once, once - twice)
    )
    return fine / max(coarser, 1e-3)


def _colour_drift(
    photo: NDArray[np.uint8], square: NDArray[np.uint8], mask: NDArray[np.float32]
) -> NDArray[np.float32]:
    """A smooth field (256, 256, 3): ``photo`` minus ``square`` along the rim of ``mask``, continued inside. ``photo`` is the
    part under the square, as large as the mask.

    Not Poisson blending: where the mask happens to end at a strand of hair, it would carry the hair across the cheek.
    """
    below, above, rim = (
        np.asarray(cv2.resize(values, (_FIT, _FIT), interpolation=cv2.INTER_AREA), np.float32)
        for values in (photo, square, 4 * mask * (1 - mask))
    )
    drift = _smooth_field(below - above, rim[..., None], _FIT_REACH * _FIT, _FIT_OUTLIER)
    return np.asarray(cv2.resize(drift, (_MASK, _MASK), interpolation=cv2.INTER_CUBIC), np.float32)


def _smooth_field(
    values: NDArray[np.float32], where: NDArray[np.float32], reach: float, outlier: float
) -> NDArray[np.float32]:
    """The average of ``values`` (H, W, 3) within ``reach`` (px) of each pixel, over those where ``where`` (H, W, 1) is not
    0."""
    # Starts from the median: skin may differ by far more than an outlier, and a wall by less.
    sure = values[where[..., 0] > 0.5]
    field = np.broadcast_to(np.median(sure, axis=0) if len(sure) else 0, values.shape)
    for _ in range(4):  # reweighted, so that values that differ by more than ``outlier`` count less each time
        apart = np.linalg.norm(values - field, axis=2, keepdims=True)
        trust = where / (1 + (apart / outlier) ** 2)
        mean = (trust * values).sum((0, 1)) / max(float(trust.sum()), 1e-6)
        near = cv2.GaussianBlur(trust, (0, 0), reach)[..., None]
        summed = cv2.GaussianBlur(trust * values, (0, 0), reach)
        field = (summed + 0.004 * mean) / (near + 0.004)  # far from all of them: the mean
    return np.asarray(field, np.float32)

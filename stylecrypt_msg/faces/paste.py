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
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from .align import Pixel, Quad, crop, inverted, quad_matrix, transform, warp
from .hair import SIDE, Head, lab_of
from .outline import FACE, Outline

__all__ = ["Patch", "paste"]

_Plane: TypeAlias = NDArray[np.float32]

_MASK = 256  # px per side of the square; the mask is smooth, so finer would not show
_RIM = 0.018  # of the side, which the mask keeps clear: the square may end in hair or shoulders

# Where the seam may run, in radii of the face's outline.
_INNER_ACROSS, _INNER_DOWN = 0.78, 0.88  # brows, beard and chin are inside
_INNER_JAW = 0.2  # by which it is narrower at the jaw, where the other face may already end
_INNER_BROW = 0.25  # by which it is lower at the forehead, where the other's hair may begin
_OUTER = 1.1
_HIGHER = 0.25  # by which it may be higher, for a foreign hairline
_OUTER_OF_HEAD = 1.6  # head with hair, where a matte keeps the background out
_FEATHER = 0.08  # to either side

# How it is found.
_ANGLES, _STEPS = 180, 64  # round the face, and from the inner to the outer limit
_UNLIKE = 8.0  # distance in CIELAB, lightness halved, that is about as bad as good
_SEEN = 3.0  # what differs along the seam
_WITHIN = 6.0  # what differs from the inner limit to the seam: a jaw on another background, a strand at the temple
_OUTWARDS = 1.5  # what of the original is left, from the seam to the outer limit
_UPWARDS = 12.0  # the same above the face, where the original's hair is dark: recognisers know people by their hairline
_TEMPLE = 0.3  # sine of the angle from which it counts as above
_HAIR = 0.95, 1.4  # radii between which a head has hair, or is bald
_THIN = 0.4, 0.7  # what of that is hair: from hardly any to all of it
_KIND = 2.0  # hair on one side of the seam and skin on the other
_OFF = 10.0  # the square shows no person, or ends
_BEND = 0.1  # a step aside per angle, to a seam between things that have nothing in common
_BENDS = 2  # steps per angle at most

_MOVED = 0.1  # what a unit of change in the face's colours weighs, against a seam that is visible all around
_COARSE = 5.0  # px of 128: light and tint, not features

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
    foreign: bool = False,
) -> NDArray[np.uint8]:
    """``pixels`` with the face of ``square`` at ``quad``; a new array.

    ``pixels`` is (H, W, 3) uint8; ``square`` the aligned face, (S, S, 3) uint8 of any size; ``landmarks`` (5, 2) are those of
    the face in the photo, as ``quad`` is. With ``alpha``, a matte of ``square``, (S, S) float32 (see ``matte``), the hair
    is pasted as well, except what the matte leaves out. ``foreign`` is for a face with another person's styles, which
    bring that person's skin, light and hair along: its contrast is limited to little more than that of the face in the photo,
    its hair gets the colour of the photo's, and where that is dark, the hairline is pasted, too.
    """
    return Patch.cut(pixels, square, quad, landmarks, alpha, foreign=foreign).onto(pixels)


@dataclass(frozen=True, eq=False)
class Patch:
    """A face square, cut for its place in a photo.

    Attributes:
        square: (S, S, 3) uint8, in the photo's contrast and colour of hair.
        mask: how much of it shows, (256, 256) float32.
        drift: what is added to it, (256, 256, 3) float32, in levels.
        quad: where it lies.
        flaw: how visible that is; comparable between squares for one place.
    """

    square: NDArray[np.uint8]
    mask: NDArray[np.float32]
    drift: NDArray[np.float32]
    quad: Quad
    flaw: float

    @classmethod
    def cut(
        cls,
        pixels: NDArray[np.uint8],
        square: NDArray[np.uint8],
        quad: Quad,
        landmarks: NDArray[np.float32],
        alpha: NDArray[np.float32] | None = None,
        *,
        foreign: bool = False,
    ) -> Patch:
        """Of ``square`` for ``pixels``; the arguments are those of `paste`."""
        view = crop(pixels, quad, _MASK)
        outline = Outline.of(landmarks, quad)
        if foreign:
            square = _subdued(square, view, outline)
        heads = there, fake = Head.of(view, outline), Head.of(square, outline)
        if foreign and alpha is None:
            square = fake.dyed(square, there)
        unlike = _unlike(view, square, heads, outline)
        if alpha is not None:
            unlike *= cv2.resize(alpha, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
        angles, radii, seen = _seam(unlike, heads, outline, whole_head=alpha is not None, foreign=foreign)
        mask = _mask(angles, radii, outline, alpha)
        drift = _colour_drift(view, square, mask, (there.hair, fake.hair))
        return cls(square, mask, drift, quad, seen + _MOVED * _moved(view, square, drift, outline))

    def onto(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """``pixels`` with the square in its place; a new array."""
        result = pixels.copy()
        low, high = _reach(self.mask, self.quad, pixels.shape)
        if np.any(high <= low):  # what would show lies outside the picture
            return result
        photo = result[low[1] : high[1], low[0] : high[0]]
        size = photo.shape[1], photo.shape[0]

        weight = _laid(self.mask, self.quad - low, size, cv2.INTER_LINEAR, cv2.BORDER_CONSTANT)
        weight[weight < 1 / 512] = 0  # less than half a level at most: not worth touching a pixel
        fake = _softened(_laid(self.square, self.quad - low, size), photo, weight > 0.5)
        change = np.asarray(cv2.subtract(fake, photo, dtype=cv2.CV_32F), np.float32)
        change += _laid(self.drift, self.quad - low, size, cv2.INTER_LINEAR)
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


def _subdued(square: NDArray[np.uint8], photo: NDArray[np.uint8], outline: Outline) -> NDArray[np.uint8]:
    """``square``, dimmed until its face has little more contrast than the face in ``photo``, (256, 256, 3) uint8, in light and
    in colour.

    On dark skin, or in weak light, the highlights and shadows of a bright face are too hard, and no shift of colours removes
    them. In a black-and-white photo nothing has a colour.
    """
    across = (np.arange(_MASK) + 0.5) / _MASK
    _, radius = outline.polar(across[None], across[:, None])
    small = cv2.resize(square, (_MASK, _MASK), interpolation=cv2.INTER_AREA)
    faces = [part[radius < FACE].astype(np.float32) for part in (photo, small)]
    light = [float(np.subtract(*np.percentile(face.mean(1), (90, 10)))) for face in faces]
    colour = [float(np.sqrt((face - face.mean(1, keepdims=True)).var(0).sum())) for face in faces]
    light_kept, colour_kept = (min(1.0, _HARDEST * wanted / max(there, 1.0)) for wanted, there in (light, colour))
    # Each channel, and the mean of all three.
    own = min(light_kept, colour_kept)
    return np.asarray(cv2.transform(square, own * np.eye(3) + (light_kept - own) / 3), np.uint8)


def _mask(
    angles: NDArray[np.float64], radii: NDArray[np.float64], outline: Outline, alpha: NDArray[np.float32] | None
) -> NDArray[np.float32]:
    """How much the square shows: (256, 256) float32, 1 within the seam, fading to 0 beyond it and at the rim."""
    across = (np.arange(_MASK) + 0.5) / _MASK
    y, x = np.meshgrid(across, across, indexing="ij")
    angle, radius = outline.polar(x, y)
    seam = np.interp(angle, angles, radii, period=math.tau)
    mask = _fall(radius, seam - _FEATHER, seam + _FEATHER)
    mask *= _fall(np.maximum(abs(x - 0.5), abs(y - 0.5)), 0.5 - 6 * _RIM, 0.5 - _RIM)
    if alpha is not None:
        mask *= cv2.resize(alpha, (_MASK, _MASK), interpolation=cv2.INTER_AREA)
    return mask.astype(np.float32)


def _unlike(photo: NDArray[np.uint8], square: NDArray[np.uint8], heads: tuple[Head, Head], outline: Outline) -> _Plane:
    """How much ``photo`` and ``square`` differ: (128, 128) float32, 0 to 1. ``heads`` are theirs.

    Apart from a drift of the skin's colour, which is fitted within the face.
    """
    lab = [lab_of(np.asarray(cv2.resize(one, (SIDE, SIDE), interpolation=cv2.INTER_AREA))) for one in (photo, square)]
    # Light falls on the two faces from different sides; tint tells skin from wall and hair.
    difference = (lab[0] - lab[1]) * np.array([0.5, 1, 1], np.float32)
    across = (np.arange(SIDE) + 0.5) / SIDE
    skin = (outline.polar(across[None], across[:, None])[1] < FACE).astype(np.float32)[..., None]
    hair = np.minimum(heads[0].hair, heads[1].hair)[..., None]
    difference -= (1 - hair) * _smooth_field(difference, skin, 0.2 * SIDE, _UNLIKE)
    squared = (np.asarray(cv2.GaussianBlur(difference, (0, 0), 1.0), np.float32) ** 2).sum(2)
    return np.asarray(squared / (squared + _UNLIKE**2), np.float32)


def _seam(
    unlike: _Plane, heads: tuple[Head, Head], outline: Outline, *, whole_head: bool, foreign: bool
) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
    """Angles (180,) and radii of the least visible closed line around the face, and how visible that is, 0 to 1.

    It runs where photo and square are alike, encloses little besides the face in which they differ, and leaves little of the
    original face outside: of a foreigner's dark hair, it takes the hairline, too. By dynamic programming, as Efros and Freeman
    cut textures ("Image Quilting", 2001) and Jia et al. pasted objects ("Drag-and-Drop Pasting", 2006).
    """
    angles = np.linspace(-math.pi, math.pi, _ANGLES, endpoint=False)
    jaw, brow = np.maximum(np.sin(angles), 0), np.maximum(-np.sin(angles), 0)
    across, down = _INNER_ACROSS - _INNER_JAW * jaw, _INNER_DOWN - _INNER_BROW * brow
    inner = 1 / np.hypot(np.cos(angles) / across, np.sin(angles) / down)
    hairline = foreign and not whole_head
    outer = (_OUTER_OF_HEAD if whole_head else _OUTER) + hairline * _HIGHER * brow
    outwards = np.linspace(0, 1, _STEPS)
    radii = inner[:, None] + (outer - inner)[:, None] * outwards

    def along(plane: NDArray[np.float32] | NDArray[np.bool_], radii: NDArray[np.float64]) -> _Plane:
        x, y = (outline.points(angles[:, None], radii) * SIDE - 0.5).astype(np.float32)
        return np.asarray(cv2.remap(plane.astype(np.float32), x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE))

    seen = along(unlike, radii)
    cost = _SEEN * seen + _WITHIN * np.cumsum(seen, axis=1) / _STEPS + _OUTWARDS * (1 - outwards)
    there, fake = heads
    if hairline:
        beyond = np.broadcast_to(np.linspace(*_HAIR, _STEPS // 4), (_ANGLES, _STEPS // 4))
        hair, head = along(there.hair, beyond), along(there.person, beyond)
        hairy = (hair * head).sum(1) / np.maximum(head.sum(1), 1)
        above = np.sqrt(np.clip((brow - _TEMPLE) / (1 - _TEMPLE), 0, 1))
        cost += _KIND * above[:, None] * abs(along(there.hair, radii) - along(fake.hair, radii))
        upwards = _UPWARDS * there.dark * fake.dark * above * np.clip((hairy - _THIN[0]) / (_THIN[1] - _THIN[0]), 0, 1)
        cost += upwards[:, None] * (1 - outwards)
    if not whole_head:
        cost[along(fake.person, radii) < 0.5] += _OFF
    cost[abs(outline.points(angles[:, None], radii) - 0.5).max(0) > 0.5 - 3 * _RIM] += _OFF

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
    here = np.arange(_ANGLES), path[::-1][_ANGLES : 2 * _ANGLES]
    smooth = cv2.GaussianBlur(np.tile(radii[here], 3)[None], (0, 0), 2.5)[0, _ANGLES : 2 * _ANGLES]
    return angles, np.asarray(smooth, np.float64), float(seen[here].mean())


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


def _moved(photo: NDArray[np.uint8], square: NDArray[np.uint8], drift: NDArray[np.float32], outline: Outline) -> float:
    """By how much the face's colours and light change, in CIELAB with lightness halved: a root mean square."""
    size = SIDE, SIDE
    below, above, added = (
        np.asarray(cv2.resize(one, size, interpolation=cv2.INTER_AREA), np.float32) for one in (photo, square, drift)
    )
    across = (np.arange(SIDE) + 0.5) / SIDE
    face = outline.polar(across[None], across[:, None])[1] < FACE
    lab = [_blurred(lab_of(np.clip(one, 0, 255).astype(np.uint8)), _COARSE) for one in (below, above + added)]
    change = (lab[1] - lab[0])[face] * np.array([0.5, 1, 1], np.float32)
    return float(np.sqrt((change**2).sum(1).mean()))


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
    photo: NDArray[np.uint8],
    square: NDArray[np.uint8],
    mask: NDArray[np.float32],
    hairs: tuple[NDArray[np.float32], NDArray[np.float32]],
) -> NDArray[np.float32]:
    """A smooth field (256, 256, 3): ``photo`` minus ``square`` along the rim of ``mask``, continued inside. ``photo`` is the
    part under the square, as large as the mask. ``hairs``: how much of each is hair; what hair lacks does not change skin.

    Not Poisson blending: where the mask happens to end at a strand of hair, it would carry the hair across the cheek.
    """
    below, above, rim, first, second = (
        np.asarray(cv2.resize(values, (_FIT, _FIT), interpolation=cv2.INTER_AREA), np.float32)
        for values in (photo, square, 4 * mask * (1 - mask), *hairs)
    )
    skin, hair = (
        _smooth_field(below - above, (rim * kind)[..., None], _FIT_REACH * _FIT, _FIT_OUTLIER)
        for kind in ((1 - first) * (1 - second), first * second)
    )
    drift = skin + second[..., None] * (hair - skin)
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

"""What gives a cover away, in figures, and a score that agrees with eyes. Needs the extra ``identity``.

Each flaw is measured against the photo, so that a photo's own hard light or soft focus does not count. Squares of `WIDE` pixels
show FFHQ's square, `SIDE` of them, and what lies around it, where skin is left that was not replaced.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import NamedTuple, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from stylecrypt_msg.faces import Quad, crop
from stylecrypt_msg.faces.align import quad_matrix, warp
from stylecrypt_msg.pictures import Pixels

from .looks import SIDE, Landmarks

__all__ = ["WIDE", "Flaws", "flaws_of", "wide_square"]

WIDE = SIDE * 3 // 2
_AROUND = (WIDE - SIDE) // 2

Floats: TypeAlias = NDArray[np.float32]
Mask: TypeAlias = NDArray[np.bool_]

# Of the 68 landmarks.
_JAW, _FACE, _FEATURES = slice(0, 17), slice(0, 27), slice(17, 68)
_BROWS, _EYES = (slice(17, 22), slice(22, 27)), (slice(36, 42), slice(42, 48))
_TIP, _MOUTH = slice(31, 36), slice(48, 60)

_NEAR = 9  # px: a cover may have what the photo has as near as this
_SKIN = 30.0, 15.0  # of the median's lightness and tint, in CIELAB: skin in light and in shade
_CLEARLY = 8  # of 256 levels: a blur shows
_CELL = 2.0  # CIELAB: tints closer than this are one
_RARE = 9  # pixels: a tint that fewer have is not one of the photo's


class _Weight(NamedTuple):
    """``usual`` and ``unusual``: the median and the 90 % quantile of covers that passed. ``weight``: what ``unusual`` adds."""

    usual: float
    unusual: float
    weight: float


# Logistic regression on 159 covers labelled by eye, of 82 photos; lab/LOG.md says how well it agrees with labels of people
# whom it did not see. What `blurred` weighs is set by hand: from a tenth of the head on, it is a flaw by itself.
_NOTHING = -2.04
_WEIGHTS = {
    "streaks": _Weight(1.78, 5.45, 0.71),
    "eyes": _Weight(0.064, 0.155, 0.66),
    "outline": _Weight(6.20, 9.42, 0.57),
    "soft": _Weight(0.139, 0.390, 0.83),
    "tone": _Weight(0.64, 2.85, 0.37),
    "seam": _Weight(2.64, 5.07, 0.37),
    "colour": _Weight(0.094, 0.276, 0.27),
    "brows": _Weight(0.008, 0.053, 0.36),
    "blurred": _Weight(0.06, 0.08, 1.0),
}
_MOST = 3  # times what ``unusual`` adds: a single flaw can fail a cover, if barely


@dataclass(frozen=True)
class Flaws:
    """Of a cover against its photo; small where there is none.

    Attributes:
        streaks: how far the tint of marks on the skin, away from eyes, nose and mouth, is from the skin's, in CIELAB: a
            strand of the other's hair, a rim.
        eyes: by how much one eye has less contrast than the other, as a logarithm: it is in the shade, or smeared.
        outline: by how much the jaw has moved, in pixels: a cheek that reaches over the old outline.
        soft: the detail that the face has lost, as a logarithm.
        tone: how far the skin is from the skin left around it, beyond what it was in the photo; CIELAB, lightness halved.
        seam: the step along the mask's edge where the photo has skin on both sides; CIELAB.
        colour: how far the tints of the face are from any that the photo has, on average; CIELAB. A coloured face in a grey
            photo.
        brows: the share of a brow that is still the photo's, beside the new one.
        blurred: the share of the head under the blur of a bystander.
    """

    streaks: float
    eyes: float
    outline: float
    soft: float
    tone: float
    seam: float
    colour: float
    brows: float
    blurred: float

    @property
    def reasons(self) -> dict[str, float]:
        """What each flaw adds to ``score``, the worst first."""
        parts = {}
        for name, value in asdict(self).items():
            usual, unusual, weight = _WEIGHTS[name]
            parts[name] = weight * float(np.clip((value - usual) / (unusual - usual), 0, _MOST))
        return dict(sorted(parts.items(), key=lambda part: -part[1]))

    @property
    def score(self) -> float:
        """The logarithm of the odds that the cover does not pass for a photograph."""
        return _NOTHING + sum(self.reasons.values())


def wide_square(pixels: Pixels, quad: Quad) -> Pixels:
    """What lies in ``quad`` and around it, upright, (`WIDE`, `WIDE`, 3) uint8; mirrored beyond ``pixels``."""
    return crop(pixels, _wider(quad), WIDE)


def flaws_of(cover: Pixels, backdrop: Pixels, original: Pixels, quad: Quad, landmarks: Landmarks) -> Flaws:
    """Of the face at ``quad``; the pictures are those of a `CoveredPhoto`."""
    before, after = (_View.of(pixels, quad, landmarks) for pixels in (backdrop, cover))
    shown = warp(np.full(cover.shape[:2], 255, np.uint8), quad_matrix(_wider(quad), WIDE), (WIDE, WIDE), border=0) > 250
    changed = _changed(before.pixels, after.pixels)
    depth = _distance(changed) - _distance(~changed)
    features = before.features() | after.features()
    face = before.hull(_FACE)
    if (face & shown & (depth > 6)).any():
        face &= shown & (depth > 6)
    skin = face & ~features if (face & ~features).any() else face
    old, new = (np.median(view.lab[skin], axis=0) for view in (before, after))
    fake = changed & shown & (depth > 3) & ~features
    middle = _filled(np.concatenate([view.points[_FEATURES] for view in (before, after)]), 4)
    return Flaws(
        streaks=_streaks(before, after, (skin, fake), ~middle, (old, new)),
        eyes=after.uneven_eyes(),
        outline=float(np.linalg.norm(after.points[_JAW] - before.points[_JAW], axis=1).mean()),
        soft=float(np.log(before.detail(face) / after.detail(face))),
        tone=_tone(before, old, new, shown & (depth < -2)),
        seam=_seam(before, after, depth, shown, old),
        colour=_foreign(before, after, changed & shown, shown),
        brows=_brows(before, after),
        blurred=float((cv2.absdiff(wide_square(original, quad), before.pixels).max(2) > _CLEARLY)[_head()].mean()),
    )


@dataclass(frozen=True, eq=False)
class _View:
    """A `WIDE` square, (WIDE, WIDE, 3) uint8, the same in CIELAB, and the 68 landmarks in it."""

    pixels: Pixels
    lab: Floats
    points: NDArray[np.float64]

    @classmethod
    def of(cls, pixels: Pixels, quad: Quad, landmarks: Landmarks) -> _View:
        square = wide_square(pixels, quad)
        lab = np.asarray(cv2.cvtColor(square.astype(np.float32) / 255, cv2.COLOR_RGB2LAB), np.float32)
        return cls(square, lab, landmarks(crop(pixels, quad, SIDE)) + _AROUND)

    @property
    def lightness(self) -> Floats:
        return self.lab[..., 0]

    def hull(self, *these: slice, grown: int = 0) -> Mask:
        return _filled(np.concatenate([self.points[one] for one in these]), grown)

    def features(self) -> Mask:
        """Eyes with their brows, the mouth, and what is below the nose."""
        found = self.hull(_MOUTH, grown=6) | self.hull(_TIP, grown=4)
        for pair in zip(_EYES, _BROWS, strict=True):
            found |= self.hull(*pair, grown=5)
        return found

    def detail(self, where: Mask) -> float:
        return max(float((self.lightness - _blurred(self.lightness, 5))[where].std()), 0.1)

    def uneven_eyes(self) -> float:
        fine = self.lightness - _blurred(self.lightness, 6)
        first, second = (max(float(fine[self.hull(eye, grown=4)].std()), 0.1) for eye in _EYES)
        return float(abs(np.log(first / second)))

    def dark(self) -> Mask:
        """Darker than what is around it, as hair on skin is."""
        return np.asarray(self.lightness < _blurred(self.lightness, 14) - 3)


def _streaks(before: _View, after: _View, skin: tuple[Mask, Mask], away: Mask, usual: tuple[Floats, Floats]) -> float:
    apart = []
    for view, where, colour in zip((before, after), skin, usual, strict=True):
        around = _spread(view.lab, where & _alike(view.lab, colour, *_SKIN), 14)
        apart.append(np.linalg.norm((_blurred(view.lab, 1.2) - around)[..., 1:], axis=2))
    excess = np.clip(apart[1] - cv2.dilate(apart[0], np.ones((_NEAR, _NEAR))), 0, None)[skin[1] & away]
    return float(np.percentile(excess, 99)) if len(excess) else 0.0


def _tone(before: _View, old: Floats, new: Floats, around: Mask) -> float:
    left = around & _head() & _alike(_blurred(before.lab, 2), old, 25, 8)
    halved = np.array([0.5, 1, 1])
    if left.sum() < 150:  # hair and clothes all around: only the photo's face, which nobody sees, can be compared with
        return float(np.linalg.norm((new - old) * halved)) / 2
    beside = np.median(before.lab[left], axis=0)
    first, second = (float(np.linalg.norm((one - beside) * halved)) for one in (old, new))
    return max(0.0, second - first)


def _seam(before: _View, after: _View, depth: Floats, shown: Mask, usual: Floats) -> float:
    smooth = _blurred(depth, 3)
    slope = np.stack([cv2.Sobel(smooth, cv2.CV_32F, 1, 0), cv2.Sobel(smooth, cv2.CV_32F, 0, 1)], axis=2)
    slope = slope / (np.linalg.norm(slope, axis=2, keepdims=True) + 1e-6)
    rows, columns = np.nonzero((abs(depth) < 1.3) & shown)

    def at(view: _View, inwards: float) -> Floats:
        x, y = ((columns, rows) + inwards * slope[rows, columns].T).astype(np.float32)[:, None]
        return np.asarray(cv2.remap(_blurred(view.lab, 2), x, y, cv2.INTER_LINEAR)[0])

    if not len(rows):
        return 0.0
    outside, old, new = at(before, -4), at(before, 20), at(after, 20)
    on_skin = _alike(outside, usual, 28, 12) & _alike(old, usual, 28, 12)
    step = np.linalg.norm(new - outside, axis=1) - np.linalg.norm(old - outside, axis=1)
    return float(np.clip(step[on_skin], 0, None).mean()) if on_skin.sum() > 25 else 0.0


def _foreign(before: _View, after: _View, changed: Mask, shown: Mask) -> float:
    tints = [np.clip((_blurred(view.lab, 1.5)[..., 1:] + 128) / _CELL, 0, 127).astype(int) for view in (before, after)]
    known = np.zeros((128, 128), int)
    np.add.at(known, tuple(tints[0][shown].T), 1)
    apart = _CELL * cv2.distanceTransform((known < _RARE).astype(np.uint8), cv2.DIST_L2, 5)
    return float(apart[tuple(tints[1][changed].T)].mean()) if changed.any() else 0.0


def _brows(before: _View, after: _View) -> float:
    same = (abs(after.lab - before.lab).max(2) < 5) & after.dark() & before.dark()
    return max(
        float((same & before.hull(brow, grown=5) & ~after.hull(brow, grown=5)).sum() / before.hull(brow, grown=5).sum())
        for brow in _BROWS
    )


def _changed(before: Pixels, after: Pixels) -> Mask:
    """What was replaced in the middle of the square, without holes and other people."""
    different = (cv2.absdiff(before, after).max(2) > 2).astype(np.uint8)
    different = cv2.morphologyEx(different, cv2.MORPH_CLOSE, np.ones((9, 9), np.uint8))
    different = cv2.morphologyEx(different, cv2.MORPH_OPEN, np.ones((5, 5), np.uint8))
    lines, _ = cv2.findContours(different, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    filled = np.zeros((WIDE, WIDE), np.uint8)
    if lines:
        middle = (WIDE / 2, WIDE / 2)
        cv2.drawContours(filled, [max(lines, key=lambda line: cv2.pointPolygonTest(line, middle, True))], -1, 1, -1)
    return filled > 0


def _head() -> Mask:
    rows, columns = np.mgrid[:WIDE, :WIDE]
    return np.asarray(np.hypot((columns - WIDE / 2) / 110, (rows - WIDE / 2 - 18) / 150) < 1)


def _wider(quad: Quad) -> Quad:
    middle = quad.mean(0)
    return np.asarray(middle + (quad - middle) * (WIDE / SIDE))


def _filled(points: NDArray[np.float64], grown: int = 0) -> Mask:
    mask = np.zeros((WIDE, WIDE), np.uint8)
    cv2.fillConvexPoly(mask, cv2.convexHull(np.round(points).astype(np.int32)), 1)
    return cv2.dilate(mask, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * grown + 1,) * 2)) > 0


def _alike(lab: Floats, usual: Floats, light: float, tint: float) -> Mask:
    apart = abs(lab - usual)
    return np.asarray((apart[..., 0] < light) & (np.hypot(apart[..., 1], apart[..., 2]) < tint))


def _spread(lab: Floats, where: Mask, reach: float) -> Floats:
    """The average of ``lab`` where it counts, within ``reach`` (px) of each pixel."""
    weight = where.astype(np.float32)[..., None]
    return np.asarray(_blurred(lab * weight, reach) / (_blurred(weight, reach)[..., None] + 1e-3), np.float32)


def _blurred(picture: Floats, sigma: float) -> Floats:
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), sigma), np.float32)


def _distance(mask: Mask) -> Floats:
    return np.asarray(cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, 5), np.float32)

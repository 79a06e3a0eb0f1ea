"""Find every face in a picture, with five landmarks; say which of them can be replaced.

A missed face goes out uncovered, and something that is no face must not get one. So:

- the picture is searched by two detectors, at several scales, in tiles where it is large, and in four orientations;
- each find is examined again on its own, turned until it is upright: YuNet's landmarks lean towards upright and jitter by
  some 2 % of the face, and the median over several views of the straightened face does not;
- a find that the second look or the second detector does not confirm stays, marked as doubtful: it may be somebody behind a
  mask. Only finds that neither confirms and that the search itself was unsure of are dropped.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from .align import Quad, face_quad, inverted, quad_matrix, square, warp
from .detectors import CenterFace, Face, Refusal, YuNet, moved, overlap, suppressed

__all__ = ["certain_faces", "check_face", "detect_faces", "exposed_faces"]

# The search. YuNet finds 97 % of upright faces of 16 px and all of 24 px, so that at half size we still
# find 32 px.
_FULL_SIZE_UP_TO = 2048  # longest side, px; larger pictures are searched from half their size downwards
_TURNED_SIZE_UP_TO = 1024  # px; the same for each of the other orientations, in which there are few faces
_TILE = 1280  # px; YuNet's time and memory per pixel grow with the input
_OVERLAP = 256  # px; more than the largest face that only this scale finds
_SCALE_STEP = 4  # a face of any size is then 60 to 240 px at one of the scales, where YuNet is surest
_SMALLEST_SEARCH = 192  # px; the last scale, at which a face that fills the picture is in YuNet's range
_OTHER_SIZES = (640, 256)  # px, longest side of CenterFace's input
_FACE_SCORE = 0.75  # of the second look
_LIKELY_SCORE = 0.85  # of a find that counts as a person even if nothing confirms it
# Of an unconfirmed find that is hidden all the same. Below it, 5 of 33 such finds in 324 photos were people, none
# of them recognisable; the others were hands, necks and cloth, where a blur spoils a photo for nothing.
_POSSIBLE_SCORE = 0.7
_MOST_LOOKS = 256  # one takes up to 60 ms: a hostile picture costs 15 s at most. Finds beyond this number stay in doubt
_SAME = 0.3  # shared part of the area that two finds cover

# The second look.
_VIEW = 160  # px
_FACE_IN_VIEW = 72  # px, height of the face in it
_STRAIGHT_SCORE = 0.9  # of a face that leans by less than 30 degrees, which need not be turned through the whole circle

# What can be replaced.
_SMALLEST_EYES = 10.0  # px between the eyes; a face of some 26 px. Below, the landmarks are 4 % off and more
_FURTHEST_TURN = 50.0  # degrees of yaw; FFHQ, which the generators learnt, holds hardly any face beyond it


def check_face(face: Face, width: int, height: int) -> Refusal | None:
    """Whether ``face``, found in a picture of ``width`` by ``height`` pixels, can be replaced: None, or why
    not.

    A refused face is still in the picture: sending the picture without hiding it shows it.
    """
    if face.eye_distance < _SMALLEST_EYES:
        return Refusal.TOO_SMALL
    # Hair and chin may be cut off, since the crop is mirrored there; eyes, nose and mouth decide the alignment.
    if np.any(face.landmarks < 0) or np.any(face.landmarks > (width, height)):
        return Refusal.CUT
    if face.doubt is not None:
        return face.doubt
    if abs(face.yaw) > _FURTHEST_TURN:
        return Refusal.PROFILE
    return None


def detect_faces(pixels: NDArray[np.uint8]) -> list[Face]:
    """Every face in ``pixels``, (H, W, 3) uint8 RGB, from left to right by the centre of its box.

    Finds faces from about 32 px of height (16 px in pictures of up to 2048 px) to those that fill the picture, whichever way
    up; in larger pictures, faces that are not upright from a 64th of the longest side on. Uncertain finds are included, with
    a ``doubt``. Several threads may call it.
    """
    yunet, centerface, pyramid = YuNet(), _centerface(), _Pyramid(pixels)
    longest = max(pixels.shape[:2])
    upright = longest if longest <= _FULL_SIZE_UP_TO else longest // 2
    turned = upright if longest <= _TURNED_SIZE_UP_TO else upright // 2
    with ThreadPoolExecutor(1) as beside:
        searching = beside.submit(_others, centerface, pyramid)
        finds = suppressed(_search(yunet, pyramid, (0,), upright) + _search(yunet, pyramid, (1, 2, 3), turned))
        others = searching.result()
    finds += [other for other in others if not _is_among(other, finds)]
    faces: list[Face] = []
    for number, find in enumerate(finds):
        agreed = _is_among(find, others)
        if find.score < _FACE_SCORE and any(_lies_on(find, face) for face in faces):
            continue  # hair, or a whole head
        if number < _MOST_LOOKS:
            faces.append(_looked_at(yunet, centerface, pixels, find, agreed))
        else:
            faces.append(replace(find, doubt=Refusal.UNSURE))
    possible = [face for face in faces if face.doubt is not Refusal.UNSURE or face.score >= _POSSIBLE_SCORE]
    return sorted(_once_each(possible), key=lambda face: face.centre[0])


def certain_faces(pixels: NDArray[np.uint8]) -> list[Face]:
    """The faces of `detect_faces` without a ``doubt``: for finding somebody, not for finding everything to hide."""
    return [face for face in detect_faces(pixels) if face.doubt is None]


def exposed_faces(original: NDArray[np.uint8], cover: NDArray[np.uint8], known: Sequence[Face]) -> list[Face]:
    """Faces of ``original`` that ``cover``, both (H, W, 3) uint8, still shows, besides the ``known`` ones.

    The last look before a picture leaves: upright, at coarse scales.
    """
    pyramid = _Pyramid(cover)
    searched = _search(YuNet(), pyramid, (0,), min(max(cover.shape[:2]), _TURNED_SIZE_UP_TO))
    finds = _others(_centerface(), pyramid) + [find for find in searched if find.score >= _POSSIBLE_SCORE]
    return [
        replace(find, doubt=Refusal.UNSURE)
        for find in suppressed(finds)
        if not _is_among(find, known)
        and not any(_lies_on(find, face) for face in known)
        and _share_unchanged(original, cover, find) > 0.5
    ]


def _share_unchanged(original: NDArray[np.uint8], cover: NDArray[np.uint8], face: Face) -> float:
    left, top, width, height = face.box
    rows, columns = (
        slice(max(0, round(low)), max(0, round(low + size))) for low, size in ((top, height), (left, width))
    )
    same = (original[rows, columns] == cover[rows, columns]).all(axis=2)
    return float(same.mean()) if same.size else 0.0


@cache
def _centerface() -> CenterFace:
    return CenterFace()


def _others(centerface: CenterFace, pyramid: _Pyramid) -> list[Face]:
    """CenterFace's finds."""
    return suppressed(
        [
            moved(find, back)
            for small, back in (pyramid.at(min(size, pyramid.longest)) for size in _OTHER_SIZES)
            for find in centerface(small)
        ]
    )


def _search(yunet: YuNet, pyramid: _Pyramid, orientations: tuple[int, ...], longest: int) -> list[Face]:
    """YuNet's finds, duplicates included; landmarks are rough.

    ``orientations`` in quarter turns; ``longest`` is the side, in pixels, at the largest scale.
    """
    finds: list[Face] = []
    while True:
        scaled, back = pyramid.at(longest)
        for tile, left, top in _tiles(scaled):
            for turns in orientations:
                matrix = _turned_back(turns, tile.shape[1], tile.shape[0])
                matrix[:, 2] += left, top
                finds += [moved(face, matrix * back.sum(1, keepdims=True)) for face in yunet(np.rot90(tile, turns))]
        if longest <= _SMALLEST_SEARCH:
            return finds
        longest = max(longest // _SCALE_STEP, _SMALLEST_SEARCH)


class _Pyramid:
    """A picture at any smaller scale, in BGR, the order of OpenCV's models. Halves are made once, other scales from them."""

    def __init__(self, pixels: NDArray[np.uint8]) -> None:
        self.longest = max(pixels.shape[:2])
        self._size = pixels.shape[1], pixels.shape[0]
        if self.longest > _FULL_SIZE_UP_TO:
            pixels = _resized(pixels, self.longest // 2)
        self._levels = [np.ascontiguousarray(pixels[..., ::-1])]
        while max(self._levels[-1].shape) >= 2 * _SMALLEST_SEARCH:
            self._levels.append(_resized(self._levels[-1], max(self._levels[-1].shape) // 2))

    def at(self, longest: int) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
        """The picture with a longest side of ``longest`` pixels, and the 2x3 matrix from there to the whole picture."""
        source = next(level for level in reversed(self._levels) if max(level.shape) >= longest)
        scaled = _resized(source, longest)
        width, height = self._size
        return scaled, np.array([[width / scaled.shape[1], 0, 0], [0, height / scaled.shape[0], 0]])


def _resized(picture: NDArray[np.uint8], longest: int) -> NDArray[np.uint8]:
    """``picture``, shrunk until its longest side has ``longest`` pixels."""
    height, width = picture.shape[:2]
    scale = longest / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    if size == (width, height):
        return picture
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)


def _tiles(bgr: NDArray[np.uint8]) -> Iterator[tuple[NDArray[np.uint8], int, int]]:
    """Overlapping tiles that cover the picture, each with its left and top."""
    height, width = bgr.shape[:2]
    for top in range(0, max(height - _OVERLAP, 1), _TILE - _OVERLAP):
        for left in range(0, max(width - _OVERLAP, 1), _TILE - _OVERLAP):
            yield bgr[top : top + _TILE, left : left + _TILE], left, top


def _turned_back(turns: int, width: int, height: int) -> NDArray[np.float64]:
    """The 2x3 matrix from the result of ``np.rot90(..., turns)`` back to the (height, width) picture."""
    back = [
        [[1, 0, 0], [0, 1, 0]],
        [[0, -1, width], [1, 0, 0]],
        [[-1, 0, width], [0, -1, height]],
        [[0, 1, 0], [-1, 0, height]],
    ]
    return np.array(back[turns], np.float64)


def _looked_at(yunet: YuNet, centerface: CenterFace, pixels: NDArray[np.uint8], find: Face, agreed: bool) -> Face:
    """A second look at ``find``: the face with good landmarks and its score when upright, or ``find`` with a doubt.

    ``agreed``: whether the other detector has also found it.
    """
    # All views are taken from one patch, in which the face is about as large as in them.
    patch_size = 3 * _VIEW
    patch_quad = _square(find, 0, 3 * _VIEW / _FACE_IN_VIEW)
    patch = _patch(pixels, patch_quad, patch_size)
    to_patch = quad_matrix(patch_quad, patch_size)
    start = moved(find, to_patch)

    def view(about: Face, angle: float, zoom: float = 1.0) -> Face | None:
        """The face at ``about`` (in the patch), seen turned so that a head that leans by ``angle`` is upright."""
        to_view = quad_matrix(_square(about, angle, zoom * _VIEW / _FACE_IN_VIEW), _VIEW)
        seen = yunet(warp(patch, to_view, (_VIEW, _VIEW), cv2.INTER_LINEAR))
        central = [face for face in seen if _off_centre(face) < _FACE_IN_VIEW / 3]
        if not central:
            return None
        return moved(max(central, key=lambda face: face.score), inverted(to_view))

    best = view(start, round(_lean(start) / (math.pi / 2)) * math.pi / 2)
    if best is None or best.score < _STRAIGHT_SCORE or not _is_among(best, [start]):
        round_about = [view(start, math.tau * step / 12) for step in range(12)]
        best = max((face for face in round_about if face), key=lambda face: face.score, default=None)
    for _ in range(4):  # each look finds about half of the lean that is left
        best = best and view(best, _lean(best))
    seen = []
    if best is not None:
        angle = _lean(best)
        views = [view(best, angle + lean, zoom) for lean in (-0.15, 0, 0.15) for zoom in (0.8, 1.0, 1.25)]
        seen = [best, *(face for face in views if face)]
    face, clear = start, False
    if best is not None and _is_among(best, [start]):
        landmarks = np.median([face.landmarks for face in seen], axis=0).astype(np.float32)
        face = Face(best.box, landmarks, max(face.score for face in seen))
        clear = float(np.median([face.score for face in seen])) >= _FACE_SCORE and len(seen) > len(views) / 2
    if not agreed:
        to_view = quad_matrix(_square(face, _lean(face), _VIEW / _FACE_IN_VIEW), _VIEW)
        seen = centerface(warp(patch, to_view, (_VIEW, _VIEW), cv2.INTER_LINEAR))
        agreed = _is_among(face, [moved(other, inverted(to_view)) for other in seen])
    likely = agreed or find.score >= _LIKELY_SCORE
    doubt = None if clear and agreed else Refusal.COVERED if likely else Refusal.UNSURE
    return moved(replace(face, doubt=doubt), inverted(to_patch))


def _patch(pixels: NDArray[np.uint8], quad: Quad, size: int) -> NDArray[np.uint8]:
    """The inside of an upright ``quad``, in BGR: like `crop`, but quick rather than good, since nobody sees it."""
    low = np.clip(np.floor(quad.min(0)).astype(int) - 8, 0, (pixels.shape[1] - 1, pixels.shape[0] - 1))
    high = np.maximum(np.ceil(quad.max(0)).astype(int) + 8, low + 1)
    part = pixels[low[1] : high[1], low[0] : high[0]]
    small = part
    # By whole numbers, which is quick; the rest is left to the warp.
    if (shrink := int(math.dist(quad[0], quad[1]) / size)) > 1 and min(part.shape[:2]) >= shrink:
        height, width = part.shape[0] // shrink, part.shape[1] // shrink
        part = part[: height * shrink, : width * shrink]
        small = np.asarray(cv2.resize(part, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
    matrix = quad_matrix((quad - low) * (small.shape[1] / part.shape[1], small.shape[0] / part.shape[0]), size)
    return np.ascontiguousarray(warp(small, matrix, (size, size), cv2.INTER_CUBIC)[..., ::-1])


def _square(face: Face, angle: float, sides: float) -> Quad:
    """The square about ``face``, turned by ``angle``, of ``sides`` times the face's longer side."""
    across = sides * face.size / 2 * np.array([math.cos(angle), math.sin(angle)])
    return square(np.array(face.centre), across)


def _lean(face: Face) -> float:
    """Radians by which the head is turned in the plane of the picture, clockwise."""
    across = np.subtract(*face_quad(face.landmarks)[[1, 0]])
    return math.atan2(across[1], across[0])


def _off_centre(face: Face) -> float:
    return math.hypot(face.centre[0] - _VIEW / 2, face.centre[1] - _VIEW / 2)


def _is_among(find: Face, finds: Sequence[Face]) -> bool:
    return any(overlap(find.box, other.box) >= _SAME for other in finds)


def _once_each(faces: list[Face]) -> list[Face]:
    """Each face once. A find that nothing confirms, on a face that is confirmed, is a part of it, or its hair."""
    kept: list[Face] = []
    for face in sorted(faces, key=lambda face: (face.doubt is None, face.score), reverse=True):
        unsure = face.doubt is Refusal.UNSURE or face.score < _FACE_SCORE
        if not _is_among(face, kept) and not (unsure and any(_lies_on(face, other) for other in kept)):
            kept.append(face)
    return kept


def _lies_on(face: Face, other: Face) -> bool:
    """Whether the centre of either is in the box of the other, which is certainly a face."""
    apart = abs(np.subtract(face.centre, other.centre))
    return other.doubt is None and any(bool(np.all(apart < np.array(one.box[2:]) / 2)) for one in (face, other))

"""Find every face in a picture, with five landmarks; say which of them can be replaced.

YuNet (Wu, Peng and Yu, "YuNet: a tiny millisecond-level face detector", 2023), as OpenCV runs it, finds
upright faces of some 16 to 300 pixels. Photos hold others, and a face that is missed goes out uncovered.
So:

- the picture is searched at several scales, in tiles where it is large, and in four orientations;
- each find is looked at again on its own, turned through the whole circle: YuNet's landmarks lean towards
  upright and jitter by some 2 % of the face, and the median over several views of the straightened face
  does not.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from functools import cache
from importlib import resources

import cv2
import numpy as np
from numpy.typing import NDArray

from stylecrypt_msg.faces.align import Quad, crop, face_quad, inverted, quad_matrix, square, transform, warp

__all__ = ["LANDMARKS", "Face", "Refusal", "check_face", "detect_faces"]

LANDMARKS = ("first eye", "second eye", "nose tip", "first mouth corner", "second mouth corner")
"""Rows of :attr:`Face.landmarks`. The first is on the left of an upright picture: the person's right."""

# The search. YuNet finds 97 % of upright faces of 16 px and all of 24 px, so that at half size we still
# find 32 px.
_FULL_SIZE_UP_TO = 2048  # longest side, px; larger pictures are searched from half their size downwards
_TILE = 1280  # px; YuNet's time per pixel grows with larger inputs, its memory too
_OVERLAP = 256  # px; more than the largest face that only this scale finds
_SCALE_STEP = 4  # a face of any size is then 60 to 240 px at one of the scales, where YuNet is surest
_SMALLEST_SEARCH = 192  # px; the last scale: a face that fills the picture fits YuNet's range
_CANDIDATE_SCORE = 0.5  # below it, finds in textures outnumber faces
_FACE_SCORE = 0.75  # of the second look
_MOST_CANDIDATES = 400  # a second look takes 50 ms: a hostile picture costs 20 s at most

# The second look.
_VIEW = 160  # px
_FACE_IN_VIEW = 72  # px, height of the face in it

# What can be replaced.
_SMALLEST_EYES = 10.0  # px between the eyes; a face of some 26 px. Below, the landmarks are 4 % off and more
_FURTHEST_TURN = 50.0  # degrees of yaw; FFHQ, which the generators learnt, holds hardly any face beyond it


@dataclass(frozen=True, eq=False)
class Face:
    """A face as it lies in a picture of (H, W) pixels.

    Coordinates are (x, y) in pixels, continuous: (0, 0) is the outer corner of the first pixel, (W, H) that
    of the last. ``box`` is left, top, width, height, and may reach beyond the picture. ``landmarks`` is (5,
    2) float32 in the order of :data:`LANDMARKS`. ``score`` is the detector's, 0 to 1.
    """

    box: tuple[float, float, float, float]
    landmarks: NDArray[np.float32]
    score: float

    @property
    def eye_distance(self) -> float:
        """Pixels between the eyes."""
        return math.dist(*self.landmarks[:2])

    @property
    def yaw(self) -> float:
        """Degrees by which the head is turned aside, estimated from where the nose tip lies between the eyes.

        The nose tip stands out in front of the eyes by about half their distance, so that it moves sideways
        with the tangent of the angle. Negative: turned towards the first eye's side.
        """
        first, second, nose = self.landmarks[:3].astype(np.float64)
        axis = second - first
        aside = float((nose - (first + second) / 2) @ axis / max(float(axis @ axis), 1e-6))
        return math.degrees(math.atan2(aside, 0.5))


class Refusal(Enum):
    """Why a face that was found cannot be replaced; the value is the sentence for the person."""

    TOO_SMALL = "the face is too small to be replaced"
    CUT = "the face is cut by the border of the picture"
    PROFILE = "the face is turned too far aside"

    def __str__(self) -> str:
        return self.value


def check_face(face: Face, width: int, height: int) -> Refusal | None:
    """Whether ``face``, found in a picture of ``width`` by ``height`` pixels, can be replaced: None, or why
    not.

    A refused face is in the picture all the same: whoever sends the picture without replacing it shows it.
    """
    if face.eye_distance < _SMALLEST_EYES:
        return Refusal.TOO_SMALL
    # Hair and chin may be cut, the crop is mirrored there; eyes, nose and mouth decide the alignment.
    if np.any(face.landmarks < 0) or np.any(face.landmarks > (width, height)):
        return Refusal.CUT
    if abs(face.yaw) > _FURTHEST_TURN:
        return Refusal.PROFILE
    return None


def detect_faces(pixels: NDArray[np.uint8]) -> list[Face]:
    """Every face in ``pixels``, (H, W, 3) uint8 RGB, from left to right by the centre of its box.

    Finds faces from about 32 px of height (16 px in pictures of up to 2048 px) to those that fill the
    picture, whichever way up. May be called from several threads: each call has a detector of its own.
    """
    detector = _Detector()
    bgr = np.ascontiguousarray(pixels[..., ::-1])  # the order that OpenCV's models read
    finds = _suppress(_search(detector, bgr))[:_MOST_CANDIDATES]
    looked_at = (_look_again(detector, bgr, find) for find in finds)
    faces = _suppress([face for face in looked_at if face is not None and face.score >= _FACE_SCORE])
    return sorted(faces, key=lambda face: face.box[0] + face.box[2] / 2)


class _Detector:
    """YuNet, for one thread."""

    def __init__(self) -> None:
        # OpenCV 5 warns on every construction that targets are not chosen; nothing that the user could act
        # on.
        logging = cv2.utils.logging
        level = logging.getLogLevel()
        logging.setLogLevel(logging.LOG_LEVEL_ERROR)
        try:
            # From memory, not from a path: OpenCV does not open every path that Python does.
            self._net = cv2.FaceDetectorYN.create(
                "onnx", _weights(), np.empty(0, np.uint8), (_VIEW, _VIEW), _CANDIDATE_SCORE, 0.3, 5000
            )
        finally:
            logging.setLogLevel(level)

    def __call__(self, bgr: NDArray[np.uint8]) -> list[Face]:
        self._net.setInputSize((bgr.shape[1], bgr.shape[0]))
        _, rows = self._net.detect(np.ascontiguousarray(bgr))
        if rows is None:
            return []
        return [Face(tuple(row[:4].tolist()), row[4:14].reshape(5, 2), float(row[14])) for row in rows]


@cache
def _weights() -> NDArray[np.uint8]:
    data = resources.files(__package__).joinpath("data/face_detection_yunet_2023mar.onnx").read_bytes()
    return np.frombuffer(data, np.uint8)


def _search(detector: _Detector, bgr: NDArray[np.uint8]) -> list[Face]:
    """Finds at every scale and in four orientations, duplicates included; landmarks are rough."""
    height, width = bgr.shape[:2]
    longest = max(height, width)
    shrink = 1.0 if longest <= _FULL_SIZE_UP_TO else 2.0
    finds: list[Face] = []
    while True:
        size = max(1, round(width / shrink)), max(1, round(height / shrink))
        scaled = bgr
        if shrink > 1:
            scaled = np.asarray(cv2.resize(bgr, size, interpolation=cv2.INTER_AREA), np.uint8)
        for tile, left, top in _tiles(scaled):
            for turns in range(4):
                matrix = _turned_back(turns, tile.shape[1], tile.shape[0])
                matrix[:, 2] += left, top
                matrix *= np.array([[width / size[0]], [height / size[1]]])
                finds += [_moved(face, matrix) for face in detector(np.rot90(tile, turns))]
        if max(size) <= _SMALLEST_SEARCH:
            return finds
        shrink = min(shrink * _SCALE_STEP, longest / _SMALLEST_SEARCH)


def _tiles(bgr: NDArray[np.uint8]) -> Iterator[tuple[NDArray[np.uint8], int, int]]:
    """Overlapping tiles that cover the picture, each with its left and top."""
    height, width = bgr.shape[:2]
    for top in range(0, max(height - _OVERLAP, 1), _TILE - _OVERLAP):
        for left in range(0, max(width - _OVERLAP, 1), _TILE - _OVERLAP):
            yield bgr[top : top + _TILE, left : left + _TILE], left, top


def _turned_back(turns: int, width: int, height: int) -> NDArray[np.float64]:
    """The 2x3 matrix from what ``np.rot90(..., turns)`` made to the (height, width) picture it made it of."""
    back = [
        [[1, 0, 0], [0, 1, 0]],
        [[0, -1, width], [1, 0, 0]],
        [[-1, 0, width], [0, -1, height]],
        [[0, 1, 0], [-1, 0, height]],
    ]
    return np.array(back[turns], np.float64)


def _moved(face: Face, matrix: NDArray[np.float64]) -> Face:
    """``face`` through the 2x3 ``matrix``; its box upright and about the same centre."""
    left, top, width, height = face.box
    centre = transform(matrix, np.array([[left + width / 2, top + height / 2]]))[0]
    # A turned box keeps its area, not its outline: the outline would grow with every turn.
    scale = math.sqrt(abs(np.linalg.det(matrix[:, :2])))
    if abs(matrix[0, 1]) > abs(matrix[0, 0]):
        width, height = height, width
    width, height = width * scale, height * scale
    box = (float(centre[0]) - width / 2, float(centre[1]) - height / 2, width, height)
    return Face(box, transform(matrix, face.landmarks).astype(np.float32), face.score)


def _look_again(detector: _Detector, bgr: NDArray[np.uint8], find: Face) -> Face | None:
    """The face of ``find``, with good landmarks and its score when upright; None if it is not seen again."""
    # All views are taken from one patch, in which the face is about as large as in them.
    patch_size = 3 * _VIEW
    patch_quad = _square(find, 0, 3 * _VIEW / _FACE_IN_VIEW)
    patch = crop(bgr, patch_quad, patch_size)

    def view(about: Face, angle: float, zoom: float = 1.0) -> Face | None:
        """The face at ``about`` (in the patch) from where a head that leans by ``angle`` is upright."""
        to_view = quad_matrix(_square(about, angle, zoom * _VIEW / _FACE_IN_VIEW), _VIEW)
        seen = detector(warp(patch, to_view, (_VIEW, _VIEW), cv2.INTER_LINEAR))
        central = [face for face in seen if _off_centre(face) < _FACE_IN_VIEW / 3]
        if not central:
            return None
        return _moved(max(central, key=lambda face: face.score), inverted(to_view))

    start = _moved(find, quad_matrix(patch_quad, patch_size))
    round_about = [view(start, math.tau * step / 12) for step in range(12)]
    best = max((face for face in round_about if face), key=lambda face: face.score, default=None)
    for _ in range(4):  # each look finds about half of the lean that is left
        best = best and view(best, _lean(best))
    if best is None:
        return None
    angle = _lean(best)
    views = [view(best, angle + lean, zoom) for lean in (-0.15, 0, 0.15) for zoom in (0.8, 1.0, 1.25)]
    seen = [face for face in (best, *views) if face]
    landmarks = np.median([face.landmarks for face in seen], axis=0).astype(np.float32)
    face = Face(best.box, landmarks, max(face.score for face in seen))
    return _moved(face, inverted(quad_matrix(patch_quad, patch_size)))


def _square(face: Face, angle: float, sides: float) -> Quad:
    """The square about ``face``, turned by ``angle``, of ``sides`` times the face's longer side."""
    left, top, width, height = face.box
    half = sides * max(width, height) / 2
    across = half * np.array([math.cos(angle), math.sin(angle)])
    return square(np.array([left + width / 2, top + height / 2]), across)


def _lean(face: Face) -> float:
    """Radians by which the head is turned in the plane of the picture, clockwise."""
    across = np.subtract(*face_quad(face.landmarks)[[1, 0]])
    return math.atan2(across[1], across[0])


def _off_centre(face: Face) -> float:
    left, top, width, height = face.box
    return math.hypot(left + width / 2 - _VIEW / 2, top + height / 2 - _VIEW / 2)


def _suppress(faces: list[Face]) -> list[Face]:
    """The best of each group of faces that lie on each other, best first."""
    kept: list[Face] = []
    for face in sorted(faces, key=lambda face: face.score, reverse=True):
        if all(_overlap(face.box, other.box) < 0.4 for other in kept):
            kept.append(face)
    return kept


def _overlap(a: tuple[float, ...], b: tuple[float, ...]) -> float:
    """Shared area over the smaller area: a box inside another is the same face at another scale."""
    width = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    height = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    return max(0.0, width) * max(0.0, height) / max(min(a[2] * a[3], b[2] * b[3]), 1e-6)

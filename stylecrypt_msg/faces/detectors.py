"""Two detectors of different kinds, run by OpenCV: what one misses, the other mostly finds.

YuNet (Wu, Peng and Yu, "YuNet: a tiny millisecond-level face detector", 2023) is quick, and finds upright faces of some 16 to
300 pixels. CenterFace (Xu et al., "CenterFace: Joint Face Detection and Alignment Using Face as Point", 2019) takes peaks of a
heat map for faces: it sees masked ones, and few pets.
"""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass
from enum import Enum
from functools import cache
from importlib import resources

import cv2
import numpy as np
from numpy.typing import NDArray

from .align import transform

__all__ = ["LANDMARKS", "CenterFace", "Face", "Refusal", "YuNet", "moved", "overlap", "suppressed"]

LANDMARKS = ("first eye", "second eye", "nose tip", "first mouth corner", "second mouth corner")
"""Rows of :attr:`Face.landmarks`. The first is on the left of an upright picture: the person's right."""

CANDIDATE_SCORE = 0.5  # of both; below it, finds in textures outnumber faces
_SAME = 0.3  # shared area of two finds of one detector, to that of both


class Refusal(Enum):
    """Why a face that was found cannot be replaced; the value is the sentence for the person."""

    TOO_SMALL = "the face is too small to be replaced"
    CUT = "the face is cut off by the border of the picture"
    PROFILE = "the face is turned too far aside"
    COVERED = "the face is partly covered, or not clear enough, to be replaced"
    UNSURE = "the face is not certain to be one: it may be something else"
    ALIKE = "the face is still recognised with every stand-in that was tried"

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True, eq=False)
class Face:
    """A face as it lies in a picture of (H, W) pixels.

    Coordinates are (x, y) in pixels, continuous: (0, 0) is the outer corner of the first pixel, (W, H) that of the last.
    ``box`` is left, top, width, height, and may reach beyond the picture. ``landmarks`` is (5, 2) float32 in the order of
    :data:`LANDMARKS`. ``score`` is the detector's, 0 to 1. ``doubt``: why this may be no face, or its landmarks not
    trustworthy; None where two detectors agree.
    """

    box: tuple[float, float, float, float]
    landmarks: NDArray[np.float32]
    score: float
    doubt: Refusal | None = None

    @property
    def centre(self) -> tuple[float, float]:
        """Of the box."""
        left, top, width, height = self.box
        return left + width / 2, top + height / 2

    @property
    def size(self) -> float:
        """The longer side of the box, in pixels."""
        return max(self.box[2:])

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


class YuNet:
    """For one thread."""

    def __init__(self) -> None:
        # OpenCV 5 warns on every construction that targets are not chosen; users can do nothing about it.
        logging = cv2.utils.logging
        level = logging.getLogLevel()
        logging.setLogLevel(logging.LOG_LEVEL_ERROR)
        try:
            # From memory, not from a path: OpenCV does not open every path that Python does.
            self._net = cv2.FaceDetectorYN.create(
                "onnx",
                _weights("face_detection_yunet_2023mar.onnx"),
                np.empty(0, np.uint8),
                (320, 320),
                CANDIDATE_SCORE,
                _SAME,
                5000,
            )
        finally:
            logging.setLogLevel(level)

    def __call__(self, bgr: NDArray[np.uint8]) -> list[Face]:
        """Upright faces in ``bgr``, (H, W, 3) uint8 in the order of OpenCV's models."""
        self._net.setInputSize((bgr.shape[1], bgr.shape[0]))
        _, rows = self._net.detect(np.ascontiguousarray(bgr))
        if rows is None:
            return []
        return [Face(tuple(row[:4].tolist()), row[4:14].reshape(5, 2), float(row[14])) for row in rows]


class CenterFace:
    """One for all threads."""

    _OUTPUTS = ("537", "538", "539", "540")  # heat map, sizes, offsets, landmarks
    _CELL = 4  # px of the picture for each place of the maps

    def __init__(self) -> None:
        self._net = cv2.dnn.readNetFromONNX(_weights("centerface.onnx"))
        self._one = threading.Lock()

    def __call__(self, bgr: NDArray[np.uint8]) -> list[Face]:
        """Upright faces in ``bgr``, (H, W, 3) uint8 in the order of OpenCV's models."""
        height, width = bgr.shape[:2]
        size = math.ceil(width / 32) * 32, math.ceil(height / 32) * 32  # the network halves five times
        small = cv2.resize(bgr, size, interpolation=cv2.INTER_LINEAR)
        with self._one:
            self._net.setInput(cv2.dnn.blobFromImage(small, swapRB=True))
            heat, sizes, offsets, points = (np.array(made[0]) for made in self._net.forward(self._OUTPUTS))
        rows, columns = np.nonzero(heat[0] >= CANDIDATE_SCORE)
        at = (slice(None), rows, columns)
        tall, wide = np.exp(sizes[at]) * self._CELL
        top = (rows + offsets[at][0] + 0.5) * self._CELL - tall / 2
        left = (columns + offsets[at][1] + 0.5) * self._CELL - wide / 2
        down, across = points[at].reshape(5, 2, -1).transpose(1, 0, 2)
        back = np.array([[width / size[0], 0, 0], [0, height / size[1], 0]])
        finds = [
            moved(
                Face((x, y, w, h), np.stack([x + w * right, y + h * below], axis=1).astype(np.float32), float(score)),
                back,
            )
            for x, y, w, h, right, below, score in zip(
                left.tolist(),
                top.tolist(),
                wide.tolist(),
                tall.tolist(),
                across.T,
                down.T,
                heat[0][rows, columns],
                strict=True,
            )
        ]
        return suppressed(finds)


@cache
def _weights(name: str) -> NDArray[np.uint8]:
    return np.frombuffer(resources.files(__package__).joinpath("data", name).read_bytes(), np.uint8)


def moved(face: Face, matrix: NDArray[np.float64]) -> Face:
    """``face`` through the 2x3 ``matrix``; its box upright and about the same centre."""
    centre = transform(matrix, np.array([face.centre]))[0]
    # A turned box keeps its area, not its outline: the outline would grow with every turn.
    scale = math.sqrt(abs(np.linalg.det(matrix[:, :2])))
    width, height = face.box[2] * scale, face.box[3] * scale
    if abs(matrix[0, 1]) > abs(matrix[0, 0]):
        width, height = height, width
    box = (float(centre[0]) - width / 2, float(centre[1]) - height / 2, width, height)
    return Face(box, transform(matrix, face.landmarks).astype(np.float32), face.score, face.doubt)


def suppressed(faces: list[Face]) -> list[Face]:
    """The best of each group of finds that overlap and are about as large, best first."""
    kept: list[Face] = []
    for face in sorted(faces, key=lambda face: face.score, reverse=True):
        if all(overlap(face.box, other.box) < _SAME for other in kept):
            kept.append(face)
    return kept


def overlap(a: tuple[float, ...], b: tuple[float, ...]) -> float:
    """The area that two boxes share, over the area that they cover together."""
    width = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    height = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    shared = max(0.0, width) * max(0.0, height)
    return shared / max(a[2] * a[3] + b[2] * b[3] - shared, 1e-6)

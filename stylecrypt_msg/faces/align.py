"""FFHQ's alignment: the turned square that eyes and mouth determine, and the picture inside it.

The square is that of the FFHQ data set (Karras, Laine and Aila 2019, appendix A), in which StyleGAN2's
faces are made. ``paste`` is the way back.
"""

from __future__ import annotations

import math
from typing import TypeAlias, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["Quad", "crop", "face_quad", "inverted", "quad_matrix", "square", "transform", "warp", "whole"]

Pixel = TypeVar("Pixel", np.uint8, np.float32)

Quad: TypeAlias = NDArray[np.float64]
"""Corners of a turned square, (4, 2): top left, top right, bottom right, bottom left *of the face*.

Coordinates are (x, y) in pixels, continuous: (0, 0) is the outer corner of the first pixel of the picture,
(W, H) that of the last. Corners may lie outside the picture.
"""


# FFHQ's own constants are 2.0, 1.8 and 0.1, for dlib's landmarks: the half side in eye distances and in
# eye-to-mouth distances, and how far the centre lies from the eyes towards the mouth. YuNet sees eyes
# somewhat further apart. These were fitted on 250 StyleGAN pictures that are in FFHQ's framing (mean corner
# error 5.3 -> 4.3 % of the side).
_EYES, _MOUTH, _DOWN = 1.89, 1.83, 0.116


def face_quad(landmarks: NDArray[np.float32]) -> Quad:
    """The FFHQ square of a face with these five landmarks, (5, 2) in the order of ``detect.LANDMARKS``."""
    first_eye, second_eye, _, first_mouth, second_mouth = landmarks.astype(np.float64)
    eyes = (first_eye + second_eye) / 2
    eye_to_eye = second_eye - first_eye
    eye_to_mouth = (first_mouth + second_mouth) / 2 - eyes
    # Across the face: the line of the eyes, and the one square to the line down to the mouth, together.
    across = eye_to_eye + np.array([eye_to_mouth[1], -eye_to_mouth[0]])
    across /= max(math.hypot(*across), 1e-6)
    across *= max(math.hypot(*eye_to_eye) * _EYES, math.hypot(*eye_to_mouth) * _MOUTH)
    return square(eyes + eye_to_mouth * _DOWN, across)


def square(centre: NDArray[np.float64], across: NDArray[np.float64]) -> Quad:
    """The square about ``centre``; ``across`` leads from the centre to the middle of its right side."""
    down = np.array([-across[1], across[0]])
    corners: Quad = np.array([-across - down, across - down, across + down, down - across])
    return corners + centre


def whole(size: int) -> Quad:
    """The quad of an aligned square of ``size`` pixels a side."""
    return np.array([(0, 0), (size, 0), (size, size), (0, size)], np.float64)


def inverted(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """The inverse of a 2x3 matrix."""
    return np.asarray(cv2.invertAffineTransform(matrix), np.float64)


def quad_matrix(quad: Quad, size: int) -> NDArray[np.float64]:
    """The 2x3 matrix from the picture's coordinates to those of the upright square of ``size`` pixels."""
    across, down = quad[1] - quad[0], quad[3] - quad[0]
    inverse = np.linalg.inv(np.stack([across, down], axis=1)) * size
    return np.column_stack([inverse, -inverse @ quad[0]])


def transform(matrix: NDArray[np.float64], points: NDArray[np.floating]) -> NDArray[np.float64]:
    """``points`` (N, 2) through the 2x3 ``matrix``."""
    return points @ matrix[:, :2].T + matrix[:, 2]


def crop(pixels: NDArray[np.uint8], quad: Quad, size: int) -> NDArray[np.uint8]:
    """What lies in ``quad``, upright, (size, size, 3) uint8; mirrored where it leaves ``pixels``."""
    height, width = pixels.shape[:2]
    # Only the part under the square, with a rim for the filters. Where the square leaves the picture, the
    # part ends at the picture's border, and is mirrored there.
    low = np.clip(np.floor(quad.min(0)).astype(int) - 8, 0, (width - 1, height - 1))
    high = np.clip(np.ceil(quad.max(0)).astype(int) + 8, low + 1, (width, height))
    part = pixels[low[1] : high[1], low[0] : high[0]]
    quad = quad - low

    # A sample per target pixel would alias where the square is larger than the target: average whole pixels
    # down to twice the target, then sample finer and average.
    side = math.dist(quad[0], quad[1])
    shrink = int(side / size / 2)
    if shrink > 1:
        small = max(1, part.shape[1] // shrink), max(1, part.shape[0] // shrink)
        quad = quad * (small[0] / part.shape[1], small[1] / part.shape[0])
        part = np.asarray(cv2.resize(part, small, interpolation=cv2.INTER_AREA), np.uint8)
        side = math.dist(quad[0], quad[1])
    finer = max(1, math.ceil(side / size - 0.01))
    matrix = quad_matrix(quad, size * finer)
    if finer == 1:
        return warp(part, matrix, (size, size))
    # Averaging needs nothing better, and Lanczos takes four times as long.
    finer_square = warp(part, matrix, (size * finer, size * finer), cv2.INTER_CUBIC)
    return np.asarray(cv2.resize(finer_square, (size, size), interpolation=cv2.INTER_AREA), np.uint8)


def warp(
    pixels: NDArray[Pixel],
    matrix: NDArray[np.float64],
    size: tuple[int, int],
    interpolation: int = cv2.INTER_LANCZOS4,
    border: int = cv2.BORDER_REFLECT,
) -> NDArray[Pixel]:
    """``pixels`` through the 2x3 ``matrix`` into a picture of ``size`` (width, height)."""
    # OpenCV counts from the centre of the first pixel, we from its corner.
    centred = matrix.copy()
    centred[:, 2] += matrix[:, :2].sum(1) / 2 - 0.5
    warped = cv2.warpAffine(pixels, centred, size, flags=interpolation, borderMode=border)
    return np.asarray(warped, pixels.dtype)

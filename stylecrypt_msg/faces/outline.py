"""Where a face lies in its aligned square."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .align import Quad, quad_matrix, transform

__all__ = ["FACE", "Outline"]

FACE = 0.75
"""Radius of the outline within which all is skin, eyes and mouth."""


@dataclass(frozen=True)
class Outline:
    """An egg around a face, in fractions of the square's side; points are given by their angle and by radii of the egg.

    Beside a narrow jaw, an ellipse would lie outside the face.
    """

    middle: float
    eyes: float
    length: float  # eyes to mouth

    @classmethod
    def of(cls, landmarks: NDArray[np.float32], quad: Quad) -> Outline:
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

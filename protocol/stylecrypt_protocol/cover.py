"""Binding a message to its picture: a digest of the exact pixels, and a sketch that survives re-encoding.

SPEC.md section 5. The digest proves "the very pixels"; the sketch tells a re-encoded or resized copy from
another picture. The caller decodes the picture: 8-bit RGB, as stored (no EXIF rotation, no colour
management).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from enum import Enum
from functools import cached_property
from itertools import pairwise
from typing import Annotated, Final, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from . import primitives
from .errors import LocalProtocolError
from .limits import MAX_COORDINATE, MAX_PIXELS, MAX_SIDE
from .wire import WireModel

__all__ = ["CoverVerdict", "Pixels", "WireQuad"]

UNIT: Final = 64
"""Coordinates on the wire are integers in 1/64 px: finer than any resampling shows, and without floats."""

COARSE: Final = 8
"""A grid has at least 8 x 8 cells; that of the whole cover has exactly these."""

FINE: Final = ((256, 32), (128, 16))
"""From this shorter side of a face's box in pixels, its grid has so many cells a side: each is 8 px or more."""

MIN_CELL: Final = 5
"""The smallest side of a received cell in pixels; smaller ones are merged by fours, until 8 x 8 are left."""

ROWS: Final = 32
"""Pixels of a picture that are summed at a time."""

TOLERANCE: Final = 8
"""How much a cell may differ once the whole picture's shift is subtracted (SPEC.md section 5.3)."""

MAX_SHIFT: Final = 12
"""How much lighter or darker the whole picture may be, for apps that touch up and other decoders."""

MIN_SPAN: Final = 32
"""Minimum range of levels between the darkest and the lightest cell of a cover; below it, copies cannot be told from
other uniform pictures. Photos of faces had 60 or more."""

LUMA: Final = np.array([0.299, 0.587, 0.114], np.float32)
"""Luminance of R, G, B as JPEG computes it (ITU-R BT.601)."""

Coordinate = Annotated[int, Field(ge=-MAX_COORDINATE, le=MAX_COORDINATE)]
Side = Annotated[int, Field(ge=1, le=MAX_SIDE)]


class CoverVerdict(Enum):
    """What is known about the picture that came with a message."""

    EXACT = "exact"
    """Every pixel is the one that the sender sent."""
    CHANGED = "changed"
    """A copy of the sender's picture, changed on the way (re-encoded, resized): details may differ."""
    SWAPPED = "swapped"
    """Another picture: never attribute it to the sender."""


class Pixels(WireModel):
    """A decoded picture: ``width * height * 3`` bytes, rows from the top, R, G, B.

    A view avoids copying an existing picture, which must not change.
    """

    width: Side
    height: Side
    rgb: bytes | memoryview = Field(repr=False)

    @model_validator(mode="after")
    def _check_size(self) -> Self:
        if self.width * self.height > MAX_PIXELS:
            raise ValueError(f"{self.width} x {self.height} is over {MAX_PIXELS} pixels")
        if memoryview(self.rgb).nbytes != self.width * self.height * 3:
            raise ValueError(f"{self.width} x {self.height} pixels need {self.width * self.height * 3} bytes of RGB")
        return self

    @cached_property
    def digest(self) -> bytes:
        """SHA-256 of domain, width and height (uint32 each) and the RGB bytes: 32 bytes. SPEC.md section 5.1."""
        size = self.width.to_bytes(4, "big") + self.height.to_bytes(4, "big")
        return primitives.sha256(primitives.PIXELS, size, self.rgb)


class WireQuad(WireModel):
    """Where an aligned face sits in the cover: its corners top left, bottom left, bottom right, top right,
    as the face sees them upright; each (x, y) in 1/64 px from the outer corner of the top left pixel of
    the cover."""

    corners: tuple[
        tuple[Coordinate, Coordinate],
        tuple[Coordinate, Coordinate],
        tuple[Coordinate, Coordinate],
        tuple[Coordinate, Coordinate],
    ]

    @classmethod
    def from_pixels(cls, corners: Iterable[Sequence[float]]) -> Self:
        """From four (x, y) in pixels, rounded to 1/64 px. Use ``pixels()`` of the result from there on: that is what the
        receiver sees. Raises LocalProtocolError."""
        try:
            return cls(corners=tuple((round(x * UNIT), round(y * UNIT)) for x, y in corners))  # type: ignore[arg-type]
        except (OverflowError, ValueError):  # infinite, or not a number, or not a pair
            raise LocalProtocolError("a corner of a face is not a pair of finite numbers") from None

    def pixels(self) -> tuple[tuple[float, float], ...]:
        """The corners in pixels; exact, since 1/64 is a power of two."""
        return tuple((x / UNIT, y / UNIT) for x, y in self.corners)

    def box(self) -> tuple[float, float, float, float]:
        """The upright rectangle around the corners in pixels: left, top, right, bottom."""
        xs, ys = zip(*self.pixels(), strict=True)
        return min(xs), min(ys), max(xs), max(ys)


def sketch_bytes(faces: Sequence[WireQuad], width: int, height: int) -> int:
    """The length of the sketch of a cover of this size with these faces."""
    return COARSE**2 + sum(_fineness(face, width, height) ** 2 for face in faces)


def make_sketch(pixels: Pixels, faces: Sequence[WireQuad]) -> bytes:
    """The sketch of a cover: a grid of the whole picture, 64 bytes, and one of each face, 64, 256 or 1024 bytes. SPEC.md
    section 5.2.

    Each byte is the mean luminance of a cell, 0 to 255.
    """
    rgb = _array(pixels)
    grids = [
        _grid(rgb, _whole(pixels), COARSE),
        *(_grid(rgb, face.box(), _fineness(face, pixels.width, pixels.height)) for face in faces),
    ]
    return b"".join(np.rint(grid).astype(np.uint8).tobytes() for grid in grids)


def judge_cover(
    pixels: Pixels, *, digest: bytes, sketch: bytes, faces: Sequence[WireQuad], width: int, height: int
) -> CoverVerdict:
    """Compares a picture with the signed digest, sketch, faces and size of the cover. SPEC.md section 5.3."""
    if len(sketch) != sketch_bytes(faces, width, height):
        raise LocalProtocolError("the sketch does not fit the faces")
    if pixels.digest == digest:
        return CoverVerdict.EXACT
    # The same shape, up to two pixels of the shorter side: resizing rounds both sides.
    if abs(pixels.width * height - width * pixels.height) > 2 * max(width, height):
        return CoverVerdict.SWAPPED
    rgb, sent = _array(pixels), np.frombuffer(sketch, np.uint8).astype(np.float32)
    whole, sent = sent[: COARSE**2], sent[COARSE**2 :]
    off = _grid(rgb, _whole(pixels), COARSE).reshape(-1) - whole
    shift = float(np.median(off))
    if np.ptp(whole) < MIN_SPAN or abs(shift) > MAX_SHIFT or np.abs(off - shift).max() > TOLERANCE:
        return CoverVerdict.SWAPPED
    scale_x, scale_y = pixels.width / width, pixels.height / height
    for face in faces:
        cells = _fineness(face, width, height)
        wanted, sent = sent[: cells**2].reshape(cells, cells), sent[cells**2 :]
        left, top, right, bottom = face.box()
        box = (left * scale_x, top * scale_y, right * scale_x, bottom * scale_y)
        while len(wanted) > COARSE and min(box[2] - box[0], box[3] - box[1]) < MIN_CELL * len(wanted):
            half = len(wanted) // 2
            wanted = wanted.reshape(half, 2, half, 2).mean((1, 3))
        if np.abs(_grid(rgb, box, len(wanted)) - wanted - shift).max() > TOLERANCE:
            return CoverVerdict.SWAPPED
    return CoverVerdict.CHANGED


def _fineness(face: WireQuad, width: int, height: int) -> int:
    """Cells a side of a face's grid: more for larger boxes, of which only the part inside the cover counts."""
    left, top, right, bottom = face.box()
    shorter = min(min(right, width) - max(left, 0), min(bottom, height) - max(top, 0))
    return next((cells for side, cells in FINE if shorter >= side), COARSE)


def _whole(pixels: Pixels) -> tuple[float, float, float, float]:
    return 0.0, 0.0, float(pixels.width), float(pixels.height)


def _array(pixels: Pixels) -> NDArray[np.uint8]:
    return np.frombuffer(pixels.rgb, np.uint8).reshape(pixels.height, pixels.width, 3)


def _grid(rgb: NDArray[np.uint8], box: tuple[float, float, float, float], count: int) -> NDArray[np.float32]:
    """Mean luminance, 0 to 255, of ``count`` x ``count`` equal cells of a box, each pixel counted by the area of it that lies
    in the cell."""
    height, width, _ = rgb.shape
    xs, ys = _edges(box[0], box[2], width, count), _edges(box[1], box[3], height, count)
    part = rgb[:, int(xs[0]) : math.ceil(xs[-1])]
    cells = np.empty((count, count), np.float32)
    for row, (top, bottom) in enumerate(pairwise(ys)):
        # A few rows at a time, which fit into a processor's cache as floats; colours last, when little data is left.
        down = np.zeros(part.shape[1] * 3, np.float32)
        for start in range(int(top), math.ceil(bottom), ROWS):
            lines = np.arange(start, min(start + ROWS, math.ceil(bottom)))
            weights = np.minimum(lines + 1, bottom) - np.maximum(lines, top)
            pixels = part[lines[0] : lines[-1] + 1].astype(np.float32)
            down += weights.astype(np.float32) @ pixels.reshape(len(lines), -1)
        luminance = (down.reshape(-1, 3) @ LUMA).astype(np.float64) / (bottom - top)
        until = np.concatenate([[0.0], np.cumsum(luminance)])  # for each pixel, the sum of all before it
        cells[row] = np.diff(np.interp(xs - int(xs[0]), np.arange(len(until)), until)) / np.diff(xs)
    return cells


def _edges(start: float, end: float, size: int, count: int) -> NDArray[np.float64]:
    """Of equal cells of [start, end) on one axis, cut to the picture."""
    start = min(max(start, 0.0), size - 1.0)
    return np.linspace(start, min(max(end, start + 1.0), float(size)), count + 1)

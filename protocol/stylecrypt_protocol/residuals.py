"""The contents of residuals of kinds 1 and 2, which are opaque to the envelope. SPEC.md annex A."""

from __future__ import annotations

from typing import Annotated, Final, Self

import numpy as np
from pydantic import Field, model_validator

from .cover import Coordinate
from .errors import MalformedError
from .limits import MAX_FACES, MAX_SIDE
from .wire import VERSION, Reader, WireModel, opaque, received

__all__ = ["BLOCK", "FacePiece", "FacesResidual", "StylesResidual"]

BLOCK: Final = 16
"""Side in pixels of the blocks of a face region: a multiple of every unit of a JPEG file."""

Blocks = Annotated[int, Field(ge=0, le=MAX_SIDE // BLOCK)]


class StylesResidual(WireModel):
    """Kind 1: the sender's own inversion. SPEC.md annex A.1."""

    landmarks: tuple[tuple[Coordinate, ...], ...] = Field(repr=False)
    """For each face x and y, in 1/64 px, of eyes, nose tip and corners of the mouth: ten numbers."""
    codes: bytes = Field(repr=False)
    """Style vectors, face by face, layer by layer: binary16, little-endian, finite."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if any(len(points) != 10 for points in self.landmarks):
            raise ValueError("a face has five landmarks")
        if len(self.codes) % 2 or not np.isfinite(np.frombuffer(self.codes[: len(self.codes) // 2 * 2], "<f2")).all():
            raise ValueError("a style vector has numbers that are not finite")
        return self

    def to_bytes(self) -> bytes:
        """The canonical bytes."""
        numbers = (value.to_bytes(4, "big", signed=True) for points in self.landmarks for value in points)
        return bytes([VERSION]) + b"".join(numbers) + self.codes

    @classmethod
    def from_bytes(cls, data: bytes, *, faces: int, styles: int, dimensions: int) -> Self:
        """For a public part with this many faces and style vectors, and a model with ``dimensions``.

        Raises MalformedError or UnsupportedError.
        """
        reader = Reader(data, "residual")
        reader.version()
        with received("residual"):
            landmarks = tuple(tuple(reader.int32() for _ in range(10)) for _ in range(faces))
            codes = reader.take(2 * faces * styles * dimensions)
            reader.done()
            return cls(landmarks=landmarks, codes=codes)


class FacePiece(WireModel):
    """A part of the original: a box of blocks, a map of those that count, and a picture file of the box. In blocks of 16
    px."""

    left: Blocks
    top: Blocks
    columns: Annotated[int, Field(ge=1, le=MAX_SIDE // BLOCK)]
    rows: Annotated[int, Field(ge=1, le=MAX_SIDE // BLOCK)]
    blocks: bytes = Field(repr=False)
    """A bit for each block, row by row, the most significant first; unused bits are 0."""
    picture: bytes = Field(repr=False)
    """A JPEG, PNG or WebP file."""

    @model_validator(mode="after")
    def _check_map(self) -> Self:
        count = self.columns * self.rows
        if len(self.blocks) != -(-count // 8) or (count % 8 and self.blocks[-1] & (1 << -count % 8) - 1):
            raise ValueError("the map of a face region is not as long as the region")
        return self


class FacesResidual(WireModel):
    """Kind 2: the pixels of the face regions. SPEC.md annex A.2."""

    pieces: tuple[FacePiece, ...] = Field(max_length=MAX_FACES)

    def to_bytes(self) -> bytes:
        """The canonical bytes."""
        parts = [bytes([VERSION, len(self.pieces)])]
        for piece in self.pieces:
            parts += [value.to_bytes(2, "big") for value in (piece.left, piece.top, piece.columns, piece.rows)]
            parts += [piece.blocks, opaque(piece.picture, 4)]
        return b"".join(parts)

    @classmethod
    def from_bytes(cls, data: bytes, *, width: int, height: int) -> Self:
        """For a cover of this size. Raises MalformedError or UnsupportedError."""
        reader = Reader(data, "residual")
        reader.version()
        count = reader.uint(1)
        if count > MAX_FACES:
            raise MalformedError(f"residual: {count} face regions")
        taken = np.zeros((-(-height // BLOCK), -(-width // BLOCK)), np.bool_)
        pieces = []
        with received("residual"):
            for _ in range(count):
                left, top, columns, rows = (reader.uint(2) for _ in range(4))
                place = taken[top : top + rows, left : left + columns]
                if place.size == 0 or place.shape != (rows, columns) or place.any():
                    raise MalformedError(
                        "residual: a face region is empty, outside of the picture, or over another one"
                    )
                place[:] = True
                blocks = reader.take(-(-columns * rows // 8))
                picture = reader.opaque(4)
                pieces.append(FacePiece(left=left, top=top, columns=columns, rows=rows, blocks=blocks, picture=picture))
            reader.done()
        return cls(pieces=tuple(pieces))

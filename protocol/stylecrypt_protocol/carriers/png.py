"""PNG: the envelope is one chunk of type ``scRy`` before IEND (PNG, third edition, sections 5 and 14)."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Final, NamedTuple

from ..errors import MalformedError, TooLargeError
from ..limits import MAX_CARRIED_BYTES, MAX_CHUNKS

SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
TYPE: Final = b"scRy"
"""Ancillary, private, safe to copy: a lossless optimiser keeps it, and the cover's digest exposes a stale copy."""


class Chunk(NamedTuple):
    """The position of a chunk: length, type, data and CRC."""

    type: bytes
    start: int
    end: int


def is_format(picture: bytes) -> bool:
    """Whether it begins like a PNG file."""
    return picture.startswith(SIGNATURE)


def put(picture: bytes, payload: bytes) -> bytes:
    """See the package."""
    bare = remove(picture)
    end = next(chunk.start for chunk in chunks(bare) if chunk.type == b"IEND")
    body = TYPE + payload
    ours = len(payload).to_bytes(4, "big") + body + zlib.crc32(body).to_bytes(4, "big")
    return bare[:end] + ours + bare[end:]


def take(picture: bytes) -> bytes | None:
    """See the package."""
    found = [chunk for chunk in chunks(picture) if chunk.type == TYPE]
    if not found:
        return None
    if len(found) > 1:
        raise MalformedError("PNG: more than one envelope")
    _, start, end = found[0]
    if end - start > 12 + MAX_CARRIED_BYTES:
        raise TooLargeError(f"PNG: an envelope of {end - start - 12} bytes")
    if zlib.crc32(picture[start + 4 : end - 4]).to_bytes(4, "big") != picture[end - 4 : end]:
        raise MalformedError("PNG: wrong CRC of the envelope")
    return picture[start + 8 : end - 4]


def remove(picture: bytes) -> bytes:
    """See the package."""
    kept, at = [], 0
    for chunk in chunks(picture):
        if chunk.type == TYPE:
            kept.append(picture[at : chunk.start])
            at = chunk.end
    return b"".join((*kept, picture[at:]))


def chunks(picture: bytes) -> Iterator[Chunk]:
    """The chunks up to IEND. The rest is not examined."""
    at = len(SIGNATURE)
    for _ in range(MAX_CHUNKS):
        end = at + 12 + int.from_bytes(picture[at : at + 4], "big")
        if end > len(picture) or len(picture) - at < 12:
            raise MalformedError("PNG: ends inside a chunk")
        chunk = Chunk(picture[at + 4 : at + 8], at, end)
        yield chunk
        if chunk.type == b"IEND":
            return
        at = end
    raise TooLargeError("PNG: too many chunks")

"""JPEG: the envelope is cut into APP9 segments, since one holds less than 64 KB (ITU-T T.81, annex B).

Each holds ``StyleCrypt`` and a zero byte, the number of this piece from 1, the number of pieces, and up to 65,520 bytes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from ..errors import MalformedError, TooLargeError
from ..limits import MAX_CARRIED_BYTES, MAX_CHUNKS

SOI: Final = b"\xff\xd8"
APP9: Final = 0xE9
SOS: Final = 0xDA
EOI: Final = 0xD9
TAG: Final = b"StyleCrypt\0"
PIECE: Final = 65_533 - len(TAG) - 2
_FILL: Final = re.compile(b"\xff*(?=\xff)")
"""Fill bytes before a marker (B.1.1.2)."""


class Segment(NamedTuple):
    """The position of a segment, from its marker's 0xFF to its last byte."""

    marker: int
    start: int
    end: int


def is_format(picture: bytes) -> bool:
    """Whether it begins like a JPEG file."""
    return picture.startswith(SOI + b"\xff")


def put(picture: bytes, payload: bytes) -> bytes:
    """See the package. The segments follow the APPn and COM segments at the start of the file."""
    bare = remove(picture)
    at = len(SOI)
    for segment in segments(bare):
        if not (0xE0 <= segment.marker <= 0xEF or segment.marker == 0xFE):
            break
        at = segment.end
    count = -(-len(payload) // PIECE)
    ours = []
    for index in range(count):
        body = TAG + bytes([index + 1, count]) + payload[index * PIECE : (index + 1) * PIECE]
        ours.append(bytes([0xFF, APP9]) + (len(body) + 2).to_bytes(2, "big") + body)
    return b"".join((bare[:at], *ours, bare[at:]))


def take(picture: bytes) -> bytes | None:
    """See the package."""
    pieces, total = [], 0
    for segment in segments(picture):
        if _is_ours(picture, segment):
            pieces.append(picture[segment.start + 4 + len(TAG) : segment.end])
            total += len(pieces[-1])
    if not pieces:
        return None
    if total - 2 * len(pieces) > MAX_CARRIED_BYTES:
        raise TooLargeError(f"JPEG: an envelope of {total} bytes")
    if [piece[:2] for piece in pieces] != [bytes([i + 1, len(pieces)]) for i in range(len(pieces))]:
        raise MalformedError("JPEG: a piece of the envelope is missing, repeated or out of order")
    if any(len(piece) != PIECE + 2 for piece in pieces[:-1]) or len(pieces[-1]) == 2:
        raise MalformedError("JPEG: a piece of the envelope has the wrong length")
    return b"".join(piece[2:] for piece in pieces)


def remove(picture: bytes) -> bytes:
    """See the package."""
    kept, at = [], 0
    for segment in segments(picture):
        if _is_ours(picture, segment):
            kept.append(picture[at : segment.start])
            at = segment.end
    return b"".join((*kept, picture[at:]))


def segments(picture: bytes) -> Iterator[Segment]:
    """The segments up to the first scan (SOS). The rest is not examined."""
    at = len(SOI)
    for _ in range(MAX_CHUNKS):
        start = at
        if fill := _FILL.match(picture, at):
            at = fill.end()
        if len(picture) - at < 4 or picture[at] != 0xFF:
            raise MalformedError("JPEG: no marker where one must be")
        marker = picture[at + 1]
        if marker == SOS:
            return
        length = int.from_bytes(picture[at + 2 : at + 4], "big")
        if marker in (0, 1, EOI) or 0xD0 <= marker <= 0xD8 or length < 2 or at + 2 + length > len(picture):
            raise MalformedError("JPEG: a segment that does not end, or does not belong before the picture")
        yield Segment(marker, start, at + 2 + length)
        at += 2 + length
    raise TooLargeError("JPEG: too many segments")


def _is_ours(picture: bytes, segment: Segment) -> bool:
    # We write no fill bytes; a segment with them is somebody else's.
    body = segment.start + 4
    return segment.marker == picture[segment.start + 1] == APP9 and picture.startswith(TAG, body, segment.end)

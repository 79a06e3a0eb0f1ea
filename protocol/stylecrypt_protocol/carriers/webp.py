"""WebP: the envelope is one RIFF chunk ``SCRY`` at the end (RFC 9649).

Unknown chunks are allowed in the extended format only (section 2.7), so a simple file gets a ``VP8X``
chunk first; it stays when the envelope is removed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from ..errors import MalformedError, TooLargeError, UnsupportedError
from ..limits import MAX_CARRIED_BYTES, MAX_CHUNKS

TYPE: Final = b"SCRY"
HEADER: Final = 12
ALPHA: Final = 0x10


class Chunk(NamedTuple):
    """The position of a chunk: type, size and data; ``next`` is behind its padding byte."""

    type: bytes
    start: int
    end: int
    next: int


def is_format(picture: bytes) -> bool:
    """Whether it begins like a WebP file."""
    return picture[:4] == b"RIFF" and picture[8:12] == b"WEBP"


def put(picture: bytes, payload: bytes) -> bytes:
    """See the package."""
    bare = remove(picture)
    first, *rest = chunks(bare)
    end = ([first, *rest])[-1].next
    extended = b"" if first.type == b"VP8X" else _chunk(b"VP8X", _extended_header(bare, first))
    body = extended + bare[HEADER:end] + _chunk(TYPE, payload)
    return _riff(body) + bare[end:]


def take(picture: bytes) -> bytes | None:
    """See the package."""
    found = [chunk for chunk in chunks(picture) if chunk.type == TYPE]
    if not found:
        return None
    if len(found) > 1:
        raise MalformedError("WebP: more than one envelope")
    start, end = found[0].start + 8, found[0].end
    if end - start > MAX_CARRIED_BYTES:
        raise TooLargeError(f"WebP: an envelope of {end - start} bytes")
    return picture[start:end]


def remove(picture: bytes) -> bytes:
    """See the package."""
    all_chunks = list(chunks(picture))
    if all(chunk.type != TYPE for chunk in all_chunks):
        return picture
    body = b"".join(picture[chunk.start : chunk.next] for chunk in all_chunks if chunk.type != TYPE)
    return _riff(body) + picture[all_chunks[-1].next :]


def chunks(picture: bytes) -> Iterator[Chunk]:
    """The chunks inside RIFF. Bytes beyond the size that RIFF states are not examined."""
    riff_end = 8 + int.from_bytes(picture[4:8], "little")
    if riff_end > len(picture):
        raise MalformedError("WebP: ends too early")
    at = HEADER
    for _ in range(MAX_CHUNKS):
        end = at + 8 + int.from_bytes(picture[at + 4 : at + 8], "little")
        following = end + (end - at) % 2
        if riff_end - at < 8 or following > riff_end:
            raise MalformedError("WebP: ends inside a chunk")
        yield Chunk(picture[at : at + 4], at, end, following)
        if following == riff_end:
            return
        at = following
    raise TooLargeError("WebP: too many chunks")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return kind + len(data).to_bytes(4, "little") + data + bytes(len(data) % 2)


def _riff(body: bytes) -> bytes:
    return b"RIFF" + (len(body) + 4).to_bytes(4, "little") + b"WEBP" + body


def _extended_header(picture: bytes, image: Chunk) -> bytes:
    """The data of VP8X for a simple file: flags, and width and height less one, 24 bits each."""
    data = picture[image.start + 8 : image.end]
    flags = 0
    if image.type == b"VP8 " and data[3:6] == b"\x9d\x01\x2a" and len(data) >= 10:
        width, height = (int.from_bytes(data[i : i + 2], "little") & 0x3FFF for i in (6, 8))  # RFC 6386, 9.1
    elif image.type == b"VP8L" and data[:1] == b"\x2f" and len(data) >= 5:
        bits = int.from_bytes(data[1:5], "little")  # RFC 9649, section 3.4
        width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        flags = ALPHA if bits >> 28 & 1 else 0
    else:
        raise UnsupportedError("WebP: begins with neither VP8, VP8L nor VP8X")
    if not width or not height:
        raise MalformedError("WebP: a picture without pixels")
    return bytes([flags, 0, 0, 0]) + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")

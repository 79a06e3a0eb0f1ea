"""What messages reveal to a carrier without a key: when they were made, and what two of them have in common."""

from __future__ import annotations

import re
import struct
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from stylecrypt_protocol import Envelope, remove

from stylecrypt_msg.sdk import EncryptedPhoto

from .odds import Floats, cross_validated

__all__ = ["Sent", "alike", "says_when", "seal", "told_apart", "unsealed"]

_UNITS = ((1, 4), (10**3, 6), (10**6, 7), (10**9, 8))
"""Fractions of a second in which times are stored, and the bytes that count: wider integers begin or end with zeros."""

_DATES = ("%Y:%m:%d %H", "%Y-%m-%dT%H", "%Y-%m-%d %H", "%Y%m%dT%H", "%Y%m%d%H")
"""As EXIF, XMP, text, ISO 8601 and file names have them, to the hour."""

_PIECE = 16  # bytes; neither luck nor the filling in age's header makes two messages share this many


@dataclass(frozen=True)
class Sent:
    """A message that was made between ``first`` and ``last``, Unix seconds."""

    message: EncryptedPhoto
    first: float
    last: float

    @property
    def seconds(self) -> float:
        return self.last - self.first


def seal(message: EncryptedPhoto) -> bytes:
    """The age file; empty if nothing is sealed."""
    return b"" if message.packed is None else Envelope.unpack(message.packed).sealed or b""


def unsealed(message: EncryptedPhoto) -> bytes:
    """Everything that anybody can read: the public part, the seal's header, and the picture's file without its coded pixels."""
    sealed = seal(message)
    header = sealed[: sealed.find(b"\n---")]
    return (message.packed or b"").removesuffix(sealed) + header + _metadata(remove(message.picture))


def _metadata(picture: bytes) -> bytes:
    """A JPEG or PNG file without its coded pixels, in which any number may occur by chance."""
    if picture.startswith(b"\xff\xd8"):
        head, _, scans = picture.partition(b"\xff\xda")
        return head + scans.rpartition(b"\xff\xd9")[2]
    at, kept = 8, []
    while at < len(picture):
        end = at + 12 + int.from_bytes(picture[at : at + 4], "big")
        if picture[at + 4 : at + 8] != b"IDAT":
            kept.append(picture[at:end])
        at = end
    return b"".join(kept)


def says_when(data: bytes, first: float, last: float) -> bool:
    """Whether ``data`` contains a time from ``first`` to ``last`` (Unix seconds).

    It finds integers of seconds, milli-, micro- and nanoseconds in either byte order, whatever wraps them (CBOR, protobuf's
    fixed fields); the same in digits; and dates with an hour, local or UTC, as text or as in PNG's tIME.
    """
    for parts, width in _UNITS:
        low, high = int(first * parts), int(last * parts)
        words = [data[at : at + width] for at in range(len(data) - width + 1)]
        values = [int.from_bytes(word, order) for word in words for order in ("big", "little")]
        digits = re.findall(rb"(?=(\d{%d}))" % len(str(low)), data)
        if any(low <= value <= high for value in (*values, *map(int, digits))):
            return True
    for second in range(int(first), int(last) + 1):
        for moment in (time.gmtime(second), time.localtime(second)):
            dates = [time.strftime(form, moment).encode() for form in _DATES]
            if any(date in data for date in (*dates, struct.pack(">HBBB", *moment[:4]))):
                return True
    return False


def told_apart(one: Sequence[float], two: Sequence[float], groups: Sequence[int]) -> tuple[int, int]:
    """How many messages of two kinds, given in ``groups``, can be told apart by how long they took; and out of how many.

    The threshold is the one that works best for the groups other than the judged one.
    """
    seconds: Floats = np.log(np.maximum([*one, *two], 1e-6))[:, None]
    labels = np.repeat([False, True], len(one))
    scores = cross_validated(seconds, labels, np.tile(np.array(groups), 2))
    return int(((scores > 0) == labels).sum()), len(labels)


def alike(one: bytes, two: bytes, unrelated: bytes) -> bool:
    """Whether ``one`` and ``two`` share 16 bytes neither half of which occurs in ``unrelated``, a message between strangers.

    Bytes that all messages share belong to the format. Halves, because one more equal byte after the format's is luck.
    """
    half = _PIECE // 2
    known, common = _pieces(unrelated, half), _pieces(one, _PIECE) & _pieces(two, _PIECE)
    return any(piece[:half] not in known and piece[half:] not in known for piece in common)


def _pieces(data: bytes, size: int) -> set[bytes]:
    return {data[at : at + size] for at in range(len(data) - size + 1)}

"""The error correction of an imprint: bytes to bits that bear damage, and back. SPEC.md, annex B.2.

Outside, a Reed-Solomon code over bytes, by ``reedsolo``; inside, the extended Golay code [24, 12, 8] (Golay, "Notes on digital
coding", 1949), which is decoded softly: of its 4096 words the one that correlates best with what was read. A byte that
was read with doubt then weighs less than one that was read clearly, which is worth 2 dB against Reed-Solomon alone.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from typing import Final, TypeVar

import numpy as np
import reedsolo
from numpy.typing import NDArray

__all__ = ["MAX_WORDS", "UNITS_PER_WORD", "UNIT_BITS", "WORD_BYTES", "Corrected", "correct", "protect", "within_reach"]

WORD_BYTES: Final = 204
"""Bytes of a payload in each word of the Reed-Solomon code."""
MAX_WORDS: Final = 20
"""Words of an imprint: 4 KB, for which a square picture has the cells."""
UNIT_BITS: Final = 448
"""Bits that travel together: what a cell of the picture holds."""
UNITS_PER_WORD: Final = 9

_LENGTH: Final = 252  # bytes of a word
_CORRECTED: Final = (_LENGTH - WORD_BYTES) // 2  # of them may be wrong, or twice as many lost
_TO_SPARE: Final = 4
_ERASED: Final = (0, 16, 30)  # of 48 that can be made good, so that a wrong word is hardly ever taken for right
_GENERATOR: Final = 0b101011100011  # x^11 + x^9 + x^7 + x^6 + x^5 + x + 1
_GOLAY_BITS: Final = 24
_TURN: Final = 37  # which shares no divisor with a unit's bits
_Number = TypeVar("_Number", np.uint8, np.float32)


@dataclass(frozen=True)
class Corrected:
    """What was read, as far as it could be corrected.

    Attributes:
        payload: the bytes that were written; None: too many are wrong.
        wrong: the share of the bits that were read wrongly, 0 to 1; of what is lost, 1.
    """

    payload: bytes | None
    wrong: float


def protect(payload: bytes) -> NDArray[np.uint8]:
    """(units, `UNIT_BITS`), zeros and ones, of a payload of 1 to `MAX_WORDS` times `WORD_BYTES` bytes."""
    if len(payload) % WORD_BYTES or not 0 < len(payload) <= MAX_WORDS * WORD_BYTES:
        raise ValueError(f"{len(payload)} bytes are not 1 to {MAX_WORDS} words of {WORD_BYTES}")
    code = _reed_solomon()
    words = [list(code.encode(payload[at : at + WORD_BYTES])) for at in range(0, len(payload), WORD_BYTES)]
    bits = np.unpackbits(np.array(words, np.uint8).T.reshape(-1))  # byte by byte, of each word in turn
    symbols = bits.reshape(-1, _GOLAY_BITS // 2) @ (1 << np.arange(11, -1, -1))
    return np.ascontiguousarray(_turned(_golay()[symbols].T, 1).reshape(-1, UNIT_BITS))


def correct(soft: NDArray[np.float32]) -> Corrected:
    """The payload, of what was read: (units, `UNIT_BITS`), above 0 for a zero and below for a one, the surer the further."""
    words, sure = _inner(soft)
    payload = b""
    for word, of_it in zip(words, sure, strict=True):
        data = _decoded(word, np.argsort(of_it))
        if data is None:  # the others are not worth the time
            return Corrected(None, 1.0)
        payload += data
    return Corrected(payload, float((protect(payload) != (soft < 0)).mean()))


def within_reach(soft: NDArray[np.float32], units: NDArray[np.uint8]) -> bool:
    """Whether `correct` would give back what `protect` made ``units`` of, with something to spare; in less time."""
    if soft.shape != units.shape:
        return False
    words, _ = _inner(soft)
    written, _ = _inner(1 - 2 * units.astype(np.float32))
    return bool((words != written).sum(1).max() <= _CORRECTED - _TO_SPARE)


def _inner(soft: NDArray[np.float32]) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """(words, bytes): what the Golay code makes of it, and how sure each byte is."""
    correlation = _turned(soft.reshape(_GOLAY_BITS, -1), -1).T @ _golay_signs()
    first = correlation.argmax(1)
    best = np.take_along_axis(correlation, first[:, None], 1)[:, 0]
    np.put_along_axis(correlation, first[:, None], -np.inf, 1)
    sure = best - correlation.max(1)
    bits = (first[:, None] >> np.arange(11, -1, -1) & 1).astype(np.uint8)
    words = np.packbits(bits).reshape(_LENGTH, -1).T
    return words, np.repeat(sure, _GOLAY_BITS // 2).reshape(-1, 8).min(1).reshape(_LENGTH, -1).T


def _decoded(word: NDArray[np.uint8], doubtful: NDArray[np.intp]) -> bytes | None:
    """The payload of a word. ``doubtful``: its bytes, the least sure first, of which more and more are given up: what is known
    to be lost costs half as much as what is wrong (Forney, "Generalized minimum distance decoding", 1966)."""
    for given_up in _ERASED:
        with suppress(reedsolo.ReedSolomonError):
            return bytes(_reed_solomon().decode(word.tobytes(), erase_pos=doubtful[:given_up].tolist())[0])
    return None


def _turned(bits: NDArray[_Number], direction: int) -> NDArray[_Number]:
    """(24, symbols): all first bits, then all second ones, each row turned a little further. So a unit holds few bits of a
    symbol, and those of one symbol lie in different places and frequencies of their units."""
    return np.array([np.roll(row, direction * _TURN * number) for number, row in enumerate(bits)])


@cache
def _reed_solomon() -> reedsolo.RSCodec:
    """GF(256) by 0x11d, roots from 2^0 on."""
    return reedsolo.RSCodec(_LENGTH - WORD_BYTES, nsize=_LENGTH)


@cache
def _golay() -> NDArray[np.uint8]:
    """(4096, 24): message, remainder, parity."""
    messages = np.arange(4096) << 11
    remainders = messages.copy()
    for bit in range(22, 10, -1):
        remainders = np.where(remainders >> bit & 1, remainders ^ _GENERATOR << bit - 11, remainders)
    bits = (messages | remainders)[:, None] >> np.arange(22, -1, -1) & 1
    return np.hstack([bits, bits.sum(1, keepdims=True) & 1]).astype(np.uint8)


@cache
def _golay_signs() -> NDArray[np.float32]:
    """(24, 4096): 1 for a zero, -1 for a one."""
    return np.ascontiguousarray(1 - 2 * _golay().T.astype(np.float32))

"""The error correction of an imprint: bytes to bits that tolerate damage, and back. SPEC.md, annex B.2.

The outer code is a Reed-Solomon code over bytes, by ``reedsolo``; the inner one is the extended Golay code [24, 12, 8] (Golay,
"Notes on digital coding", 1949), with soft decoding: it picks the one of 4096 words that correlates best with the values read.
Doubtful bytes then weigh less than clear ones, which is worth 2 dB over Reed-Solomon alone.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from typing import Final, TypeVar

import numpy as np
import reedsolo
from numpy.typing import NDArray

from .limits import MAX_IMPRINT_BYTES

__all__ = ["MAX_WORDS", "UNITS_PER_WORD", "UNIT_BITS", "WORD_BYTES", "Corrected", "correct", "protect", "within_reach"]

WORD_BYTES: Final = 204
"""Payload bytes in each word of the Reed-Solomon code."""
MAX_WORDS: Final = MAX_IMPRINT_BYTES // WORD_BYTES
UNIT_BITS: Final = 448
"""Bits that travel together in one cell of the picture."""
UNITS_PER_WORD: Final = 9

_LENGTH: Final = 252  # bytes of a word
_CORRECTED: Final = (_LENGTH - WORD_BYTES) // 2  # of them may be wrong, or twice as many lost
_TO_SPARE: Final = 4
_ERASED: Final = (0, 16, 30)  # bytes given up as lost; 48 could be restored, but then wrong words might pass for right
_GENERATOR: Final = 0b101011100011  # x^11 + x^9 + x^7 + x^6 + x^5 + x + 1
_GOLAY_BITS: Final = 24
_TURN: Final = 37  # coprime to a unit's bits
_Number = TypeVar("_Number", np.uint8, np.float32)


@dataclass(frozen=True)
class Corrected:
    """A payload after error correction.

    Attributes:
        payload: the bytes that were written; None: too many are wrong.
        wrong: the share of the bits that were read wrongly, 0 to 1; 1 if the payload is lost.
    """

    payload: bytes | None
    wrong: float


def protect(payload: bytes) -> NDArray[np.uint8]:
    """Encodes a payload of 1 to `MAX_WORDS` times `WORD_BYTES` bytes as zeros and ones, (units, `UNIT_BITS`)."""
    if len(payload) % WORD_BYTES or not 0 < len(payload) <= MAX_WORDS * WORD_BYTES:
        raise ValueError(f"{len(payload)} bytes are not 1 to {MAX_WORDS} words of {WORD_BYTES}")
    code = _reed_solomon()
    words = [list(code.encode(payload[at : at + WORD_BYTES])) for at in range(0, len(payload), WORD_BYTES)]
    bits = np.unpackbits(np.array(words, np.uint8).T.reshape(-1))  # every word's first byte, then every second, ...
    symbols = bits.reshape(-1, _GOLAY_BITS // 2) @ (1 << np.arange(11, -1, -1))
    return np.ascontiguousarray(_turned(_golay()[symbols].T, 1).reshape(-1, UNIT_BITS))


def correct(soft: NDArray[np.float32]) -> Corrected:
    """Decodes the values read, (units, `UNIT_BITS`): above 0 for a zero, below for a one; the further from 0, the surer."""
    words, sure = _inner(soft)
    payload = b""
    for word, of_it in zip(words, sure, strict=True):
        data = _decoded(word, np.argsort(of_it))
        if data is None:  # the other words are not worth the time
            return Corrected(None, 1.0)
        payload += data
    return Corrected(payload, float((protect(payload) != (soft < 0)).mean()))


def within_reach(soft: NDArray[np.float32], units: NDArray[np.uint8]) -> bool:
    """Whether `correct` would recover the payload that `protect` encoded as ``units``, with a margin; faster than trying it."""
    if soft.shape != units.shape:
        return False
    words, _ = _inner(soft)
    written = _words(_turned(units.reshape(_GOLAY_BITS, -1), -1)[: _GOLAY_BITS // 2].T)  # the message comes first
    return bool((words != written).sum(1).max() <= _CORRECTED - _TO_SPARE)


def _inner(soft: NDArray[np.float32]) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Decodes the Golay code: the bytes, and how sure each one is, both (words, bytes)."""
    correlation = _turned(soft.reshape(_GOLAY_BITS, -1), -1).T @ _golay_signs()
    first = correlation.argmax(1)
    best = np.take_along_axis(correlation, first[:, None], 1)[:, 0]
    np.put_along_axis(correlation, first[:, None], -np.inf, 1)
    sure = best - correlation.max(1)
    bits = (first[:, None] >> np.arange(11, -1, -1) & 1).astype(np.uint8)
    return _words(bits), np.repeat(sure, _GOLAY_BITS // 2).reshape(-1, 8).min(1).reshape(_LENGTH, -1).T


def _words(bits: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(words, bytes), from the messages of the Golay code, (symbols, 12)."""
    return np.packbits(bits).reshape(_LENGTH, -1).T


def _decoded(word: NDArray[np.uint8], doubtful: NDArray[np.intp]) -> bytes | None:
    """The payload of a word. ``doubtful``: indices of its bytes, the least sure first; more and more of them are treated as
    lost, which costs half as much as an error (Forney, "Generalized minimum distance decoding", 1966)."""
    for given_up in _ERASED:
        with suppress(reedsolo.ReedSolomonError):
            return bytes(_reed_solomon().decode(word.tobytes(), erase_pos=doubtful[:given_up].tolist())[0])
    return None


def _turned(bits: NDArray[_Number], direction: int) -> NDArray[_Number]:
    """(24, symbols): all first bits, then all second ones, each row rotated a little further. Each unit then holds few bits
    of a symbol, and the bits of one symbol lie in different places and frequencies of their units."""
    return np.array([np.roll(row, direction * _TURN * number) for number, row in enumerate(bits)])


@cache
def _reed_solomon() -> reedsolo.RSCodec:
    """The code over GF(256) with the polynomial 0x11d and roots from 2^0 on."""
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

"""Bech32 (BIP-173) and Bech32m (BIP-350): bytes as typeable text with a checksum that catches typos. SPEC.md
section 6.3.

Bech32 for age keys (as age defines), Bech32m for cards. Without the length limit of 90 characters: up to
1,023 symbols, any two wrong characters are caught for certain, more with a probability of 1 - 2^-30.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from .errors import MalformedError, TooLargeError

ALPHABET: Final = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
BECH32: Final = 1
BECH32M: Final = 0x2BC830A3
_GENERATOR: Final = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
MAX_LENGTH: Final = 1100
"""The longest text that is read: a card of 640 bytes and its prefix have 1,045 characters."""


def encode(prefix: str, data: bytes, constant: int = BECH32M) -> str:
    """``prefix``, "1", the data and a checksum of 6 characters, in lower case."""
    symbols = _regroup(data, 8, 5)
    check = _polymod([*_expand(prefix), *symbols, 0, 0, 0, 0, 0, 0]) ^ constant
    symbols += [check >> 5 * (5 - i) & 31 for i in range(6)]
    return prefix + "1" + "".join(ALPHABET[symbol] for symbol in symbols)


def decode(prefix: str, text: str, constant: int = BECH32M) -> bytes:
    """The data; the text may also be all upper case. Raises MalformedError for any typo, another prefix, or mixed case."""
    if len(text) > MAX_LENGTH:
        raise TooLargeError(f"text: {len(text)} characters")
    if text.isascii() and text.isupper():
        text = text.lower()
    if not text.startswith(prefix + "1"):
        raise MalformedError(f"text: does not begin with {prefix}1")
    symbols = [ALPHABET.find(character) for character in text[len(prefix) + 1 :]]
    if len(symbols) < 6 or -1 in symbols:
        raise MalformedError("text: a character is missing, or not one of those used here")
    if _polymod([*_expand(prefix), *symbols]) != constant:
        raise MalformedError("text: there is a typing error in it")
    data = bytes(_regroup(symbols[:-6], 5, 8))
    if encode(prefix, data, constant) != text:  # left-over bits are zero and fewer than 5
        raise MalformedError("text: not the canonical form")
    return data


def _expand(prefix: str) -> list[int]:
    return [ord(c) >> 5 for c in prefix] + [0] + [ord(c) & 31 for c in prefix]


def _polymod(symbols: Iterable[int]) -> int:
    """The BCH checksum of BIP-173."""
    check = 1
    for symbol in symbols:
        top = check >> 25
        check = (check & 0x1FFFFFF) << 5 ^ symbol
        for i, generator in enumerate(_GENERATOR):
            if top >> i & 1:
                check ^= generator
    return check


def _regroup(values: Iterable[int], width: int, to_width: int) -> list[int]:
    """Cuts a string of bits into pieces of another width; a remainder is filled up with zeros going to 5 bits, and dropped
    going to 8."""
    bits = held = 0
    pieces = []
    for value in values:
        bits, held = bits << width | value, held + width
        while held >= to_width:
            held -= to_width
            pieces.append(bits >> held)
            bits &= (1 << held) - 1
    if held and to_width < width:
        pieces.append(bits << (to_width - held))
    return pieces

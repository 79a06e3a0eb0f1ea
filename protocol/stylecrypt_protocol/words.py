"""Fingerprints of cards as words that two people read to each other. SPEC.md section 6.4."""

from __future__ import annotations

from typing import Final

from . import primitives
from .card import Card
from .wire import opaque
from .wordlist import WORDS

__all__ = ["card_words", "pair_words"]

COUNT: Final = 6
"""Words for one card: 66 bits. With Argon2id, each guess at another card with the same words costs 64 MiB of memory."""

MEMORY: Final = 64 * 1024 * 1024
OPERATIONS: Final = 2


def card_words(card: Card) -> tuple[str, ...]:
    """Six words for the keys and user id of a card; about 0.1 s. A new display name keeps them."""
    digest = primitives.sha256(primitives.WORDS, card.signing_key, card.sealing_key, opaque(card.user_id.encode(), 1))
    key = primitives.argon2id(digest, b"stylecrypt words", operations=OPERATIONS, memory=MEMORY)
    bits = int.from_bytes(key, "big")
    return tuple(WORDS[bits >> 256 - 11 * (i + 1) & 2047] for i in range(COUNT))


def pair_words(mine: Card, theirs: Card) -> tuple[str, ...]:
    """Twelve words, the same on both sides: six for each card, the pair in alphabetical order; about 0.2 s.

    The halves are not hashed together: somebody between two people chooses both keys that they see,
    and would find two with equal hashes in the square root of the time that it takes to match one given
    half.
    """
    first, second = sorted((card_words(mine), card_words(theirs)))
    return first + second

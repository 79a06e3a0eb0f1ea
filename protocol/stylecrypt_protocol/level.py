"""How much of the original recipients get back: each level's word and its number on the wire. SPEC.md section 3."""

from __future__ import annotations

from enum import StrEnum
from typing import Self

__all__ = ["Level"]


class Level(StrEnum):
    """How much of the original the recipients get back, from the least to the most."""

    number: int
    """The level's number in a public part; 0 if no envelope carries it."""

    def __new__(cls, word: str, number: int) -> Self:
        level = str.__new__(cls, word)
        level._value_, level.number = word, number
        return level

    KEYFACE = "keyface", 1
    """An approximation, from the pixels of the cover and a key face of the sender."""
    LATENT = "latent", 2
    """The sender's own inversion, from the sealed style vectors."""
    IMPRINT = "imprint", 0
    """The true faces as small pictures, from the pixels of the cover."""
    ORIGINAL = "original", 3
    """The photo as it was, from the sealed pixels or the sealed file."""

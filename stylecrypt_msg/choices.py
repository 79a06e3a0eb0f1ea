"""A sender's choices, in the words that every surface shares. Imports nothing, so that `--help` may use it."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal, TypeAlias

__all__ = ["Form", "Level", "Others"]


class Level(StrEnum):
    """How much of the original the recipients get back."""

    KEYFACE = "keyface"
    """An approximation, from the pixels of the cover and a key face of the sender."""
    LATENT = "latent"
    """The sender's own inversion, from sealed style vectors."""
    ORIGINAL = "original"
    """The photo as it was."""


Form: TypeAlias = Literal["photo", "portrait"]
"""The whole photo with other faces, or the aligned square of one face."""

Others: TypeAlias = Literal["blur", "refuse", "keep"]
"""What happens to faces that are not replaced."""

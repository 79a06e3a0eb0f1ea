"""A sender's choices, in the words that every interface shares. Imports nothing, so that `--help` can use it."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal, TypeAlias

__all__ = ["App", "Form", "Level", "Others"]


class Level(StrEnum):
    """How much of the original the recipients get back."""

    KEYFACE = "keyface"
    """An approximation, from the pixels of the cover and a key face of the sender."""
    LATENT = "latent"
    """The sender's own inversion, from sealed style vectors."""
    IMPRINT = "imprint"
    """The true faces as small pictures, from the pixels of the cover."""
    ORIGINAL = "original"
    """The photo as it was."""


class App(StrEnum):
    """The app that will carry the cover, which decides what happens to it on the way (`apps.APPS`)."""

    SIGNAL = "signal"
    WHATSAPP = "whatsapp"
    TELEGRAM = "telegram"
    ELEMENT = "element"
    INSTAGRAM = "instagram"
    FILE = "file"
    """Sent as a file, which stays untouched."""


Form: TypeAlias = Literal["photo", "portrait"]
"""The whole photo with other faces, or the aligned square of one face."""

Others: TypeAlias = Literal["blur", "refuse", "keep"]
"""What happens to faces that are not replaced."""

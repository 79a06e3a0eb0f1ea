"""Levels of recovery, and the effort that each takes: the one place that decides it.

Effort is descent through the generator (`models.FaceModel.encode`). What it buys is a closer inversion; what it costs, besides
seconds, is distance from W, where codes that are mixed with another person's make natural faces. So only those take it whose
inversion somebody gets to see.
"""

from __future__ import annotations

from enum import StrEnum

from .models.descent import STEPS

__all__ = ["KEY_STEPS", "READING_STEPS", "Level"]


class Level(StrEnum):
    """How much of the original the recipients get back."""

    KEYFACE = "keyface"
    """An approximation, from the pixels of the cover and a key face of the sender."""
    LATENT = "latent"
    """The sender's own inversion, from sealed style vectors."""
    ORIGINAL = "original"
    """The photo as it was."""

    @property
    def steps(self) -> int:
        """Steps of descent behind a cover of this level."""
        return _COVER_STEPS[self]


_COVER_STEPS = {
    Level.KEYFACE: STEPS,
    Level.LATENT: STEPS,
    Level.ORIGINAL: 0,  # recipients get pixels; covers by the encoder alone look as natural, and say less of the sender
}
KEY_STEPS = STEPS
"""For a key face, once, when it is prepared."""
READING_STEPS = 6
"""For a picture that arrived, which a key face is to open: from the key face on, more bring nobody closer (training/LOG.md)."""

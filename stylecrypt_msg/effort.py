"""The effort that each level takes: the one place that decides it.

Effort is descent through the generator (`models.FaceModel.encode`). What it buys is a closer inversion; what it costs, besides
seconds, is distance from W, where codes that are mixed with another person's make natural faces. So only those take it whose
inversion somebody gets to see.
"""

from __future__ import annotations

from .choices import Level
from .models.descent import STEPS

__all__ = ["COVER_STEPS", "KEY_STEPS", "READING_STEPS"]

COVER_STEPS = {
    Level.KEYFACE: STEPS,
    Level.LATENT: STEPS,
    Level.ORIGINAL: 0,  # recipients get pixels; covers by the encoder alone look as natural, and say less of the sender
}
"""Steps of descent behind a cover of each level."""
KEY_STEPS = STEPS
"""For a key face, once, when it is prepared."""
READING_STEPS = 6
"""For a picture that arrived, which a key face is to open: from the key face on, more bring nobody closer (lab/LOG.md)."""

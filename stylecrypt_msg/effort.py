"""The effort that each level takes: the one place that decides it.

Effort is descent through the generator (`models.FaceModel.encode`). It buys a closer inversion; it costs, besides
seconds, distance from W, where codes mixed with another person's make natural faces. So it is spent only where
somebody gets to see the inversion itself.
"""

from __future__ import annotations

from stylecrypt_protocol import Level

from .models.descent import STEPS

__all__ = ["COVER_STEPS", "KEY_STEPS", "READING_STEPS"]

COVER_STEPS = {
    Level.KEYFACE: STEPS,
    Level.LATENT: STEPS,
    Level.IMPRINT: 0,
    Level.ORIGINAL: 0,  # recipients get pixels; covers by the encoder alone look as natural, and reveal less of the sender
}
"""Steps of descent behind a cover of each level."""
KEY_STEPS = STEPS
"""For a key face, once, when it is prepared."""
READING_STEPS = 6
"""For a received picture that a key face opens, starting from the key face; more steps bring nobody closer (lab/LOG.md)."""

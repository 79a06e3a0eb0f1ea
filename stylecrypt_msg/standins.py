"""Stand-ins: people who do not exist, whose styles replace the sender's.

A seed gives one person, the same one each time, so that a conversation can keep its stand-in and nobody's likeness is
borrowed. Of the `seeds` of a new conversation, `standin_choice.hide` chooses one that hides the sender. Of the embedded model's
people, those who look like children, wear hats or glasses or turn aside are skipped, and so are men for a woman and women for
a man: a seed gives one of each.
"""

from __future__ import annotations

import hashlib

import numpy as np

from .models import FaceModel
from .models.face_model import Floats

__all__ = ["SEEDS", "seeds", "stand_in"]

_TRUNCATION = 0.9  # closer to the average face than a free sample: natural skin, no odd backgrounds
_TRIES, _AT_ONCE = 1024, 64  # one in eighty of all people qualifies
SEEDS = 48
"""Tried for a face: of most faces, one stand-in in three hides it; of some, one in fifty."""


def seeds(first: str) -> list[str]:
    """``first`` and the seeds to try after it, in order, while the fake still looks like the sender."""
    return [first, *(f"{first}-{number}" for number in range(2, SEEDS + 1))]


def stand_in(model: FaceModel, seed: int | str, codes: Floats, person: int = 0) -> Floats:
    """Codes (1, n_styles, style_dim) of the person that ``seed`` gives, to replace a face with ``codes`` of that shape.

    ``person`` counts the faces of one photo, so that each gets somebody else. Seeds are hashed: neighbouring ones are
    unrelated.
    """
    digest = hashlib.sha256(f"stylecrypt stand-in {seed} {person}".encode()).digest()
    rng = np.random.Generator(np.random.PCG64(int.from_bytes(digest[:16], "big")))
    for _ in range(_TRIES // _AT_ONCE):
        people = model.map(rng.standard_normal((_AT_ONCE, model.style_dim), np.float32))
        suitable = model.suits(people, codes[0])
        if suitable.any():
            break
    somebody = people[[int(suitable.argmax())]]
    return np.asarray(model.latent_avg + np.float32(_TRUNCATION) * (somebody - model.latent_avg), np.float32)

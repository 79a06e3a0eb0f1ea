"""Stand-ins: the people who do not exist and whose styles replace the sender's.

A seed gives one person, the same one each time, so that a conversation can keep its stand-in and nobody's likeness is
borrowed. Of the embedded model's people, those who look like children, wear hats or glasses or are turned aside are
passed over, and so are men for a woman and women for a man: a seed stands for one of each.
"""

from __future__ import annotations

import hashlib

import numpy as np
import torch
from torch import Tensor

from .models import FaceModel

__all__ = ["SEEDS", "seeds", "stand_in"]

_TRUNCATION = 0.75  # closer to the average face than a free sample: natural skin, no odd backgrounds
_TRIES = 1024  # one in eighty of all people will do
SEEDS = 12
"""Tried for a new conversation: one in six fakes of a first seed still looks like its sender to dlib (docs/paper.md)."""


def seeds(first: str) -> list[str]:
    """``first`` and those to try after it, one after the other, while the fake still looks like the sender."""
    return [first, *(f"{first}-{number}" for number in range(2, SEEDS + 1))]


def stand_in(model: FaceModel, seed: int | str, codes: Tensor, person: int = 0) -> Tensor:
    """Codes (1, n_styles, style_dim) of the person that ``seed`` stands for, for a face with ``codes``, of that shape.

    ``person`` counts the faces of one photo, so that each gets somebody else. Seeds are hashed: neighbouring ones are
    unrelated.
    """
    digest = hashlib.sha256(f"stylecrypt stand-in {seed} {person}".encode()).digest()
    rng = np.random.Generator(np.random.PCG64(int.from_bytes(digest[:16], "big")))
    for _ in range(_TRIES):
        z = torch.from_numpy(rng.standard_normal((1, model.style_dim), np.float32))
        somebody = model.map(z)
        if model.suits(somebody, codes):
            break
    return model.latent_avg.lerp(somebody, _TRUNCATION)

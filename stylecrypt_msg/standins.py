"""Stand-ins: the people who do not exist and whose styles replace the sender's.

A seed gives one person, the same one each time, so that a conversation can keep its stand-in and nobody's likeness is
borrowed. People who look like children are passed over: see ``STAND_INS.md`` of the embedded model.
"""

from __future__ import annotations

import hashlib

import numpy as np
import torch
from torch import Tensor

from .models import FaceModel

__all__ = ["stand_in"]

_TRUNCATION = 0.75  # closer to the average face than a free sample: fewer odd hats, natural skin
_TRIES = 64


def stand_in(model: FaceModel, seed: int | str, person: int = 0) -> Tensor:
    """Codes (1, n_styles, style_dim) of the person that ``seed`` stands for in ``model``.

    ``person`` counts the faces of one photo, so that each gets somebody else. Seeds are hashed: neighbouring ones are
    unrelated.
    """
    digest = hashlib.sha256(f"stylecrypt stand-in {seed} {person}".encode()).digest()
    rng = np.random.Generator(np.random.PCG64(int.from_bytes(digest[:16], "big")))
    for _ in range(_TRIES):
        z = torch.from_numpy(rng.standard_normal((1, model.style_dim), np.float32))
        codes = model.map(z, _TRUNCATION)
        if model.is_adult(codes):
            break
    return codes

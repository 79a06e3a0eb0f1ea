"""Stand-ins: people who do not exist, of whom a seed gives one."""

from __future__ import annotations

import numpy as np

from stylecrypt_msg.models import FaceModel
from stylecrypt_msg.standins import stand_in

from .test_cipher import codes_apart


def test_stand_ins(default_model: FaceModel) -> None:
    model = default_model
    somebody = model.latent_avg[None]
    first = stand_in(model, 7, somebody)
    np.testing.assert_array_equal(stand_in(model, "7", somebody), first)
    others = [stand_in(model, seed, somebody, person) for seed, person in ((8, 0), (7, 1), ("seven", 0))]
    spread = float(np.linalg.norm(model.latent_std)) * 16**0.5
    everyone = [first, *others]
    for i, one in enumerate(everyone):
        assert one.shape == (1, 16, 512)
        assert codes_apart(one, somebody) > 0.2 * spread
        assert all(codes_apart(one, other) > 0.3 * spread for other in everyone[:i])


def test_stand_ins_suit_whom_they_stand_in_for(default_model: FaceModel) -> None:
    woman = default_model.latent_avg[None]
    across = 2 * woman - stand_in(default_model, "ann", woman)  # on the other side of the average
    for seed in range(12):
        one = stand_in(default_model, seed, woman)
        # Before the truncation, as they were chosen.
        assert default_model.suits(woman + (one - woman) / 0.9, woman[0])
        other = stand_in(default_model, seed, across)
        assert default_model.suits(woman + (other - woman) / 0.9, across[0])

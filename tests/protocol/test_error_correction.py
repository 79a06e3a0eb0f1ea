"""The error correction of an imprint: how much damage it tolerates, and that it never takes damage for data."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from stylecrypt_protocol.error_correction import (
    MAX_WORDS,
    UNIT_BITS,
    UNITS_PER_WORD,
    WORD_BYTES,
    correct,
    protect,
    within_reach,
)


def payload(words: int) -> bytes:
    return np.random.default_rng(words).bytes(words * WORD_BYTES)


def read(units: NDArray[np.uint8], noise: float, seed: int = 0) -> NDArray[np.float32]:
    """The units as soft values, with noise of this standard deviation."""
    return (1.0 - 2.0 * units + np.random.default_rng(seed).normal(0, noise, units.shape)).astype(np.float32)


@pytest.mark.parametrize("words", [1, 7, MAX_WORDS])
def test_what_was_written_is_read(words: int) -> None:
    units = protect(payload(words))
    assert units.shape == (words * UNITS_PER_WORD, UNIT_BITS)
    got = correct(read(units, 0))
    assert (got.payload, got.wrong) == (payload(words), 0)


def test_a_bit_in_twelve_may_be_wrong() -> None:
    units = protect(payload(7))
    soft = read(units, 0.72)
    wrong = ((soft < 0) != units).mean()
    assert wrong > 0.08
    got = correct(soft)
    assert got.payload == payload(7)
    assert got.wrong == pytest.approx(wrong)
    assert within_reach(soft, units)


def test_units_that_are_lost_are_made_good() -> None:
    """With an eighth of a picture painted over, wherever it is."""
    for first in range(0, 56, 8):
        soft = read(protect(payload(7)), 0.3)
        soft[first : first + 8] = 0
        assert correct(soft).payload == payload(7)


@pytest.mark.parametrize("noise", [1.5, 100.0])
def test_too_much_damage_is_known(noise: float) -> None:
    units = protect(payload(3))
    for seed in range(5):
        soft = read(units, noise, seed)
        got = correct(soft)
        assert (got.payload, got.wrong) == (None, 1)
        assert not within_reach(soft, units)


@pytest.mark.parametrize("size", [0, 1, WORD_BYTES + 1, (MAX_WORDS + 1) * WORD_BYTES])
def test_only_whole_words_are_written(size: int) -> None:
    with pytest.raises(ValueError, match="words"):
        protect(bytes(size))

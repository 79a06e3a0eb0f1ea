"""The steganalyser finds what it must, and nothing where nothing is."""

from __future__ import annotations

import numpy as np
import pytest
from stylecrypt_lab.evaluation.steganalysis import describe, tell_apart

from ...support.scenery import scene

PICTURES = [scene(1024, 512, seed=seed) for seed in range(6)]


def test_noise_of_two_levels_is_found() -> None:
    rng = np.random.default_rng(0)
    noisy = [
        np.clip(picture + rng.integers(-2, 3, picture.shape[:2])[..., None], 0, 255).astype(np.uint8)
        for picture in PICTURES
    ]
    found = tell_apart([(describe(plain), describe(marked)) for plain, marked in zip(PICTURES, noisy, strict=True)])
    assert found is not None
    assert found.squares == 96
    assert found.rightly >= 90


def test_pictures_that_do_not_differ_are_not_told_apart() -> None:
    found = tell_apart([(describe(picture), describe(picture)) for picture in PICTURES])
    assert found is not None
    assert found.rightly == 48


@pytest.mark.parametrize("pictures", [PICTURES[:1], [picture[:200] for picture in PICTURES], []])
def test_too_few(pictures: list[np.ndarray]) -> None:
    assert tell_apart([(describe(picture), describe(picture)) for picture in pictures]) is None

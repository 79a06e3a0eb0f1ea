"""The statistics of attacks: intervals, verdicts, curves and the detector, without any picture."""

from __future__ import annotations

import numpy as np
import pytest
from stylecrypt_lab.evaluation.attacks import Finding, wilson
from stylecrypt_lab.evaluation.attacks.faces import same
from stylecrypt_lab.evaluation.attacks.odds import Ridge, by_strangers, cross_validated, distances, roc


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    # The first two from Newcombe, Statist. Med. 17 (1998), table I, method 3.
    [(81, 263, 0.2553, 0.3662), (0, 20, 0.0, 0.1611), (10, 10, 0.7225, 1.0), (0, 0, 0.0, 1.0)],
)
def test_wilson_interval(successes: int, trials: int, low: float, high: float) -> None:
    assert wilson(successes, trials) == pytest.approx((low, high), abs=1e-4)


def test_a_verdict_is_about_chance() -> None:
    def of(successes: int, trials: int, chance: float | None) -> Finding:
        return Finding("recognition", "3-7", "found", successes, trials, chance)

    assert of(51, 51, 2 / 51).verdict == "leaks"
    assert of(5, 51, 2 / 51).verdict == "holds", "one in twenty times that is luck"
    assert of(8, 51, 2 / 51).verdict == "leaks"
    assert of(300, 400, 0.5).verdict == "leaks"
    assert of(1, 100, 0.0).verdict == "leaks", "what cannot happen happened"
    assert of(0, 100, 0.0).verdict == "holds"
    assert of(1, 1, None).verdict == ""
    assert of(3, 4, 0.5).luck == pytest.approx(5 / 16)
    assert of(0, 4, 0.5).luck == pytest.approx(1)


def test_strangers_may_look_like_somebody() -> None:
    strangers = np.array([[[0.0], [3.0], [1.0]], [[0.0], [1.0], [9.0]]])  # three for each of two people
    assert by_strangers(strangers, np.array([[0.0], [9.0]]), 2) == pytest.approx(4 / 7)
    assert by_strangers(strangers, np.array([[20.0], [20.0]]), 2) == pytest.approx(1 / 7)


def test_who_is_nearest() -> None:
    gallery = np.eye(6)
    assert same(distances(gallery[:4], gallery)) == 4
    assert same(distances(gallery[[1, 0, 2]], gallery)) == 1
    assert same(np.zeros((5, 5))) == 0, "all alike is nobody found"


def test_roc() -> None:
    near, far = np.array([0.1, 0.2, 0.3]), np.array([0.5, 0.6, 0.7, 0.8])
    assert roc(near, far) == (1.0, 0.0)
    assert roc(far, near) == (0.0, 1.0)
    assert roc(np.full(3, 0.5), np.full(4, 0.5))[0] == 0.5
    area, error = roc(np.array([0.1, 0.4, 0.6]), np.array([0.3, 0.5, 0.7]))
    assert area == pytest.approx(6 / 9)
    assert error == pytest.approx(1 / 3)


def test_the_detector_learns_what_is_there_and_nothing_else() -> None:
    rng = np.random.default_rng(1)
    labels, groups = np.repeat([False, True], 40), np.tile(np.arange(40), 2)
    noise = rng.normal(size=(80, 60))
    planted = noise.copy()
    planted[:, 7:10] += 5 * labels[:, None]
    assert ((cross_validated(planted, labels, groups) > 0) == labels).mean() > 0.9
    assert 0.3 < ((cross_validated(noise, labels, groups) > 0) == labels).mean() < 0.7


def test_the_detector_is_not_asked_about_those_it_saw() -> None:
    """Features that name the person, labels that are the person's: only somebody who saw them could know."""
    rng = np.random.default_rng(2)
    groups = np.tile(np.arange(30), 2)
    labels = rng.permutation(np.repeat([False, True], 15))[groups]
    who = np.eye(30)[groups]
    assert ((cross_validated(who, labels, groups) > 0) == labels).mean() < 0.7


def test_regression_inverts_what_can_be_inverted() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 20)) @ rng.normal(size=(20, 200))  # 20 dimensions, seen 50 times
    y = x @ rng.normal(size=(200, 3))
    assert np.abs(Ridge(x[:50], y[:50])(x[50:]) - y[50:]).max() < 0.1 * y.std()
    unrelated = rng.normal(size=(60, 3))
    assert Ridge(x[:50], unrelated[:50])(x[50:]).std() < 0.6, "it stays with the mean"

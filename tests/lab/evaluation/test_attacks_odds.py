"""The statistics of attacks: intervals, verdicts, curves and the detector, without any picture."""

from __future__ import annotations

import numpy as np
import pytest
from stylecrypt_lab.evaluation.attacks import Finding, wilson
from stylecrypt_lab.evaluation.attacks.judges import compared, nearest, threshold
from stylecrypt_lab.evaluation.attacks.odds import Ridge, cross_validated, distances, linkability, linked, roc


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


def test_thresholds_let_so_many_strangers_pass() -> None:
    impostors = np.random.default_rng(5).permutation(np.arange(10_000.0))
    assert (impostors < threshold(impostors, 1e-3)).sum() == 10
    assert (impostors < threshold(impostors, 1e-4)).sum() == 1
    assert (impostors[:99] < threshold(impostors[:99], 1e-3)).sum() == 0, "too few: none may pass"


def test_senders_are_compared_with_everybody() -> None:
    between = np.full((3, 50), 9.0)
    between[0, 7], between[1, 3], between[1, 8], between[2, 9] = 1, 2, 1, 5  # found; another is nearer; found, but far
    first, *near = compared("recognition", "3-7", "the fake", between, [7, 3, 9], "dlib", strangers=np.full(1000, 4.0))
    assert (first.successes, first.trials, first.chance) == (2, 3, 2 / 50)
    # Of 1,147 comparisons of two people, one may pass as one in a thousand, none as one in ten thousand.
    assert [one.successes for one in near] == [2, 0]
    assert [one.chance for one in near] == pytest.approx([4 / 148, 2 / 148])
    assert {one.judge for one in (first, *near)} == {"dlib"}
    among = np.arange(50) % 5 != np.array([[1], [3], [1]])  # of the second, without the sender's nearest rival
    among[1, 3] = True
    among[1, 8] = False
    first, *_ = compared("reverser", "3-7", "the fake", between, [7, 3, 9], "dlib", among=among)
    assert first.successes == 3
    assert first.chance == pytest.approx(2 / 40, rel=0.03)


def test_who_is_nearest() -> None:
    gallery = np.eye(6)
    assert nearest(distances(gallery[:4], gallery), range(4)) == 4
    assert nearest(distances(gallery[[1, 0, 2]], gallery), range(3)) == 1
    assert nearest(distances(gallery[[1, 0, 2]], gallery), [1, 0, 2]) == 3
    assert nearest(np.zeros((5, 5)), range(5)) == 0, "all alike is nobody found"


def test_linkability_is_0_for_one_distribution_and_1_for_two() -> None:
    rng = np.random.default_rng(6)
    one, other = rng.normal(size=(1, 4000)), rng.normal(size=4000)
    assert linkability(one, other)[0] < 0.03
    assert linkability(one + 9, other)[0] == pytest.approx(1, abs=0.01)
    # Normal distributions a deviation apart, by quadrature of the definition.
    x = np.linspace(-8, 9, 100_000)
    mated, rest = np.exp(-0.5 * (x - 1) ** 2), np.exp(-0.5 * x**2)
    exact = (mated * np.maximum((mated - rest) / (mated + rest), 0)).sum() / mated.sum()
    assert linkability(one + 1, other)[0] == pytest.approx(exact, abs=0.03)


def test_rooms_are_linked_by_people_and_not_by_kinds() -> None:
    rng = np.random.default_rng(7)
    kind = np.arange(60) % 2
    noise = rng.normal(size=(60, 60))
    by_kind = noise + 20 * (kind[:, None] != kind)
    value, mean, luck = linked(by_kind, kind)
    assert mean < luck < 0.3
    assert value < luck
    value, _, luck = linked(by_kind - 3 * np.eye(60), kind)
    assert value > 0.7 > luck


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


def test_regression_is_not_fooled_by_those_it_has_seen_often() -> None:
    """Fifty people, ten times each: what tells them apart does not predict anything about others."""
    rng = np.random.default_rng(9)
    groups = np.repeat(np.arange(50), 10)
    x = rng.normal(size=(50, 100))[groups] + 0.1 * rng.normal(size=(500, 100))
    y = rng.normal(size=(50, 3))[groups]
    new = rng.normal(size=(50, 100))
    assert Ridge(x, y, groups)(new).std() < 0.5 * Ridge(x, y)(new).std()

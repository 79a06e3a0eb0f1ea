"""The findings of attacks, in counts, and the statistics that turn them into odds. Nothing here knows about pictures."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "Figure",
    "Finding",
    "Floats",
    "Ridge",
    "cross_validated",
    "distances",
    "linkability",
    "linked",
    "roc",
    "wilson",
]

Floats = NDArray[np.floating]

_LUCK = 0.005
_Z = 1.959964  # of the normal distribution, for 95 %
_GRID = 200  # places at which densities are compared
_SHUFFLES = 1000
_PENALTIES = (1e-3, 1e-2, 1e-1, 1.0, 10.0, 100.0)  # of the ridge, in mean squared lengths of what is learnt from


@dataclass(frozen=True)
class Finding:
    """How often an attack succeeded.

    Attributes:
        attack: its name, such as "recognition".
        mask: the layers that the sender replaced, as `LayerMask` writes them; "" if they do not matter.
        what: what counts as success.
        successes, trials: counts.
        chance: the rate of the same attack without a message from the sender; None if the result is reported, not judged.
        judge: who compares, such as "SFace"; "" if nobody does.
    """

    attack: str
    mask: str
    what: str
    successes: int
    trials: int
    chance: float | None = None
    judge: str = ""

    @property
    def rate(self) -> float:
        return self.successes / self.trials if self.trials else math.nan

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of the true rate."""
        return wilson(self.successes, self.trials)

    @property
    def luck(self) -> float:
        """The probability of succeeding at least this often by chance (binomial); 1 if no chance is given."""
        p, n = self.chance, self.trials
        if p is None:
            return 1.0
        return sum(math.comb(n, k) * p**k * (1 - p) ** (n - k) for k in range(self.successes, n + 1))

    @property
    def verdict(self) -> Literal["leaks", "holds", ""]:
        """The rule: "leaks" if luck is less than 1 in 200; otherwise "holds", which means that no leak could be shown.

        Not 1 in 20: with a dozen attacks on each mask, one would seem to succeed even on a mask that keeps nothing.
        """
        if self.chance is None:
            return ""
        return "leaks" if self.luck < _LUCK else "holds"


@dataclass(frozen=True)
class Figure:
    """A measured number other than a rate: ``value`` in ``unit``, from ``trials`` measurements. The rest as in `Finding`.

    Attributes:
        luck: what luck exceeds once in 200 times; None if the number is reported, not judged.
    """

    attack: str
    mask: str
    what: str
    value: float
    unit: str
    trials: int
    judge: str = ""
    luck: float | None = None

    @property
    def verdict(self) -> Literal["leaks", "holds", ""]:
        """As `Finding.verdict`."""
        if self.luck is None:
            return ""
        return "leaks" if self.value > self.luck else "holds"


def wilson(successes: int, trials: int) -> tuple[float, float]:
    """The 95 % interval of a rate (Wilson, J. Am. Stat. Assoc. 22, 1927, 209). (0, 1) without trials."""
    if not trials:
        return 0.0, 1.0
    rate, z2 = successes / trials, _Z**2 / trials
    middle = (rate + z2 / 2) / (1 + z2)
    half = math.sqrt(rate * (1 - rate) * z2 + z2**2 / 4) / (1 + z2)
    # At the ends, rounding must not push the rate itself out of the interval.
    return max(0.0, min(middle - half, rate)), min(1.0, max(middle + half, rate))


def distances(first: Floats, second: Floats) -> Floats:
    """(N, D), (M, D) -> Euclidean distances (N, M)."""
    a, b = first.astype(np.float64), second.astype(np.float64)
    squared = (a**2).sum(1)[:, None] + (b**2).sum(1) - 2 * a @ b.T
    return np.asarray(np.sqrt(np.maximum(squared, 0)))


def linkability(mated: Floats, other: Floats) -> Floats:
    """D_sys, the global measure of linkability, (K,): 0 where scores of one person and of two are distributed alike, 1 where no
    score occurs in both.

    Gomez-Barrero, Galbally, Rathgeb and Busch, IEEE Trans. Inf. Forensics Secur. 13, 2018, 1406, with equal priors; ISO/IEC
    30136. ``mated``: (K, M) scores of one person, each row a case of its own; ``other``: (L,) of two people. Densities are
    sums of Gaussians on a grid, all of the width that Silverman's rule gives for M scores.
    """
    width = max(1.06 * float(other.std()) * mated.shape[1] ** -0.2, 1e-9)
    low, high = min(mated.min(), other.min()) - 3 * width, max(mated.max(), other.max()) + 3 * width
    grid = np.linspace(low, high, _GRID)
    kernel = np.exp(-0.5 * ((grid[:, None] - grid) / width) ** 2)

    def density(rows: Floats) -> Floats:
        cells = np.rint((rows - grid[0]) / (grid[1] - grid[0])).astype(int) + _GRID * np.arange(len(rows))[:, None]
        sums = np.bincount(cells.ravel(), minlength=_GRID * len(rows)).reshape(-1, _GRID) @ kernel
        return np.asarray(sums / sums.sum(1, keepdims=True))

    one, two = density(mated), density(other[None])
    ratio = one / np.maximum(two, 1e-300)
    local = np.where(ratio > 1, 2 * ratio / (1 + ratio) - 1, 0.0)
    return np.asarray((local * one).sum(1))


def linked(between: Floats, kind: NDArray[np.intp]) -> tuple[float, float, float]:
    """`linkability` of two rooms by distances (N, N), in whose diagonal both are of one person: the value, what shuffled mates
    give on average, and what one in 200 shuffles exceeds.

    Only people of one ``kind`` (N,) are compared and shuffled: that kinds differ is no news.
    """
    alike = kind[:, None] == kind
    rng, n = np.random.default_rng(8), len(kind)
    orders = np.tile(np.arange(n), (_SHUFFLES + 1, 1))
    for one in np.unique(kind):
        members = np.flatnonzero(kind == one)
        orders[1:, members] = rng.permuted(np.tile(members, (_SHUFFLES, 1)), axis=1)
    # What is left of the pairs would be others for each shuffle; of so many, the few that change do not matter.
    value, *luck = linkability(between[np.arange(n), orders], between[alike & ~np.eye(n, dtype=bool)])
    return float(value), float(np.mean(luck)), float(np.quantile(luck, 1 - _LUCK))


def roc(same: Floats, different: Floats) -> tuple[float, float]:
    """Area under the ROC curve and equal error rate of distances, when small ones mean the same person."""
    below = np.searchsorted(np.sort(different), same, "left")
    not_above = np.searchsorted(np.sort(different), same, "right")
    area = 1 - float((below + not_above).mean()) / 2 / len(different)
    thresholds = np.sort(np.concatenate([same, different]))
    missed = 1 - np.searchsorted(np.sort(same), thresholds, "right") / len(same)
    mistaken = np.searchsorted(np.sort(different), thresholds, "right") / len(different)
    at = int(np.argmin(np.abs(missed - mistaken)))
    return area, float(missed[at] + mistaken[at]) / 2


class Ridge:
    """Linear regression (N, D) -> (N, E) with the penalty that predicts each of ``groups`` (N,) best from the others."""

    def __init__(self, x: Floats, y: Floats, groups: NDArray[np.intp] | None = None) -> None:
        self._x_mean, self._y_mean = x.mean(0, dtype=np.float64), y.mean(0, dtype=np.float64)
        self._x = x - self._x_mean
        gram = self._x @ self._x.T
        scale = max(float(gram.diagonal().mean()), 1e-9)
        # The means know those who are left out; with an intercept, hardly penalised, the rest has a mean of its own.
        self._intercept = 1e3 * scale
        gram += self._intercept
        groups = np.arange(len(x)) if groups is None else groups
        members = [np.flatnonzero(groups == one) for one in np.unique(groups)]
        best = math.inf
        for penalty in _PENALTIES:
            inverse = np.linalg.inv(gram + penalty * scale * np.eye(len(x)))
            weights = inverse @ (y - self._y_mean)
            # The residuals of those left out when predicted by the rest: Golub, Heath and Wahba, Technometrics 21, 1979, 215,
            # for blocks of the matrix instead of its diagonal.
            error = sum(
                float(np.square(np.linalg.solve(inverse[np.ix_(some, some)], weights[some])).sum()) for some in members
            )
            if error < best:
                best, self._weights = error, weights

    def __call__(self, x: Floats) -> Floats:
        known = (x - self._x_mean) @ self._x.T + self._intercept
        return np.asarray(known @ self._weights + self._y_mean)


def cross_validated(features: Floats, labels: NDArray[np.bool_], groups: NDArray[np.intp], folds: int = 5) -> Floats:
    """Scores (N,) of a linear classifier (Fisher's discriminant, by `Ridge`): above 0 where it says True.

    ``features`` (N, D). No classifier judges people whose group it has seen: each of ``groups`` (N,) is in one fold.
    """
    scores = np.zeros(len(labels))
    for fold in range(folds):
        held = groups % folds == fold
        if held.any() and not held.all():
            mean, deviation = features[~held].mean(0), features[~held].std(0) + 1e-6
            target = np.where(labels[~held], 1.0, -1.0)[:, None]
            judge = Ridge((features[~held] - mean) / deviation, target)
            scores[held] = judge((features[held] - mean) / deviation)[:, 0]
    return scores

"""The findings of attacks, in counts, and the statistics that turn them into odds. Nothing here knows about pictures."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

__all__ = ["Figure", "Finding", "Floats", "Ridge", "by_strangers", "cross_validated", "distances", "roc", "wilson"]

Floats = NDArray[np.floating]

_LUCK = 0.005
_Z = 1.959964  # of the normal distribution, for 95 %
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
    """

    attack: str
    mask: str
    what: str
    successes: int
    trials: int
    chance: float | None = None

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
    """A measured number other than a rate: ``value`` in ``unit``, from ``trials`` measurements. The rest as in `Finding`."""

    attack: str
    mask: str
    what: str
    value: float
    unit: str
    trials: int


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


def by_strangers(faces: Floats, to: Floats, limit: float) -> float:
    """The rate at which strangers, (N, K, D), are nearer than ``limit`` to the person they replace, (N, D); never quite
    0."""
    near = np.linalg.norm(faces - to[:, None], axis=2) < limit
    return float((near.sum() + 1) / (near.size + 1))


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
    """Linear regression (N, D) -> (N, E) with the penalty that minimises the leave-one-out error."""

    def __init__(self, x: Floats, y: Floats) -> None:
        self._x_mean, self._y_mean = x.mean(0), y.mean(0)
        self._x = x - self._x_mean
        gram = self._x @ self._x.T
        scale = max(float(gram.diagonal().mean()), 1e-9)
        best = math.inf
        for penalty in _PENALTIES:
            inverse = np.linalg.inv(gram + penalty * scale * np.eye(len(x)))
            weights = inverse @ (y - self._y_mean)
            # The residual of each when predicted by the rest (Golub, Heath and Wahba, Technometrics 21, 1979, 215).
            error = float(np.square(weights / inverse.diagonal()[:, None]).mean())
            if error < best:
                best, self._weights = error, weights

    def __call__(self, x: Floats) -> Floats:
        return np.asarray((x - self._x_mean) @ self._x.T @ self._weights + self._y_mean)


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

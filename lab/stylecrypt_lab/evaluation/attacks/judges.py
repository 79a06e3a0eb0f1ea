"""Recognisers that judge fakes, and the distances at which they say that two faces are one person's."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from stylecrypt_msg.pictures import Pixels
from stylecrypt_msg.recognisers import Recogniser

from .odds import Finding, Floats, distances

__all__ = ["FARS", "Judge", "by_chance", "compared", "described", "nearest", "threshold"]

FARS = (1e-3, 1e-4)
"""False accept rates: the shares of comparisons of two people that may pass for one."""

_BATCH = 4


class Judge:
    """A recogniser that knows everybody's photos.

    Attributes:
        mine, others: descriptors (N, D) of the photos that people send, and of their other photos.
        strangers: the distances between photos of two people, N (N - 1) between the two kinds and as many within them.
    """

    def __init__(self, recogniser: Recogniser, sent: Sequence[Pixels], others: Sequence[Pixels]) -> None:
        self.recogniser, self.name = recogniser, recogniser.name
        self.mine, self.others = described(recogniser, sent), described(recogniser, others)
        apart = [distances(self.mine, self.others)[~np.eye(len(sent), dtype=bool)]]
        apart += [distances(them, them)[np.triu_indices(len(sent), 1)] for them in (self.mine, self.others)]
        self.strangers = np.concatenate(apart)


def described(recogniser: Recogniser, squares: Sequence[Pixels]) -> Floats:
    """Descriptors (N, D), a few at a time: dlib runs them through its network all at once, which takes memory."""
    if not squares:
        return recogniser.describe([])
    return np.concatenate([recogniser.describe(squares[i : i + _BATCH]) for i in range(0, len(squares), _BATCH)])


def threshold(impostors: Floats, rate: float) -> float:
    """The distance below which ``rate`` of the comparisons of two people fall; none, where there are too few. 0 for none."""
    ordered = np.sort(impostors, axis=None)
    return float(ordered[int(rate * ordered.size)]) if ordered.size else 0.0


def compared(
    attack: str,
    mask: str,
    what: str,
    between: Floats,
    who: Sequence[int],
    judge: str,
    strangers: Floats | None = None,
    among: NDArray[np.bool_] | None = None,
) -> list[Finding]:
    """Distances (M, N) from what an attacker has of ``who`` to everybody: who is nearest, and who is near enough.

    Thresholds are set on all comparisons of two people: those in ``between`` and ``strangers``. Luck is what the former
    achieve, twice: fakes have the sender's sex, which halves the people they may be taken for. ``among`` (M, N) says whom each
    may be taken for, by default everybody.
    """
    among = np.ones(between.shape, bool) if among is None else among
    own, wrong = between[np.arange(len(who)), who], among.copy()
    wrong[np.arange(len(who)), who] = False
    impostors = between[wrong]
    first = nearest(np.where(among, between, np.inf), who)
    luck = float(np.mean([by_chance(int(count)) for count in among.sum(1)])) if len(who) else 1.0
    found = [Finding(attack, mask, f"{what}: found first", first, len(who), luck, judge)]
    for rate in FARS:
        limit = threshold(impostors if strangers is None else np.append(impostors, strangers), rate)
        luck = min(1.0, 2 * float((impostors < limit).sum() + 1) / (impostors.size + 1))
        found.append(Finding(attack, mask, f"{what}: FAR {rate:g}", int((own < limit).sum()), len(who), luck, judge))
    return found


def nearest(between: Floats, who: Sequence[int] | NDArray[np.intp]) -> int:
    """The number of rows of distances (M, N) whose smallest value is in the column in ``who``. Ties do not count."""
    rows = np.arange(len(who))
    off = between.astype(np.float64)
    off[rows, who] = np.inf
    return int((between[rows, who] < off.min(axis=1)).sum())


def by_chance(n: int) -> float:
    """The chance of finding one in ``n``. Stand-ins deliberately have the sender's sex, which halves the choice."""
    return min(1.0, 2 / n)

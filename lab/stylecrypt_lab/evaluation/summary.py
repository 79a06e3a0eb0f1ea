"""All people's results combined: means, verification rates, correlations. The content of ``report.json``."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from statistics import fmean

import numpy as np

from stylecrypt_msg.models import FaceModel
from stylecrypt_msg.recognisers import Recogniser
from stylecrypt_msg.standins import SEEDS

from .journal import Header
from .layers import LayerTrial
from .levels import LEVEL_WAYS, LEVELS, LevelTrial
from .metrics import FAR, threshold_at_far
from .trial import Column, Record, Score, Trial, correlation

__all__ = ["Cell", "IdentityThresholds", "LayerMean", "LevelCell", "Summary", "summarise"]


class Cell(Record):
    """Means over ``people``, and the shares of them whom the recogniser matches to the original: at its own threshold, at its
    strict one, and at the false accept rate `FAR` (None with too few pairs of people to tell)."""

    people: int
    psnr: float
    ssim: float
    lpips: float | None
    cosine: float
    distance: float
    verified: float
    strict: float
    tar: float | None


class LevelCell(Record):
    """``sent`` messages, of which ``reached`` came back at the level they were sent at; means over those that came back."""

    sent: int
    reached: int
    means: Cell | None


class IdentityThresholds(Record):
    """The recogniser, and the distances below which it sees the same person.

    ``impostors`` pairs of photos of two people determine ``threshold_at_far``; ``false_accepts`` is the share of them that
    passes at ``threshold``, ``strict_false_accepts`` at ``strict``.
    """

    recogniser: str
    threshold: float
    strict: float
    far: float
    threshold_at_far: float | None
    impostors: int
    false_accepts: float
    strict_false_accepts: float


class LayerMean(Record):
    """Means over people of the values of `LayerChange`."""

    drawing: dict[str, float]
    tone: dict[str, float]
    moves: dict[str, float]
    yaw: float | None


class Summary(Record):
    """An evaluation's results.

    Attributes:
        table2: the paper's table II, by column, then by way.
        guards: the recognisers that replace a stand-in whose fake still looks like its sender.
        another: for each kind of fake, how many people got another than the first stand-in for that reason; ``unsent``: for
            how many no stand-in was left, so that `encrypt` sends nothing.
        cycle: by reader, by way, then by each layer that the paper's mask keeps: how style vectors put in correlate with those
            read back.
        levels: by level, then by way; ``levels_people`` were measured.
        table1: by layer; ``layers_people`` were measured.
    """

    method: int
    model: str
    model_hash: str
    image_size: int
    pairs: bool
    people: list[str]
    passed_over: dict[str, str]
    identity: IdentityThresholds
    table2: dict[Column, dict[str, Cell]]
    guards: str
    another: dict[Column, int]
    unsent: dict[Column, int]
    cycle: dict[Column, dict[str, dict[int, float]]]
    levels_people: int
    levels: dict[str, dict[str, LevelCell]]
    layers_people: int
    table1: list[LayerMean]


def summarise(
    trials: Sequence[Trial],
    layers: Sequence[LayerTrial],
    levels: Sequence[LevelTrial],
    header: Header,
    model: FaceModel,
    recogniser: Recogniser,
    *,
    people: list[str],
    passed_over: dict[str, str],
) -> Summary:
    """``trials``, at least two, are those of ``people``; ``layers`` and ``levels`` are those of some of them."""
    identity = _identity(trials, recogniser)
    # Only some people's portraits travelled every way.
    first = max(trials, key=lambda trial: len(trial.scores[Column.ENCRYPTED]))
    return Summary(
        method=header.method,
        model=model.name,
        model_hash=model.digest,
        image_size=model.image_size,
        pairs=header.pairs,
        people=people,
        passed_over=passed_over,
        identity=identity,
        table2={
            column: {
                way: _cell([trial.scores[column][way] for trial in trials if way in trial.scores[column]], identity)
                for way in ways
            }
            for column, ways in first.scores.items()
        },
        guards=header.guards,
        another={column: sum(trial.refused[column] > 0 for trial in trials) for column in first.refused},
        unsent={column: sum(trial.refused[column] == SEEDS for trial in trials) for column in first.refused},
        cycle={
            column: {
                way: {
                    layer: correlation(
                        [trial.cycle[column][way][layer] for trial in trials if way in trial.cycle[column]]
                    )
                    for layer in values
                }
                for way, values in ways.items()
            }
            for column, ways in first.cycle.items()
        },
        levels_people=len(levels),
        levels={
            level: {way: _level_cell(level, way, levels, identity) for way in LEVEL_WAYS} for level in LEVELS if levels
        },
        layers_people=len(layers),
        table1=[_layer_mean(layers, layer) for layer in range(model.n_styles) if layers],
    )


def _identity(trials: Sequence[Trial], recogniser: Recogniser) -> IdentityThresholds:
    described = [[np.array(one) for one in trial.descriptors] for trial in trials]
    impostors = [
        float(np.linalg.norm(first - second))
        for one, another in itertools.combinations(described, 2)
        for first, second in itertools.product(one, another)
    ]
    return IdentityThresholds(
        recogniser=recogniser.name,
        threshold=recogniser.threshold,
        strict=recogniser.strict,
        far=FAR,
        threshold_at_far=threshold_at_far(impostors),
        impostors=len(impostors),
        false_accepts=_below(impostors, recogniser.threshold),
        strict_false_accepts=_below(impostors, recogniser.strict),
    )


def _below(distances: Sequence[float], threshold: float) -> float:
    return sum(distance < threshold for distance in distances) / len(distances)


def _cell(scores: Sequence[Score], identity: IdentityThresholds) -> Cell:
    distances = [score.distance for score in scores]
    lpips = [score.lpips for score in scores if score.lpips is not None]
    at_far = identity.threshold_at_far
    return Cell(
        people=len(scores),
        psnr=fmean(score.psnr for score in scores),
        ssim=fmean(score.ssim for score in scores),
        lpips=fmean(lpips) if lpips else None,
        cosine=fmean(score.cosine for score in scores),
        distance=fmean(distances),
        verified=_below(distances, identity.threshold),
        strict=_below(distances, identity.strict),
        tar=None if at_far is None else _below(distances, at_far),
    )


def _level_cell(level: str, way: str, levels: Sequence[LevelTrial], identity: IdentityThresholds) -> LevelCell:
    recoveries = [trial.recoveries[level][way] for trial in levels]
    scores = [recovery.score for recovery in recoveries if recovery.score is not None]
    return LevelCell(
        sent=len(recoveries),
        reached=sum(recovery.reached == level for recovery in recoveries),
        means=_cell(scores, identity) if scores else None,
    )


def _layer_mean(layers: Sequence[LayerTrial], layer: int) -> LayerMean:
    changes = [trial.changes[layer] for trial in layers]
    yaws = [change.yaw for change in changes if change.yaw is not None]
    return LayerMean(
        drawing=_means([change.drawing for change in changes]),
        tone=_means([change.tone for change in changes]),
        moves=_means([change.moves for change in changes]),
        yaw=fmean(yaws) if yaws else None,
    )


def _means(values: Sequence[dict[str, float]]) -> dict[str, float]:
    names = dict.fromkeys(name for one in values for name in one)
    return {name: fmean(one[name] for one in values if name in one) for name in names}

"""The whole evaluation: person by person, each saved as soon as it is measured, and then the summary."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias, TypeVar, cast

import cv2
import numpy as np

from stylecrypt_msg.cli.cluster import TRIES, in_cluster
from stylecrypt_msg.errors import FaceError, InputError, NetworkError
from stylecrypt_msg.files import write_atomically
from stylecrypt_msg.models import FaceModel, load_model
from stylecrypt_msg.pictures import Pixels, encode_picture
from stylecrypt_msg.progress import Progress
from stylecrypt_msg.recognisers import Recogniser, installed_recognisers, load_recogniser

from .journal import Header, Journal, inputs_of
from .layers import LayerTrial, try_layers
from .levels import Friends, LevelTrial, friends, try_levels
from .metrics import Lpips, load_lpips
from .subjects import Subject
from .summary import Summary, summarise
from .travel import AS_SENT, WAYS
from .trial import Inversions, Record, Trial, try_person

__all__ = ["LAYERS_OF", "LEVELS_OF", "TILE", "TRAVEL_OF", "Spread", "Strips", "begin", "evaluate", "in_turn", "over"]

Result = TypeVar("Result", bound=Record)

METHOD = 7
"""Goes up when anything is measured differently, so that old results do not mix with new ones."""

TRAVEL_OF = 6
"""The first so many people, whose portraits travel every way; everybody's travels as sent."""

LAYERS_OF = 6
"""The first so many people, whose layers are examined one by one."""

LEVELS_OF = 6
"""The first so many people, whose photos are sent at each level."""

TILE = 192
"""Pixels a side of the pictures saved for the sheets."""


class Strips:
    """Rows of pictures of each person: JPEG files in the report's folder, for its sheets."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "people"

    def path(self, kind: str, person: str) -> Path:
        """The file for a row; not named after the person, whose name may be anything."""
        return self._folder / f"{hashlib.sha256(person.encode()).hexdigest()[:16]}-{kind}.jpg"

    def write(self, kind: str, person: str, pictures: Sequence[Pixels]) -> None:
        self._folder.mkdir(exist_ok=True)
        tiles = [cv2.resize(picture, (TILE, TILE), interpolation=cv2.INTER_AREA) for picture in pictures]
        row = np.asarray(np.concatenate(tiles, axis=1), np.uint8)
        write_atomically(self.path(kind, person), encode_picture(row, "JPEG", quality=92))


@dataclass(frozen=True)
class Instruments:
    """What measures people, loaded once."""

    inversions: Inversions
    recogniser: Recogniser
    lpips: Lpips | None
    guards: Sequence[Recogniser]


_here: list[Instruments] = []


def begin(model: str, recogniser: str, lpips: bool, guards: Sequence[str]) -> None:
    """The first thing in a worker: loads what `evaluate` was given elsewhere. Raises InputError, also where other ``guards``
    are installed."""
    here = installed_recognisers()
    if [one.name for one in here] != [*guards]:
        raise InputError(
            f"A worker has other recognisers: {', '.join(one.name for one in here)}.", hint="Install the same extras."
        )
    distance = load_lpips() if lpips else None
    _here[:] = [Instruments(Inversions(load_model(model)), load_recogniser(recogniser), distance, here)]


@dataclass(frozen=True)
class _Job:
    """Whom to measure: how the portrait travels each of ``ways``, with the stranger's photo as a wrong key; or, without a
    stranger, the layers."""

    subject: Subject
    stranger: Subject | None = None
    ways: tuple[str, ...] = ()

    @property
    def inputs(self) -> str:
        return inputs_of(self.subject, *([self.stranger] if self.stranger else []))


_Measured: TypeAlias = tuple[Trial | LayerTrial | None, Sequence[Pixels]]
"""A result, and the pictures for its strip."""

Spread: TypeAlias = Callable[[Callable[[_Job], _Measured], Sequence[_Job]], Iterable[tuple[_Job, _Measured]]]


def in_turn(work: Callable[[_Job], _Measured], jobs: Sequence[_Job]) -> Iterable[tuple[_Job, _Measured]]:
    """Each job with its result, one after the other in this process."""
    return ((job, work(job)) for job in jobs)


def over(ray: Any, *given: Any) -> Spread:
    """Each job by a worker of the cluster that ``ray`` has joined, where `begin` gets what is ``given``. It raises NetworkError
    for somebody whom no worker survives."""

    def spread(work: Callable[[_Job], _Measured], jobs: Sequence[_Job]) -> Iterable[tuple[_Job, _Measured]]:
        for job, measured in in_cluster(ray, work, jobs, begin, *given):
            if measured is None:
                raise NetworkError(
                    f"{job.subject.name}: the worker was killed {TRIES} times.",
                    hint="Perhaps it had too little memory.",
                )
            yield job, measured

    return spread


def measure(job: _Job) -> _Measured:
    here = _here[0]
    if job.stranger is None:
        return try_layers(job.subject, here.inversions) or (None, ())
    return try_person(job.subject, job.stranger, job.ways, here.inversions, here.recogniser, here.lpips, here.guards)


def evaluate(
    subjects: Sequence[Subject],
    passed_over: Mapping[Path, str],
    model: FaceModel,
    recogniser: Recogniser,
    lpips: Lpips | None,
    guards: Sequence[Recogniser],
    folder: Path,
    *,
    pairs: bool,
    model_name: str,
    spread: Spread = in_turn,
    progress: Progress,
) -> Summary:
    """Measures everybody in ``subjects`` who is not yet in ``folder``, and summarises the results.

    Args:
        passed_over: as `read_subjects` returns it.
        lpips: None leaves LPIPS out.
        guards: the recognisers with which the sender's program checks whether a fake still looks like its sender.
        folder: the report's, where results and strips of pictures are saved.
        model_name: the name by which `StyleCrypt` loads ``model``, for the levels.
        spread: has people measured elsewhere, where `begin` came first; not the levels, of which there are few.
        progress: called with what is being measured, how much of it is done, and out of how much.

    Raises InputError for fewer than two people (their photos serve as each other's wrong keys), for a folder with other
    results, or for a model without an encoder.
    """
    if len(subjects) < 2:
        raise InputError(
            "One person alone cannot be measured: somebody else's photo serves as the wrong key.",
            hint="Add more people.",
        )
    header = Header(
        method=METHOD,
        model=model.digest,
        recogniser=recogniser.name,
        pairs=pairs,
        lpips=lpips is not None,
        guards=" or ".join(guard.name for guard in guards),
    )
    journal, strips = Journal(folder, header), Strips(folder)
    subjects = [replace(subject, name=_plain(subject.name)) for subject in subjects]
    _here[:] = [Instruments(Inversions(model), recogniser, lpips, guards)]

    def each(part: str, whom: str, kind: type[Result], jobs: Sequence[_Job]) -> list[Result]:
        """The saved results of each job, or else new measurements; without those that are None."""
        results: dict[str, Result | None] = {}
        todo = []
        for job in jobs:
            name = job.subject.name
            kept = journal.get(part, name, job.inputs)
            if kept is not None and (kept[0] is None or strips.path(part, name).exists()):
                results[name] = None if kept[0] is None else kind.model_validate(kept[0])
            else:
                todo.append(job)
        progress(whom, len(results), len(jobs))
        for job, (result, pictures) in spread(measure, todo):
            name = job.subject.name
            if pictures:
                strips.write(part, name, pictures)
            journal.add(part, name, job.inputs, result)
            results[name] = cast("Result | None", result)
            progress(whom, len(results), len(jobs))
        return [found for job in jobs if (found := results[job.subject.name])]

    # The stranger is the person before, so that people added later change nothing.
    trials = each(
        "trial",
        "people",
        Trial,
        [
            _Job(subject, subjects[i - 1 if i else 1], tuple(WAYS) if i < TRAVEL_OF else (AS_SENT,))
            for i, subject in enumerate(subjects)
        ],
    )
    layer_trials = each("layers", "layers", LayerTrial, [_Job(subject) for subject in subjects[:LAYERS_OF]])
    level_trials = []

    with ExitStack() as stack:
        pair: list[Friends] = []  # made when needed

        def level(subject: Subject) -> LevelTrial | None:
            if not pair:
                pair.append(stack.enter_context(friends(model_name)))
            try:
                return try_levels(subject, pair[0], recogniser, lpips)
            except FaceError:  # the photo has a second face, which cannot be replaced
                return None

        some = subjects[:LEVELS_OF]
        for i, subject in enumerate(some):
            progress("levels", i, len(some))
            inputs = inputs_of(subject)
            if (kept := journal.get("levels", subject.name, inputs)) is None:
                tried = level(subject)
                journal.add("levels", subject.name, inputs, tried)
            else:
                tried = None if kept[0] is None else LevelTrial.model_validate(kept[0])
            level_trials += [tried] if tried else []
    progress("levels", len(some), len(some))

    return summarise(
        trials,
        layer_trials,
        level_trials,
        header,
        model,
        recogniser,
        people=[subject.name for subject in subjects],
        passed_over={_plain(path.name): why for path, why in passed_over.items()},
    )


def _plain(name: str) -> str:
    """A file's name without characters that UTF-8 cannot encode."""
    return name.encode(errors="replace").decode()

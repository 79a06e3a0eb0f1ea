"""The whole evaluation: person by person, each saved as soon as it is measured, and then the summary."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import cv2
import numpy as np

from stylecrypt_msg.errors import FaceError, InputError
from stylecrypt_msg.files import write_atomically
from stylecrypt_msg.models import FaceModel
from stylecrypt_msg.pictures import Pixels, encode_picture
from stylecrypt_msg.progress import Progress
from stylecrypt_msg.recognisers import Recogniser

from .journal import Header, Journal, inputs_of
from .layers import LayerTrial, try_layers
from .levels import Friends, LevelTrial, friends, try_levels
from .metrics import Lpips
from .subjects import Subject
from .summary import Summary, summarise
from .travel import AS_SENT, WAYS
from .trial import Inversions, Record, Trial, try_person

__all__ = ["LAYERS_OF", "LEVELS_OF", "TILE", "TRAVEL_OF", "Strips", "evaluate"]

Result = TypeVar("Result", bound=Record)

METHOD = 6
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
    progress: Progress,
) -> Summary:
    """Measures everybody in ``subjects`` who is not yet in ``folder``, and summarises the results.

    Args:
        passed_over: as `read_subjects` returns it.
        lpips: None leaves LPIPS out.
        guards: the recognisers with which the sender's program checks whether a fake still looks like its sender.
        folder: the report's, where results and strips of pictures are saved.
        model_name: the name by which `StyleCrypt` loads ``model``, for the levels.
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

    def once(part: str, kind: type[Result], measure: Callable[..., Result | None], *about: Subject) -> Result | None:
        """The saved result for the first of ``about``, or else a new measurement."""
        name, inputs = about[0].name, inputs_of(*about)
        kept = journal.get(part, name, inputs)
        if kept is not None and (kept[0] is None or part == "levels" or strips.path(part, name).exists()):
            return None if kept[0] is None else kind.model_validate(kept[0])
        result = measure(*about)
        journal.add(part, name, inputs, result)
        return result

    inversions = Inversions(model)
    travelling = {subject.name for subject in subjects[:TRAVEL_OF]}

    def trial(subject: Subject, stranger: Subject) -> Trial:
        ways = list(WAYS) if subject.name in travelling else [AS_SENT]
        result, pictures = try_person(subject, stranger, ways, inversions, recogniser, lpips, guards)
        strips.write("trial", subject.name, pictures)
        return result

    def layers(subject: Subject) -> LayerTrial | None:
        tried = try_layers(subject, inversions)
        if tried is None:
            return None
        strips.write("layers", subject.name, tried[1])
        return tried[0]

    trials, layer_trials, level_trials = [], [], []
    for i, subject in enumerate(subjects):
        progress("people", i, len(subjects))
        # The stranger is the person before, so that people added later change nothing.
        trials.append(once("trial", Trial, trial, subject, subjects[i - 1 if i else 1]))
    progress("people", len(subjects), len(subjects))

    some = subjects[:LAYERS_OF]
    for i, subject in enumerate(some):
        progress("layers", i, len(some))
        layer_trials.append(once("layers", LayerTrial, layers, subject))
    progress("layers", len(some), len(some))

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
            level_trials.append(once("levels", LevelTrial, level, subject))
    progress("levels", len(some), len(some))

    return summarise(
        [one for one in trials if one],
        [one for one in layer_trials if one],
        [one for one in level_trials if one],
        header,
        model,
        recogniser,
        people=[subject.name for subject in subjects],
        passed_over={_plain(path.name): why for path, why in passed_over.items()},
    )


def _plain(name: str) -> str:
    """A file's name without characters that UTF-8 cannot encode."""
    return name.encode(errors="replace").decode()

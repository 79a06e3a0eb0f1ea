"""The whole evaluation: person by person, each kept as soon as it is measured, and then the summary."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from ..errors import FaceError, InputError
from ..models import FaceModel
from ..pictures import encode_picture, write_atomically
from ..recognisers import Recogniser
from .journal import Header, Journal, inputs_of
from .layers import LayerTrial, try_layers
from .levels import LevelTrial, friends, try_levels
from .metrics import Lpips
from .subjects import Subject
from .summary import Summary, summarise
from .trial import Trial, try_person

__all__ = ["LAYERS_OF", "LEVELS_OF", "TILE", "Strips", "evaluate"]

Pixels: TypeAlias = NDArray[np.uint8]
Report: TypeAlias = Callable[[str, int, int], None]

METHOD = 1
"""Rises when anything is measured in another way, so that old results are not mixed with new ones."""

LAYERS_OF = 6
"""People whose layers are looked at one by one, the first ones."""

LEVELS_OF = 6
"""People whose photos are sent at each level, the first ones."""

TILE = 192
"""Pixels a side of the pictures that are kept for the sheets."""


class Strips:
    """Rows of pictures of each person, JPEG files in the report's folder, for its sheets."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "people"

    def path(self, kind: str, person: str) -> Path:
        """Not by the person's name, which may be anything."""
        return self._folder / f"{hashlib.sha256(person.encode(errors='surrogatepass')).hexdigest()[:16]}-{kind}.jpg"

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
    folder: Path,
    *,
    pairs: bool,
    model_name: str,
    report: Report,
) -> Summary:
    """Measures everybody in ``subjects`` who is not yet in ``folder``, and sums up.

    Args:
        passed_over: as `read_subjects` returns it.
        lpips: None leaves LPIPS out.
        folder: of the report; results and strips of pictures are kept there.
        model_name: what `StyleCrypt` loads ``model`` by, for the levels.
        report: hears what is being measured, how much of it is done, out of how much.

    Raises InputError for fewer than two people, whose photos are each other's wrong keys, for a folder with results of
    something else, or for a model without encoder.
    """
    if len(subjects) < 2:
        raise InputError(
            "One person alone cannot be measured: the wrong key is somebody else's photo.", hint="Add more people."
        )
    header = Header(
        method=METHOD, model=model.digest, recogniser=recogniser.name, lpips=lpips is not None, pairs=pairs
    )  # fmt: skip
    journal, strips = Journal(folder, header), Strips(folder)
    trials, layers, levels = [], [], []

    for i, subject in enumerate(subjects):
        report("people", i, len(subjects))
        # The one before, so that those who are added later change nothing.
        stranger = subjects[i - 1 if i else 1]
        inputs = inputs_of(subject, stranger)
        kept = journal.get("trial", subject.name, inputs)
        if kept is None or not strips.path("sheet", subject.name).exists():
            trial, pictures = try_person(subject, stranger, model, recogniser, lpips)
            strips.write("sheet", subject.name, pictures)
            journal.add("trial", subject.name, inputs, trial)
        else:
            trial = Trial.model_validate(kept[0])
        trials.append(trial)
    report("people", len(subjects), len(subjects))

    some = subjects[:LAYERS_OF]
    for i, subject in enumerate(some):
        report("layers", i, len(some))
        inputs = inputs_of(subject)
        kept = journal.get("layers", subject.name, inputs)
        if kept is None or (kept[0] is not None and not strips.path("layers", subject.name).exists()):
            tried = try_layers(subject, model)
            if tried is not None:
                strips.write("layers", subject.name, tried[1])
            layer_trial = None if tried is None else tried[0]
            journal.add("layers", subject.name, inputs, layer_trial)
        else:
            layer_trial = None if kept[0] is None else LayerTrial.model_validate(kept[0])
        if layer_trial is not None:
            layers.append(layer_trial)
    report("layers", len(some), len(some))

    with ExitStack() as stack:
        pair = None
        some = subjects[:LEVELS_OF]
        for i, subject in enumerate(some):
            report("levels", i, len(some))
            inputs = inputs_of(subject)
            kept = journal.get("levels", subject.name, inputs)
            if kept is None:
                pair = pair or stack.enter_context(friends(model_name))
                try:
                    level_trial = try_levels(subject, pair, recogniser, lpips)
                except FaceError:  # another face in the photo that cannot be replaced
                    level_trial = None
                journal.add("levels", subject.name, inputs, level_trial)
            else:
                level_trial = None if kept[0] is None else LevelTrial.model_validate(kept[0])
            if level_trial is not None:
                levels.append(level_trial)
        report("levels", len(some), len(some))

    return summarise(
        trials, layers, levels, header, model, recogniser, people=[subject.name for subject in subjects],
        passed_over={path.name: why for path, why in passed_over.items()},
    )  # fmt: skip

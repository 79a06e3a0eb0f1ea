"""Covers that no recogniser matches to their originals, with the stand-ins that suit their photos best."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .cipher import CoveredPhoto, EncryptionKeyFace, blur_alike, exchange, glimpse
from .errors import LikenessError, Remedy
from .faces import crop
from .models import FaceModel
from .progress import Progress, silent
from .recognisers import Recogniser

__all__ = ["MARGIN", "HiddenPhoto", "Likeness", "hide", "room"]

MARGIN = 0.05
"""By which a fake should be further from its original than each recogniser's threshold, since others see other things.

A face that none of its stand-ins hides that well gets the best of them.
"""

_PROMISING = MARGIN + 0.03  # a glimpse is off by as much
_DOUBTFUL_TRIES = 3
_COMPARED = 6  # key faces for a photo, of which the least visible comes first
_DESCRIBED = 256  # px, the side of the squares that a recogniser gets


@dataclass(frozen=True)
class Likeness:
    """What one recogniser says about a cover.

    Attributes:
        recogniser: its name.
        threshold: it takes two faces closer than this for the same person.
        distances: from each fake face to its original, left to right.
    """

    recogniser: str
    threshold: float
    distances: tuple[float, ...]

    @property
    def same(self) -> bool:
        """Whether it takes a fake face for its original."""
        return min(self.distances) < self.threshold


@dataclass(frozen=True, eq=False)
class HiddenPhoto:
    """A cover, and what recognisers say about it.

    Attributes:
        covered: the cover.
        shown: for each of its faces, left to right, the number of the key face that it got, counted from 0.
        likenesses: one for each recogniser; none if no face was replaced.
    """

    covered: CoveredPhoto
    shown: tuple[int, ...]
    likenesses: tuple[Likeness, ...]


def room(distances: NDArray[np.float64], recognisers: Sequence[Recogniser]) -> NDArray[np.float64]:
    """By how much fakes are beyond the threshold of the recogniser that sees the most: (N,) for distances (R, N)."""
    return np.asarray((distances - [[recogniser.threshold] for recogniser in recognisers]).min(0), np.float64)


def hide(
    covered: CoveredPhoto,
    model: FaceModel,
    key_faces: Sequence[EncryptionKeyFace],
    recognisers: Sequence[Recogniser],
    *,
    known: bool = False,
    matting: bool = False,
    blur: bool = False,
    force: bool = False,
    progress: Progress = silent,
) -> HiddenPhoto:
    """``covered``, with those of ``key_faces`` that hide its faces from all ``recognisers``.

    ``covered`` was made with the first of them, and with ``model`` and ``matting``. Of the first few that seem to hide a face,
    the one that is least visible in the photo is tried first. ``known``: the chat knows the first from earlier photos, and it
    stays if it passes at all, since a chat should not see a new person every other time. With ``force``, distances are
    measured but the cover stays as it is.

    With ``blur``, a face that none of ``key_faces`` hides from all ``recognisers`` is blurred; otherwise it raises
    LikenessError.
    """
    count = len(covered.quads)
    if not count:
        return HiddenPhoto(covered, (), ())

    def show(covered: CoveredPhoto, numbers: Mapping[int, int]) -> CoveredPhoto:
        chosen = {face: key_faces[number] for face, number in numbers.items()}
        return exchange(covered, model, chosen, matting=matting, progress=progress)

    originals = _described(covered.original, covered, range(count), recognisers)

    compared = 0 if known or force else min(_COMPARED // count, len(key_faces))
    tries = [_tries(covered, model, key_faces, recognisers, originals, face, compared) for face in range(count)]
    shown, best = np.zeros((2, count), int)
    if compared > 1:
        shown[:] = [next(numbers, 0) for numbers in tries]
        covered = show(covered, {face: number for face, number in enumerate(shown.tolist()) if number})
    distances, spare = np.zeros((len(recognisers), count)), np.full(count, -np.inf)
    tried = list(range(count))
    while tried:
        fakes = _described(covered.pixels, covered, tried, recognisers)
        apart = np.array([np.linalg.norm(a[tried] - b, axis=1) for a, b in zip(originals, fakes, strict=True)])
        for face, here, spared in zip(tried, apart.T, room(apart, recognisers), strict=True):
            if spared > spare[face]:
                best[face], spare[face], distances[:, face] = shown[face], spared, here
        alike = [] if force else np.flatnonzero(spare < np.where(known & (shown == 0), 0, MARGIN)).tolist()
        following = {face: number for face in alike if (number := next(tries[face], None)) is not None}
        tried = list(following)
        shown[tried] = list(following.values())
        covered = show(covered, following)
    alike = [] if force else np.flatnonzero(spare < 0).tolist()
    if alike and not blur:
        face = int(spare.argmin())
        number = int(np.argmin([row[face] - one.threshold for one, row in zip(recognisers, distances, strict=True)]))
        raise LikenessError(
            f"{_named(covered, face)} still looks like the original to {recognisers[number].name}: distance "
            f"{distances[number, face]:.2f}, and below {recognisers[number].threshold:.2f} two faces are the same person.",
            remedy=Remedy.OTHER_STAND_IN,
        )
    covered = show(covered, {face: best[face] for face in np.flatnonzero(best != shown).tolist() if face not in alike})
    if alike:
        covered = blur_alike(covered, alike, matting=matting)
    left = [face for face in range(count) if face not in alike]
    likenesses = tuple(
        Likeness(one.name, one.threshold, tuple(row[left].tolist()))
        for one, row in zip(recognisers, distances, strict=True)
    )
    return HiddenPhoto(covered, tuple(best[left].tolist()), likenesses if left else ())


def _tries(
    covered: CoveredPhoto,
    model: FaceModel,
    key_faces: Sequence[EncryptionKeyFace],
    recognisers: Sequence[Recogniser],
    originals: Sequence[NDArray[np.float32]],
    face: int,
    compared: int,
) -> Iterator[int]:
    """The numbers of the key faces to try for ``face``, the promising ones first: those of the first ``compared`` by their
    flaws, and all but the first if there is nothing to compare.

    They are told by a glimpse, since most do not hide the sender, and a whole fake takes four times as long.
    """
    several = compared > 1
    promising, doubtful = [], []
    for number in range(0 if several else 1, len(key_faces)):
        (square, flaw), spared = glimpse(covered, model, face, key_faces[number]), np.inf
        for recogniser, original in zip(recognisers, originals, strict=True):
            apart = np.linalg.norm(original[face] - recogniser.describe([square])[0])
            spared = min(spared, float(apart) - recogniser.threshold)
            if spared < _PROMISING:
                doubtful.append((spared, number))
                break
        else:
            promising.append((flaw, number))
        if not several or number + 1 >= compared:
            yield from (number for _, number in sorted(promising))
            promising.clear()
    yield from (number for _, number in sorted(doubtful, reverse=True)[:_DOUBTFUL_TRIES])


def _described(
    pixels: NDArray[np.uint8], covered: CoveredPhoto, faces: Sequence[int], recognisers: Sequence[Recogniser]
) -> list[NDArray[np.float32]]:
    """For each recogniser, the descriptors of ``faces`` in ``pixels``."""
    squares = [crop(pixels, covered.quads[face], _DESCRIBED) for face in faces]
    return [recogniser.describe(squares) for recogniser in recognisers]


def _named(covered: CoveredPhoto, face: int) -> str:
    if len(covered.quads) == 1:
        return "The fake face"
    return f"The fake of face {covered.numbers[face]} of {len(covered.found)}, from the left,"

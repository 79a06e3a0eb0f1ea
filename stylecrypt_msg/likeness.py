"""Covers that a recogniser does not match to their originals: a face that one stand-in does not hide gets another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .cipher import CoveredPhoto, EncryptionKeyFace, exchange
from .errors import LikenessError, Remedy
from .faces import crop
from .models import FaceModel
from .progress import Progress, silent
from .recognisers import Recogniser

__all__ = ["HiddenPhoto", "hide"]

_DESCRIBED = 256  # px, the side of the squares that a recogniser gets


@dataclass(frozen=True, eq=False)
class HiddenPhoto:
    """A cover, and what a recogniser says about it.

    Attributes:
        covered: the cover.
        shown: whose styles each of its faces got, left to right.
        distances: from each fake face to its original; None without a recogniser.
    """

    covered: CoveredPhoto
    shown: tuple[EncryptionKeyFace, ...]
    distances: tuple[float, ...] | None


def hide(
    covered: CoveredPhoto,
    model: FaceModel,
    key_faces: Sequence[EncryptionKeyFace],
    recogniser: Recogniser | None,
    *,
    matting: bool = False,
    force: bool = False,
    progress: Progress = silent,
) -> HiddenPhoto:
    """``covered``, with the next of ``key_faces`` for every face that still looks like its original.

    ``covered`` was made with the first of them, and with ``model`` and ``matting``. With ``force``, distances are measured but
    the cover stays as it is. Raises LikenessError when none of ``key_faces`` hides a face.
    """
    count = len(covered.quads)
    shown = [key_faces[0]] * count
    if recogniser is None:
        return HiddenPhoto(covered, tuple(shown), None)
    originals = recogniser.describe([crop(covered.original, quad, _DESCRIBED) for quad in covered.quads])
    distances = np.zeros(count)
    alike = list(range(count))
    for number, key_face in enumerate(key_faces):
        if number:
            covered = exchange(covered, model, key_face=key_face, faces=alike, matting=matting, progress=progress)
            for face in alike:
                shown[face] = key_face
        fakes = recogniser.describe([crop(covered.pixels, covered.quads[face], _DESCRIBED) for face in alike])
        distances[alike] = np.linalg.norm(originals[alike] - fakes, axis=1)
        alike = np.flatnonzero(distances < recogniser.threshold).tolist()
        if force or not alike:
            return HiddenPhoto(covered, tuple(shown), tuple(map(float, distances)))
    face = alike[0]
    raise LikenessError(
        f"{_named(covered, face)} still looks like the original to {recogniser.name}: distance {distances[face]:.2f}, and "
        f"below {recogniser.threshold:.2f} two faces are the same person.",
        remedy=Remedy.OTHER_STAND_IN,
    )


def _named(covered: CoveredPhoto, face: int) -> str:
    if len(covered.quads) == 1:
        return "The fake face"
    others = {other.number for other in (*covered.blurred, *covered.kept)}
    numbers = [number for number in range(1, covered.found + 1) if number not in others]
    return f"The fake of face {numbers[face]} of {covered.found}, from the left,"

"""Which faces of a photo are meant: by number, or by another picture of the person."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from .errors import FaceError, Remedy
from .faces import certain_faces, crop, detect_faces, face_quad
from .pictures import Pixels
from .recognisers import Recogniser

__all__ = ["numbers_of"]

_SIDE = 256  # px of the squares that recognisers are given
_CLEAR = 0.1  # of the threshold: by this much the nearest face is nearer than the next


def numbers_of(
    people: Sequence[int | Pixels], pixels: Pixels, recognisers: Callable[[], Sequence[Recogniser]]
) -> tuple[int, ...]:
    """The numbers, counted from 1 at the left, of faces in a photo, (H, W, 3) uint8: each given by its number, or by another
    picture of the person, which the first of ``recognisers`` compares.

    Raises FaceError if a picture shows no face, nobody in the photo is that person, or it could be one of two.
    """
    if all(isinstance(person, int) for person in people):
        return tuple(person for person in people if isinstance(person, int))
    found, recogniser = detect_faces(pixels), recognisers()[0]
    described = recogniser.describe([crop(pixels, face_quad(face.landmarks), _SIDE) for face in found])
    return tuple(person if isinstance(person, int) else _number_of(person, described, recogniser) for person in people)


def _number_of(picture: Pixels, described: np.ndarray, recogniser: Recogniser) -> int:
    faces = certain_faces(picture)
    if not faces:
        raise FaceError("No face was found in the picture of the person.", hint="Use a clear photo of the face.")
    face = max(faces, key=lambda one: one.eye_distance)
    (person,) = recogniser.describe([crop(picture, face_quad(face.landmarks), _SIDE)])
    apart = np.linalg.norm(described - person, axis=1) / recogniser.threshold
    order = np.argsort(apart)
    if not len(order) or apart[order[0]] > 1:
        raise FaceError(
            "Nobody in the photo looks like the person in the picture.",
            hint="Use another picture of the person.",
            remedy=Remedy.CHOOSE_FACE,
        )
    if len(order) > 1 and apart[order[1]] < apart[order[0]] + _CLEAR:
        one, other = sorted(int(number) + 1 for number in order[:2])
        raise FaceError(
            f"The person in the picture could be face {one} or face {other}, from the left.", remedy=Remedy.CHOOSE_FACE
        )
    return int(order[0]) + 1

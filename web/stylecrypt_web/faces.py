"""Finds the faces of a photo, for people to choose from."""

from __future__ import annotations

import numpy as np

from stylecrypt_msg.apps import APPS, App, reduced
from stylecrypt_msg.errors import FaceError
from stylecrypt_msg.faces import Refusal, check_face, detect_faces
from stylecrypt_msg.pictures import Pixels, encode_picture, read_photo
from stylecrypt_msg.progress import Progress

from .session import Found, OutgoingPhoto

__all__ = ["find_faces", "numbers_for", "shown_as"]

_SIDE = 1600  # px of what the page shows
_FACE = 160  # px


def shown_as(pixels: Pixels, side: int = _SIDE) -> bytes:
    """A JPEG for the page."""
    return encode_picture(reduced(pixels, side), "JPEG", quality=88)


def find_faces(outgoing: OutgoingPhoto, progress: Progress) -> None:
    """Finds the faces of a photo. Raises PictureError; FaceError if there are none."""
    progress("finding faces", 0, 1)
    pixels = read_photo(outgoing.photo).pixels
    height, width = pixels.shape[:2]
    found = []
    for number, face in enumerate(detect_faces(pixels), 1):
        left, top, wide, high = face.box
        right, bottom = min(left + wide, width), min(top + high, height)
        left, top = max(left, 0), max(top, 0)
        box = left / width, top / height, (right - left) / width, (bottom - top) / height
        found.append(Found(number, box, check_face(face, width, height), _portrait(pixels, face.centre, face.size)))
    if not any(face.refusal is not Refusal.UNSURE for face in found):
        raise FaceError(
            "No face was found in the picture.",
            hint="Use a photo in which the face is at least 40 px wide and not covered.",
        )
    outgoing.preview, outgoing.size, outgoing.found = shown_as(pixels), (width, height), tuple(found)


def _portrait(pixels: Pixels, centre: tuple[float, float], size: float) -> bytes:
    """A face with what is around it."""
    low = np.maximum(np.floor(np.subtract(centre, 0.7 * size)).astype(int), 0)
    high = np.ceil(np.add(centre, 0.7 * size)).astype(int)
    return shown_as(np.ascontiguousarray(pixels[low[1] : high[1], low[0] : high[0]]), _FACE)


def numbers_for(outgoing: OutgoingPhoto, app: App | None) -> dict[int, int]:
    """The faces' numbers in the picture that `StyleCrypt.encrypt` makes for an app, which may be smaller than the photo.

    Raises FaceError if other faces are found in it: then what was chosen is not what would happen.
    """
    same = {face.number: face.number for face in outgoing.found}
    side = None if app is None else APPS[app].side
    if side is None or max(outgoing.size) <= side:
        return same
    pixels = reduced(read_photo(outgoing.photo).pixels, side)
    height, width = pixels.shape[:2]
    again = [(face.centre[0] / width, face.centre[1] / height) for face in detect_faces(pixels)]
    numbers = {}
    for face in outgoing.found:
        left, top, wide, high = face.box
        here = [number for number, (x, y) in enumerate(again, 1) if left <= x <= left + wide and top <= y <= top + high]
        if len(here) == 1:
            numbers[face.number] = here[0]
    if len(again) != len(same) or len(set(numbers.values())) != len(same):
        raise FaceError(
            "At the size that this app takes, other faces are found than in the whole photo.",
            hint="Hide all faces, or choose no app.",
        )
    return numbers

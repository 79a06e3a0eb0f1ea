"""Key faces as pictures: what to make of a photo before it is shared, and what may be taken for one."""

from __future__ import annotations

import os

from ..errors import InputError, MessageError, PictureError
from ..faces import certain_faces, crop
from ..faces.align import face_quad
from ..pictures import encode_picture, read_picture

__all__ = ["check_key_face", "key_face_picture"]

_SIDE = 1024  # px: what the embedded model makes; more would not be used
_MARGIN = 1.3  # times the face's square, so that the face is found in it again


def key_face_picture(photo: bytes | str | os.PathLike[str]) -> bytes:
    """The head alone, as a JPEG of at most 1024 px: a key face shows nothing of the place where it was taken.

    Raises InputError if there is not just one face, or it cannot be found again; PictureError.
    """
    where = "the photo" if isinstance(photo, bytes) else os.fspath(photo)
    pixels = read_picture(photo).pixels
    faces = certain_faces(pixels)
    if len(faces) != 1:
        found = "No face was" if not faces else f"{len(faces)} faces were"
        raise InputError(f"{found} found in {where}.", hint="Use a photo that shows one face, yours, from the front.")
    quad = face_quad(faces[0].landmarks)
    centre = quad.mean(0)
    wide = centre + (quad - centre) * _MARGIN
    side = min(_SIDE, max(64, round(float(abs(wide[1] - wide[0]).max()))))
    head = crop(pixels, wide, side)
    # Of several finds, as in what is mirrored at the photo's border, the largest is the face to all who use it.
    if not certain_faces(head):
        raise InputError(f"The face in {where} is too small or too far from the front.", hint="Use another photo.")
    return encode_picture(head, "JPEG")


def check_key_face(picture: bytes) -> None:
    """Raises MessageError if what somebody shared is no picture."""
    try:
        read_picture(picture)
    except PictureError as error:
        raise MessageError(f"The key face is not a picture that can be read. {error}") from error

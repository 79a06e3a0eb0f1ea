"""Faces in a photo: find them, cut them out as FFHQ aligns them, and put others in their place.

::

    for face in detect_faces(pixels):              # left to right
        if refusal := check_face(face, width, height):
            pixels = blur(pixels, face)  # and say so
            continue
        quad = face_quad(face.landmarks)
        square = crop(pixels, quad, 1024)          # upright, for the model
        ...
        pixels = paste(pixels, fake, quad, face.landmarks, foreign=True)

All pixels are uint8 sRGB; all coordinates are (x, y) in pixels of the photo, continuous, from its outer
corner.
"""

from .align import Quad, crop, face_quad
from .blur import blur
from .detect import certain_faces, check_face, detect_faces, exposed_faces
from .detectors import LANDMARKS, Face, Refusal
from .matte import matte
from .paste import Patch, paste

__all__ = [
    "LANDMARKS",
    "Face",
    "Patch",
    "Quad",
    "Refusal",
    "blur",
    "certain_faces",
    "check_face",
    "crop",
    "detect_faces",
    "exposed_faces",
    "face_quad",
    "matte",
    "paste",
]

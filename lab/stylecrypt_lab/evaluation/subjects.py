"""The people to measure, each with a photo, and with a second one if the folder has pairs."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stylecrypt_msg.errors import InputError
from stylecrypt_msg.faces import Face, Quad, check_face, crop, detect_faces, face_quad
from stylecrypt_msg.pictures import SUFFIXES, read_photo

__all__ = ["Photo", "Subject", "read_subjects"]

_WHO = re.compile(r"(.+?)[-_ ]")


@dataclass(frozen=True)
class Photo:
    """A photo and the face to measure in it, the largest. ``pixels``: (H, W, 3) uint8 RGB."""

    path: Path
    pixels: NDArray[np.uint8]
    face: Face

    @cached_property
    def quad(self) -> Quad:
        """FFHQ's square around the face."""
        return face_quad(self.face.landmarks)

    def square(self, size: int) -> NDArray[np.uint8]:
        """The aligned face, (size, size, 3) uint8 RGB."""
        return crop(self.pixels, self.quad, size)


@dataclass(frozen=True)
class Subject:
    """A person. ``photo`` is the one they send; ``other`` is another photo of them, None if there is none."""

    name: str
    photo: Photo
    other: Photo | None


def read_subjects(
    folder: Path, *, pairs: bool, limit: int | None = None, progress: Callable[[int, int], None] | None = None
) -> tuple[list[Subject], dict[Path, str]]:
    """The people in a folder of photos in the order of their names, and the files passed over, with the reason.

    With ``pairs``, the part of a file's name before the first "-", "_" or blank names the person (``007-smiling.jpg``); a
    person's first file is the photo they send, the second is the other photo, and people with one file are passed over.
    Otherwise every file is a person. ``progress`` is called with (files read, files in total). Raises InputError when nobody is
    left.
    """
    if not folder.is_dir():
        raise InputError(f"There is no folder {folder}.", hint="Give a folder of photos.")
    paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)
    people: defaultdict[str, list[Path]] = defaultdict(list)
    for path in paths:
        who = _WHO.match(path.stem) if pairs else None
        people[who[1] if who else path.stem].append(path)
    passed_over: dict[Path, str] = {}
    subjects: list[Subject] = []
    read = 0
    for name, files in people.items():
        if limit is not None and len(subjects) == limit:
            break
        photos: list[Photo] = []
        for path in files[:2] if pairs else files:
            try:
                photos.append(_read(path))
            except InputError as error:
                passed_over[path] = str(error)
            read += 1
            if progress is not None:
                progress(read, len(paths))
        if pairs and len(photos) < 2:
            passed_over |= {photo.path: "There is no other photo of this person." for photo in photos}
            continue
        if photos:
            subjects.append(Subject(name, photos[0], photos[1] if pairs else None))
    if not subjects:
        example = "; ".join(f"{path.name}: {why}" for path, why in [*passed_over.items()][:1])
        raise InputError(
            f"Nobody in {folder} can be measured{f'; {example}' if example else '.'}",
            hint="The two photos of a person are named as 007-a.jpg and 007-b.jpg."
            if pairs
            else "Give a folder of photos.",
        )
    return subjects, passed_over


def _read(path: Path) -> Photo:
    pixels = read_photo(path).pixels
    height, width = pixels.shape[:2]
    faces = [face for face in detect_faces(pixels) if check_face(face, width, height) is None]
    if not faces:
        raise InputError(f"There is no face in {path.name} that can be replaced.")
    return Photo(path, pixels, max(faces, key=lambda face: float(np.ptp(face.landmarks[:, 0]))))

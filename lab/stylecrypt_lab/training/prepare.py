"""Turns a folder of photos into shards: finds the face, aligns it as in FFHQ, cuts it out. The paper's preprocessing, figure 6.

The person in a photo is named by its folder; in the top folder, by the part of the file name before the first "-", "_" or blank
(``007-smiling.jpg``).
"""

from __future__ import annotations

import io
import os
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stylecrypt_msg.errors import FaceError, InputError
from stylecrypt_msg.faces import certain_faces, check_face, crop, face_quad, matte
from stylecrypt_msg.files import write_atomically
from stylecrypt_msg.pictures import SUFFIXES, read_photo

from .runs import make_folder
from .shards import INDEX, Index, Shard, Square, read_index, write_index

__all__ = ["check_size", "person_of", "prepare"]

_WHO = re.compile(r"(.+?)[-_ ]")
_PHOTOS = 256  # per shard; a stopped run repeats up to this many; 50 MB at 256 px
_BACKGROUND = 128  # grey: 0 in the networks' range


def check_size(size: int) -> None:
    """Raises InputError unless StyleGAN2 can make pictures of ``size`` pixels a side."""
    if not 32 <= size <= 1024 or size.bit_count() != 1:
        raise InputError(f"Pictures cannot have {size} px a side.", hint="Use 32, 64, 128, 256, 512 or 1024.")


def person_of(photo: str) -> str:
    """The person in the photo of this name, which is relative to the folder of photos, with "/" between folders."""
    folder, _, name = photo.rpartition("/")
    who = _WHO.match(name)
    return folder or (who[1] if who else Path(name).stem)


def prepare(
    photos: Path, folder: Path, size: int, *, with_matte: bool, progress: Callable[[int, int], None] = lambda *_: None
) -> Index:
    """Cuts the largest face out of each photo below ``photos`` into shards in ``folder``; returns their index.

    Squares have ``size`` pixels a side; ``with_matte`` puts the person on grey. Photos that the index already lists are not
    read again: a stopped run resumes, and new photos are added. ``progress`` is called with (photos done, photos in total).

    Raises InputError if there are no photos, none has a face, StyleGAN2 does not support the size, or the folder holds
    shards of another kind.
    """
    check_size(size)
    index = read_index(folder) if (folder / INDEX).exists() else Index(size=size, matte=with_matte)
    if (index.size, index.matte) != (size, with_matte):
        kind = f"{index.size} px {'with' if index.matte else 'without'} matte"
        raise InputError(
            f"{folder} holds shards of another kind, {kind}.", hint="Give another folder, or the same options."
        )
    found = sorted(path for path in photos.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())
    if not found:
        raise InputError(f"There are no photos in {photos}.", hint="Give a folder of JPEG, PNG or WebP files.")
    known = {picture.photo for shard in index.shards for picture in shard.pictures} | set(index.refused)
    left = [path for path in found if path.relative_to(photos).as_posix() not in known]
    make_folder(folder)

    def cut(path: Path) -> NDArray[np.uint8] | str:
        try:
            return _square(path, size, with_matte)
        except InputError as error:
            return str(error)

    done = len(found) - len(left)
    workers = ThreadPoolExecutor(os.cpu_count())
    try:
        for start in range(0, len(left), _PHOTOS):
            part = left[start : start + _PHOTOS]
            squares: list[NDArray[np.uint8]] = []
            origins: list[Square] = []
            for path, result in zip(part, workers.map(cut, part), strict=True):
                name = path.relative_to(photos).as_posix()
                if isinstance(result, str):
                    index.refused[name] = result
                else:
                    squares.append(result)
                    origins.append(Square(photo=name, person=person_of(name)))
                done += 1
                progress(done, len(found))
            if squares:
                shard = Shard(file=f"shard-{len(index.shards):05}.npy", pictures=origins)
                data = io.BytesIO()
                np.save(data, np.stack(squares), allow_pickle=False)
                write_atomically(folder / shard.file, data.getvalue())
                index.shards.append(shard)
            write_index(index, folder)  # last: what it does not list is done again
    finally:
        workers.shutdown(cancel_futures=True)
    if not index.shards:
        name, reason = next(iter(index.refused.items()))
        raise InputError(f"No photo in {photos} can be used; {name}: {reason}", hint=f"{folder / INDEX} says why.")
    return index


def _square(path: Path, size: int, with_matte: bool) -> NDArray[np.uint8]:
    pixels = read_photo(path).pixels
    height, width = pixels.shape[:2]
    faces = certain_faces(pixels)
    if not faces:
        raise FaceError("There is no face in it.")
    face = max(faces, key=lambda face: face.box[2] * face.box[3])
    if refusal := check_face(face, width, height):
        raise FaceError(f"It cannot be used: {refusal}.")
    square = crop(pixels, face_quad(face.landmarks), size)
    if with_matte:
        alpha = matte(square)[..., None]
        square = (alpha * square + (1 - alpha) * _BACKGROUND).round().astype(np.uint8)
    return square

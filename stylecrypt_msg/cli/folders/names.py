"""The pictures in a folder, and names for what is made of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath

from ...errors import InputError
from ...pictures import PHOTO_SUFFIXES, SUFFIXES
from ..places import Place

__all__ = ["names_for", "photos_in"]


def photos_in(source: Place) -> list[str]:
    """The pictures below a folder, hidden ones left out."""
    found = [name for name in source.files() if PurePosixPath(name).suffix.lower() in PHOTO_SUFFIXES]
    if not found:
        raise InputError(f"No picture is in {source}.")
    if unreadable := [photo for photo in found if not photo.isprintable()]:
        raise InputError(f"{unreadable[0]} has a name that no report can show.", hint="Rename it.")
    return found


def names_for(photos: Sequence[str], otherwise: str) -> dict[str, str]:
    """A name for each result: the picture's, with a suffix that we write. No two are the same, nor share an envelope's."""
    names: dict[str, str] = {}
    taken: set[str] = set()
    for photo in photos:
        path = PurePosixPath(photo)
        suffix = path.suffix if path.suffix.lower() in SUFFIXES else otherwise
        stems = (
            path.with_suffix(""),
            *(path.with_name(f"{path.stem}-{number}") for number in range(2, len(photos) + 2)),
        )
        stem = next(stem for stem in stems if str(stem).casefold() not in taken)
        taken.add(str(stem).casefold())
        names[photo] = f"{stem}{suffix}"
    return names

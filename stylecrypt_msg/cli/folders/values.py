"""What folders are made of: pictures, what becomes of them, and plans."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict

from ...apps import App
from ..places import Place

__all__ = ["Job", "Opening", "Outcome", "Plan", "PlannedFace", "PlannedPhoto", "Setting"]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Outcome(_Strict):
    """What became of a picture.

    Attributes:
        photo: its path in the folder, with slashes.
        digest: `Place.digest` of it.
        output: the path of the result in the other folder; None: there is none.
        same_as: the picture in the folder whose copy this is.
        error, hint: why it was refused, and what to do.
        facts: what the command for one picture says about it as JSON.
        lines: the same for people.
    """

    photo: str
    digest: str = ""
    output: str | None = None
    same_as: str | None = None
    error: str | None = None
    hint: str | None = None
    facts: dict[str, Any] = {}
    lines: tuple[str, ...] = ()


class PlannedFace(_Strict):
    """A face of a photo.

    Attributes:
        face: its number from the left.
        box: left, top, width and height in pixels.
        do: what will happen to it; to be edited.
        why: why it cannot be hidden behind another face; None: it can.
    """

    face: int
    box: tuple[int, int, int, int]
    do: Literal["hide", "blur", "keep"]
    why: str | None


class PlannedPhoto(_Strict):
    """``digest``: `Place.digest` of it: in another file, the numbers mean other faces."""

    photo: str
    digest: str
    faces: tuple[PlannedFace, ...]


class Plan(_Strict):
    """What `encrypt` would do to a folder. Photos that are taken out of it are left out.

    Attributes:
        app: the app that it is for: faces are counted in the picture of the size that the app leaves alone.
    """

    app: App | None
    photos: tuple[PlannedPhoto, ...]


Opening: TypeAlias = tuple[Path | None, str | None, str]
"""A profile's folder, its passphrase, and the model."""


@dataclass(frozen=True)
class Job:
    """A picture: its path in the folder, that of its result, and options of its own."""

    photo: str
    output: str
    options: dict[str, Any]


@dataclass(frozen=True)
class Setting:
    """What all pictures have in common."""

    source: Place
    output: Place
    to: tuple[str, ...]
    options: dict[str, Any]

"""What goes over HTTP: a form with a photo, and JSON with its cover; the same table reads, writes and describes them.

The client sends pixels, as a JPEG without anything else of the photo's file. The server returns the changes alone, packed as a
residual (protocol/SPEC.md, annex A), which turns a photo into its cover as it turns a cover into its photo.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Annotated, TypeAlias

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, Strict, StringConstraints
from stylecrypt_protocol import Level
from stylecrypt_protocol.limits import MAX_FACES

from stylecrypt_msg import errors
from stylecrypt_msg.choices import Form, Others
from stylecrypt_msg.cipher import Unreplaced
from stylecrypt_msg.covering import Cover, CoverOrder
from stylecrypt_msg.errors import InputError, Remedy, StyleCryptError
from stylecrypt_msg.faces import Refusal
from stylecrypt_msg.pictures import Format, Picture, Pixels, encode_picture, read_picture
from stylecrypt_msg.residual import pack_faces, restore_faces
from stylecrypt_msg.standin_choice import Likeness
from stylecrypt_msg.standins import SEEDS
from stylecrypt_msg.stylemix import LayerMask

__all__ = [
    "COVERS",
    "Answer",
    "CoverRequest",
    "Fields",
    "Problem",
    "answer_to",
    "cover_of",
    "error_of",
    "problem_of",
    "request_of",
]

COVERS = "/v1/covers"

_Text: TypeAlias = Annotated[str, Strict(), StringConstraints(max_length=200)]
_Person: TypeAlias = Annotated[int | bytes, Field(union_mode="left_to_right")]
_People: TypeAlias = Annotated[list[_Person], Field(max_length=MAX_FACES)]
_Number: TypeAlias = Annotated[int, Field(ge=0, le=2**16)]


class _Wire(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, ser_json_bytes="base64", val_json_bytes="base64")


class CoverRequest(_Wire):
    """A photo to cover, and how. Lists are fields that repeat."""

    photo: bytes = Field(repr=False, description="A JPEG, PNG or WebP file.")
    level: Level = Field(default=Level.ORIGINAL, description="What will travel sealed, which decides the effort.")
    stand_in: Annotated[list[_Text | bytes], Field(max_length=SEEDS)] = Field(
        default=[],
        repr=False,
        description="Seeds of people who do not exist, tried in turn; or one picture file. By default random ones.",
    )
    known: bool = Field(default=False, description="The chat knows the first stand-in: it stays if it passes at all.")
    only: _People | None = Field(
        default=None,
        repr=False,
        description="The faces to replace: numbers, counted from 1 at the left, or pictures of people.",
    )
    nobody: bool = Field(default=False, description="Replace no face: blur them all.")
    keep: _People = Field(default=[], repr=False, description="The faces that stay as they are, named likewise.")
    others: Others | None = Field(
        default=None, description="What happens to the rest; by default keep with `only`, else blur."
    )
    mask: _Text | None = Field(default=None, description="The layers to replace; by default those of the form.")
    form: Form = Field(default="photo", description="The whole photo, or the aligned square of one face.")
    matting: bool = Field(default=False, description="Keep the stand-in's hair.")
    force: bool = Field(default=False, description="Keep a fake that still looks like the original.")
    picture: Format | None = Field(default=None, description="Also return the cover as a file of this format.")


class _Likeness(_Wire):
    """What one recogniser says: it takes two faces closer than `threshold` for the same person."""

    recogniser: str = Field(max_length=100)
    threshold: float
    distances: tuple[float, ...] = Field(description="From each fake face to its original, left to right.")


_Reason = Enum("_Reason", {one.name: one.name for one in Refusal}, type=str)  # type: ignore[misc]
"""Refusals by name: their values are sentences, which change."""


class _Unreplaced(_Wire):
    """A face that was not replaced: its number from the left, and why; null: it was not chosen."""

    number: _Number
    reason: _Reason | None


_Point: TypeAlias = tuple[float, float]


class Answer(_Wire):
    """A cover, as the changes that turn the photo into it, and what it still shows. Bytes are base64 (RFC 4648, section 5)."""

    changes: bytes = Field(
        repr=False, description="Turn the photo into its cover: a residual, protocol/SPEC.md annex A.2."
    )
    original: bytes | None = Field(
        default=None, repr=False, description="A PNG of the aligned square that a portrait replaces."
    )
    styles: bytes | None = Field(
        default=None, repr=False, description="At level latent: a residual, annex A.1. Secret."
    )
    picture: bytes | None = Field(default=None, repr=False, description="The cover as a file, if it was asked for.")
    faces_found: _Number
    quads: tuple[tuple[_Point, _Point, _Point, _Point], ...] = Field(
        max_length=MAX_FACES, description="Where the fake faces sit, in pixels, clockwise from the top left."
    )
    blurred: tuple[_Unreplaced, ...]
    kept: tuple[_Unreplaced, ...]
    shown: tuple[_Number, ...] = Field(
        max_length=MAX_FACES, description="For each of `quads`, the stand-in that it got, counted from 0."
    )
    stand_ins: tuple[str, ...] = Field(max_length=SEEDS, description="The seeds that were tried; none for a picture.")
    likenesses: tuple[_Likeness, ...] = Field(max_length=16)
    mask: str = Field(max_length=200)
    n_styles: int = Field(ge=1, le=64)
    model: str = Field(max_length=200)
    model_hash: str = Field(pattern="^[0-9a-f]{64}$")


class Problem(_Wire):
    """Why there is no cover: what happened, and what to do."""

    kind: str = Field(description="The error's class in stylecrypt_msg.errors.")
    message: str
    hint: str | None = None
    remedy: str | None = Field(default=None, description="What to do, as stylecrypt_msg.errors.Remedy.")
    facts: dict[str, str] = Field(default={}, description="What the remedy's words need.")


# ---- on the server


def answer_to(form: CoverRequest, read: Picture, order: CoverOrder, cover: Cover) -> Answer:
    """``read``: the form's photo, of which ``cover`` was made, for ``order``."""
    portrait = form.form == "portrait"
    return Answer(
        changes=pack_faces(cover.pixels, cover.original, None if portrait else read.jpeg),
        original=encode_picture(cover.original, "PNG") if portrait else None,
        styles=cover.styles,
        picture=encode_picture(cover.pixels, form.picture, ai_made=True) if form.picture else None,
        faces_found=cover.found,
        quads=tuple(tuple((float(x), float(y)) for x, y in quad) for quad in cover.quads),  # type: ignore[misc]
        blurred=tuple(map(_unreplaced, cover.blurred)),
        kept=tuple(map(_unreplaced, cover.kept)),
        shown=cover.shown,
        stand_ins=tuple(one for one in order.key_faces if isinstance(one, str)),
        likenesses=tuple(
            _Likeness(recogniser=one.recogniser, threshold=one.threshold, distances=one.distances)
            for one in cover.likenesses
        ),
        mask=str(cover.mask),
        n_styles=cover.mask.n_styles,
        model=cover.model,
        model_hash=cover.model_hash,
    )


def _unreplaced(one: Unreplaced) -> _Unreplaced:
    return _Unreplaced(number=one.number, reason=one.reason and _Reason[one.reason.name])


def problem_of(error: StyleCryptError) -> Problem:
    return Problem(
        kind=type(error).__name__,
        message=str(error),
        hint=error.hint,
        remedy=error.remedy.name if error.remedy else None,
        facts=error.facts,
    )


# ---- at the client

Fields: TypeAlias = Mapping[str, Sequence[str | bytes]]
"""The fields of a form, each with its values: text, or the bytes of a file."""


def request_of(order: CoverOrder) -> Fields:
    """The form that asks for a cover. Raises InputError for what no server is asked for."""
    if order.refine_steps:
        raise InputError(
            "The service does not refine.", hint="Leave the refinement out, or make the cover on this machine."
        )
    choices = {"level": order.level, "others": order.others, "mask": order.mask, "form": order.form}
    flags = {"known": order.known, "matting": order.matting, "force": order.force}
    return {
        "photo": [encode_picture(order.pixels, "JPEG")],
        "stand_in": [_value(one) for one in order.key_faces],
        "only": [_value(one) for one in order.only or ()],
        "nobody": ["true"] if order.only is not None and not order.only else [],
        "keep": [_value(one) for one in order.keep],
        **{name: [str(value)] for name, value in choices.items() if value is not None},
        **{name: ["true"] for name, value in flags.items() if value},
    }


def _value(given: int | str | Pixels) -> str | bytes:
    return encode_picture(given, "JPEG") if isinstance(given, np.ndarray) else str(given)


def cover_of(answer: Answer, order: CoverOrder) -> Cover:
    """What a server made of ``order``. Raises InputError or ValueError for an answer that does not fit."""
    original = order.pixels
    if (answer.original is not None) != (order.form == "portrait"):
        raise ValueError("the answer is for another form")
    if answer.original is not None:
        original = read_picture(answer.original).pixels
    if not len(answer.shown) == len(answer.quads) <= answer.faces_found or max(answer.shown, default=0) >= len(
        order.key_faces
    ):
        raise ValueError("the answer does not say which faces it covers")
    if (answer.styles is not None) != (order.level is Level.LATENT):
        raise ValueError("the answer is for another level")
    height, width = original.shape[:2]
    return Cover(
        pixels=restore_faces(answer.changes, original, width, height),
        original=original,
        quads=tuple(np.array(quad, np.float64) for quad in answer.quads),
        mask=LayerMask.parse(answer.mask, answer.n_styles),
        styles=answer.styles,
        found=answer.faces_found,
        blurred=tuple(map(_unreplaced_of, answer.blurred)),
        kept=tuple(map(_unreplaced_of, answer.kept)),
        shown=answer.shown,
        likenesses=tuple(Likeness(one.recogniser, one.threshold, one.distances) for one in answer.likenesses),
        model=answer.model,
        model_hash=answer.model_hash,
    )


def _unreplaced_of(one: _Unreplaced) -> Unreplaced:
    return Unreplaced(one.number, one.reason and Refusal[one.reason.name])


def error_of(problem: Problem) -> InputError:
    """The error that the server met. Raises ValueError if it is none that a photo or a choice can cause."""
    kind = getattr(errors, problem.kind, None)
    if not (isinstance(kind, type) and issubclass(kind, InputError)):
        raise ValueError("the answer is no error of covers")
    remedy = Remedy.__members__.get(problem.remedy or "")
    if remedy is not None and set(problem.facts) != set(remedy.facts):
        raise ValueError("the remedy lacks its facts")
    return kind(problem.message, hint=problem.hint, remedy=remedy, **(problem.facts if remedy else {}))

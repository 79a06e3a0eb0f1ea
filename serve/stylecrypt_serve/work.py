"""What a worker does: a form in, an answer out. Photos stay in memory, and no error names anything but its class."""

from __future__ import annotations

import io
import secrets
from dataclasses import dataclass, field

from PIL import Image

from stylecrypt_msg.covering import Coverer, CoverOrder, coverer
from stylecrypt_msg.errors import InputError, PictureError, StyleCryptError
from stylecrypt_msg.models.model_cache import ModelCache
from stylecrypt_msg.pictures import Pixels, read_picture
from stylecrypt_msg.progress import silent
from stylecrypt_msg.recognisers import installed_recognisers
from stylecrypt_msg.standins import seeds

from .wire import CoverRequest, answer_to, problem_of

__all__ = ["MAX_PIXELS", "Result", "answer", "begin", "load"]

MAX_PIXELS = 50_000_000
"""Of a photo: phones make 12 to 50 million. Each takes a worker 12 bytes and more."""


@dataclass(frozen=True)
class Result:
    """An HTTP status, and JSON."""

    status: int
    body: bytes = field(repr=False)


@dataclass
class _Here:
    model: str
    models: ModelCache
    cover: Coverer


_here: list[_Here] = []


def begin(model: str) -> None:
    """Before anything else. ``model``: a name or a file."""
    models = ModelCache()
    _here[:] = [_Here(model, models, coverer(models, installed_recognisers))]


def load() -> None:
    """Loads the model. Raises ModelError."""
    _here[0].models.named(_here[0].model)


def answer(form: CoverRequest) -> Result:
    """200 and an `Answer`; 422 and a `Problem` for a photo or a choice that cannot be used."""
    here = _here[0]
    try:
        _check_size(form.photo)
        read = read_picture(form.photo)
        order = CoverOrder(
            pixels=read.pixels,
            model=here.model,
            level=form.level,
            key_faces=_key_faces(form),
            known=form.known,
            only=() if form.nobody else None if form.only is None else _people(form.only),
            keep=_people(form.keep),
            others=form.others,
            mask=form.mask,
            form=form.form,
            matting=form.matting,
            force=form.force,
        )
        cover = here.cover(order, silent)
        return Result(200, answer_to(form, read, order, cover).model_dump_json().encode())
    except StyleCryptError as error:
        return Result(422, problem_of(error).model_dump_json().encode())


def _key_faces(form: CoverRequest) -> list[str | int | Pixels]:
    if not form.stand_in:
        return [*seeds(secrets.token_hex(4))]
    pictures = [one for one in form.stand_in if isinstance(one, bytes)]
    if pictures and len(form.stand_in) > 1:
        raise InputError("Give either one stand-in picture or seeds, not both.")
    return [_read(one) if isinstance(one, bytes) else one for one in form.stand_in]


def _people(given: list[int | bytes]) -> list[int | Pixels]:
    return [one if isinstance(one, int) else _read(one) for one in given]


def _read(picture: bytes) -> Pixels:
    _check_size(picture)
    return read_picture(picture).pixels


def _check_size(picture: bytes) -> None:
    """Before anything is decoded. Raises PictureError."""
    try:
        with Image.open(io.BytesIO(picture), formats=("JPEG", "PNG", "WEBP")) as image:
            pixels = image.width * image.height
    except Exception:  # of many types, on hostile bytes
        raise PictureError("This is not a JPEG, PNG or WebP file.") from None
    if pixels > MAX_PIXELS:
        raise PictureError(
            f"The photo has {pixels // 10**6} million pixels; up to {MAX_PIXELS // 10**6} million are covered here.",
            hint="Make a smaller copy and use that.",
        )

"""One picture of a folder, in the process or thread that works on it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, TypeVar

from stylecrypt_protocol import ENVELOPE_SUFFIX

from ...apps import APPS, reduced
from ...cipher import EncryptionKeyFace
from ...covering import Cover
from ...errors import NetworkError, StyleCryptError, os_reason
from ...faces import check_face, detect_faces
from ...messenger import EncryptedPhoto
from ...pictures import Pixels, format_of, read_photo
from ...recognisers import installed_recognisers
from ...sdk import DecryptOptions, Options, StyleCrypt, draft_of
from ...whom import numbers_of
from ..messages import got_line, got_result, sent_line, sent_result
from ..remedies import advice
from .values import Job, Opening, Outcome, PlannedFace, PlannedPhoto, Setting

__all__ = [
    "begin",
    "decrypt_one",
    "encrypt_one",
    "finish_one",
    "lost",
    "plan_one",
    "stylecrypt_here",
    "tried",
]

_Result = TypeVar("_Result")


@dataclass
class _Here:
    """What this process works with."""

    setting: Setting
    stylecrypt: StyleCrypt | None


_here: list[_Here] = []


def begin(setting: Setting, opening: Opening | None) -> None:
    stylecrypt = None
    if opening is not None:
        folder, passphrase, model = opening
        stylecrypt = StyleCrypt(folder, passphrase=passphrase, model=model)
    _here[:] = [_Here(setting, stylecrypt)]


def stylecrypt_here() -> StyleCrypt:
    """After `begin`, with an ``opening``."""
    stylecrypt = _here[0].stylecrypt
    assert stylecrypt is not None  # noqa: S101 - `begin` made it
    return stylecrypt


def encrypt_one(job: Job) -> Outcome:
    def work() -> Outcome:
        setting, options = _here[0].setting, _options(job)
        return _saved(job, stylecrypt_here().encrypt(setting.source.read(job.photo), setting.to, **options))

    return tried(job, work)


def finish_one(job: Job, photo: bytes, key_faces: Sequence[EncryptionKeyFace], cover: Cover) -> Outcome:
    """As `encrypt_one`, for a cover that was made elsewhere."""

    def work() -> Outcome:
        draft = draft_of(photo, _here[0].setting.to, _options(job))
        return _saved(job, stylecrypt_here().messenger.finish(draft, key_faces, cover, now=int(time.time())))

    return tried(job, work)


def _options(job: Job) -> Options:
    return {**_here[0].setting.options, **job.options}  # type: ignore[typeddict-item]


def _saved(job: Job, sent: EncryptedPhoto) -> Outcome:
    options, output = _options(job), _here[0].setting.output
    if sent.envelope is not None:
        output.write(_envelope_of(job.output), sent.envelope)
    output.write(job.output, sent.picture)
    lines = (f"{sent_line(sent, options)}.", *sent.leaks.lines)
    return Outcome(photo=job.photo, output=job.output, facts=sent_result(sent, options), lines=lines)


def _envelope_of(picture: str) -> str:
    return str(PurePosixPath(picture).with_suffix(ENVELOPE_SUFFIX))


def decrypt_one(job: Job) -> Outcome:
    def work() -> Outcome:
        setting, beside = _here[0].setting, _envelope_of(job.photo)
        options: DecryptOptions = {**setting.options}  # type: ignore[typeddict-item]
        if setting.source.has(beside):
            options["envelope"] = setting.source.read(beside)
        got = stylecrypt_here().decrypt(setting.source.read(job.photo), **options)
        output, written_as = job.output, None
        if got.file is None:
            written_as = format_of(output)
        else:  # bit by bit, in its own format
            output = str(PurePosixPath(output).with_suffix(got.suffix))
        setting.output.write(output, got.encoded(written_as))
        return Outcome(
            photo=job.photo, output=output, facts=got_result(got), lines=(f"{got_line(got)}.", *got.warnings)
        )

    return tried(job, work)


def tried(job: Job, work: Callable[[], _Result]) -> _Result | Outcome:
    """What ``work`` returns, or why it was refused. Raises NetworkError, which is about more than this picture."""
    try:
        return work()
    except NetworkError:
        raise
    except StyleCryptError as error:
        return Outcome(photo=job.photo, error=str(error), hint=advice(error))
    except OSError as error:
        return Outcome(photo=job.photo, error=f"It cannot be written: {os_reason(error)}.")
    except Exception as error:  # one bug does not stop a thousand photos
        return Outcome(photo=job.photo, error=f"This is a bug: {type(error).__name__}.", hint="Report it.")


def plan_one(job: Job) -> PlannedPhoto | Outcome:
    try:
        source = _here[0].setting.source
        app = job.options.get("app")
        pixels = reduced(read_photo(source.read(job.photo)).pixels, None if app is None else APPS[app].side)
        chosen = job.options.get("only")
        only = None if chosen is None else _numbers(chosen, pixels)
        keep = _numbers(job.options.get("keep", ()), pixels)
    except NetworkError:
        raise
    except StyleCryptError as error:
        return Outcome(photo=job.photo, error=str(error), hint=advice(error))
    others = job.options.get("others") or ("blur" if only is None else "keep")
    height, width = pixels.shape[:2]
    faces = []
    for number, face in enumerate(detect_faces(pixels), 1):
        refusal = check_face(face, width, height)
        hidden = refusal is None and number not in keep and (only is None or number in only)
        kept = number in keep or (not hidden and others == "keep")
        left, top, wide, high = (round(value) for value in face.box)
        faces.append(
            PlannedFace(
                face=number,
                box=(left, top, wide, high),
                do="hide" if hidden else "keep" if kept else "blur",
                why=refusal and str(refusal),
            )
        )
    return PlannedPhoto(photo=job.photo, digest=source.digest(job.photo), faces=tuple(faces))


def _numbers(people: Sequence[Any], pixels: Pixels) -> tuple[int, ...]:
    return numbers_of([read_photo(person).pixels for person in people], pixels, installed_recognisers)


def lost(job: Job) -> Outcome:
    return Outcome(
        photo=job.photo,
        error="The process that worked on it was killed.",
        hint="Perhaps there was too little memory for a picture of this size.",
    )

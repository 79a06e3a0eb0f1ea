"""One picture of a folder, in the process or thread that works on it."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

from ...apps import APPS, reduced
from ...cipher import EncryptionKeyFace
from ...covering import Cover
from ...errors import StyleCryptError, os_reason
from ...faces import check_face, detect_faces
from ...files import read_file
from ...messenger import EncryptedPhoto
from ...pictures import Pixels, read_photo
from ...recognisers import installed_recognisers
from ...sdk import DecryptOptions, Options, StyleCrypt, draft_of
from ...whom import numbers_of
from ..messages import got_line, got_result, sent_line, sent_result
from ..remedies import advice
from .values import Job, Opening, Outcome, PlannedFace, PlannedPhoto, Setting

__all__ = [
    "begin",
    "decrypt_one",
    "digest_of",
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
        return _saved(job, stylecrypt_here().encrypt(read_file(setting.source / job.photo), setting.to, **options))

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
    options, target = _options(job), _here[0].setting.output / job.output
    target.parent.mkdir(parents=True, exist_ok=True)
    sent.save(target)
    lines = (f"{sent_line(sent, options)}.", *sent.leaks.lines)
    return Outcome(photo=job.photo, output=job.output, facts=sent_result(sent, options), lines=lines)


def decrypt_one(job: Job) -> Outcome:
    def work() -> Outcome:
        setting = _here[0].setting
        options: DecryptOptions = {**setting.options}  # type: ignore[typeddict-item]
        got = stylecrypt_here().decrypt(setting.source / job.photo, **options)
        output = PurePosixPath(job.output)
        if got.file is not None:  # bit by bit, in its own format
            output = output.with_suffix(got.suffix)
        target = setting.output / output
        target.parent.mkdir(parents=True, exist_ok=True)
        got.save(target)
        return Outcome(
            photo=job.photo, output=str(output), facts=got_result(got), lines=(f"{got_line(got)}.", *got.warnings)
        )

    return tried(job, work)


def tried(job: Job, work: Callable[[], _Result]) -> _Result | Outcome:
    """What ``work`` returns, or why it was refused."""
    try:
        return work()
    except StyleCryptError as error:
        return Outcome(photo=job.photo, error=str(error), hint=advice(error))
    except OSError as error:
        return Outcome(photo=job.photo, error=f"It cannot be written: {os_reason(error)}.")
    except Exception as error:  # one bug does not stop a thousand photos
        return Outcome(photo=job.photo, error=f"This is a bug: {type(error).__name__}.", hint="Report it.")


def plan_one(job: Job) -> PlannedPhoto | Outcome:
    try:
        source = _here[0].setting.source / job.photo
        app = job.options.get("app")
        pixels = reduced(read_photo(source).pixels, None if app is None else APPS[app].side)
        chosen = job.options.get("only")
        only = None if chosen is None else _numbers(chosen, pixels)
        keep = _numbers(job.options.get("keep", ()), pixels)
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
    return PlannedPhoto(photo=job.photo, digest=digest_of(source), faces=tuple(faces))


def _numbers(people: Sequence[Any], pixels: Pixels) -> tuple[int, ...]:
    return numbers_of([read_photo(person).pixels for person in people], pixels, installed_recognisers)


def digest_of(path: Path) -> str:
    """ "" if the file cannot be read: then the work says why."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""


def lost(job: Job) -> Outcome:
    return Outcome(
        photo=job.photo,
        error="The process that worked on it was killed.",
        hint="Perhaps there was too little memory for a picture of this size.",
    )

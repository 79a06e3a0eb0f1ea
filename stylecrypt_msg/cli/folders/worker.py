"""One picture of a folder, in the process or thread that works on it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from ...apps import APPS, reduced
from ...covering import Coverer
from ...errors import StyleCryptError, os_reason
from ...faces import check_face, detect_faces
from ...files import read_file
from ...pictures import Pixels, read_photo
from ...recognisers import installed_recognisers
from ...sdk import DecryptOptions, Options, StyleCrypt
from ...whom import numbers_of
from ..messages import got_line, got_result, sent_line, sent_result
from ..remedies import advice
from .values import Job, Opening, Outcome, PlannedFace, PlannedPhoto, Setting

__all__ = ["begin", "decrypt_one", "digest_of", "encrypt_one", "lost", "plan_one"]


@dataclass
class _Here:
    """What this process works with."""

    setting: Setting
    stylecrypt: StyleCrypt | None


_here: list[_Here] = []


def begin(setting: Setting, opening: Opening | None, covers: Coverer | None = None) -> None:
    stylecrypt = None
    if opening is not None:
        folder, passphrase, model = opening
        stylecrypt = StyleCrypt(folder, passphrase=passphrase, model=model, covers=covers)
    _here[:] = [_Here(setting, stylecrypt)]


def encrypt_one(job: Job) -> Outcome:
    def work(source: Path, target: Path) -> Outcome:
        setting, stylecrypt = _here[0].setting, _here[0].stylecrypt
        assert stylecrypt is not None  # noqa: S101 - `begin` made it
        options: Options = {**setting.options, **job.options}  # type: ignore[typeddict-item]
        sent = stylecrypt.encrypt(read_file(source), setting.to, **options)
        target.parent.mkdir(parents=True, exist_ok=True)
        sent.save(target)
        lines = (f"{sent_line(sent, options)}.", *sent.leaks.lines)
        return Outcome(photo=job.photo, output=job.output, facts=sent_result(sent, options), lines=lines)

    return _tried(job, work)


def decrypt_one(job: Job) -> Outcome:
    def work(source: Path, target: Path) -> Outcome:
        setting, stylecrypt = _here[0].setting, _here[0].stylecrypt
        assert stylecrypt is not None  # noqa: S101 - `begin` made it
        options: DecryptOptions = {**setting.options}  # type: ignore[typeddict-item]
        got = stylecrypt.decrypt(source, **options)
        target.parent.mkdir(parents=True, exist_ok=True)
        output = PurePosixPath(job.output)
        if got.file is not None:  # bit by bit, in its own format
            output = output.with_suffix(got.suffix)
        got.save(target.with_name(output.name))
        return Outcome(
            photo=job.photo, output=str(output), facts=got_result(got), lines=(f"{got_line(got)}.", *got.warnings)
        )

    return _tried(job, work)


def _tried(job: Job, work: Callable[[Path, Path], Outcome]) -> Outcome:
    setting = _here[0].setting
    try:
        return work(setting.source / job.photo, setting.output / job.output)
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

"""``encrypt`` and ``decrypt`` for folders: every picture in them, resumed where an earlier run stopped, with a report."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Literal, Self, TypeAlias, cast

import cv2
from pydantic import BaseModel, ConfigDict, ValidationError

from ..apps import APPS, App, reduced
from ..covering import Coverer
from ..errors import InputError, StyleCryptError, os_reason
from ..faces import check_face, detect_faces
from ..files import MAX_FILE_BYTES, read_file, write_atomically
from ..messenger import sealable_name
from ..pictures import PHOTO_SUFFIXES, SUFFIXES, Pixels, format_of, read_photo
from ..recognisers import installed_recognisers
from ..sdk import DecryptOptions, Options, StyleCrypt
from ..whom import numbers_of
from . import console, contact_sheet
from .messages import got_line, got_result, sent_line, sent_result
from .remedies import advice
from .session import Session
from .workers import in_parallel, worker_count

__all__ = ["Plan", "decrypt", "encrypt", "plan", "read_plan"]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Outcome(_Strict):
    """What became of a picture.

    Attributes:
        photo: its path in the folder, with slashes.
        digest: SHA-256 of the file, in hexadecimal; "" if it could not be read.
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
    """``digest``: SHA-256 of the file, in hexadecimal: in another file, the numbers mean other faces."""

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


_Opening: TypeAlias = tuple[Path | None, str | None, str]
"""A profile's folder, its passphrase, and the model."""


@dataclass(frozen=True)
class _Job:
    """A picture: its path in the folder, that of its result, and options of its own."""

    photo: str
    output: str
    options: dict[str, Any]


@dataclass(frozen=True)
class _Setting:
    """What all pictures have in common."""

    source: Path
    output: Path
    to: tuple[str, ...]
    options: dict[str, Any]


# ---- the commands


def encrypt(
    session: Session,
    source: Path,
    output: Path,
    to: Sequence[str],
    *,
    planned: Plan | None,
    report: Path | None,
    ray: str | None,
    model: str,
    as_json: bool,
    options: Options,
) -> None:
    """``ray``: the address of a cluster that makes the covers; they are sealed here."""
    _check_people(options)
    photos = _photos(source)
    jobs = [
        _Job(photo, named, {"format": format_of(named), "file_name": sealable_name(PurePosixPath(photo).name)})
        for photo, named in _names(photos, ".jpg").items()
    ]
    if planned is not None:
        if planned.app != options.get("app"):
            raise InputError(
                f"The plan was made for {planned.app or 'no app in particular'}.", hint="Use --for as you did then."
            )
        plans = {one.photo: one for one in planned.photos}
        for photo, one in plans.items():
            if photo not in photos:
                raise InputError(f"The plan names {photo}, which is not in {source}.")
            if _digest(source / photo) != one.digest:
                raise InputError(
                    f"{photo} has changed since the plan was made.", hint="Make the plan again: --dry-run."
                )
        jobs = [
            _Job(job.photo, job.output, {**job.options, **_chosen(plans[job.photo].faces)})
            for job in jobs
            if job.photo in plans
        ]
    chosen = {**options, "plan": planned and planned.model_dump(mode="json")}
    setting = _Setting(source, output, tuple(to), {**options})
    _work(session, setting, jobs, _encrypt_one, report, model, as_json, chosen=chosen, ray=ray)


def decrypt(
    session: Session,
    source: Path,
    output: Path,
    *,
    report: Path | None,
    model: str,
    as_json: bool,
    options: DecryptOptions,
) -> None:
    jobs = [_Job(photo, named, {}) for photo, named in _names(_photos(source), ".png").items()]
    setting = _Setting(source, output, (), {**options})
    _work(session, setting, jobs, _decrypt_one, report, model, as_json, chosen={**options})


def plan(source: Path, *, as_json: bool, options: Options) -> None:
    """Says who would be hidden, and writes nothing."""
    _check_people(options)
    jobs = [_Job(photo, "", {**options}) for photo in _photos(source)]
    setting = _Setting(source, source, (), {})
    seen, refused = [], 0
    with console.progress() as progress:
        for number, (job, found) in enumerate(in_parallel(_plan_one, jobs, _begin, setting, None), 1):
            progress("finding faces", number, len(jobs))
            if isinstance(found, PlannedPhoto):
                seen.append(found)
            else:
                refused += 1
                _refusal(found or _lost(job))
    made = Plan(app=cast("App | None", options.get("app")), photos=tuple(sorted(seen, key=lambda one: one.photo)))
    if as_json:
        console.print_json(made.model_dump(mode="json"))
    else:
        for one in made.photos:
            console.say(f"{one.photo}: {_said(one.faces)}")
    if refused:
        raise SystemExit(InputError.exit_code)


def read_plan(path: Path) -> Plan:
    """Raises InputError."""
    data = read_file(path)
    try:
        if len(data) > MAX_FILE_BYTES:
            raise ValueError
        return Plan.model_validate_json(data)
    except ValidationError as error:
        where = ".".join(map(str, error.errors()[0]["loc"]))
        raise InputError(
            f"{path} is not a plan: {where or 'the file'}: {error.errors()[0]['msg'].lower()}.",
            hint="Make one: stylecrypt encrypt FOLDER --dry-run --json > plan.json",
        ) from None
    except ValueError:
        raise InputError(f"{path} is too large for a plan.") from None


def _check_people(options: Options) -> None:
    if any(isinstance(one, int) for one in (*(options.get("only") or ()), *options.get("keep", ()))):
        raise InputError(
            "A face's number means another person in each photo.",
            hint="Name people by a photo, or choose face by face: --dry-run --json writes a plan, and --plan takes it.",
        )


def _chosen(faces: Sequence[PlannedFace]) -> dict[str, Any]:
    if not faces:
        return {}
    by = {do: [one.face for one in faces if one.do == do] for do in ("hide", "keep")}
    return {"only": by["hide"], "keep": by["keep"], "others": "blur"}


def _said(faces: Sequence[PlannedFace]) -> str:
    if not faces:
        return "no face"
    return ", ".join(f"face {one.face}: {one.do}" + (f" ({one.why})" if one.why else "") for one in faces)


# ---- pictures


def _photos(source: Path) -> list[str]:
    """The pictures below a folder, hidden ones left out."""
    found = []
    for folder, folders, files in os.walk(source):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        here = Path(folder).relative_to(source)
        found += [
            (here / name).as_posix()
            for name in sorted(files)
            if Path(name).suffix.lower() in PHOTO_SUFFIXES and not name.startswith(".")
        ]
    if not found:
        raise InputError(f"No picture is in {source}.")
    if unreadable := [photo for photo in found if not photo.isprintable()]:
        raise InputError(f"{unreadable[0]} has a name that no report can show.", hint="Rename it.")
    return found


def _names(photos: Sequence[str], otherwise: str) -> dict[str, str]:
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


# ---- the work


def _work(
    session: Session,
    setting: _Setting,
    jobs: Sequence[_Job],
    work: Callable[[_Job], Outcome],
    report: Path | None,
    model: str,
    as_json: bool,
    *,
    chosen: dict[str, Any],
    ray: str | None = None,
) -> None:
    """``chosen``: what the user chose for all of it, which must be the same when it is resumed."""
    report = report or setting.output.absolute().with_name(f"{setting.output.absolute().name}-report")
    _check_apart(setting.source, setting.output, report)
    passphrase = session.tried_passphrase(setting.to)
    _make(setting.output, 0o777)
    _make(report, 0o700)
    settings = {
        "work": work.__name__,
        "to": setting.to,
        "model": model,
        **{key: one for key, one in chosen.items() if one},
    }
    with console.progress() as progress, _Journal(report / "journal.jsonl", settings) as journal:
        digests = {}
        for number, job in enumerate(jobs):
            progress("reading files", number, len(jobs))
            digests[job.photo] = _digest(setting.source / job.photo)
        done = {
            one.photo: one
            for one in journal.outcomes
            if one.output and one.digest == digests.get(one.photo) and (setting.output / one.output).is_file()
        }
        first = {digests[photo]: photo for photo in reversed([*done, *digests]) if digests[photo]}
        todo = []
        for job in jobs:
            digest = digests[job.photo]
            if job.photo not in done and digest and first[digest] != job.photo:
                done[job.photo] = Outcome(photo=job.photo, digest=digest, same_as=first[digest])
            elif job.photo not in done:
                todo.append(job)
        opening = (session.folder, passphrase, model)
        ended: Iterator[tuple[_Job, Outcome | None]] = (
            in_parallel(work, todo, _begin, setting, opening)
            if ray is None
            else _by_cluster(work, todo, setting, opening, ray)
        )
        progress("photos", len(done), len(jobs))
        for job, found in ended:
            outcome = (found or _lost(job)).model_copy(update={"digest": digests[job.photo]})
            journal.add(outcome)
            done[job.photo] = outcome
            if outcome.error is not None:
                _refusal(outcome)
            progress("photos", len(done), len(jobs))
    _tell(report, setting.output, [done[job.photo] for job in jobs], as_json)


def _check_apart(source: Path, output: Path, report: Path) -> None:
    inside = {one.resolve(): {one.resolve(), *one.resolve().parents} for one in (source, output, report)}
    if output.resolve() in inside[source.resolve()] or source.resolve() in inside[output.resolve()]:
        raise InputError(
            "The folder of photos and that of results must not contain each other.",
            hint="Put the results elsewhere with -o.",
        )
    if output.resolve() in inside[report.resolve()]:
        raise InputError(
            "The report says what was hidden, so it must not lie among the results.", hint="Put it elsewhere: --report."
        )


def _make(folder: Path, mode: int) -> None:
    try:
        folder.mkdir(mode, parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"The folder {folder} cannot be made: {os_reason(error)}.") from error


def _digest(path: Path) -> str:
    """ "" if the file cannot be read: then the work says why."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""


def _lost(job: _Job) -> Outcome:
    return Outcome(
        photo=job.photo,
        error="The process that worked on it was killed.",
        hint="Perhaps there was too little memory for a picture of this size.",
    )


def _refusal(outcome: Outcome) -> None:
    console.fail(f"{outcome.photo}: {outcome.error}", outcome.hint)


def _tell(report: Path, output: Path, outcomes: Sequence[Outcome], as_json: bool) -> None:
    result = {"photos": [one.model_dump(mode="json", exclude={"digest"}) for one in outcomes]}
    write_atomically(report / "report.json", json.dumps(result, indent=2).encode())
    contact_sheet.write(report / "report.html", output, [(one.photo, one.output, _words(one)) for one in outcomes])
    made, refused = sum(one.output is not None for one in outcomes), sum(one.error is not None for one in outcomes)
    if as_json:
        console.print_json(result)
    else:
        parts = [f"{made} of {len(outcomes)} pictures done"]
        if copies := len(outcomes) - made - refused:
            parts.append(f"{copies} left out as copies of others")
        if refused:
            parts.append(f"{refused} refused")
        console.say(f"{output}: {', '.join(parts)}. Report: {report / 'report.html'}")
    if refused:
        raise SystemExit(InputError.exit_code)


def _words(outcome: Outcome) -> list[str]:
    if outcome.same_as is not None:
        return [f"The same file as {outcome.same_as}; left out."]
    if outcome.error is not None:
        return [outcome.error, *filter(None, [outcome.hint])]
    return list(outcome.lines)


class _Journal:
    """What an earlier run achieved, and this one does. A line that was cut off counts for nothing.

    Raises InputError if the earlier run had other ``settings``, or the file cannot be written.
    """

    def __init__(self, path: Path, settings: dict[str, Any]) -> None:
        self.outcomes: list[Outcome] = []
        head = json.dumps(settings, default=str, sort_keys=True)
        try:
            lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
            if lines and lines[0] != head:
                raise InputError(
                    f"{path.parent} reports on a run with other options.",
                    hint="Use the same ones to resume it, or another --report folder and another -o to start over.",
                )
            for line in lines[1:]:
                with suppress(ValidationError):
                    self.outcomes.append(Outcome.model_validate_json(line))
            write_atomically(path, "".join(f"{line}\n" for line in [head, *map(_line, self.outcomes)]).encode())
            self._file = path.open("a", encoding="utf-8")
        except OSError as error:
            raise InputError(f"{path} cannot be written: {os_reason(error)}.") from error

    def add(self, outcome: Outcome) -> None:
        self._file.write(f"{_line(outcome)}\n")
        self._file.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()


def _line(outcome: Outcome) -> str:
    return outcome.model_dump_json()


def _by_cluster(
    work: Callable[[_Job], Outcome], jobs: Sequence[_Job], setting: _Setting, opening: _Opening, address: str
) -> Iterator[tuple[_Job, Outcome]]:
    """As `in_parallel`, but the cluster makes the covers. Threads of this process, which has the keys, do the rest: one for
    each photo that the cluster works on, and one for each processor here."""
    from .cluster import CoverCluster, in_threads  # few have Ray

    cv2.setNumThreads(1)  # there are enough threads
    with CoverCluster(address) as covers:
        _begin(setting, opening, covers)
        yield from in_threads(work, jobs, covers.count + worker_count())


# ---- in a worker


@dataclass
class _Here:
    """What this process works with."""

    setting: _Setting
    stylecrypt: StyleCrypt | None


_here: list[_Here] = []


def _begin(setting: _Setting, opening: _Opening | None, covers: Coverer | None = None) -> None:
    stylecrypt = None
    if opening is not None:
        folder, passphrase, model = opening
        stylecrypt = StyleCrypt(folder, passphrase=passphrase, model=model, covers=covers)
    _here[:] = [_Here(setting, stylecrypt)]


def _encrypt_one(job: _Job) -> Outcome:
    def work(source: Path, target: Path) -> Outcome:
        setting, stylecrypt = _here[0].setting, _here[0].stylecrypt
        assert stylecrypt is not None  # noqa: S101 - `_begin` made it
        options: Options = {**setting.options, **job.options}  # type: ignore[typeddict-item]
        sent = stylecrypt.encrypt(read_file(source), setting.to, **options)
        target.parent.mkdir(parents=True, exist_ok=True)
        sent.save(target)
        lines = (f"{sent_line(sent, options)}.", *sent.leaks.lines)
        return Outcome(photo=job.photo, output=job.output, facts=sent_result(sent, options), lines=lines)

    return _tried(job, work)


def _decrypt_one(job: _Job) -> Outcome:
    def work(source: Path, target: Path) -> Outcome:
        setting, stylecrypt = _here[0].setting, _here[0].stylecrypt
        assert stylecrypt is not None  # noqa: S101 - `_begin` made it
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


def _tried(job: _Job, work: Callable[[Path, Path], Outcome]) -> Outcome:
    setting = _here[0].setting
    try:
        return work(setting.source / job.photo, setting.output / job.output)
    except StyleCryptError as error:
        return Outcome(photo=job.photo, error=str(error), hint=advice(error))
    except OSError as error:
        return Outcome(photo=job.photo, error=f"It cannot be written: {os_reason(error)}.")
    except Exception as error:  # one bug does not stop a thousand photos
        return Outcome(photo=job.photo, error=f"This is a bug: {type(error).__name__}.", hint="Report it.")


def _plan_one(job: _Job) -> PlannedPhoto | Outcome:
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
    return PlannedPhoto(photo=job.photo, digest=_digest(source), faces=tuple(faces))


def _numbers(people: Sequence[Any], pixels: Pixels) -> tuple[int, ...]:
    return numbers_of([read_photo(person).pixels for person in people], pixels, installed_recognisers)

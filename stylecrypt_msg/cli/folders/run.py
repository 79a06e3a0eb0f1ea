"""``encrypt`` and ``decrypt`` for folders: every picture in them, resumed where an earlier run stopped."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from ...errors import InputError
from ...messenger import sealable_name
from ...pictures import format_of
from ...sdk import DecryptOptions, Options
from .. import console
from ..places import Folder, Place
from ..session import Session
from ..workers import in_parallel
from .clustered import encrypt_by_cluster
from .journal import Journal, say_refused, tell
from .names import names_for, photos_in
from .plan import check_people, chosen_of
from .values import Job, Outcome, Plan, Setting
from .worker import begin, decrypt_one, encrypt_one, lost

__all__ = ["decrypt", "encrypt"]


def encrypt(
    session: Session,
    source: Place,
    output: Place,
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
    check_people(options)
    photos = photos_in(source)
    jobs = [
        Job(photo, named, {"format": format_of(named), "file_name": sealable_name(PurePosixPath(photo).name)})
        for photo, named in names_for(photos, ".jpg").items()
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
            if source.digest(photo) != one.digest:
                raise InputError(
                    f"{photo} has changed since the plan was made.", hint="Make the plan again: --dry-run."
                )
        jobs = [
            Job(job.photo, job.output, {**job.options, **chosen_of(plans[job.photo].faces)})
            for job in jobs
            if job.photo in plans
        ]
    chosen = {**options, "plan": planned and planned.model_dump(mode="json")}
    setting = Setting(source, output, tuple(to), {**options})
    _work(session, setting, jobs, encrypt_one, report, model, as_json, chosen=chosen, ray=ray)


def decrypt(
    session: Session,
    source: Place,
    output: Place,
    *,
    report: Path | None,
    model: str,
    as_json: bool,
    options: DecryptOptions,
) -> None:
    jobs = [Job(photo, named, {}) for photo, named in names_for(photos_in(source), ".png").items()]
    setting = Setting(source, output, (), {**options})
    _work(session, setting, jobs, decrypt_one, report, model, as_json, chosen={**options})


def _work(
    session: Session,
    setting: Setting,
    jobs: Sequence[Job],
    work: Callable[[Job], Outcome],
    report: Path | None,
    model: str,
    as_json: bool,
    *,
    chosen: dict[str, Any],
    ray: str | None = None,
) -> None:
    """``chosen``: what the user chose for all of it, which must be the same when it is resumed."""
    report = report or setting.output.report
    _check_apart(setting.source, setting.output, report)
    passphrase = session.tried_passphrase(setting.to)
    setting.output.make()
    Folder(report).make(0o700)
    settings = {
        "work": work.__name__,
        "to": setting.to,
        "model": model,
        **{key: one for key, one in chosen.items() if one},
    }
    with console.progress() as progress, Journal(report / "journal.jsonl", settings) as journal:
        digests = {}
        for number, job in enumerate(jobs):
            progress("reading files", number, len(jobs))
            digests[job.photo] = setting.source.digest(job.photo)
        done = {
            one.photo: one
            for one in journal.outcomes
            if one.output and one.digest == digests.get(one.photo) and setting.output.has(one.output)
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
        ended: Iterator[tuple[Job, Outcome | None]] = (
            in_parallel(work, todo, begin, setting, opening)
            if ray is None
            else encrypt_by_cluster(todo, setting, opening, ray)
        )
        progress("photos", len(done), len(jobs))
        for job, found in ended:
            outcome = (found or lost(job)).model_copy(update={"digest": digests[job.photo]})
            journal.add(outcome)
            done[job.photo] = outcome
            if outcome.error is not None:
                say_refused(outcome)
            progress("photos", len(done), len(jobs))
    tell(report, setting.output, [done[job.photo] for job in jobs], as_json)


def _check_apart(source: Place, output: Place, report: Path) -> None:
    if _contains(source, output) or _contains(output, source):
        raise InputError(
            "The folder of photos and that of results must not contain each other.",
            hint="Put the results elsewhere with -o.",
        )
    if _contains(output, Folder(report)):
        raise InputError(
            "The report says what was hidden, so it must not lie among the results.", hint="Put it elsewhere: --report."
        )


def _contains(outer: Place, inner: Place) -> bool:
    return inner.parts[: len(outer.parts)] == outer.parts

"""Plans: who would be hidden in which photo, to be edited and given back."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from pydantic import ValidationError

from ...apps import App
from ...errors import InputError
from ...files import MAX_FILE_BYTES, read_file
from ...sdk import Options
from .. import console
from ..places import Place
from ..workers import in_parallel
from .journal import say_refused
from .names import photos_in
from .values import Job, Plan, PlannedFace, PlannedPhoto, Setting
from .worker import begin, lost, plan_one

__all__ = ["check_people", "chosen_of", "plan", "read_plan"]


def plan(source: Place, *, as_json: bool, options: Options) -> None:
    """Says who would be hidden, and writes nothing."""
    check_people(options)
    jobs = [Job(photo, "", {**options}) for photo in photos_in(source)]
    setting = Setting(source, source, (), {})
    seen, refused = [], 0
    with console.progress() as progress:
        for number, (job, found) in enumerate(in_parallel(plan_one, jobs, begin, setting, None), 1):
            progress("finding faces", number, len(jobs))
            if isinstance(found, PlannedPhoto):
                seen.append(found)
            else:
                refused += 1
                say_refused(found or lost(job))
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


def check_people(options: Options) -> None:
    if any(isinstance(one, int) for one in (*(options.get("only") or ()), *options.get("keep", ()))):
        raise InputError(
            "A face's number means another person in each photo.",
            hint="Name people by a photo, or choose face by face: --dry-run --json writes a plan, and --plan takes it.",
        )


def chosen_of(faces: Sequence[PlannedFace]) -> dict[str, Any]:
    if not faces:
        return {}
    by = {do: [one.face for one in faces if one.do == do] for do in ("hide", "keep")}
    return {"only": by["hide"], "keep": by["keep"], "others": "blur"}


def _said(faces: Sequence[PlannedFace]) -> str:
    if not faces:
        return "no face"
    return ", ".join(f"face {one.face}: {one.do}" + (f" ({one.why})" if one.why else "") for one in faces)

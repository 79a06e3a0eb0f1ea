"""The report of a run, and the journal from which it is resumed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

from pydantic import ValidationError

from ...errors import InputError, os_reason
from ...files import write_atomically
from .. import console, contact_sheet
from ..places import Place
from .values import Outcome

__all__ = ["Journal", "say_refused", "tell"]


class Journal:
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


def say_refused(outcome: Outcome) -> None:
    console.fail(f"{outcome.photo}: {outcome.error}", outcome.hint)


def tell(report: Path, output: Place, outcomes: Sequence[Outcome], as_json: bool) -> None:
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

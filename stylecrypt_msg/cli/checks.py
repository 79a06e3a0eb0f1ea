"""The results of checks and how they are shown, for ``doctor`` and the bot's ``check``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Literal

from . import console

__all__ = ["Check", "show_checks"]


@dataclass(frozen=True)
class Check:
    """``state``: "ok", "missing" (optional, or not there yet) or "broken"; only the last makes a command fail."""

    what: str
    state: Literal["ok", "missing", "broken"]
    detail: str
    remedy: str = ""


def show_checks(checks: Sequence[Check], as_json: bool) -> None:
    """Prints them as a table or as JSON. Raises SystemExit if something is broken."""
    rows = [asdict(check) for check in checks]
    if as_json:
        console.print_json(rows)
    else:
        console.print_table(("what", "state", "detail", "remedy"), [tuple(row.values()) for row in rows])
    if any(check.state == "broken" for check in checks):
        raise SystemExit(1)

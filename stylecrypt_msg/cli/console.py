"""How the command line talks: results on stdout, everything else on stderr.

An error is one line, ``stylecrypt: what happened and why``, and where there is something to do, a second one,
``hint: ...``. Progress bars show on terminals only and vanish when done. JSON goes to stdout alone, so that it pipes.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

__all__ = ["fail", "note", "print_json", "print_table", "progress", "say"]

_out = Console(highlight=False, soft_wrap=True)
_err = Console(stderr=True, highlight=False, soft_wrap=True)


def say(text: str) -> None:
    """A line of result."""
    _out.print(escape(text))


def note(text: str) -> None:
    """A line about the work, not its result."""
    _err.print(escape(text), style="dim")


def fail(message: str, hint: str | None) -> None:
    """The error line, and the hint line."""
    _err.print(f"[bold red]stylecrypt:[/] {escape(message)}")
    if hint:
        _err.print(f"hint: {escape(hint)}")


def print_json(value: Any) -> None:
    """One JSON document on stdout."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=2) + "\n")


def print_table(columns: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    """A table; columns whose head starts with ``>`` align to the right."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column.removeprefix(">"), justify="right" if column.startswith(">") else "left")
    for row in rows:
        table.add_row(*map(escape, row))
    _out.print(table)


@contextmanager
def progress() -> Iterator[Callable[[str, int, int], None]]:
    """Yields ``report(what, done, total)``; a bar a kind of work."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=_err, transient=True) as bars:
        tasks: dict[str, Any] = {}

        def report(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bars.add_task(what, total=total)
            bars.update(tasks[what], completed=done, total=total)

        yield report

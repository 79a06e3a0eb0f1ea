"""How the command line talks: results on stdout, everything else on stderr.

An error is one line, ``stylecrypt: what happened and why``, and if something can be done, a second one,
``hint: ...``. Progress bars show on terminals only and vanish when done. JSON goes to stdout alone, so that it pipes.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal

from rich.console import Console
from rich.markup import escape

from ..progress import Progress, silent

__all__ = ["drop_output", "fail", "note", "print_json", "print_table", "progress", "say"]

_out = Console(highlight=False, soft_wrap=True)
_err = Console(stderr=True, highlight=False, soft_wrap=True)
_WIDEST = 1000  # columns of a table in a file or a pipe, where nothing needs wrapping


def say(text: str) -> None:
    """A line of the result."""
    _out.print(_plain(text))


def note(text: str) -> None:
    """A line about the work, not its result."""
    _err.print(_plain(text), style="dim")


def fail(message: str, hint: str | None) -> None:
    """The error line, and the hint line."""
    _err.print(f"[bold red]stylecrypt:[/] {_plain(message)}")
    if hint:
        _err.print(f"hint: {_plain(hint)}")


def print_json(value: Any) -> None:
    """One JSON document on stdout."""
    sys.stdout.write(json.dumps(value, indent=2) + "\n")


def drop_output() -> None:
    """Output that failed must not fail once more as Python exits."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def print_table(columns: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    """A table; columns whose head starts with ``>`` align to the right."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        justify: Literal["left", "right"] = "right" if column.startswith(">") else "left"
        table.add_column(column.removeprefix(">"), justify=justify, overflow="fold")
    for row in rows:
        table.add_row(*map(_plain, row))
    (_out if _out.is_terminal else Console(width=_WIDEST, highlight=False)).print(table)


def _plain(text: str) -> str:
    """``text``, which may quote any file name, as one line without terminal commands that prints in any locale."""
    return escape("".join(c if c.isprintable() else "?" for c in text))


@contextmanager
def progress() -> Iterator[Progress]:
    """Yields the callback that shows progress, with a bar for each kind of work; on no terminal, it shows nothing."""
    if not _err.is_terminal:
        yield silent
        return
    from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    told = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Bars(*told, console=_err, transient=True) as bars:
        tasks: dict[str, TaskID] = {}

        def show(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bars.add_task(what, total=total)
            bars.update(tasks[what], completed=done, total=total)

        yield show

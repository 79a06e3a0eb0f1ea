"""Writes the man page, from the program's own help.

    python scripts/release/make_man_page.py [-o docs/stylecrypt.1]

In the language of man(7). Package builders install it with the wheel; a test compares it with the program.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from stylecrypt_msg.cli.app import program
from stylecrypt_msg.errors import InputError, NetworkError, NotAuthorisedError

EXIT_CODES = (
    (0, "done"),
    (InputError.exit_code, "the input cannot be used; the error says what to do"),
    (2, "a bug"),
    (NetworkError.exit_code, "the network or a server failed"),
    (NotAuthorisedError.exit_code, "somebody is not authorised"),
    (130, "interrupted"),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=Path, default=Path("docs/stylecrypt.1"))
    parser.parse_args().output.write_text(page(), encoding="utf-8")


def page() -> str:
    """The man page."""
    root: Any = typer.main.get_command(program())
    lines = [
        '.\\" Made by scripts/release/make_man_page.py.',
        '.TH STYLECRYPT 1 "" StyleCrypt "User Commands"',
        ".SH NAME",
        "stylecrypt \\- hide faces in photos from everybody but the contacts you choose",
        ".SH SYNOPSIS",
        ".B stylecrypt",
        r"[\fIoptions\fR] \fIcommand\fR [\fIarguments\fR]",
        ".SH DESCRIPTION",
        _text(root.help),
        ".SH OPTIONS",
        *_options(root),
        ".SH COMMANDS",
        *(line for name, command in root.commands.items() for line in _command(f"stylecrypt {name}", command)),
        ".SH EXIT STATUS",
        *(line for code, meaning in EXIT_CODES for line in (".TP", f".B {code}", meaning)),
    ]
    return "\n".join(lines) + "\n"


def _command(name: str, command: Any) -> Iterator[str]:
    if command.hidden:
        return
    if inner := getattr(command, "commands", None):
        for part, one in inner.items():
            yield from _command(f"{name} {part}", one)
        return
    arguments = " ".join(
        one.name.upper() if one.required else f"[{one.name.upper()}]"
        for one in command.params
        if one.param_type_name == "argument"
    )
    yield f".SS {_text(f'{name} {arguments}'.strip())}"
    yield _text(command.help)
    yield from _options(command)


def _options(command: Any) -> Iterator[str]:
    for one in command.params:
        if one.param_type_name != "option" or one.hidden:
            continue
        names = ", ".join(rf"\fB{_text(name)}\fR" for name in one.opts)
        value = "" if one.is_flag or one.count else rf" \fI{_text((one.metavar or one.name).upper())}\fR"
        yield from (".TP", names + value, _text(one.help))


def _text(said: str | None) -> str:
    """``said``, in one line, with what man(7) takes for commands escaped."""
    line = " ".join((said or "").split()).replace("\\", r"\e").replace("-", r"\-").replace("'", r"\(aq")
    return rf"\&{line}" if line.startswith((".", r"\(aq")) else line


if __name__ == "__main__":
    main()

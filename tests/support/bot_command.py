"""The command `stylecrypt`, as operators run it."""

from __future__ import annotations

import io
import sys
from contextlib import redirect_stderr, redirect_stdout
from typing import NamedTuple

import pytest

from stylecrypt_msg.cli import main

__all__ = ["COMMAND", "SECRETS", "Ended", "stylecrypt"]

COMMAND = [sys.executable, "-c", "from stylecrypt_msg.cli import main; main()"]
SECRETS = {"STYLECRYPT_PASSPHRASE": "open sesame"}


class Ended(NamedTuple):
    """What a command wrote."""

    out: str
    err: str


def stylecrypt(*arguments: object, env: dict[str, str] | None = None, code: int = 0) -> Ended:
    """Runs the command in this process; a separate one takes a second to import and is only for commands that keep running."""
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        for name, value in {**SECRETS, **(env or {})}.items():
            patch.setenv(name, value)
        patch.setattr(sys, "argv", ["stylecrypt", *map(str, arguments)])
        patch.setattr(sys, "stdin", io.StringIO())
        with pytest.raises(SystemExit) as end:
            main()
    assert (end.value.code or 0) == code, err.getvalue()
    return Ended(out.getvalue(), err.getvalue())

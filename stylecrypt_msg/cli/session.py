"""The profile that a command works with, and its passphrase, which is never an argument."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from ..errors import InputError, NotAuthorisedError
from ..profile import Profile, default_folder

if TYPE_CHECKING:
    from ..sdk import StyleCrypt

__all__ = ["Session", "now", "read_secret"]

_ENVIRONMENT, _NEXT = "STYLECRYPT_PASSPHRASE", "STYLECRYPT_NEW_PASSPHRASE"
_LONGEST = 4096  # bytes of a passphrase


def now() -> int:
    """Unix seconds."""
    return int(time.time())


@dataclass(frozen=True)
class Session:
    """Options before the command."""

    folder: Path | None
    passphrase_fd: int | None

    @property
    def where(self) -> Path:
        return self.folder or default_folder()

    def open(self) -> Profile:
        """The profile. Raises ProfileError, or NotAuthorisedError for a wrong passphrase."""
        return Profile.open(self.where, lambda: self._passphrase("Passphrase"))

    def stylecrypt(self, model: str) -> StyleCrypt:
        """Opens the profile when it is first needed: without recipients, none is needed."""
        from ..sdk import StyleCrypt  # imports NumPy and OpenCV

        return StyleCrypt(self.folder, passphrase=lambda: self._passphrase("Passphrase"), model=model)

    def tried_passphrase(self, to: Sequence[str]) -> str | None:
        """For processes that open the profile themselves; None: there is no profile, or it has no passphrase.

        Raises InputError for a contact in ``to`` whom the profile does not hold.
        """
        asked: list[str] = []

        def ask() -> str:
            asked.append(self._passphrase("Passphrase"))
            return asked[0]

        if self.folder is not None or self.where.is_dir():
            with Profile.open(self.where, ask) as profile:
                for name in to:
                    profile.contact(name)
        return asked[0] if asked else None

    def first_passphrase(self) -> str:
        """For new keys. If typed, it is typed twice."""
        typed = self.passphrase_fd is None and _ENVIRONMENT not in os.environ
        return _checked(self._passphrase("Passphrase that locks your keys"), typed)

    def next_passphrase(self) -> str:
        """Replaces the present one, which `open` read."""
        if (given := os.environ.get(_NEXT)) is not None:
            return _checked(given, typed=False)
        return _checked(_ask("New passphrase", f"Set {_NEXT}."), typed=True)

    def _passphrase(self, prompt: str) -> str:
        if self.passphrase_fd is not None:
            return read_secret(self.passphrase_fd, "passphrase")
        if _ENVIRONMENT in os.environ:
            return os.environ[_ENVIRONMENT]
        return _ask(prompt, f"Set {_ENVIRONMENT}, or give a file descriptor with --passphrase-fd N.")


def _checked(passphrase: str, typed: bool) -> str:
    if not passphrase:
        raise InputError(
            "The passphrase is empty.", hint="Type one, or use --no-passphrase to leave the keys unprotected."
        )
    if typed and _ask("The same again", "") != passphrase:
        raise InputError("The two passphrases differ.", hint="Type the same one twice.")
    return passphrase


def _ask(prompt: str, otherwise: str) -> str:
    if not (sys.stdin and sys.stdin.isatty()):
        raise NotAuthorisedError("A passphrase is needed, and there is no terminal to ask for it.", hint=otherwise)
    return str(typer.prompt(prompt, hide_input=True, err=True, default="", show_default=False))


def read_secret(descriptor: int, what: str) -> str:
    """The first line of a file descriptor. Raises InputError."""
    try:
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            return file.readline(_LONGEST).decode().rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"No {what} could be read from the file descriptor {descriptor}.", hint="Open it before: 3< FILE."
        ) from error

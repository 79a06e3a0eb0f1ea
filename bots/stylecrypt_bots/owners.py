"""The service's owners: each has a profile in a folder of its own, locked with a passphrase of which the service's profile
has a copy."""

from __future__ import annotations

import os
import secrets
import shutil
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from stylecrypt_msg.errors import InputError, os_reason
from stylecrypt_msg.profile import Profile

from .registration import bot_of

__all__ = ["Owner", "Owners"]

_FILE = "profile.db"


@dataclass(frozen=True)
class Owner:
    """``passphrase``: of the profile."""

    user_id: str
    passphrase: str = field(repr=False)


class Owners:
    """``profile`` is the service's, ``folder`` that of everything it keeps."""

    def __init__(self, profile: Profile, folder: Path) -> None:
        self._owners, self._folder = profile.records("service owner", Owner), folder / "owners"

    def __len__(self) -> int:
        return len(self._owners)

    def all(self) -> list[Owner]:
        return self._owners.all()

    def get(self, user_id: str) -> Owner | None:
        return self._owners.get(user_id.encode())

    def add(self, user_id: str) -> Owner:
        """A new owner; the profile is made when it is first opened."""
        shutil.rmtree(self._where(user_id), ignore_errors=True)  # nobody's: an import that was interrupted
        return self._keep(user_id, secrets.token_hex(32))

    def remove(self, user_id: str) -> None:
        """Deletes an owner's keys and everything else. Raises InputError for somebody unknown."""
        self.known(user_id)
        self._owners.delete(user_id.encode())
        shutil.rmtree(self._where(user_id))

    def open(self, owner: Owner) -> Profile:
        """Takes half a second. Raises ProfileError."""
        where = self._where(owner.user_id)
        if (where / _FILE).exists():
            return Profile.open(where, lambda: owner.passphrase)
        return Profile.create(
            where,
            name=owner.user_id[1:].partition(":")[0],
            user_id=bot_of(owner.user_id),
            passphrase=owner.passphrase,
            now=int(time.time()),
        )

    def export(self, user_id: str, to: Path, passphrase: str) -> None:
        """Copies an owner's profile into a new folder, locked with a passphrase of their own. The service may be running.

        Raises InputError for somebody unknown, or a folder that cannot be made.
        """
        owner = self.known(user_id)
        _copy(self._where(user_id), to)
        with Profile.open(to, lambda: owner.passphrase) as copy:
            copy.change_passphrase(passphrase)

    def bring(self, user_id: str, profile: Path, passphrase: Callable[[], str]) -> None:
        """Makes somebody with a profile an owner, whose bot begins with a copy of it.

        Raises InputError if they have a bot, ProfileError, or NotAuthorisedError for a wrong passphrase.
        """
        if self.get(user_id) is not None:
            raise InputError(f"{user_id} has a bot here already.", hint="Two profiles cannot become one.")
        where, own = self._where(user_id), secrets.token_hex(32)
        shutil.rmtree(where, ignore_errors=True)
        Profile.open(profile, passphrase).close()
        _copy(profile, where)
        with Profile.open(where, passphrase) as copy:
            copy.change_passphrase(own)
        self._keep(user_id, own)

    def _keep(self, user_id: str, passphrase: str) -> Owner:
        owner = Owner(user_id, passphrase)
        self._owners.put(user_id.encode(), owner)
        return owner

    def known(self, user_id: str) -> Owner:
        """Raises InputError for somebody without a bot."""
        if (owner := self.get(user_id)) is None:
            raise InputError(f"{user_id} has no bot here.", hint="Check the id.")
        return owner

    def _where(self, user_id: str) -> Path:
        return self._folder / f"@{quote(user_id[1:].partition(':')[0], safe='')}"


def _copy(profile: Path, to: Path) -> None:
    """Also while a program uses it."""
    try:
        to.mkdir(mode=0o700, parents=True)
        os.close(os.open(to / _FILE, os.O_WRONLY | os.O_CREAT, 0o600))
    except OSError as error:
        raise InputError(f"The folder {to} cannot be made: {os_reason(error)}.", hint="Choose a new one.") from error
    source = f"{(profile / _FILE).absolute().as_uri()}?mode=rw"
    with closing(sqlite3.connect(source, uri=True)) as old, closing(sqlite3.connect(to / _FILE)) as new:
        old.backup(new)

"""What a session stores between runs, besides nio's keys."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, TypeAlias

from ...errors import InputError
from .identities import CrossSigningIdentity
from .server import InUseError

__all__ = ["KEYS", "PinnedIdentity", "Pins", "Source", "State", "SyncPosition", "damaged", "is_in_use"]

KEYS = "keys.db"
"""nio's file in the store's folder."""

_STATE = "session.db"
_LOCKED = 30  # seconds to wait for another program to leave the store

Source: TypeAlias = tuple[str, dict[str, Any]]
"""The room of an event, and the event as the server sent it."""


class State:
    """A session's stored data other than keys: a few texts by name. While it is open, no other program can open it.

    Raises InputError if it cannot be opened.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            for name in (KEYS, _STATE):  # before SQLite makes them readable to all
                os.close(os.open(folder / name, os.O_RDWR | os.O_CREAT, 0o600))
            self._db = sqlite3.connect(folder / _STATE, timeout=_LOCKED, isolation_level=None, check_same_thread=False)
        except (OSError, sqlite3.Error) as error:
            raise InputError(
                f"The Matrix session in {folder} cannot be opened: {error}.",
                hint="Check the folder and its permissions.",
            ) from error
        try:
            self._db.execute("PRAGMA locking_mode = EXCLUSIVE")
            self._db.execute("BEGIN EXCLUSIVE")  # the lock lasts until it is closed
            self._db.execute("CREATE TABLE IF NOT EXISTS state (name TEXT PRIMARY KEY, value TEXT NOT NULL)")
            self._db.execute(
                "CREATE TABLE IF NOT EXISTS backed_up "
                "(version TEXT, session TEXT, PRIMARY KEY (version, session)) WITHOUT ROWID"
            )
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            self._db.close()
            if isinstance(error, sqlite3.OperationalError):
                raise InUseError(
                    f"The Matrix session in {folder} is in use by another program.",
                    hint="Wait for it or stop it, or give this one a folder of its own.",
                ) from error
            raise damaged(folder) from error

    def get(self, name: str) -> str | None:
        row = self._db.execute("SELECT value FROM state WHERE name = ?", (name,)).fetchone()
        return None if row is None else str(row[0])

    def set(self, **values: str) -> None:
        """All of them or none."""
        self._db.execute("BEGIN")
        self._db.executemany("INSERT OR REPLACE INTO state VALUES (?, ?)", values.items())
        self._db.execute("COMMIT")

    def backed_up(self, version: str) -> frozenset[str]:
        """The ids of the Megolm sessions that are in a version of the key backup."""
        rows = self._db.execute("SELECT session FROM backed_up WHERE version = ?", (version,))
        return frozenset(str(row[0]) for row in rows)

    def add_backed_up(self, version: str, sessions: Iterable[str]) -> None:
        """All of them or none."""
        self._db.execute("BEGIN")
        self._db.executemany("INSERT OR IGNORE INTO backed_up VALUES (?, ?)", [(version, one) for one in sessions])
        self._db.execute("COMMIT")

    def close(self) -> None:
        self._db.close()


def is_in_use(folder: Path) -> bool:
    """Whether a program has the store open at this moment."""
    if not (folder / _STATE).exists():
        return False
    database = sqlite3.connect(folder / _STATE, timeout=0, isolation_level=None)
    try:
        database.execute("BEGIN EXCLUSIVE")
        return False
    except sqlite3.OperationalError:
        return True
    finally:
        database.close()


@dataclass(frozen=True)
class SyncPosition:
    """Where receiving stopped. The server's token covers all rooms; a run for some rooms has a position of its own."""

    since: str | None = None
    waiting: Sequence[Source] = ()
    kept: Sequence[tuple[str, str]] = ()

    @classmethod
    def read(cls, state: State, rooms: Sequence[str] | None) -> Self:
        return cls(*json.loads(state.get(cls._name(rooms)) or "[]"))

    def write(self, state: State, rooms: Sequence[str] | None) -> None:
        state.set(**{self._name(rooms): json.dumps([self.since, self.waiting, self.kept])})

    @staticmethod
    def _name(rooms: Sequence[str] | None) -> str:
        return "position " + json.dumps(None if rooms is None else sorted(rooms))


@dataclass(frozen=True)
class PinnedIdentity:
    """Somebody's public master key.

    ``verified``: it was compared with the one that their app shows. ``proved``: it was there when they were first sent
    something, or a device that was vouches for it.
    """

    master: str
    verified: bool = False
    proved: bool = True


@dataclass
class Pins:
    """What is known of people: by user id, the Ed25519 keys of their first devices by device id, and their cross-signing
    identity."""

    devices: dict[str, dict[str, str]]
    identities: dict[str, PinnedIdentity]

    @classmethod
    def read(cls, state: State) -> Self:
        identities = json.loads(state.get("identities") or "{}")
        return cls(
            json.loads(state.get("devices") or "{}"), {user: PinnedIdentity(*pin) for user, pin in identities.items()}
        )

    def write(self, state: State) -> None:
        identities = {user: (pin.master, pin.verified, pin.proved) for user, pin in self.identities.items()}
        state.set(devices=json.dumps(self.devices), identities=json.dumps(identities))

    def first_use(self, user: str, devices: Mapping[str, str], identity: CrossSigningIdentity | None) -> None:
        """Pins what was not pinned before."""
        known = self.devices.get(user)
        if identity is not None and user not in self.identities:
            proved = known is None or any(known.get(device_id) == key for device_id, key in identity.vouching)
            self.identities[user] = PinnedIdentity(identity.master, proved=proved)
        if known is None:
            self.devices[user] = dict(devices)


def damaged(folder: Path | str) -> InputError:
    return InputError(
        f"The Matrix session in {folder} is damaged.", hint="Restore the folder from a backup, or use another one."
    )

"""The profile's SQLite file: its schema, its transactions, and its failures. This module does not know what the rows
mean."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from stat import S_ISREG
from typing import Any, Self

from ..errors import ProfileError, Remedy, os_reason
from .folder import FILE, make_private

__all__ = ["Database", "no_profile"]

_WAIT = 30.0  # seconds for another process's transaction; ours take milliseconds

# PRAGMA user_version counts how many of these a file has. A step is never changed once shipped: a later one follows it.
_MIGRATIONS = (
    (
        # The storage key: locked with the passphrase, or as it is.
        "CREATE TABLE key (id INTEGER PRIMARY KEY CHECK (id = 1), value BLOB NOT NULL)",
        # Tags are keyed hashes, values are sealed; ids tell what is older.
        "CREATE TABLE records (id INTEGER PRIMARY KEY, kind TEXT NOT NULL, tag BLOB NOT NULL, owner BLOB NOT NULL, "
        "value BLOB NOT NULL, UNIQUE (kind, tag))",
        "CREATE INDEX records_by_owner ON records (kind, owner)",
        "CREATE TABLE seen (tag BLOB PRIMARY KEY, delivery BLOB NOT NULL, rank INTEGER NOT NULL, last_day INTEGER NOT NULL) "
        "WITHOUT ROWID",
        "CREATE TABLE finished (tag BLOB PRIMARY KEY) WITHOUT ROWID",
    ),
)


class Database:
    """One connection, which threads take in turns. Other processes have their own; so must a forked one."""

    def __init__(self, folder: Path, connection: sqlite3.Connection) -> None:
        """Use `create` or `open`."""
        self.folder = folder
        self._connection = connection
        self._turn = threading.RLock()

    @classmethod
    def create(cls, folder: Path) -> Self:
        """Makes the folder and the file if they are missing. Raises ProfileError."""
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            make_private(folder)
            # SQLite gives the files that it puts beside this one the same mode.
            os.close(os.open(folder / FILE, os.O_WRONLY | os.O_CREAT, 0o600))
        except (OSError, ValueError) as error:
            raise ProfileError(
                f"A profile cannot be made in {folder}: {os_reason(error)}.", remedy=Remedy.CHOOSE_PROFILE_FOLDER
            ) from error
        return cls._connected(folder, new=True)

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Raises ProfileError when there is no file, or it is damaged or of a later version."""
        try:
            # Path.is_file() of Python 3.14 does not tell a folder that is closed from one that is empty.
            there = S_ISREG((folder / FILE).stat().st_mode)
        except (FileNotFoundError, NotADirectoryError):
            there = False
        except OSError as error:
            raise ProfileError(
                f"The profile in {folder} cannot be opened: {os_reason(error)}.", hint="The folder has to be yours."
            ) from error
        if not there:
            raise no_profile(folder)
        make_private(folder)
        return cls._connected(folder, new=False)

    @classmethod
    def _connected(cls, folder: Path, *, new: bool) -> Self:
        place = f"{(folder / FILE).absolute().as_uri()}?mode=rw"
        with _explained(folder):
            connection = sqlite3.connect(place, uri=True, timeout=_WAIT, isolation_level=None, check_same_thread=False)
            try:
                if not new and _version(connection) == 0:
                    raise no_profile(folder)
                _write_ahead(connection)
                connection.execute("PRAGMA synchronous = FULL")
                connection.execute("PRAGMA fullfsync = ON")  # macOS: through the disk's own cache
                connection.execute("PRAGMA secure_delete = ON")  # for the storage key from before a passphrase
                database = cls(folder, connection)
                database._migrate()
            except BaseException:
                connection.close()
                raise
        return database

    def _migrate(self) -> None:
        if _version(self._connection) == len(_MIGRATIONS):
            return
        with self._begun() as version:
            for step in _MIGRATIONS[version:]:
                for statement in step:
                    self._connection.execute(statement)
            self._connection.execute(f"PRAGMA user_version = {len(_MIGRATIONS)}")

    @contextmanager
    def _begun(self) -> Iterator[int]:
        """A transaction. Yields the schema's version, which other processes change in transactions only."""
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            version = _version(self._connection)
            if version > len(_MIGRATIONS):
                raise ProfileError(
                    f"The profile in {self.folder} was written by a later version of StyleCrypt.",
                    hint="Update StyleCrypt.",
                )
            yield version
            self._connection.execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing of what is written inside is kept; durable when it ends. One inside another is part of it.

        Raises ProfileError when it cannot be written.
        """
        with self._turn, _explained(self.folder):
            if self._connection.in_transaction:
                yield
            else:
                with self._begun():
                    yield

    def read(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """The rows."""
        with self._turn, _explained(self.folder):
            return self._connection.execute(query, values).fetchall()

    def write(self, statement: str, *values: object) -> None:
        """In the current transaction, or else in one of its own."""
        with self.transaction():
            self._connection.execute(statement, values)

    def forget_deleted(self) -> None:
        """Clears the files of overwritten data. Raises ProfileError if another process is in the way."""
        (busy, _, _), *_ = self.read("PRAGMA wal_checkpoint(TRUNCATE)")
        if busy:
            raise ProfileError(
                f"Another program is reading the profile in {self.folder}, so its files still hold overwritten data.",
                hint="End that program, and try again.",
            )

    def close(self) -> None:
        with self._turn:
            self._connection.close()


def no_profile(folder: Path) -> ProfileError:
    """There is none, or its creation was interrupted."""
    return ProfileError(f"There is no profile in {folder}.", remedy=Remedy.MAKE_PROFILE)


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _write_ahead(connection: sqlite3.Connection) -> None:
    """Switches to WAL. SQLite does not wait for others who switch or begin to use a new file at the same time."""
    end = time.monotonic() + _WAIT
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > end:
                raise
            time.sleep(0.01)


@contextmanager
def _explained(folder: Path) -> Iterator[None]:
    """Says what SQLite's errors mean (sqlite.org/rescode.html). Nothing was written in any case."""
    try:
        yield
    except UnicodeDecodeError as error:  # SQLite's message for a damaged schema
        raise ProfileError(f"The profile in {folder} is damaged.", hint="Restore it from a copy.") from error
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", None)
        if code is None:  # not an error of SQLite's, but a wrong call
            raise
        match code & 0xFF:  # the primary code
            case sqlite3.SQLITE_FULL:
                text, hint = "The disk is full: nothing was changed.", "Make room, and try again."
            case sqlite3.SQLITE_IOERR:
                text = f"The disk refuses to read or write the profile in {folder}: nothing was changed."
                hint = "Check the disk, its free space and your quota, and try again."
            case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
                text = f"Another program keeps the profile in {folder} busy: nothing was changed."
                hint = "End that program, or try again later."
            case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_CANTOPEN | sqlite3.SQLITE_PERM:
                text = f"The profile in {folder} cannot be opened for writing."
                hint = "The folder and the files in it have to be yours, and writable."
            case _:
                text, hint = f"The profile in {folder} is damaged: {error}.", "Restore it from a copy."
        raise ProfileError(text, hint=hint) from error

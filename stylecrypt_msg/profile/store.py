"""The profile's database: one SQLite file whose values rest sealed.

Every value is encrypted with the storage key under the name of its place, so that no row can be put in another's; what a row
is looked up by is a keyed hash, so that the file does not tell who somebody's contacts are. The storage key lies in the
same file: locked with the passphrase, or as it is where there is none.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from stylecrypt_protocol import MalformedError, Secret, StorageKey, WrongPassphraseError, lock, unlock

from ..errors import NotAuthorisedError, ProfileError

__all__ = ["Store"]

_FILE = "profile.db"
_WAIT = 30.0  # seconds for another process's transaction

# Applied in their order, each in one transaction; PRAGMA user_version counts them.
_MIGRATIONS = (
    """
    CREATE TABLE keys (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
    CREATE TABLE records (kind TEXT NOT NULL, tag BLOB NOT NULL, value BLOB NOT NULL, PRIMARY KEY (kind, tag)) WITHOUT ROWID;
    CREATE TABLE seen (tag BLOB PRIMARY KEY, reference BLOB NOT NULL, expires INTEGER NOT NULL) WITHOUT ROWID;
    CREATE TABLE finished (tag BLOB PRIMARY KEY) WITHOUT ROWID;
    """,
)


class Store:
    """Sealed records by kind and name. Several threads and processes may use one file at once."""

    def __init__(self, folder: Path, key: StorageKey, locked: bool) -> None:
        self.folder = folder
        self.locked = locked
        self._key = key
        self._tags = hmac.digest(key.secret.reveal(), b"stylecrypt profile tags", "sha256")
        self._local = threading.local()
        self._connections: list[sqlite3.Connection] = []

    @classmethod
    def create(cls, folder: Path, passphrase: str | None) -> Store:
        """Makes the folder and the file. Raises ProfileError if there is one already, or it cannot be made."""
        path = folder / _FILE
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            folder.chmod(0o700)
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        except FileExistsError:
            raise ProfileError(
                f"There is a profile in {folder} already.", hint="Use another folder with --profile DIR."
            ) from None
        except OSError as error:
            raise ProfileError(f"A profile cannot be made in {folder}: {_said(error)}.") from error
        key = StorageKey.generate()
        store = cls(folder, key, passphrase is not None)
        try:
            with store.transaction() as rows:
                rows.execute("INSERT INTO keys VALUES ('storage', ?)", (_kept(key, passphrase),))
        except BaseException:
            store.close()
            path.unlink(missing_ok=True)
            raise
        return store

    @classmethod
    def open(cls, folder: Path, passphrase: Callable[[], str] | None) -> Store:
        """Raises ProfileError if there is none, or it is damaged or newer; NotAuthorisedError for a wrong passphrase."""
        path = folder / _FILE
        if not path.is_file():
            raise ProfileError(f"There is no profile in {folder}.", hint="`stylecrypt init --name NAME` makes one.")
        _close_to_others(folder, path)
        with _explained(folder):
            connection = _connect(path)
            try:
                row = connection.execute("SELECT value FROM keys WHERE name = 'storage'").fetchone()
            finally:
                connection.close()
        if row is None:
            raise ProfileError(f"The profile in {folder} is damaged: its key is missing.")
        value = bytes(row[0])
        locked = len(value) != 32
        upgraded = None
        if locked:
            if passphrase is None:
                raise NotAuthorisedError("The profile is locked, and no passphrase was given.")
            try:
                unlocked = unlock(value, passphrase())
            except WrongPassphraseError:
                raise NotAuthorisedError(
                    "The passphrase is wrong.", hint="Type it again; nothing was changed."
                ) from None
            except MalformedError as error:
                raise ProfileError(f"The profile in {folder} is damaged: its key cannot be read.") from error
            value, upgraded = unlocked.secret.reveal(), unlocked.upgraded
        store = cls(folder, StorageKey(secret=Secret(value)), locked)
        if upgraded is not None:
            with store.transaction() as rows:
                rows.execute("UPDATE keys SET value = ? WHERE name = 'storage'", (upgraded,))
        return store

    def change_passphrase(self, passphrase: str | None) -> None:
        value = _kept(self._key, passphrase)
        with self.transaction() as rows:
            rows.execute("UPDATE keys SET value = ? WHERE name = 'storage'", (value,))
            # The old value must not stay behind in free pages.
        with _explained(self.folder):
            self._connection().execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self.locked = passphrase is not None

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All or nothing; durable when it ends. Raises ProfileError when the disk is full or the file damaged."""
        with _explained(self.folder):
            connection = self._connection()
            if connection.in_transaction:  # within another one of this thread
                yield connection
                return
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

    def get(self, kind: str, name: bytes) -> bytes | None:
        """The record of a kind under a name."""
        tag = self.tag(kind, name)
        with _explained(self.folder):
            query = "SELECT value FROM records WHERE kind = ? AND tag = ?"
            row = self._connection().execute(query, (kind, tag)).fetchone()
        return None if row is None else self._opened(kind, tag, row[0])

    def all(self, kind: str) -> list[bytes]:
        """All records of a kind, in no order."""
        with _explained(self.folder):
            rows = self._connection().execute("SELECT tag, value FROM records WHERE kind = ?", (kind,)).fetchall()
        return [self._opened(kind, tag, value) for tag, value in rows]

    def put(self, kind: str, name: bytes, value: bytes) -> None:
        tag = self.tag(kind, name)
        sealed = self._key.encrypt(value, _place(kind, tag))
        with self.transaction() as rows:
            rows.execute("INSERT OR REPLACE INTO records VALUES (?, ?, ?)", (kind, tag, sealed))

    def delete(self, kind: str, name: bytes) -> None:
        with self.transaction() as rows:
            rows.execute("DELETE FROM records WHERE kind = ? AND tag = ?", (kind, self.tag(kind, name)))

    def tag(self, kind: str, name: bytes) -> bytes:
        """What stands in the file for a name: 32 bytes that tell nothing without the storage key."""
        return hmac.digest(self._tags, kind.encode() + b"\0" + name, hashlib.sha256)

    def close(self) -> None:
        for connection in self._connections:
            connection.close()
        self._connections.clear()
        self._local = threading.local()

    def _opened(self, kind: str, tag: bytes, value: bytes) -> bytes:
        try:
            return self._key.decrypt(bytes(value), _place(kind, bytes(tag)))
        except MalformedError as error:
            raise ProfileError(
                f"The profile in {self.folder} is damaged: a {kind} cannot be read.", hint="Restore it from a copy."
            ) from error

    def _connection(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = _connect(self.folder / _FILE)
            self._connections.append(connection)
        return connection


def _kept(key: StorageKey, passphrase: str | None) -> bytes:
    return key.secret.reveal() if passphrase is None else lock(key.secret, passphrase)


def _place(kind: str, tag: bytes) -> str:
    return f"{kind}/{tag.hex()}"


def _connect(path: Path) -> sqlite3.Connection:
    before = os.umask(0o077)  # the -wal and -shm files
    try:
        # Threads keep to their own; close() alone comes from another one.
        connection = sqlite3.connect(path, timeout=_WAIT, isolation_level=None, check_same_thread=False)
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA secure_delete = ON")
            _migrate(connection, path.parent)
        except BaseException:
            connection.close()
            raise
    finally:
        os.umask(before)
    return connection


def _migrate(connection: sqlite3.Connection, folder: Path) -> None:
    if connection.execute("PRAGMA user_version").fetchone()[0] == len(_MIGRATIONS):
        return
    connection.execute("BEGIN IMMEDIATE")
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > len(_MIGRATIONS):
        connection.execute("ROLLBACK")
        raise ProfileError(
            f"The profile in {folder} was written by a later version of StyleCrypt.", hint="Update StyleCrypt."
        )
    for script in _MIGRATIONS[version:]:
        for statement in filter(None, map(str.strip, script.split(";"))):
            connection.execute(statement)
    connection.execute(f"PRAGMA user_version = {len(_MIGRATIONS)}")
    connection.execute("COMMIT")


def _close_to_others(folder: Path, path: Path) -> None:
    """Files that others may read are made private again, where they are ours."""
    for place, mode in ((folder, 0o700), (path, 0o600)):
        try:
            if place.stat().st_mode & 0o077:
                place.chmod(mode)
        except OSError as error:
            raise ProfileError(
                f"Others may read {place}, and that cannot be changed: {_said(error)}.", hint=f"chmod {mode:o} {place}"
            ) from error


@contextmanager
def _explained(folder: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.OperationalError as error:
        text = str(error)
        if "full" in text:
            raise ProfileError("The disk is full: nothing was changed.", hint="Make room, and do it again.") from error
        if "locked" in text:
            raise ProfileError("Another program keeps the profile busy.", hint="End it, or try again later.") from error
        raise ProfileError(f"The profile in {folder} cannot be used: {text}.") from error
    except sqlite3.DatabaseError as error:
        raise ProfileError(f"The profile in {folder} is damaged: {error}.", hint="Restore it from a copy.") from error


def _said(error: OSError) -> str:
    return (error.strerror or "the system refused").lower()

"""Sealed records in the profile's database.

Every value is encrypted with the storage key, bound to its kind, name and owner, so that rows cannot be swapped.
Rows are looked up by a keyed hash, so the file does not reveal anybody's contacts. Both hold even without a
passphrase, so that setting one later only locks the storage key, which is in the same file.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Final, Self

from stylecrypt_protocol import (
    Cost,
    LocalProtocolError,
    RemoteProtocolError,
    Secret,
    StorageKey,
    TooLargeError,
    WrongPassphraseError,
    lock,
    unlock,
)

from ..errors import InputError, NotAuthorisedError, ProfileError, Remedy
from .database import Database, no_profile

__all__ = ["Store"]

_KEY_BYTES: Final = 32  # of the bare storage key; a locked one is longer
_COST: Final = Cost()


class Store:
    """Records by kind and name, and optionally by owner. Several threads and processes may use one at once."""

    def __init__(self, database: Database, key: StorageKey, locked: bool) -> None:
        """Use `create` or `open`."""
        self.database = database
        self.locked = locked
        self._key = key
        self._tags = hmac.digest(key.secret.reveal(), b"stylecrypt.org/profile/tags\0", "sha256")

    @classmethod
    def create(cls, folder: Path, passphrase: str | None, contents: Iterable[tuple[str, bytes, bytes]]) -> Self:
        """A new store with these records (kind, name, value).

        Raises ProfileError if there is one already, or it cannot be made; InputError for an empty passphrase.
        """
        key = StorageKey.generate()
        kept = _stored_key(key, passphrase)
        database = Database.create(folder)
        store = cls(database, key, passphrase is not None)
        try:
            with store.transaction():
                if database.read("SELECT 1 FROM key"):
                    raise ProfileError(f"There is a profile in {folder} already.", remedy=Remedy.CHOOSE_PROFILE_FOLDER)
                database.write("INSERT INTO key VALUES (1, ?)", kept)
                for kind, name, value in contents:
                    store.put(kind, name, value)
        except BaseException:
            store.close()  # the file stays, but without a key it is no profile
            raise
        return store

    @classmethod
    def open(cls, folder: Path, passphrase: Callable[[], str] | None) -> Self:
        """Raises ProfileError if there is none, or it is damaged or newer; NotAuthorisedError for a wrong passphrase."""
        database = Database.open(folder)
        try:
            rows = database.read("SELECT value FROM key")
            if not rows:
                raise no_profile(folder)
            kept = _blob(rows[0][0], folder)
            locked = len(kept) != _KEY_BYTES
            secret = _unlocked(database, kept, passphrase) if locked else Secret(kept)
            try:
                return cls(database, StorageKey(secret=secret), locked)
            except LocalProtocolError as error:
                raise _damaged(folder, "its key") from error
        except BaseException:
            database.close()
            raise

    @property
    def folder(self) -> Path:
        return self.database.folder

    def change_passphrase(self, passphrase: str | None) -> None:
        """Locks the storage key with another passphrase. Raises ProfileError; InputError for an empty one."""
        self.database.write("UPDATE key SET value = ?", _stored_key(self._key, passphrase))
        self.locked = passphrase is not None
        self.database.forget_deleted()

    def transaction(self) -> AbstractContextManager[None]:
        """As `Database.transaction`."""
        return self.database.transaction()

    def get(self, kind: str, name: bytes) -> bytes | None:
        """The value of a record. Raises ProfileError if it is damaged."""
        rows = self.database.read(
            "SELECT tag, owner, value FROM records WHERE kind = ? AND tag = ?", kind, self.tag(kind, name)
        )
        return self._opened(kind, *rows[0]) if rows else None

    def all(self, kind: str, owner: bytes | None = None, *, most: int = -1) -> list[bytes]:
        """All of a kind, or of a kind and owner, at most ``most``; the oldest first. Raises ProfileError if one is
        damaged."""
        query = "SELECT tag, owner, value FROM records WHERE kind = ?"
        if owner is None:
            rows = self.database.read(f"{query} ORDER BY id LIMIT ?", kind, most)
        else:
            rows = self.database.read(
                f"{query} AND owner = ? ORDER BY id LIMIT ?", kind, self.tag("owner", owner), most
            )
        return [self._opened(kind, *row) for row in rows]

    def count(self, kind: str) -> int:
        """How many there are."""
        return int(self.database.read("SELECT count(*) FROM records WHERE kind = ?", kind)[0][0])

    def put(self, kind: str, name: bytes, value: bytes, *, owner: bytes = b"") -> None:
        """Keeps a value, replacing the one of that name. Raises InputError for more than 64 MiB."""
        tag, owned = self.tag(kind, name), self.tag("owner", owner)
        try:
            sealed = self._key.encrypt(value, _sealed_name(kind, tag, owned))
        except LocalProtocolError as error:
            raise InputError(f"A {kind} of {len(value) >> 20} MB is too large to be kept.") from error
        self.database.write(
            "INSERT INTO records (kind, tag, owner, value) VALUES (?, ?, ?, ?) "
            "ON CONFLICT (kind, tag) DO UPDATE SET owner = excluded.owner, value = excluded.value",
            kind,
            tag,
            owned,
            sealed,
        )

    def delete(self, kind: str, name: bytes) -> None:
        self.database.write("DELETE FROM records WHERE kind = ? AND tag = ?", kind, self.tag(kind, name))

    def tag(self, kind: str, name: bytes) -> bytes:
        """The file's replacement for a name: 32 bytes that reveal nothing without the storage key."""
        return hmac.digest(self._tags, kind.encode() + b"\0" + name, "sha256")

    def close(self) -> None:
        self.database.close()

    def _opened(self, kind: str, tag: object, owner: object, value: object) -> bytes:
        tag, owner, value = (_blob(part, self.folder) for part in (tag, owner, value))
        try:
            return self._key.decrypt(value, _sealed_name(kind, tag, owner))
        except RemoteProtocolError as error:
            raise _damaged(self.folder, f"a {kind}") from error


def _stored_key(key: StorageKey, passphrase: str | None) -> bytes:
    """The storage key as it is stored. Takes half a second when there is a passphrase."""
    if passphrase is None:
        return key.secret.reveal()
    try:
        return lock(key.secret, passphrase, _COST)
    except LocalProtocolError as error:
        raise InputError("The passphrase is empty, or not text.", hint="Use another one, or none.") from error
    except MemoryError as error:
        raise _no_memory() from error


def _unlocked(database: Database, kept: bytes, passphrase: Callable[[], str] | None) -> Secret:
    if passphrase is None:
        raise NotAuthorisedError("The profile is locked, and no passphrase was given.", hint="Give its passphrase.")
    try:
        secret, upgraded = unlock(kept, passphrase(), _COST)
    except (WrongPassphraseError, LocalProtocolError) as error:  # the latter: an empty one, which no passphrase is
        raise NotAuthorisedError("The passphrase is wrong.", hint="Type it again; nothing was changed.") from error
    except (TooLargeError, MemoryError) as error:
        raise _no_memory() from error
    except RemoteProtocolError as error:
        raise _damaged(database.folder, "its key") from error
    if upgraded is not None:
        with suppress(ProfileError):  # the profile opens even on a full disk
            # Must not overwrite a passphrase that another process has set meanwhile.
            database.write("UPDATE key SET value = ? WHERE value = ?", upgraded, kept)
    return secret


def _sealed_name(kind: str, tag: bytes, owner: bytes) -> str:
    return f"{kind}/{owner.hex()}/{tag.hex()}"


def _blob(value: object, folder: Path) -> bytes:
    """SQLite allows any type in any column, and a damaged file may have any."""
    if not isinstance(value, bytes):
        raise _damaged(folder, "a value")
    return value


def _damaged(folder: Path, what: str) -> ProfileError:
    return ProfileError(f"The profile in {folder} is damaged: {what} cannot be read.", hint="Restore it from a copy.")


def _no_memory() -> ProfileError:
    return ProfileError(
        f"There is too little memory: {_COST.memory >> 20} MiB are needed to turn a passphrase into a key.",
        hint="End other programs, and try again.",
    )

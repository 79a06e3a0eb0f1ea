"""Records that a program keeps in a profile for its own use: bots keep their queues there, for instance."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Generic, TypeVar

from .records import RecordKind
from .store import Store

__all__ = ["AppRecords", "Records"]

T = TypeVar("T")


class AppRecords:
    """A program's own records, sealed like all others."""

    _store: Store

    def records(self, kind: str, values: type[T]) -> Records[T]:
        """The records of one ``kind``, a name that no other program uses, such as "myapp draft". ``values`` is their type,
        which pydantic must be able to turn into JSON and back: a dataclass, for instance, with
        ``pydantic.with_config(STORED)`` if it holds bytes."""
        return Records(self._store, RecordKind(kind, values))

    def transaction(self) -> AbstractContextManager[None]:
        """All changes made inside, to records and anything else, happen together or not at all."""
        return self._store.transaction()


class Records(Generic[T]):
    """Made by `Profile.records`. Names are any bytes; an owner groups several records."""

    def __init__(self, store: Store, kind: RecordKind[T]) -> None:
        self._store, self._kind = store, kind

    def get(self, name: bytes) -> T | None:
        return self._kind.get(self._store, name)

    def put(self, name: bytes, value: T, *, owner: bytes = b"") -> None:
        """Replaces the record of that name, if there is one, at its position in the order."""
        self._kind.put(self._store, name, value, owner=owner)

    def delete(self, name: bytes) -> None:
        self._kind.delete(self._store, name)

    def all(self, owner: bytes | None = None) -> list[T]:
        """The oldest first."""
        return self._kind.all(self._store, owner)

    def first(self, owner: bytes | None = None) -> T | None:
        """The oldest."""
        return next(iter(self._kind.all(self._store, owner, most=1)), None)

    def __len__(self) -> int:
        return self._kind.count(self._store)

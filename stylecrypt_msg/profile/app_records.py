"""What a program keeps in a profile besides what a profile is for: bots their queues, for instance."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Generic, TypeVar

from .records import RecordKind
from .store import Store

__all__ = ["AppRecords", "Records"]

T = TypeVar("T")


class AppRecords:
    """Records of a program's own, sealed like all others."""

    _store: Store

    def records(self, kind: str, values: type[T]) -> Records[T]:
        """Those of one kind: a name that no other program uses, such as "myapp draft". ``values`` is what they are: a type that
        pydantic can turn into JSON and back, such as a dataclass, with ``pydantic.with_config(STORED)`` if there are bytes."""
        return Records(self._store, RecordKind(kind, values))

    def transaction(self) -> AbstractContextManager[None]:
        """Of all that is changed inside, in records or otherwise, everything or nothing."""
        return self._store.transaction()


class Records(Generic[T]):
    """Made by `Profile.records`. Names are bytes of any kind; an owner is what several records have in common."""

    def __init__(self, store: Store, kind: RecordKind[T]) -> None:
        self._store, self._kind = store, kind

    def get(self, name: bytes) -> T | None:
        return self._kind.get(self._store, name)

    def put(self, name: bytes, value: T, *, owner: bytes = b"") -> None:
        """In place of the one of that name, which keeps its place in the order."""
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

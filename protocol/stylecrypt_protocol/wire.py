"""How fields become bytes: fixed order, fixed widths, big-endian, one encoding for each value. SPEC.md
section 2.

The notation is that of TLS (RFC 8446, section 3): ``uint16``, ``opaque x[16]``, ``opaque x<0..255>``.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any, Final, NewType

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from .errors import LocalProtocolError, MalformedError, UnsupportedError
from .limits import MAX_TIME

VERSION: Final = 1
"""The version of everything in SPEC.md; the first byte of each structure after its magic."""

CardId = NewType("CardId", bytes)
"""16 bytes that identify a pair of public keys (SPEC.md section 6)."""

MessageId = NewType("MessageId", bytes)
"""16 random bytes that identify a message."""

Bytes32 = Annotated[bytes, Field(min_length=32, max_length=32)]
Bytes64 = Annotated[bytes, Field(min_length=64, max_length=64)]
CardIdField = Annotated[CardId, Field(min_length=16, max_length=16)]
MessageIdField = Annotated[MessageId, Field(min_length=16, max_length=16)]
Time = Annotated[int, Field(ge=0, le=MAX_TIME)]


class WireModel(BaseModel):
    """A frozen value that is valid if it exists: constructing an invalid one raises LocalProtocolError."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        arbitrary_types_allowed=True,
        hide_input_in_errors=True,
        defer_build=True,
    )

    def __init__(self, **data: Any) -> None:
        try:
            super().__init__(**data)
        except ValidationError as error:
            # The text omits the inputs: they may be the very content to seal.
            first = error.errors(include_input=False, include_url=False)[0]
            where = ".".join(str(part) for part in first["loc"])
            raise LocalProtocolError(f"{where}: {first['msg']}" if where else first["msg"]) from None


@contextmanager
def received(what: str) -> Iterator[None]:
    """Inside this block, values are received: an invalid one is the other side's fault (MalformedError)."""
    try:
        yield
    except LocalProtocolError as error:
        raise MalformedError(f"{what}: {error.detail}") from None


def opaque(data: bytes, width: int) -> bytes:
    """``data`` behind its length as an unsigned integer of ``width`` bytes."""
    return len(data).to_bytes(width, "big") + data


class Reader:
    """Takes fields off the front of received bytes; raises MalformedError when they run out."""

    def __init__(self, data: bytes, what: str) -> None:
        self._data = data
        self._at = 0
        self._what = what

    def take(self, count: int) -> bytes:
        """The next ``count`` bytes."""
        end = self._at + count
        if end > len(self._data):
            raise MalformedError(f"{self._what}: ends {end - len(self._data)} bytes too early")
        piece = self._data[self._at : end]
        self._at = end
        return piece

    def uint(self, width: int) -> int:
        """An unsigned big-endian integer of ``width`` bytes."""
        return int.from_bytes(self.take(width), "big")

    def int32(self) -> int:
        """A signed (two's complement) big-endian integer of 4 bytes."""
        return int.from_bytes(self.take(4), "big", signed=True)

    def opaque(self, width: int) -> bytes:
        """Bytes behind their length, which is an unsigned integer of ``width`` bytes."""
        return self.take(self.uint(width))

    def text(self, width: int) -> str:
        """UTF-8 behind its length in bytes."""
        try:
            return self.opaque(width).decode()
        except UnicodeDecodeError:
            raise MalformedError(f"{self._what}: text is not UTF-8") from None

    def flag(self) -> bool:
        """One byte, 0 or 1."""
        value = self.uint(1)
        if value > 1:
            raise MalformedError(f"{self._what}: a flag is {value}")
        return value == 1

    def magic(self, magic: bytes) -> None:
        """The fixed bytes that a structure begins with, then the version byte."""
        if self.take(len(magic)) != magic:
            raise MalformedError(f"{self._what}: does not begin with {magic.decode()}")
        self.version()

    def version(self) -> None:
        """The version byte; raises UnsupportedError for any other than ours."""
        version = self.uint(1)
        if version != VERSION:
            raise UnsupportedError(f"{self._what}: version {version}")

    def remaining(self) -> int:
        """The number of bytes left."""
        return len(self._data) - self._at

    def done(self) -> None:
        """Raises MalformedError if bytes are left."""
        if self.remaining():
            raise MalformedError(f"{self._what}: {self.remaining()} bytes too many")

"""The sealed part before it is encrypted: its fields, its signature and its padding. SPEC.md section 4."""

from __future__ import annotations

from enum import IntEnum
from typing import Final, Self

from pydantic import Field, model_validator

from . import primitives
from .age import padme
from .commitment import Opening
from .cover import GRID_BYTES
from .envelope import Level
from .errors import LocalProtocolError, MalformedError, TooLargeError, UnsupportedError
from .identity import Identity
from .limits import MAX_FACES, MAX_RECIPIENTS
from .text import Caption, FileName
from .wire import VERSION, Bytes32, CardId, CardIdField, Reader, Time, WireModel, opaque, received

__all__ = ["Residual", "ResidualKind", "SealedPart"]

_WHAT: Final = "sealed part"


class ResidualKind(IntEnum):
    """What the sealed bytes are."""

    NONE = 0
    """Nothing: level ``keyface``."""
    STYLES = 1
    """The original style vectors: level ``latent``."""
    FACES = 2
    """The original pixels of the face regions: level ``original``."""
    FILE = 3
    """The original file: level ``original``."""


LEVELS: Final = {
    ResidualKind.NONE: Level.KEYFACE,
    ResidualKind.STYLES: Level.LATENT,
    ResidualKind.FACES: Level.ORIGINAL,
    ResidualKind.FILE: Level.ORIGINAL,
}
"""The level that each kind of residual belongs to."""


class Residual(WireModel):
    """What turns the cover back into the original. The protocol does not look into ``data``."""

    kind: ResidualKind = ResidualKind.NONE
    data: bytes = Field(default=b"", repr=False)

    @model_validator(mode="after")
    def _check_data(self) -> Self:
        if bool(self.data) == (self.kind is ResidualKind.NONE):
            raise ValueError(f"{len(self.data)} bytes do not go with kind {self.kind.name.lower()}")
        return self


class SealedPart(WireModel):
    """What only the recipients read; all of it is signed."""

    sender: CardIdField
    recipients: tuple[CardIdField, ...] = Field(min_length=1, max_length=MAX_RECIPIENTS)
    """In ascending order, each once."""
    public_digest: Bytes32
    sent_at: Time
    """Seconds since 1970, UTC."""
    sketch: bytes = Field(min_length=2 * GRID_BYTES, max_length=(1 + MAX_FACES) * GRID_BYTES, repr=False)
    opening: Opening | None = None
    caption: Caption = Field(default="", repr=False)
    file_name: FileName = Field(default="", repr=False)
    residual: Residual = Residual()

    @model_validator(mode="after")
    def _check(self) -> Self:
        if list(self.recipients) != sorted(set(self.recipients)):
            raise ValueError("the recipients are not in ascending order")
        if len(self.sketch) % GRID_BYTES:
            raise ValueError("the sketch is not whole grids")
        return self

    def sign(self, identity: Identity) -> bytes:
        """The bytes to encrypt: length, fields, signature, padding."""
        if identity.id != self.sender:
            raise LocalProtocolError("signed by another identity than the sender")
        fields = self._fields()
        body = opaque(fields + identity.sign(primitives.MESSAGE, fields), 4)
        return body + bytes(padme(len(body)) - len(body))

    def _fields(self) -> bytes:
        opening = self.opening
        return b"".join(
            (
                bytes([VERSION]),
                self.sender,
                bytes([len(self.recipients)]),
                *self.recipients,
                self.public_digest,
                self.sent_at.to_bytes(8, "big"),
                bytes([len(self.sketch) // GRID_BYTES]),
                self.sketch,
                b"\0" if opening is None else b"\1" + opening.key + opening.digest,
                opaque(self.caption.encode(), 2),
                opaque(self.file_name.encode(), 1),
                bytes([self.residual.kind]),
                self.residual.data,
            )
        )


class SignedPart:
    """A decrypted sealed part of which only the length, the padding and the version have been looked at."""

    __slots__ = ("fields", "sender", "signature")

    def __init__(self, plaintext: bytes) -> None:
        reader = Reader(plaintext, _WHAT)
        body = reader.opaque(4)
        padding = reader.take(reader.remaining())
        if padding.strip(b"\0") or len(plaintext) != padme(4 + len(body)):
            raise MalformedError(f"{_WHAT}: wrong padding")
        split = len(body) - primitives.SIGNATURE_BYTES
        if split < 0:
            raise MalformedError(f"{_WHAT}: too short for a signature")
        self.fields, self.signature = body[:split], body[split:]
        reader = Reader(self.fields, _WHAT)
        reader.version()
        self.sender = CardId(reader.take(16))

    def verify(self, signing_key: bytes) -> SealedPart:
        """The fields, after their signature was found to be by this key.

        Raises BadSignatureError, MalformedError, TooLargeError or UnsupportedError.
        """
        primitives.ed25519_verify(signing_key, primitives.MESSAGE, self.fields, self.signature)
        reader = Reader(self.fields, _WHAT)
        reader.version()
        with received(_WHAT):
            return SealedPart(
                sender=CardId(reader.take(16)),
                recipients=tuple(CardId(reader.take(16)) for _ in range(_count(reader, MAX_RECIPIENTS))),
                public_digest=reader.take(32),
                sent_at=reader.uint(8),
                sketch=reader.take(GRID_BYTES * _count(reader, 1 + MAX_FACES)),
                opening=Opening(key=reader.take(32), digest=reader.take(32)) if reader.flag() else None,
                caption=reader.text(2),
                file_name=reader.text(1),
                residual=Residual(kind=_kind(reader), data=reader.take(reader.remaining())),
            )


def _count(reader: Reader, limit: int) -> int:
    count = reader.uint(1)
    if count > limit:
        raise TooLargeError(f"{_WHAT}: a count is {count}")
    return count


def _kind(reader: Reader) -> ResidualKind:
    kind = reader.uint(1)
    if kind not in tuple(ResidualKind):
        raise UnsupportedError(f"{_WHAT}: residual of kind {kind}")
    return ResidualKind(kind)

"""The sealed part of a message before it is encrypted. SPEC.md section 4.1."""

from __future__ import annotations

from enum import IntEnum
from typing import ClassVar, Final, Self

from pydantic import Field, model_validator

from . import primitives
from .commitment import Opening
from .errors import LocalProtocolError, TooLargeError, UnsupportedError
from .level import Level
from .limits import MAX_SKETCH_BYTES
from .signed import Signed
from .text import Caption, FileName
from .wire import Bytes32, CardId, Reader, WireModel, opaque

__all__ = ["NO_CONTEXT", "Residual", "ResidualKind", "SealedPart", "context_of"]

NO_CONTEXT: Final = bytes(32)


def context_of(chat: str) -> bytes:
    """A message's reference to its chat: SHA-256 of domain and the chat's public name, such as a Matrix room id,
    as UTF-8. 32 bytes. SPEC.md section 4.1. Raises LocalProtocolError."""
    try:
        return primitives.sha256(primitives.CONTEXT, chat.encode())
    except UnicodeEncodeError:
        raise LocalProtocolError("the name of the chat is not text") from None


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
    """Turns the cover back into the original. ``data`` is opaque to the protocol."""

    kind: ResidualKind = ResidualKind.NONE
    data: bytes = Field(default=b"", repr=False)

    @model_validator(mode="after")
    def _check_data(self) -> Self:
        if bool(self.data) == (self.kind is ResidualKind.NONE):
            raise ValueError(f"{len(self.data)} bytes do not go with kind {self.kind.name.lower()}")
        return self


class SealedPart(Signed):
    """The part of a message that only its recipients read; all of it is signed."""

    DOMAIN: ClassVar[bytes] = primitives.MESSAGE

    public_digest: Bytes32
    context: Bytes32 = NO_CONTEXT
    """`context_of` the chat that the sender meant; zeros if none in particular."""
    sketch: bytes = Field(max_length=MAX_SKETCH_BYTES, repr=False)
    opening: Opening | None = None
    caption: Caption = Field(default="", repr=False)
    file_name: FileName = Field(default="", repr=False)
    residual: Residual = Residual()

    def _rest(self) -> bytes:
        opening = self.opening
        return b"".join(
            (
                self.public_digest,
                self.context,
                opaque(self.sketch, 4),
                b"\0" if opening is None else b"\1" + opening.key + opening.digest,
                opaque(self.caption.encode(), 2),
                opaque(self.file_name.encode(), 1),
                bytes([self.residual.kind]),
                self.residual.data,
            )
        )

    @classmethod
    def _read(cls, reader: Reader, sender: CardId, recipients: tuple[CardId, ...], sent_at: int) -> Self:
        return cls(
            sender=sender,
            recipients=recipients,
            sent_at=sent_at,
            public_digest=reader.take(32),
            context=reader.take(32),
            sketch=_sketch(reader),
            opening=Opening(key=reader.take(32), digest=reader.take(32)) if reader.flag() else None,
            caption=reader.text(2),
            file_name=reader.text(1),
            residual=Residual(kind=_kind(reader), data=reader.take(reader.remaining())),
        )


def _sketch(reader: Reader) -> bytes:
    length = reader.uint(4)
    if length > MAX_SKETCH_BYTES:
        raise TooLargeError(f"sealed part: a sketch of {length} bytes")
    return reader.take(length)


def _kind(reader: Reader) -> ResidualKind:
    kind = reader.uint(1)
    if kind not in tuple(ResidualKind):
        raise UnsupportedError(f"sealed part: residual of kind {kind}")
    return ResidualKind(kind)

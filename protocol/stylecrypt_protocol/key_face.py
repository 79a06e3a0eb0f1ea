"""Giving a key face to contacts: the picture, its secret and its codes, signed and sealed to them. SPEC.md section 7.2."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Final, Self

from pydantic import Field, field_validator, model_validator

from . import primitives
from .card import Card, Revocation
from .commitment import KeyFace
from .errors import FromFutureError, TooLargeError
from .identity import Identity
from .limits import MAX_CLOCK_SKEW, MAX_INVERSIONS, MAX_KEY_FACE_BYTES, MAX_STYLE_DIMENSIONS, MAX_STYLES
from .secret import Secret
from .signed import Signed, ids_of, seal, unseal
from .wire import VERSION, Bytes32, CardId, Reader, WireModel, received

__all__ = ["Inversion", "SharedKeyFace", "open_key_face", "share_key_face"]

MAGIC: Final = b"SCH"


class Inversion(WireModel):
    """The latent codes of a key face for one model, which save inverting the picture."""

    model_hash: Bytes32
    styles: int = Field(ge=1, le=MAX_STYLES)
    dimensions: int = Field(ge=1, le=MAX_STYLE_DIMENSIONS)
    """Of each style vector."""
    codes: bytes = Field(repr=False)
    """``styles`` times ``dimensions`` finite numbers, style by style: IEEE 754 binary16, little-endian."""

    @model_validator(mode="after")
    def _check_codes(self) -> Self:
        if len(self.codes) != 2 * self.styles * self.dimensions:
            raise ValueError(f"{len(self.codes)} bytes are not {self.styles} x {self.dimensions} numbers")
        # The second byte of each has its exponent, which is all ones for infinity and NaN.
        if any(byte & 0x7C == 0x7C for byte in self.codes[1::2]):
            raise ValueError("the codes are not all finite")
        return self

    def to_bytes(self) -> bytes:
        """The canonical bytes."""
        return self.model_hash + bytes([self.styles]) + self.dimensions.to_bytes(2, "big") + self.codes

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """What ``to_bytes`` made. Raises MalformedError."""
        reader = Reader(data, "inversion")
        with received("inversion"):
            inversion = cls.read(reader)
        reader.done()
        return inversion

    @classmethod
    def read(cls, reader: Reader) -> Self:
        """Takes one off the front. Raises MalformedError, or LocalProtocolError for invalid values."""
        model_hash, styles, dimensions = reader.take(32), reader.uint(1), reader.uint(2)
        codes = reader.take(2 * styles * dimensions)
        return cls(model_hash=model_hash, styles=styles, dimensions=dimensions, codes=codes)


class SharedKeyFace(Signed):
    """A key face that its owner, the sender, gave to the recipients."""

    DOMAIN: ClassVar[bytes] = primitives.KEY_FACE

    key_face: KeyFace
    prepared: tuple[Inversion, ...] = Field(default=(), max_length=MAX_INVERSIONS)
    """For different models. They may also come from other photos of the same person."""
    picture: bytes = Field(min_length=1, max_length=MAX_KEY_FACE_BYTES, repr=False)
    """A picture file. Its pixels, as the owner decoded them, have ``key_face.digest``."""

    @field_validator("prepared")
    @classmethod
    def _check_models(cls, prepared: tuple[Inversion, ...]) -> tuple[Inversion, ...]:
        if len({inversion.model_hash for inversion in prepared}) != len(prepared):
            raise ValueError("two inversions are for one model")
        return prepared

    def _rest(self) -> bytes:
        inversions = bytes([len(self.prepared)]) + b"".join(inversion.to_bytes() for inversion in self.prepared)
        return self.key_face.digest + self.key_face.secret.reveal() + inversions + self.picture

    @classmethod
    def _read(cls, reader: Reader, sender: CardId, recipients: tuple[CardId, ...], sent_at: int) -> Self:
        key_face = KeyFace(digest=reader.take(32), secret=Secret(reader.take(32)))
        count = reader.uint(1)
        if count > MAX_INVERSIONS:
            raise TooLargeError(f"key face: {count} inversions")
        return cls(
            sender=sender,
            recipients=recipients,
            sent_at=sent_at,
            key_face=key_face,
            prepared=tuple(Inversion.read(reader) for _ in range(count)),
            picture=_picture(reader),
        )


def _picture(reader: Reader) -> bytes:
    if reader.remaining() > MAX_KEY_FACE_BYTES:
        raise TooLargeError(f"key face: a picture of {reader.remaining()} bytes")
    return reader.take(reader.remaining())


def share_key_face(
    sender: Identity,
    recipients: Sequence[Card],
    key_face: KeyFace,
    picture: bytes,
    *,
    sent_at: int,
    prepared: Sequence[Inversion] = (),
) -> bytes:
    """A file for these contacts: the key face, its picture (a picture file of at most 4 MiB), ``sent_at`` Unix seconds, and
    its latent codes, for up to 4 models.

    Raises LocalProtocolError.
    """
    content = SharedKeyFace(
        sender=sender.id,
        recipients=ids_of(recipients),
        sent_at=sent_at,
        key_face=key_face,
        prepared=tuple(prepared),
        picture=picture,
    )
    return MAGIC + bytes([VERSION]) + seal(content, sender, recipients)


def open_key_face(
    data: bytes, identity: Identity, contacts: Mapping[CardId, Card | Revocation], *, now: int
) -> SharedKeyFace:
    """Opens the result of ``share_key_face``; its ``sender``, a contact, is the owner of the key face.

    Receiving one again changes nothing, so repetition and age are not checked. Raises an error below
    RemoteProtocolError, as ``open_message`` does.
    """
    if len(data) > 2 * MAX_KEY_FACE_BYTES:
        raise TooLargeError(f"key face: {len(data)} bytes")
    reader = Reader(data, "key face")
    reader.magic(MAGIC)
    _, content = unseal(SharedKeyFace, reader.take(reader.remaining()), identity, contacts)
    if content.sent_at > now + MAX_CLOCK_SKEW:
        raise FromFutureError(f"{content.sent_at - now} seconds ahead")
    return content

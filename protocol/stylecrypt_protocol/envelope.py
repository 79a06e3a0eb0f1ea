"""The public part of a message, and the envelope that holds it and the sealed part. SPEC.md section 3."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Iterable, Sequence
from typing import Annotated, Final, Self

from pydantic import Field, model_validator

from . import primitives
from .commitment import KeyFace, Opening
from .cover import Pixels, Side, WireQuad
from .errors import LocalProtocolError, TooLargeError, UnsupportedError
from .level import Level
from .limits import MAX_ENVELOPE_BYTES, MAX_FACE_AREA, MAX_FACES, MAX_PIXELS, MAX_PUBLIC_BYTES, MAX_STYLES
from .wire import VERSION, Bytes32, MessageId, MessageIdField, Reader, WireModel, opaque, received

__all__ = ["Envelope", "PublicPart", "pick_key_face"]

MAGIC: Final = b"SCE"
_LEVELS: Final = {level.number: level for level in Level if level.number}


class PublicPart(WireModel):
    """What everybody may read. It names no sender, recipients, file or time."""

    message_id: MessageIdField
    level: Level
    model_hash: Bytes32
    """Identifies the model, as the layer above computes it; opaque here."""
    styles: Annotated[int, Field(ge=1, le=MAX_STYLES)]
    """How many style vectors the model has."""
    replaced: tuple[int, ...] = Field(min_length=1)
    """The layers whose style vectors are replaced, ascending, the first layer being 0."""
    faces: tuple[WireQuad, ...] = Field(max_length=MAX_FACES)
    width: Side
    height: Side
    cover_digest: Bytes32
    commitment: Bytes32 | None = None

    @model_validator(mode="after")
    def _check_level(self) -> Self:
        if not self.level.number:
            raise ValueError(f"no envelope carries level {self.level}")
        return self

    @model_validator(mode="after")
    def _check_size(self) -> Self:
        if self.width * self.height > MAX_PIXELS:
            raise ValueError(f"{self.width} x {self.height} is over {MAX_PIXELS} pixels")
        return self

    @model_validator(mode="after")
    def _check_faces(self) -> Self:
        area = 0.0
        for face in self.faces:
            left, top, right, bottom = face.box()
            wide, high = min(right, self.width) - max(left, 0), min(bottom, self.height) - max(top, 0)
            area += max(wide, 0) * max(high, 0)
        if area > MAX_FACE_AREA * self.width * self.height:
            raise ValueError(f"the faces cover the picture more than {MAX_FACE_AREA} times")
        return self

    @model_validator(mode="after")
    def _check_mask(self) -> Self:
        if list(self.replaced) != sorted({layer for layer in self.replaced if 0 <= layer < self.styles}):
            raise ValueError("the layer mask is not ascending layers of the model")
        return self

    @classmethod
    def describe(
        cls,
        cover: Pixels,
        *,
        level: Level,
        model_hash: bytes,
        styles: int,
        replaced: Iterable[int],
        faces: Sequence[WireQuad],
        key_face: KeyFace | None = None,
        message_id: MessageId | None = None,
    ) -> Self:
        """The public part of a new message: digests the cover, and draws an id (``secrets``) if none is given."""
        public = cls(
            message_id=message_id or MessageId(secrets.token_bytes(16)),
            level=level,
            model_hash=model_hash,
            styles=styles,
            replaced=tuple(sorted(set(replaced))),
            faces=tuple(faces),
            width=cover.width,
            height=cover.height,
            cover_digest=cover.digest,
        )
        return public.commit(key_face) if key_face else public

    def commit(self, key_face: KeyFace) -> Self:
        """The same public part with a commitment to this key face."""
        return self.model_copy(update={"commitment": key_face.open(self.message_id).commitment(self.committed())})

    def opened_by(self, opening: Opening) -> bool:
        """Whether it opens this commitment; in constant time."""
        return self.commitment is not None and hmac.compare_digest(
            opening.commitment(self.committed()), self.commitment
        )

    def committed(self) -> bytes:
        """The canonical bytes before the commitment, which it covers."""
        return b"".join(
            (
                bytes([VERSION, self.level.number]),
                self.message_id,
                self.model_hash,
                bytes([self.styles]),
                sum(1 << layer for layer in self.replaced).to_bytes(4, "big"),
                self.width.to_bytes(2, "big"),
                self.height.to_bytes(2, "big"),
                self.cover_digest,
                bytes([len(self.faces)]),
                *(value.to_bytes(4, "big", signed=True) for face in self.faces for xy in face.corners for value in xy),
            )
        )

    def to_bytes(self) -> bytes:
        """The canonical bytes: 125 with one face, 32 more for each further face and for the commitment."""
        return self.committed() + (b"\0" if self.commitment is None else b"\1" + self.commitment)

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Parses the canonical bytes. Raises MalformedError, TooLargeError or UnsupportedError."""
        what = "public part"
        if len(data) > MAX_PUBLIC_BYTES:
            raise TooLargeError(f"{what}: {len(data)} bytes")
        reader = Reader(data, what)
        reader.version()
        number = reader.uint(1)
        if number not in _LEVELS:
            raise UnsupportedError(f"{what}: level {number}")
        with received(what):
            return cls(
                level=_LEVELS[number],
                message_id=MessageId(reader.take(16)),
                model_hash=reader.take(32),
                styles=reader.uint(1),
                replaced=_layers(reader.uint(4)),
                width=reader.uint(2),
                height=reader.uint(2),
                cover_digest=reader.take(32),
                faces=tuple(_quad(reader) for _ in range(_face_count(reader))),
                commitment=_last(reader),
            )

    def digest(self) -> bytes:
        """SHA-256 of domain and canonical bytes, which the sealed part repeats: 32 bytes."""
        return primitives.sha256(primitives.PUBLIC_PART, self.to_bytes())


def pick_key_face(public: PublicPart, key_faces: Sequence[KeyFace]) -> KeyFace | None:
    """The one of ``key_faces`` that a message is committed to; None if none of them can recover its face.

    Compares in constant time and checks all of them, so that the time does not reveal which one it was.
    """
    matches = [public.opened_by(face.open(public.message_id)) for face in key_faces]
    return next((face for face, match in zip(key_faces, matches, strict=True) if match), None)


def _layers(mask: int) -> tuple[int, ...]:
    return tuple(layer for layer in range(32) if mask >> layer & 1)


def _face_count(reader: Reader) -> int:
    count = reader.uint(1)
    if count > MAX_FACES:
        raise TooLargeError(f"public part: {count} faces")
    return count


def _quad(reader: Reader) -> WireQuad:
    values = [reader.int32() for _ in range(8)]
    return WireQuad(corners=tuple(zip(values[::2], values[1::2], strict=True)))  # type: ignore[arg-type]


def _last(reader: Reader) -> bytes | None:
    commitment = reader.take(32) if reader.flag() else None
    reader.done()
    return commitment


class Envelope(WireModel):
    """A message as it travels: the public part, and the sealed part unless the level is ``keyface`` and there are no
    recipients."""

    public: PublicPart
    sealed: bytes | None = Field(default=None, repr=False)
    """An age v1 file."""

    @model_validator(mode="after")
    def _check_seal(self) -> Self:
        if self.sealed is None and self.public.level is not Level.KEYFACE:
            raise ValueError(f"level {self.public.level} needs a sealed part")
        if self.sealed == b"":
            raise ValueError("the sealed part is empty")
        return self

    def pack(self) -> bytes:
        """The canonical bytes, for a carrier or a file. Raises LocalProtocolError over MAX_ENVELOPE_BYTES."""
        packed = MAGIC + bytes([VERSION]) + opaque(self.public.to_bytes(), 2) + opaque(self.sealed or b"", 4)
        if len(packed) > MAX_ENVELOPE_BYTES:
            raise LocalProtocolError(
                f"{len(packed)} bytes are over {MAX_ENVELOPE_BYTES}: use level latent or a smaller photo"
            )
        return packed

    @classmethod
    def unpack(cls, data: bytes) -> Self:
        """Parses what ``pack`` made. Nothing is decrypted. Raises MalformedError, TooLargeError or
        UnsupportedError."""
        if len(data) > MAX_ENVELOPE_BYTES:
            raise TooLargeError(f"envelope: {len(data)} bytes")
        reader = Reader(data, "envelope")
        reader.magic(MAGIC)
        public = PublicPart.from_bytes(reader.opaque(2))
        sealed = reader.opaque(4)
        reader.done()
        return cls.from_parts(public, sealed)

    @classmethod
    def from_parts(cls, public: PublicPart, sealed: bytes) -> Self:
        """From received parts; an empty sealed part counts as none. Raises MalformedError."""
        with received("envelope"):
            return cls(public=public, sealed=sealed or None)

"""Giving a key face to contacts: the picture and its secret, signed and sealed to them. SPEC.md section 7.2."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Final, Self

from pydantic import Field

from . import age, primitives
from .card import Card, Revocation
from .commitment import KeyFace
from .errors import FromFutureError, TooLargeError
from .identity import Identity
from .limits import MAX_KEY_FACE_BYTES
from .replay import MAX_CLOCK_SKEW
from .secret import Secret
from .signed import Signed, unseal
from .wire import VERSION, CardId, Reader

__all__ = ["SharedKeyFace", "open_key_face", "share_key_face"]

MAGIC: Final = b"SCH"


class SharedKeyFace(Signed):
    """A key face that its owner, the sender, gave to the recipients."""

    DOMAIN: ClassVar[bytes] = primitives.KEY_FACE

    key_face: KeyFace
    picture: bytes = Field(min_length=1, max_length=MAX_KEY_FACE_BYTES, repr=False)
    """A picture file. Its pixels, as the owner decoded them, have ``key_face.digest``."""

    def _rest(self) -> bytes:
        return self.key_face.digest + self.key_face.secret.reveal() + self.picture

    @classmethod
    def _read(cls, reader: Reader, sender: CardId, recipients: tuple[CardId, ...], sent_at: int) -> Self:
        return cls(
            sender=sender,
            recipients=recipients,
            sent_at=sent_at,
            key_face=KeyFace(digest=reader.take(32), secret=Secret(reader.take(32))),
            picture=reader.take(reader.remaining()),
        )


def share_key_face(
    sender: Identity, recipients: Sequence[Card], key_face: KeyFace, picture: bytes, *, sent_at: int
) -> bytes:
    """A file for these contacts: the key face, its picture (a picture file of at most 4 MiB), ``sent_at`` Unix seconds.

    Raises LocalProtocolError.
    """
    content = SharedKeyFace(
        sender=sender.id,
        recipients=tuple(sorted({card.id for card in recipients})),
        sent_at=sent_at,
        key_face=key_face,
        picture=picture,
    )
    sealed = age.encrypt(content.sign(sender), {card.sealing_key for card in recipients})
    return MAGIC + bytes([VERSION]) + sealed


def open_key_face(
    data: bytes, identity: Identity, contacts: Mapping[CardId, Card | Revocation], *, now: int
) -> SharedKeyFace:
    """What ``share_key_face`` made; its ``sender``, a contact, is whose key face it is.

    Receiving one again changes nothing, so repetition and age are not looked at. Raises an error below
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

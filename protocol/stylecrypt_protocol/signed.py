"""Content that is signed to named recipients, padded and sealed: messages (sealed.py) and shared key faces (key_face.py).

SPEC.md sections 4.2, 4.3 and 4.5, steps 3 to 8.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import ClassVar, Self, TypeVar

from pydantic import Field, model_validator

from . import age, primitives
from .card import Card, Revocation
from .errors import (
    ForwardedError,
    LocalProtocolError,
    MalformedError,
    RevokedKeyError,
    StrangerError,
    TooLargeError,
)
from .identity import Identity
from .limits import MAX_RECIPIENTS
from .wire import VERSION, CardId, CardIdField, Reader, Time, WireModel, opaque, received

__all__ = ["Signed", "SignedPart", "attribute", "ids_of", "seal", "unseal"]

T = TypeVar("T", bound="Signed")


class Signed(WireModel):
    """Sender and recipients. The subclasses add the content."""

    DOMAIN: ClassVar[bytes]

    sender: CardIdField
    recipients: tuple[CardIdField, ...] = Field(min_length=1, max_length=MAX_RECIPIENTS)
    """In ascending order, without duplicates."""
    sent_at: Time
    """Seconds since 1970, UTC."""

    @model_validator(mode="after")
    def _check_recipients(self) -> Self:
        if list(self.recipients) != sorted(set(self.recipients)):
            raise ValueError("the recipients are not in ascending order")
        return self

    def sign(self, identity: Identity, size: int | None = None) -> bytes:
        """The bytes to encrypt: length, fields, signature, and zeros up to ``size`` bytes, or to the Padmé length."""
        if identity.id != self.sender:
            raise LocalProtocolError("signed by another identity than the sender")
        fields = self.to_fields()
        body = opaque(fields + identity.sign(self.DOMAIN, fields), 4)
        zeros = _padded(len(body), size) - len(body)
        if zeros < 0:
            raise LocalProtocolError(f"{len(body)} bytes do not fit into {size}")
        return body + bytes(zeros)

    def to_fields(self) -> bytes:
        """The canonical bytes that are signed."""
        head = bytes([VERSION]) + self.sender + bytes([len(self.recipients)]) + b"".join(self.recipients)
        return head + self.sent_at.to_bytes(8, "big") + self._rest()

    @abstractmethod
    def _rest(self) -> bytes:
        """The fields that a subclass adds."""

    @classmethod
    @abstractmethod
    def _read(cls, reader: Reader, sender: CardId, recipients: tuple[CardId, ...], sent_at: int) -> Self:
        """Reads the fields that a subclass adds, to the end."""


class SignedPart:
    """A decrypted sealed part of which only the length, the padding and the version have been checked.

    ``size``: to which it has to be padded; None: to the Padmé length.
    """

    __slots__ = ("fields", "sender", "signature")

    def __init__(self, plaintext: bytes, size: int | None = None) -> None:
        reader = Reader(plaintext, "sealed part")
        body = reader.opaque(4)
        padding = reader.take(reader.remaining())
        if padding.strip(b"\0") or len(plaintext) != _padded(4 + len(body), size):
            raise MalformedError("sealed part: wrong padding")
        split = len(body) - primitives.SIGNATURE_BYTES
        if split < 0:
            raise MalformedError("sealed part: too short for a signature")
        self.fields, self.signature = body[:split], body[split:]
        self.sender, _ = self._open()

    def _open(self) -> tuple[CardId, Reader]:
        reader = Reader(self.fields, "sealed part")
        reader.version()
        return CardId(reader.take(16)), reader

    def verify(self, kind: type[T], signing_key: bytes) -> T:
        """The fields, after verifying that this key signed them.

        Raises BadSignatureError, MalformedError, TooLargeError or UnsupportedError.
        """
        primitives.ed25519_verify(signing_key, kind.DOMAIN, self.fields, self.signature)
        sender, reader = self._open()
        count = reader.uint(1)
        if count > MAX_RECIPIENTS:
            raise TooLargeError(f"sealed part: {count} recipients")
        recipients = tuple(CardId(reader.take(16)) for _ in range(count))
        with received("sealed part"):
            return kind._read(reader, sender, recipients, reader.uint(8))


def _padded(length: int, size: int | None) -> int:
    return age.padme(length) if size is None else size


def ids_of(cards: Sequence[Card]) -> tuple[CardId, ...]:
    """As `Signed.recipients` has them."""
    return tuple(sorted({card.id for card in cards}))


def seal(content: Signed, sender: Identity, recipients: Sequence[Card]) -> bytes:
    """An age file to these cards, with a key for each of ``content.recipients``. Raises LocalProtocolError."""
    keys = {card.id: card.sealing_key for card in recipients}
    return age.encrypt(content.sign(sender), keys.values())


def unseal(
    kind: type[T], sealed: bytes, identity: Identity, contacts: Mapping[CardId, Card | Revocation]
) -> tuple[Card, T]:
    """Decrypts, finds the sender among the contacts, verifies, and checks that it is addressed to ``identity``.

    Raises NotForMeError, StrangerError, RevokedKeyError, BadSignatureError, ForwardedError, or what parsing raises.
    """
    part = SignedPart(age.decrypt(sealed, identity))
    return attribute(kind, part, identity, contacts, keys=age.check_header(sealed))


def attribute(
    kind: type[T], part: SignedPart, identity: Identity, contacts: Mapping[CardId, Card | Revocation], *, keys: int
) -> tuple[Card, T]:
    """The sender and what they signed, to ``identity`` among others, of what was sealed to so many ``keys``.

    Raises StrangerError, RevokedKeyError, BadSignatureError, ForwardedError, or what parsing raises.
    """
    sender = contacts.get(part.sender)
    if sender is None:
        raise StrangerError(part.sender)
    if isinstance(sender, Revocation):
        raise RevokedKeyError
    content = part.verify(kind, sender.signing_key)
    if identity.id not in content.recipients:
        raise ForwardedError
    if keys != len(content.recipients):  # the sender's program adds hidden recipients
        raise MalformedError(f"sealed to {keys} keys, and addressed to {len(content.recipients)} people")
    return sender, content

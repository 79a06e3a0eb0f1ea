"""Contact cards: who somebody is and which keys are theirs. SPEC.md section 6."""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextlib import suppress
from enum import Enum, IntEnum
from itertools import islice
from typing import TYPE_CHECKING, Final, Self

from pydantic import model_validator

from . import bech32, primitives
from .age import age_recipient
from .errors import FromFutureError, RemoteProtocolError, TooLargeError, UnsupportedError
from .identity import Identity, card_id
from .limits import MAX_CARD_BYTES, MAX_CLOCK_SKEW
from .text import AROUND, DisplayName, UserId
from .wire import VERSION, Bytes32, Bytes64, CardId, Reader, Time, WireModel, opaque, received

if TYPE_CHECKING:
    import segno

__all__ = [
    "Card",
    "CardChange",
    "Revocation",
    "RevocationReason",
    "Rotation",
    "compare_cards",
    "find_card",
    "is_card",
    "read_card",
]

CARD_MAGIC: Final = b"SCC"
REVOCATION_MAGIC: Final = b"SCR"
CARD_PREFIX: Final = "stylecard"
REVOCATION_PREFIX: Final = "stylerevoke"
# A card has at most 1,023 symbols (SPEC.md section 6.3).
_CARD_TEXT: Final = re.compile(
    rf"(?<![0-9A-Za-z]){CARD_PREFIX}1[0-9a-z]{{200,1023}}(?![0-9A-Za-z])", re.IGNORECASE | re.ASCII
)
_LONGEST: Final = 4096  # bytes of a text with white space around it
_BEGINNING: Final = 256
_FEW: Final = 8  # of texts in one message that may be cards


class Rotation(WireModel):
    """The previous signing key's word that the keys of this card replace it."""

    previous: Bytes32
    signature: Bytes64


class _CardFields(WireModel):
    """A card before it is signed."""

    signing_key: Bytes32
    """Ed25519."""
    sealing_key: Bytes32
    """X25519."""
    created: Time
    """Seconds since 1970, UTC. Of cards with the same keys, the newest counts."""
    user_id: UserId
    display_name: DisplayName
    rotation: Rotation | None = None

    def _owner(self) -> bytes:
        return (
            CARD_MAGIC
            + bytes([VERSION])
            + self.signing_key
            + self.sealing_key
            + self.created.to_bytes(8, "big")
            + opaque(self.user_id.encode(), 1)
            + opaque(self.display_name.encode(), 1)
        )

    def _fields(self) -> bytes:
        rotation = self.rotation
        return self._owner() + (b"\1" + rotation.previous + rotation.signature if rotation else b"\0")


class Card(_CardFields):
    """A contact card. If it exists, its signatures are valid; whether its keys are really its owner's is for
    people to compare (words.py)."""

    signature: Bytes64

    @model_validator(mode="after")
    def _check_signatures(self) -> Self:
        if not primitives.x25519_is_canonical(self.sealing_key):
            raise ValueError("the sealing key is not the one encoding of its point")
        if not primitives.x25519_is_usable(self.sealing_key):
            raise ValueError("the sealing key is a point of small order")
        if self.rotation and self.rotation.previous == self.signing_key:
            raise ValueError("it replaces itself")
        try:
            if self.rotation:
                primitives.ed25519_verify(
                    self.rotation.previous, primitives.ROTATION, self._owner(), self.rotation.signature
                )
            primitives.ed25519_verify(self.signing_key, primitives.CARD, self._fields(), self.signature)
        except RemoteProtocolError:
            raise ValueError("its signature is wrong") from None
        return self

    @classmethod
    def create(
        cls,
        identity: Identity,
        *,
        user_id: str,
        display_name: str,
        created: int,
        previous: Identity | None = None,
    ) -> Self:
        """Your own card; with ``previous``, the identity that it replaces, contacts can see that it is from the same person.
        Raises LocalProtocolError."""
        fields = _CardFields(
            signing_key=identity.signing_key,
            sealing_key=identity.sealing_key,
            created=created,
            user_id=user_id,
            display_name=display_name,
        )
        if previous:
            signature = previous.sign(primitives.ROTATION, fields._owner())
            rotation = Rotation(previous=previous.signing_key, signature=signature)
            fields = fields.model_copy(update={"rotation": rotation})
        return cls(**dict(fields), signature=identity.sign(primitives.CARD, fields._fields()))

    @property
    def id(self) -> CardId:
        """Names this pair of keys: 16 bytes. A new name keeps it, new keys change it."""
        return card_id(self.signing_key, self.sealing_key)

    def check_date(self, now: int) -> None:
        """To call before accepting a card. Raises FromFutureError: whoever stole a signing key could otherwise date a card
        so late that none of its owner's is newer."""
        if self.created > now + MAX_CLOCK_SKEW:
            raise FromFutureError(f"{self.created - now} seconds ahead")

    @property
    def age_recipient(self) -> str:
        """The sealing key as the stock ``age`` program takes it: ``age1...``."""
        return age_recipient(self.sealing_key)

    def to_bytes(self) -> bytes:
        """The canonical bytes, which are also the card's file: 143 plus the names, and 96 more with a rotation."""
        return self._fields() + self.signature

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Parses a card and verifies its own signatures. Raises MalformedError, TooLargeError or
        UnsupportedError."""
        if len(data) > MAX_CARD_BYTES:
            raise TooLargeError(f"card: {len(data)} bytes")
        reader = Reader(data, "card")
        reader.magic(CARD_MAGIC)
        with received("card"):
            return cls(
                signing_key=reader.take(32),
                sealing_key=reader.take(32),
                created=reader.uint(8),
                user_id=reader.text(1),
                display_name=reader.text(1),
                rotation=Rotation(previous=reader.take(32), signature=reader.take(64)) if reader.flag() else None,
                signature=_last(reader),
            )

    def to_text(self) -> str:
        """The card as one line, ``stylecard1...``, about 300 characters, which catches typing errors."""
        return bech32.encode(CARD_PREFIX, self.to_bytes())

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Parses that line; white space around it does not matter. Raises MalformedError or
        UnsupportedError."""
        return cls.from_bytes(bech32.decode(CARD_PREFIX, text.strip(AROUND)))

    def to_qr(self) -> segno.QRCode:
        """The line as a QR code (in upper case, which makes it smaller). ``.save(...)`` and ``.svg_inline()`` are
        segno's."""
        import segno  # takes as long to import as everything else, and few programs need it

        return segno.make_qr(self.to_text().upper(), error="l")


class RevocationReason(IntEnum):
    """Why keys must no longer be used."""

    UNSPECIFIED = 0
    COMPROMISED = 1
    """Somebody else may have them."""
    REPLACED = 2
    """There is a new card."""


class _RevocationFields(WireModel):
    """A revocation before it is signed."""

    signing_key: Bytes32
    sealing_key: Bytes32
    created: Time
    reason: RevocationReason

    def _fields(self) -> bytes:
        return (
            REVOCATION_MAGIC
            + bytes([VERSION])
            + self.signing_key
            + self.sealing_key
            + self.created.to_bytes(8, "big")
            + bytes([self.reason])
        )


class Revocation(_RevocationFields):
    """A signing key's own statement that it must no longer be trusted; final. If it exists, its signature is valid."""

    signature: Bytes64

    @model_validator(mode="after")
    def _check_signature(self) -> Self:
        try:
            primitives.ed25519_verify(self.signing_key, primitives.REVOCATION, self._fields(), self.signature)
        except RemoteProtocolError:
            raise ValueError("its signature is wrong") from None
        return self

    @classmethod
    def create(cls, identity: Identity, *, created: int, reason: RevocationReason) -> Self:
        """Withdraws your own keys. Make it while you still have them, and keep it elsewhere."""
        fields = _RevocationFields(
            signing_key=identity.signing_key, sealing_key=identity.sealing_key, created=created, reason=reason
        )
        return cls(**dict(fields), signature=identity.sign(primitives.REVOCATION, fields._fields()))

    @property
    def id(self) -> CardId:
        """The id of the card that this withdraws."""
        return card_id(self.signing_key, self.sealing_key)

    def withdraws(self, card: Card) -> bool:
        """Whether the card has the withdrawn signing key, with any sealing key: a thief of the one can combine it with
        another."""
        return card.signing_key == self.signing_key

    def to_bytes(self) -> bytes:
        """The canonical bytes: 141."""
        return self._fields() + self.signature

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Parses and verifies. Raises MalformedError or UnsupportedError."""
        reader = Reader(data, "revocation")
        reader.magic(REVOCATION_MAGIC)
        with received("revocation"):
            return cls(
                signing_key=reader.take(32),
                sealing_key=reader.take(32),
                created=reader.uint(8),
                reason=_reason(reader),
                signature=_last(reader),
            )

    def to_text(self) -> str:
        """One line, ``stylerevoke1...``."""
        return bech32.encode(REVOCATION_PREFIX, self.to_bytes())

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Parses that line. Raises MalformedError or UnsupportedError."""
        return cls.from_bytes(bech32.decode(REVOCATION_PREFIX, text.strip(AROUND)))


def find_card(text: str) -> str | None:
    """The text of the first card in what somebody wrote."""
    for found in islice(_CARD_TEXT.finditer(text), _FEW):
        with suppress(RemoteProtocolError):
            Card.from_text(found[0])
            return found[0]
    return None


def is_card(data: bytes) -> bool:
    """Whether these look like a card or a revocation, in bytes or as text: `read_card` reads them if they are intact."""
    return data.startswith((CARD_MAGIC, REVOCATION_MAGIC)) or _text(data[:_BEGINNING]).startswith(
        (CARD_PREFIX, REVOCATION_PREFIX)
    )


def read_card(data: bytes) -> Card | Revocation:
    """A card or a revocation, in bytes or as text. Raises MalformedError, TooLargeError or UnsupportedError."""
    if data.startswith(CARD_MAGIC):
        return Card.from_bytes(data)
    if data.startswith(REVOCATION_MAGIC):
        return Revocation.from_bytes(data)
    text = _text(data[:_LONGEST])
    return Revocation.from_text(text) if text.startswith(REVOCATION_PREFIX) else Card.from_text(text)


def _text(data: bytes) -> str:
    """Lower case, if all of it was upper case."""
    text = data.decode("utf-8", "replace").strip(AROUND)
    return text.lower() if text.isupper() else text


def _last(reader: Reader) -> bytes:
    signature = reader.take(64)
    reader.done()
    return signature


def _reason(reader: Reader) -> RevocationReason:
    reason = reader.uint(1)
    if reason not in tuple(RevocationReason):
        raise UnsupportedError(f"revocation: reason {reason}")
    return RevocationReason(reason)


class CardChange(Enum):
    """How an offered card differs from the accepted one of the same person."""

    SAME = "same"
    """The same keys, and nothing newer: keep the accepted one."""
    RENAMED = "renamed"
    """The same keys, newer details: may be accepted without asking."""
    ROTATED = "rotated"
    """New keys, and the accepted key vouches for them: accept it, but compare words again."""
    CHANGED = "changed"
    """New keys, and nobody vouches for them: stop until the user has verified them."""
    REVOKED = "revoked"
    """Its signing key was withdrawn: refuse it."""


def compare_cards(accepted: Card, offered: Card, revocations: Iterable[Revocation] = ()) -> CardChange:
    """Compares a card with the accepted one of the same user id. An older card never replaces a newer one
    of the same keys. ``revocations`` are all known ones: keys that they withdraw are refused, and vouch for nothing."""
    revoked = {revocation.signing_key for revocation in revocations}
    if offered.signing_key in revoked:
        return CardChange.REVOKED
    if offered.id == accepted.id:
        if offered.user_id != accepted.user_id:
            return CardChange.CHANGED
        return CardChange.RENAMED if offered.created > accepted.created else CardChange.SAME
    previous = offered.rotation and offered.rotation.previous
    vouched = previous == accepted.signing_key and previous not in revoked
    vouched = vouched and offered.sealing_key != accepted.sealing_key  # new keys always come as a new pair
    if vouched and offered.user_id == accepted.user_id and offered.created > accepted.created:
        return CardChange.ROTATED
    return CardChange.CHANGED

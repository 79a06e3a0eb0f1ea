"""What a profile keeps, as it is kept: frozen values with a canonical JSON form."""

from __future__ import annotations

import base64
from typing import Annotated, Any, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainSerializer
from stylecrypt_protocol import Card, CardId, KeyFace, Secret

__all__ = ["Contact", "Conversation", "MyKeyFace", "TheirKeyFace"]


def _bytes(value: Any) -> Any:
    return base64.b64decode(value, validate=True) if isinstance(value, str) else value


def _card(value: Any) -> Any:
    return Card.from_bytes(_bytes(value)) if isinstance(value, str) else value


def _key_face(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    both = _bytes(value)
    return KeyFace(digest=both[:32], secret=Secret(both[32:]))


def _text(value: bytes) -> str:
    return base64.b64encode(value).decode()


Base64 = Annotated[bytes, BeforeValidator(_bytes), PlainSerializer(_text)]
StoredCardId = Annotated[CardId, BeforeValidator(_bytes), PlainSerializer(_text)]
StoredCard = Annotated[Card, BeforeValidator(_card), PlainSerializer(lambda card: _text(card.to_bytes()))]
StoredKeyFace = Annotated[
    KeyFace, BeforeValidator(_key_face), PlainSerializer(lambda face: _text(face.digest + face.secret.reveal()))
]


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, arbitrary_types_allowed=True, extra="forbid")

    def to_bytes(self) -> bytes:
        return self.model_dump_json().encode()

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        return cls.model_validate_json(data)


class Contact(_Record):
    """Somebody whose card was accepted.

    ``trusted``: may see my photos, in every conversation; else only in those of ``conversations``. ``verified``: the words
    of the card were compared. ``pending``: a card with other keys that was offered and not verified; until it is, nothing
    is sent to them. ``withdrawn``: their signing key was revoked.
    """

    card: StoredCard
    added: int
    trusted: bool = False
    verified: bool = False
    blocked: bool = False
    withdrawn: bool = False
    pending: StoredCard | None = None
    conversations: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return self.card.display_name

    @property
    def user_id(self) -> str:
        return self.card.user_id

    def __str__(self) -> str:
        return self.name


class MyKeyFace(_Record):
    """A photo of mine that undoes fakes of level ``keyface``; ``shared_with``: the cards of those who have it."""

    name: str
    picture: Base64
    key_face: StoredKeyFace
    shared_with: frozenset[StoredCardId] = frozenset()
    added: int


class TheirKeyFace(_Record):
    """A photo of a contact's that they shared with me."""

    owner: StoredCardId
    picture: Base64
    key_face: StoredKeyFace
    received: int


class Conversation(_Record):
    """A chat, which keeps one stand-in; ``chosen``: it was set, and not derived."""

    name: str
    stand_in: str
    chosen: bool

"""What a profile keeps: the values that callers see, and how they are stored."""

from __future__ import annotations

from base64 import b64decode, b64encode
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Annotated, Any, Final, Generic, TypeVar

from pydantic import ConfigDict, PlainSerializer, PlainValidator, TypeAdapter, ValidationError, with_config
from stylecrypt_protocol import Card, CardId, Inversion, KeyFace, Revocation, Secret

from ..errors import InputError, ProfileError
from .store import Store

__all__ = [
    "CONTACT",
    "CONVERSATION",
    "MY_KEY_FACE",
    "REVOCATION",
    "SETTING",
    "STORED",
    "THEIR_KEY_FACE",
    "Contact",
    "Conversation",
    "MyKeyFace",
    "RecordKind",
    "TheirKeyFace",
    "encoded",
]

T = TypeVar("T")

STORED: Final = ConfigDict(extra="forbid", ser_json_bytes="base64", val_json_bytes="base64", hide_input_in_errors=True)
"""For stored types: bytes as base64, and errors that do not show the value, which may be secret."""


def _to_hex(face: KeyFace) -> str:
    return (face.digest + face.secret.reveal()).hex()


def _from_hex(text: str) -> KeyFace:
    both = bytes.fromhex(text)
    return KeyFace(digest=both[:32], secret=Secret(both[32:]))


# Contacts are read again for every message, and checking the cards' signatures takes most of the time.
_StoredCard = Annotated[Card, PlainSerializer(Card.to_text), PlainValidator(lru_cache(4096)(Card.from_text))]
_StoredRevocation = Annotated[Revocation, PlainSerializer(Revocation.to_text), PlainValidator(Revocation.from_text)]
_StoredKeyFace = Annotated[KeyFace, PlainSerializer(_to_hex), PlainValidator(_from_hex)]
_StoredInversion = Annotated[
    Inversion,
    PlainSerializer(lambda inversion: b64encode(inversion.to_bytes()).decode()),
    PlainValidator(lambda text: Inversion.from_bytes(b64decode(text))),
]


@with_config(STORED)
@dataclass(frozen=True)
class Contact:
    """Somebody whose card was accepted.

    Attributes:
        card: the pinned one.
        added: when, in Unix seconds.
        trusted: they may see my photos, in every conversation.
        verified: the card's words were compared.
        blocked: nothing is sent to them, and nothing of theirs is opened.
        withdrawn: the signing key of their card was revoked.
        pending: an offered card with other keys that is not verified yet. Until it is, nothing is sent to them.
        conversations: where they may see my photos even if not ``trusted``; sorted.
        own_name: what I call them; "" if it is the name on their card. It stays in the profile.
    """

    card: _StoredCard
    added: int
    trusted: bool = False
    verified: bool = False
    blocked: bool = False
    withdrawn: bool = False
    pending: _StoredCard | None = None
    conversations: tuple[str, ...] = ()
    own_name: str = ""

    @property
    def name(self) -> str:
        """What I call them: by default the name on their card, or the user id if it has none."""
        return self.own_name or self.card.display_name or self.card.user_id

    @property
    def user_id(self) -> str:
        return self.card.user_id

    @property
    def standing(self) -> str:
        """What they may see, and whether their keys are verified: "verified, may see your photos"."""
        words = ["verified" if self.verified else "not verified"]
        if self.withdrawn:
            words.append("keys withdrawn")
        if self.blocked:
            words.append("blocked")
        if self.pending is not None:
            words.append("offers new keys that are not verified")
        count = len(self.conversations)
        if self.trusted:
            words.append("may see your photos")
        elif count:
            words.append(f"may see your photos in {count} chat{'s' * (count > 1)}")
        else:
            words.append("may not see your photos")
        return ", ".join(words)

    def __str__(self) -> str:
        return self.name


@with_config(STORED)
@dataclass(frozen=True)
class MyKeyFace:
    """A photo of mine that lets contacts undo fakes of level ``keyface``.

    Attributes:
        name: my name for it.
        picture: a picture file.
        key_face: what commitments know of it.
        added: when, in Unix seconds.
        shared_with: the cards of the contacts who have it.
        prepared: its latent codes, for each model that has inverted it; perhaps from more photos of mine than this one.
    """

    name: str
    picture: bytes = field(repr=False)
    key_face: _StoredKeyFace
    added: int
    shared_with: frozenset[CardId] = frozenset()
    prepared: tuple[_StoredInversion, ...] = ()


@with_config(STORED)
@dataclass(frozen=True)
class TheirKeyFace:
    """A contact's photo, shared with me.

    Attributes:
        owner: the contact's card.
        picture: a picture file, as it came.
        key_face: what commitments know of it.
        received: when, in Unix seconds.
        prepared: its latent codes, for each model that has inverted it, here or at the owner's.
    """

    owner: CardId
    picture: bytes = field(repr=False)
    key_face: _StoredKeyFace
    received: int
    prepared: tuple[_StoredInversion, ...] = ()


@with_config(STORED)
@dataclass(frozen=True)
class Conversation:
    """A chat, which keeps one stand-in: the seed of the non-existent person shown in it.

    ``chosen``: the seed was set; otherwise it is derived from the profile's keys.
    """

    name: str
    stand_in: str
    chosen: bool


class RecordKind(Generic[T]):
    """The records of one kind."""

    def __init__(self, kind: str, values: Any) -> None:
        self._kind = kind
        self._values: TypeAdapter[T] = TypeAdapter(values)

    def get(self, store: Store, name: bytes) -> T | None:
        """Raises ProfileError if it is damaged."""
        data = store.get(self._kind, name)
        return None if data is None else self._read(store, data)

    def all(self, store: Store, owner: bytes | None = None, *, most: int = -1) -> list[T]:
        """The oldest first, at most ``most`` of them if given. Raises ProfileError if one is damaged."""
        return [self._read(store, data) for data in store.all(self._kind, owner, most=most)]

    def count(self, store: Store) -> int:
        return store.count(self._kind)

    def put(self, store: Store, name: bytes, value: T, *, owner: bytes = b"") -> None:
        """Raises InputError for strings that are not text."""
        try:
            data = self._values.dump_json(value)
        except ValueError as error:  # pydantic's
            raise _no_text(f"The {self._kind}") from error
        store.put(self._kind, name, data, owner=owner)

    def delete(self, store: Store, name: bytes) -> None:
        store.delete(self._kind, name)

    def _read(self, store: Store, data: bytes) -> T:
        try:
            return self._values.validate_json(data)
        except ValidationError as error:
            raise ProfileError(
                f"The profile in {store.folder} is damaged: a {self._kind} is not one.", hint="Restore it from a copy."
            ) from error


def encoded(name: str) -> bytes:
    """The name of a record. Raises InputError for a string that is not text."""
    try:
        return name.encode()
    except UnicodeEncodeError as error:
        raise _no_text(repr(name)) from error


def _no_text(what: str) -> InputError:
    """Python's strings can hold bytes of a command line or a file name that are not UTF-8."""
    return InputError(f"{what} is not text.", hint="Names and paths have to be UTF-8.")


CONTACT: Final = RecordKind[Contact]("contact", Contact)
REVOCATION: Final = RecordKind[Revocation]("revocation", _StoredRevocation)
MY_KEY_FACE: Final = RecordKind[MyKeyFace]("key face of mine", MyKeyFace)
THEIR_KEY_FACE: Final = RecordKind[TheirKeyFace]("key face of a contact", TheirKeyFace)
CONVERSATION: Final = RecordKind[Conversation]("conversation", Conversation)
SETTING: Final = RecordKind[str]("setting", str)

"""A person's profile: own keys and card, contacts, key faces, conversations, and which messages were received."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from stylecrypt_protocol import (
    MAX_AGE,
    MAX_CLOCK_SKEW,
    Card,
    CardChange,
    CardId,
    Identity,
    KeyFace,
    LocalProtocolError,
    MessageId,
    Pixels,
    Revocation,
    Secret,
    Seen,
    SeenStore,
    SharedKeyFace,
    compare_cards,
    pair_words,
)

from ..errors import InputError, NotAuthorisedError, ProfileError
from .records import Contact, Conversation, MyKeyFace, TheirKeyFace
from .store import Store

__all__ = ["Added", "Profile", "default_folder"]

_MOST_KEY_FACES = 32  # kept of each contact: a hostile one fills no disk


def default_folder() -> Path:
    """``$STYLECRYPT_PROFILE``, or ``$XDG_DATA_HOME/stylecrypt/profile``, by default under ``~/.local/share``."""
    if given := os.environ.get("STYLECRYPT_PROFILE"):
        return Path(given)
    base = os.environ.get("XDG_DATA_HOME")
    return (Path(base) if base else Path.home() / ".local" / "share") / "stylecrypt" / "profile"


@dataclass(frozen=True)
class Added:
    """What became of a card that was offered; ``change`` None: a contact that is new."""

    contact: Contact
    change: CardChange | None


class Profile:
    """One folder, one person. Several threads and processes may use it at once.

    What changes something is durable when it returns. Raises ProfileError when the disk is full or the file damaged; then
    nothing has changed.
    """

    def __init__(self, store: Store) -> None:
        """Use `create` or `open`."""
        self._store = store
        identity, card = store.get("me", b"identity"), store.get("me", b"card")
        if identity is None or card is None:
            raise ProfileError(f"The profile in {store.folder} is damaged: its keys are missing.")
        self.identity = Identity.from_secret(Secret(identity))
        self.card = Card.from_bytes(card)

    @classmethod
    def create(
        cls, folder: str | os.PathLike[str], *, name: str, user_id: str | None = None, passphrase: str | None, now: int
    ) -> Self:
        """New keys, and a card for them. The user id is by default made of the name and the card's id.

        Raises ProfileError when there is a profile already, InputError for a name that cards do not carry.
        """
        identity = Identity.generate()
        slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "user"
        try:
            card = Card.create(
                identity, user_id=user_id or f"{slug}-{identity.id.hex()[:8]}", display_name=name, created=now
            )
        except (LocalProtocolError, ValueError) as error:
            raise InputError(
                f"{name!r} with the user id {user_id!r} cannot stand on a card.",
                hint="Names have up to 128 bytes on one line; user ids no spaces.",
            ) from error
        store = Store.create(Path(folder), passphrase)
        with store.transaction():
            store.put("me", b"identity", identity.to_secret().reveal())
            store.put("me", b"card", card.to_bytes())
        return cls(store)

    @classmethod
    def open(cls, folder: str | os.PathLike[str], passphrase: Callable[[], str] | None = None) -> Self:
        """``passphrase`` is asked only when there is one.

        Raises ProfileError when there is no profile or it is damaged, NotAuthorisedError for a wrong passphrase.
        """
        return cls(Store.open(Path(folder), passphrase))

    @property
    def folder(self) -> Path:
        return self._store.folder

    @property
    def locked(self) -> bool:
        """Whether there is a passphrase."""
        return self._store.locked

    @property
    def me(self) -> Contact:
        """Oneself, as the sender of one's own messages."""
        return Contact(card=self.card, added=self.card.created, trusted=True, verified=True)

    def change_passphrase(self, passphrase: str | None) -> None:
        """None: the keys are not protected any more."""
        self._store.change_passphrase(passphrase)

    def close(self) -> None:
        self._store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # Contacts.

    def add_contact(self, card: Card, *, trust: bool = False) -> Added:
        """Pins a card at first use; takes over a newer one of the same keys, or one for which the old keys vouch.

        Raises NotAuthorisedError for other keys, which are kept as ``pending``, and for revoked ones; InputError for one's
        own card.
        """
        if card.signing_key == self.card.signing_key or card.user_id == self.card.user_id:
            raise InputError("This card is your own.", hint="Add the cards of others, and give them yours.")
        with self._store.transaction():
            old = self._find(card.user_id)
            if old is None:
                if any(revocation.withdraws(card) for revocation in self._revocations()):
                    raise _revoked(card.display_name)
                new = Contact(card=card, added=int(time.time()), trusted=trust)
                self._put(new)
                return Added(new, None)
            change = compare_cards(old.card, card, self._revocations())
            if change is CardChange.REVOKED:
                raise _revoked(old.name)
            if change is CardChange.CHANGED:
                self._put(old.model_copy(update={"pending": card}))
            else:
                newer = card if change in (CardChange.RENAMED, CardChange.ROTATED) else old.card
                verified = old.verified and change is not CardChange.ROTATED
                new = old.model_copy(update={"card": newer, "verified": verified, "trusted": old.trusted or trust})
                self._put(new)
                return Added(new, change)
        raise NotAuthorisedError(
            f"The keys of {old.name} have changed, and nobody vouches for the new ones.",
            hint=f'Ask {old.name} whether that is right, then: stylecrypt contact verify "{old.name}".',
        )

    def contacts(self) -> list[Contact]:
        """By name."""
        found = [Contact.from_bytes(value) for value in self._store.all("contact")]
        return sorted(found, key=lambda contact: (contact.name.casefold(), contact.user_id))

    def contact(self, name: str) -> Contact:
        """By name, user id, or the beginning of the card's id (8 digits and more). Raises InputError."""
        contacts = self.contacts()
        wanted = name.casefold()
        for matches in (
            [c for c in contacts if c.user_id == name],
            [c for c in contacts if c.name.casefold() == wanted],
            [c for c in contacts if len(wanted) >= 8 and c.card.id.hex().startswith(wanted)],
        ):
            if len(matches) == 1:
                return matches[0]
            if matches:
                ids = ", ".join(c.user_id for c in matches)
                raise InputError(f"There are {len(matches)} contacts called {name}.", hint=f"Use a user id: {ids}.")
        known = ", ".join(c.name for c in contacts[:10]) or "none yet"
        raise InputError(
            f"There is no contact {name!r}.", hint=f"Contacts: {known}. `stylecrypt contact add FILE` adds one."
        )

    def words(self, name: str) -> tuple[str, ...]:
        """Twelve words that both sides see alike; of the pending card where there is one. Takes 0.2 s."""
        contact = self.contact(name)
        return pair_words(self.card, contact.pending or contact.card)

    def verify(self, name: str) -> Contact:
        """The words were compared, and match: a pending card takes the pinned one's place."""
        with self._store.transaction():
            contact = self.contact(name)
            card = contact.pending or contact.card
            if any(revocation.withdraws(card) for revocation in self._revocations()):
                raise _revoked(contact.name)
            return self._changed(contact, card=card, pending=None, verified=True, withdrawn=False)

    def discard_pending(self, name: str) -> Contact:
        """Throws a changed card away and keeps the pinned one."""
        with self._store.transaction():
            return self._changed(self.contact(name), pending=None)

    def trust(self, name: str, *, conversation: str | None = None, undo: bool = False) -> Contact:
        """Lets a contact see one's photos: everywhere, or in one conversation."""
        with self._store.transaction():
            contact = self.contact(name)
            if conversation is None:
                return self._changed(contact, trusted=not undo, conversations=() if undo else contact.conversations)
            others = {other for other in contact.conversations if other != conversation}
            return self._changed(contact, conversations=tuple(sorted(others if undo else others | {conversation})))

    def block(self, name: str, *, undo: bool = False) -> Contact:
        """Nothing is sent to them, and nothing of theirs is opened."""
        with self._store.transaction():
            return self._changed(self.contact(name), blocked=not undo)

    def remove(self, name: str) -> None:
        """Forgets a contact and their key faces."""
        with self._store.transaction():
            contact = self.contact(name)
            for face in self.key_faces_of(contact):
                self._store.delete("their key face", face.owner + face.key_face.digest)
            self._store.delete("contact", contact.user_id.encode())

    def revoke(self, revocation: Revocation) -> list[Contact]:
        """Remembers it for good. Returns the contacts whose keys it withdraws."""
        with self._store.transaction():
            self._store.put("revocation", revocation.signing_key, revocation.to_bytes())
            hit = [contact for contact in self.contacts() if revocation.withdraws(contact.card)]
            return [self._changed(contact, withdrawn=True, verified=False) for contact in hit]

    def authorised(self, name: str, conversation: str | None) -> Contact:
        """A contact who may see what is sent in a conversation. Raises NotAuthorisedError if they may not."""
        contact = self.contact(name)
        called = f'"{contact.name}"' if " " in contact.name else contact.name
        if contact.blocked:
            raise NotAuthorisedError(
                f"You have blocked {contact.name}.", hint=f"stylecrypt contact block {called} --undo"
            )
        if contact.withdrawn:
            raise NotAuthorisedError(
                f"The keys of {contact.name} were withdrawn.", hint="Ask for their new card, and add it."
            )
        if contact.pending is not None:
            raise NotAuthorisedError(
                f"{contact.name} offers other keys than before, which you have not verified.",
                hint=f"stylecrypt contact verify {called}",
            )
        if not contact.trusted and (conversation is None or conversation not in contact.conversations):
            where = f" in {conversation}" if conversation else ""
            raise NotAuthorisedError(
                f"{contact.name} is not authorised to see your photos{where}.",
                hint=f"stylecrypt contact trust {called}",
            )
        return contact

    def cards(self) -> dict[CardId, Card | Revocation]:
        """What opening messages takes: all cards, one's own too, and revocations in place of those that are withdrawn."""
        revocations = {revocation.signing_key: revocation for revocation in self._revocations()}
        cards = [self.card, *(contact.card for contact in self.contacts())]
        return {card.id: revocations.get(card.signing_key, card) for card in cards}

    def by_card(self, card: CardId) -> Contact | None:
        return next((contact for contact in self.contacts() if contact.card.id == card), None)

    # Key faces.

    def add_key_face(self, name: str, picture: bytes, pixels: Pixels) -> MyKeyFace:
        """Keeps a photo of mine, a picture file and its decoded pixels. Raises InputError when the name is taken."""
        face = MyKeyFace(name=name, picture=picture, key_face=KeyFace.new(pixels), added=int(time.time()))
        with self._store.transaction():
            if self._store.get("my key face", name.encode()) is not None:
                raise InputError(f"There is a key face {name} already.", hint="Use another --name.")
            self._store.put("my key face", name.encode(), face.to_bytes())
        return face

    def key_faces(self) -> list[MyKeyFace]:
        """Mine, the newest first."""
        found = [MyKeyFace.from_bytes(value) for value in self._store.all("my key face")]
        return sorted(found, key=lambda face: (-face.added, face.name))

    def key_face(self, name: str) -> MyKeyFace:
        """One of mine. Raises InputError."""
        value = self._store.get("my key face", name.encode())
        if value is None:
            known = ", ".join(face.name for face in self.key_faces()) or "none yet"
            raise InputError(f"There is no key face {name!r}.", hint=f"Yours are: {known}.")
        return MyKeyFace.from_bytes(value)

    def mark_shared(self, name: str, cards: Iterable[CardId]) -> None:
        """Remembers who has a key face of mine."""
        with self._store.transaction():
            face = self.key_face(name)
            self._store.put(
                "my key face", name.encode(),
                face.model_copy(update={"shared_with": face.shared_with | frozenset(cards)}).to_bytes(),
            )  # fmt: skip

    def remove_key_face(self, name: str) -> None:
        with self._store.transaction():
            self.key_face(name)
            self._store.delete("my key face", name.encode())

    def keep_key_face(self, shared: SharedKeyFace, now: int) -> bool:
        """Keeps a contact's; the oldest of too many goes. False: it is known already."""
        place = shared.sender + shared.key_face.digest
        with self._store.transaction():
            if self._store.get("their key face", place) is not None:
                return False
            face = TheirKeyFace(owner=shared.sender, picture=shared.picture, key_face=shared.key_face, received=now)
            self._store.put("their key face", place, face.to_bytes())
            kept = [other for other in self.all_their_key_faces() if other.owner == shared.sender]
            for old in kept[_MOST_KEY_FACES:]:
                self._store.delete("their key face", old.owner + old.key_face.digest)
        return True

    def key_faces_of(self, contact: Contact) -> list[TheirKeyFace]:
        """What a contact shared, the newest first."""
        return [face for face in self.all_their_key_faces() if face.owner == contact.card.id]

    def all_their_key_faces(self) -> list[TheirKeyFace]:
        """What all contacts shared, the newest first."""
        found = [TheirKeyFace.from_bytes(value) for value in self._store.all("their key face")]
        return sorted(found, key=lambda face: -face.received)

    # Conversations.

    def conversation(self, name: str) -> Conversation:
        """A chat and its stand-in: the one chosen, or one derived from the profile's keys, which nobody else can guess."""
        value = self._store.get("conversation", name.encode())
        if value is not None:
            return Conversation.from_bytes(value)
        return Conversation(name=name, stand_in=self._store.tag("stand-in", name.encode())[:8].hex(), chosen=False)

    def choose_stand_in(self, name: str, seed: str | None) -> None:
        """Sets a chat's stand-in; None: the derived one again."""
        if seed is None:
            self._store.delete("conversation", name.encode())
        else:
            chosen = Conversation(name=name, stand_in=seed, chosen=True)
            self._store.put("conversation", name.encode(), chosen.to_bytes())

    # Receiving each message once.

    def seen(self, reference: bytes) -> SeenStore:
        """For opening what a delivery brought. A delivery that was cut off may be opened again; a message that came with
        another one was seen before."""
        return _SeenWith(self._store, self._store.tag("delivery", reference))

    def finished(self, reference: bytes) -> bool:
        """Whether a delivery was dealt with for good."""
        query = "SELECT 1 FROM finished WHERE tag = ?"
        with self._store.transaction() as rows:
            return rows.execute(query, (self._store.tag("delivery", reference),)).fetchone() is not None

    def finish(self, reference: bytes) -> None:
        with self._store.transaction() as rows:
            rows.execute("INSERT OR IGNORE INTO finished VALUES (?)", (self._store.tag("delivery", reference),))

    # Settings.

    def setting(self, key: str) -> str | None:
        value = self._store.get("setting", key.encode())
        return None if value is None else value.decode()

    def set_setting(self, key: str, value: str) -> None:
        self._store.put("setting", key.encode(), value.encode())

    def _find(self, user_id: str) -> Contact | None:
        value = self._store.get("contact", user_id.encode())
        return None if value is None else Contact.from_bytes(value)

    def _put(self, contact: Contact) -> None:
        self._store.put("contact", contact.user_id.encode(), contact.to_bytes())

    def _changed(self, contact: Contact, **changes: object) -> Contact:
        changed = contact.model_copy(update=changes)
        self._put(changed)
        return changed

    def _revocations(self) -> list[Revocation]:
        return [Revocation.from_bytes(value) for value in self._store.all("revocation")]


class _SeenWith:
    """`SeenStore` for one delivery."""

    def __init__(self, store: Store, reference: bytes) -> None:
        self._store = store
        self._reference = reference

    def check_and_remember(self, sender: CardId, message_id: MessageId, sent_at: int) -> Seen:
        tag = self._store.tag("message", sender + message_id)
        with self._store.transaction() as rows:
            rows.execute("DELETE FROM seen WHERE expires < ?", (int(time.time()),))
            row = rows.execute("SELECT reference FROM seen WHERE tag = ?", (tag,)).fetchone()
            if row is not None:
                return Seen.NEW if bytes(row[0]) == self._reference else Seen.BEFORE
            expires = sent_at + MAX_AGE + MAX_CLOCK_SKEW
            rows.execute("INSERT INTO seen VALUES (?, ?, ?)", (tag, self._reference, expires))
        return Seen.NEW


def _revoked(name: str) -> NotAuthorisedError:
    return NotAuthorisedError(f"The keys on this card of {name} were withdrawn.", hint="Ask them for their new card.")

"""A person's profile: the one object that others use. Its methods for contacts, key faces and deliveries are in those
modules."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Self

from stylecrypt_protocol import Card, Identity, LocalProtocolError, RemoteProtocolError, Secret

from ..errors import InputError, ProfileError
from .app_records import AppRecords
from .contacts import Contacts
from .deliveries import Deliveries
from .key_faces import KeyFaces
from .records import CONVERSATION, SETTING, Contact, Conversation, encoded
from .store import Store

__all__ = ["Profile"]

_ME = "keys and card"
_IDENTITY, _CARD = b"identity", b"card"


class Profile(Contacts, KeyFaces, Deliveries, AppRecords):
    """One folder, one person. Several threads and processes may use it at once; close it, or use it in ``with``.

    Every change happens completely or not at all, and is durable when the method returns. Every method raises ProfileError
    when the disk is full, the file is damaged, or another program keeps it busy; nothing has changed then.

    Attributes:
        identity: my keys.
        card: mine, to give to others.
    """

    identity: Identity
    card: Card

    def __init__(self, store: Store) -> None:
        """Use `create` or `open`."""
        identity, card = store.get(_ME, _IDENTITY), store.get(_ME, _CARD)
        try:
            self.identity = Identity.from_secret(Secret(identity or b""))
            self.card = Card.from_bytes(card or b"")
        except RemoteProtocolError as error:
            raise ProfileError(
                f"The profile in {store.folder} is damaged: its keys are missing.", hint="Restore it from a copy."
            ) from error
        self._store = store

    @classmethod
    def create(
        cls, folder: str | os.PathLike[str], *, name: str, user_id: str | None = None, passphrase: str | None, now: int
    ) -> Self:
        """Makes new keys and a card for them. By default the user id consists of the name and the card's id.

        Raises ProfileError when there is a profile already, or the folder cannot be made or closed to others; InputError
        for an empty passphrase, or a name or user id that a card cannot hold.
        """
        identity = Identity.generate()
        slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:64] or "user"
        user_id = user_id or f"{slug}-{identity.id.hex()[:8]}"
        try:
            card = Card.create(identity, user_id=user_id, display_name=name, created=now)
        except LocalProtocolError as error:
            raise InputError(
                f"A card cannot hold the name {name!r} with the user id {user_id!r}.",
                hint="Names have one line of up to 128 bytes, and user ids no spaces.",
            ) from error
        contents = [(_ME, _IDENTITY, identity.to_secret().reveal()), (_ME, _CARD, card.to_bytes())]
        return cls(Store.create(Path(folder), passphrase, contents))

    @classmethod
    def open(cls, folder: str | os.PathLike[str], passphrase: Callable[[], str] | None = None) -> Self:
        """``passphrase`` is called only when there is one.

        Raises ProfileError when there is no profile, or it is damaged, of a later version, or open to others and cannot be
        closed to them; NotAuthorisedError for a wrong passphrase.
        """
        store = Store.open(Path(folder), passphrase)
        try:
            return cls(store)
        except BaseException:
            store.close()
            raise

    @property
    def folder(self) -> Path:
        return self._store.folder

    @property
    def locked(self) -> bool:
        """Whether there is a passphrase."""
        return self._store.locked

    @property
    def me(self) -> Contact:
        """You yourself, as the sender of your messages."""
        return Contact(card=self.card, added=self.card.created, trusted=True, verified=True)

    def change_passphrase(self, passphrase: str | None) -> None:
        """Sets the passphrase; None removes it. Takes half a second. Raises InputError for an empty one."""
        self._store.change_passphrase(passphrase)

    def close(self) -> None:
        """The profile cannot be used afterwards."""
        self._store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def conversation(self, name: str) -> Conversation:
        """A chat and its stand-in: the chosen one, or one derived from the profile's keys, which nobody else can guess."""
        derived = self._store.tag("stand-in", encoded(name))[:8].hex()
        return CONVERSATION.get(self._store, encoded(name)) or Conversation(name, derived, chosen=False)

    def choose_stand_in(self, name: str, seed: str | None) -> None:
        """Sets a chat's stand-in; None: the derived one again."""
        if seed is None:
            CONVERSATION.delete(self._store, encoded(name))
        else:
            CONVERSATION.put(self._store, encoded(name), Conversation(name, seed, chosen=True))

    def setting(self, key: str) -> str | None:
        """The value that `set_setting` kept."""
        return SETTING.get(self._store, encoded(key))

    def set_setting(self, key: str, value: str) -> None:
        """Keeps a choice of the user's, such as the shared folder for messages."""
        SETTING.put(self._store, encoded(key), value)

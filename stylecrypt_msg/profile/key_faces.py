"""Photos with which fakes of level ``keyface`` are undone: mine, which I share with contacts, and theirs."""

from __future__ import annotations

import time
import unicodedata
from collections.abc import Iterable
from dataclasses import replace

from stylecrypt_protocol import CardId, KeyFace, Pixels, SharedKeyFace
from stylecrypt_protocol.limits import MAX_KEY_FACE_BYTES

from ..errors import InputError
from .records import MY_KEY_FACE, THEIR_KEY_FACE, Contact, MyKeyFace, TheirKeyFace, encoded
from .store import Store

__all__ = ["KeyFaces", "carry_over", "forget"]

_MOST = 32  # kept of each contact: 128 MiB at most, and an opening tries them all


class KeyFaces:
    """Mine by name, theirs by contact."""

    _store: Store

    def add_key_face(self, name: str, picture: bytes, pixels: Pixels) -> MyKeyFace:
        """Keeps a photo of mine: a picture file of at most 4 MiB, and its decoded pixels.

        Raises InputError for a name that is taken or no text on one line, or a larger file.
        """
        name = unicodedata.normalize("NFC", name)  # names come from files, too, some of which have decomposed accents
        if not name.isprintable() or name != name.strip() or not name:
            raise InputError(f"{name!r} cannot be the name of a key face.", hint="Use --name with a word or two.")
        if len(picture) > MAX_KEY_FACE_BYTES:
            raise InputError(
                f"A key face has up to {MAX_KEY_FACE_BYTES >> 20} MB, and this picture more.",
                hint="Cut out the face, or make it smaller.",
            )
        face = MyKeyFace(name=name, picture=picture, key_face=KeyFace.new(pixels), added=int(time.time()))
        with self._store.transaction():
            if MY_KEY_FACE.get(self._store, name.encode()) is not None:
                raise InputError(f"There is a key face {name!r} already.", hint="Use another --name.")
            MY_KEY_FACE.put(self._store, name.encode(), face)
        return face

    def key_faces(self) -> list[MyKeyFace]:
        """Mine, the newest first."""
        return MY_KEY_FACE.all(self._store)[::-1]

    def key_face(self, name: str) -> MyKeyFace:
        """One of mine. Raises InputError."""
        face = MY_KEY_FACE.get(self._store, encoded(unicodedata.normalize("NFC", name)))
        if face is None:
            known = ", ".join(face.name for face in self.key_faces()) or "none yet"
            raise InputError(f"There is no key face {name!r} of yours.", hint=f"Yours: {known}.")
        return face

    def mark_shared(self, name: str, cards: Iterable[CardId]) -> MyKeyFace:
        """Remembers that the owners of these cards have it. Raises InputError."""
        with self._store.transaction():
            face = self.key_face(name)
            shared = replace(face, shared_with=face.shared_with | frozenset(cards))
            MY_KEY_FACE.put(self._store, face.name.encode(), shared)
        return shared

    def remove_key_face(self, name: str) -> None:
        """Forgets one of mine; who has it keeps it. Raises InputError."""
        with self._store.transaction():
            MY_KEY_FACE.delete(self._store, self.key_face(name).name.encode())

    def keep_key_face(self, shared: SharedKeyFace, now: int) -> bool:
        """Keeps a contact's; of more than 32 the oldest goes. False: it is known already. ``now`` is in Unix seconds."""
        face = TheirKeyFace(owner=shared.sender, picture=shared.picture, key_face=shared.key_face, received=now)
        with self._store.transaction():
            if THEIR_KEY_FACE.get(self._store, _place(face)) is not None:
                return False
            THEIR_KEY_FACE.put(self._store, _place(face), face, owner=face.owner)
            for old in THEIR_KEY_FACE.all(self._store, face.owner)[:-_MOST]:
                THEIR_KEY_FACE.delete(self._store, _place(old))
        return True

    def key_faces_of(self, contact: Contact) -> list[TheirKeyFace]:
        """What a contact shared, the newest first."""
        return THEIR_KEY_FACE.all(self._store, contact.card.id)[::-1]

    def all_their_key_faces(self) -> list[TheirKeyFace]:
        """What all contacts shared, the newest first."""
        return THEIR_KEY_FACE.all(self._store)[::-1]


def carry_over(store: Store, old: CardId, new: CardId) -> None:
    """The owner of a card has a new one: what they shared and what they hold stays theirs."""
    if old == new:
        return
    for theirs in THEIR_KEY_FACE.all(store, old):
        THEIR_KEY_FACE.delete(store, _place(theirs))
        moved = replace(theirs, owner=new)
        THEIR_KEY_FACE.put(store, _place(moved), moved, owner=new)
    for mine in MY_KEY_FACE.all(store):
        if old in mine.shared_with:
            MY_KEY_FACE.put(store, mine.name.encode(), replace(mine, shared_with=mine.shared_with | {new}))


def forget(store: Store, owner: CardId) -> None:
    """Drops what the owner of a card shared."""
    for theirs in THEIR_KEY_FACE.all(store, owner):
        THEIR_KEY_FACE.delete(store, _place(theirs))


def _place(face: TheirKeyFace) -> bytes:
    """With the secret: shared anew, a photo has another one."""
    return face.owner + face.key_face.digest + face.key_face.secret.reveal()

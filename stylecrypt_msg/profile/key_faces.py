"""Photos that undo fakes of level ``keyface``: mine, which I share with contacts, and theirs."""

from __future__ import annotations

import time
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import replace

from stylecrypt_protocol import CardId, Inversion, KeyFace, Pixels
from stylecrypt_protocol.limits import MAX_INVERSIONS, MAX_KEY_FACE_BYTES

from ..errors import InputError, Remedy
from .records import MY_KEY_FACE, THEIR_KEY_FACE, Contact, MyKeyFace, TheirKeyFace, encoded
from .store import Store

__all__ = ["KeyFaces", "carry_over", "forget"]

_MOST = 32  # kept for each contact: 128 MiB at most, and opening a message tries them all


class KeyFaces:
    """Mine by name, theirs by contact."""

    _store: Store

    def key_face_name(self, name: str) -> str:
        """The normalised name for a key face of mine. Raises InputError if it is taken, or not one line of text."""
        name = unicodedata.normalize("NFC", name)  # some names come from files, and may have decomposed accents
        if not name.isprintable() or name != name.strip() or not name:
            raise InputError(f"{name!r} cannot be the name of a key face.", remedy=Remedy.NAME_KEY_FACE)
        if MY_KEY_FACE.get(self._store, name.encode()) is not None:
            raise InputError(f"There is a key face {name!r} already.", remedy=Remedy.NAME_KEY_FACE)
        return name

    def add_key_face(self, name: str, picture: bytes, pixels: Pixels, prepared: Sequence[Inversion] = ()) -> MyKeyFace:
        """Keeps a photo of mine: a picture file of at most 4 MiB, its decoded pixels, and its latent codes so far.

        Raises InputError for a name that is taken or not one line of text, and for a larger file.
        """
        if len(picture) > MAX_KEY_FACE_BYTES:
            raise InputError(
                f"A key face has at most {MAX_KEY_FACE_BYTES >> 20} MB, and this picture is larger.",
                hint="Cut out the face, or make it smaller.",
            )
        with self._store.transaction():
            face = MyKeyFace(
                name=self.key_face_name(name),
                picture=picture,
                key_face=KeyFace.new(pixels),
                added=int(time.time()),
                prepared=tuple(prepared),
            )
            MY_KEY_FACE.put(self._store, face.name.encode(), face)
        return face

    def key_faces(self) -> list[MyKeyFace]:
        """Mine, the newest first."""
        return MY_KEY_FACE.all(self._store)[::-1]

    def key_face(self, name: str) -> MyKeyFace:
        """One of mine. Raises InputError if there is none."""
        face = MY_KEY_FACE.get(self._store, encoded(unicodedata.normalize("NFC", name)))
        if face is None:
            known = ", ".join(face.name for face in self.key_faces()) or "none yet"
            raise InputError(f"There is no key face {name!r} of yours.", hint=f"Yours: {known}.")
        return face

    def mark_shared(self, name: str, cards: Iterable[CardId]) -> MyKeyFace:
        """Remembers that the owners of these cards have it. Raises InputError if there is no such key face."""
        with self._store.transaction():
            face = self.key_face(name)
            shared = replace(face, shared_with=face.shared_with | frozenset(cards))
            MY_KEY_FACE.put(self._store, face.name.encode(), shared)
        return shared

    def remove_key_face(self, name: str) -> None:
        """Forgets one of mine; those who have it keep it. Raises InputError if there is none."""
        with self._store.transaction():
            MY_KEY_FACE.delete(self._store, self.key_face(name).name.encode())

    def keep_key_face(self, face: TheirKeyFace) -> bool:
        """Keeps a contact's; beyond 32, the oldest is dropped.

        Returns False if it is already known; latent codes that came with it then replace those for the same models.
        """
        with self._store.transaction():
            known = THEIR_KEY_FACE.get(self._store, _record_name(face))
            if known is not None:
                self.keep_prepared(known, face.prepared)
                return False
            THEIR_KEY_FACE.put(self._store, _record_name(face), face, owner=face.owner)
            for old in THEIR_KEY_FACE.all(self._store, face.owner)[:-_MOST]:
                THEIR_KEY_FACE.delete(self._store, _record_name(old))
        return True

    def keep_prepared(self, face: MyKeyFace | TheirKeyFace, prepared: Iterable[Inversion]) -> None:
        """Keeps latent codes of a key face, replacing those for the same models; beyond 4 models, the oldest are dropped.

        Does nothing if the key face is gone.
        """
        with self._store.transaction():
            if isinstance(face, MyKeyFace):
                mine = MY_KEY_FACE.get(self._store, face.name.encode())
                if mine is not None and mine.key_face == face.key_face:
                    MY_KEY_FACE.put(
                        self._store, mine.name.encode(), replace(mine, prepared=_more(mine.prepared, prepared))
                    )
            else:
                theirs = THEIR_KEY_FACE.get(self._store, _record_name(face))
                if theirs is not None:
                    kept = replace(theirs, prepared=_more(theirs.prepared, prepared))
                    THEIR_KEY_FACE.put(self._store, _record_name(face), kept, owner=face.owner)

    def key_faces_of(self, contact: Contact) -> list[TheirKeyFace]:
        """What a contact shared, the newest first."""
        return THEIR_KEY_FACE.all(self._store, contact.card.id)[::-1]

    def all_their_key_faces(self) -> list[TheirKeyFace]:
        """What all contacts shared, the newest first."""
        return THEIR_KEY_FACE.all(self._store)[::-1]


def carry_over(store: Store, old: CardId, new: CardId) -> None:
    """The owner of a card has a new one: the key faces that they shared and hold stay theirs."""
    if old == new:
        return
    for theirs in THEIR_KEY_FACE.all(store, old):
        THEIR_KEY_FACE.delete(store, _record_name(theirs))
        moved = replace(theirs, owner=new)
        THEIR_KEY_FACE.put(store, _record_name(moved), moved, owner=new)
    for mine in MY_KEY_FACE.all(store):
        if old in mine.shared_with:
            MY_KEY_FACE.put(store, mine.name.encode(), replace(mine, shared_with=mine.shared_with | {new}))


def forget(store: Store, owner: CardId) -> None:
    """Drops what the owner of a card shared."""
    for theirs in THEIR_KEY_FACE.all(store, owner):
        THEIR_KEY_FACE.delete(store, _record_name(theirs))


def _more(prepared: Iterable[Inversion], newer: Iterable[Inversion]) -> tuple[Inversion, ...]:
    by_model = {inversion.model_hash: inversion for inversion in newer}
    return (*(one for one in prepared if one.model_hash not in by_model), *by_model.values())[-MAX_INVERSIONS:]


def _record_name(face: TheirKeyFace) -> bytes:
    """Includes the secret: a photo that is shared again has another one."""
    return face.owner + face.key_face.digest + face.key_face.secret.reveal()

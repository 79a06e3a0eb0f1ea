"""Whom I know, and who may see my photos. Cards follow the rules of SPEC.md section 6.2.

A user id or signing key belongs to one contact only: a card that mixes those of two is refused.
"""

from __future__ import annotations

import time
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from pydantic import TypeAdapter, ValidationError
from stylecrypt_protocol import Card, CardChange, CardId, Revocation, compare_cards, pair_words
from stylecrypt_protocol.text import DisplayName

from ..errors import InputError, NotAuthorisedError, Remedy, explaining
from .key_faces import carry_over, forget
from .records import CONTACT, REVOCATION, Contact
from .store import Store

__all__ = ["Added", "Contacts"]

_PREFIX = 8  # hex digits of a card's id that identify it
_DISPLAY_NAME: TypeAdapter[str] = TypeAdapter(DisplayName)


@dataclass(frozen=True)
class Added:
    """What happened to an offered card; ``change`` is None for a new contact."""

    contact: Contact
    change: CardChange | None

    @property
    def outcome(self) -> str:
        """What happened to it, as the end of a sentence that begins with a name."""
        return _OUTCOMES[self.change]


_OUTCOMES = {
    None: "is a contact now",
    CardChange.SAME: "was a contact already",
    CardChange.RENAMED: "has another name on the card now",
    CardChange.ROTATED: "has new keys, which the old ones vouch for: compare the words again",
}


class Contacts:
    """Contacts by name: what I call them, in any letter case, the user id, or the first 8 or more digits of the card's
    id in hex. Methods that take a name raise InputError when it fits nobody or several contacts."""

    card: Card
    _store: Store

    def add_contact(self, card: Card, *, trust: bool = False) -> Added:
        """Pins a card at first use. Accepts a newer one with the same keys, and one whose keys the pinned ones vouch for,
        which has to be verified again.

        Raises NotAuthorisedError for other keys, or for the pinned ones under another user id: the card is kept as
        ``pending``; also for withdrawn keys and for a date in the future, which change nothing. Raises InputError for your
        own card.
        """
        if card.signing_key == self.card.signing_key:
            raise InputError("This card is your own.", hint="Add the cards of others, and give them yours.")
        if card.user_id == self.card.user_id:
            raise InputError(
                "This card has your own user id, with other keys.",
                hint="Ask the person who sent it for their own card.",
            )
        with self._store.transaction():
            revocations = self._revocations()
            if _is_withdrawn(card, revocations):
                raise _withdrawn(card.display_name or card.user_id)
            with explaining():
                card.check_date(int(time.time()))
            pinned = [c for c in self.contacts() if c.user_id == card.user_id or _same_keys(c.card, card)]
            if not pinned:
                new = Contact(card=card, added=int(time.time()), trusted=trust)
                self._put(new)
                return Added(new, None)
            if len(pinned) > 1:
                raise _of_two(pinned)
            [old] = pinned
            change = compare_cards(old.card, card, revocations)
            if change is not CardChange.CHANGED:
                accepted = old.card if change is CardChange.SAME else card
                verified = old.verified and change is not CardChange.ROTATED
                pending = None if old.pending and _same_keys(old.pending, accepted) else old.pending
                changed = self._changed(
                    old, card=accepted, pending=pending, trusted=old.trusted or trust, verified=verified
                )
                carry_over(self._store, old.card.id, accepted.id)
                return Added(changed, change)
            if old.pending is None or compare_cards(old.pending, card) is not CardChange.SAME:
                self._changed(old, pending=card)
        raise _pending(old)

    def contacts(self) -> list[Contact]:
        """By name."""
        return sorted(CONTACT.all(self._store), key=lambda contact: (_folded(contact.name), contact.user_id))

    def contact(self, name: str) -> Contact:
        """One of them."""
        contacts = self.contacts()
        wanted = _folded(name)
        found = [
            contact
            for contact in contacts
            if contact.user_id == name
            or _folded(contact.name) == wanted
            or (len(wanted) >= _PREFIX and contact.card.id.hex().startswith(wanted))
        ]
        # A whole id belongs to one contact, and so does a name that I gave, whatever others call themselves.
        if len(found) > 1:
            ids = {one.card.id.hex(): one for one in found} | {
                one.user_id: one for one in found if one.user_id.startswith("@")
            }
            given = [one for one in found if _folded(one.own_name) == wanted]
            found = [ids[name]] if name in ids else given or found
        if len(found) == 1:
            return found[0]
        if found:
            known = ", ".join(f"{contact.user_id} (card {contact.card.id.hex()})" for contact in found)
            raise InputError(f"{len(found)} contacts are called {name!r}.", hint=f"Use a user id or card id: {known}.")
        known = ", ".join(contact.name for contact in contacts[:10]) or "none yet"
        more = f" and {len(contacts) - 10} more" if len(contacts) > 10 else ""
        raise InputError(f"There is no contact {name!r}.", hint=f"Yours: {known}{more}.", remedy=Remedy.ADD_CONTACT)

    def by_card(self, card: CardId) -> Contact | None:
        """The contact with this card."""
        return next((contact for contact in self.contacts() if contact.card.id == card), None)

    def cards(self) -> dict[CardId, Card | Revocation]:
        """What opening messages needs: all cards, including your own and those of blocked contacts, with revocations in
        place of withdrawn ones."""
        revocations = self._revocations()
        withdrawn = {revocation.signing_key: revocation for revocation in revocations}
        cards = [self.card, *(contact.card for contact in self.contacts())]
        return {revocation.id: revocation for revocation in revocations} | {
            card.id: withdrawn.get(card.signing_key, card) for card in cards
        }

    def words(self, name: str) -> tuple[str, ...]:
        """Twelve words that are the same on both sides; for the pending card if there is one. Takes 0.2 s."""
        contact = self.contact(name)
        return pair_words(self.card, contact.pending or contact.card)

    def verify(self, name: str, words: Sequence[str] | None = None) -> Contact:
        """The words were compared, and match: a pending card takes the pinned one's place.

        With the compared ``words``, a card that came in the meantime does not pass for verified. Raises
        NotAuthorisedError for other words, or if the card was withdrawn.
        """
        with self._store.transaction():
            contact = self.contact(name)
            card = contact.pending or contact.card
            if words is not None and tuple(words) != pair_words(self.card, card):
                raise NotAuthorisedError(
                    f"These are not the words of {contact.name}, or another card came while you compared them.",
                    remedy=Remedy.COMPARE_WORDS,
                    contact=contact.name,
                )
            if _is_withdrawn(card, self._revocations()):
                raise _withdrawn(contact.name)
            taken = [
                c for c in self.contacts() if c != contact and (c.user_id == card.user_id or _same_keys(c.card, card))
            ]
            if taken:
                raise _of_two([contact, *taken])
            if card.id != contact.card.id:  # the holder of the old keys may have been somebody else
                forget(self._store, contact.card.id)
            return self._changed(contact, card=card, pending=None, verified=True, withdrawn=False)

    def discard_pending(self, name: str) -> Contact:
        """Discards a changed card and keeps the pinned one."""
        with self._store.transaction():
            return self._changed(self.contact(name), pending=None)

    def trust(self, name: str, *, conversation: str | None = None, undo: bool = False) -> Contact:
        """Lets a contact see my photos: everywhere, or in one conversation. ``undo`` without one: nowhere any more.

        Raises InputError for undoing it in one conversation when they are trusted everywhere.
        """
        with self._store.transaction():
            contact = self.contact(name)
            if conversation is None:
                return self._changed(contact, trusted=not undo, conversations=() if undo else contact.conversations)
            if undo and contact.trusted:
                raise InputError(
                    f"{contact.name} may see your photos in every conversation.",
                    remedy=Remedy.DISTRUST_CONTACT,
                    contact=contact.name,
                )
            others = {other for other in contact.conversations if other != conversation}
            return self._changed(contact, conversations=tuple(sorted(others if undo else others | {conversation})))

    def rename(self, name: str, own_name: str) -> Contact:
        """Calls a contact what I like; "" goes back to the name on their card. Nobody else learns it.

        Raises InputError for a name that another contact has, or that no card could hold.
        """
        try:
            own_name = _DISPLAY_NAME.validate_python(unicodedata.normalize("NFC", own_name.strip()))
        except ValidationError as error:
            raise InputError(
                f"{own_name!r} cannot be the name of a contact.", hint="Names have one line of up to 128 bytes."
            ) from error
        with self._store.transaction():
            contact = self.contact(name)
            if own_name and any(
                other.user_id != contact.user_id and _folded(own_name) in (_folded(other.name), _folded(other.user_id))
                for other in self.contacts()
            ):
                raise InputError(f"Another contact is called {own_name!r}.", hint="Choose another name.")
            return self._changed(contact, own_name=own_name)

    def block(self, name: str, *, undo: bool = False) -> Contact:
        """Sends nothing to them, and opens nothing from them."""
        with self._store.transaction():
            return self._changed(self.contact(name), blocked=not undo)

    def remove(self, name: str) -> None:
        """Forgets a contact, their keys and their key faces."""
        with self._store.transaction():
            contact = self.contact(name)
            forget(self._store, contact.card.id)
            CONTACT.delete(self._store, contact.user_id.encode())

    def revoke(self, revocation: Revocation) -> list[Contact]:
        """Remembers for good that a signing key is withdrawn. Returns the contacts whose key it is."""
        with self._store.transaction():
            REVOCATION.put(self._store, revocation.signing_key, revocation)
            for contact in self.contacts():
                if contact.pending and revocation.withdraws(contact.pending):
                    self._changed(contact, pending=None)
            hit = [contact for contact in self.contacts() if revocation.withdraws(contact.card)]
            return [self._changed(contact, withdrawn=True, verified=False) for contact in hit]

    def authorised(self, name: str, conversation: str | None) -> Contact:
        """A contact who may see what is sent in a conversation. Raises NotAuthorisedError if they may not."""
        contact = self.contact(name)
        if contact.blocked:
            raise NotAuthorisedError(
                f"You have blocked {contact.name}.", remedy=Remedy.UNBLOCK_CONTACT, contact=contact.name
            )
        if contact.pending is not None:
            raise _pending(contact)
        if contact.withdrawn:
            raise _withdrawn(contact.name)
        if not contact.trusted and (conversation is None or conversation not in contact.conversations):
            where = f" in {conversation}" if conversation else ""
            raise NotAuthorisedError(
                f"{contact.name} is not authorised to see your photos{where}.",
                remedy=Remedy.TRUST_CONTACT,
                contact=contact.name,
            )
        return contact

    def _put(self, contact: Contact) -> None:
        CONTACT.put(self._store, contact.user_id.encode(), contact)

    def _changed(self, contact: Contact, **changes: object) -> Contact:
        changed = replace(contact, **changes)  # type: ignore[arg-type]
        if changed.user_id != contact.user_id:
            CONTACT.delete(self._store, contact.user_id.encode())
        self._put(changed)
        return changed

    def _revocations(self) -> list[Revocation]:
        return REVOCATION.all(self._store)


def _folded(name: str) -> str:
    """Letter case and the way of typing an accent do not matter."""
    return unicodedata.normalize("NFC", name).casefold()


def _same_keys(one: Card, other: Card) -> bool:
    """By the signing key: its holder chose everything else on the card."""
    return one.signing_key == other.signing_key


def _is_withdrawn(card: Card, revocations: Iterable[Revocation]) -> bool:
    return any(revocation.withdraws(card) for revocation in revocations)


def _withdrawn(name: str) -> NotAuthorisedError:
    return NotAuthorisedError(f"The keys of {name} were withdrawn.", hint="Ask them for their new card, and add it.")


def _pending(contact: Contact) -> NotAuthorisedError:
    return NotAuthorisedError(
        f"The keys of {contact.name} have changed, and nobody vouches for the new ones.",
        hint="Ask them whether that is right.",
        remedy=Remedy.COMPARE_WORDS,
        contact=contact.name,
    )


def _of_two(contacts: Sequence[Contact]) -> NotAuthorisedError:
    names = " and ".join(contact.name for contact in contacts)
    return NotAuthorisedError(
        f"This card has the keys of one contact and the user id of another: {names}.",
        hint="Ask them which is right.",
        remedy=Remedy.REMOVE_CONTACT,
    )

"""``init``, ``key``, ``card``, ``contact`` and ``key-face``: who I am, whom I trust, and the photos that undo fakes."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import stylecrypt_protocol as protocol
import typer
from stylecrypt_protocol import Card, Revocation, RevocationReason, is_card

from ..cards import card_of
from ..errors import InputError, NotAuthorisedError, os_reason
from ..files import read_file, write_atomically
from ..profile import Contact, MyKeyFace, Profile, TheirKeyFace
from . import console
from .session import Session, now

_PIPE = "-"


def init(session: Session, name: str, user_id: str | None, no_passphrase: bool, as_json: bool) -> None:
    passphrase = None if no_passphrase else session.first_passphrase()
    with Profile.create(session.where, name=name, user_id=user_id, passphrase=passphrase, now=now()) as profile:
        result = {"profile": str(profile.folder), **_card_result(profile.card)}
        lines = [
            f"profile: {profile.folder}",
            f"card: {profile.card.display_name} ({profile.card.user_id}), {profile.card.id.hex()}",
        ]
        if no_passphrase:
            console.note("The keys are not protected by a passphrase: whoever can read that folder has them.")
        _tell(result, [*lines, "Give your card to your contacts: `stylecrypt card export -o FILE`."], as_json)


def export_age_key(session: Session, output: Path) -> None:
    with session.open() as profile:
        text = profile.identity.age_identity().reveal() + b"\n"
    _write_private(output, text)
    console.note(f"{output} opens everything that is sealed to you. Whoever has it reads your messages.")


def change_passphrase(session: Session, no_passphrase: bool) -> None:
    with session.open() as profile:
        profile.change_passphrase(None if no_passphrase else session.next_passphrase())
    console.say("The passphrase has been removed." if no_passphrase else "The passphrase has been changed.")


def revoke(session: Session, output: Path, yes: bool) -> None:
    if not yes and not typer.confirm(
        "Whoever reads this file will never trust your present keys again. Write it?", err=True
    ):
        raise typer.Abort
    with session.open() as profile:
        revocation = Revocation.create(profile.identity, created=now(), reason=RevocationReason.UNSPECIFIED)
    _write_private(output, revocation.to_bytes())
    console.note("Keep it where nobody else finds it, and give it to your contacts when your keys are lost or stolen.")


# Cards.


def card_show(session: Session, as_json: bool) -> None:
    with session.open() as profile:
        card = profile.card
    words = protocol.card_words(card)
    lines = [
        f"{card.display_name} ({card.user_id})",
        f"card: {card.id.hex()}",
        f"words: {' '.join(words)}",
        card.to_text(),
    ]
    _tell(_card_result(card) | {"words": list(words), "text": card.to_text()}, lines, as_json)


def card_export(session: Session, output: str) -> None:
    with session.open() as profile:
        card = profile.card
    if output == _PIPE:
        console.say(card.to_text())
    elif Path(output).suffix == ".txt":
        write_atomically(output, card.to_text().encode() + b"\n")
    else:
        write_atomically(output, card.to_bytes())


def card_qr(session: Session, output: Path | None) -> None:
    with session.open() as profile:
        code = profile.card.to_qr()
    if output is None:
        code.terminal(compact=True)
    elif output.suffix.lower() in (".png", ".svg"):
        code.save(str(output), scale=6)
    else:
        raise InputError(f"A QR code is written as PNG or SVG, not as {output.name}.", hint="Use -o card.png.")


# Contacts.


def contact_add(session: Session, source: str, trust: bool, as_json: bool) -> None:
    offered = _read_card(source)
    with session.open() as profile:
        if isinstance(offered, Revocation):
            withdrawn = profile.revoke(offered)
            names = ", ".join(contact.name for contact in withdrawn) or "nobody among your contacts"
            _tell({"withdrawn": [contact.name for contact in withdrawn]}, [f"Keys withdrawn: {names}."], as_json)
            return
        added = profile.add_contact(offered, trust=trust)
        lines = [f"{added.contact.name} ({added.contact.user_id}) {added.outcome}; {added.contact.standing}"]
        if not added.contact.verified:
            lines.append(f"Compare the words with them: `stylecrypt contact verify {_quoted(added.contact.name)}`.")
        change = added.change.value if added.change else "new"
        _tell(_contact_result(added.contact) | {"change": change}, lines, as_json)


def contact_list(session: Session, as_json: bool) -> None:
    with session.open() as profile:
        contacts = profile.contacts()
    if as_json:
        console.print_json([_contact_result(contact) for contact in contacts])
    elif not contacts:
        console.note("There are no contacts yet: `stylecrypt contact add FILE` adds one.")
    else:
        rows = [(c.name, c.user_id, c.standing, c.card.id.hex()[:16]) for c in contacts]
        console.print_table(("name", "user id", "standing", "card"), rows)


def contact_show(session: Session, name: str, as_json: bool) -> None:
    with session.open() as profile:
        contact = profile.contact(name)
        words = profile.words(name)
        faces = len(profile.key_faces_of(contact))
    lines = [
        f"{contact.name} ({contact.user_id}): {contact.standing}",
        f"card: {contact.card.id.hex()}, since {_day(contact.added)}",
        f"words: {' '.join(words)}",
        f"key faces of theirs: {faces}",
    ]
    _tell(_contact_result(contact) | {"words": list(words), "key_faces": faces}, lines, as_json)


def contact_verify(session: Session, name: str, words: str | None, discard: bool, as_json: bool) -> None:
    with session.open() as profile:
        contact = profile.contact(name)
        if discard:
            profile.discard_pending(name)
            _tell(
                _contact_result(profile.contact(name)), [f"The new card of {contact.name} has been discarded."], as_json
            )
            return
        agreed = profile.words(name)
        if words is not None:
            matches = words.lower().replace(",", " ").split() == list(agreed)
        else:
            if not (sys.stdin and sys.stdin.isatty()):
                raise InputError(
                    "There is no terminal to confirm on that the words match.", hint='Give theirs with --words "...".'
                )
            console.note(f"Read these words to {contact.name}, in person or on a call. They see the same ones:")
            console.note("  " + " ".join(agreed[:6]))
            console.note("  " + " ".join(agreed[6:]))
            matches = typer.confirm("Do all of them match?", err=True)
        if not matches:
            raise NotAuthorisedError(
                f"The words do not match, so the keys are not those of {contact.name}; nothing was changed.",
                hint=f"Get their card from them again; `contact verify {_quoted(name)} --discard` discards a new one.",
            )
        verified = profile.verify(name, agreed)  # a card that came in the meantime was not compared
    _tell(_contact_result(verified), [f"{verified.name} is verified."], as_json)


def contact_trust(session: Session, name: str, conversation: str | None, undo: bool) -> None:
    with session.open() as profile:
        profile.trust(name, conversation=conversation, undo=undo)
        contact = profile.contact(name)
    console.say(f"{contact.name}: {contact.standing}")


def contact_block(session: Session, name: str, undo: bool) -> None:
    with session.open() as profile:
        profile.block(name, undo=undo)
        contact = profile.contact(name)
    console.say(f"{contact.name}: {contact.standing}")


def contact_rename(session: Session, name: str, own_name: str) -> None:
    with session.open() as profile:
        contact = profile.rename(name, own_name)
    console.say(f"{contact.name} ({contact.user_id}): {contact.standing}")


def contact_remove(session: Session, name: str) -> None:
    with session.open() as profile:
        contact = profile.contact(name)
        profile.remove(name)
    console.say(f"{contact.name} has been removed, with their key faces.")


# Key faces.


def key_face_add(session: Session, photos: Sequence[Path], name: str | None, as_json: bool) -> None:
    with session.stylecrypt("default") as stylecrypt, console.progress() as progress:
        added = stylecrypt.add_key_face(photos, name or photos[0].stem, progress=progress)
    share = f"stylecrypt key-face share {_quoted(added.name)} --to NAME -o FILE"
    lines = [f"key face {added.name}: {len(added.picture)} bytes, {_prepared(added)}", f"Share it: `{share}`."]
    _tell({"name": added.name, "bytes": len(added.picture), "prepared": _models(added)}, lines, as_json)


def key_face_list(session: Session, as_json: bool) -> None:
    with session.open() as profile:
        mine = profile.key_faces()
        theirs = [(contact, face) for contact in profile.contacts() for face in profile.key_faces_of(contact)]
        names = {contact.card.id: contact.name for contact in profile.contacts()}
    if as_json:
        result = {
            "mine": [
                {"name": face.name, "shared_with": _names(face, names), "added": face.added, "prepared": _models(face)}
                for face in mine
            ],
            "theirs": [
                {"owner": contact.name, "received": face.received, "prepared": _models(face)}
                for contact, face in theirs
            ],
        }
        console.print_json(result)
        return
    rows = [
        ("you", face.name, ", ".join(_names(face, names)) or "nobody yet", _day(face.added), _prepared(face))
        for face in mine
    ]
    rows += [(contact.name, "", "you", _day(face.received), _prepared(face)) for contact, face in theirs]
    if rows:
        console.print_table(("of", "name", "shared with", "since", "state"), rows)
    else:
        console.note("There are no key faces yet: `stylecrypt key-face add PHOTO` adds one of yours.")


def key_face_share(session: Session, name: str, to: Sequence[str], output: Path) -> None:
    with session.stylecrypt("default") as stylecrypt:
        with stylecrypt.profile.transaction():  # if the file cannot be written, it is not shared
            write_atomically(output, stylecrypt.share_key_face(name, to))
        contacts = [stylecrypt.profile.contact(contact).name for contact in to]
    console.say(f"{output}: key face {name}, sealed to {', '.join(contacts)}")


def key_face_receive(session: Session, file: Path, as_json: bool) -> None:
    data = read_file(file)
    with session.stylecrypt("default") as stylecrypt, console.progress() as progress:
        received = stylecrypt.receive_key_face(data, progress=progress)
    said = "kept" if received.new else "known already"
    lines = [f"A key face of {received.owner.name}: {said}."]
    if received.warning:
        lines.append(f"warning: {received.warning}")
    result = {"owner": received.owner.name, "new": received.new, "warning": received.warning}
    _tell(result, lines, as_json)


def key_face_remove(session: Session, name: str) -> None:
    with session.open() as profile:
        profile.remove_key_face(name)
    console.say(f"Key face {name} has been removed. Contacts who have it keep it.")


def _read_card(source: str) -> Card | Revocation:
    """A card or revocation: as text, in a file of either form, or as a picture of its QR code."""
    if is_card(source.encode(errors="replace")):
        data = source.encode()
    elif source == _PIPE:
        data = sys.stdin.buffer.read(1 << 16)
    else:
        data = read_file(source)
    return card_of(data)


def _write_private(path: Path, data: bytes) -> None:
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
    except FileExistsError:
        raise InputError(f"{path} already exists.", hint="Choose another name with -o.") from None
    except OSError as error:
        raise InputError(f"{path} cannot be written: {os_reason(error)}.") from error


def _contact_result(contact: Contact) -> dict[str, Any]:
    return _card_result(contact.card) | {
        "name": contact.name,
        "verified": contact.verified,
        "trusted": contact.trusted,
        "conversations": list(contact.conversations),
        "blocked": contact.blocked,
        "withdrawn": contact.withdrawn,
        "pending": contact.pending is not None,
    }


def _card_result(card: Card) -> dict[str, Any]:
    return {
        "name": card.display_name,
        "user_id": card.user_id,
        "card": card.id.hex(),
        "age_recipient": card.age_recipient,
    }


def _models(face: MyKeyFace | TheirKeyFace) -> list[str]:
    """The hashes of the models that it is prepared for."""
    return [inversion.model_hash.hex() for inversion in face.prepared]


def _prepared(face: MyKeyFace | TheirKeyFace) -> str:
    models = ", ".join(model[:16] for model in _models(face))
    return f"prepared for the model {models}" if models else "not prepared"


def _names(face: MyKeyFace, names: dict[protocol.CardId, str]) -> list[str]:
    return sorted(names[card] for card in face.shared_with if card in names)


def _day(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d")


def _quoted(name: str) -> str:
    return shlex.quote(name)  # contacts choose their names


def _tell(result: dict[str, Any], lines: list[str], as_json: bool) -> None:
    if as_json:
        console.print_json(result)
        return
    for line in lines:
        console.say(line)

"""Parses the owner's texts: ``#room @name @"a name" level=latent others=keep text`` and ``!command argument``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from stylecrypt_protocol import Level

from stylecrypt_msg.apps import App
from stylecrypt_msg.choices import Others, named
from stylecrypt_msg.errors import InputError
from stylecrypt_msg.profile import Contact, Profile

__all__ = ["Request", "contact_of", "face_of", "parse_command", "parse_request"]

_OTHERS: dict[str, Others] = {"blur": "blur", "refuse": "refuse", "keep": "keep"}
_WORD = re.compile(r"""\s*([@#]?"[^"]*"|'[^']*'|\S+)""")


@dataclass(frozen=True)
class Request:
    """A photo's destination. ``room``: as written, without "#" if it is a name; None if it names none. ``to``: as written,
    without "@" if they are names. ``only`` and ``keep``: faces as written, by number or by the name of a key face."""

    room: str | None
    to: tuple[str, ...]
    level: Level | None
    others: Others | None
    caption: str
    app: App | None = None
    only: tuple[str, ...] = ()
    keep: tuple[str, ...] = ()


def parse_request(text: str) -> Request:
    """Raises InputError for two rooms, and for an unknown level, app or treatment of others."""
    room: str | None = None
    to: list[str] = []
    level: Level | None = None
    others: Others | None = None
    app: App | None = None
    faces: dict[str, tuple[str, ...]] = {"only": (), "keep": ()}
    at = 0
    while match := _WORD.match(text, at):
        word = match[1]
        if word.startswith("#") and len(word) > 1:
            if room is not None:
                raise InputError("A photo goes into one room at a time.", hint=f"Leave out {room} or {word}.")
            room = word if ":" in word else word[1:].strip('"')
        elif word.startswith("@") and len(word) > 1:
            to.append(word if ":" in word else word[1:].strip('"'))
        elif word.startswith("level="):
            level = named(Level, "level", word.removeprefix("level="))
        elif word.startswith("others="):
            try:
                others = _OTHERS[word.removeprefix("others=")]
            except KeyError:
                raise InputError(f"There is no {word}.", hint=f"Others are {', '.join(_OTHERS)}.") from None
        elif word.startswith("for="):
            app = named(App, "app", word.removeprefix("for="))
        elif word.startswith(("only=", "keep=")):
            which, _, given = word.partition("=")
            faces[which] += tuple(one for one in given.split(",") if one)
        else:
            break
        at = match.end()
    return Request(room, tuple(to), level, others, text[at:].strip(), app, **faces)


def parse_command(text: str) -> tuple[str, list[str]]:
    """Name and arguments of a command, without "!" and quotation marks."""
    words = [match[1] for match in _WORD.finditer(text[1:])]
    unquoted = [word.strip(word[0]) if word.startswith(('"', "'")) else word for word in words]
    return (unquoted[0].lower(), unquoted[1:]) if unquoted else ("", [])


def contact_of(profile: Profile, name: str) -> Contact:
    """A contact by name, user id, card id, or the part of a user id that people type: "bob" for "@bob:example.org".

    Raises InputError.
    """
    local = [
        contact
        for contact in profile.contacts()
        if contact.user_id.startswith("@") and contact.user_id[1:].partition(":")[0].casefold() == name.casefold()
    ]
    try:
        return profile.contact(name)
    except InputError:
        if len(local) == 1 and not _called(profile.contacts(), name):
            return local[0]
        raise


def face_of(profile: Profile, word: str) -> int | bytes:
    """A face in a photo: its number from the left, or a picture of the person, which is a key face of the owner's, or of a
    contact's. Raises InputError."""
    if word.isdecimal():
        return int(word)
    if word in (face.name for face in profile.key_faces()):
        return profile.key_face(word).picture
    contact = contact_of(profile, word)
    if not (shared := profile.key_faces_of(contact)):
        raise InputError(f"{contact.name} gave you no key face.", hint="Say which face by its number, from the left.")
    return shared[0].picture


def _called(contacts: Sequence[Contact], name: str) -> bool:
    return any(contact.name.casefold() == name.casefold() for contact in contacts)

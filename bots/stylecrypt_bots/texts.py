"""The bot's messages to its owner."""

from __future__ import annotations

from collections.abc import Sequence

from stylecrypt_msg.messenger import DecryptedPhoto, EncryptedPhoto
from stylecrypt_msg.profile import Contact

from .queues import NO, YES
from .remedies import quoted

__all__ = ["GREETING", "described", "preview", "printable", "standing", "words_of"]

GREETING = (
    "This is your StyleCrypt bot. Send me a photo with a text such as `#room @name`: I show you the photo with another "
    "face, and post it there when you agree. The people you name see the real photo. What others send you, I show you here. "
    "`!help` names all that I can do."
)


def printable(text: str, most: int = 200) -> str:
    """Text from elsewhere, as part of a line."""
    return "".join(letter if letter.isprintable() else " " for letter in text[:most]).strip()


def preview(photo: EncryptedPhoto, room: str, to: Sequence[Contact]) -> str:
    """The text below the fake photo: what everybody will see, and what it still reveals."""
    leaks = photo.leaks
    lines = [
        f"For {', '.join(contact.name for contact in to)} in {room}; everybody else sees this.",
        f"{leaks.faces}.",
        *leaks.lines,
    ]
    lines.append(f"{YES} posts it, {NO} drops it.")
    return "\n".join(lines)


def described(photo: DecryptedPhoto, where: str, by: str, link: str) -> str:
    """The text below an opened photo: who sent it, where, at which level, and whether that is proved."""
    if photo.sender is None:
        who = f"{by} (nobody signed it)"
    elif photo.signed:
        who = f"{photo.sender.name} ({'verified' if photo.verified else 'not verified'})"
        if photo.sender.user_id != by:
            who += f", posted by {by}"
    else:
        who = f"{photo.sender.name}, as it seems; posted by {by}, and nobody signed it"
    lines = [f"{who} in {where}: {photo.reached}."]
    if photo.caption:
        lines.append(f"“{photo.caption}”")
    return "\n".join([*lines, *photo.warnings, link])


def standing(contact: Contact) -> str:
    """A contact and their standing, in a line."""
    return f"{printable(contact.name)} ({printable(contact.user_id)}): {contact.standing}"


def words_of(name: str, words: Sequence[str]) -> str:
    return (
        f"Compare these words with {name}, in person or on a call. Their `!verify` shows the same ones:\n"
        f"{' '.join(words[:6])}\n{' '.join(words[6:])}\n`!verify {quoted(name)} yes` if all match, `no` if not."
    )

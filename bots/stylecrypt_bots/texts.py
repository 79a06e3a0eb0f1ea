"""The bot's messages to its owner."""

from __future__ import annotations

from collections.abc import Sequence

from stylecrypt_msg.messenger import DecryptedPhoto, EncryptedPhoto
from stylecrypt_msg.profile import Contact

from .queues import NO, YES
from .remedies import quoted

__all__ = [
    "GREETING",
    "NO_ROOM_LEFT",
    "VERIFY_ELSEWHERE",
    "changed_identity",
    "described",
    "preview",
    "printable",
    "removed",
    "standing",
    "undecryptable",
    "unsigned",
    "welcome",
    "words_of",
]

GREETING = (
    "This is your StyleCrypt bot. Send me a photo with a text such as `#room @name`: I show you the photo with another "
    "face, and post it there when you agree. The people you name see the real photo. What others send you, I show you here. "
    "`!help` names all that I can do."
)

VERIFY_ELSEWHERE = (
    "Your app asked to verify me. The emoji must not come to you through this room, since the room is what they prove: run "
    "`stylecrypt bot verify` on my machine, or have whoever runs me do that and compare the emoji with you; then ask again."
)


NO_ROOM_LEFT = "I have as many owners as I can take. Ask whoever runs this server."


def welcome(bot: str) -> str:
    return (
        f"Your own bot is {bot}: it invites you to a room for you and it alone. Accept, and send it your photos there. If you "
        "left that room, write to me, and it invites you once more."
    )


def changed_identity(user_id: str) -> str:
    return (
        f"The cross-signing keys of {user_id} are not the ones that they were: their devices do not get what I post. Ask them "
        f"whether they made new ones; if so, `!identity {user_id}` accepts those. If not, somebody may be posing as them."
    )


def removed(user_id: str) -> str:
    return f"{user_id} was invited to this room or had joined it. I removed them: it is for you and me alone."


def unsigned(user_id: str, devices: Sequence[str]) -> str:
    commands = " or ".join(f"`!device {device}`" for device in devices)
    return (
        f"{user_id} cannot read what I post in encrypted rooms: no device of theirs is signed with cross-signing keys. Apps "
        f"such as Element do that when they ask to verify a device. Or compare the key with them, and confirm it: {commands}"
    )


def undecryptable(device_id: str, code: str | None) -> str:
    why = {
        None: "did not give me its key, or not yet",
        "m.unverified": "does not give its key to devices that it does not trust",
        "m.blacklisted": "does not give me its key, since I am blocked there",
    }.get(code, f"does not give me its key ({printable(code or '', 40)})")
    return (
        f"I cannot read what you wrote: your device {printable(device_id, 40)} {why}. Send it once more. If that does not "
        "help, verify me in that app, with `stylecrypt bot verify` on my machine, or write to me with another app."
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

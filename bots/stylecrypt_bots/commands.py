"""The owner's commands about people, key faces and stand-ins.

A command first asks the server or the worker if it has to, and then acts in one transaction with its answer.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

from stylecrypt_protocol import Card, is_card, key_face_event

from stylecrypt_msg.errors import InputError, StyleCryptError, explaining
from stylecrypt_msg.profile import Contact
from stylecrypt_msg.transports.matrix.server import Post

from . import texts
from .config import Config
from .health import Health
from .queues import YES, Media, Outgoing, Queues, Topic, reference
from .remedies import failure, quoted
from .request import contact_of
from .rooms import Rooms
from .session import BotSession
from .worker import PictureWorker

__all__ = ["Act", "Call", "Commands"]

"""In the content of a file's event: marks a sealed key face."""

Act: TypeAlias = Callable[[], str]
"""Changes the profile and the queues, in a transaction. Returns the answer."""


@dataclass(frozen=True)
class Call:
    """A command from the owner.

    Attributes:
        topic: of the message that it replies to.
        photo: finds the photo above it, or the one that it replies to; raises InputError if there is none.
    """

    post: Post
    arguments: Sequence[str]
    topic: Topic | None
    photo: Callable[[], Awaitable[Post]]

    def id(self, what: str) -> str:
        """A transaction id for an event that the command posts."""
        return f"{reference(self.post).hex()[:32]}-{what}"


class Commands:
    """The bot's commands."""

    def __init__(
        self, config: Config, session: BotSession, queues: Queues, rooms: Rooms, worker: PictureWorker, health: Health
    ) -> None:
        self._config, self._session, self._queues = config, session, queues
        self._rooms, self._worker, self._health = rooms, worker, health
        self._profile = queues.profile

    async def prepare(self, name: str, call: Call) -> Act:
        """Raises InputError for an unknown command, and the command's own errors."""
        for usage, _, method in _COMMANDS:
            if usage.split()[0] == f"!{name}" and method is not None:
                try:
                    return await method(self, call)
                except _UsageError:
                    return partial("Write it like this: {}".format, "`" + usage + "`")
        raise InputError(f"There is no command !{texts.printable(name, 40)}.", hint="`!help` lists them.")

    async def help(self, _: Call) -> Act:
        lines = [f"`{usage}`: {what}" for usage, what, _ in _COMMANDS]
        return lambda: "\n".join(lines)

    async def status(self, _: Call) -> Act:
        health = self._health.words()
        rooms = []
        for name, settings in self._rooms.settings.items():
            try:
                await self._rooms.named(name)
            except StyleCryptError as error:
                rooms.append(f"#{name}: {error}")
            else:
                does = [what for what, on in (("sends", settings.send), ("receives", settings.receive)) if on]
                rooms.append(f"#{name}: {', '.join(does) or 'nothing'}{', posts without asking' * settings.auto_send}.")

        def act() -> str:
            queues = self._queues
            drafts = queues.drafts.all()
            todo = [
                _count(len(queues.waiting("photos")), "photo of yours to work on", "photos of yours to work on"),
                _count(sum(draft.posting for draft in drafts), "photo to post", "photos to post"),
                _count(len(queues.waiting("rooms")), "message of others to look at", "messages of others to look at"),
            ]
            waiting = [draft.room for draft in drafts if not draft.posting]
            lines = [
                health,
                f"To do: {', '.join(filter(None, todo)) or 'nothing'}.",
                *([f"Photos that wait for your {YES}: {', '.join(waiting)}."] if waiting else []),
            ]
            return "\n".join([*lines, *rooms])

        return act

    async def reload(self, _: Call) -> Act:
        self._rooms.reload()
        names = ", ".join(f"#{name}" for name in self._rooms.settings) or "none"
        return lambda: f"The rooms of the configuration are now: {names}."

    async def room(self, call: Call) -> Act:
        match call.arguments:
            case [label, "remove"]:
                name, settings = _room_name(label), None
            case [label, address, *more] if all("=" in one for one in more):
                name = _room_name(label)
                settings = {"room": address, **dict(_setting(one) for one in more)}
            case _:
                raise _UsageError

        def act() -> str:
            self._rooms.name(name, settings)
            return f"#{name} is {'forgotten' if settings is None else 'a room of yours'}."

        return act

    # Cards and contacts

    async def contacts(self, _: Call) -> Act:
        def act() -> str:
            lines = [texts.standing(contact) for contact in self._profile.contacts()]
            return (
                "\n".join(lines) or "There are no contacts yet: `!add @user:server`, or `!add` and the text of a card."
            )

        return act

    async def card(self, call: Call) -> Act:
        card = self._profile.card
        match call.arguments:
            case []:
                return lambda: (
                    f"{card.display_name} ({card.user_id}). `!card send @user:server` gives it to somebody, `!card publish` "
                    f"shows it to everybody in the profile of {self._session.user_id}.\n{card.to_text()}"
                )
            case ["publish"]:
                await self._session.publish_card(card.to_text())
                return lambda: "Your card is in my profile now. `!card withdraw` takes it out."
            case ["withdraw"]:
                await self._session.publish_card(None)
                return lambda: "Your card is not in my profile any more."
            case ["send", user_id] if _is_user(user_id):

                def act() -> str:
                    content = {"msgtype": "m.text", "body": card.to_text(), "m.mentions": {}}
                    self._queues.post(Outgoing(call.id("card"), user_id, content))
                    return f"Your card goes to {user_id}, as soon as they are in a room with me."

                return act
        raise _UsageError

    async def add(self, call: Call) -> Act:
        match call.arguments:
            case [] if call.topic is not None and call.topic.card is not None:
                text = call.topic.card
            case [user_id] if _is_user(user_id):
                published = await self._session.published_card(user_id)
                if published is None:
                    raise InputError(f"{user_id} shows no card in their profile.", hint=await self._hint(user_id))
                text = published
            case [text] if is_card(text.encode(errors="replace")):
                pass
            case _:
                raise _UsageError
        return partial(self.add_card, text)

    async def _hint(self, user_id: str) -> str:
        """What to do when somebody shows no card: it is probably the person, and their bot has the card."""
        for other in sorted(await self._rooms.neighbours() - {user_id, self._session.user_id, self._config.owner})[
            :_LOOKED_AT
        ]:
            if await self._session.published_card(other) is not None:
                return f"{other}, who is in a room of yours, shows one; if that is their bot: `!add {other}`."
        return (
            "Is it the person? Cards belong to bots. Have them write `!card publish` to their bot and tell you its id, then: "
            f"`!add @their-bot:server`; or have them write `!card send {self._session.user_id}`."
        )

    def add_card(self, text: str) -> str:
        """An `Act`. Its error about a card with other keys does not undo keeping that card."""
        try:
            with explaining():
                card = Card.from_text(text)
            added = self._profile.add_contact(card)
        except StyleCryptError as error:
            return failure(error)
        name = quoted(added.contact.name)
        return (
            f"{added.contact.name} ({added.contact.user_id}) {added.outcome}. `!verify {name}` shows words to compare, "
            f"`!trust {name}` lets them see your photos."
        )

    async def verify(self, call: Call) -> Act:
        match call.arguments:
            case [name]:
                return partial(self._words, name)
            case [name, "yes" | "no" as answer]:
                return partial(self._verified, name, answer == "yes")
        raise _UsageError

    def _words(self, name: str) -> str:
        contact = contact_of(self._profile, name)
        words = self._profile.words(contact.user_id)
        self._profile.set_setting(_shown(contact), " ".join(words))
        return texts.words_of(contact.name, words)

    def _verified(self, name: str, matching: bool) -> str:
        contact = contact_of(self._profile, name)
        words = (self._profile.setting(_shown(contact)) or "").split()
        if not words:
            return f"Look at the words first: `!verify {quoted(contact.name)}`"
        if not matching:
            self._profile.discard_pending(contact.user_id)
            return (
                f"Then somebody may be intercepting what you and {contact.name} send. Any newly offered card was discarded; "
                "get theirs from them directly."
            )
        self._profile.verify(contact.user_id, words)
        return f"{contact.name} is verified."

    async def trust(self, call: Call, *, undo: bool = False) -> Act:
        match call.arguments:
            case [name]:
                room = None
            case [name, label] if label.startswith("#"):
                room = await self._rooms.named(_room_name(label))
            case _:
                raise _UsageError

        def act() -> str:
            contact = contact_of(self._profile, name)
            self._profile.trust(contact.user_id, conversation=room.room_id if room else None, undo=undo)
            where = f" in {room.name}" if room else ""
            return f"{contact.name} may {'not ' * undo}see your photos{where}{' any more' * undo}."

        return act

    async def untrust(self, call: Call) -> Act:
        return await self.trust(call, undo=True)

    async def rename(self, call: Call) -> Act:
        match call.arguments:
            case [name] | [name, _]:
                own_name = "".join(call.arguments[1:])
            case _:
                raise _UsageError

        def act() -> str:
            before = contact_of(self._profile, name)
            after = self._profile.rename(before.user_id, own_name)
            if not own_name:
                return f"I call {after.name} what their card says."
            return f"I call {before.name} {quoted(after.name)} from now on. They do not learn it."

        return act

    async def block(self, call: Call, *, undo: bool = False) -> Act:
        match call.arguments:
            case [name]:
                pass
            case _:
                raise _UsageError

        def act() -> str:
            contact = contact_of(self._profile, name)
            return texts.standing(self._profile.block(contact.user_id, undo=undo))

        return act

    async def unblock(self, call: Call) -> Act:
        return await self.block(call, undo=True)

    # Faces

    async def stand_in(self, call: Call) -> Act:
        match call.arguments:
            case [label] | [label, _]:
                room = await self._rooms.named(_room_name(label))
            case _:
                raise _UsageError

        def act() -> str:
            if len(call.arguments) == 2:
                seed = call.arguments[1]
                self._profile.choose_stand_in(room.room_id, None if seed == "default" else seed)
            return f"Who is shown in {room.name} instead of you: {self._profile.conversation(room.room_id).stand_in}"

        return act

    async def key_face(self, call: Call) -> Act:
        match call.arguments:
            case []:
                return self._key_faces
            case ["add", name]:
                return await self._new_key_face(call, name)
            case ["remove", name]:

                def act() -> str:
                    self._profile.remove_key_face(name)
                    return f"{name} has been removed. Contacts who have it keep it."

                return act
            case ["share", name, contact]:
                return self._share(call, name, contact, None)
            case ["share", name, contact, user_id]:
                return self._share(call, name, contact, user_id)
        raise _UsageError

    def _key_faces(self) -> str:
        contacts = self._profile.contacts()
        names = {contact.card.id: contact.name for contact in contacts}
        lines = [
            f"{face.name}: {', '.join(sorted(names[card] for card in face.shared_with if card in names)) or 'nobody'} has it"
            f"{'' if face.prepared else '; not prepared'}"
            for face in self._profile.key_faces()
        ]
        lines += [f"{c.name} gave you {len(faces)}" for c in contacts if (faces := self._profile.key_faces_of(c))]
        return (
            "\n".join(lines)
            or "There are no key faces yet: send a photo of your face with the text `!keyface add NAME`."
        )

    async def _new_key_face(self, call: Call, name: str) -> Act:
        photo = await self._session.picture(await call.photo())
        if photo is None:
            raise InputError("The photo cannot be fetched.", hint="Send it once more.")
        self._profile.key_face_name(name)  # before the work
        prepared = await self._worker.prepare_key_face(photo)

        def act() -> str:
            self._profile.add_key_face(name, *prepared)
            return f"{name} is a key face of yours. `!keyface share {quoted(name)} NAME` gives it to a contact."

        return act

    def _share(self, call: Call, name: str, whom: str, user_id: str | None) -> Act:
        contact = contact_of(self._profile, whom)
        to = user_id or contact.user_id
        if not _is_user(to):
            raise InputError(
                f"{contact.name} has no Matrix id on their card.",
                hint=f"Name their bot: `!keyface share {quoted(name)} {quoted(contact.name)} @user:server`",
            )
        kind = "application/octet-stream"

        def act() -> str:
            sealed = self._worker.messenger.share_key_face(name, [contact.user_id], now=int(time.time()))
            content = {
                "msgtype": "m.file",
                "body": "key-face",
                "filename": "key-face",
                "info": {"mimetype": kind, "size": len(sealed)},
                "m.mentions": {},
                **key_face_event(),
            }
            self._queues.post(Outgoing(call.id("key-face"), to, content), Media(sealed, kind))
            return f"{name} goes to {contact.name}, as soon as they are in a room with me."

        return act

    async def device(self, call: Call) -> Act:
        match call.arguments:
            case [user_id, device_id, key, *more] if _is_user(user_id):
                self._session.verify(user_id, device_id, "".join([key, *more]))
                return lambda: f"The device {device_id} of {user_id} is verified."
        raise _UsageError

    async def identity(self, call: Call) -> Act:
        match call.arguments:
            case [user_id] if _is_user(user_id) and user_id != self._config.owner:
                master = await self._session.identity_of(user_id)
                if master is None:
                    raise InputError(f"{user_id} has no cross-signing keys.", hint="Their app makes them.")
                await self._session.accept_identity(user_id, master, verified=False)
                return lambda: f"The cross-signing keys of {user_id} are accepted."
            case [_]:
                return lambda: (
                    "Your own keys have to be compared: `stylecrypt bot verify` on the bot's machine does that."
                )
        raise _UsageError


_LOOKED_AT = 30  # people whose profiles are looked at for a card


class _UsageError(Exception):
    """The arguments are not those of the command."""


_COMMANDS: Sequence[tuple[str, str, Callable[[Commands, Call], Awaitable[Act]] | None]] = (
    (
        "#room @name ... [level=latent] [text]",
        "below a photo: show it to these contacts there, and text to them alone",
        None,
    ),
    ("!send #room @name ...", "the same as a reply to a photo", None),
    ("!post", "as a reply to what I showed: what ✅ does", None),
    ("!drop", "as a reply: what ❌ does", None),
    (
        "!remove",
        "as a reply to what you sent, or to “Posted in ...”: what ❌ does there, the photo goes from the room",
        None,
    ),
    ("!open", "as a reply to what I told you of a message: look at it again", None),
    ("!contacts", "whom you know", Commands.contacts),
    ("!card [publish | withdraw | send @user:server]", "your card, for others", Commands.card),
    (
        "!add @user:server | CARD",
        "take somebody's card out of their profile, or as text; or as a reply to one",
        Commands.add,
    ),
    ("!verify NAME [yes | no]", "words to compare with a contact, and whether they match", Commands.verify),
    ("!trust NAME [#room]", "let a contact see your photos", Commands.trust),
    ("!untrust NAME [#room]", "not any more", Commands.untrust),
    ("!rename NAME [NEW]", "call a contact what you like; without a new name, what their card says", Commands.rename),
    ("!block NAME", "neither send to a contact nor open what they send", Commands.block),
    ("!unblock NAME", "let them through again", Commands.unblock),
    (
        "!keyface [add NAME | share NAME CONTACT [@user:server] | remove NAME]",
        "photos that undo fakes without a seal; `add` goes below a photo or replies to one",
        Commands.key_face,
    ),
    ("!standin #room [SEED | default]", "whose face is shown there", Commands.stand_in),
    ("!device @user:server DEVICE KEY", "a device is who it says: you compared its key", Commands.device),
    ("!identity @user:server", "somebody made new cross-signing keys, and told you so", Commands.identity),
    (
        "!room NAME #address:server [auto_send=yes] [receive=no] [app=APP] [covert_from=NAME,NAME] | !room NAME remove",
        "what you call a room, and what I do there",
        Commands.room,
    ),
    ("!reload", "read the rooms of the configuration again", Commands.reload),
    ("!status", "how I am", Commands.status),
    ("!help", "this", Commands.help),
)


def _count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}" if number else ""


def _is_user(text: str) -> bool:
    return text.startswith("@") and ":" in text


def _room_name(text: str) -> str:
    return text if ":" in text else text.removeprefix("#")


def _setting(text: str) -> tuple[str, object]:
    key, _, value = text.partition("=")
    return key, value.split(",") if key == "covert_from" else value


def _shown(contact: Contact) -> str:
    """The setting with the words that were shown: another card that comes in the meantime does not pass for verified."""
    return f"bot words {contact.user_id}"

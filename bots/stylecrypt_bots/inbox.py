"""Other people's posts in rooms: messages to the owner are opened and shown in the control room; cards and key faces are
kept, the former if the owner agrees. Ordinary pictures and messages to others are ignored."""

from __future__ import annotations

import asyncio
import logging

import stylecrypt_protocol as protocol
from stylecrypt_protocol import Card

from stylecrypt_msg.errors import InputError, NoMessageError, RefusedError, StyleCryptError, explaining
from stylecrypt_msg.messenger import Arrival, DecryptedPhoto
from stylecrypt_msg.transports.matrix import envelope_of, is_message
from stylecrypt_msg.transports.matrix.server import Post

from . import texts
from .config import Config
from .health import Health
from .media import original_of
from .notices import Notices
from .outbox import link
from .queues import NO, YES, Queues, Topic, reference, thread_of
from .remedies import failure
from .rooms import Room, Rooms
from .session import BotSession
from .worker import PictureWorker

__all__ = ["Inbox", "is_of_interest"]

_log = logging.getLogger(__name__)

# Not worth a notice: these are others' messages, or the owner has seen them.
_SILENT = (protocol.NotForMeError, protocol.ReplayedError)


def is_of_interest(post: Post) -> bool:
    """Whether a post in a room may be for the owner. Edits never are: the original was looked at before."""
    relation = post.content.get("m.relates_to")
    if post.type != "m.room.message" or (isinstance(relation, dict) and relation.get("rel_type") == "m.replace"):
        return False
    return post.is_picture or protocol.has_key_face(post.content) or _card_text(post) is not None


def _card_text(post: Post) -> str | None:
    body = post.content.get("body")
    return protocol.find_card(body) if isinstance(body, str) and post.content.get("msgtype") == "m.text" else None


class Inbox:
    """Handles posts of other rooms, one after another."""

    def __init__(
        self,
        config: Config,
        session: BotSession,
        queues: Queues,
        rooms: Rooms,
        worker: PictureWorker,
        health: Health,
        notices: Notices,
    ) -> None:
        self._config, self._session, self._queues = config, session, queues
        self._rooms, self._worker, self._health = rooms, worker, health
        self._notices, self._profile = notices, queues.profile

    async def handle(self, post: Post) -> None:
        """Records every consequence of a post. Raises NetworkError if it has to be handled again."""
        room = await self._rooms.of(post.room_id)
        if room.settings is not None and not room.settings.receive:
            self._ignore(post, "not wanted")
        elif protocol.has_key_face(post.content):
            await self._key_face(post, room)
        elif (text := _card_text(post)) is not None:
            await asyncio.to_thread(self._card, post, room, text)
        else:
            await self._picture(post, room)

    def _ignore(self, post: Post, outcome: str) -> None:
        self._health.seen.labels(outcome).inc()
        with self._queues.transaction():
            self._queues.done(post)

    # Pictures

    async def _picture(self, post: Post, room: Room) -> None:
        picture = await self._session.picture(post)
        if picture is None:
            if protocol.EVENT_KEY in post.content:
                gone = InputError(
                    "Its picture is gone, damaged, or larger than you allow.", hint="Ask for it once more."
                )
                self._refuse(post, room, gone)
            else:
                self._ignore(post, "not there")
            return
        try:
            arrival = Arrival(picture=picture, envelope=envelope_of(post), chat=post.room_id)
            photo = await self._worker.open(arrival, delivery=reference(post))
        except NoMessageError:
            covert = await self._covert(post, room, picture)
            if covert is None:
                self._ignore(post, "ordinary")
                return
            photo = covert
        except StyleCryptError as error:
            if protocol.EVENT_KEY in post.content or is_message(picture):
                self._refuse(post, room, error)
            else:  # another format than those that carry messages, or damaged
                self._ignore(post, "ordinary")
            return
        if photo.sender is not None and photo.sender == self._profile.me:
            self._ignore(post, "one's own")
        else:
            await self._show(post, room, photo)

    async def _covert(self, post: Post, room: Room, picture: bytes) -> DecryptedPhoto | None:
        """Tries a picture without a message from a contact who may send covert ones in this room."""
        for name in () if room.settings is None else room.settings.covert_from:
            try:
                contact = self._profile.contact(name)
                if contact.blocked or (contact.user_id.startswith("@") and contact.user_id != post.sender):
                    continue
                return await self._worker.open(Arrival(picture=picture, sender=contact.user_id))
            except StyleCryptError as error:  # no face, or no key face of theirs
                _log.info("not a covert picture", extra={"room": post.room_id, "error": type(error).__name__})
        return None

    async def _show(self, post: Post, room: Room, photo: DecryptedPhoto) -> None:
        most = await self._session.upload_limit()
        content, media = await self._worker.run(original_of, photo, most_bytes=most)
        text = texts.described(photo, room.name, post.sender, link(post.room_id, post.event_id))
        with self._queues.transaction():
            if not self._queues.is_waiting(post):
                return  # it was removed meanwhile
            self._queues.tell(text, content=content, media=media, topic=_topic(post))
            self._queues.done(post)
        self._health.seen.labels("opened").inc()
        _log.info("opened", extra={"room": post.room_id, "event": post.event_id, "reached": str(photo.level)})

    def _refuse(self, post: Post, room: Room, error: StyleCryptError) -> None:
        """Reports what was not opened, and why."""
        reason = error.reason if isinstance(error, RefusedError) else None
        _log.info(
            "not opened", extra={"room": post.room_id, "event": post.event_id, "why": type(reason or error).__name__}
        )
        if isinstance(reason, _SILENT):
            self._ignore(post, type(reason).__name__)
            return
        self._health.seen.labels("refused").inc()
        with self._queues.transaction():
            if self._notices.may_tell(post.sender):
                text = f"A message in {room.name}, posted by {post.sender}, was not opened: {failure(error)}"
                self._queues.tell(f"{text}\n{link(post.room_id, post.event_id)}", topic=_topic(post))
            self._queues.done(post)

    # Cards and key faces

    def _card(self, post: Post, room: Room, text: str) -> None:
        try:
            with explaining():
                card = Card.from_text(text)
        except StyleCryptError:
            self._ignore(post, "ordinary")
            return
        known = self._profile.by_card(card.id)
        with self._queues.transaction():
            if (
                card.id != self._profile.card.id
                and (known is None or known.card != card)
                and self._notices.may_tell(post.sender)
            ):
                whose = f"{texts.printable(card.display_name) or 'somebody'} ({texts.printable(card.user_id)})"
                self._queues.tell(
                    f"{post.sender} gave the card of {whose} in {room.name}. {YES} keeps it, {NO} does not.",
                    topic=Topic(card=text),
                    buttons=True,
                )
            self._queues.done(post)

    async def _key_face(self, post: Post, room: Room) -> None:
        data = await self._session.picture(post)
        try:
            if data is None:
                raise InputError("The key face cannot be fetched.", hint="Ask for it once more.")
            received = await self._worker.open_key_face(data)
        except StyleCryptError as error:
            self._refuse(post, room, error)
            return
        with self._queues.transaction():
            if self._profile.keep_key_face(received.face):
                text = f"{received.owner.name} gave you a key face, in {room.name}. {received.warning}"
                self._queues.tell(text.rstrip())
            self._queues.done(post)


def _topic(post: Post) -> Topic:
    return Topic(room_id=post.room_id, event_id=post.event_id, thread=thread_of(post.content))

"""Posts the outbox: each room's events in order, retrying until the server has each of them exactly once."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
from dataclasses import replace
from urllib.parse import quote

from stylecrypt_msg.errors import InputError, NetworkError, NotAuthorisedError, StyleCryptError
from stylecrypt_msg.transports.matrix.server import AbsentError, LoggedOutError, ServerRefusalError

from .config import Config
from .health import Health
from .queues import NO, YES, Outgoing, PostDraft, PostedPhoto, Queues, Topic
from .remedies import failure
from .session import BotSession

__all__ = ["Backoff", "Outbox", "link"]

_log = logging.getLogger(__name__)


class Backoff:
    """How long to wait before trying again: 1 s, then twice as long each time, up to a minute."""

    def __init__(self) -> None:
        self._next = 1.0

    async def wait(self, until: asyncio.Event | None = None) -> None:
        """Not longer than ``until``."""
        seconds, self._next = self._next, min(60.0, self._next * 2)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for((until or asyncio.Event()).wait(), seconds)


class Outbox:
    """Made for one run of the bot, whose `run` it is in."""

    def __init__(self, config: Config, session: BotSession, queues: Queues, health: Health) -> None:
        self._config, self._session, self._queues, self._health = config, session, queues, health
        self._posting: dict[str, asyncio.Task[None]] = {}
        self._filled, self._moved = asyncio.Event(), asyncio.Event()

    def wake(self) -> None:
        """Call this when something new is in it."""
        self._filled.set()

    def moved(self) -> None:
        """Call this when somebody comes into a room or leaves it: what waits for that is tried again."""
        self._moved.set()
        self._moved.clear()

    def withdraw(self, outgoing: Outgoing) -> None:
        """Posts an event no more, or removes it if the server may have it. In a transaction."""
        room = outgoing.room_id.encode()
        first = self._queues.outbox.first(room)
        if first is not None and first.id == outgoing.id:  # perhaps on its way
            self._queues.outbox.put(outgoing.id.encode(), replace(outgoing, withdrawn=True), owner=room)
        else:
            self._queues.posted(outgoing, None)

    async def run(self) -> None:
        """Runs until cancelled. Raises LoggedOutError."""
        async with asyncio.TaskGroup() as group:
            while True:
                self._filled.clear()
                for room_id in self._queues.rooms_waiting() - self._posting.keys():
                    self._posting[room_id] = group.create_task(self._post_all(room_id))
                await self._filled.wait()

    async def _post_all(self, room_id: str) -> None:
        """Posts everything for one room, in order."""
        backoff = Backoff()
        while (outgoing := self._queues.outbox.first(room_id.encode())) is not None:
            try:
                event_id = await self._send(outgoing)
            except LoggedOutError:
                raise
            except StyleCryptError as error:
                if not self._is_final(outgoing, error):
                    _log.warning("not posted yet", extra={"room": room_id, "error": str(error)})
                    stuck = outgoing.private and not isinstance(error, AbsentError)  # that is a matter of time
                    self._health.failed("post", str(error) if stuck else None)
                    await backoff.wait(self._moved)
                    continue
                _log.error("not posted", extra={"room": room_id, "error": str(error)})
                self._failed(outgoing, error)
            else:
                _log.info("posted", extra={"room": room_id, "event": event_id, "transaction": outgoing.id})
                self._sent(outgoing, event_id)
                backoff = Backoff()
            self._health.well("post")
        del self._posting[room_id]

    async def _send(self, outgoing: Outgoing) -> str | None:
        """The id of the event; None if it was about a draft that is gone."""
        session, config = self._session, self._config
        room_id, members = outgoing.room_id, {session.user_id, config.owner} if outgoing.private else None
        if room_id.startswith("@"):
            room_id, members = await self._direct_room(outgoing), {session.user_id, room_id}
        if outgoing.type == "m.room.redaction":
            return await session.redact(room_id, outgoing.content["redacts"], transaction=outgoing.id)
        if outgoing.media is None:
            return await session.send(
                room_id,
                outgoing.content,
                type=outgoing.type,
                trust=config.trust,
                transaction=outgoing.id,
                members=members,
            )
        media = self._queues.media.get(outgoing.media.encode())
        if media is None:
            return None
        return await session.send_picture(
            room_id,
            media.picture,
            outgoing.content,
            media_type=media.media_type,
            thumbnail=media.thumbnail,
            trust=config.trust,
            transaction=outgoing.id,
            members=members,
        )

    async def _direct_room(self, outgoing: Outgoing) -> str:
        """The room with a user, who is invited at most once for an event."""
        session, queues, user_id = self._session, self._queues, outgoing.room_id
        setting = f"bot direct room {user_id}"
        room_id = queues.profile.setting(setting)
        membership = None if room_id is None else await session.membership(room_id, user_id)
        if room_id is not None and membership in ("join", "invite"):
            return room_id
        if outgoing.invited:
            raise InputError(
                f"{user_id} declined my invitation.",
                hint="If that is a bot, have its owner invite it to a room that I am in, then try again. If not, agree with "
                "them that they accept it.",
            )
        if room_id is None or membership is None:
            room_id = await session.direct_room(user_id)
        else:
            await session.invite(room_id, user_id)
        with queues.transaction():
            queues.profile.set_setting(setting, room_id)
            queues.outbox.put(outgoing.id.encode(), replace(outgoing, invited=True), owner=user_id.encode())
        return room_id

    @staticmethod
    def _is_final(outgoing: Outgoing, error: StyleCryptError) -> bool:
        """Whether retrying is useless. Events for the owner wait until their devices are trusted."""
        if isinstance(error, NotAuthorisedError):
            return not outgoing.private
        if isinstance(error, ServerRefusalError):
            return error.final
        return not isinstance(error, NetworkError)

    def _sent(self, outgoing: Outgoing, event_id: str | None) -> None:
        queues = self._queues
        with queues.transaction():
            now = queues.outbox.get(outgoing.id.encode())
            queues.posted(outgoing, event_id)
            if event_id is None:
                return
            if now is not None and now.withdrawn:
                queues.redact(outgoing.room_id, event_id)
                self.wake()
                return
            self._health.posted(outgoing)
            if outgoing.report:
                queues.tell(outgoing.report)
            if outgoing.buttons:
                for key in (YES, NO):
                    content = {"m.relates_to": {"rel_type": "m.annotation", "event_id": event_id, "key": key}}
                    queues.post(
                        Outgoing(
                            secrets.token_hex(16),
                            outgoing.room_id,
                            content,
                            type="m.reaction",
                            private=outgoing.private,
                        )
                    )
            if (draft := self._draft(outgoing.draft)) is not None:
                queues.drop(draft)
                requests = tuple({draft.request, draft.photo})
                queues.keep_posted(PostedPhoto(event_id, outgoing.room_id, draft.room, requests))
                queues.tell(
                    f"Posted in {draft.room}: {link(outgoing.room_id, event_id)}\n{self._unread(draft)}"
                    f"{NO} removes it from there.",
                    to=draft.request,
                    thread=draft.request_thread,
                    topic=Topic(posted=event_id),
                )
        self.wake()

    def _unread(self, draft: PostDraft) -> str:
        """Which recipients' bots are not in the room."""
        inside = self._session.present(draft.room_id)
        absent = [user_id for user_id in draft.to if user_id.startswith("@") and user_id not in inside]
        if not absent:
            return ""
        return f"Not in the room, so they do not see it: {', '.join(absent)}. Invite them, then send it once more.\n"

    def _failed(self, outgoing: Outgoing, error: StyleCryptError) -> None:
        """Tells the owner. A draft waits again, unless its preview could not be shown."""
        queues, said = self._queues, failure(error)
        with queues.transaction():
            now = queues.outbox.get(outgoing.id.encode())
            queues.posted(outgoing, None)
            if now is not None and now.withdrawn:
                return
            if (draft := self._draft(outgoing.draft)) is not None:
                queues.drafts.put(draft.id.encode(), replace(draft, posting=False))
                queues.tell(
                    f"Not posted in {draft.room}: {said} {YES} tries again, {NO} drops it.",
                    to=draft.request,
                    thread=draft.request_thread,
                    topic=Topic(draft=draft.id),
                    buttons=True,
                )
            elif outgoing.media is not None and (
                draft := self._draft(outgoing.topic.draft if outgoing.topic else None)
            ):
                queues.drop(draft)
                queues.tell(f"This photo cannot be posted: {said}", to=draft.request, thread=draft.request_thread)
            elif outgoing.room_id.startswith("@"):
                queues.tell(f"What you sent to {outgoing.room_id} did not reach them: {said}")
            elif outgoing.type == "m.room.redaction":
                queues.tell(f"A photo could not be removed: {said}")
            elif outgoing.media is not None or not outgoing.private:
                queues.tell(f"Something could not be posted: {said}")
        self.wake()

    def _draft(self, draft_id: str | None) -> PostDraft | None:
        return None if draft_id is None else self._queues.drafts.get(draft_id.encode())


def link(room_id: str, event_id: str) -> str:
    """A link to a message, for any Matrix app."""
    return f"https://matrix.to/#/{quote(room_id, safe='!:')}/{quote(event_id, safe='$')}"

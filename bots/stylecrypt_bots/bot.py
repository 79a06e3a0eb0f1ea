"""The bot itself: the tasks that run side by side, and how they stop.

One listens to the server and puts its news into the inbox before it asks for more; five empty the inbox, one for each kind of
`Queue`, so that none waits for another; one empties the outbox. Their state is in `Queues`, so each may be stopped at any
moment.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from typing import get_args

from stylecrypt_msg.errors import InputError, NetworkError, StyleCryptError
from stylecrypt_msg.profile import Profile
from stylecrypt_msg.transports.matrix.server import LoggedOutError, Post, ServerRefusalError

from . import texts
from .account import open_session
from .commands import Commands
from .config import Config
from .control import Control
from .health import Health
from .inbox import Inbox, is_of_interest
from .invitations import Invitations
from .notices import Notices
from .outbox import Backoff, Outbox
from .queues import Queue, Queues
from .remedies import failure
from .removal import Removal
from .rooms import Rooms
from .session import HEARD, BotSession
from .verification import Compare, Verifier
from .worker import PictureWorker

__all__ = ["CONTROL_ROOM", "Bot"]

_log = logging.getLogger(__name__)
_STARTS = 10  # after which the bot gives up a message that it did not survive: a library crashes, or memory runs out
CONTROL_ROOM = "bot control room"
"""The setting in which the profile keeps the room's id."""


class Bot:
    """For one run. ``compare`` and ``verified`` are for `Verifier`; without them, verification requests are declined.
    ``reread`` reads the configuration again, for `reload`."""

    def __init__(
        self,
        config: Config,
        profile: Profile,
        *,
        compare: Compare | None = None,
        verified: Callable[[str], None] = lambda _: None,
        reread: Callable[[], Config] | None = None,
    ) -> None:
        self.config, self.profile = config, profile
        self._reread = reread or (lambda: config)
        self._rooms: Rooms | None = None
        self._compare, self._verified = compare, verified
        self.health = Health(config.heartbeat)
        self._arrived: dict[Queue, asyncio.Event] = {queue: asyncio.Event() for queue in get_args(Queue)}

    async def run(self) -> None:
        """Runs until cancelled. The next run repeats unfinished work.

        Raises InputError (the account is not set up, or unusable), LoggedOutError.
        """
        server = await self.health.serve(self.config.health) if self.config.health else None
        try:
            await self._connected()
        except BaseExceptionGroup as group:  # one of several tasks failed, and ended all
            ours = group.subgroup(StyleCryptError)
            if ours is None:
                raise
            raise _first(ours) from group
        finally:
            if server is not None:
                await server.cleanup()

    def reload(self) -> None:
        """Reads the rooms of the configuration again."""
        try:
            if self._rooms is not None:
                self._rooms.reload()
                _log.info("the rooms were read again", extra={"rooms": sorted(self._rooms.settings)})
        except InputError as error:
            _log.error("not reloaded", extra={"error": str(error)})

    async def _connected(self) -> None:
        backoff = Backoff()
        while True:
            try:
                session = await open_session(self.config, self.profile)
                break
            except NetworkError as error:
                self._not_reached(error)
                await backoff.wait()
        try:
            await self._work(session)
        finally:
            await session.close()

    async def _work(self, session: BotSession) -> None:
        config, health = self.config, self.health
        session.client.largest = config.media.max_bytes
        session.on_sync = health.synced
        Verifier(session, config.owner, self._compare, self._verified)
        backoff = Backoff()
        while True:
            try:
                queues = Queues(self.profile, await self._control_room(session))
                break
            except NetworkError as error:
                self._not_reached(error)
                await backoff.wait()
        queues.bring_along()
        health.watch(queues)
        rooms = self._rooms = Rooms(config, session, self.profile, self._reread)
        outbox, notices = Outbox(config, session, queues, health), Notices()
        worker = PictureWorker(self.profile, config.model, health)
        commands = Commands(config, session, queues, rooms, worker, health)
        removal = Removal(queues, rooms, outbox)
        control = Control(config, session, queues, rooms, worker, commands, removal)
        inbox = Inbox(config, session, queues, rooms, worker, health, notices)
        invitations = Invitations(config, session, queues, rooms, outbox, notices)
        session.on_invitation = lambda post: self._arrived[
            queues.invite(post, welcome=config.may_invite(post.sender))
        ].set()
        if self.profile.setting("bot greeted") != queues.control_room:
            with queues.transaction():
                queues.tell(texts.GREETING)
                self.profile.set_setting("bot greeted", queues.control_room)
        _log.info(
            "started", extra={"user": session.user_id, "device": session.device_id, "control_room": queues.control_room}
        )
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._listen(session, queues, rooms, outbox))
                group.create_task(self._work_off("control", queues, outbox, control.handle))
                group.create_task(self._work_off("photos", queues, outbox, control.work))
                group.create_task(self._work_off("rooms", queues, outbox, inbox.handle))
                for queue in ("invitations", "strangers"):
                    group.create_task(self._work_off(queue, queues, outbox, invitations.handle))
                group.create_task(outbox.run())
        finally:
            await asyncio.to_thread(worker.close)

    async def _listen(self, session: BotSession, queues: Queues, rooms: Rooms, outbox: Outbox) -> None:
        """Puts new messages into the inbox. The position advances when all before it are there."""
        backoff = Backoff()
        while True:
            try:
                async with aclosing(session.posts(follow=True, types=HEARD)) as posts:
                    async for post in posts:
                        if post.type == "m.room.member":
                            outbox.moved()
                            continue
                        if post.type == "m.room.tombstone":
                            rooms.replaced(post.room_id, str(post.content.get("replacement_room")))
                        self._sort(session, queues, post)
            except LoggedOutError:
                raise
            except NetworkError as error:
                self._not_reached(error)
                await backoff.wait()

    def _sort(self, session: BotSession, queues: Queues, post: Post) -> None:
        queue: Queue = "rooms"
        if post.type == "m.room.tombstone":
            queue, wanted = "invitations", str(post.content.get("replacement_room")).startswith("!")
        elif post.room_id == queues.control_room:
            queue, wanted = "control", post.sender == self.config.owner
        elif post.type == "m.room.redaction":  # overtakes the pictures that wait
            queue, wanted = "control", post.sender != session.user_id
        else:
            wanted = post.sender != session.user_id and is_of_interest(post)
        if not wanted:
            return
        try:
            queues.receive(post, queue)
        except StyleCryptError as error:  # invalid text, for instance
            _log.warning("not looked at", extra={"room": post.room_id, "event": post.event_id, "error": str(error)})
        self._arrived[queue].set()

    async def _work_off(
        self, queue: Queue, queues: Queues, outbox: Outbox, handle: Callable[[Post], Awaitable[None]]
    ) -> None:
        """Handles one queue of the inbox, in order."""
        backoff = Backoff()
        if (post := queues.next(queue)) is not None and queues.starts(queue, post) > _STARTS:
            self._give_up(queues, post, InputError("This ended the bot again and again."))
        while True:
            self._arrived[queue].clear()
            post = queues.next(queue)
            if post is None:
                await self._arrived[queue].wait()
                continue
            try:
                await handle(post)
            except LoggedOutError:
                raise
            except NetworkError as error:
                if not (isinstance(error, ServerRefusalError) and error.final):
                    self._not_reached(error)
                    await backoff.wait()
                    continue
                self._give_up(queues, post, error)
            except Exception as error:  # a bug: it must not hold up later messages
                self._give_up(queues, post, error)
            backoff = Backoff()
            outbox.wake()
            for arrived in self._arrived.values():  # the owner may have asked for work, or to look at something again
                arrived.set()

    def _give_up(self, queues: Queues, post: Post, error: Exception) -> None:
        _log.error("given up", extra={"room": post.room_id, "event": post.event_id}, exc_info=error)
        self.health.failed("handle")
        said = failure(error) if isinstance(error, StyleCryptError) else "this is a bug; the log says where."
        with queues.transaction():
            if post.room_id == queues.control_room:
                queues.tell(f"I could not do this: {said}", to=post)
            queues.done(post)

    async def _control_room(self, session: BotSession) -> str:
        """The id of the room of the owner and the bot. Raises NetworkError."""
        if self.config.control_room is not None:
            return await session.room_id(self.config.control_room)
        known = self.profile.setting(CONTROL_ROOM)
        room_id = await session.direct_room(self.config.owner, name="StyleCrypt", known=known)
        if room_id != known:
            self.profile.set_setting(CONTROL_ROOM, room_id)
        return room_id

    def _not_reached(self, error: NetworkError) -> None:
        _log.warning("not reached", extra={"error": str(error)})
        self.health.failed("server")


def _first(group: BaseExceptionGroup[StyleCryptError]) -> StyleCryptError:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    assert isinstance(error, StyleCryptError)  # noqa: S101 - the group has no others
    return error

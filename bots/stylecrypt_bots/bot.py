"""The bot itself: the tasks that run side by side, and how they stop.

One listens to the server and puts its news into the inbox before it asks for more; five empty the inbox, one for each kind of
`Queue`, so that none waits for another; one empties the outbox. Their state is in `Queues`, so each may be stopped at any
moment.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import aclosing, contextmanager
from functools import partial
from typing import get_args

from nio.crypto.device import OlmDevice

from stylecrypt_msg.errors import InputError, NetworkError, StyleCryptError
from stylecrypt_msg.profile import Profile
from stylecrypt_msg.transports.matrix.server import LoggedOutError, Post
from stylecrypt_msg.transports.matrix.session import Undecryptable

from . import texts
from .account import open_session
from .commands import Commands
from .config import Config
from .control import Control
from .handling import handle_all
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
from .verification import VERIFICATION, Compare, Verifier, is_verification
from .worker import PictureWorker

__all__ = ["CONTROL_ROOM", "Bot", "one_error"]

_log = logging.getLogger(__name__)
_STARTS = 10  # after which the bot gives up a message that it did not survive: a library crashes, or memory runs out
CONTROL_ROOM = "bot control room"
"""The setting in which the profile keeps the room's id."""


class Bot:
    """For one run. ``compare`` and ``verified`` are for `Verifier`; without them, it declines all requests.
    ``reread`` reads the configuration again, for `reload`. ``connect`` logs in, ``worker`` works on pictures."""

    def __init__(
        self,
        config: Config,
        profile: Profile,
        *,
        compare: Callable[[], Compare | None] = lambda: None,
        verified: Callable[[str], None] = lambda _: None,
        reread: Callable[[], Config] | None = None,
        connect: Callable[[Config, Profile], Awaitable[BotSession]] = open_session,
        worker: Callable[[Profile, str, Health], PictureWorker] = PictureWorker,
    ) -> None:
        self.config, self.profile = config, profile
        self._reread = reread or (lambda: config)
        self._connect, self._worker = connect, worker
        self._rooms: Rooms | None = None
        self._compare, self._verified = compare, verified
        self.health = Health(config.heartbeat)
        self._said: dict[str, str | None] = {}
        self._arrived: dict[Queue, asyncio.Event] = {queue: asyncio.Event() for queue in get_args(Queue)}

    async def run(self) -> None:
        """Runs until cancelled. The next run repeats unfinished work.

        Raises InputError (the account is not set up, or unusable), LoggedOutError.
        """
        server = await self.health.serve(self.config.health) if self.config.health else None
        try:
            with one_error():
                await self._connected()
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
                session = await self._connect(self.config, self.profile)
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
        tell = partial(self._tell, queues, outbox)
        session.on_sync = partial(self._synced, session, queues.control_room, tell)
        session.on_excluded = partial(self._excluded, session, tell)
        session.on_undecryptable = partial(self._undecryptable, session, queues.control_room, tell)
        declined = partial(tell, texts.VERIFY_ELSEWHERE)
        verifier = Verifier(session, config.owner, self._compare, self._verified, declined)
        worker = self._worker(self.profile, config.model, health)
        commands = Commands(config, session, queues, rooms, worker, health)
        removal = Removal(queues, rooms, outbox)
        control = Control(config, session, queues, rooms, worker, commands, removal)
        inbox = Inbox(config, session, queues, rooms, worker, health, notices)
        invitations = Invitations(config, session, queues, rooms, outbox, notices)
        session.on_invitation = lambda post: self._arrived[
            queues.invite(post, welcome=config.may_invite(post.sender))
        ].set()
        # From a new device as well: the owner's devices are trusted from its first message to them on.
        greeting = f"{queues.control_room} {session.device_id}"
        if self.profile.setting("bot greeted") != greeting:
            with queues.transaction():
                queues.tell(texts.GREETING)
                self.profile.set_setting("bot greeted", greeting)
        _log.info(
            "started", extra={"user": session.user_id, "device": session.device_id, "control_room": queues.control_room}
        )
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._listen(session, queues, rooms, outbox, verifier))
                group.create_task(self._work_off("control", queues, outbox, control.handle))
                group.create_task(self._work_off("photos", queues, outbox, control.work))
                group.create_task(self._work_off("rooms", queues, outbox, inbox.handle))
                for queue in ("invitations", "strangers"):
                    group.create_task(self._work_off(queue, queues, outbox, invitations.handle))
                group.create_task(outbox.run())
        finally:
            await asyncio.to_thread(worker.close)

    async def _synced(self, session: BotSession, control_room: str, tell: Callable[..., None]) -> None:
        self.health.synced()
        for user in await session.remove_others(control_room, {session.user_id, self.config.owner}):
            _log.warning("removed from the control room", extra={"user": user})
            tell(texts.removed(user))
        for what, error in (("identity", session.identity_error), ("key backup", session.backup_error)):
            said = None if error is None else failure(error)
            if said == self._said.get(what):
                continue
            self._said[what] = said
            if error is None or said is None:
                self.health.well(what)
                continue
            _log.warning("not well", extra={"what": what, "error": str(error)})
            self.health.failed(what, str(error))
            tell(said, once=(what, said))

    @staticmethod
    def _excluded(session: BotSession, tell: Callable[..., None], user: str, devices: Sequence[OlmDevice]) -> None:
        named = [f"{user} {texts.printable(device.id, 40)} {device.ed25519}" for device in devices]
        text = texts.changed_identity(user) if session.changed(user) else texts.unsigned(user, named)
        tell(text, once=(f"identity of {user}", session.published(user)))

    def _undecryptable(
        self, session: BotSession, control_room: str, tell: Callable[..., None], what: Undecryptable
    ) -> None:
        """The owner is told, since they would wait for an answer."""
        if (what.room_id, what.sender) != (control_room, self.config.owner):
            return
        _log.warning("not decrypted", extra={"room": what.room_id, "device": what.device_id, "why": what.code})
        text = texts.undecryptable(what.device_id, what.code)
        if (error := session.identity_error) is not None:
            text = f"{text} {failure(error)}"
        self.health.failed("decrypt", text)
        tell(text, once=(f"undecryptable {what.device_id}", what.session_id))

    def _tell(self, queues: Queues, outbox: Outbox, text: str, *, once: tuple[str, str | None] | None = None) -> None:
        """Tells the owner; ``once`` names a matter and its state: not if that is what they were told of last."""
        with queues.transaction():
            if once is not None:
                setting, state = f"bot told {once[0]}", str(once[1])
                if self.profile.setting(setting) == state:
                    return
                self.profile.set_setting(setting, state)
            queues.tell(text)
        outbox.wake()

    async def _listen(
        self, session: BotSession, queues: Queues, rooms: Rooms, outbox: Outbox, verifier: Verifier
    ) -> None:
        """Puts new messages into the inbox. The position advances when all before it are there."""
        backoff = Backoff()
        while True:
            try:
                async with aclosing(session.posts(follow=True, types=(*HEARD, *VERIFICATION))) as posts:
                    async for post in posts:
                        if post.type == "m.room.member":
                            outbox.moved()
                            rooms.moved()
                            continue
                        if post.type == "m.room.tombstone":
                            rooms.replaced(post.room_id, str(post.content.get("replacement_room")))
                        if is_verification(post):
                            await verifier.handle(post)
                            continue
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
            if wanted and post.digest is not None:
                self.health.well("decrypt")
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
        if (post := queues.next(queue)) is not None and queues.starts(queue, post) > _STARTS:
            self._give_up(queues, post, InputError("The bot crashed on this again and again, and gave up on it."))

        def wake() -> None:
            outbox.wake()
            for arrived in self._arrived.values():  # the owner may have asked for work, or to look at something again
                arrived.set()

        async def handle_one(post: Post) -> None:
            await handle(post)
            wake()

        def give_up(post: Post, error: Exception) -> None:
            self._give_up(queues, post, error)
            wake()

        await handle_all(
            partial(queues.next, queue),
            self._arrived[queue],
            handle_one,
            give_up=give_up,
            not_reached=self._not_reached,
        )

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
        await session.share_power(room_id, self.config.owner)
        return room_id

    def _not_reached(self, error: NetworkError) -> None:
        _log.warning("not reached", extra={"error": str(error)})
        self.health.failed("server")


@contextmanager
def one_error() -> Iterator[None]:
    """One of several tasks fails, and ends all: raises its own error, if it is a StyleCryptError."""
    try:
        yield
    except BaseExceptionGroup as group:
        ours = group.subgroup(StyleCryptError)
        if ours is None:
            raise
        error: BaseException = ours
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        raise error from group

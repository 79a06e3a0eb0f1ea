"""The service: bots for everybody on a homeserver, in one process.

It is an application service: the homeserver lets it act for the account that people talk to first, and for the bot of
each of them. Each bot is a `Bot` as anybody could run it, with a profile of its own; only the processes that work on pictures
are shared. The service asks for news as apps do, so the homeserver need not reach it.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import aclosing
from functools import partial

from stylecrypt_msg.errors import NetworkError, StyleCryptError
from stylecrypt_msg.profile import Profile
from stylecrypt_msg.transports.matrix.server import LoggedOutError, Post, ServerRefusalError

from . import texts
from .account import act_for
from .bot import Bot, one_error
from .config import Config, ServiceConfig
from .handling import handle_all
from .health import Health
from .notices import Notices
from .outbox import Backoff
from .owners import Owner, Owners
from .pool import Pool, PoolWorker
from .queues import Queues
from .quota import Quota
from .registration import ACCOUNT, bot_of, is_bot
from .session import INVITATION, BotSession
from .terminals import Terminals

__all__ = ["Service"]

_log = logging.getLogger(__name__)
_OPENING = 2  # profiles that are opened at once: each takes memory for its passphrase


class Service:
    """For one run. ``token`` is that of the registration, ``profile`` the service's own."""

    def __init__(self, config: ServiceConfig, token: str, profile: Profile) -> None:
        self.config, self.profile = config, profile
        self.owners = Owners(profile, config.folder)
        self.health = Health()
        self._connect = partial(act_for, token=token)
        self._pool = Pool(config.processes)
        self._bots: dict[str, asyncio.Task[None]] = {}
        self._opening = asyncio.Semaphore(_OPENING)
        self._queues, self._notices = Queues(profile, ""), Notices()
        self._terminals = Terminals(profile)
        self._arrived = asyncio.Event()

    async def run(self) -> None:
        """Runs until cancelled. The next run repeats unfinished work.

        Raises ServerRefusalError (the homeserver does not know the registration, or not this one), InputError.
        """
        server = await self.health.serve(self.config.health) if self.config.health else None
        try:
            session = await self._own_session()
            try:
                with one_error():
                    await self._work(session)
            finally:
                await session.close()
        finally:
            await asyncio.to_thread(self._pool.close)
            if server is not None:
                await server.cleanup()

    async def _own_session(self) -> BotSession:
        """The session of the account that everybody talks to first."""
        config, me = self.config, f"@{ACCOUNT}:{self.config.server_name}"
        backoff = Backoff()
        while True:
            try:
                return await self._connect(Config(homeserver=config.homeserver, user_id=me, owner=me), self.profile)
            except NetworkError as error:
                if isinstance(error, ServerRefusalError) and error.final:
                    raise
                self._not_reached(error)
                await backoff.wait()

    async def _work(self, session: BotSession) -> None:
        async def synced() -> None:
            self.health.synced()

        session.on_sync = synced
        session.on_invitation = self._receive
        async with asyncio.TaskGroup() as group:
            for owner in self.owners.all():
                if self.config.may_own(owner.user_id):
                    self._start(group, owner)
            group.create_task(self._listen(session))
            group.create_task(self._answer_all(session, group))
            _log.info("started", extra={"user": session.user_id, "owners": len(self.owners)})

    # The owners' bots

    def _start(self, group: asyncio.TaskGroup, owner: Owner) -> None:
        """Starts somebody's bot, or starts it again."""
        if (before := self._bots.get(owner.user_id)) is not None:
            before.cancel()
        self._bots[owner.user_id] = group.create_task(self._serve(owner, before))

    async def _serve(self, owner: Owner, before: asyncio.Task[None] | None) -> None:
        """Keeps a bot running, after the one ``before`` has ended. What is wrong with it stops no other."""
        if before is not None:
            await asyncio.wait({before})
        config, backoff = self.config, Backoff()
        settings = Config(
            homeserver=config.homeserver,
            user_id=bot_of(owner.user_id),
            owner=owner.user_id,
            trust=config.trust,
            media=config.media,
            model=config.model,
        )
        while True:
            try:
                async with self._opening:
                    profile = await asyncio.to_thread(self.owners.open, owner)
                with profile:
                    quota = Quota(config.quota, profile)
                    worker = partial(PoolWorker, passphrase=owner.passphrase, pool=self._pool, quota=quota)
                    await Bot(
                        settings,
                        profile,
                        compare=partial(self._terminals.of, owner.user_id),
                        verified=partial(self._terminals.verified, owner.user_id),
                        connect=self._connect,
                        worker=worker,
                    ).run()
            except LoggedOutError:
                raise
            except Exception as error:
                why = {"error": str(error)} if isinstance(error, StyleCryptError) else {}
                _log.error("a bot ended", extra={"owner": owner.user_id, **why}, exc_info=error)
                self.health.failed("bot")
                await backoff.wait()

    # The account that people talk to first

    async def _listen(self, session: BotSession) -> None:
        backoff = Backoff()
        while True:
            try:
                async with aclosing(session.posts(follow=True)) as posts:
                    async for post in posts:
                        if post.sender != session.user_id and post.content.get("msgtype") != "m.notice":  # of bots
                            self._receive(post)
            except LoggedOutError:
                raise
            except NetworkError as error:
                self._not_reached(error)
                await backoff.wait()

    def _receive(self, post: Post) -> None:
        if self.config.may_own(post.sender) and not is_bot(post.sender) and self._notices.may_tell(post.sender):
            self._queues.receive(post, "control")
            self._arrived.set()

    async def _answer_all(self, session: BotSession, group: asyncio.TaskGroup) -> None:
        async def answer(post: Post) -> None:
            await self._answer(session, group, post)
            self._queues.done(post)

        def give_up(post: Post, error: Exception) -> None:
            _log.error("given up", extra={"room": post.room_id, "event": post.event_id}, exc_info=error)
            self.health.failed("handle")
            self._queues.done(post)

        following = partial(self._queues.next, "control")
        await handle_all(following, self._arrived, answer, give_up=give_up, not_reached=self._not_reached)

    async def _answer(self, session: BotSession, group: asyncio.TaskGroup, post: Post) -> None:
        """Gives somebody a bot, or has it invite them once more, and says so; in rooms with more people, nothing."""
        if post.type == INVITATION:
            await session.join(post.room_id)
        if await session.members(post.room_id) != {session.user_id, post.sender}:
            if post.type == INVITATION:
                await session.leave(post.room_id)
            return
        owner = self.owners.get(post.sender)
        if owner is None and len(self.owners) < self.config.most_owners:
            owner = self.owners.add(post.sender)
            _log.info("a new owner", extra={"owner": post.sender})
        if owner is None:
            text = texts.NO_ROOM_LEFT
        else:
            self._start(group, owner)
            text = texts.welcome(bot_of(owner.user_id))
        await session.send_openly(post.room_id, "m.room.message", {"msgtype": "m.notice", "body": text})

    def _not_reached(self, error: NetworkError) -> None:
        _log.warning("not reached", extra={"error": str(error)})
        self.health.failed("server")

"""Shows the owner that the bot is at work on a photo: it is typing; and if that takes long, a message says how far it is."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import time
from collections.abc import AsyncIterator

from stylecrypt_msg.errors import InputError, StyleCryptError
from stylecrypt_msg.progress import Progress
from stylecrypt_msg.transports.matrix.server import Post

from .config import Config
from .queues import Queues, reference, relation, thread_of
from .session import BotSession

__all__ = ["Working"]

_log = logging.getLogger(__name__)
_PATIENCE, _AGAIN = 4.0, 15.0  # seconds until the message, and between its edits, which also count as messages
_TYPING = 30.0  # seconds for which apps show it unless they are told again


class Working:
    """Not in the outbox: when it cannot be posted now, it is of no use later."""

    def __init__(self, config: Config, session: BotSession, queues: Queues) -> None:
        self._config, self._session, self._queues = config, session, queues

    @contextlib.asynccontextmanager
    async def on(self, post: Post) -> AsyncIterator[Progress]:
        """While inside, the owner sees that the bot works on a post. The result may be called from any thread, and
        raises InputError when the owner has changed or deleted the post."""
        shown, ended = _Shown(self._queues, post), asyncio.Event()
        task = asyncio.create_task(self._show(post, shown, ended))
        try:
            yield shown.progress
        except asyncio.CancelledError:  # the bot stops
            task.cancel()
            raise
        finally:
            ended.set()
            await asyncio.gather(task, return_exceptions=True)

    async def _show(self, post: Post, shown: _Shown, ended: asyncio.Event) -> None:
        """Ends by itself: a message that is cancelled half-way may leave its keys half shared."""
        began, event_id, wait = time.monotonic(), None, _PATIENCE
        while not ended.is_set():
            await self._typing(True)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(ended.wait(), wait)
                break
            seconds, wait = round(time.monotonic() - began), _AGAIN
            said = await self._say(post, f"{shown.doing} ({seconds} s){self._others()}.", event_id)
            event_id = event_id or said  # edits refer to the message itself
        if event_id is not None:
            await self._say(post, f"I worked on this for {round(time.monotonic() - began)} s.", event_id)
        await self._typing(False)

    def _others(self) -> str:
        others = len(self._queues.waiting("photos")) - 1
        return "" if others < 1 else f"; {others} more photo{'s' * (others > 1)} wait{'s' * (others == 1)}"

    async def _typing(self, on: bool) -> None:
        with contextlib.suppress(StyleCryptError):
            await self._session.request(
                self._session.client.room_typing(self._queues.control_room, on, timeout=int(_TYPING * 1000))
            )

    async def _say(self, post: Post, text: str, edited: str | None) -> str | None:
        """The id of the message, which a bot that was killed and works again finds again."""
        said = {"msgtype": "m.notice", "body": text, "m.mentions": {}}
        if edited is None:
            content, transaction = (
                said | relation(post.event_id, thread_of(post.content)),
                f"{reference(post).hex()[:32]}-work",
            )
        else:
            replacing = {"m.new_content": said, "m.relates_to": {"rel_type": "m.replace", "event_id": edited}}
            content, transaction = said | {"body": f"* {text}"} | replacing, secrets.token_hex(16)
        try:
            return await self._session.send(
                self._queues.control_room,
                content,
                trust=self._config.trust,
                transaction=transaction,
                members={self._session.user_id, self._config.owner},
            )
        except StyleCryptError as error:
            _log.info("progress was not shown", extra={"error": str(error)})
            return None


class _Shown:
    """What is being done."""

    def __init__(self, queues: Queues, post: Post) -> None:
        self._queues, self._post = queues, post
        self.doing = "I am working on this"

    def progress(self, what: str, done: int, total: int) -> None:
        if not self._queues.is_waiting(self._post):
            raise InputError("The message was changed or deleted.")
        self.doing = f"I am working on this: {what}{f', {done} of {total}' if total > 1 else ''}"

"""People with Matrix apps, and bots that run in the test's own loop, on a real homeserver."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from stylecrypt_bots.account import log_in
from stylecrypt_bots.bot import Bot
from stylecrypt_bots.config import Config

from stylecrypt_msg.profile import Profile
from stylecrypt_msg.transports import Parcel
from stylecrypt_msg.transports.matrix import Password, picture_content
from stylecrypt_msg.transports.matrix.identities import SECRET_BYTES
from stylecrypt_msg.transports.matrix.server import Post
from stylecrypt_msg.transports.matrix.session import MatrixSession

from .synapse import Homeserver, User

BOTH = ("m.room.message", "m.reaction")
PATIENCE = 300  # seconds for something to happen: machines that run tests may be busy


async def until(true: Callable[[], bool], why: str) -> None:
    """Waits for a condition that nothing announces."""
    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end, why
        await asyncio.sleep(0.05)


class Person:
    """Somebody with an app. Made by `log_in`."""

    def __init__(self, user: User, session: MatrixSession) -> None:
        self.user, self.session = user, session
        self.id = user.id
        self.seen: list[Post] = []
        self.check: Callable[[], None] = lambda: None

    @classmethod
    async def log_in(cls, server: Homeserver, user: User, folder: Path, *, signed: bool = True) -> Person:
        """``signed``: by the user's cross-signing keys, which all of their apps have."""
        session = await MatrixSession.open(
            server.url,
            Password(user.id, user.password),
            store=folder / user.id[1:].replace(":", "_"),
            pickle_key="app",
            identity=hashlib.shake_256(user.id.encode()).digest(SECRET_BYTES) if signed else None,
        )
        assert session.identity_error is None
        return cls(user, session)

    async def look(self) -> None:
        """Fetches what is new."""
        async for post in self.session.posts(follow=False, types=BOTH):
            self.seen.append(post)

    async def wait(self, wanted: Callable[[Post], bool], why: str = "a message") -> Post:
        """Waits for the first post by somebody else that is ``wanted``, and removes it."""
        end = time.monotonic() + PATIENCE
        while True:
            for post in self.seen:
                if post.sender != self.id and wanted(post):
                    self.seen.remove(post)
                    return post
            self.check()
            assert time.monotonic() < end, f"{why} did not come; there was {[p.content.get('body') for p in self.seen]}"
            await self.look()
            await asyncio.sleep(0.05)

    async def text(self, room: str, containing: str) -> str:
        """The text of the first message that contains ``containing``."""
        post = await self.wait(
            lambda post: post.room_id == room and containing in str(post.content.get("body")), repr(containing)
        )
        return str(post.content["body"])

    async def say(self, room: str, text: str, **relation: Any) -> str:
        return await self.session.send(room, {"msgtype": "m.text", "body": text, **relation}, trust="first-use")

    async def show(
        self, room: str, picture: bytes, caption: str = "", *, kind: str = "image/jpeg", **relation: Any
    ) -> str:
        """Posts a picture, with a caption as apps write it."""
        content = picture_content(Parcel(picture, kind)) | relation
        if caption:
            content["body"] = caption
        return await self.session.send_picture(room, picture, content, media_type=kind, trust="first-use")

    async def react(self, room: str, event_id: str, key: str) -> None:
        relation = {"rel_type": "m.annotation", "event_id": event_id, "key": key}
        await self.session.send(room, {"m.relates_to": relation}, type="m.reaction", trust="first-use")

    async def delete(self, room: str, event_id: str) -> None:
        await self.session.client.room_redact(room, event_id)

    async def edit(self, room: str, event_id: str, new: dict[str, Any]) -> str:
        relation = {"rel_type": "m.replace", "event_id": event_id}
        content = {**new, "body": f"* {new['body']}", "m.new_content": new, "m.relates_to": relation}
        return await self.session.send(room, content, trust="first-use")

    async def picture(self, post: Post) -> bytes:
        picture = await self.session.picture(post)
        assert picture is not None
        return picture

    async def join(self, room: str) -> None:
        await self.session.client.join(room)


def reply_to(event_id: str) -> dict[str, Any]:
    return {"m.relates_to": {"m.in_reply_to": {"event_id": event_id}}}


class Household:
    """An owner, with their app, and their bot: both accounts are new."""

    def __init__(self, server: Homeserver, folder: Path, name: str) -> None:
        self.server, self.name = server, name
        self.folder = folder / name
        self.owner_account, self.bot_account = server.register(name.lower()), server.register(f"{name.lower()}-bot")
        self.profile = Profile.create(
            self.folder / "profile", name=name, user_id=self.bot_account.id, passphrase=None, now=int(time.time())
        )
        self.config = Config(homeserver=server.url, user_id=self.bot_account.id, owner=self.owner_account.id)
        self.owner: Person
        self.control = ""
        self.bot: Bot
        self._task: asyncio.Task[None] | None = None

    def configure(self, **changes: Any) -> None:
        """Writes the configuration for the next start."""
        self.config = Config.model_validate(self.config.model_dump() | changes)

    async def set_up(self) -> None:
        """Logs both in, starts the bot, and has the owner accept its invitation."""
        self.owner = await Person.log_in(self.server, self.owner_account, self.folder)
        self.owner.check = self.check
        await log_in(self.config, self.profile, Password(self.bot_account.id, self.bot_account.password))
        self.start()
        self.control = await self.accept_invitation()
        await self.owner.text(self.control, "This is your StyleCrypt bot.")

    async def accept_invitation(self) -> str:
        end = time.monotonic() + PATIENCE
        while not (rooms := self.owner.session.client.invited_rooms):
            assert time.monotonic() < end, "no invitation came"
            self.check()
            await self.owner.look()
            await asyncio.sleep(0.1)
        [room] = rooms
        await self.owner.join(room)
        return str(room)

    def start(self) -> None:
        self.bot = Bot(self.config, self.profile)
        self._task = asyncio.create_task(self.bot.run())

    async def stop(self) -> None:
        if self._task is not None:
            task, self._task = self._task, None
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def check(self) -> None:
        """Raises the error that ended the bot, if any."""
        if self._task is not None and self._task.done():
            self._task.result()

    async def restart(self, **changes: Any) -> None:
        await self.stop()
        self.configure(**changes)
        self.start()

    async def leave(self) -> None:
        await self.stop()
        await self.owner.session.close()
        self.profile.close()

    async def bring_bot(self, room: str) -> None:
        """Invites the bot to a room, and waits until it is there."""
        path, bot, owner = f"/_matrix/client/v3/rooms/{room}", self.bot_account.id, self.owner_account
        await asyncio.to_thread(self.server.ask, "POST", f"{path}/invite", {"user_id": bot}, owner)
        end = time.monotonic() + PATIENCE
        while (
            bot
            not in (await asyncio.to_thread(self.server.ask, "GET", f"{path}/joined_members", None, owner))["joined"]
        ):
            assert time.monotonic() < end, "the bot does not come into the room"
            await asyncio.sleep(0.1)

    async def shown(self, why: str) -> Post:
        """The next picture in the control room."""
        return await self.owner.wait(lambda post: post.room_id == self.control and post.is_picture, why)

    async def ask(self, command: str, answer: str, **relation: Any) -> str:
        """The bot's answer to a command."""
        await self.owner.say(self.control, command, **relation)
        return await self.owner.text(self.control, answer)

    async def looked(self) -> None:
        """Waits, as the owner could, until the bot has dealt with everything posted before.

        One question is not enough: the bot may answer it before the pictures that came with it are in its inbox. Posts from
        before the first question arrive before the second one does.
        """
        await self.ask("!status", "To do: ")
        end = time.monotonic() + PATIENCE
        while "To do: nothing." not in await self.ask("!status", "To do: "):
            assert time.monotonic() < end, "the bot does not come to an end"


@contextmanager
def at_home(homeserver: Homeserver, runner: asyncio.Runner, folder: Path) -> Iterator[Household]:
    """Ann and her bot, as long as tests need them."""
    ann = Household(homeserver, folder, "Ann")
    runner.run(ann.set_up())
    yield ann
    runner.run(ann.leave())


class Family:
    """Alice, Bob and Mallory, with a plain and an encrypted room that Mallory and both bots are in."""

    def __init__(self, alice: Household, bob: Household, mallory: Person, rooms: dict[str, str]) -> None:
        self.alice, self.bob, self.mallory, self.rooms = alice, bob, mallory, rooms


def is_picture(post: Post) -> bool:
    return post.is_picture


def answers(post: Post) -> object:
    """The message that a post answers."""
    return post.content.get("m.relates_to", {}).get("m.in_reply_to", {}).get("event_id")

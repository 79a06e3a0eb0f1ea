"""A foreign app, matrix-js-sdk with Element's crypto: it sees an ordinary picture, and compares emoji."""

from __future__ import annotations

import asyncio
import base64
import json
import shutil
import subprocess
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from stylecrypt_bots.bot import Bot

from stylecrypt_msg.pictures import read_picture

from ..synapse import Homeserver, User
from .people import PATIENCE, Household, until
from .test_verification import Terminal

pytestmark = pytest.mark.usefixtures("short_descents")

APP = Path(__file__).with_name("app.mjs")
SDK = "matrix-js-sdk@37.5.0"


@pytest.fixture(scope="module")
def modules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the SDK is installed."""
    if shutil.which("npm") is None:
        pytest.skip("npm is not installed")
    folder = tmp_path_factory.mktemp("js")
    command = ["npm", "install", "--no-audit", "--no-fund", "--prefix", str(folder), SDK]
    if subprocess.run(command, capture_output=True, timeout=300).returncode != 0:
        pytest.skip(f"npm cannot install {SDK}")
    return folder


class OtherApp:
    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.told: list[dict[str, Any]] = []

    async def wait(self, key: str, **wanted: object) -> dict[str, Any]:
        """The next report from the app that has a key, and these values."""
        assert self.process.stdout is not None
        while True:
            for told in self.told:
                if key in told and all(told.get(name) == value for name, value in wanted.items()):
                    self.told.remove(told)
                    return told
            line = await asyncio.wait_for(self.process.stdout.readline(), PATIENCE)
            assert line, f"it ended; it told {self.told}"
            self.told.append(json.loads(line))


@asynccontextmanager
async def app(modules: Path, server: Homeserver, user: User, *more: str) -> AsyncIterator[OtherApp]:
    process = await asyncio.create_subprocess_exec(
        "node", str(APP), server.url, user.id, user.password, *more, cwd=modules, stdout=PIPE, limit=2**26
    )
    try:
        other = OtherApp(process)
        await other.wait("started")
        yield other
    finally:
        process.kill()
        await process.wait()


def test_it_sees_an_ordinary_picture(
    runner: asyncio.Runner, homeserver: Homeserver, modules: Path, tmp_path: Path, photo: bytes, one_model: None
) -> None:
    alice = Household(homeserver, tmp_path, "Alice")
    bob = Household(homeserver, tmp_path, "Bob")
    mallory = homeserver.register("mallory")
    rooms = {
        name: homeserver.room(alice.owner_account, alice.bot_account, mallory, encrypted=encrypted)
        for name, encrypted in (("plain", False), ("family", True))
    }
    alice.configure(rooms={name: {"room": room, "auto_send": True} for name, room in rooms.items()})
    alice.profile.add_contact(bob.profile.card, trust=True)

    async def test() -> None:
        await alice.set_up()
        async with app(modules, homeserver, mallory) as other:
            for name, room in rooms.items():
                await alice.owner.show(alice.control, photo, f"#{name} @bob level=latent")
                seen = await other.wait("picture", room=room)
                content, picture = seen["content"], base64.b64decode(seen["picture"])
                assert content["msgtype"] == "m.image"
                assert content["body"] == content["filename"]
                pixels = read_picture(picture).pixels
                assert content["info"]["size"] == len(picture)
                assert (content["info"]["h"], content["info"]["w"]) == pixels.shape[:2]
        await alice.leave()
        bob.profile.close()

    runner.run(test())


def test_it_verifies_the_bot_and_is_verified(
    runner: asyncio.Runner, homeserver: Homeserver, modules: Path, tmp_path: Path
) -> None:
    ann = Household(homeserver, tmp_path, "Ann")
    terminal = Terminal(matches=True)

    async def test() -> None:
        await ann.set_up()
        await ann.ask("!status", "All is well")
        await ann.stop()
        ann.bot = Bot(ann.config, ann.profile, compare=terminal.compare, verified=terminal.verified.append)
        ann._task = asyncio.create_task(ann.bot.run())
        [device] = ann.owner.session.client.device_store[ann.bot_account.id]
        async with app(modules, homeserver, ann.owner_account, ann.bot_account.id, device) as other:
            emoji = (await other.wait("emoji"))["emoji"]
            assert (await other.wait("verified"))["verified"] is True
        assert terminal.shown == emoji
        await until(lambda: bool(terminal.verified), "the bot verifies nobody")
        assert len(terminal.verified) == 1
        await ann.leave()

    runner.run(test())

"""A foreign app, matrix-js-sdk with Element's crypto: it sees an ordinary picture, and compares emoji."""

from __future__ import annotations

import asyncio
import base64
from pathlib import Path
from typing import Any

import pytest
from stylecrypt_bots.bot import Bot

from stylecrypt_msg.models import FaceModel
from stylecrypt_msg.pictures import read_picture

from ..support.other_app import app, new_secret
from ..support.people import Household, until
from ..support.synapse import Homeserver
from .test_verification import Terminal

pytestmark = pytest.mark.usefixtures("short_descents")


def test_it_sees_an_ordinary_picture(
    runner: asyncio.Runner,
    homeserver: Homeserver,
    modules: Path,
    tmp_path: Path,
    photo: bytes,
    default_model: FaceModel,
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
        async with app(modules, homeserver, mallory, new_secret()) as other:
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


@pytest.mark.parametrize("how", ["verify", "verifyInRoom"])
def test_it_verifies_the_bot_and_is_verified(
    runner: asyncio.Runner, homeserver: Homeserver, modules: Path, tmp_path: Path, how: str
) -> None:
    """Each with their cross-signing keys. The app has just replaced the ones that the bot knew."""
    ann = Household(homeserver, tmp_path, "Ann")
    terminal = Terminal(matches=True)
    bot, owner = ann.bot_account, ann.owner_account

    async def signatures() -> dict[str, Any]:
        """Of the owner's master key, as the bot gets them."""
        query: dict[str, Any] = {"device_keys": {owner.id: []}}
        answer = await asyncio.to_thread(homeserver.ask, "POST", "/_matrix/client/v3/keys/query", query, bot)
        found: dict[str, Any] = answer["master_keys"][owner.id]["signatures"]
        return found

    async def test() -> None:
        await ann.set_up()
        await ann.ask("!status", "All is well")
        await ann.stop()
        ann.bot = Bot(ann.config, ann.profile, compare=lambda: terminal.compare, verified=terminal.verified.append)
        ann._task = asyncio.create_task(ann.bot.run())
        [device] = ann.owner.session.client.device_store[ann.bot_account.id]
        async with app(modules, homeserver, owner, new_secret()) as other:
            await ann.owner.say(ann.control, "!contacts")
            await until(
                lambda: "cross-signing keys" in str(ann.bot.health.status()), "the bot does not see the new keys"
            )
            assert bot.id not in await signatures()
            other.order(how, user=bot.id, device=str(device), room=ann.control)
            emoji = (await other.wait("emoji"))["emoji"]
            assert (await other.wait("verified"))["verified"] is True
            assert terminal.shown == emoji
            await until(lambda: bool(terminal.verified), "the bot verifies nobody")
            assert terminal.verified == [other.device]
            assert bot.id in await signatures()
            await ann.owner.text(ann.control, "no contacts yet")
            assert "All is well" in await ann.ask("!status", "All is well")
        await ann.leave()

    runner.run(test())

"""Whom the bot obeys, where it goes, and who gets to see what it shows."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator

import pytest
from stylecrypt_bots.account import open_session

from ..synapse import Homeserver, User
from .people import PATIENCE, Household, Person


@pytest.fixture
def ann(
    homeserver: Homeserver, runner: asyncio.Runner, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Household]:
    """A household of the test's own."""
    ann = Household(homeserver, tmp_path_factory.mktemp("ann"), "Ann")
    runner.run(ann.set_up())
    yield ann
    runner.run(ann.leave())


def texts(ann: Household) -> list[str]:
    """The ids of what the bot has posted in the control room."""
    events = ann.server.events(ann.control, ann.owner_account)
    return [event["event_id"] for event in events if event["sender"] == ann.bot_account.id and "state_key" not in event]


async def problem(ann: Household, said: str) -> None:
    """Waits until the bot is not well, for a reason."""
    end = time.monotonic() + PATIENCE
    while said not in str(ann.bot.health.status()):
        assert time.monotonic() < end, ann.bot.health.status()
        await asyncio.sleep(0.1)
    assert not ann.bot.health.status()[0]


def test_commands_that_were_not_encrypted_are_not_obeyed(runner: asyncio.Runner, household: Household) -> None:
    """The server alone says who sent them."""

    async def test() -> None:
        ann = household
        path = f"/_matrix/client/v3/rooms/{ann.control}/send/m.room.message/forged"
        await asyncio.to_thread(
            ann.server.ask, "PUT", path, {"msgtype": "m.text", "body": "!block everybody"}, ann.owner_account
        )
        assert "was not encrypted" in await ann.owner.text(ann.control, "I did not obey")

    runner.run(test())


def test_a_new_device_of_the_owner_is_not_obeyed_before_it_is_verified(runner: asyncio.Runner, ann: Household) -> None:
    async def test() -> None:
        other = await Person.log_in(ann.server, ann.owner_account, ann.folder / "other")
        await other.look()
        before = texts(ann)
        await other.say(ann.control, "!status")
        await ann.owner.look()
        await problem(ann, "a device that is new")  # it could read the answer, so there is none
        assert texts(ann) == before
        # On the bot's machine it can be verified; then the bot goes on where it was.
        await ann.stop()
        session = await open_session(ann.config, ann.profile)
        key = other.session.client.olm.account.identity_keys["ed25519"]
        session.verify(ann.owner_account.id, other.session.device_id, key)
        await session.close()
        ann.start()
        await ann.owner.text(ann.control, "I did not obey")
        await other.say(ann.control, "!status")
        assert "All is well" in await ann.owner.text(ann.control, "All is well")
        await other.session.close()

    runner.run(test())


def test_nothing_is_said_while_somebody_else_is_in_the_control_room(runner: asyncio.Runner, ann: Household) -> None:
    async def test() -> None:
        mallory = ann.server.register("mallory")
        room = f"/_matrix/client/v3/rooms/{ann.control}"
        await asyncio.to_thread(ann.server.ask, "POST", f"{room}/invite", {"user_id": mallory.id}, ann.bot_account)
        await asyncio.to_thread(ann.server.ask, "POST", f"{room}/join", {}, mallory)
        before = texts(ann)
        await ann.owner.say(ann.control, "!contacts")
        await problem(ann, "others are in the room")
        assert texts(ann) == before
        await asyncio.to_thread(ann.server.ask, "POST", f"{room}/leave", {}, mallory)
        await ann.owner.text(ann.control, "no contacts yet")

    runner.run(test())


def test_invitations(runner: asyncio.Runner, ann: Household) -> None:
    """The owner's are accepted, and those of whom the configuration names; all others are declined."""
    server = ann.server
    friend, stranger = server.register("friend"), server.register("stranger")

    async def membership(room: str, user: User, wanted: str) -> None:
        end = time.monotonic() + PATIENCE
        while True:
            events = await asyncio.to_thread(server.ask, "GET", f"/_matrix/client/v3/rooms/{room}/members", None, user)
            now = {event["state_key"]: event["content"]["membership"] for event in events["chunk"]}
            if now[ann.bot_account.id] == wanted:
                return
            assert time.monotonic() < end, now
            await asyncio.sleep(0.1)

    async def test() -> None:
        await ann.restart(invite_allow=[friend.id])
        for user, wanted in ((ann.owner_account, "join"), (friend, "join"), (stranger, "leave")):
            content = {"invite": [ann.bot_account.id]}
            room = await asyncio.to_thread(server.ask, "POST", "/_matrix/client/v3/createRoom", content, user)
            await membership(room["room_id"], user, wanted)

    runner.run(test())

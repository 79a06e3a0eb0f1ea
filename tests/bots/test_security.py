"""Whom the bot obeys, which rooms it joins, and who can see what it shows."""

from __future__ import annotations

import asyncio
import contextlib
import time
import urllib.error
from functools import partial

import nio
import pytest
from stylecrypt_bots.account import log_in, open_session
from stylecrypt_bots.queues import NO, YES
from stylecrypt_bots.session import BotSession

from stylecrypt_msg.profile import Profile
from stylecrypt_msg.transports.matrix import session
from stylecrypt_msg.transports.matrix.server import Password, Post

from ..support.people import PATIENCE, Household, Person, until
from ..support.synapse import Homeserver, User


def texts(ann: Household) -> list[str]:
    """The ids of what the bot has posted in the control room."""
    events = ann.server.events(ann.control, ann.owner_account)
    return [event["event_id"] for event in events if event["sender"] == ann.bot_account.id and "state_key" not in event]


async def problem(ann: Household, said: str) -> None:
    """Waits until the bot reports a problem that mentions ``said``."""
    await until(lambda: said in str(ann.bot.health.status()), f"the bot is well: {said!r} is not said")
    assert not ann.bot.health.status()[0]


def test_commands_that_were_not_encrypted_are_not_obeyed(runner: asyncio.Runner, household: Household) -> None:
    """Only the server vouches for their sender."""

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
        other = await Person.log_in(ann.server, ann.owner_account, ann.folder / "other", signed=False)
        await other.look()
        before = texts(ann)
        await other.say(ann.control, "!status")
        await ann.owner.look()
        await problem(ann, "a new device")  # it could read an answer, so there is none
        assert texts(ann) == before
        # It can be verified on the bot's machine; then the bot continues where it was.
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


def test_a_reaction_does_not_lock_a_room_that_is_blocked(runner: asyncio.Runner, ann: Household) -> None:
    """What it refers to is unknown, or not posted yet: the owner still gets the bot going, by a command after it."""

    async def test() -> None:
        other = await Person.log_in(ann.server, ann.owner_account, ann.folder / "new phone", signed=False)
        asked = await ann.owner.say(ann.control, "!contacts")
        await problem(ann, "a new device")
        await ann.owner.react(ann.control, asked, "\U0001f44d")
        await ann.restart()
        key = other.session.client.olm.account.identity_keys["ed25519"]
        await ann.owner.say(ann.control, f"!device {other.id} {other.session.device_id} {key}")
        await ann.owner.text(ann.control, "no contacts yet")
        await ann.owner.text(ann.control, "is verified")
        await other.session.close()

    runner.run(test())


@pytest.mark.parametrize("said", [True, False], ids=["it says so", "it says nothing"])
def test_a_device_that_does_not_give_its_keys(
    runner: asyncio.Runner, ann: Household, monkeypatch: pytest.MonkeyPatch, said: bool
) -> None:
    """The owner does not wait for an answer in vain."""

    async def test() -> None:
        assert "All is well" in await ann.ask("!status", "All is well")
        owner, [device] = ann.owner.session, ann.owner.session.client.device_store[ann.bot_account.id]
        owner.blocked = [(ann.bot_account.id, str(device))]
        await ann.owner.say(ann.control, "!contacts")
        if said:
            [event] = [
                event
                for event in ann.server.events(ann.control, ann.owner_account)
                if event["type"] == "m.room.encrypted"
            ][:1]
            withheld = {"session_id": event["content"]["session_id"], "room_id": ann.control, "code": "m.unverified"}
            message = nio.ToDeviceMessage("m.room_key.withheld", ann.bot_account.id, str(device), withheld)
            await owner.client.to_device(message)
        else:
            monkeypatch.setattr(session, "KEY_PATIENCE", 0.0)
        why = "to devices that it does not trust" if said else "did not give me its key"
        assert owner.device_id in await ann.owner.text(ann.control, why)
        await problem(ann, why)
        owner.blocked = []
        [blocked] = ann.owner.session.client.device_store[ann.bot_account.id].values()
        owner.client.unblacklist_device(blocked)
        assert "All is well" in await ann.ask("!status", "All is well")

    runner.run(test())


def test_somebody_else_in_the_control_room_is_removed(runner: asyncio.Runner, ann: Household) -> None:
    """Whom the owner invited by mistake, for instance."""

    async def test() -> None:
        mallory = ann.server.register("mallory")
        room = f"/_matrix/client/v3/rooms/{ann.control}"
        await asyncio.to_thread(ann.server.ask, "POST", f"{room}/invite", {"user_id": mallory.id}, ann.owner_account)
        await ann.owner.text(ann.control, f"{mallory.id} was invited to this room")
        with pytest.raises(urllib.error.HTTPError):
            await asyncio.to_thread(ann.server.ask, "POST", f"{room}/join", {}, mallory)
        # The owner has the power to do as much.
        await asyncio.to_thread(ann.server.ask, "POST", f"{room}/ban", {"user_id": mallory.id}, ann.owner_account)
        assert "All is well" in await ann.ask("!status", "All is well")

    runner.run(test())


def test_nothing_is_said_while_somebody_else_is_in_the_control_room(runner: asyncio.Runner, ann: Household) -> None:
    """A room of the owner's, where the bot cannot remove anybody."""

    async def test() -> None:
        mallory = ann.server.register("mallory")
        ann.control = ann.server.room(ann.owner_account, ann.bot_account, mallory, encrypted=True)
        await ann.restart(control_room=ann.control)
        await problem(ann, "others are in the room")
        await ann.owner.say(ann.control, "!contacts")
        room = f"/_matrix/client/v3/rooms/{ann.control}"
        assert texts(ann) == []
        await asyncio.to_thread(ann.server.ask, "POST", f"{room}/leave", {}, mallory)
        await ann.owner.text(ann.control, "no contacts yet")

    runner.run(test())


def test_invitations(runner: asyncio.Runner, ann: Household, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those from the owner and from people in the configuration are accepted, strangers' are declined."""
    server = ann.server
    friend, stranger, neighbour = (server.register(name) for name in ("friend", "stranger", "neighbour"))

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
            await membership(await invite(ann, user), user, wanted)

        # Strangers' invitations, which a server may have the bot decline slowly, keep nobody waiting.
        gate, leave = asyncio.Event(), BotSession.leave

        async def slowly(session: BotSession, room_id: str) -> None:
            await gate.wait()
            await leave(session, room_id)

        monkeypatch.setattr(BotSession, "leave", slowly)
        many = [await invite(ann, stranger) for _ in range(5)]
        await membership(await invite(ann, ann.owner_account), ann.owner_account, "join")
        assert "All is well" in await ann.ask("!status", "All is well")
        gate.set()
        for room in many:
            await membership(room, stranger, "leave")

        # The owner is asked about those whom they know: contacts, and people in their rooms.
        contact = Profile.create(
            ann.folder / "carl", name="Carl", user_id=stranger.id, passphrase=None, now=int(time.time())
        )
        ann.profile.add_contact(contact.card)
        contact.close()
        shared = server.room(ann.owner_account, ann.bot_account, neighbour)
        for user, answer, wanted in ((stranger, NO, "leave"), (stranger, YES, "join"), (neighbour, YES, "join")):
            if user is neighbour:
                await ann.restart()  # who is in the rooms is known for ten minutes
            room = await invite(ann, user, name="the cinema")
            question = f"{user.id} invites me to the cinema"
            asked = await ann.owner.wait(partial(says, question), question)
            await membership(room, user, "invite")
            await ann.owner.react(ann.control, asked.event_id, answer)
            await membership(room, user, wanted)
        assert shared != room

    runner.run(test())


def says(text: str, post: Post) -> bool:
    return text in str(post.content.get("body"))


async def invite(ann: Household, user: User, **room: str) -> str:
    """A new room to which somebody invites the bot."""
    content = {"invite": [ann.bot_account.id], **room}
    made = await asyncio.to_thread(ann.server.ask, "POST", "/_matrix/client/v3/createRoom", content, user)
    return str(made["room_id"])


def test_an_invitation_that_is_declined_is_not_repeated(runner: asyncio.Runner, ann: Household) -> None:
    """The owner is told that a card did not arrive; only when they send it again, it is offered again, in the same room."""
    server, other = ann.server, ann.server.register("other")

    def memberships() -> dict[str, str]:
        """The other's, in the rooms of the bot."""
        found: dict[str, str] = {}
        for room in server.ask("GET", "/_matrix/client/v3/joined_rooms", None, ann.bot_account)["joined_rooms"]:
            members = server.ask("GET", f"/_matrix/client/v3/rooms/{room}/members", None, ann.bot_account)["chunk"]
            for one in members:
                if one["state_key"] == other.id:
                    found[room] = one["content"]["membership"]
        return found

    async def test() -> None:
        for _ in range(2):
            await ann.ask(f"!card send {other.id}", "as soon as they are in a room with me")
            await until(lambda: [*memberships().values()] == ["invite"], "no invitation to one room")
            [room] = memberships()
            await asyncio.to_thread(server.ask, "POST", f"/_matrix/client/v3/rooms/{room}/leave", {}, other)
            said = await ann.owner.text(ann.control, f"What you sent to {other.id} did not reach them")
            assert "declined my invitation" in said
            assert memberships() == {room: "leave"}
        assert "To do: nothing." in await ann.ask("!status", "To do: ")

    runner.run(test())


def test_in_verified_mode_only_verified_devices_get_anything(
    homeserver: Homeserver, runner: asyncio.Runner, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The owner gets what was waiting as soon as their device is verified."""

    async def test() -> None:
        ann = Household(homeserver, tmp_path_factory.mktemp("strict"), "Ann")
        ann.configure(trust="verified")
        ann.owner = await Person.log_in(homeserver, ann.owner_account, ann.folder)
        await log_in(ann.config, ann.profile, Password(ann.bot_account.id, ann.bot_account.password))
        ann.start()
        ann.control = await ann.accept_invitation()
        await problem(ann, "an unverified device")
        assert texts(ann) == []
        await ann.stop()
        session = await open_session(ann.config, ann.profile)
        key = ann.owner.session.client.olm.account.identity_keys["ed25519"]
        session.verify(ann.owner_account.id, ann.owner.session.device_id, key)
        await session.close()
        ann.start()
        await ann.owner.text(ann.control, "This is your StyleCrypt bot.")
        assert "All is well" in await ann.ask("!status", "All is well")
        await ann.leave()

    runner.run(test())


def test_devices_of_the_blacklist_get_nothing(runner: asyncio.Runner, ann: Household) -> None:
    """Not even the owner's old phone in the control room, which is not obeyed either."""

    async def test() -> None:
        old = await Person.log_in(ann.server, ann.owner_account, ann.folder / "old phone")
        await old.look()
        await ann.restart(blacklist=[{"user": ann.owner_account.id, "device": old.session.device_id}])
        assert "All is well" in await ann.ask("!status", "All is well")
        await old.look()
        assert not any(post.sender == ann.bot_account.id for post in old.seen)  # it cannot decrypt them
        await old.say(ann.control, "!contacts")
        await ann.owner.text(ann.control, "I did not obey this")
        await old.session.close()

    runner.run(test())


def test_posts_of_any_shape_stop_nothing(runner: asyncio.Runner, ann: Household) -> None:
    server = ann.server
    room = server.room(ann.owner_account, ann.bot_account)
    odd: list[object] = [
        {},
        {"body": None},
        {"msgtype": "m.image"},
        {"msgtype": "m.image", "body": 7, "url": 7, "file": [], "info": "x"},
        {"msgtype": "m.image", "body": "x", "url": "mxc://mx.test/none", "info": {"size": 2**52}},
        {"msgtype": "m.text", "body": "stylecard1" + "q" * 300},
        {"msgtype": "m.text", "body": "\ud800 stylecard1"},
        {"msgtype": "m.file", "org.stylecrypt.key_face": []},
        {"m.relates_to": "x", "msgtype": "m.image", "body": "x"},
        {"org.stylecrypt.envelope": 1, "msgtype": "m.image", "body": "x", "m.relates_to": {"rel_type": ["m.replace"]}},
    ]

    async def test() -> None:
        for number, content in enumerate(odd):
            for place, user in ((room, ann.owner_account), (ann.control, ann.owner_account)):
                for kind in ("m.room.message", "m.reaction"):
                    path = f"/_matrix/client/v3/rooms/{place}/send/{kind}/{kind}{number}"
                    with contextlib.suppress(urllib.error.HTTPError):  # requests that the server itself rejects
                        await asyncio.to_thread(server.ask, "PUT", path, content, user)
        encrypted: list[dict[str, object]] = [
            {"m.relates_to": 1, "msgtype": "m.text", "body": "!"},
            {"msgtype": "m.text", "body": {"a": 1}},
            {"msgtype": []},
            {"msgtype": "m.image", "body": "!keyface add x", "filename": "x"},
            {"msgtype": "m.text", "body": '!verify "'},
            {"msgtype": "m.image", "body": "#family @bob", "m.mentions": {"user_ids": 3}},
            {"msgtype": "m.text", "body": "!trust " + "x " * 5000},
            {"msgtype": "m.text", "body": "!add stylecard1qqqq"},
            {"msgtype": "m.text", "body": "!device @a:b c d"},
        ]
        for content in encrypted:
            await ann.owner.session.send(ann.control, content, trust="first-use")
        assert "All is well" in await ann.ask("!status", "All is well")
        await ann.looked()
        assert ann.profile.contacts() == []

    runner.run(test())

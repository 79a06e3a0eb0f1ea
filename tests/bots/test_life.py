"""Stopped, started again, without a server: nothing is lost and nothing is done twice."""

from __future__ import annotations

import asyncio
import stat

import pytest
from stylecrypt_bots.account import log_in, open_session
from stylecrypt_bots.bot import Bot
from stylecrypt_bots.commands import Commands
from stylecrypt_bots.queues import Queues

from stylecrypt_msg.errors import InputError, NetworkError
from stylecrypt_msg.transports.matrix.server import LoggedOutError, Password, Post

from ..support.people import Household, Person, until
from ..support.synapse import Homeserver, User


async def answers(ann: Household, sent: list[str]) -> list[tuple[str, str]]:
    """The message that each answer refers to, and its text, in order of arrival, up to the answers to the last messages."""
    found: list[Post] = []
    while not found or answered(found[-1]) != sent[-1]:
        found.append(await ann.owner.wait(lambda post: answered(post) in sent, "an answer"))
    await ann.owner.look()
    found += [post for post in ann.owner.seen if answered(post) in sent]
    return [(answered(post), str(post.content["body"])) for post in found]


def answered(post: Post) -> str:
    return str(post.content.get("m.relates_to", {}).get("m.in_reply_to", {}).get("event_id"))


def test_a_hundred_and_twenty_commands_while_it_was_stopped(runner: asyncio.Runner, ann: Household) -> None:
    """The server itself sends only the newest hundred."""

    async def test() -> None:
        await ann.stop()
        sent = [await ann.owner.say(ann.control, f"!nonsense{number}") for number in range(120)]
        ann.start()
        got = await answers(ann, sent)
        assert [event for event, _ in got] == sent
        assert [text.split(".")[0] for _, text in got] == [f"There is no command !nonsense{n}" for n in range(120)]

    runner.run(test())


def test_what_it_did_before_is_not_done_again(runner: asyncio.Runner, ann: Household) -> None:
    async def test() -> None:
        sent = [await ann.owner.say(ann.control, "!status")]
        assert len(await answers(ann, sent)) == 1
        for _ in range(2):
            await ann.restart()
        sent.append(await ann.owner.say(ann.control, "!status"))
        assert [event for event, _ in await answers(ann, sent)] == sent[1:]
        # Stopping does not log out.
        await ann.stop()
        session = await open_session(ann.config, ann.profile)
        await session.close()
        ann.start()

    runner.run(test())


def test_what_was_there_before_it_was_set_up_is_not_looked_at(
    runner: asyncio.Runner, homeserver: Homeserver, tmp_path_factory: pytest.TempPathFactory
) -> None:
    async def test() -> None:
        ann = Household(homeserver, tmp_path_factory.mktemp("early"), "Ann")
        room = homeserver.room(ann.owner_account, ann.bot_account, encrypted=True)
        path = f"/_matrix/client/v3/rooms/{room}/send/m.room.message/"
        old = {"msgtype": "m.text", "body": ann.profile.card.to_text()}
        await asyncio.to_thread(homeserver.ask, "PUT", f"{path}1", old, ann.owner_account)
        await log_in(ann.config, ann.profile, Password(ann.bot_account.id, ann.bot_account.password))
        newer = await asyncio.to_thread(
            homeserver.ask, "PUT", f"{path}2", {**old, "body": "!status"}, ann.owner_account
        )
        ann.configure(control_room=room)
        ann.owner = await Person.log_in(homeserver, ann.owner_account, ann.folder)  # nobody else could read an answer
        ann.start()
        # The newer one gets an answer, if only that it was not encrypted; the older one's would precede it.
        answer = {"m.in_reply_to": {"event_id": newer["event_id"]}}

        def relations() -> list[object]:
            """The relations of encrypted events, which only the bot writes."""
            ann.check()
            events = [e for e in homeserver.events(room, ann.owner_account) if e["type"] == "m.room.encrypted"]
            return [event["content"].get("m.relates_to") for event in events]

        await until(lambda: answer in relations(), "no answer came")
        assert len(ann.profile.records("bot inbox", Post)) == 0
        assert relations() == [answer, None]  # the newest first: that answer, and the greeting
        await ann.leave()

    runner.run(test())


def test_a_homeserver_that_goes_and_comes_back(
    runner: asyncio.Runner, ann: Household, caplog: pytest.LogCaptureFixture
) -> None:
    async def test() -> None:
        await ann.stop()
        sent = [await ann.owner.say(ann.control, "!status")]
        await asyncio.to_thread(ann.server.stop)
        ann.start()
        await until(lambda: "not reached" in caplog.text, "the bot does not try")
        ann.check()
        assert not ann.bot.health.status()[0]
        await asyncio.to_thread(ann.server.start)
        assert [event for event, _ in await answers(ann, sent)] == sent
        assert ann.bot.health.status()[0]
        caplog.clear()
        await asyncio.to_thread(ann.server.stop)
        await until(lambda: "not reached" in caplog.text, "the bot does not notice")
        await asyncio.to_thread(ann.server.start)
        sent = [await ann.owner.say(ann.control, "!status")]
        assert [event for event, _ in await answers(ann, sent)] == sent

    runner.run(test())


def test_a_bug_stops_nothing_else(runner: asyncio.Runner, ann: Household, monkeypatch: pytest.MonkeyPatch) -> None:
    """nio would end its loop, and lose this message and the next."""

    async def broken(self: Commands, call: object) -> None:
        raise ZeroDivisionError("secret")

    async def test() -> None:
        monkeypatch.setattr(Commands, "prepare", broken)
        sent = [await ann.owner.say(ann.control, "!contacts"), await ann.owner.say(ann.control, "!help")]
        got = await answers(ann, sent)
        assert [event for event, _ in got] == sent
        assert all("this is a bug" in text and "secret" not in text for _, text in got)

    runner.run(test())


def test_a_token_that_is_withdrawn_ends_it(runner: asyncio.Runner, ann: Household) -> None:
    """nio would ask the server a thousand times a second."""

    async def test() -> None:
        session_token = ann.profile.setting(f"bot token {ann.bot_account.id}")
        assert session_token
        account = User(ann.bot_account.id, "", session_token)
        await asyncio.to_thread(ann.server.ask, "POST", "/_matrix/client/v3/logout", {}, account)
        assert ann._task is not None
        with pytest.raises(LoggedOutError, match="does not accept the access token") as error:
            await ann._task
        assert error.value.exit_code == 3
        ann._task = None
        # Logging in again fixes it: on the same device, with the keys that others know.
        await log_in(ann.config, ann.profile, Password(ann.bot_account.id, ann.bot_account.password))
        ann.start()
        assert "All is well" in await ann.ask("!status", "All is well")

    runner.run(test())


def test_a_bot_that_was_not_set_up_or_is_somebody_else(
    runner: asyncio.Runner, homeserver: Homeserver, tmp_path_factory: pytest.TempPathFactory
) -> None:
    async def test() -> None:
        ann = Household(homeserver, tmp_path_factory.mktemp("new"), "Ann")
        with pytest.raises(InputError, match="is not set up"):
            await Bot(ann.config, ann.profile).run()
        with pytest.raises(InputError, match=f"This is the login of {ann.owner_account.id}"):
            await log_in(ann.config, ann.profile, Password(ann.owner_account.id, ann.owner_account.password))
        with pytest.raises(NetworkError, match="refused to let"):
            await log_in(ann.config, ann.profile, Password(ann.bot_account.id, "wrong"))
        ann.profile.close()

    runner.run(test())


def test_its_keys_are_its_own(runner: asyncio.Runner, household: Household) -> None:
    folder = household.profile.folder / "bot"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()} == {0o600}
    token = household.profile.setting(f"bot token {household.bot_account.id}")
    assert token
    for file in (*folder.iterdir(), *household.profile.folder.glob("profile.db*")):
        assert token.encode() not in file.read_bytes()


def test_a_message_that_ends_the_bot_again_and_again_is_given_up(runner: asyncio.Runner, ann: Household) -> None:
    async def test() -> None:
        await ann.stop()
        sent = [await ann.owner.say(ann.control, "!status"), await ann.owner.say(ann.control, "!help")]
        ann.start()
        await answers(ann, sent)
        await ann.stop()
        queues = Queues(ann.profile, ann.control)
        post = Post(ann.control, "$poison", ann.owner_account.id, {"msgtype": "m.text", "body": "!contacts"})
        queues.receive(post, "control")
        assert [queues.starts("control", post) for _ in range(10)] == list(range(1, 11))
        ann.start()
        await ann.owner.text(
            ann.control, "I could not do this: The bot crashed on this again and again, and gave up on it."
        )
        assert queues.next("control") is None

    runner.run(test())


def test_a_command_that_the_server_posts_again_is_not_obeyed_again(runner: asyncio.Runner, ann: Household) -> None:
    """In another run, as another event: the server cannot make another ciphertext."""

    async def test() -> None:
        sent = [await ann.owner.say(ann.control, "!contacts")]
        await answers(ann, sent)
        await ann.restart()
        event = next(e for e in ann.server.events(ann.control, ann.owner_account) if e["event_id"] == sent[0])
        path = f"/_matrix/client/v3/rooms/{ann.control}/send/m.room.encrypted/again"
        again = await asyncio.to_thread(ann.server.ask, "PUT", path, event["content"], ann.owner_account)
        sent = [str(again["event_id"]), await ann.owner.say(ann.control, "!status")]
        assert [event for event, _ in await answers(ann, sent)] == sent[1:]

    runner.run(test())


def test_a_control_room_that_was_left_is_replaced(runner: asyncio.Runner, ann: Household) -> None:
    """Whatever the owner has not seen yet goes to the new one."""

    async def test() -> None:
        await ann.stop()
        await ann.owner.say(ann.control, "!contacts")
        old = ann.control
        path = f"/_matrix/client/v3/rooms/{old}/leave"
        await asyncio.to_thread(ann.server.ask, "POST", path, {}, ann.owner_account)
        ann.owner.session.client.invited_rooms.clear()
        ann.start()
        ann.control = await ann.accept_invitation()
        assert ann.control != old
        await ann.owner.text(ann.control, "This is your StyleCrypt bot.")
        assert "All is well" in await ann.ask("!status", "All is well")
        queues = Queues(ann.profile, ann.control)
        assert queues.rooms_waiting() <= {ann.control}

    runner.run(test())

"""Emoji verification with a device of the owner's, which follows the Matrix specification to the letter."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import os
import pty
import secrets
import sys
import time
from collections.abc import Iterator, Sequence
from typing import Any

import nio
import pytest
import vodozemac
from stylecrypt_bots import operating
from stylecrypt_bots.bot import Bot

from ..support.people import PATIENCE, Household, Person, at_home, until
from ..support.synapse import Homeserver


@pytest.fixture(scope="module")
def ann(
    homeserver: Homeserver, runner: asyncio.Runner, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Household]:
    """One household for all tests: each brings its own device."""
    with at_home(homeserver, runner, tmp_path_factory.mktemp("ann")) as ann:
        yield ann


class App:
    """The side that begins: the device of somebody who looks at the bot's."""

    def __init__(self, person: Person, bot: str, bot_device: str) -> None:
        self.person, self.bot, self.bot_device = person, bot, bot_device
        self.client = person.session.client
        self.device, self.sas, self.transaction = person.session.device_id, vodozemac.Sas(), secrets.token_hex(8)
        self.heard: dict[str, Any] = {}
        self.client.olm.handle_key_verification = lambda _: None
        self.client.add_to_device_callback(self._hear, (nio.KeyVerificationEvent, nio.UnknownToDeviceEvent))

    async def _hear(self, event: Any) -> None:
        if event.source["content"].get("transaction_id") == self.transaction:
            self.heard[event.source["type"].removeprefix("m.key.verification.")] = event.source["content"]

    async def send(self, kind: str, **content: Any) -> dict[str, Any]:
        whole = {**content, "transaction_id": self.transaction}
        await self.client.to_device(nio.ToDeviceMessage(f"m.key.verification.{kind}", self.bot, self.bot_device, whole))
        return whole

    async def wait(self, kind: str) -> dict[str, Any]:
        end = time.monotonic() + PATIENCE
        while kind not in self.heard:
            assert time.monotonic() < end, f"{kind} did not come; there was {list(self.heard)}"
            await self.person.look()
            await asyncio.sleep(0.05)
        found: dict[str, Any] = self.heard[kind]
        return found

    async def until_emoji(self, *, request: bool = True) -> list[int]:
        """The numbers of the emoji that this side shows."""
        if request:
            await self.send("request", from_device=self.device, methods=["m.sas.v1"], timestamp=int(time.time() * 1000))
            ready = await self.wait("ready")
            assert (ready["from_device"], ready["methods"]) == (self.bot_device, ["m.sas.v1"])
        start = await self.send(
            "start",
            from_device=self.device,
            method="m.sas.v1",
            key_agreement_protocols=["curve25519-hkdf-sha256"],
            hashes=["sha256"],
            message_authentication_codes=["hkdf-hmac-sha256.v2", "hkdf-hmac-sha256"],
            short_authentication_string=["decimal", "emoji"],
        )
        accept = await self.wait("accept")
        mine = self.sas.public_key.to_base64()
        await self.send("key", key=mine)
        theirs = (await self.wait("key"))["key"]
        committed = hashlib.sha256((theirs + nio.Api.to_canonical_json(start)).encode()).digest()
        assert accept["commitment"] == base64.b64encode(committed).decode().rstrip("=")
        self.shared = self.sas.diffie_hellman(vodozemac.Curve25519PublicKey.from_base64(theirs))
        info = (
            f"MATRIX_KEY_VERIFICATION_SAS|{self.person.id}|{self.device}|{mine}|{self.bot}|{self.bot_device}|{theirs}"
            f"|{self.transaction}"
        )
        return list(self.shared.bytes(info).emoji_indices)

    async def agree(self, key: str) -> None:
        info = f"MATRIX_KEY_VERIFICATION_MAC{self.person.id}{self.device}{self.bot}{self.bot_device}{self.transaction}"
        name = f"ed25519:{self.device}"
        macs = {name: self.shared.calculate_mac(key, info + name), "ed25519:MASTER": "another key of the user's"}
        names = ",".join(sorted(macs))
        await self.send("mac", mac=macs, keys=self.shared.calculate_mac(names, info + "KEY_IDS"))

    async def check_mac(self, key: str, master: str | None) -> None:
        """Of the device's key, and of the user's public master key."""
        mac = await self.wait("mac")
        info = f"MATRIX_KEY_VERIFICATION_MAC{self.bot}{self.bot_device}{self.person.id}{self.device}{self.transaction}"
        assert master is not None
        for name, value in ((self.bot_device, key), (master, master)):
            self.shared.verify_mac(value, f"{info}ed25519:{name}", mac["mac"][f"ed25519:{name}"])
        self.shared.verify_mac(",".join(sorted(mac["mac"])), info + "KEY_IDS", mac["keys"])


class Terminal:
    """Somebody who looks at both screens."""

    def __init__(self, matches: bool) -> None:
        self.matches = matches
        self.shown: list[str] = []
        self.verified: list[str] = []

    async def compare(self, device_id: str, emoji: Sequence[tuple[str, str]]) -> bool:
        self.shown = [symbol for symbol, _ in emoji]
        return self.matches


# The specification's table.
EMOJI = (
    "🐶🐱🦁🐎🦄🐷🐘🐰🐼🐓🐧🐢🐟🐙🦋🌷🌳🌵🍄🌏🌙☁🔥🍌🍎🍓🌽🍕🎂❤😀🤖🎩👓🔧🎅👍☂⌛⏰🎁💡📕✏📎✂🔒🔑🔨☎🏁🚂🚲"
    "✈🚀🏆⚽🎸🎺🔔⚓🎧📁📌"
)


async def begin(ann: Household, terminal: Terminal | None) -> App:
    await ann.stop()
    if terminal is None:
        ann.start()
    else:
        ann.bot = Bot(ann.config, ann.profile, compare=lambda: terminal.compare, verified=terminal.verified.append)
        ann._task = asyncio.create_task(ann.bot.run())
    assert "All is well" in await ann.ask("!status", "All is well")
    [device] = ann.owner.session.client.device_store[ann.bot_account.id]
    return App(ann.owner, ann.bot_account.id, str(device))


@pytest.mark.parametrize("request_first", [True, False], ids=["with a request", "at once"])
def test_both_sides_show_the_same_and_believe_each_other(
    runner: asyncio.Runner, ann: Household, request_first: bool
) -> None:
    async def test() -> None:
        terminal = Terminal(matches=True)
        app = await begin(ann, terminal)
        numbers = await app.until_emoji(request=request_first)
        keys = ann.owner.session.client
        await app.agree(keys.olm.account.identity_keys["ed25519"])
        bot = ann.bot_account.id
        await app.check_mac(keys.device_store[bot][app.bot_device].ed25519, ann.owner.session.published(bot))
        await app.wait("done")
        await until(lambda: bool(terminal.verified), "the bot verifies nobody")
        assert [symbol.rstrip("\ufe0f") for symbol in terminal.shown] == [EMOJI[number] for number in numbers]
        assert terminal.verified == [ann.owner.session.device_id]

    runner.run(test())


def test_emoji_that_differ_verify_nothing(runner: asyncio.Runner, ann: Household) -> None:
    async def test() -> None:
        terminal = Terminal(matches=False)
        app = await begin(ann, terminal)
        await app.until_emoji()
        await app.agree(ann.owner.session.client.olm.account.identity_keys["ed25519"])
        assert (await app.wait("cancel"))["code"] == "m.mismatched_sas"
        assert "mac" not in app.heard
        assert terminal.verified == []

    runner.run(test())


def test_a_device_that_proves_another_key_is_not_verified(runner: asyncio.Runner, ann: Household) -> None:
    async def test() -> None:
        terminal = Terminal(matches=True)
        app = await begin(ann, terminal)
        await app.until_emoji()
        await app.agree(base64.b64encode(bytes(32)).decode().rstrip("="))
        assert (await app.wait("cancel"))["code"] == "m.key_mismatch"
        assert terminal.verified == []

    runner.run(test())


def test_a_running_bot_declines_and_says_what_to_do(runner: asyncio.Runner, ann: Household) -> None:
    async def test() -> None:
        app = await begin(ann, None)
        await app.send("request", from_device=app.device, methods=["m.sas.v1"], timestamp=int(time.time() * 1000))
        assert "stylecrypt bot verify" in (await app.wait("cancel"))["reason"]
        content = {"msgtype": "m.key.verification.request", "body": "x", "to": app.bot, "from_device": app.device}
        await ann.owner.session.send(ann.control, {**content, "methods": ["m.sas.v1"]}, trust="first-use")
        for _ in range(2):  # once for each way to ask
            await ann.owner.text(ann.control, "Your app asked to verify me")

    runner.run(test())


def test_messages_out_of_turn_or_of_strangers_verify_nothing(runner: asyncio.Runner, ann: Household) -> None:
    async def test() -> None:
        terminal = Terminal(matches=True)
        app = await begin(ann, terminal)
        await app.send("request", from_device=app.device, methods=["m.qr_code.show.v1"])
        assert (await app.wait("cancel"))["code"] == "m.unknown_method"
        for kind, content in [
            ("mac", {"mac": {}, "keys": ""}),
            ("key", {"key": "x"}),
            ("start", {"from_device": app.device, "method": 1}),
            ("request", {}),
            ("cancel", {}),
            ("done", {}),
        ]:
            await app.send(kind, **content)  # type: ignore[arg-type]
        stranger = await Person.log_in(ann.server, ann.server.register("stranger"), ann.folder / "stranger")
        other = App(stranger, app.bot, app.bot_device)
        await other.send("request", from_device=other.device, methods=["m.sas.v1"])
        assert "All is well" in await ann.ask("!status", "All is well")
        await stranger.look()
        assert other.heard == {}
        await stranger.session.close()
        # After all that, it still works.
        app = App(ann.owner, app.bot, app.bot_device)
        await app.until_emoji()
        assert len(terminal.shown) == 7

    runner.run(test())


def test_the_question_at_the_terminal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Only yes is a yes; and Ctrl-C, which cancels, does not wait for a line first."""
    keyboard, there = pty.openpty()

    async def answered(typed: bytes) -> bool:
        os.write(keyboard, typed)
        return await operating.compare("PHONE", [("🐶", "Dog")])

    async def interrupted() -> None:
        asking = asyncio.create_task(operating.compare("PHONE", [("🐶", "Dog")]))
        await asyncio.sleep(0.1)  # until it waits for the terminal
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking

    with os.fdopen(there, encoding="utf-8") as terminal:
        monkeypatch.setattr(sys, "stdin", terminal)
        answers = {
            typed: asyncio.run(answered(typed)) for typed in (b"y\n", b"YES\n", b"n\n", b"\n", b"maybe\n", b"\x04")
        }
        assert [typed for typed, same in answers.items() if same] == [b"y\n", b"YES\n"]
        assert capsys.readouterr().err.count("not verified. Ask once more") == 4
        asyncio.run(interrupted())
    os.close(keyboard)

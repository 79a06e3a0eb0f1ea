"""The bot's key backup and secret storage: what another app, a new set-up, and a server that cheats make of them."""

from __future__ import annotations

import asyncio
import json
import secrets
import shutil
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import vodozemac
from stylecrypt_bots.account import log_in

from stylecrypt_msg.errors import InputError, NotAuthorisedError
from stylecrypt_msg.models import FaceModel
from stylecrypt_msg.profile import Profile
from stylecrypt_msg.transports.matrix import client, session
from stylecrypt_msg.transports.matrix.identities import to_base64
from stylecrypt_msg.transports.matrix.secret_storage import RecoveryKey
from stylecrypt_msg.transports.matrix.server import Password

from ..support.other_app import app
from ..support.people import Household, Person, reply_to, until
from ..support.synapse import Homeserver

pytestmark = pytest.mark.usefixtures("short_descents")
_API = "/_matrix/client/v3"


async def with_backup(ann: Household) -> RecoveryKey:
    """Sets Ann and her bot up, and has them talk."""
    ann.owner = await Person.log_in(ann.server, ann.owner_account, ann.folder)
    ann.owner.check = ann.check
    made = await log_in(ann.config, ann.profile, password(ann), key_backup=True)
    ann.start()
    ann.control = await ann.accept_invitation()
    await ann.ask("!status", "All is well")
    assert made.recovery is not None
    return made.recovery


def password(ann: Household) -> Password:
    return Password(ann.bot_account.id, ann.bot_account.password)


async def backed_up(ann: Household, least: int) -> None:
    """Waits until so many keys are in the backup."""
    end = time.monotonic() + 60
    while (await ask(ann, "GET", "/room_keys/version"))["count"] < least:
        assert time.monotonic() < end, "keys are missing in the backup"
        await asyncio.sleep(0.1)  # nobody is told of new keys there


async def ask(ann: Household, method: str, path: str, content: object = None) -> dict[str, Any]:
    """As the bot's account, or the server."""
    return await asyncio.to_thread(ann.server.ask, method, _API + path, content, ann.bot_account)


def lose_the_machine(ann: Household) -> None:
    """All that is left is on the server, and on paper."""
    ann.profile.close()
    ann.profile = Profile.create(
        ann.folder / secrets.token_hex(4), name="Ann", user_id=ann.bot_account.id, passphrase=None, now=int(time.time())
    )


def test_another_app_reads_older_messages_with_the_recovery_key(
    runner: asyncio.Runner, homeserver: Homeserver, modules: Path, tmp_path: Path
) -> None:
    ann = Household(homeserver, tmp_path, "Ann")

    async def test() -> None:
        recovery = await with_backup(ann)
        await backed_up(ann, 2)  # the owner's key, and the bot's own
        await ann.stop()
        async with app(modules, homeserver, ann.bot_account) as other:
            other.order("restore", recovery=recovery.text())
            restored = await other.wait("restored")
            assert restored["restored"] == restored["total"] >= 2
            assert (restored["trusted"], restored["ready"]) == (True, True)
            bodies: set[str] = set()
            while not ("!status" in bodies and any("All is well" in body for body in bodies)):
                bodies.add((await other.wait("content", room=ann.control))["content"]["body"])
        await ann.leave()

    runner.run(test())


@pytest.mark.parametrize("lost", ["the machine", "the encryption sessions"])
def test_a_new_set_up(
    runner: asyncio.Runner,
    homeserver: Homeserver,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    photo: bytes,
    default_model: FaceModel,
    lost: str,
) -> None:
    """It has the old cross-signing keys, and takes an older photo of its owner's, but does not complain of what it missed. An
    empty profile needs the recovery key."""
    monkeypatch.setattr(session, "KEY_PATIENCE", 0.0)
    ann, bob = Household(homeserver, tmp_path, "Ann"), Household(homeserver, tmp_path, "Bob")
    family = homeserver.room(ann.owner_account, ann.bot_account)
    ann.configure(rooms={"family": {"room": family}})

    async def test() -> None:
        recovery = await with_backup(ann)
        await ann.owner.session.query_keys([ann.bot_account.id])
        master = ann.owner.session.published(ann.bot_account.id)
        old = await ann.owner.show(ann.control, photo)
        await ann.owner.text(ann.control, "Send a photo with a text")
        await backed_up(ann, 2)
        await ann.stop()
        if lost == "the machine":
            lose_the_machine(ann)
        else:
            shutil.rmtree(ann.profile.folder / "bot")
        ann.profile.add_contact(bob.profile.card, trust=True)
        restore = recovery if lost == "the machine" else None
        made = await log_in(ann.config, ann.profile, password(ann), restore=restore)
        assert made.unsigned is None
        ann.start()
        await ann.owner.say(ann.control, "!send #family @bob level=latent", **reply_to(old))
        assert "For Bob" in str((await ann.shown("the draft")).content["body"])
        assert [post for post in ann.owner.seen if "cannot read" in str(post.content.get("body"))] == []
        assert await ann.owner.session.identity_of(ann.bot_account.id) == master
        await ann.leave()
        bob.profile.close()

    runner.run(test())


def test_a_key_that_the_server_adds_vouches_for_nobody(
    runner: asyncio.Runner, homeserver: Homeserver, tmp_path: Path
) -> None:
    """It could post as the owner otherwise, with a key of its own."""
    ann = Household(homeserver, tmp_path, "Ann")

    async def test() -> None:
        recovery = await with_backup(ann)
        await ann.stop()
        lose_the_machine(ann)
        await log_in(ann.config, ann.profile, password(ann), restore=recovery)
        owner, made = ann.owner.session.client.olm.account.identity_keys, vodozemac.GroupSession()
        exported = vodozemac.InboundGroupSession(made.session_key).export_at(0)
        assert exported is not None
        keys = {
            "algorithm": "m.megolm.v1.aes-sha2",
            "sender_key": owner["curve25519"],
            "sender_claimed_keys": {"ed25519": owner["ed25519"]},
            "forwarding_curve25519_key_chain": [],
            "session_key": exported.to_base64(),
            "org.stylecrypt.mac": to_base64(bytes(32)),
        }
        backup = await ask(ann, "GET", "/room_keys/version")
        public = vodozemac.Curve25519PublicKey.from_base64(backup["auth_data"]["public_key"])
        sealed = vodozemac.PkEncryption.from_key(public).encrypt(json.dumps(keys).encode())
        data = {"ephemeral": sealed.ephemeral_key, "ciphertext": sealed.ciphertext, "mac": sealed.mac}
        stored = {
            "first_message_index": 0,
            "forwarded_count": 0,
            "is_verified": True,
            "session_data": {name: to_base64(value) for name, value in data.items()},
        }
        session_id = quote(made.session_id, safe="")  # it is base64, so slashes are in it
        path = f"/room_keys/keys/{ann.control}/{session_id}?version={backup['version']}"
        await ask(ann, "PUT", path, stored)
        said = {"msgtype": "m.image", "body": "x", "url": "mxc://mx.test/x"}
        forged = {"type": "m.room.message", "room_id": ann.control, "content": said}
        event = {
            "algorithm": "m.megolm.v1.aes-sha2",
            "sender_key": owner["curve25519"],
            "device_id": ann.owner.session.device_id,
            "session_id": made.session_id,
            "ciphertext": made.encrypt(json.dumps(forged).encode()).to_base64(),
        }
        path = f"/rooms/{ann.control}/send/m.room.encrypted/forged"
        answer = await asyncio.to_thread(homeserver.ask, "PUT", _API + path, event, ann.owner_account)
        ann.start()
        await ann.ask("!send #family @bob", "not from a device of yours that I trust", **reply_to(answer["event_id"]))
        await ann.leave()

    runner.run(test())


@pytest.mark.parametrize("key", ["another's", "the bot's"])
def test_a_backup_that_the_account_did_not_sign_gets_nothing(
    runner: asyncio.Runner, homeserver: Homeserver, tmp_path: Path, key: str
) -> None:
    """The owner is told, and whoever sets the bot up makes another one."""
    ann = Household(homeserver, tmp_path, "Ann")

    async def test() -> None:
        recovery = await with_backup(ann)
        backup = await ask(ann, "GET", "/room_keys/version")
        data = {"public_key": vodozemac.Curve25519SecretKey().public_key().to_base64()}
        if key == "the bot's":
            data["public_key"] = backup["auth_data"]["public_key"]
        new = {"algorithm": backup["algorithm"], "auth_data": data}
        version = (await ask(ann, "POST", "/room_keys/version", new))["version"]
        laptop = await Person.log_in(homeserver, ann.owner_account, ann.folder / "laptop")
        await laptop.session.close()  # there is a new key with the next message
        await ann.owner.say(ann.control, "!status")
        await ann.owner.text(ann.control, "another one is in its place")
        await until(lambda: "key backup" in str(ann.bot.health.status()), "the bot does not say it")
        assert (await ask(ann, "GET", f"/room_keys/version/{version}"))["count"] == 0
        await ann.stop()
        made = await log_in(ann.config, ann.profile, password(ann), key_backup=True)
        assert made.recovery is not None
        assert made.recovery != recovery
        assert (await ask(ann, "GET", f"/room_keys/version/{version}"))["count"] == 0
        await backed_up(ann, 2)
        lose_the_machine(ann)
        with pytest.raises(NotAuthorisedError, match="not the recovery key"):
            await log_in(ann.config, ann.profile, password(ann), restore=recovery)
        await log_in(ann.config, ann.profile, password(ann), restore=made.recovery)
        await ann.leave()

    runner.run(test())


def test_an_answer_that_is_too_long_is_none(
    runner: asyncio.Runner, homeserver: Homeserver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann = Household(homeserver, tmp_path, "Ann")

    async def test() -> None:
        made = await log_in(ann.config, ann.profile, password(ann), key_backup=True)
        monkeypatch.setattr(client, "_LARGEST_ANSWER", 100)
        lose_the_machine(ann)
        with pytest.raises(InputError, match="keeps no cross-signing keys"):
            await log_in(ann.config, ann.profile, password(ann), restore=made.recovery)

    runner.run(test())
    ann.profile.close()


def test_without_secret_storage_there_is_nothing_to_restore(
    runner: asyncio.Runner, homeserver: Homeserver, tmp_path: Path
) -> None:
    ann = Household(homeserver, tmp_path, "Ann")

    async def test() -> None:
        with pytest.raises(InputError, match="keeps no cross-signing keys"):
            await log_in(ann.config, ann.profile, password(ann), restore=RecoveryKey.new())

    runner.run(test())
    ann.profile.close()

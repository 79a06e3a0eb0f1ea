"""What others may post into a Matrix room."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from stylecrypt_msg.transports import Parcel
from stylecrypt_msg.transports.matrix import (
    client,
    session,
)

from ...support.synapse import User
from .world import World, picture

# What others may post


def post(world: World, room: str, user: User, number: int, content: dict[str, Any]) -> None:
    world.server.ask("PUT", f"/_matrix/client/v3/rooms/{room}/send/m.room.message/{number}", content, user)


async def test_pictures_that_cannot_be_had_hide_no_others(
    world: World, alice: User, bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (client, session):
        monkeypatch.setattr(module, "MAX_FILE_BYTES", 10_000)
    room = world.server.room(alice, bob)
    await world.send(alice, room, Parcel(picture() + bytes(10_000), "image/png"))
    large = world.server.events(room, alice)[0]["content"]["url"]
    await world.send(alice, room, Parcel(picture(1), "image/png"))
    small = world.server.events(room, alice)[0]["content"]["url"]
    contents: list[dict[str, Any]] = [
        {"url": large},  # says nothing of its size
        {"url": small, "info": {"size": 10_001}},  # is not even fetched
        {"url": "mxc://mx.test/doesnotexist"},
        {"url": "mxc://elsewhere.test/doesnotexist"},
        {"url": "mxc://mx.test/../../../../etc/passwd"},
        {"url": "http://127.0.0.1/"},
        {"url": 7},
        {"url": None, "info": []},
        {},
        {"file": {"url": small}},
        {"file": {"url": small, "key": {"k": "x"}, "iv": "x", "hashes": {"sha256": "x"}}},
        {"file": {"url": small, "key": {"k": 1}, "iv": [], "hashes": {"sha256": {}}}},
        {"file": "x"},
    ]
    for number, content in enumerate(contents):
        post(world, room, alice, number, {"msgtype": "m.image", "body": "x", **content})
    await world.send(alice, room, Parcel(picture(2), "image/png"))
    assert [delivery.picture for delivery in await world.receive(bob, room)] == [picture(1), picture(2)]


async def test_a_picture_that_was_changed_on_the_server(world: World, alice: User, bob: User) -> None:
    room = world.server.room(alice, bob, encrypted=True)
    await world.receive(bob, room)
    for number in (1, 2):
        await world.send(alice, room, Parcel(picture(number), "image/png"))
    stored = [path for path in (world.server.folder / "media_store" / "local_content").rglob("*") if path.is_file()]
    newest, *_ = sorted(stored, key=lambda path: path.stat().st_mtime_ns, reverse=True)
    data = bytearray(newest.read_bytes())
    data[0] ^= 1
    newest.write_bytes(data)
    assert [delivery.picture for delivery in await world.receive(bob, room)] == [picture(1)]


@pytest.mark.parametrize("package", ["nio", "vodozemac", "peewee", "Crypto"])
def test_without_nio_or_its_encryption_it_says_what_to_install(package: str) -> None:
    code = f"""
import sys
sys.modules["{package}"] = None
from stylecrypt_msg.errors import InputError
try:
    import stylecrypt_msg.transports.matrix
except InputError as error:
    print(error, error.remedy.name, error.facts)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "Matrix needs packages that are not installed. INSTALL_EXTRA {'extra': 'matrix'}\n"


def test_nio_does_not_write_to_the_terminal() -> None:
    code = """
import logging
import stylecrypt_msg.transports.matrix
logging.getLogger("nio.crypto.log").warning("Missing session for device ABC")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "")

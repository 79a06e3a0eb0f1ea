"""The examples do what they say."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import sys
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx2
import numpy as np
import pytest

from stylecrypt_msg import StyleCrypt
from stylecrypt_msg.pictures import encode_picture, read_picture

from .conftest import People
from .support.places import REPOSITORY


def example(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, REPOSITORY / "examples" / f"{name}.py")
    assert spec and spec.loader
    module = sys.modules[name] = importlib.util.module_from_spec(spec)  # where dataclasses look it up
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def photo(people: People) -> bytes:
    return encode_picture(people.photo, "JPEG")


@pytest.fixture
def alice_and_bob(tmp_path: Path) -> Any:
    with (
        StyleCrypt.create(tmp_path / "alice", name="Alice") as alice,
        StyleCrypt.create(tmp_path / "bob", name="Bob") as bob,
    ):
        alice.add_contact(bob.profile.card, trust=True)
        bob.add_contact(alice.profile.card)
        yield alice, bob


def test_a_chat(photo: bytes, people: People, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "me.jpg").write_bytes(photo)
    asyncio.run(example("chat").main(tmp_path / "me.jpg", tmp_path))
    said = capsys.readouterr().out
    assert "Bob sees Alice's original photo: 'Look where I am'" in said
    assert "Mallory sees the picture in the room. This message was sealed to somebody else." in said
    bobs, rooms = (read_picture(tmp_path / name).pixels.astype(int) for name in ("bob.png", "room.jpg"))
    assert np.abs(bobs - people.photo).mean() < np.abs(rooms - people.photo).mean()
    assert not (tmp_path / "mallory.png").exists()


def test_a_watched_folder(alice_and_bob: Any, photo: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each photo is covered once; one without a face is named once; one that is still being written waits."""
    alice, bob = alice_and_bob
    watch = example("watch")
    photos, covers = tmp_path / "photos", tmp_path / "covers"
    for folder in (photos, covers):
        folder.mkdir()
    (photos / "me.jpg").write_bytes(photo)
    (photos / "wall.png").write_bytes(encode_picture(np.full((200, 200, 3), 120, np.uint8), "PNG"))
    (photos / "late.jpg").write_bytes(photo[:1000])
    for name, age in (("me.jpg", 60), ("wall.png", 60), ("late.jpg", -600)):
        os.utime(photos / name, (time.time() - age,) * 2)
    watch.cover_new(alice, photos, covers, ["Bob"])
    watch.cover_new(alice, photos, covers, ["Bob"])
    said = capsys.readouterr().out.splitlines()
    assert [line.partition(":")[0] for line in said] == ["me.jpg", "wall.png"]
    assert "No face was found" in said[1]
    assert sorted(path.name for path in covers.iterdir()) == ["me.jpg.jpg", "wall.png.refused"]
    assert bob.decrypt(covers / "me.jpg.jpg").level == "original"


def test_a_board(alice_and_bob: Any, photo: bytes) -> None:
    """What was posted comes back byte by byte, and opens; text is not markup; other files are refused."""
    alice, bob = alice_and_bob
    sent = alice.encrypt(photo, to=["Bob"])

    async def visit() -> tuple[bytes, str, list[int]]:
        transport = httpx2.ASGITransport(app=example("board").make_board())
        async with httpx2.AsyncClient(transport=transport, base_url="http://board") as client:
            file = ("a.jpg", sent.picture, "image/jpeg")
            posted = await client.post("/", data={"text": "<b>Hello"}, files={"picture": file})
            other = await client.post("/", files={"picture": ("a.html", b"<script>", "text/html")})
            missing = await client.get("/7")
            page, picture = await client.get("/"), await client.get("/0")
            return picture.content, page.text, [posted.status_code, other.status_code, missing.status_code]

    picture, page, codes = asyncio.run(visit())
    assert codes == [303, 400, 404]
    assert "&lt;b&gt;Hello" in page and "<b>" not in page
    assert bob.decrypt(picture).level == "original"

"""docs/transports.md: its example keeps the promises that it lists, and so do the transports that it names."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Callable
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from stylecrypt_msg.errors import NetworkError
from stylecrypt_msg.transports import Delivery, Parcel, Transport
from stylecrypt_msg.transports.folder import FolderTransport

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "transports.md"


class Server:
    """What the example's chat server would be."""

    def __init__(self) -> None:
        self.files: list[bytes] = []
        self.rooms: dict[str, list[dict[str, Any]]] = {}
        self.down = False

    async def upload(self, data: bytes) -> int:
        if self.down:
            raise ConnectionError
        self.files.append(data)
        return len(self.files) - 1

    async def download(self, number: int) -> bytes:
        return self.files[number]

    async def post(self, room: str, post: dict[str, Any]) -> int:
        self.rooms.setdefault(room, []).append(post)
        return len(self.rooms[room])

    async def posts(self, room: str, after: int) -> list[tuple[int, dict[str, Any]]]:
        return list(enumerate(self.rooms.get(room, []), 1))[after:]

    async def hang_up(self) -> None: ...


def example() -> Any:
    """The class in the guide."""
    names: dict[str, Any] = {}
    exec(re.findall(r"```python\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)[0], names)  # noqa: S102
    return names["ChatTransport"]


Make = Callable[[], Transport]


@pytest.fixture(params=["the example", "folder"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Make:
    """Each call acts as another run of a program, with the same server or folder."""
    if request.param == "folder":
        return lambda: FolderTransport(tmp_path)
    server, transport = Server(), example()
    return lambda: transport(server, "family room")


async def all_of(transport: Transport) -> list[Delivery]:
    return [delivery async for delivery in transport.deliveries(follow=False)]


async def test_the_promises(make: Make) -> None:
    parcels = [
        Parcel(b"first picture", "image/png"),
        Parcel(b"second picture", "image/jpeg", b"its envelope"),
        Parcel(b"third picture", "image/webp", conversation="family room"),
    ]
    assert await all_of(make()) == []
    for parcel in parcels:
        transport = make()
        assert await transport.send(parcel)
        await transport.close()
    got = await all_of(make())
    assert [(each.picture, each.envelope) for each in got] == [(each.picture, each.envelope) for each in parcels]
    assert len({delivery.reference for delivery in got}) == 3
    assert {len(delivery.reference) for delivery in got} == {32}
    assert all(delivery.origin for delivery in got)

    transport = make()
    async with aclosing(transport.deliveries(follow=False)) as deliveries:  # type: ignore[type-var]
        first = await anext(deliveries)
    assert first.reference == got[0].reference
    await transport.close()
    assert await all_of(transport) == got  # nothing was lost, and a closed transport can be used again


async def test_following(make: Make) -> None:
    async with aclosing(make().deliveries(follow=True)) as deliveries:  # type: ignore[type-var]
        for number in range(2):
            waiting = asyncio.ensure_future(anext(deliveries))
            await asyncio.sleep(0.1)  # it waits, since nothing is there yet
            assert not waiting.done()
            await make().send(Parcel(f"{number}".encode(), "image/png"))
            assert (await asyncio.wait_for(waiting, 10)).picture == f"{number}".encode()


def test_the_example_says_when_the_server_is_gone() -> None:
    server = Server()
    server.down = True
    with pytest.raises(NetworkError, match="does not answer"):
        asyncio.run(example()(server, "room").send(Parcel(b"picture", "image/png", b"envelope")))
    assert server.rooms == {}


def test_references_are_of_the_room_and_the_post() -> None:
    async def test() -> set[bytes]:
        server = Server()
        for room in ("a", "b"):
            for _ in range(2):
                await example()(server, room).send(Parcel(b"picture", "image/png"))
        return {each.reference for room in ("a", "b") for each in await all_of(example()(server, room))}

    references = asyncio.run(test())
    assert len(references) == 4
    assert hashlib.sha256(b"a 1").digest() in references

"""A chat room in one file: Alice posts a photo, Bob sees it, everybody else sees somebody who does not exist.

    python examples/chat.py PHOTO [FOLDER]

The room stands for any chat app's server. What the app writes is the class ``RoomTransport``, and the few lines of ``main``.
"""

from __future__ import annotations

import asyncio
import hashlib
import sys
from collections.abc import AsyncIterator
from pathlib import Path

from stylecrypt_msg import AsyncStyleCrypt
from stylecrypt_msg.transports import Delivery, Parcel


class Room:
    """What the server keeps: posts, which everybody may read."""

    name = "family room"

    def __init__(self) -> None:
        self.posts: list[Parcel] = []


class RoomTransport:
    """How StyleCrypt's pictures get into the room and out of it; see docs/transports.md for what it has to promise."""

    def __init__(self, room: Room) -> None:
        self.room = room

    async def chat(self) -> str:
        return self.room.name

    async def send(self, parcel: Parcel) -> str:
        self.room.posts.append(parcel)
        return f"post {len(self.room.posts)}"

    async def deliveries(self, *, follow: bool) -> AsyncIterator[Delivery]:
        for number, post in enumerate(self.room.posts, 1):
            reference = hashlib.sha256(f"post {number}".encode()).digest()
            yield Delivery(reference, post.picture, post.envelope, post.conversation, f"post {number}", self.room.name)

    async def close(self) -> None: ...


async def main(photo: Path, folder: Path) -> None:
    alice, bob, mallory = (
        AsyncStyleCrypt.create(folder / name.lower(), name=name) for name in ("Alice", "Bob", "Mallory")
    )
    await alice.add_contact(bob.profile.card, trust=True)
    await bob.add_contact(alice.profile.card)
    await mallory.add_contact(alice.profile.card)
    transport = RoomTransport(Room())

    sent = await alice.encrypt(photo, to=["Bob"], caption="Look where I am", conversation="family", chat=transport)
    print(f"Alice sent {await alice.send(sent, transport)}: {len(sent.picture)} bytes, stand-in {sent.stand_in}")
    (folder / f"room{sent.suffix}").write_bytes(sent.picture)

    for person in (bob, mallory):
        async for incoming in person.receive(transport):
            name, shown = person.profile.me.name, incoming.photo
            if shown is None:
                print(f"{name} sees the picture in the room. {incoming.error}")
            else:
                print(f"{name} sees {shown.sender}'s {shown.level} photo: {shown.caption!r}")
                shown.image.save(folder / f"{name.lower()}.png")
        await person.close()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), Path(sys.argv[2] if len(sys.argv) > 2 else "chat")))

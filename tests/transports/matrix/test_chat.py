"""The transport's sender signs the room that a message is for, so a copy in another room is detected."""

from __future__ import annotations

from stylecrypt_msg import AsyncStyleCrypt
from stylecrypt_msg.transports import Parcel

from ...conftest import People
from ...support.synapse import User
from .world import World


async def test_a_photo_that_is_posted_again_in_another_room_says_so(
    world: World, alice: User, bob: User, people: People
) -> None:
    family, work = (world.server.room(alice, bob, encrypted=True) for _ in range(2))

    async def warnings(person: AsyncStyleCrypt, room: str) -> list[tuple[str, ...]]:
        transport = world.transport(bob, room)
        try:
            return [incoming.photo.warnings async for incoming in person.receive(transport) if incoming.photo]
        finally:
            await transport.close()

    async with (
        AsyncStyleCrypt.create(world.folder / "Alice", name="Alice") as ann,
        AsyncStyleCrypt.create(world.folder / "Bob", name="Bob") as ben,
    ):
        await ann.add_contact(ben.profile.card, trust=True)
        await ben.add_contact(ann.profile.card)
        assert await warnings(ben, family) == []  # Bob's device is there when keys are given out
        transport = world.transport(alice, family)
        try:
            photo = await ann.encrypt(people.photo, to=["Bob"], stand_in="somebody", chat=transport)
            await ann.send(photo, transport)
        finally:
            await transport.close()
        await world.send(alice, work, Parcel(photo.picture, photo.media_type, photo.envelope))
        assert await warnings(ben, work) == [("It was sent to another chat: somebody posted it again in this one.",)]
        assert await warnings(ben, family) == [()]

"""The Matrix transport against a real homeserver: what one sends, the other gets, once, whoever was away meanwhile."""

from __future__ import annotations

import asyncio
import io
import json
import re
import stat
import subprocess
import sys
from collections.abc import Callable, Coroutine
from contextlib import aclosing
from pathlib import Path
from typing import Any

import nio
import pytest
import stylecrypt_protocol as protocol
from PIL import Image

from stylecrypt_msg.errors import InputError, NetworkError, NotAuthorisedError, PictureError
from stylecrypt_msg.transports import Delivery, Parcel, matrix_session
from stylecrypt_msg.transports.matrix import AccessToken, Login, MatrixTransport, Password, picture_content
from stylecrypt_msg.transports.matrix_session import ServerRefusalError

from ..synapse import Homeserver, User

IMAGE = Image.linear_gradient("L").resize((64, 48)).convert("RGB")


def picture(shade: int = 0, format: str = "PNG") -> bytes:
    file = io.BytesIO()
    Image.blend(IMAGE, Image.new("RGB", IMAGE.size, (shade, 255 - shade, 90)), 0.5).save(file, format)
    return file.getvalue()


def envelope(sealed: int) -> bytes:
    """A packed envelope with so many sealed bytes; what is in them is no business of a transport's."""
    cover = protocol.Pixels(width=IMAGE.width, height=IMAGE.height, rgb=IMAGE.tobytes())
    public = protocol.PublicPart.describe(
        cover,
        level=protocol.Level.LATENT,
        model_hash=bytes(32),
        styles=18,
        replaced=range(3, 8),
        faces=[protocol.Quad.from_pixels([(8, 8), (8, 40), (40, 40), (40, 8)])],
    )
    return protocol.Envelope(public=public, sealed=b"s" * sealed).pack()


class World:
    """A homeserver, and the folders in which people keep their keys."""

    def __init__(self, server: Homeserver, folder: Path) -> None:
        self.server, self.folder = server, folder

    def store(self, user: User) -> Path:
        return self.folder / user.id.strip("@").replace(":", "_")

    def transport(
        self,
        user: User,
        room: str,
        *,
        login: Login | None = None,
        store: Path | None = None,
        key: str = "a secret",
        **options: Any,
    ) -> MatrixTransport:
        login = login or Password(user.id, user.password)
        return MatrixTransport(self.server.url, room, login, store=store or self.store(user), pickle_key=key, **options)

    async def send(self, user: User, room: str, parcel: Parcel | None = None, **options: Any) -> str:
        """As one run of a program does."""
        transport = self.transport(user, room, **options)
        try:
            return await transport.send(parcel or Parcel(picture(), "image/png"))
        finally:
            await transport.close()

    async def receive(self, user: User, room: str, **options: Any) -> list[Delivery]:
        """As one run of a program does."""
        transport = self.transport(user, room, **options)
        try:
            return [delivery async for delivery in transport.deliveries(follow=False)]
        finally:
            await transport.close()


@pytest.fixture
def world(homeserver: Homeserver, tmp_path: Path) -> World:
    return World(homeserver, tmp_path)


@pytest.fixture
def alice(homeserver: Homeserver) -> User:
    return homeserver.register("alice")


@pytest.fixture
def bob(homeserver: Homeserver) -> User:
    return homeserver.register("bob")


both = pytest.mark.parametrize("encrypted", [False, True], ids=["plain", "encrypted"])


def ids(world: World, room: str, user: User) -> list[str]:
    """Of all events in the room, whoever sent them."""
    return [event["event_id"] for event in world.server.events(room, user)]


def run(test: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(test())


# From one to the other


@both
@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP"])
def test_a_picture_arrives_as_it_was(world: World, alice: User, bob: User, encrypted: bool, format: str) -> None:
    room = world.server.room(alice, bob, encrypted=encrypted)
    sent = picture(1, format) + b"after the end"  # servers and nio are not to touch a byte
    media_type = f"image/{format.lower()}"

    async def test() -> None:
        assert await world.receive(bob, room) == []
        where = await world.send(alice, room, Parcel(sent, media_type))
        (delivery,) = await world.receive(bob, room)
        assert (delivery.picture, delivery.envelope) == (sent, None)
        assert delivery.origin == where
        assert re.fullmatch(re.escape(room) + r", \$\S+", where)
        assert delivery.conversation == room
        assert len(delivery.reference) == 32

        # What everybody sees is an ordinary picture.
        event = world.server.events(room, bob)[0]
        assert event["event_id"] == where.split(", ")[1]
        if encrypted:
            assert event["type"] == "m.room.encrypted"
        else:
            content = event["content"]
            assert re.fullmatch(r"IMG_\d{12}\.(jpg|png|webp)", content["body"])
            assert content["filename"] == content["body"]
            assert content["info"] == {"mimetype": media_type, "size": len(sent), "w": 64, "h": 48}
            assert set(content) == {"msgtype", "body", "filename", "info", "url"}

    run(test)


@both
def test_an_envelope_travels_in_the_event(world: World, alice: User, bob: User, encrypted: bool) -> None:
    room = world.server.room(alice, bob, encrypted=encrypted)
    packed = envelope(30_000)  # near the 40 KB of JSON

    async def test() -> None:
        await world.receive(bob, room)
        await world.send(alice, room, Parcel(picture(), "image/png", packed))
        (delivery,) = await world.receive(bob, room)
        assert (delivery.picture, delivery.envelope) == (picture(), packed)
        assert (protocol.EVENT_KEY in json.dumps(world.server.events(room, bob))) is not encrypted

    run(test)


@both
def test_an_envelope_that_fits_nowhere_sends_nothing(world: World, alice: User, bob: User, encrypted: bool) -> None:
    room = world.server.room(alice, bob, encrypted=encrypted)
    before = ids(world, room, alice)

    async def test() -> None:
        with pytest.raises(InputError, match="fits neither into the picture nor into a Matrix event") as error:
            await world.send(alice, room, Parcel(picture(), "image/png", envelope(31_000)))
        assert error.value.hint or error.value.remedy

    run(test)
    assert ids(world, room, alice) == before


def test_what_is_no_picture_is_not_sent(world: World, alice: User, bob: User) -> None:
    room = world.server.room(alice, bob)

    async def test() -> None:
        with pytest.raises(PictureError, match="not a picture"):
            await world.send(alice, room, Parcel(b"text", "image/png"))

    run(test)


def test_a_damaged_envelope_is_passed_on_as_one(world: World, alice: User, bob: User) -> None:
    """Not as none: what the event has counts, and the picture's own is not looked at (SPEC 3.5)."""
    room = world.server.room(alice, bob)

    async def test() -> None:
        await world.send(alice, room)
        content = world.server.events(room, alice)[0]["content"]
        content[protocol.EVENT_KEY] = {"v": 1, "public": "garbage"}
        world.server.ask("PUT", f"/_matrix/client/v3/rooms/{room}/send/m.room.message/1", content, alice)
        good, bad = await world.receive(bob, room)
        assert good.envelope is None
        assert bad.envelope is not None
        with pytest.raises(protocol.MalformedError):
            protocol.Envelope.unpack(bad.envelope)

    run(test)


def test_a_room_is_found_by_its_address(world: World, alice: User, bob: User) -> None:
    name = alice.id[1:].split(":")[0]
    room = world.server.room(alice, bob, alias=name)

    async def test() -> None:
        address = f"#{name}:{world.server.name}"
        assert (await world.send(alice, address)).startswith(f"{address}, $")
        (by_address,) = await world.receive(bob, address)
        assert by_address.conversation == address
        (by_id,) = await world.receive(bob, room, login=AccessToken(bob.access_token), store=world.folder / "other")
        assert by_id.reference == by_address.reference

    run(test)


def test_other_rooms_texts_and_own_pictures_are_not_delivered(world: World, alice: User, bob: User) -> None:
    room, other = world.server.room(alice, bob), world.server.room(alice, bob)

    async def test() -> None:
        await world.send(alice, other)
        await world.send(bob, room)
        text = {"msgtype": "m.text", "body": "hello"}
        world.server.ask("PUT", f"/_matrix/client/v3/rooms/{room}/send/m.room.message/1", text, alice)
        await world.send(alice, room, Parcel(picture(7), "image/png"))
        assert [delivery.picture for delivery in await world.receive(bob, room)] == [picture(7)]

    run(test)


# Away, interrupted, started again


@both
@pytest.mark.parametrize("pages", [False, True], ids=["one page", "several pages"])
def test_thirty_messages_while_away_all_arrive_in_order(
    world: World, alice: User, bob: User, encrypted: bool, pages: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a room that was busy, the server sends only the newest events by itself."""
    if pages:
        monkeypatch.setattr(matrix_session, "_PAGE", 7)
    room = world.server.room(alice, bob, encrypted=encrypted)

    async def test() -> None:
        assert await world.receive(bob, room) == []
        transport = world.transport(alice, room)
        for number in range(30):
            await transport.send(Parcel(picture(number), "image/png"))
        await transport.close()
        got = await world.receive(bob, room)
        assert [delivery.picture for delivery in got] == [picture(number) for number in range(30)]
        assert len({delivery.reference for delivery in got}) == 30
        assert await world.receive(bob, room) == []

    run(test)


def test_a_key_behind_a_hundred_others_is_waited_for(world: World, alice: User, bob: User) -> None:
    """Each run of a sender hands out a key of its own, and the server gives out a hundred at a time, the oldest first."""
    room = world.server.room(alice, bob, encrypted=True)

    async def test() -> None:
        await world.receive(bob, room)
        transport = world.transport(alice, room)
        for number in range(3):
            await transport.send(Parcel(picture(number), "image/png"))
            session = transport._session
            assert session is not None
            for _ in range(40):
                session.client.invalidate_outbound_session(room)
                await session.client.share_group_session(room, ignore_unverified_devices=True)
        await transport.send(Parcel(picture(3), "image/png"))
        await transport.close()
        got = await world.receive(bob, room)
        assert [delivery.picture for delivery in got] == [picture(number) for number in range(4)]

    run(test)


@both
def test_what_was_not_dealt_with_comes_again(world: World, alice: User, bob: User, encrypted: bool) -> None:
    room = world.server.room(alice, bob, encrypted=encrypted)

    async def test() -> None:
        await world.receive(bob, room)
        for number in range(3):
            await world.send(alice, room, Parcel(picture(number), "image/png"))
        references = []
        for _ in range(2):  # the program is ended after it got the second
            transport = world.transport(bob, room)
            for _ in range(2):  # the first time in another run, the second in the same
                async with aclosing(transport.deliveries(follow=False)) as deliveries:
                    references.append([(await anext(deliveries)).reference for _ in range(2)])
            await transport.close()
        assert all(each == references[0] for each in references)
        got = await world.receive(bob, room)
        assert [delivery.picture for delivery in got] == [picture(number) for number in range(3)]
        assert [delivery.reference for delivery in got[:2]] == references[0]
        assert await world.receive(bob, room) == []

    run(test)


@both
def test_rooms_with_one_store_do_not_take_from_each_other(
    world: World, alice: User, bob: User, encrypted: bool
) -> None:
    rooms = [world.server.room(alice, bob, encrypted=encrypted) for _ in range(2)]

    async def test() -> None:
        for room in rooms:
            assert await world.receive(bob, room) == []
        for number, room in enumerate(rooms):
            await world.send(alice, room, Parcel(picture(number), "image/png"))
        for number, room in enumerate(rooms):
            assert [delivery.picture for delivery in await world.receive(bob, room)] == [picture(number)]

    run(test)


@both
def test_messages_that_could_not_be_opened_yet_come_again(
    world: World, alice: User, bob: User, encrypted: bool
) -> None:
    """Such as those of somebody who is not a contact yet. Not so ordinary pictures."""
    room = world.server.room(alice, bob, encrypted=encrypted)
    inside = protocol.put(picture(2), envelope(100))
    done: set[bytes] = set()

    async def test() -> None:
        await world.receive(bob, room)
        await world.send(alice, room, Parcel(picture(1), "image/png", envelope(100)))
        await world.send(alice, room, Parcel(inside, "image/png"))
        await world.send(alice, room, Parcel(picture(3), "image/png"))
        for arrived in ([picture(1), inside, picture(3)], [picture(1), inside]):
            got = await world.receive(bob, room, finished=done.__contains__)
            assert [delivery.picture for delivery in got] == arrived
        assert [delivery.envelope is None for delivery in got] == [False, True]
        done.add(got[0].reference)
        await world.send(alice, room, Parcel(picture(4), "image/png"))
        for arrived in ([picture(1), inside, picture(4)], [inside]):
            got = await world.receive(bob, room, finished=done.__contains__)
            assert [delivery.picture for delivery in got] == arrived
        done.add(got[0].reference)
        for arrived in ([inside], []):
            got = await world.receive(bob, room, finished=done.__contains__)
            assert [delivery.picture for delivery in got] == arrived

    run(test)


@both
def test_sending_in_between_loses_nothing(world: World, alice: User, bob: User, encrypted: bool) -> None:
    room = world.server.room(alice, bob, encrypted=encrypted)

    async def test() -> None:
        await world.send(bob, room)  # his first contact with the server
        await world.send(alice, room, Parcel(picture(1), "image/png"))
        await world.send(bob, room)
        await world.send(alice, room, Parcel(picture(2), "image/png"))
        assert [delivery.picture for delivery in await world.receive(bob, room)] == [picture(1), picture(2)]

    run(test)


def test_pictures_from_before_the_first_run_arrive(
    world: World, alice: User, bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(matrix_session, "_PAGE", 4)
    monkeypatch.setattr(matrix_session, "_FIRST_PAGES", 2)
    room = world.server.room(alice, bob)

    async def test() -> None:
        transport = world.transport(alice, room)
        for number in range(20):
            await transport.send(Parcel(picture(number), "image/png"))
        await transport.close()
        assert [delivery.picture for delivery in await world.receive(bob, room)] == [
            picture(number) for number in range(8, 20)
        ]

    run(test)


def test_a_key_that_comes_late_is_waited_for(
    world: World, alice: User, bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Servers that talk to each other deliver keys and messages by different ways."""
    room = world.server.room(alice, bob, encrypted=True)

    async def test() -> None:
        await world.receive(bob, room)
        transport = world.transport(alice, room)
        await transport.send(Parcel(picture(1), "image/png"))
        session = transport._session
        assert session is not None
        # A message under a key that nobody has been told of.
        client = session.client
        client.olm.create_outbound_group_session(room)
        outbound = client.olm.outbound_group_sessions[room]
        key, outbound.shared = outbound.session_key, True
        where = await session._upload(picture(2), "image/png", encrypt=True)
        content = picture_content(Parcel(picture(2), "image/png")) | where
        await client.room_send(room, "m.room.message", content)
        assert [delivery.picture for delivery in await world.receive(bob, room)] == [picture(1)]
        monkeypatch.setattr(type(outbound), "session_key", key)
        outbound.shared = False
        await client.share_group_session(room, ignore_unverified_devices=True)
        await transport.close()
        assert [delivery.picture for delivery in await world.receive(bob, room)] == [picture(2)]
        assert await world.receive(bob, room) == []

    run(test)


@both
def test_following_delivers_as_it_comes(world: World, alice: User, bob: User, encrypted: bool) -> None:
    room = world.server.room(alice, bob, encrypted=encrypted)

    async def test() -> None:
        transport = world.transport(bob, room)
        async with aclosing(transport.deliveries(follow=True)) as deliveries:
            for number in range(3):
                waiting = asyncio.ensure_future(anext(deliveries))
                await asyncio.sleep(0.3)
                assert not waiting.done()
                await world.send(alice, room, Parcel(picture(number), "image/png"))
                assert (await asyncio.wait_for(waiting, 20)).picture == picture(number)
                # He answers by the same session, while it waits for what comes next.
                waiting = asyncio.ensure_future(anext(deliveries))
                await asyncio.sleep(0.1)
                await asyncio.wait_for(transport.send(Parcel(picture(100 + number), "image/png")), 20)
                await world.send(alice, room, Parcel(picture(200 + number), "image/png"))
                assert (await asyncio.wait_for(waiting, 20)).picture == picture(200 + number)
        await transport.close()
        got = await world.receive(alice, room)
        assert [delivery.picture for delivery in got] == [picture(100 + number) for number in range(3)]

    run(test)


@both
def test_a_restarted_homeserver_changes_nothing(world: World, alice: User, bob: User, encrypted: bool) -> None:
    """Without it, there is an error; with it, all goes on."""
    room = world.server.room(alice, bob, encrypted=encrypted)

    async def test() -> None:
        await world.receive(bob, room)
        await world.send(alice, room, Parcel(picture(1), "image/png"))
        transport = world.transport(bob, room)
        async with aclosing(transport.deliveries(follow=True)) as deliveries:
            assert (await anext(deliveries)).picture == picture(1)
            waiting = asyncio.ensure_future(anext(deliveries))
            with world.server.stopped():
                for failing in (waiting, world.send(alice, room), world.receive(bob, room, store=world.folder / "new")):
                    with pytest.raises(NetworkError, match=r"^http://127.0.0.1:\d+ does not answer\.$") as error:
                        await asyncio.wait_for(failing, 60)
                    assert error.value.exit_code == 3
                    assert error.value.hint or error.value.remedy
        await transport.close()
        await world.send(alice, room, Parcel(picture(2), "image/png"))
        assert picture(2) in [delivery.picture for delivery in await world.receive(bob, room)]

    run(test)


# Who may read along


def device_of(transport: MatrixTransport) -> tuple[str, str, str]:
    """User, device and key, as a Matrix app would show them."""
    session = transport._session
    assert session is not None
    return session.user_id, session.device_id, session.client.olm.account.identity_keys["ed25519"]


async def new_device(world: World, user: User, room: str) -> tuple[str, str, str]:
    """Logs in once more, elsewhere."""
    transport = world.transport(user, room, store=world.folder / f"another-{user.id[1:6]}")
    async for _ in transport.deliveries(follow=False):
        pass
    device = device_of(transport)
    await transport.close()
    return device


@pytest.mark.parametrize("whose", ["theirs", "one's own"])
def test_first_use_stops_at_a_new_device(world: World, alice: User, bob: User, whose: str) -> None:
    room = world.server.room(alice, bob, encrypted=True)
    owner = bob if whose == "theirs" else alice

    async def test() -> None:
        await world.receive(bob, room)
        await world.receive(alice, room, login=AccessToken(alice.access_token), store=world.folder / "alice's phone")
        await world.send(alice, room)
        user_id, device_id, key = await new_device(world, owner, room)
        before = ids(world, room, alice)
        for _ in range(2):  # nothing is let through by having been refused once
            with pytest.raises(NotAuthorisedError, match="a device that is new") as error:
                await world.send(alice, room, Parcel(picture(9), "image/png"))
            assert f"{device_id} of {user_id}, with the key {key}" in str(error.value)
            assert error.value.hint or error.value.remedy
        assert ids(world, room, alice) == before

        transport = world.transport(alice, room)
        await transport.verify(user_id, device_id, f"{key[:4]} {key[4:]}")
        await transport.send(Parcel(picture(9), "image/png"))
        await transport.close()
        await world.send(alice, room, Parcel(picture(10), "image/png"))
        assert [delivery.picture for delivery in await world.receive(bob, room)][-2:] == [picture(9), picture(10)]
        if owner is bob:
            elsewhere = await world.receive(bob, room, store=world.folder / f"another-{bob.id[1:6]}")
            assert [delivery.picture for delivery in elsewhere] == [picture(9), picture(10)]

    run(test)


def test_a_device_that_is_new_since_the_last_message_of_a_run_stops_it(world: World, alice: User, bob: User) -> None:
    """Who only sends is told of no changes, and has to ask."""
    room = world.server.room(alice, bob, encrypted=True)

    async def test() -> None:
        await world.receive(bob, room)
        transport = world.transport(alice, room)
        await transport.send(Parcel(picture(), "image/png"))
        device = await new_device(world, bob, room)
        with pytest.raises(NotAuthorisedError, match=device[1]):
            await transport.send(Parcel(picture(), "image/png"))
        await transport.close()

    run(test)


def test_nothing_names_the_program(world: World, alice: User, bob: User) -> None:
    """Neither what is posted, nor the name of a device, for which everybody in the room can ask."""
    room = world.server.room(alice, bob)

    async def test() -> None:
        await world.send(alice, room, Parcel(protocol.put(picture(), envelope(100)), "image/png"))
        devices = world.server.ask("POST", "/_matrix/client/v3/keys/query", {"device_keys": {alice.id: []}}, bob)
        assert len(devices["device_keys"][alice.id]) == 1
        assert "stylecrypt" not in json.dumps([devices, world.server.events(room, bob)]).lower()

    run(test)


def test_somebody_who_joins_is_pinned_when_first_sent_to(world: World, alice: User, bob: User) -> None:
    room = world.server.room(alice, bob, encrypted=True)
    carol = world.server.register("carol")

    async def test() -> None:
        await world.receive(bob, room)
        await world.send(alice, room)
        world.server.ask("POST", f"/_matrix/client/v3/rooms/{room}/invite", {"user_id": carol.id}, alice)
        world.server.ask("POST", f"/_matrix/client/v3/join/{room}", {}, carol)
        await world.receive(carol, room)
        await world.send(alice, room, Parcel(picture(5), "image/png"))
        assert [delivery.picture for delivery in await world.receive(carol, room)] == [picture(5)]
        await new_device(world, carol, room)
        with pytest.raises(NotAuthorisedError, match=re.escape(carol.id)):
            await world.send(alice, room)

    run(test)


def test_verified_sends_to_verified_devices_alone(world: World, alice: User, bob: User) -> None:
    """Also after first use let the same device read."""
    room = world.server.room(alice, bob, encrypted=True)

    async def test() -> None:
        transport = world.transport(bob, room)
        assert [delivery async for delivery in transport.deliveries(follow=False)] == []
        user_id, device_id, key = device_of(transport)
        await transport.close()
        await world.send(alice, room)
        before = ids(world, room, alice)
        with pytest.raises(NotAuthorisedError, match="a device that was not verified could read it"):
            await world.send(alice, room, trust="verified")
        assert ids(world, room, alice) == before

        transport = world.transport(alice, room, trust="verified")
        with pytest.raises(NotAuthorisedError, match="is another one"):
            await transport.verify(user_id, device_id, key[::-1])
        with pytest.raises(InputError, match="No device ELSEWHERE"):
            await transport.verify(user_id, "ELSEWHERE", key)
        with pytest.raises(NotAuthorisedError):
            await transport.send(Parcel(picture(), "image/png"))
        await transport.verify(user_id, device_id, key)
        await transport.send(Parcel(picture(3), "image/png"))
        await transport.close()
        assert [delivery.picture for delivery in await world.receive(bob, room)][-1] == picture(3)

    run(test)


def test_who_left_has_no_key_of_what_comes(world: World, alice: User, bob: User) -> None:
    room = world.server.room(alice, bob, encrypted=True)
    carol = world.server.register("carol")

    async def test() -> None:
        world.server.ask("POST", f"/_matrix/client/v3/rooms/{room}/invite", {"user_id": carol.id}, alice)
        world.server.ask("POST", f"/_matrix/client/v3/join/{room}", {}, carol)
        await world.receive(bob, room)
        await world.receive(carol, room)
        transport = world.transport(alice, room)
        await transport.send(Parcel(picture(1), "image/png"))
        await transport.send(Parcel(picture(2), "image/png"))
        world.server.ask("POST", f"/_matrix/client/v3/rooms/{room}/leave", {}, carol)
        await transport.send(Parcel(picture(3), "image/png"))
        await transport.close()
        third, second, first = (
            event["content"]["session_id"]
            for event in world.server.events(room, alice)
            if event["type"] == "m.room.encrypted"
        )
        assert first == second != third

    run(test)


# Never unencrypted where it is to be encrypted


def test_nothing_is_sent_when_encryption_fails(
    world: World, alice: User, bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = world.server.room(alice, bob, encrypted=True)
    before = ids(world, room, alice)

    def fails(*_: object) -> None:
        raise nio.EncryptionError("broken")

    async def test() -> None:
        await world.receive(bob, room)
        with monkeypatch.context() as patch:
            patch.setattr("nio.crypto.Olm.group_encrypt", fails)
            with pytest.raises(NetworkError, match="could not be encrypted, and was not sent"):
                await world.send(alice, room)
        with monkeypatch.context() as patch:  # keys that the server does not pass on; nio says nothing
            real = nio.Api.to_device
            patch.setattr(nio.Api, "to_device", lambda token, *_: real(token, "m.room.encrypted", {}, "1"))
            with pytest.raises(NetworkError, match="did not pass on the keys"):
                await world.send(alice, room)
        assert ids(world, room, alice) == before
        await world.send(alice, room)
        assert len(await world.receive(bob, room)) == 1

    run(test)


@pytest.mark.parametrize("known", [True, False], ids=["a room known as encrypted", "a room not known"])
@pytest.mark.parametrize("status", [403, 404, 500])
def test_a_server_that_denies_encryption_is_not_believed(
    world: World, alice: User, bob: User, monkeypatch: pytest.MonkeyPatch, status: int, known: bool
) -> None:
    """It could read what follows. Of a room that was never seen it can say what it likes, but it has to say so."""
    room = world.server.room(alice, bob, encrypted=True)
    code = {403: "M_FORBIDDEN", 404: "M_NOT_FOUND", 500: "M_UNKNOWN"}[status]
    if status == 404 and not known:
        pytest.skip("nothing tells this from a room that is not encrypted")
    send = nio.AsyncClient.send

    async def lying(client: nio.AsyncClient, method: str, path: str, *args: Any) -> Any:
        answer = await send(client, method, path, *args)
        if "/state/m.room.encryption" in path:
            answer.status, answer._body = status, json.dumps({"errcode": code, "error": "no"}).encode()
        return answer

    async def test() -> None:
        await world.receive(bob, room)
        if known:
            await world.send(alice, room)
        before = ids(world, room, alice)
        monkeypatch.setattr(nio.AsyncClient, "send", lying)
        if status == 404:
            await world.send(alice, room)
            assert world.server.events(room, alice)[0]["type"] == "m.room.encrypted"
        else:
            reason = "is not in the room" if status == 403 else "refused to say whether"
            with pytest.raises(ServerRefusalError, match=reason) as error:
                await world.send(alice, room)
            assert error.value.final == (status == 403)  # a server in trouble is asked again
            assert ids(world, room, alice) == before

    run(test)


# The store


def test_the_store_is_for_its_owner_alone(world: World, alice: User, bob: User) -> None:
    room = world.server.room(alice, bob, encrypted=True)

    async def test() -> None:
        await world.receive(bob, room)
        await world.send(alice, room)
        await world.receive(bob, room, key="a secret")
        transport = world.transport(alice, room)
        await transport.send(Parcel(picture(), "image/png"))
        session = transport._session
        assert session is not None
        token, device_id = session.client.access_token, session.device_id
        await transport.close()
        store = world.store(alice)
        assert stat.S_IMODE(store.stat().st_mode) == 0o700
        files = [path for path in store.rglob("*") if path.is_file()]
        assert sorted(path.name for path in files) == ["keys.db", "session.db"]
        for path in files:
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
            for secret in (token, alice.password, "a secret"):
                assert secret.encode() not in path.read_bytes()
        assert alice.password not in repr(Password(alice.id, alice.password))
        assert token not in repr(AccessToken(token))

        transport = world.transport(alice, room)
        await transport.send(Parcel(picture(), "image/png"))
        assert device_of(transport)[1] == device_id  # and not a new one at each run
        await transport.close()
        with pytest.raises(InputError, match="are locked with another key"):
            await world.send(alice, room, key="DEFAULT_KEY")

    run(test)


def test_one_program_at_a_time(world: World, alice: User, bob: User, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two would use one key for two messages."""
    room = world.server.room(alice, bob)
    monkeypatch.setattr(matrix_session, "_LOCKED", 0.1)

    async def test() -> None:
        transport = world.transport(alice, room)
        await transport.send(Parcel(picture(), "image/png"))
        with pytest.raises(InputError, match="is in use by another program") as error:
            await world.send(alice, room)
        assert error.value.hint or error.value.remedy
        await transport.close()
        await world.send(alice, room)

    run(test)


def test_a_store_is_for_one_account(world: World, alice: User, bob: User) -> None:
    room = world.server.room(alice, bob)

    async def test() -> None:
        await world.send(alice, room)
        for login in (Password(bob.id, bob.password), AccessToken(bob.access_token), AccessToken(alice.access_token)):
            with pytest.raises(InputError, match="holds the keys of @alice-") as error:
                await world.send(alice, room, login=login)
            assert error.value.hint or error.value.remedy
        await world.send(alice, room)

    run(test)


def test_another_programs_session_is_left_alone(world: World, alice: User, bob: User) -> None:
    """Keys of ours in place of its own would end its encryption."""
    room = world.server.room(alice, bob, encrypted=True)
    app, token = world.folder / "an app", AccessToken(bob.access_token)

    async def test() -> None:
        await world.receive(bob, room, login=token, store=app)
        with pytest.raises(InputError, match="belongs to another program"):
            await world.receive(bob, room, login=token, store=world.folder / "ours")
        await world.send(alice, room)
        assert len(await world.receive(bob, room, login=token, store=app)) == 1

    run(test)


def test_a_device_that_was_logged_out_elsewhere_works_again(world: World, alice: User, bob: User) -> None:
    """The server forgot its keys then, and nio believes that it has them."""
    room = world.server.room(alice, bob, encrypted=True)

    async def test() -> None:
        transport = world.transport(bob, room)
        assert [delivery async for delivery in transport.deliveries(follow=False)] == []
        session = transport._session
        assert session is not None
        token = session.client.access_token
        await transport.close()
        world.server.ask("POST", "/_matrix/client/v3/logout", {}, User(bob.id, bob.password, token))
        await world.receive(bob, room)
        await world.send(alice, room, Parcel(picture(4), "image/png"))
        assert [delivery.picture for delivery in await world.receive(bob, room)] == [picture(4)]

    run(test)


def test_a_folder_that_cannot_be_used(world: World, alice: User, bob: User) -> None:
    room = world.server.room(alice, bob)
    (file := world.folder / "file").write_bytes(b"")
    damaged = [world.folder / "damaged", world.folder / "damaged too"]
    for store, name in zip(damaged, ["session.db", "keys.db"], strict=True):
        store.mkdir()
        (store / name).write_bytes(b"not a database" * 1000)

    async def test() -> None:
        for store, reason in [(file, "cannot be opened"), *((store, r"is damaged\.$") for store in damaged)]:
            with pytest.raises(InputError, match=reason) as error:
                await world.send(alice, room, store=store)
            assert error.value.hint or error.value.remedy

    run(test)


# What servers refuse


def test_a_wrong_login(world: World, alice: User, bob: User) -> None:
    room = world.server.room(alice, bob)

    async def test() -> None:
        for login, reason in [
            (AccessToken("syt_wrong"), r"does not accept the access token\.$"),
            (Password(alice.id, "wrong"), r"refused to let @alice\S+ in: Invalid username or password"),
            (Password("nobody", "wrong"), r"refused to let nobody in: Invalid username or password"),
        ]:
            for act in (world.send, world.receive):
                with pytest.raises(NetworkError, match=reason) as error:
                    await act(alice, room, login=login, store=world.folder / "new")
                assert error.value.hint or error.value.remedy
                assert "wrong" not in str(error.value)

    run(test)


def test_a_token_that_is_withdrawn_ends_the_following(world: World, alice: User, bob: User) -> None:
    room = world.server.room(alice, bob)

    async def test() -> None:
        transport = world.transport(bob, room, login=AccessToken(bob.access_token))
        async with aclosing(transport.deliveries(follow=True)) as deliveries:
            waiting = asyncio.ensure_future(anext(deliveries))
            await asyncio.sleep(1)
            world.server.ask("POST", "/_matrix/client/v3/logout", {}, bob)
            await world.send(alice, room)  # wakes the request that the server holds back
            with pytest.raises(NetworkError, match="does not accept the access token"):
                await asyncio.wait_for(waiting, 60)
                await asyncio.wait_for(anext(deliveries), 60)
        await transport.close()

    run(test)


def test_rooms_that_one_is_not_in(world: World, alice: User, bob: User) -> None:
    theirs = world.server.room(bob)

    async def test() -> None:
        for room, error, reason in [
            (theirs, NetworkError, "is not in the room"),
            ("!nowhere:mx.test", NetworkError, "is not in the room"),
            ("#nowhere:mx.test", NetworkError, "refused to find the room #nowhere:mx.test"),
            ("#\x1b[31mred:mx.test", NetworkError, r"refused to find the room #\[31mred:mx.test"),
            ("nowhere", InputError, "nowhere is not a Matrix room"),
        ]:
            for act in (world.send, world.receive):
                with pytest.raises(error, match=reason) as raised:
                    await act(alice, room)
                assert raised.value.hint or raised.value.remedy
                assert str(raised.value).isprintable()

    run(test)


def test_being_put_out_of_the_room_ends_the_following(world: World, alice: User, bob: User) -> None:
    room = world.server.room(alice, bob)

    async def test() -> None:
        transport = world.transport(bob, room)
        async with aclosing(transport.deliveries(follow=True)) as deliveries:
            waiting = asyncio.ensure_future(anext(deliveries))
            await asyncio.sleep(1)
            world.server.ask("POST", f"/_matrix/client/v3/rooms/{room}/kick", {"user_id": bob.id}, alice)
            with pytest.raises(NetworkError, match="is not in the room"):
                await asyncio.wait_for(waiting, 60)
        await transport.close()

    run(test)


@both
def test_a_picture_that_is_too_large_for_the_server(world: World, alice: User, bob: User, encrypted: bool) -> None:
    room = world.server.room(alice, bob, encrypted=encrypted)
    most = world.server.max_upload

    async def test() -> None:
        before = ids(world, room, alice)
        large = picture() + bytes(most - len(picture()) + 1)
        with pytest.raises(NetworkError, match=rf"has {most + 1} bytes, and http\S+ takes up to {most}\.$") as error:
            await world.send(alice, room, Parcel(large, "image/png"))
        assert error.value.hint or error.value.remedy
        assert ids(world, room, alice) == before
        await world.receive(bob, room)
        await world.send(alice, room, Parcel(large[:-1], "image/png"))
        assert [delivery.picture for delivery in await world.receive(bob, room)] == [large[:-1]]

    run(test)


def test_a_server_that_asks_to_wait_is_waited_for(world: World, alice: User, bob: User) -> None:
    room = world.server.room(alice, bob)
    admin = world.server.register("admin", admin=True)
    slowly = {"messages_per_second": 1, "burst_count": 1}
    world.server.ask("POST", f"/_synapse/admin/v1/users/{alice.id}/override_ratelimit", slowly, admin)

    async def test() -> None:
        transport = world.transport(alice, room)
        for number in range(4):
            await transport.send(Parcel(picture(number), "image/png"))
        await transport.close()
        got = await world.receive(bob, room)
        assert [delivery.picture for delivery in got] == [picture(number) for number in range(4)]

    run(test)


@pytest.mark.parametrize("address", ["matrix.example.org", "ftp://example.org", "https://", "http:///x", ""])
def test_an_address_that_is_none(world: World, alice: User, address: str) -> None:
    transport = MatrixTransport(address, "!a:b", Password("a", "b"), store=world.folder / "new", pickle_key="a secret")
    with pytest.raises(InputError, match="is not the address of a homeserver"):
        asyncio.run(transport.send(Parcel(picture(), "image/png")))
    assert not (world.folder / "new").exists()


def test_a_server_of_another_kind(world: World, tmp_path: Path) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 4\r\n\r\nhey!")
        await writer.drain()
        writer.close()

    async def test() -> None:
        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        async with server:
            url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            for login in (Password("a", "b"), AccessToken("t")):
                transport = MatrixTransport(url, "!a:b", login, store=tmp_path / "new", pickle_key="a secret")
                with pytest.raises(NetworkError) as error:
                    await transport.send(Parcel(picture(), "image/png"))
                assert error.value.hint or error.value.remedy
                await transport.close()

    run(test)


# What others may post


def post(world: World, room: str, user: User, number: int, content: dict[str, Any]) -> None:
    world.server.ask("PUT", f"/_matrix/client/v3/rooms/{room}/send/m.room.message/{number}", content, user)


def test_pictures_that_cannot_be_had_hide_no_others(
    world: World, alice: User, bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(matrix_session, "MAX_FILE_BYTES", 10_000)
    room = world.server.room(alice, bob)

    async def test() -> None:
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

    run(test)


def test_a_picture_that_was_changed_on_the_server(world: World, alice: User, bob: User) -> None:
    room = world.server.room(alice, bob, encrypted=True)

    async def test() -> None:
        await world.receive(bob, room)
        for number in (1, 2):
            await world.send(alice, room, Parcel(picture(number), "image/png"))
        stored = [path for path in (world.server.folder / "media_store" / "local_content").rglob("*") if path.is_file()]
        newest, *_ = sorted(stored, key=lambda path: path.stat().st_mtime_ns, reverse=True)
        data = bytearray(newest.read_bytes())
        data[0] ^= 1
        newest.write_bytes(data)
        assert [delivery.picture for delivery in await world.receive(bob, room)] == [picture(1)]

    run(test)


@pytest.mark.parametrize("package", ["nio", "vodozemac", "peewee", "Crypto"])
def test_without_nio_or_its_encryption_it_says_what_to_install(package: str) -> None:
    code = f"""
import sys
sys.modules["{package}"] = None
from stylecrypt_msg.errors import InputError
try:
    import stylecrypt_msg.transports.matrix
except InputError as error:
    print(error, error.hint)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "Matrix needs packages that are not installed. Run: pip install 'stylecrypt-msg[matrix]'\n"


def test_nio_does_not_write_to_the_terminal() -> None:
    code = """
import logging
import stylecrypt_msg.transports.matrix
logging.getLogger("nio.crypto.log").warning("Missing session for device ABC")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "")

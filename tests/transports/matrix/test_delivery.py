"""The Matrix transport against a real homeserver: every message arrives exactly once, whoever was away meanwhile."""

from __future__ import annotations

import asyncio
import json
import re
from contextlib import aclosing

import pytest
import stylecrypt_protocol as protocol

from stylecrypt_msg.errors import InputError, NetworkError, PictureError
from stylecrypt_msg.transports import Parcel
from stylecrypt_msg.transports.matrix import (
    AccessToken,
    picture_content,
    session,
)

from ...support.synapse import User
from .world import World, both, envelope, ids, picture

# From one to the other


@both
@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP"])
async def test_a_picture_arrives_as_it_was(world: World, alice: User, bob: User, encrypted: bool, format: str) -> None:
    room = world.server.room(alice, bob, encrypted=encrypted)
    sent = picture(1, format) + b"after the end"  # servers and nio are not to touch a byte
    media_type = f"image/{format.lower()}"
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


@both
async def test_an_envelope_travels_in_the_event(world: World, alice: User, bob: User, encrypted: bool) -> None:
    room = world.server.room(alice, bob, encrypted=encrypted)
    packed = envelope(30_000)  # near the 40 KB of JSON
    await world.receive(bob, room)
    await world.send(alice, room, Parcel(picture(), "image/png", packed))
    (delivery,) = await world.receive(bob, room)
    assert (delivery.picture, delivery.envelope) == (picture(), packed)
    assert (protocol.EVENT_KEY in json.dumps(world.server.events(room, bob))) is not encrypted


@both
async def test_an_envelope_that_fits_nowhere_sends_nothing(
    world: World, alice: User, bob: User, encrypted: bool
) -> None:
    room = world.server.room(alice, bob, encrypted=encrypted)
    before = ids(world, room, alice)
    with pytest.raises(InputError, match="fits neither into the picture nor into a Matrix event") as error:
        await world.send(alice, room, Parcel(picture(), "image/png", envelope(31_000)))
    assert error.value.hint or error.value.remedy
    assert ids(world, room, alice) == before


async def test_what_is_no_picture_is_not_sent(world: World, alice: User, bob: User) -> None:
    room = world.server.room(alice, bob)
    with pytest.raises(PictureError, match="not a picture"):
        await world.send(alice, room, Parcel(b"text", "image/png"))


async def test_a_damaged_envelope_is_passed_on_as_one(world: World, alice: User, bob: User) -> None:
    """Not as a missing one: the event's envelope counts, and the picture's own is ignored (SPEC 3.5)."""
    room = world.server.room(alice, bob)
    await world.send(alice, room)
    content = world.server.events(room, alice)[0]["content"]
    content[protocol.EVENT_KEY] = {"v": 1, "public": "garbage"}
    world.server.ask("PUT", f"/_matrix/client/v3/rooms/{room}/send/m.room.message/1", content, alice)
    good, bad = await world.receive(bob, room)
    assert good.envelope is None
    assert bad.envelope is not None
    with pytest.raises(protocol.MalformedError):
        protocol.Envelope.unpack(bad.envelope)


async def test_a_room_is_found_by_its_address(world: World, alice: User, bob: User) -> None:
    name = alice.id[1:].split(":")[0]
    room = world.server.room(alice, bob, alias=name)
    address = f"#{name}:{world.server.name}"
    assert (await world.send(alice, address)).startswith(f"{address}, $")
    (by_address,) = await world.receive(bob, address)
    assert by_address.conversation == address
    (by_id,) = await world.receive(bob, room, login=AccessToken(bob.access_token), store=world.folder / "other")
    assert by_id.reference == by_address.reference


async def test_other_rooms_texts_and_own_pictures_are_not_delivered(world: World, alice: User, bob: User) -> None:
    room, other = world.server.room(alice, bob), world.server.room(alice, bob)
    await world.send(alice, other)
    await world.send(bob, room)
    text = {"msgtype": "m.text", "body": "hello"}
    world.server.ask("PUT", f"/_matrix/client/v3/rooms/{room}/send/m.room.message/1", text, alice)
    await world.send(alice, room, Parcel(picture(7), "image/png"))
    assert [delivery.picture for delivery in await world.receive(bob, room)] == [picture(7)]


# Away, interrupted, started again


@both
@pytest.mark.parametrize("pages", [False, True], ids=["one page", "several pages"])
async def test_thirty_messages_while_away_all_arrive_in_order(
    world: World, alice: User, bob: User, encrypted: bool, pages: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From a busy room, the server sends only the newest events by itself."""
    if pages:
        monkeypatch.setattr(session, "_PAGE", 7)
    room = world.server.room(alice, bob, encrypted=encrypted)
    assert await world.receive(bob, room) == []
    transport = world.transport(alice, room)
    for number in range(30):
        await transport.send(Parcel(picture(number), "image/png"))
    await transport.close()
    got = await world.receive(bob, room)
    assert [delivery.picture for delivery in got] == [picture(number) for number in range(30)]
    assert len({delivery.reference for delivery in got}) == 30
    assert await world.receive(bob, room) == []


async def test_a_key_behind_a_hundred_others_is_waited_for(world: World, alice: User, bob: User) -> None:
    """Each run of a sender distributes a new key, and the server passes on a hundred at a time, the oldest first."""
    room = world.server.room(alice, bob, encrypted=True)
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


@both
async def test_what_was_not_dealt_with_comes_again(world: World, alice: User, bob: User, encrypted: bool) -> None:
    room = world.server.room(alice, bob, encrypted=encrypted)
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


@both
async def test_rooms_with_one_store_do_not_take_from_each_other(
    world: World, alice: User, bob: User, encrypted: bool
) -> None:
    rooms = [world.server.room(alice, bob, encrypted=encrypted) for _ in range(2)]
    for room in rooms:
        assert await world.receive(bob, room) == []
    for number, room in enumerate(rooms):
        await world.send(alice, room, Parcel(picture(number), "image/png"))
    for number, room in enumerate(rooms):
        assert [delivery.picture for delivery in await world.receive(bob, room)] == [picture(number)]


@both
async def test_messages_that_could_not_be_opened_yet_come_again(
    world: World, alice: User, bob: User, encrypted: bool
) -> None:
    """For example, those from somebody who is not a contact yet; but not ordinary pictures."""
    room = world.server.room(alice, bob, encrypted=encrypted)
    inside = protocol.put(picture(2), envelope(100))
    done: set[bytes] = set()
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


@both
async def test_sending_in_between_loses_nothing(world: World, alice: User, bob: User, encrypted: bool) -> None:
    room = world.server.room(alice, bob, encrypted=encrypted)
    await world.send(bob, room)  # his first contact with the server
    await world.send(alice, room, Parcel(picture(1), "image/png"))
    await world.send(bob, room)
    await world.send(alice, room, Parcel(picture(2), "image/png"))
    assert [delivery.picture for delivery in await world.receive(bob, room)] == [picture(1), picture(2)]


async def test_pictures_from_before_the_first_run_arrive(
    world: World, alice: User, bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "_PAGE", 4)
    monkeypatch.setattr(session, "_FIRST_PAGES", 2)
    room = world.server.room(alice, bob)
    transport = world.transport(alice, room)
    for number in range(20):
        await transport.send(Parcel(picture(number), "image/png"))
    await transport.close()
    assert [delivery.picture for delivery in await world.receive(bob, room)] == [
        picture(number) for number in range(8, 20)
    ]


async def test_a_key_that_comes_late_is_waited_for(
    world: World, alice: User, bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Servers that talk to each other deliver keys and messages by different ways."""
    room = world.server.room(alice, bob, encrypted=True)
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


@both
async def test_following_delivers_as_it_comes(world: World, alice: User, bob: User, encrypted: bool) -> None:
    room = world.server.room(alice, bob, encrypted=encrypted)
    transport = world.transport(bob, room)
    async with aclosing(transport.deliveries(follow=True)) as deliveries:
        for number in range(3):
            waiting = asyncio.ensure_future(anext(deliveries))
            await asyncio.sleep(0.3)  # time in which nothing must come
            assert not waiting.done()
            await world.send(alice, room, Parcel(picture(number), "image/png"))
            assert (await asyncio.wait_for(waiting, 20)).picture == picture(number)
            # He answers by the same session, while it waits for what comes next.
            waiting = asyncio.ensure_future(anext(deliveries))
            await asyncio.sleep(0.1)  # so that the answer goes while it waits
            await asyncio.wait_for(transport.send(Parcel(picture(100 + number), "image/png")), 20)
            await world.send(alice, room, Parcel(picture(200 + number), "image/png"))
            assert (await asyncio.wait_for(waiting, 20)).picture == picture(200 + number)
    await transport.close()
    got = await world.receive(alice, room)
    assert [delivery.picture for delivery in got] == [picture(100 + number) for number in range(3)]


@both
async def test_a_restarted_homeserver_changes_nothing(world: World, alice: User, bob: User, encrypted: bool) -> None:
    """While it is down, there is an error; afterwards, everything continues."""
    room = world.server.room(alice, bob, encrypted=encrypted)
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

"""The Matrix transport's store, and what servers refuse."""

from __future__ import annotations

import asyncio
import stat
from contextlib import aclosing
from pathlib import Path

import pytest

from stylecrypt_msg.errors import InputError, NetworkError
from stylecrypt_msg.transports import Parcel
from stylecrypt_msg.transports.matrix import (
    AccessToken,
    MatrixTransport,
    Password,
    state,
)

from ...support.synapse import User
from .world import World, both, device_of, ids, picture

# The store


async def test_the_store_is_for_its_owner_alone(world: World, alice: User, bob: User) -> None:
    room = world.server.room(alice, bob, encrypted=True)
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


async def test_one_program_at_a_time(world: World, alice: User, bob: User, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two would use one key for two messages."""
    room = world.server.room(alice, bob)
    monkeypatch.setattr(state, "_LOCKED", 0.1)
    transport = world.transport(alice, room)
    await transport.send(Parcel(picture(), "image/png"))
    with pytest.raises(InputError, match="is in use by another program") as error:
        await world.send(alice, room)
    assert error.value.hint or error.value.remedy
    await transport.close()
    await world.send(alice, room)


async def test_a_store_is_for_one_account(world: World, alice: User, bob: User) -> None:
    room = world.server.room(alice, bob)
    await world.send(alice, room)
    for login in (Password(bob.id, bob.password), AccessToken(bob.access_token), AccessToken(alice.access_token)):
        with pytest.raises(InputError, match="holds the keys of @alice-") as error:
            await world.send(alice, room, login=login)
        assert error.value.hint or error.value.remedy
    await world.send(alice, room)


async def test_another_programs_session_is_left_alone(world: World, alice: User, bob: User) -> None:
    """Keys of ours in place of its own would end its encryption."""
    room = world.server.room(alice, bob, encrypted=True)
    app, token = world.folder / "an app", AccessToken(bob.access_token)
    await world.receive(bob, room, login=token, store=app)
    with pytest.raises(InputError, match="belongs to another program"):
        await world.receive(bob, room, login=token, store=world.folder / "ours")
    await world.send(alice, room)
    assert len(await world.receive(bob, room, login=token, store=app)) == 1


async def test_a_device_that_was_logged_out_elsewhere_works_again(world: World, alice: User, bob: User) -> None:
    """The server has forgotten its keys, and nio believes that the server has them."""
    room = world.server.room(alice, bob, encrypted=True)
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


async def test_a_folder_that_cannot_be_used(world: World, alice: User, bob: User) -> None:
    room = world.server.room(alice, bob)
    (file := world.folder / "file").write_bytes(b"")
    damaged = [world.folder / "damaged", world.folder / "damaged too"]
    for store, name in zip(damaged, ["session.db", "keys.db"], strict=True):
        store.mkdir()
        (store / name).write_bytes(b"not a database" * 1000)
    for store, reason in [(file, "cannot be opened"), *((store, r"is damaged\.$") for store in damaged)]:
        with pytest.raises(InputError, match=reason) as error:
            await world.send(alice, room, store=store)
        assert error.value.hint or error.value.remedy


# What servers refuse


async def test_a_wrong_login(world: World, alice: User, bob: User) -> None:
    room = world.server.room(alice, bob)
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


async def test_a_token_that_is_withdrawn_ends_the_following(world: World, alice: User, bob: User) -> None:
    room = world.server.room(alice, bob)
    transport = world.transport(bob, room, login=AccessToken(bob.access_token))
    async with aclosing(transport.deliveries(follow=True)) as deliveries:
        waiting = asyncio.ensure_future(anext(deliveries))
        await asyncio.sleep(1)  # so that the server holds the request back
        world.server.ask("POST", "/_matrix/client/v3/logout", {}, bob)
        await world.send(alice, room)  # wakes the request that the server holds back
        with pytest.raises(NetworkError, match="does not accept the access token"):
            await asyncio.wait_for(waiting, 60)
            await asyncio.wait_for(anext(deliveries), 60)
    await transport.close()


async def test_rooms_that_one_is_not_in(world: World, alice: User, bob: User) -> None:
    theirs = world.server.room(bob)
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


async def test_being_put_out_of_the_room_ends_the_following(world: World, alice: User, bob: User) -> None:
    room = world.server.room(alice, bob)
    transport = world.transport(bob, room)
    async with aclosing(transport.deliveries(follow=True)) as deliveries:
        waiting = asyncio.ensure_future(anext(deliveries))
        await asyncio.sleep(1)  # so that the server holds the request back
        world.server.ask("POST", f"/_matrix/client/v3/rooms/{room}/kick", {"user_id": bob.id}, alice)
        with pytest.raises(NetworkError, match="is not in the room"):
            await asyncio.wait_for(waiting, 60)
    await transport.close()


@both
async def test_a_picture_that_is_too_large_for_the_server(
    world: World, alice: User, bob: User, encrypted: bool
) -> None:
    room = world.server.room(alice, bob, encrypted=encrypted)
    most = world.server.max_upload
    before = ids(world, room, alice)
    large = picture() + bytes(most - len(picture()) + 1)
    with pytest.raises(NetworkError, match=rf"has {most + 1} bytes, but http\S+ takes at most {most}\.$") as error:
        await world.send(alice, room, Parcel(large, "image/png"))
    assert error.value.hint or error.value.remedy
    assert ids(world, room, alice) == before
    await world.receive(bob, room)
    await world.send(alice, room, Parcel(large[:-1], "image/png"))
    assert [delivery.picture for delivery in await world.receive(bob, room)] == [large[:-1]]


async def test_a_server_that_asks_to_wait_is_waited_for(world: World, alice: User, bob: User) -> None:
    room = world.server.room(alice, bob)
    admin = world.server.register("admin", admin=True)
    slowly = {"messages_per_second": 1, "burst_count": 1}
    world.server.ask("POST", f"/_synapse/admin/v1/users/{alice.id}/override_ratelimit", slowly, admin)
    transport = world.transport(alice, room)
    for number in range(4):
        await transport.send(Parcel(picture(number), "image/png"))
    await transport.close()
    got = await world.receive(bob, room)
    assert [delivery.picture for delivery in got] == [picture(number) for number in range(4)]


@pytest.mark.parametrize("address", ["matrix.example.org", "ftp://example.org", "https://", "http:///x", ""])
def test_an_address_that_is_none(world: World, alice: User, address: str) -> None:
    transport = MatrixTransport(address, "!a:b", Password("a", "b"), store=world.folder / "new", pickle_key="a secret")
    with pytest.raises(InputError, match="is not the address of a homeserver"):
        asyncio.run(transport.send(Parcel(picture(), "image/png")))
    assert not (world.folder / "new").exists()


async def test_a_server_of_another_kind(world: World, tmp_path: Path) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 4\r\n\r\nhey!")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        for login in (Password("a", "b"), AccessToken("t")):
            transport = MatrixTransport(url, "!a:b", login, store=tmp_path / "new", pickle_key="a secret")
            with pytest.raises(NetworkError) as error:
                await transport.send(Parcel(picture(), "image/png"))
            assert error.value.hint or error.value.remedy
            await transport.close()

"""Who can read what is sent to a Matrix room, and that nothing that should be encrypted goes unencrypted."""

from __future__ import annotations

import copy
import json
import re
from typing import Any

import nio
import pytest
import stylecrypt_protocol as protocol

from stylecrypt_msg.errors import InputError, NetworkError, NotAuthorisedError
from stylecrypt_msg.transports import Parcel
from stylecrypt_msg.transports.matrix import AccessToken, Password
from stylecrypt_msg.transports.matrix.identities import SECRET_BYTES, CrossSigningIdentity, OwnKeys
from stylecrypt_msg.transports.matrix.server import ServerRefusalError
from stylecrypt_msg.transports.matrix.session import MatrixSession

from ...support.synapse import User
from .world import World, device_of, envelope, ids, picture, run

# Who may read along


async def new_device(world: World, user: User, room: str, **options: Any) -> tuple[str, str, str]:
    """Logs in once more, elsewhere."""
    transport = world.transport(user, room, **{"store": world.folder / f"another-{user.id[1:6]}", **options})
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
            with pytest.raises(NotAuthorisedError, match="a new device") as error:
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
    """A program that only sends is not told about changes, and must ask."""
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
    """Neither posts, nor the name of a device, which everybody in the room can query."""
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
        with pytest.raises(NotAuthorisedError, match="an unverified device could read it"):
            await world.send(alice, room, trust="verified")
        assert ids(world, room, alice) == before

        transport = world.transport(alice, room, trust="verified")
        with pytest.raises(NotAuthorisedError, match="has another key"):
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


# Cross-signing

KEYS, OTHER_KEYS = bytes(range(SECRET_BYTES)), bytes(range(SECRET_BYTES, 2 * SECRET_BYTES))


def test_a_device_that_its_owner_signed_is_that_persons(world: World, alice: User, bob: User) -> None:
    """Until their keys change: then somebody may have taken the account over."""
    room = world.server.room(alice, bob, encrypted=True)

    async def test() -> None:
        await world.receive(bob, room, identity=KEYS)
        await world.send(alice, room)
        await new_device(world, bob, room, identity=KEYS)
        await world.send(alice, room, Parcel(picture(5), "image/png"))
        elsewhere = world.folder / f"another-{bob.id[1:6]}"
        assert [d.picture for d in await world.receive(bob, room, store=elsewhere)] == [picture(5)]
        before = ids(world, room, alice)
        session = await MatrixSession.open(
            world.server.url,
            Password(bob.id, bob.password),
            store=world.folder / "a third one",
            pickle_key="x",
            identity=OTHER_KEYS,
            replace_identity=True,
        )
        await session.close()
        with pytest.raises(NotAuthorisedError, match=f"cross-signing keys of {bob.id} are not the ones") as error:
            await world.send(alice, room)
        assert session.device_id in str(error.value)
        assert ids(world, room, alice) == before

    run(test)


@pytest.mark.parametrize("by", ["a known device", "a new device"])
def test_keys_that_come_after_first_use_need_a_known_device(world: World, alice: User, bob: User, by: str) -> None:
    """A server could make up keys, and a device that they sign. It matters where not everybody may read."""
    room = world.server.room(alice, bob, encrypted=True)

    async def test() -> None:
        await world.receive(bob, room)
        await world.send(alice, room)
        if by == "a known device":
            await world.receive(bob, room, identity=KEYS)
        device = await new_device(world, bob, room, identity=KEYS)
        if by == "a known device":
            await world.send(alice, room)
        else:
            with pytest.raises(NotAuthorisedError, match=device[1]):
                await world.send(alice, room)
            await world.send(alice, room, Parcel(picture(5), "image/png"), trust="cross-signed")
            elsewhere = world.folder / f"another-{bob.id[1:6]}"
            assert [d.picture for d in await world.receive(bob, room, store=elsewhere)] == [picture(5)]

    run(test)


def test_signed_devices_alone_get_anything_with_cross_signed(world: World, alice: User, bob: User) -> None:
    room = world.server.room(alice, bob, encrypted=True)
    elsewhere = world.folder / f"another-{bob.id[1:6]}"

    async def test() -> None:
        await world.receive(bob, room, identity=KEYS)
        user_id, device_id, key = await new_device(world, bob, room)
        for shade in (1, 2):
            await world.send(alice, room, Parcel(picture(shade), "image/png"), trust="cross-signed")
        assert [d.picture for d in await world.receive(bob, room, identity=KEYS)] == [picture(1), picture(2)]
        assert await world.receive(bob, room, store=elsewhere) == []
        # It was neither blocked nor taken for known.
        with pytest.raises(NotAuthorisedError, match="an unverified device"):
            await world.send(alice, room, trust="verified")
        transport = world.transport(alice, room, trust="cross-signed")
        await transport.verify(user_id, device_id, key)
        await transport.send(Parcel(picture(3), "image/png"))
        await transport.close()
        assert [d.picture for d in await world.receive(bob, room, store=elsewhere)] == [picture(3)]

    run(test)


def test_forged_signatures_count_for_nothing(world: World, alice: User, bob: User) -> None:
    """A server that publishes keys in somebody's name can sign neither with theirs nor with those of their devices."""
    room = world.server.room(alice, bob, encrypted=True)

    async def test() -> None:
        await world.receive(bob, room, identity=KEYS)
        device = await new_device(world, bob, room)
        answer = world.server.ask("POST", "/_matrix/client/v3/keys/query", {"device_keys": {bob.id: []}}, alice)
        found = CrossSigningIdentity.read(bob.id, answer)
        assert found is not None
        assert len(found.signed) == len(found.vouching) == 1
        keys, [(signed, _)] = answer["device_keys"][bob.id], found.signed
        [name] = keys[signed]["signatures"][bob.id].keys() - {f"ed25519:{signed}"}
        forged = copy.deepcopy(answer)
        stolen = keys[signed]["signatures"][bob.id][name]
        forged["device_keys"][bob.id][device[1]]["signatures"][bob.id][name] = stolen
        assert CrossSigningIdentity.read(bob.id, forged) == found
        swapped = copy.deepcopy(answer)
        mine = OwnKeys(bob.id, OTHER_KEYS).published()["self_signing_key"]
        swapped["self_signing_keys"][bob.id] = mine
        made_up = CrossSigningIdentity.read(bob.id, swapped)
        assert made_up is not None
        assert made_up.signed == frozenset()
        damages: list[dict[str, Any]] = [
            {"keys": {}},
            {"keys": None},
            {"keys": {"ed25519:x": "y"}},
            {"usage": 1},
            {"user_id": ""},
        ]
        for damage in damages:
            published = {bob.id: {**answer["master_keys"][bob.id], **damage}}
            assert CrossSigningIdentity.read(bob.id, {**answer, "master_keys": published}) is None

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
    """It could read what follows. About a room never seen before it can claim anything, but it must claim it explicitly."""
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

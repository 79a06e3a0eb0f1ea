"""Who can read messages in a room, and who may: devices are pinned when they are first sent to, or verified."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Literal, TypeAlias

import nio
from nio.crypto.device import OlmDevice

from ...errors import InputError, NetworkError, NotAuthorisedError, Remedy
from .client import Client
from .server import Connection, Post, printable
from .state import State

__all__ = ["Devices", "Trust"]

Trust: TypeAlias = Literal["verified", "first-use"]
"""Which devices in an encrypted room may read messages: the verified ones; or, of each user, those that were
there when something was first sent to them, and those verified since."""


class Devices(Connection):
    """``blocked`` are devices that get nothing, as pairs of user id and device id."""

    blocked: Collection[tuple[str, str]] = ()

    def __init__(self, client: Client, state: State) -> None:
        super().__init__(client)
        self._state = state

    def verify(self, user_id: str, device_id: str, key: str) -> None:
        """Marks a device of a user as verified: ``key``, its Ed25519 key, was compared with what the device shows.

        Raises InputError for a device that was never seen, NotAuthorisedError for another key than its own.
        """
        device = self.client.device_store[user_id].get(device_id)
        if device is None or device.deleted:
            raise InputError(
                f"No device {printable(device_id)} of {printable(user_id)} is known.",
                hint="Devices become known when you try to send something to them.",
            )
        if device.ed25519 != "".join(key.split()):
            raise NotAuthorisedError(
                f"The device {device_id} of {user_id} has another key.",
                hint="Do not send to it: somebody may have put it there.",
            )
        self.client.verify_device(device)

    async def vouches_for(self, post: Post, trust: Trust) -> bool:
        """Whether a message comes from a device of its sender's that ``trust`` allows. For unencrypted ones, the
        server alone names the sender. Raises NetworkError."""
        if post.device_key is None:
            return False
        if not any(self.client.device_store.active_user_devices(post.sender)):
            await self.query_keys([post.sender])
        devices = [*self.client.device_store.active_user_devices(post.sender)]
        mine = [device for device in devices if device.curve25519 == post.device_key]
        if not mine or self.client.olm.is_device_blacklisted(mine[0]):
            return False
        pinned, unknown = self.unknown(devices, trust)
        self._state.set(devices=json.dumps(pinned))
        return mine[0] not in unknown

    async def room(self, room_id: str) -> nio.MatrixRoom:
        """Who is in a room, with which devices, and whether it is encrypted, according to the server. A room that was
        encrypted once always is: the server could claim otherwise to read a message."""
        client = self.client
        asked = await self.request(client.room_get_state_event(room_id, "m.room.encryption"))
        # nio takes any answer but 404 for the content of the event.
        status = asked.transport_response.status
        encrypted = status == 200
        if not encrypted and getattr(asked, "status_code", None) != "M_NOT_FOUND":
            if 400 <= status < 500 and status != 429:
                raise self.outside(room_id)
            raise self.refused(asked, f"say whether {room_id} is encrypted")
        room = client.rooms.setdefault(room_id, nio.MatrixRoom(room_id, client.user_id))
        room.encrypted = room.encrypted or encrypted or room_id in client.encrypted_rooms
        await self.answer(
            client.joined_members(room_id), nio.JoinedMembersResponse, f"say who is in the room {room_id}"
        )
        if room.encrypted:
            client.encrypted_rooms.add(room_id)
            client.store.save_encrypted_rooms({room_id})
            await self.query_keys(room.users)
            for user_id, device_id in self.blocked:
                device = client.device_store[user_id].get(device_id)
                if device is not None and not client.olm.is_device_blacklisted(device):
                    client.blacklist_device(device)
        return room

    async def query_keys(self, users: Sequence[str] | Mapping[str, Any]) -> nio.KeysQueryResponse:
        self.client.olm.users_for_key_query.update(users)  # on its own, nio asks only for users that it does not know
        return await self.answer(self.client.keys_query(), nio.KeysQueryResponse, "name the members' devices")

    def devices(self, room: nio.MatrixRoom) -> list[OlmDevice]:
        """The devices that can read a message in the room, other than this one."""
        return [
            device
            for user in room.users
            for device in self.client.device_store.active_user_devices(user)
            if device.id != self.device_id and not self.client.olm.is_device_blacklisted(device)
        ]

    def unknown(self, devices: Sequence[OlmDevice], trust: Trust) -> tuple[dict[str, dict[str, str]], list[OlmDevice]]:
        """The devices that ``trust`` does not allow; and the keys, to be kept, of all that were seen first."""
        pinned: dict[str, dict[str, str]] = json.loads(self._state.get("devices") or "{}")
        if trust == "first-use":
            new: dict[str, dict[str, str]] = {}
            for device in devices:
                if device.user_id not in pinned:
                    new.setdefault(device.user_id, {})[device.id] = device.ed25519
            pinned |= new
            unknown = [device for device in devices if pinned[device.user_id].get(device.id) != device.ed25519]
        else:
            unknown = list(devices)
        return pinned, [device for device in unknown if not self.client.olm.is_device_verified(device)]

    def check_devices(self, room: nio.MatrixRoom, trust: Trust) -> None:
        """nio's own check accepts devices that were ever ignored, in any mode; so the decision is made here."""
        pinned, unknown = self.unknown(self.devices(room), trust)
        if unknown:
            named = "; ".join(
                f"{printable(device.id)} of {device.user_id}, with the key {device.ed25519}" for device in unknown
            )
            what = "a new device" if trust == "first-use" else "an unverified device"
            raise NotAuthorisedError(
                f"Nothing was sent, since {what} could read it: {named}.",
                hint="Compare its key with the one that the device shows in its settings.",
                remedy=Remedy.VERIFY_DEVICE,
            )
        self._state.set(devices=json.dumps(pinned))

    async def share_keys(self, room: nio.MatrixRoom) -> None:
        """Gives the room's devices, which were checked, the key of the next messages."""
        client, room_id = self.client, room.room_id
        devices = self.devices(room)
        session = client.olm.outbound_group_sessions.get(room_id)
        if session and session.users_shared_with != {(device.user_id, device.id) for device in devices}:
            client.invalidate_outbound_session(room_id)  # somebody left, or was out of reach before
        if client.olm.should_share_group_session(room_id):
            await self.request(client.share_group_session(room_id, ignore_unverified_devices=True))
        # nio takes it as shared even if the server refused. A device without one-time keys is not in use.
        reached = client.olm.outbound_group_sessions[room_id].users_shared_with
        if any(
            (device.user_id, device.id) not in reached
            for device in devices
            if client.olm.session_store.get(device.curve25519)
        ):
            client.invalidate_outbound_session(room_id)
            raise NetworkError(f"{self.server} did not pass on the keys of the message.", hint="Try again.")

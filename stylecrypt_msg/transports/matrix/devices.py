"""Who can read messages in a room, and who may: devices are pinned when they are first sent to, or verified."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Literal, TypeAlias

import nio
from nio.crypto.device import OlmDevice

from ...errors import InputError, NetworkError, NotAuthorisedError, Remedy
from .client import Client
from .identities import CrossSigningIdentity
from .server import Connection, Post, printable
from .state import Pins, State

__all__ = ["Devices", "Trust"]

Trust: TypeAlias = Literal["verified", "first-use", "cross-signed"]
"""Which devices in an encrypted room may read messages.

Devices were verified one by one, or with their owner, whose cross-signing keys vouch for them ("signed"). Those keys are
pinned when something is first sent to their owner; other ones that come later vouch for nothing. Keys that come after devices
were pinned count, except for "cross-signed", only if one of these vouches for them: a server could have made them up.

- "verified": devices that were verified, or that a verified owner signed. Any other stops the message.
- "first-use": also those that pinned keys signed, and, of each user, those that were there when something was first sent to
  them. Any other stops the message.
- "cross-signed": those that pinned keys signed, and verified ones. Others are left out: they do not get the message's key.
  In private rooms, where only certain people may be, it is "first-use".
"""


class Devices(Connection):
    """``blocked`` are devices that get nothing, as pairs of user id and device id."""

    blocked: Collection[tuple[str, str]] = ()

    def __init__(self, client: Client, state: State) -> None:
        super().__init__(client)
        self._state = state
        self._identities: dict[str, CrossSigningIdentity | None] = {}

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
        """Whether a message comes from a device of its sender's that ``trust`` allows in private rooms. For unencrypted ones,
        the server alone names the sender. Raises NetworkError."""
        if post.device_key is None:
            return False
        if post.sender in self._identities and self._vouched(post, trust):
            return True
        await self.query_keys([post.sender])  # the device may be new, or newly signed
        return self._vouched(post, trust)

    def _vouched(self, post: Post, trust: Trust) -> bool:
        devices = [*self.client.device_store.active_user_devices(post.sender)]
        mine = [device for device in devices if device.curve25519 == post.device_key]
        if not mine or self._blacklisted(mine[0]):
            return False
        pins, unknown = self.unknown(devices, trust, private=True)
        pins.write(self._state)
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
                if device is not None and not self._blacklisted(device):
                    client.blacklist_device(device)
        return room

    async def query_keys(self, users: Sequence[str] | Mapping[str, Any]) -> nio.KeysQueryResponse:
        self.client.olm.users_for_key_query.update(users)  # on its own, nio asks only for users that it does not know
        answer = await self.answer(self.client.keys_query(), nio.KeysQueryResponse, "name the members' devices")
        for user in answer.device_keys:  # others' servers may not have answered
            self._identities[user] = CrossSigningIdentity.read(user, answer.whole)
        return answer

    def devices(self, room: nio.MatrixRoom) -> list[OlmDevice]:
        """The devices that could read a message in the room, other than this one and the blocked ones."""
        return [
            device
            for user in room.users
            for device in self.client.device_store.active_user_devices(user)
            if device.id != self.device_id and not self._blacklisted(device)
        ]

    def _blacklisted(self, device: OlmDevice) -> bool:
        return bool(self.client.store.is_device_blacklisted(device))

    def unknown(self, devices: Sequence[OlmDevice], trust: Trust, *, private: bool) -> tuple[Pins, list[OlmDevice]]:
        """The devices that ``trust`` does not allow; and what is known, to be kept, with all that was seen first."""
        if private and trust == "cross-signed":
            trust = "first-use"
        pins = Pins.read(self._state)
        if trust != "verified":
            theirs: dict[str, dict[str, str]] = {}
            for device in devices:
                theirs.setdefault(device.user_id, {})[device.id] = device.ed25519
            for user, keys in theirs.items():
                pins.first_use(user, keys, self._identities.get(user))
        return pins, [device for device in devices if not self._allowed(device, trust, pins)]

    def _allowed(self, device: OlmDevice, trust: Trust, pins: Pins) -> bool:
        if self.client.store.is_device_verified(device):
            return True
        identity, pin = self._identities.get(device.user_id), pins.identities.get(device.user_id)
        if (
            identity is not None
            and pin is not None
            and pin.master == identity.master
            and (device.id, device.ed25519) in identity.signed
            and (pin.verified or {"cross-signed": True, "first-use": pin.proved, "verified": False}[trust])
        ):
            return True
        return trust == "first-use" and pins.devices.get(device.user_id, {}).get(device.id) == device.ed25519

    def published(self, user_id: str) -> str | None:
        """Somebody's public master key as the server had it last, in base64; None if they have none."""
        identity = self._identities.get(user_id)
        return None if identity is None else identity.master

    def changed(self, user_id: str) -> bool:
        """Whether somebody's cross-signing keys are other ones than those that were pinned."""
        identity, pin = self._identities.get(user_id), Pins.read(self._state).identities.get(user_id)
        return identity is not None and pin is not None and pin.master != identity.master

    def readers(self, room: nio.MatrixRoom, trust: Trust, *, private: bool) -> list[OlmDevice]:
        """The devices that get the key of the next messages in the room, according to ``trust``.

        nio's own check accepts devices that were ever ignored, in any mode; so the decision is made here.

        Raises NotAuthorisedError if there are others in the room, unless they are to be left out.
        """
        devices = self.devices(room)
        pins, unknown = self.unknown(devices, trust, private=private)
        if unknown and (private or trust != "cross-signed"):
            raise self._unknown_error(unknown, trust)
        pins.write(self._state)
        readers = [device for device in devices if device not in unknown]
        if unknown:
            users = {device.user_id for device in unknown} - {device.user_id for device in readers}
            self.left_out(room.room_id, unknown, users)
        return readers

    def left_out(self, room_id: str, devices: Sequence[OlmDevice], users: Collection[str]) -> None:
        """Called before a message is sent that these devices will not be able to read, nor any other devices of these
        ``users``. Does nothing here."""

    def _unknown_error(self, unknown: Sequence[OlmDevice], trust: Trust) -> NotAuthorisedError:
        changed = sorted({device.user_id for device in unknown if self.changed(device.user_id)})
        if changed:
            return NotAuthorisedError(
                f"Nothing was sent, since the cross-signing keys of {printable(', '.join(changed))} are not the ones that they "
                f"were, and nothing else vouches for devices that could read it: {_named(unknown)}.",
                hint="Find out from them whether they made new ones; if not, somebody may be posing as them.",
                remedy=Remedy.VERIFY_DEVICE,
            )
        what = "an unverified device" if trust == "verified" else "a new device"
        return NotAuthorisedError(
            f"Nothing was sent, since {what} could read it: {_named(unknown)}.",
            hint="Compare its key with the one that the device shows in its settings.",
            remedy=Remedy.VERIFY_DEVICE,
        )

    async def share_keys(self, room: nio.MatrixRoom, devices: Sequence[OlmDevice]) -> None:
        """Gives these devices, and no others, the key of the next messages."""
        client, room_id = self.client, room.room_id
        names = {(device.user_id, device.id) for device in devices}
        session = client.olm.outbound_group_sessions.get(room_id)
        if session and session.users_shared_with != names:
            client.invalidate_outbound_session(room_id)  # somebody left, or was out of reach or left out before
        if client.olm.should_share_group_session(room_id):
            # nio leaves out blacklisted devices, and no others; it asks nobody else while it shares.
            client.olm.is_device_blacklisted = lambda device: (device.user_id, device.id) not in names
            try:
                await self.request(client.share_group_session(room_id, ignore_unverified_devices=True))
            finally:
                del client.olm.is_device_blacklisted
        # nio takes it as shared even if the server refused. A device without one-time keys is not in use.
        reached = client.olm.outbound_group_sessions[room_id].users_shared_with
        if any(
            (device.user_id, device.id) not in reached
            for device in devices
            if client.olm.session_store.get(device.curve25519)
        ):
            client.invalidate_outbound_session(room_id)
            raise NetworkError(f"{self.server} did not pass on the keys of the message.", hint="Try again.")


def _named(devices: Sequence[OlmDevice]) -> str:
    return "; ".join(f"{printable(device.id)} of {device.user_id}, with the key {device.ed25519}" for device in devices)

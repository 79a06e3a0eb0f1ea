"""The bot's Matrix account: a `MatrixSession`, plus what a permanent resident needs: rooms that
it makes or is invited to, messages that only its owner can have written, and profile fields."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import nio
from nio.crypto.device import OlmDevice
from stylecrypt_protocol import CARD_KEY

from stylecrypt_msg.transports.matrix.client import Client
from stylecrypt_msg.transports.matrix.devices import Trust
from stylecrypt_msg.transports.matrix.server import Post, ServerRefusalError
from stylecrypt_msg.transports.matrix.session import MESSAGES, MatrixSession, Undecryptable
from stylecrypt_msg.transports.matrix.state import State

__all__ = ["HEARD", "INVITATION", "BotSession", "RoomView"]

HEARD = (*MESSAGES, "m.room.member", "m.room.tombstone")
"""The types of events that a bot deals with."""

INVITATION = "invitation"
"""The type of the posts that stand for invitations: the content has the room's ``name``."""

_log = logging.getLogger(__name__)
_ADMINISTRATOR = 100  # the power level that apps call by that name
_ENCRYPTION = {"type": "m.room.encryption", "state_key": "", "content": {"algorithm": "m.megolm.v1.aes-sha2"}}


@dataclass(frozen=True)
class RoomView:
    """A room as the bot sees it. ``unknown``: untrusted devices, which prevent sending or get nothing."""

    encrypted: bool
    members: frozenset[str]
    unknown: tuple[str, ...]


class BotSession(MatrixSession):
    """Made by `open`.

    Attributes:
        on_invitation: called for every invitation.
        on_sync: called whenever the server answers.
        on_excluded: called with the id of somebody in a room who has no device that gets what is posted, and those that they
            have.
        on_undecryptable: called once for messages without a key.
    """

    on_invitation: Callable[[Post], object] = staticmethod(lambda _: None)
    on_sync: Callable[[], Awaitable[None]] | None = None
    on_excluded: Callable[[str, Sequence[OlmDevice]], None] = staticmethod(lambda *_: None)
    on_undecryptable: Callable[[Undecryptable], None] = staticmethod(lambda _: None)

    def __init__(self, client: Client, state: State) -> None:
        super().__init__(client, state)
        self._immovable: set[str] = set()

    async def maintain(self) -> None:
        if self.on_sync is not None:
            await self.on_sync()
        await super().maintain()

    def left_out(self, room_id: str, devices: Sequence[OlmDevice], users: Collection[str]) -> None:
        _log.info(
            "left out", extra={"room": room_id, "devices": [f"{device.user_id} {device.id}" for device in devices]}
        )
        for user in users:
            self.on_excluded(user, [device for device in devices if device.user_id == user])

    def undecryptable(self, what: Undecryptable) -> None:
        self.on_undecryptable(what)

    def invited(self, room_id: str, by: str, name: str) -> None:
        self.on_invitation(Post(room_id, f"invitation {secrets.token_hex(16)}", by, {"name": name}, INVITATION))

    async def join(self, room_id: str) -> None:
        """Raises NetworkError."""
        await self.answer(self.client.join(room_id), nio.JoinResponse, "let me into a room")

    async def leave(self, room_id: str) -> None:
        """Leaves a room, or declines the invitation to it. Raises NetworkError."""
        answer = await self.request(self.client.room_leave(room_id))
        if not isinstance(answer, nio.RoomLeaveResponse):
            refusal = self.refused(answer, "let me leave a room")
            if not refusal.final:
                raise refusal

    async def invite(self, room_id: str, user_id: str) -> None:
        """Raises NetworkError."""
        await self.answer(self.client.room_invite(room_id, user_id), nio.RoomInviteResponse, f"invite {user_id}")

    async def joined(self) -> list[str]:
        """The rooms that the bot is in. Raises NetworkError."""
        answer = await self.answer(self.client.joined_rooms(), nio.JoinedRoomsResponse, "list your rooms")
        return list(answer.rooms)

    async def members(self, room_id: str) -> frozenset[str]:
        """Who is in a room; nobody if the bot is not. Raises NetworkError."""
        answer = await self.request(self.client.joined_members(room_id))
        if isinstance(answer, nio.JoinedMembersResponse):
            return frozenset(member.user_id for member in answer.members)
        if (refusal := self.refused(answer, "say who is in a room")).final:
            return frozenset()
        raise refusal

    def present(self, room_id: str) -> frozenset[str]:
        """Who was in a room when something was last sent to it."""
        room = self.client.rooms.get(room_id)
        return frozenset() if room is None else frozenset(room.users) - frozenset(room.invited_users)

    async def membership(self, room_id: str, user_id: str) -> str | None:
        """Whether somebody has joined a room ("join"), is invited, or has left; None if they never were there, or the bot is
        not. Raises NetworkError."""
        content = await self._state_of(room_id, "m.room.member", user_id)
        return None if content is None else str(content.get("membership"))

    async def predecessor(self, room_id: str) -> str | None:
        """The room that a room replaces, by its own account. Raises NetworkError."""
        before = (await self._state_of(room_id, "m.room.create") or {}).get("predecessor")
        return str(before.get("room_id")) if isinstance(before, dict) else None

    async def _state_of(self, room_id: str, type: str, key: str = "") -> dict[str, Any] | None:
        answer = await self.request(self.client.room_get_state_event(room_id, type, key))
        status = answer.transport_response.status
        if status == 200 and isinstance(answer.content, dict):
            return dict(answer.content)
        if 400 <= status < 500 and status != 429:
            return None
        raise self.refused(answer, "tell the state of a room")

    async def direct_room(self, user_id: str, *, name: str = "", known: str | None = None) -> str:
        """The encrypted room with one other user: the known one, or an existing one, or a new one to which they
        are invited. Raises NetworkError."""
        for room_id in sorted(await self.joined(), key=lambda room_id: room_id != known):
            answer = await self.answer(
                self.client.room_get_state(room_id), nio.RoomGetStateResponse, f"say who is in {room_id}"
            )
            inside = {
                event["state_key"]
                for event in answer.events
                if event.get("type") == "m.room.member" and event["content"].get("membership") in ("join", "invite")
            }
            if inside == {self.user_id, user_id} and any(e.get("type") == "m.room.encryption" for e in answer.events):
                return str(room_id)
        made = await self.answer(
            self.client.room_create(
                name=name or None,
                is_direct=True,
                invite=[user_id],
                initial_state=[_ENCRYPTION],
                preset=nio.RoomPreset.private_chat,
            ),
            nio.RoomCreateResponse,
            f"make a room with {user_id}",
        )
        return str(made.room_id)

    async def share_power(self, room_id: str, user_id: str) -> None:
        """Makes somebody an administrator of a room, if the bot may. Raises NetworkError."""
        path, what = f"/rooms/{quote(room_id, safe='')}/state/m.room.power_levels", "share the power in a room"
        try:
            levels = await self.ask("GET", path, None, what)
            users = levels.get("users", {})
            if users.get(user_id, 0) < _ADMINISTRATOR:
                await self.ask("PUT", path, {**levels, "users": {**users, user_id: _ADMINISTRATOR}}, what)
        except ServerRefusalError as error:
            if not error.final:
                raise
            _log.info("no power to share", extra={"room": room_id, "error": str(error)})

    async def remove_others(self, room_id: str, allowed: Collection[str]) -> list[str]:
        """Removes everybody else from a room, and withdraws their invitations. Returns the ids of those whom the server let it
        remove. Raises NetworkError."""
        room = self.client.rooms.get(room_id)
        removed = []
        for user_id in sorted({*room.users, *room.invited_users} - {*allowed} - self._immovable) if room else []:
            answer = await self.request(self.client.room_kick(room_id, user_id))
            if isinstance(answer, nio.RoomKickResponse):
                room.remove_member(user_id)
                removed.append(user_id)
                continue
            refusal = self.refused(answer, f"remove {user_id} from a room")
            if not refusal.final:
                raise refusal
            _log.warning("not removed", extra={"room": room_id, "error": str(refusal)})
            self._immovable.add(user_id)
        return removed

    async def room_name(self, room_id: str) -> str:
        """The room's name for people: its name, its address, or its id."""
        for type, key in (("m.room.name", "name"), ("m.room.canonical_alias", "alias")):
            answer = await self.request(self.client.room_get_state_event(room_id, type))
            content = getattr(answer, "content", None)
            if isinstance(content, dict) and isinstance(content.get(key), str) and content[key].strip():
                return "".join(letter for letter in content[key][:100] if letter.isprintable())
        return room_id

    async def event(self, room_id: str, event_id: str) -> Post | None:
        """An earlier message; None if it is gone, or not visible to the bot. Raises NetworkError."""
        return await self.again(room_id, event_id)

    async def transaction(self, room_id: str, event_id: str) -> str | None:
        """The transaction id under which this device posted an event; None if it did not. Raises NetworkError."""
        answer = await self.request(self.client.room_get_event(room_id, event_id))
        if isinstance(answer, nio.RoomGetEventResponse):
            return answer.event.transaction_id  # type: ignore[no-any-return]
        if answer.transport_response.status in (403, 404):
            return None
        raise self.refused(answer, "return a message")

    async def redact(self, room_id: str, event_id: str, *, transaction: str) -> str:
        """Removes a message; returns the id of the event that does. Raises NetworkError."""
        request = self.client.room_redact(room_id, event_id, tx_id=transaction)
        return str((await self.answer(request, nio.RoomRedactResponse, "remove a message")).event_id)

    @property
    def has_keys(self) -> bool:
        """Whether it can encrypt and decrypt."""
        return self.client.olm is not None

    async def send_openly(self, room_id: str, type: str, content: Mapping[str, Any]) -> None:
        """Posts what any device in the room may read, trusted or not. Raises NetworkError."""
        async with self.client.sending:
            room = await self.room(room_id)
            if room.encrypted:
                await self.share_keys(room, self.devices(room))
            await self._put(room, type, content, None)

    async def device(self, user_id: str, device_id: str) -> Any:
        """A device as the server describes it now; None if there is none. Raises NetworkError."""
        await self.query_keys([user_id])
        return self.client.device_store[user_id].get(device_id)

    async def look(self, room_id: str, trust: Trust, *, private: bool) -> RoomView:
        """Who could read messages in a room, private or not; without keys, devices are not looked at. Raises NetworkError."""
        if not self.has_keys:
            encrypted = await self._state_of(room_id, "m.room.encryption") is not None
            return RoomView(encrypted, await self.members(room_id), ())
        async with self.client.sending:
            room = await self.room(room_id)
            unknown = self.unknown(self.devices(room), trust, private=private)[1] if room.encrypted else []
        devices = tuple(f"{device.user_id} {device.id} {device.ed25519}" for device in unknown)
        return RoomView(bool(room.encrypted), frozenset(room.users), devices)

    # Cards in profile fields (Matrix 1.16; MSC4133)

    async def publish_card(self, text: str | None) -> None:
        """Publishes a card in the account's profile; None withdraws it. Raises NetworkError."""
        path = self._field(self.user_id)
        if text is None:
            await self.ask("DELETE", path, None, "take a card out of the profile")
        else:
            await self.ask("PUT", path, {CARD_KEY: text}, "put a card into the profile")

    async def published_card(self, user_id: str) -> str | None:
        """The card in somebody's profile; None if there is none. Raises NetworkError."""
        try:
            answer = await self.ask("GET", self._field(user_id), None, f"show the card of {user_id}")
        except ServerRefusalError as error:
            if error.status == 404:
                return None
            raise
        text = answer.get(CARD_KEY)
        return text if isinstance(text, str) else None

    @staticmethod
    def _field(user_id: str) -> str:
        return f"/profile/{quote(user_id, safe='')}/{CARD_KEY}"

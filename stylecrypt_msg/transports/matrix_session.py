"""One Matrix account on one device: what `matrix.MatrixTransport` and bots are made of. It speaks of rooms and events.

nio does the protocol and the encryption. What is added here is what one run of a program after another needs: where the
last one stopped, which is moved on only when everything before was dealt with; messages beyond the newest hundred;
messages whose keys come after them; devices that were seen before; and errors for the person who reads them.

The store folder holds two SQLite files: nio's keys, each value locked with the pickle key, and the state of the session. One
program at a time has it: two would use up the same keys. Nothing here ever logs out, since that makes the keys worthless.
"""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import logging
import os
import re
import sqlite3
from collections.abc import AsyncGenerator, Awaitable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Self, TypeAlias, TypeVar

from ..errors import InputError, NetworkError, NotAuthorisedError, Remedy
from ..pictures import MAX_FILE_BYTES

try:
    import nio
    import vodozemac
    from aiohttp import ClientError
    from nio.crypto.attachments import decrypt_attachment
    from nio.crypto.device import OlmDevice
    from nio.store import SqliteStore
    from peewee import DatabaseError  # type: ignore[import-untyped]
except ImportError as error:  # also of what nio needs for encryption, without which nothing is sent
    raise InputError(
        "Matrix needs packages that are not installed.", remedy=Remedy.INSTALL_EXTRA, extra="matrix"
    ) from error

__all__ = [
    "AbsentError",
    "AccessToken",
    "InUseError",
    "LoggedOutError",
    "Login",
    "LoginToken",
    "MatrixSession",
    "Password",
    "Post",
    "ServerRefusalError",
    "Trust",
]

Trust: TypeAlias = Literal["verified", "first-use"]
"""Which devices in an encrypted room may read what is sent: those that were verified; or, of each user, those that were
there when something was first sent to them, and those that were verified since."""

_LOCKED = 30  # seconds to wait for another program to leave the store
_ANSWER, _TRANSFER = 120, 600  # seconds for a request with its repetitions, and for a picture
_POLL = 30_000  # milliseconds for which the server may hold back an answer that says nothing new
_PAGE = 100  # events at a time; what Synapse gives at most
_PAGES, _FIRST_PAGES = 1000, 10  # of messages that were missed, and of what was there before this device was
_WAITING = _KEPT = 256  # messages without keys; messages that were not dealt with

_KEYS, _STATE = "keys.db", "session.db"

# What nio warns of is told here where it matters. Without this, Python prints it for programs that set up no log.
logging.getLogger("nio").addHandler(logging.NullHandler())


@dataclass(frozen=True)
class AccessToken:
    """A token for a session that no other program uses."""

    token: str = field(repr=False)


@dataclass(frozen=True)
class Password:
    """A user id, such as "@alice:example.org" or "ann", and the password."""

    user: str
    password: str = field(repr=False)


@dataclass(frozen=True)
class LoginToken:
    """What a homeserver gives to a browser that somebody logged in with; good for one login."""

    token: str = field(repr=False)


Login: TypeAlias = AccessToken | Password | LoginToken


class ServerRefusalError(NetworkError):
    """The server answered, and does not do what it was asked for.

    ``status`` is that of HTTP. ``final``: it would say the same again.
    """

    def __init__(self, message: str, *, status: int, hint: str | None = None, remedy: Remedy | None = None) -> None:
        super().__init__(message, hint=hint, remedy=remedy)
        self.status = status

    @property
    def final(self) -> bool:
        return 400 <= self.status < 500 and self.status not in (408, 429)


class InUseError(InputError):
    """Another program has the store."""


class LoggedOutError(ServerRefusalError):
    """The access token is not good any more."""


class AbsentError(NetworkError):
    """Somebody has not come into a room yet, who could not read afterwards what is sent before."""


@dataclass(frozen=True)
class Post:
    """A message in a room, decrypted if it was encrypted.

    Attributes:
        sender: as the server says.
        content: what the sender wrote: anything at all.
        type: of the event.
        device_key: the Curve25519 key of the device that encrypted it; None: it was not encrypted.
        digest: the SHA-256 of what was encrypted, in hex: a server can post it again, but not otherwise.
    """

    room_id: str
    event_id: str
    sender: str
    content: Mapping[str, Any] = field(repr=False)
    type: str = "m.room.message"
    device_key: str | None = None
    digest: str | None = None

    @property
    def is_picture(self) -> bool:
        return self.content.get("msgtype") == "m.image"


class MatrixSession:
    """Made by `open`. ``user_id`` and ``device_id`` are one's own; ``client`` is nio's, for what is not here.

    ``blocked`` are the devices, as pairs of user id and device id, that get nothing.
    """

    blocked: Collection[tuple[str, str]] = ()

    def __init__(self, client: _Client, state: _State) -> None:
        self.client = client
        self._state = state
        self._most_bytes: int | None = None
        self._kept: list[tuple[str, str]] = []

    @classmethod
    async def open(cls, homeserver: str, login: Login, *, store: str | os.PathLike[str], pickle_key: str) -> Self:
        """Logs in, as the device that the folder ``store`` is for, and makes the folder if there is none yet.

        ``homeserver`` is a URL. ``pickle_key`` locks the keys in the store: a secret, and the same every time.

        Raises NetworkError (the server, or what it thinks of the login), InputError (the store is another account's, is in
        use, or locked with another key).
        """
        if not re.match(r"https?://[^/\s]", homeserver):
            raise InputError(
                f"{_printable(homeserver)} is not the address of a homeserver.", hint="Use https://matrix.example.org"
            )
        state = await asyncio.to_thread(_State, Path(store))
        config = nio.AsyncClientConfig(
            store=SqliteStore, store_name=_KEYS, pickle_key=pickle_key, max_timeouts=3, request_timeout=30
        )
        user = login.user if isinstance(login, Password) else ""
        client = _Client(homeserver.rstrip("/"), user, state.get("device_id"), str(store), config)
        session = cls(client, state)
        try:
            await session._log_in(login)
            await session._publish_keys()
        except BaseException:
            await session.close()
            raise
        return session

    @property
    def user_id(self) -> str:
        return str(self.client.user_id)

    @property
    def device_id(self) -> str:
        return str(self.client.device_id)

    async def close(self) -> None:
        await self.client.close()
        if self.client.store is not None:
            self.client.store.database.close()
        self._state.close()

    async def room_id(self, room: str) -> str:
        """The id of a room that one is in, given by id or address. Raises NetworkError if there is none."""
        if not room.startswith(("!", "#")):
            raise InputError(
                f"{_printable(room)} is not a Matrix room.", hint="Give its id (!...) or its address (#name:server)."
            )
        room_id = room
        if room.startswith("#"):
            found = await self._answer(
                self.client.room_resolve_alias(room), nio.RoomResolveAliasResponse, f"find the room {room}"
            )
            room_id = str(found.room_id)
        joined = await self._answer(self.client.joined_rooms(), nio.JoinedRoomsResponse, "name the rooms one is in")
        if room_id not in joined.rooms:
            raise self._outside(room)
        return room_id

    # Sending

    async def send(
        self,
        room_id: str,
        content: Mapping[str, Any],
        *,
        trust: Trust,
        type: str = "m.room.message",
        transaction: str | None = None,
        members: Collection[str] | None = None,
    ) -> str:
        """Posts an event: its id. In an encrypted room it is encrypted, if it is no reaction.

        Args:
            transaction: a name for it. What is sent again under the same one is there once.
            members: who has to be in the room, besides whom nobody may be; and it has to be encrypted.

        Raises NetworkError, AbsentError for a member who is missing; NotAuthorisedError for one too many, a room that is not
        encrypted, or a device that ``trust`` does not let read it. Nothing was sent then.
        """
        # Meanwhile nobody comes into the room, by what we know, and no device is added to those that were looked at.
        async with self.client.sending:
            room = await self._ready(room_id, trust, members)
            return await self._put(room, type, content, transaction)

    async def send_picture(
        self,
        room_id: str,
        picture: bytes,
        content: Mapping[str, Any],
        *,
        media_type: str,
        trust: Trust,
        thumbnail: bytes | None = None,
        transaction: str | None = None,
        members: Collection[str] | None = None,
    ) -> str:
        """Uploads a picture and its thumbnail, a JPEG, and posts them: the event's id. In an encrypted room, all is encrypted.

        ``content`` is that of the event, without the places of picture and thumbnail. For the rest see `send`.
        """
        await self._check_size(len(picture))
        async with self.client.sending:
            room = await self._ready(room_id, trust, members)
            content = {**content, **await self._upload(picture, media_type, encrypt=room.encrypted)}
            if thumbnail is not None:
                where = await self._upload(thumbnail, "image/jpeg", encrypt=room.encrypted)
                content["info"] = {**content["info"], **{f"thumbnail_{key}": value for key, value in where.items()}}
            return await self._put(room, "m.room.message", content, transaction)

    async def _ready(self, room_id: str, trust: Trust, members: Collection[str] | None) -> nio.MatrixRoom:
        """A room that may be sent to, whose devices have the keys."""
        room = await self._room(room_id)
        if members is not None:
            if not room.encrypted:
                raise NotAuthorisedError(
                    "Nothing was sent, since the room is not encrypted.",
                    hint="Turn encryption on, or use another room.",
                )
            if strangers := set(room.users) - set(members):
                raise NotAuthorisedError(
                    f"Nothing was sent, since others are in the room: {_printable(', '.join(sorted(strangers)))}.",
                    hint="Have them leave the room, or use another one.",
                )
            if missing := set(members) - set(room.users):
                raise AbsentError(
                    f"Nothing was sent, since {_printable(', '.join(sorted(missing)))} did not come into the room yet.",
                    hint="They have to accept the invitation.",
                )
        if room.encrypted:
            self._check_devices(room, trust)
            await self._share_keys(room)
        return room

    async def _put(self, room: nio.MatrixRoom, type: str, content: Mapping[str, Any], transaction: str | None) -> str:
        try:
            sent = await self._answer(
                self.client.room_send(
                    room.room_id, type, dict(content), tx_id=transaction, ignore_unverified_devices=True
                ),
                nio.RoomSendResponse,
                "post the message",
            )
        except (nio.EncryptionError, nio.GroupEncryptionError, nio.LocalProtocolError) as error:
            raise NetworkError("The message could not be encrypted, and was not sent.", hint="Try again.") from error
        return str(sent.event_id)

    def verify(self, user_id: str, device_id: str, key: str) -> None:
        """Marks a device of a user as verified: ``key``, its Ed25519 key, was compared with what the device shows.

        Raises InputError for a device that was never seen, NotAuthorisedError for another key than its own.
        """
        device = self.client.device_store[user_id].get(device_id)
        if device is None or device.deleted:
            raise InputError(
                f"No device {_printable(device_id)} of {_printable(user_id)} is known.",
                hint="Devices become known when something is to be sent to them.",
            )
        if device.ed25519 != "".join(key.split()):
            raise NotAuthorisedError(
                f"The key of the device {device_id} of {user_id} is another one.",
                hint="Do not send to it: somebody may have put it there.",
            )
        self.client.verify_device(device)

    async def upload_limit(self) -> int:
        """How many bytes a picture may have, as the server says. Raises NetworkError."""
        if self._most_bytes is None:
            config = await self._answer(
                self.client.content_repository_config(),
                nio.ContentRepositoryConfigResponse,
                "say how large pictures may be",
            )
            self._most_bytes = MAX_FILE_BYTES if config.upload_size is None else config.upload_size
        return self._most_bytes

    async def _check_size(self, size: int) -> None:
        most = await self.upload_limit()
        if size > most:  # the server would close the connection, and nio try again
            raise ServerRefusalError(
                f"The picture has {size} bytes, and {self._server} takes up to {most}.",
                remedy=Remedy.SEND_LESS,
                status=413,
            )

    async def _room(self, room_id: str) -> nio.MatrixRoom:
        """Who is in a room, with which devices, and whether it is encrypted, as the server says now. A room that was encrypted
        once always is: the server could say otherwise to see a message."""
        client = self.client
        asked = await self._request(client.room_get_state_event(room_id, "m.room.encryption"))
        # nio takes all but 404 for the content of the event.
        status = asked.transport_response.status
        encrypted = status == 200
        if not encrypted and getattr(asked, "status_code", None) != "M_NOT_FOUND":
            if 400 <= status < 500 and status != 429:
                raise self._outside(room_id)
            raise self._refused(asked, f"say whether {room_id} is encrypted")
        room = client.rooms.setdefault(room_id, nio.MatrixRoom(room_id, client.user_id))
        room.encrypted = room.encrypted or encrypted or room_id in client.encrypted_rooms
        await self._answer(
            client.joined_members(room_id), nio.JoinedMembersResponse, f"say who is in the room {room_id}"
        )
        if room.encrypted:
            client.encrypted_rooms.add(room_id)
            client.store.save_encrypted_rooms({room_id})
            await self._query_keys(room.users)
            for user_id, device_id in self.blocked:
                device = client.device_store[user_id].get(device_id)
                if device is not None and not client.olm.is_device_blacklisted(device):
                    client.blacklist_device(device)
        return room

    async def _query_keys(self, users: Sequence[str] | Mapping[str, Any]) -> nio.KeysQueryResponse:
        self.client.olm.users_for_key_query.update(users)  # nio alone asks only for those whom it does not know
        return await self._answer(self.client.keys_query(), nio.KeysQueryResponse, "name the members' devices")

    def _devices(self, room: nio.MatrixRoom) -> list[OlmDevice]:
        """Whatever can read a message in the room besides this device."""
        return [
            device
            for user in room.users
            for device in self.client.device_store.active_user_devices(user)
            if device.id != self.device_id and not self.client.olm.is_device_blacklisted(device)
        ]

    async def vouches_for(self, post: Post, trust: Trust) -> bool:
        """Whether a message comes from a device of its sender's that ``trust`` allows. Of those that were not encrypted, the
        server alone says who sent them. Raises NetworkError."""
        if post.device_key is None:
            return False
        if not any(self.client.device_store.active_user_devices(post.sender)):
            await self._query_keys([post.sender])
        devices = [*self.client.device_store.active_user_devices(post.sender)]
        mine = [device for device in devices if device.curve25519 == post.device_key]
        if not mine or self.client.olm.is_device_blacklisted(mine[0]):
            return False
        pinned, unknown = self._unknown(devices, trust)
        self._state.set(devices=json.dumps(pinned))
        return mine[0] not in unknown

    def _unknown(self, devices: Sequence[OlmDevice], trust: Trust) -> tuple[dict[str, dict[str, str]], list[OlmDevice]]:
        """Those that ``trust`` does not allow; and of all that were seen at first, the keys, which are to be kept."""
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

    def _check_devices(self, room: nio.MatrixRoom, trust: Trust) -> None:
        """nio's own check passes devices that were ever passed over, in whatever mode; so all is decided here."""
        pinned, unknown = self._unknown(self._devices(room), trust)
        if unknown:
            named = "; ".join(
                f"{_printable(device.id)} of {device.user_id}, with the key {device.ed25519}" for device in unknown
            )
            what = "a device that is new" if trust == "first-use" else "a device that was not verified"
            raise NotAuthorisedError(
                f"Nothing was sent, since {what} could read it: {named}.",
                hint="Compare its key with the one that the device shows in its settings.",
                remedy=Remedy.VERIFY_DEVICE,
            )
        self._state.set(devices=json.dumps(pinned))

    async def _share_keys(self, room: nio.MatrixRoom) -> None:
        """Gives the room's devices, which were checked, the key for what comes."""
        client, room_id = self.client, room.room_id
        devices = self._devices(room)
        session = client.olm.outbound_group_sessions.get(room_id)
        if session and session.users_shared_with != {(device.user_id, device.id) for device in devices}:
            client.invalidate_outbound_session(room_id)  # somebody left, or could not be reached before
        if client.olm.should_share_group_session(room_id):
            await self._request(client.share_group_session(room_id, ignore_unverified_devices=True))
        # nio takes it as shared even where the server refused. A device without one-time keys is none that is in use.
        reached = client.olm.outbound_group_sessions[room_id].users_shared_with
        if any(
            (device.user_id, device.id) not in reached
            for device in devices
            if client.olm.session_store.get(device.curve25519)
        ):
            client.invalidate_outbound_session(room_id)
            raise NetworkError(f"{self._server} did not pass on the keys of the message.", hint="Try again.")

    async def _upload(self, picture: bytes, media_type: str, *, encrypt: bool) -> dict[str, Any]:
        upload, keys = await self._request(
            self.client.upload(
                lambda *_: io.BytesIO(picture), content_type=media_type, encrypt=encrypt, filesize=len(picture)
            ),
            _TRANSFER,
        )
        if not isinstance(upload, nio.UploadResponse):
            raise self._refused(upload, "take the picture")
        return {"file": {**keys, "url": upload.content_uri}} if encrypt else {"url": upload.content_uri}

    # Receiving

    async def posts(
        self, *, rooms: Sequence[str] | None = None, follow: bool, types: Collection[str] = ("m.room.message",)
    ) -> AsyncGenerator[Post, None]:
        """Messages since the last run for these rooms, or for all that one is in; each room's in order.

        What was yielded counts as dealt with when another one is asked for after all that the server sent with it, unless it
        is to `keep`; a run that ends before gets it again. The first run starts up to 1000 messages back.

        Raises NetworkError; the place is kept then.
        """
        client, place = self.client, _Place.read(self._state, rooms)
        client.next_batch = ""  # nio does not decrypt what it thinks that it has seen
        self._kept = []
        for room_id, event_id in place.kept:
            if (post := await self._again(room_id, event_id)) is not None:
                yield post
        timeout = 0
        while True:
            answer = await self._answer(
                client.sync(timeout=timeout, since=place.since, sync_filter=_filter(rooms)),
                nio.SyncResponse,
                "say what is new",
                _TRANSFER + _ANSWER,  # a picture that is being sent is waited for
            )
            for room_id in answer.rooms.leave:
                if rooms is not None and room_id in rooms:
                    raise self._outside(room_id)
            for room_id, invitation in answer.rooms.invite.items():
                for event in invitation.invite_state:
                    if isinstance(event, nio.InviteMemberEvent) and event.state_key == self.user_id:
                        await self.invited(room_id, event.sender)
            await self._maintain()
            posts, waiting = self._late(place.waiting)
            for room_id, info in answer.rooms.join.items():
                events = list(info.timeline.events)
                if info.timeline.limited:
                    events = await self._missed(room_id, info.timeline.prev_batch, place.since, types) + events
                for event in events:
                    if isinstance(event, nio.MegolmEvent):
                        waiting.append((room_id, event.source))
                    elif (post := _post(room_id, event)) is not None:
                        posts.append(post)
            for post in posts:
                if post.type in types:
                    yield post
            place = _Place(answer.next_batch, waiting[-_WAITING:], self._kept)
            place.write(self._state, rooms)
            if follow:
                timeout = _POLL
            elif not answer.rooms.join and not answer.to_device_events:
                return

    async def invited(self, room_id: str, by: str) -> None:
        """Hears of an invitation, once. Nothing is done about it here."""

    def keep(self, post: Post) -> None:
        """Has a post come again with the next run, since it could not be dealt with yet. The newest 256 are kept."""
        self._kept = [*self._kept, (post.room_id, post.event_id)][-_KEPT:]

    async def picture(self, post: Post) -> bytes | None:
        """The picture of a post, decrypted. None: it is gone, too large, damaged, or there was none.

        Raises NetworkError when the server cannot be asked.
        """
        file = post.content.get("file")
        url = file.get("url") if isinstance(file, dict) else post.content.get("url")
        info = post.content.get("info")
        size = info.get("size") if isinstance(info, dict) else None
        if (
            not isinstance(url, str)
            or not _MXC.fullmatch(url)
            or (isinstance(size, int) and size > self.client.largest)
        ):
            return None
        answer = await self._request(self.client.download(url), _TRANSFER)
        if not isinstance(answer, nio.MemoryDownloadResponse):
            if answer.transport_response.status in (400, 403, 404, 410, 413):
                return None
            raise self._refused(answer, "give out a picture")
        if len(answer.body) > self.client.largest:
            return None
        if not isinstance(file, dict):
            return bytes(answer.body)
        try:
            key, sha256, iv = file["key"]["k"], file["hashes"]["sha256"], file["iv"]
            return await asyncio.to_thread(decrypt_attachment, answer.body, key, sha256, iv)
        except (KeyError, TypeError, ValueError, AttributeError, nio.EncryptionError):
            return None

    async def _maintain(self) -> None:
        """What nio does between syncs, but asking for devices: those belong to sending."""
        client = self.client
        if client.should_upload_keys:
            await self._answer(client.keys_upload(), nio.KeysUploadResponse, "take this device's keys")
        if client.should_claim_keys:
            await self._request(client.keys_claim(client.get_users_for_key_claiming()))
        await self._request(client.send_to_device_messages())

    def _late(self, waiting: Sequence[_Source]) -> tuple[list[Post], list[_Source]]:
        """Of the messages without keys, those whose keys have come; and the others."""
        posts, still = [], []
        for room_id, source in waiting:
            event = nio.Event.parse_event(source)
            event.room_id = room_id
            try:
                decrypted = self.client.decrypt_event(event)
            except nio.EncryptionError:
                still.append((room_id, source))
            else:
                if (post := _post(room_id, decrypted)) is not None:
                    posts.append(post)
        return posts, still

    async def _again(self, room_id: str, event_id: str) -> Post | None:
        """A message that came before. None: it is gone."""
        answer = await self._request(self.client.room_get_event(room_id, event_id))
        if isinstance(answer, nio.RoomGetEventResponse):
            return _post(room_id, answer.event)
        if answer.transport_response.status in (403, 404):
            return None
        raise self._refused(answer, "give out a message")

    async def _missed(self, room_id: str, start: str, since: str | None, types: Collection[str]) -> list[nio.Event]:
        """The messages between where the last run stopped and what the server sent of itself, the oldest first."""
        events: list[nio.Event] = []
        for _ in range(_PAGES if since else _FIRST_PAGES):
            page = await self._answer(
                self.client.room_messages(
                    room_id,
                    start,
                    since,
                    limit=_PAGE,
                    message_filter={"types": [*types, "m.room.encrypted"]},
                ),
                nio.RoomMessagesResponse,
                f"give out what was missed in {room_id}",
            )
            events += page.chunk
            if not page.end or page.end == start:
                break
            start = page.end
        return events[::-1]

    # Logging in

    async def _log_in(self, login: Login) -> None:
        client, state = self.client, self._state
        device_id = state.get("device_id")
        if isinstance(login, Password):
            # Without a name of the device: whoever shares a room can ask for it.
            await self._answer(client.login(login.password), nio.LoginResponse, f"let {login.user} in")
        elif isinstance(login, LoginToken):
            await self._answer(
                client.login(token=login.token, device_name="StyleCrypt"), nio.LoginResponse, "let one in"
            )
        else:
            client.access_token = login.token
            me = await self._answer(client.whoami(), nio.WhoamiResponse, "say whose access token this is")
            if not me.device_id:
                raise InputError(
                    "The access token belongs to no device.", hint="Log in with a password to get one that does."
                )
            self._check_account(me.user_id, me.device_id)
            client.restore_login(me.user_id, me.device_id, login.token)
        self._check_account(client.user_id, client.device_id)
        if device_id is None:
            state.set(user_id=client.user_id, device_id=client.device_id)

    def _check_account(self, user_id: str, device_id: str) -> None:
        mine = self._state.get("user_id"), self._state.get("device_id")
        if mine not in ((None, None), (user_id, device_id)):
            raise InputError(
                f"{self._state.folder} holds the keys of {mine[0]} on the device {mine[1]}, and the login is that of "
                f"{user_id} on {device_id}.",
                hint="Use the login that the folder was made with, or another folder.",
            )

    async def _publish_keys(self) -> None:
        """Makes sure that the server hands out this device's keys, and no others for it."""
        client = self.client
        mine = (await self._query_keys([self.user_id])).device_keys.get(self.user_id, {}).get(self.device_id)
        if mine is None:
            client.olm.account.shared = False  # somebody logged the device out; nio believes that all is there
        elif mine.get("keys", {}).get(f"ed25519:{self.device_id}") != client.olm.account.identity_keys["ed25519"]:
            raise InputError(
                f"The device {self.device_id} of {self.user_id} belongs to another program.",
                hint="Log in with a password, or make an access token for this program alone.",
            )
        if client.should_upload_keys:
            await self._answer(client.keys_upload(), nio.KeysUploadResponse, "take this device's keys")

    # Asking the server

    @property
    def _server(self) -> str:
        return str(self.client.homeserver)

    async def _request(self, request: Awaitable[Any], seconds: float = _ANSWER) -> Any:
        """What nio makes of the server's answer, and NetworkError when there is none."""
        try:
            async with asyncio.timeout(seconds):
                return await request
        except (ClientError, TimeoutError, OSError) as error:
            raise NetworkError(
                f"{self._server} does not answer.", hint="Check the address and the network, and try again."
            ) from error
        except (AttributeError, KeyError, TypeError, ValueError) as error:  # nio trusts the shape of most answers
            raise NetworkError(
                f"{self._server} sent something that is not Matrix.", hint="Check the address of the homeserver."
            ) from error

    async def _answer(self, request: Awaitable[Any], kind: type[_Answer], to: str, seconds: float = _ANSWER) -> _Answer:
        answer = await self._request(request, seconds)
        if not isinstance(answer, kind):
            raise self._refused(answer, to)
        return answer

    def _outside(self, room: str) -> ServerRefusalError:
        return ServerRefusalError(
            f"{self.user_id} is not in the room {_printable(room)}, or there is none of that name.",
            hint="Check the name, and join the room with any Matrix app first.",
            status=403,
        )

    def _refused(self, answer: Any, to: str) -> ServerRefusalError:
        code, said = getattr(answer, "status_code", None), getattr(answer, "message", "")
        status = getattr(answer.transport_response, "status", 0)
        if code in ("M_UNKNOWN_TOKEN", "M_MISSING_TOKEN"):
            return LoggedOutError(
                f"{self._server} does not accept the access token.",
                hint="Log in anew, and use the new token.",
                status=status,
            )
        reason = _printable(f"{said} ({code})" if code else "it did not say why")
        return ServerRefusalError(
            f"{self._server} refused to {_printable(to)}: {reason}.",
            hint="Check what was asked of it, and the login.",
            status=status,
        )


_Answer = TypeVar("_Answer")

_MXC = re.compile(r"mxc://[A-Za-z0-9.:\[\]-]+/[A-Za-z0-9_=-]+")


class _Client(nio.AsyncClient):  # type: ignore[misc]  # nio has no types
    """nio's client, with these differences: while ``sending`` is held, what the server says of rooms and devices waits; of a
    download, no more than a picture may have is kept; and keys that are locked with another pickle key are an InputError."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.sending = asyncio.Lock()
        self.largest = MAX_FILE_BYTES

    def load_store(self) -> None:
        try:
            super().load_store()
        except (vodozemac.PickleException, vodozemac.LibolmPickleException) as error:
            raise InputError(
                f"The Matrix keys in {self.store_path} are locked with another key.",
                hint="Use the profile that they were made with, or another folder.",
            ) from error
        except DatabaseError as error:
            raise _damaged(self.store_path) from error
        decrypt = self.olm.decrypt_megolm_event

        def with_digest(event: nio.MegolmEvent, *room_id: str) -> Any:
            decrypted = decrypt(event, *room_id)
            decrypted.digest = hashlib.sha256(event.ciphertext.encode()).hexdigest()
            return decrypted

        self.olm.decrypt_megolm_event = with_digest

    async def receive_response(self, response: Any) -> None:
        if isinstance(response, nio.SyncResponse):
            async with self.sending:
                await super().receive_response(response)
        else:
            await super().receive_response(response)

    async def create_matrix_response(
        self, response_class: Any, transport_response: Any, data: Any = None, save_to: Any = None
    ) -> Any:
        if not issubclass(response_class, nio.MemoryDownloadResponse) or transport_response.status != 200:
            return await super().create_matrix_response(response_class, transport_response, data, save_to)
        body = bytearray()
        async for chunk in transport_response.content.iter_chunked(2**16):
            body += chunk
            if len(body) > self.largest:
                transport_response.close()
                break
        response = response_class.from_data(bytes(body), transport_response.content_type)
        response.transport_response = transport_response
        return response


_Source: TypeAlias = tuple[str, dict[str, Any]]  # the room of an event, and the event as the server sent it


@dataclass(frozen=True)
class _Place:
    """Where receiving stopped. The server's mark is for all rooms; those that were not asked for have places of their own."""

    since: str | None = None
    waiting: Sequence[_Source] = ()
    kept: Sequence[tuple[str, str]] = ()

    @classmethod
    def read(cls, state: _State, rooms: Sequence[str] | None) -> Self:
        return cls(*json.loads(state.get(cls._name(rooms)) or "[]"))

    def write(self, state: _State, rooms: Sequence[str] | None) -> None:
        state.set(**{self._name(rooms): json.dumps([self.since, self.waiting, self.kept])})

    @staticmethod
    def _name(rooms: Sequence[str] | None) -> str:
        return "place " + json.dumps(None if rooms is None else sorted(rooms))


class _State:
    """What a session keeps besides its keys: a few texts by name. While it is open, no other program can open it.

    Raises InputError if it cannot be opened.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            for name in (_KEYS, _STATE):  # before SQLite makes them, for all to read
                os.close(os.open(folder / name, os.O_RDWR | os.O_CREAT, 0o600))
            self._db = sqlite3.connect(folder / _STATE, timeout=_LOCKED, isolation_level=None, check_same_thread=False)
        except (OSError, sqlite3.Error) as error:
            raise InputError(
                f"The Matrix session in {folder} cannot be opened: {error}.",
                hint="Check the folder and its permissions.",
            ) from error
        try:
            self._db.execute("PRAGMA locking_mode = EXCLUSIVE")
            self._db.execute("BEGIN EXCLUSIVE")  # what is locked stays so until it is closed
            self._db.execute("CREATE TABLE IF NOT EXISTS state (name TEXT PRIMARY KEY, value TEXT NOT NULL)")
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            self._db.close()
            if isinstance(error, sqlite3.OperationalError):
                raise InUseError(
                    f"The Matrix session in {folder} is in use by another program.",
                    hint="Wait for it or stop it, or give this one a folder of its own.",
                ) from error
            raise _damaged(folder) from error

    def get(self, name: str) -> str | None:
        row = self._db.execute("SELECT value FROM state WHERE name = ?", (name,)).fetchone()
        return None if row is None else str(row[0])

    def set(self, **values: str) -> None:
        """All of them or none."""
        self._db.execute("BEGIN")
        self._db.executemany("INSERT OR REPLACE INTO state VALUES (?, ?)", values.items())
        self._db.execute("COMMIT")

    def close(self) -> None:
        self._db.close()


def _damaged(folder: Path | str) -> InputError:
    return InputError(
        f"The Matrix session in {folder} is damaged.", hint="Restore the folder from a backup, or use another one."
    )


def _filter(rooms: Sequence[str] | None) -> dict[str, Any]:
    """Of what the server would send, what is of use."""
    nothing: dict[str, Any] = {"types": []}
    return {
        "presence": nothing,
        "account_data": nothing,
        "room": {
            **({} if rooms is None else {"rooms": list(rooms)}),
            "ephemeral": nothing,
            "account_data": nothing,
            "state": {"lazy_load_members": True},
            "timeline": {"limit": _PAGE},
        },
    }


def _post(room_id: str, event: Any) -> Post | None:
    """An event as a message; None: it is something else."""
    source = event.source
    content, type = source.get("content"), source.get("type")
    if type not in ("m.room.message", "m.reaction") or not isinstance(content, dict):
        return None
    if not getattr(event, "decrypted", False):
        return Post(room_id, event.event_id, event.sender, content, type)
    return Post(room_id, event.event_id, event.sender, content, type, event.sender_key, event.digest)


def _printable(text: str) -> str:
    """Text from outside, fit for one line on a terminal."""
    return "".join(letter for letter in text[:200] if letter.isprintable())

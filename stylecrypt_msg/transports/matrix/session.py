"""One Matrix account on one device: the base of `matrix.MatrixTransport` and of bots. It deals in rooms and events.

nio handles the protocol and the encryption. This module adds what successive runs of a program need: the position where the
last one stopped, which advances only when everything before was handled; messages beyond the newest hundred;
messages whose keys arrive after them; devices that were seen before; and errors written for people.

The store folder holds two SQLite files: nio's keys, each value locked with the pickle key, and the state of the session. One
program at a time may use it: two would use up the same keys. Nothing here ever logs out, since that makes the
keys worthless.
"""

from __future__ import annotations

import asyncio
import io
import math
import os
import re
import secrets
import time
from collections.abc import AsyncGenerator, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import nio
from nio.crypto.attachments import decrypt_attachment
from nio.store import SqliteStore

from ...errors import InputError, NetworkError, NotAuthorisedError, Remedy
from ...files import MAX_FILE_BYTES
from .backup import Backup
from .client import Client
from .devices import Trust
from .identities import OwnKeys
from .server import ANSWER, AbsentError, Login, LoginToken, Masquerade, Password, Post, ServerRefusalError, printable
from .state import KEYS, Source, State, SyncPosition

__all__ = ["KEY_PATIENCE", "MESSAGES", "MatrixSession", "Undecryptable"]

MESSAGES = ("m.room.message", "m.reaction", "m.room.redaction")
"""The types of events with which people say something."""

_TRANSFER = 600  # seconds for a picture
_POLL = 30_000  # milliseconds that the server may wait for news before it answers
_PAGE = 100  # events at a time; Synapse's maximum
_PAGES, _FIRST_PAGES = 1000, 10  # of missed messages, and of messages from before this device existed
KEY_PATIENCE = 20.0
"""Seconds that a message's key may take after the message."""
_WAITING = _KEPT = 256  # messages without keys; messages that were not handled


@dataclass(frozen=True)
class Undecryptable:
    """Messages in a room without a key.

    Attributes:
        sender: according to the server.
        session_id: of the encryption session that they belong to.
        device_id: of the device that sent them, according to the server.
        code: why the device did not give the key, such as "m.unverified"; None if it did not say.
    """

    room_id: str
    sender: str
    session_id: str
    device_id: str
    code: str | None


class MatrixSession(Backup):
    """Made by `open`: rooms, messages sent and received."""

    def __init__(self, client: Client, state: State) -> None:
        super().__init__(client, state)
        self._most_bytes: int | None = None
        self._kept: list[tuple[str, str]] = []
        self._withheld: dict[str, str] = {}
        self._waits_since: dict[str, float] = {}

    @classmethod
    async def open(
        cls,
        homeserver: str,
        login: Login,
        *,
        store: str | os.PathLike[str],
        pickle_key: str,
        identity: bytes | None = None,
        replace_identity: bool = False,
    ) -> Self:
        """Logs in as the device of the folder ``store``, and makes the folder if there is none yet.

        Args:
            homeserver: a URL.
            pickle_key: locks the keys in the store: a secret, and the same every time.
            identity: the account's cross-signing keys, as 96 random bytes: a secret, and the same every time. They are
                published if the account has none, and sign this device; `identity_error` says why not.
            replace_identity: they take the place of other ones that the account has.

        Raises NetworkError (the server fails, or refuses the login), InputError (the store belongs to another account, is in
        use, or locked with another key).
        """
        if not re.match(r"https?://[^/\s]", homeserver):
            raise InputError(
                f"{printable(homeserver)} is not the address of a homeserver.", hint="Use https://matrix.example.org"
            )
        state = await asyncio.to_thread(State, Path(store))
        config = nio.AsyncClientConfig(
            store=SqliteStore, store_name=KEYS, pickle_key=pickle_key, max_timeouts=3, request_timeout=30
        )
        user = login.user if isinstance(login, Password) else ""
        client = Client(homeserver.rstrip("/"), user, state.get("device_id"), str(store), config)
        session = cls(client, state)
        client.add_to_device_callback(session._hear_withheld, nio.UnknownToDeviceEvent)
        try:
            await session._log_in(login)
            await session._publish_keys()
            if identity is not None:
                await session.publish_identity(
                    OwnKeys(session.user_id, identity),
                    password=login if isinstance(login, Password) else None,
                    replace=replace_identity,
                )
        except BaseException:  # even a cancelled task leaves no connection open
            await session.close()
            raise
        return session

    async def close(self) -> None:
        await self.client.close()
        if self.client.store is not None:
            self.client.store.database.close()
        self._state.close()

    async def room_id(self, room: str) -> str:
        """The id of a joined room, given by id or address. Raises NetworkError if there is none."""
        if not room.startswith(("!", "#")):
            raise InputError(
                f"{printable(room)} is not a Matrix room.", hint="Give its id (!...) or its address (#name:server)."
            )
        room_id = room
        if room.startswith("#"):
            found = await self.answer(
                self.client.room_resolve_alias(room), nio.RoomResolveAliasResponse, f"find the room {room}"
            )
            room_id = str(found.room_id)
        joined = await self.answer(self.client.joined_rooms(), nio.JoinedRoomsResponse, "list your rooms")
        if room_id not in joined.rooms:
            raise self.outside(room)
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
        """Posts an event and returns its id. In an encrypted room it is encrypted, unless it is a reaction.

        Args:
            transaction: a name for it. Sending again under the same name posts it once.
            members: exactly these have to be in the room, and it has to be encrypted: it is private.

        Raises NetworkError; AbsentError for a missing member; NotAuthorisedError for one too many, a room that is not
        encrypted, or a device that ``trust`` does not allow. Nothing was sent then.
        """
        # Meanwhile, as far as we know, nobody joins the room, and no device is added to those that were checked.
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
        """Uploads a picture and its thumbnail, a JPEG, posts them and returns the event's id. In an encrypted room,
        everything is encrypted.

        ``content`` is the event's, without the locations of picture and thumbnail. For the rest see `send`.
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
        """A room that may be sent to and whose devices have the keys."""
        room = await self.room(room_id)
        if members is not None:
            if not room.encrypted:
                raise NotAuthorisedError(
                    "Nothing was sent, since the room is not encrypted.",
                    hint="Turn encryption on, or use another room.",
                )
            if strangers := set(room.users) - set(members):
                raise NotAuthorisedError(
                    f"Nothing was sent, since others are in the room: {printable(', '.join(sorted(strangers)))}.",
                    hint="Have them leave the room, or use another one.",
                )
            if missing := set(members) - (set(room.users) - set(room.invited_users)):
                raise AbsentError(
                    f"Nothing was sent, since somebody has not joined the room yet: {printable(', '.join(sorted(missing)))}.",
                    hint="They have to accept the invitation.",
                )
            store = self.client.device_store
            if mute := [user for user in members if user != self.user_id and not any(store.active_user_devices(user))]:
                raise AbsentError(
                    f"Nothing was sent, since {printable(', '.join(mute))} has no device that could decrypt it.",
                    hint="They have to log in with an app that can encrypt.",
                )
        if room.encrypted:
            await self.share_keys(room, self.readers(room, trust, private=members is not None))
        return room

    async def _put(self, room: nio.MatrixRoom, type: str, content: Mapping[str, Any], transaction: str | None) -> str:
        try:
            sent = await self.answer(
                self.client.room_send(
                    room.room_id, type, dict(content), tx_id=transaction, ignore_unverified_devices=True
                ),
                nio.RoomSendResponse,
                "post the message",
            )
        except (nio.EncryptionError, nio.GroupEncryptionError, nio.LocalProtocolError) as error:
            raise NetworkError("The message could not be encrypted, and was not sent.", hint="Try again.") from error
        return str(sent.event_id)

    async def upload_limit(self) -> int:
        """The largest picture, in bytes, that the server accepts. Raises NetworkError."""
        if self._most_bytes is None:
            config = await self.answer(
                self.client.content_repository_config(),
                nio.ContentRepositoryConfigResponse,
                "say how large pictures may be",
            )
            self._most_bytes = MAX_FILE_BYTES if config.upload_size is None else config.upload_size
        return self._most_bytes

    async def _check_size(self, size: int) -> None:
        most = await self.upload_limit()
        if size > most:  # the server would close the connection, and nio would try again
            raise ServerRefusalError(
                f"The picture has {size} bytes, but {self.server} takes at most {most}.",
                remedy=Remedy.SEND_LESS,
                status=413,
            )

    async def _upload(self, picture: bytes, media_type: str, *, encrypt: bool) -> dict[str, Any]:
        upload, keys = await self.request(
            self.client.upload(
                lambda *_: io.BytesIO(picture), content_type=media_type, encrypt=encrypt, filesize=len(picture)
            ),
            _TRANSFER,
        )
        if not isinstance(upload, nio.UploadResponse):
            raise self.refused(upload, "take the picture")
        return {"file": {**keys, "url": upload.content_uri}} if encrypt else {"url": upload.content_uri}

    # Receiving

    async def posts(
        self, *, rooms: Sequence[str] | None = None, follow: bool, types: Collection[str] = ("m.room.message",)
    ) -> AsyncGenerator[Post, None]:
        """Messages since the last run for these rooms, or for all joined ones; each room's in order.

        A message counts as handled when another is requested after all those that the server sent with it, unless it
        was passed to `keep`; a run that ends before gets it again. The first run starts up to 1000 messages back.

        Raises NetworkError; the position stays where it was.
        """
        client, position = self.client, SyncPosition.read(self._state, rooms)
        client.next_batch = ""  # nio does not decrypt messages that it believes it has seen
        self._kept = []
        for room_id, event_id in position.kept:
            if (post := await self.again(room_id, event_id)) is not None:
                yield post
        timeout = 0
        while True:
            answer = await self.answer(
                client.sync(timeout=timeout, since=position.since, sync_filter=_filter(rooms)),
                nio.SyncResponse,
                "say what is new",
                _TRANSFER + ANSWER,  # waits for a picture that is being sent
            )
            for room_id in answer.rooms.leave:
                if rooms is not None and room_id in rooms:
                    raise self.outside(room_id)
            await self.maintain()
            posts, waiting = self._late(position.waiting, types)
            for room_id, info in answer.rooms.join.items():
                events = list(info.timeline.events)
                if info.timeline.limited:
                    events = await self._missed(room_id, info.timeline.prev_batch, position.since, types) + events
                for event in events:
                    if isinstance(event, nio.MegolmEvent):
                        waiting.append((room_id, event.source))
                    elif (post := _post(room_id, event, types)) is not None:
                        posts.append(post)
            for post in posts:
                yield post
            # Last: the messages may say which room replaces another one.
            self._invitations(answer)
            self._report(waiting)
            position = SyncPosition(answer.next_batch, waiting[-_WAITING:], self._kept)
            position.write(self._state, rooms)
            if follow:
                timeout = _POLL
            elif not answer.rooms.join and not answer.to_device_events:
                return

    async def skip(self, types: Collection[str]) -> None:
        """Counts the messages up to now as handled, also those whose keys this device does not have. Raises NetworkError."""
        async for _ in self.posts(follow=False, types=types):
            pass
        SyncPosition(SyncPosition.read(self._state, None).since).write(self._state, None)

    def _invitations(self, answer: nio.SyncResponse) -> None:
        for room_id, invitation in answer.rooms.invite.items():
            events = invitation.invite_state
            name = next((event.name for event in events if isinstance(event, nio.InviteNameEvent)), "")
            for event in events:
                if isinstance(event, nio.InviteMemberEvent) and event.state_key == self.user_id:
                    self.invited(room_id, event.sender, name)

    def invited(self, room_id: str, by: str, name: str) -> None:
        """Called once for an invitation to a room, whose name is "" if it has none. Does nothing here."""

    def keep(self, post: Post) -> None:
        """Makes a post come again with the next run, since it could not be handled yet. The newest 256 are kept."""
        self._kept = [*self._kept, (post.room_id, post.event_id)][-_KEPT:]

    async def picture(self, post: Post) -> bytes | None:
        """The picture of a post, decrypted; None if it is gone, too large, damaged, or never existed.

        Raises NetworkError when the server cannot be reached.
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
        answer = await self.request(self.client.download(url), _TRANSFER)
        if not isinstance(answer, nio.MemoryDownloadResponse):
            if answer.transport_response.status in (400, 403, 404, 410, 413):
                return None
            raise self.refused(answer, "serve the picture")
        if len(answer.body) > self.client.largest:
            return None
        if not isinstance(file, dict):
            return bytes(answer.body)
        try:
            key, sha256, iv = file["key"]["k"], file["hashes"]["sha256"], file["iv"]
            return await asyncio.to_thread(decrypt_attachment, answer.body, key, sha256, iv)
        except (KeyError, TypeError, ValueError, AttributeError, nio.EncryptionError):
            return None

    async def maintain(self) -> None:
        """What nio does between syncs, except for querying devices, which belongs to sending."""
        client = self.client
        if client.should_upload_keys:
            await self.answer(client.keys_upload(), nio.KeysUploadResponse, "take this device's keys")
        if client.should_claim_keys:
            await self.request(client.keys_claim(client.get_users_for_key_claiming()))
        await self.request(client.send_to_device_messages())
        await self.back_up()

    def _late(self, waiting: Sequence[Source], types: Collection[str]) -> tuple[list[Post], list[Source]]:
        """Of the messages without keys, those whose keys have arrived, and the others."""
        posts, still = [], []
        for room_id, source in waiting:
            event = nio.Event.parse_event(source)
            event.room_id = room_id
            try:
                decrypted = self.client.decrypt_event(event)
            except nio.EncryptionError:
                still.append((room_id, source))
            else:
                if (post := _post(room_id, decrypted, types)) is not None:
                    posts.append(post)
        return posts, still

    def _report(self, waiting: Sequence[Source]) -> None:
        """Reports the messages whose keys do not come: each session of them once."""
        now = time.monotonic()
        for room_id, source in waiting:
            event = nio.Event.parse_event(source)
            if self.client.olm.inbound_group_store.get(room_id, event.sender_key, event.session_id) is not None:
                continue  # replayed, or damaged
            since = self._waits_since.setdefault(event.session_id, now)
            if event.session_id in self._withheld or now - since > KEY_PATIENCE:
                self._waits_since[event.session_id] = math.inf
                code = self._withheld.pop(event.session_id, None)
                self.undecryptable(Undecryptable(room_id, event.sender, event.session_id, str(event.device_id), code))

    def undecryptable(self, what: Undecryptable) -> None:
        """Called once, in a run, for each session of messages that cannot be decrypted. Does nothing here."""

    async def _hear_withheld(self, event: Any) -> None:
        """A device says that it does not give its key."""
        content = event.source.get("content")
        if str(event.source.get("type")).endswith("room_key.withheld") and isinstance(content, dict):
            session_id, code = content.get("session_id"), content.get("code")
            if isinstance(session_id, str) and isinstance(code, str):
                self._withheld[session_id] = code
                while len(self._withheld) > _WAITING:
                    del self._withheld[next(iter(self._withheld))]

    async def again(self, room_id: str, event_id: str) -> Post | None:
        """A message that came before; None if it is gone, or its key is."""
        answer = await self.request(self.client.room_get_event(room_id, event_id))
        if isinstance(answer, nio.RoomGetEventResponse):
            if isinstance(answer.event, nio.MegolmEvent):
                return await self.from_backup(room_id, answer.event, MESSAGES)
            return _post(room_id, answer.event, MESSAGES)
        if answer.transport_response.status in (403, 404):
            return None
        raise self.refused(answer, "return a message")

    async def _missed(self, room_id: str, start: str, since: str | None, types: Collection[str]) -> list[nio.Event]:
        """The messages between the last run's position and those that the server sent unasked, the oldest first."""
        events: list[nio.Event] = []
        for _ in range(_PAGES if since else _FIRST_PAGES):
            page = await self.answer(
                self.client.room_messages(
                    room_id,
                    start,
                    since,
                    limit=_PAGE,
                    message_filter={"types": [*types, "m.room.encrypted"]},
                ),
                nio.RoomMessagesResponse,
                f"return the missed messages of {room_id}",
            )
            events += page.chunk
            if not page.end or page.end == start:
                break
            start = page.end
        return events[::-1]

    # Logging in

    async def _log_in(self, login: Login) -> None:
        client, state = self.client, self._state
        if isinstance(login, Password):
            # Without a device name: anybody in the same room could query it.
            await self.answer(client.login(login.password), nio.LoginResponse, f"let {login.user} in")
        elif isinstance(login, LoginToken):
            await self.answer(
                client.login(token=login.token, device_name="StyleCrypt"), nio.LoginResponse, "log you in"
            )
        elif isinstance(login, Masquerade):
            await self._act_for(login)
        else:
            client.access_token = login.token
            me = await self.answer(client.whoami(), nio.WhoamiResponse, "say whose access token this is")
            if not me.device_id:
                raise InputError(
                    "The access token belongs to no device.", hint="Log in with a password to get one that does."
                )
            self._check_account(me.user_id, me.device_id)
            client.restore_login(me.user_id, me.device_id, login.token)
        self._check_account(client.user_id, client.device_id)
        if state.get("device_id") is None:
            state.set(user_id=client.user_id, device_id=client.device_id)

    async def _act_for(self, login: Masquerade) -> None:
        client, state = self.client, self._state
        client.access_token = login.token
        device_id = state.get("device_id") or secrets.token_hex(5).upper()
        self._check_account(login.user, device_id)
        state.set(user_id=login.user, device_id=device_id)  # before there is a device that nobody remembers
        name = login.user[1:].partition(":")[0]
        new = {"type": "m.login.application_service", "username": name, "inhibit_login": True}
        registered = await self.raw("POST", "/register", new)
        if registered.transport_response.status != 200 and registered.status_code != "M_USER_IN_USE":
            raise self.refused(registered, f"make the account {login.user}")
        client.acting_for = {"user_id": login.user}
        await self.ask("PUT", f"/devices/{device_id}", {}, f"make a device for {login.user}")
        client.acting_for = {"user_id": login.user, "device_id": device_id}
        client.restore_login(login.user, device_id, login.token)

    def _check_account(self, user_id: str, device_id: str) -> None:
        mine = self._state.get("user_id"), self._state.get("device_id")
        if mine not in ((None, None), (user_id, device_id)):
            raise InputError(
                f"{self._state.folder} holds the keys of {mine[0]} on the device {mine[1]}, and the login is that of "
                f"{user_id} on {device_id}.",
                hint="Use the login that the folder was made with, or another folder.",
            )

    async def _publish_keys(self) -> None:
        """Makes sure that the server publishes this device's keys, and no others for it."""
        client = self.client
        mine = (await self.query_keys([self.user_id])).device_keys.get(self.user_id, {}).get(self.device_id)
        if mine is None:
            client.olm.account.shared = (
                False  # somebody logged the device out; nio believes that everything is in place
            )
        elif mine.get("keys", {}).get(f"ed25519:{self.device_id}") != client.olm.account.identity_keys["ed25519"]:
            raise InputError(
                f"The device {self.device_id} of {self.user_id} belongs to another program.",
                hint="Log in with a password, or make an access token for this program alone.",
            )
        if client.should_upload_keys:
            await self.answer(client.keys_upload(), nio.KeysUploadResponse, "take this device's keys")


_STATE = ("m.room.member", "m.room.tombstone")
_MXC = re.compile(r"mxc://[A-Za-z0-9.:\[\]-]+/[A-Za-z0-9_=-]+")


def _filter(rooms: Sequence[str] | None) -> dict[str, Any]:
    """Restricts the server to useful events."""
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


def _post(room_id: str, event: Any, types: Collection[str]) -> Post | None:
    """An event as a message; None if it is of none of these types."""
    source = event.source
    content, type = source.get("content"), source.get("type")
    if type not in types or not isinstance(content, dict):
        return None
    if type in _STATE and "state_key" not in source:
        return None  # anybody may post what only looks like the state of a room
    if type == "m.room.redaction":  # up to room version 10, it is elsewhere
        content = {"redacts": source.get("redacts"), **content}
    if not getattr(event, "decrypted", False):
        return Post(room_id, event.event_id, event.sender, content, type)
    return Post(room_id, event.event_id, event.sender, content, type, event.sender_key, event.digest)

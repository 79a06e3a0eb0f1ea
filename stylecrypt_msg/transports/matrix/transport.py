"""Pictures through a Matrix room, plain or encrypted, for programs that run, send or receive, and end.

A parcel is an ordinary picture message with an ordinary file name. An envelope that is not inside the picture goes into the
event, under `stylecrypt_protocol.EVENT_KEY`; unless the room is encrypted, everybody in it can see that it is there.
"""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import AsyncGenerator, Callable
from typing import Any

from PIL import Image
from stylecrypt_protocol import Envelope, RemoteProtocolError, fits_event, from_event, take, to_event

from ...errors import InputError, PictureError, Remedy
from .. import Delivery, Parcel, ordinary_name
from .devices import Trust
from .server import Login, Post
from .session import MatrixSession

__all__ = ["MatrixTransport", "envelope_of", "is_message", "picture_content"]


class MatrixTransport:
    """A `Transport` for one room. It logs in at first use.

    Args:
        homeserver: its URL.
        room: id ("!...") or address ("#name:server") of a joined room.
        login: of an account; with an access token, of a session that no other program uses.
        store: folder for the device's keys and the position where receiving stopped; made if it does not exist.
        pickle_key: a secret that locks the keys; always the same.
        identity: the account's cross-signing keys, as 96 random bytes: a secret, and always the same. They sign the device; if
            the account has other ones already, it stays unsigned, which `send` mentions.
        trust: who may read messages in an encrypted room.
        finished: whether the caller has finished with a reference for good. A message that is not finished is delivered
            again by the next run; without this, a message is finished when the caller asks for the next one.
    """

    def __init__(
        self,
        homeserver: str,
        room: str,
        login: Login,
        *,
        store: str | os.PathLike[str],
        pickle_key: str,
        identity: bytes | None = None,
        trust: Trust = "first-use",
        finished: Callable[[bytes], bool] = lambda _: True,
    ) -> None:
        self.homeserver, self.room, self.trust = homeserver, room, trust
        self._login, self._store, self._pickle_key, self._identity = login, store, pickle_key, identity
        self._finished = finished
        self._session: MatrixSession | None = None

    async def chat(self) -> str:
        """The room's id. Raises NetworkError, or InputError for no such room."""
        return await (await self._open()).room_id(self.room)

    async def send(self, parcel: Parcel) -> str:
        """Raises InputError (the parcel cannot be sent this way, or the store cannot be used), NetworkError, or
        NotAuthorisedError (nobody vouched for a device in the room); nothing was sent then."""
        content = picture_content(parcel)
        session = await self._open()
        room_id = await session.room_id(self.room)
        event_id = await session.send_picture(
            room_id, parcel.picture, content, media_type=parcel.media_type, trust=self.trust
        )
        unsigned = session.identity_error
        return f"{self.room}, {event_id}" + (f". {unsigned}" if unsigned is not None else "")

    async def deliveries(self, *, follow: bool) -> AsyncGenerator[Delivery, None]:
        """Other people's pictures since the last run; in the first run, from the last 1000 messages."""
        session = await self._open()
        room_id = await session.room_id(self.room)
        async for post in session.posts(rooms=[room_id], follow=follow):
            if post.room_id != room_id or post.sender == session.user_id or not post.is_picture:
                continue
            picture = await session.picture(post)
            if picture is None:
                continue
            reference, envelope = hashlib.sha256(f"{room_id} {post.event_id}".encode()).digest(), envelope_of(post)
            yield Delivery(reference, picture, envelope, self.room, f"{self.room}, {post.event_id}", chat=room_id)
            if not self._finished(reference) and (envelope or is_message(picture)):
                session.keep(post)

    async def verify(self, user_id: str, device_id: str, key: str) -> None:
        """Vouches for a device that `send` refused to send to, after comparing its ``key`` with the one that the device
        shows.

        Raises InputError, NetworkError, or NotAuthorisedError (it has another key).
        """
        (await self._open()).verify(user_id, device_id, key)

    async def close(self) -> None:
        """Ends the connection, not the login."""
        if self._session is not None:
            session, self._session = self._session, None
            await session.close()

    async def _open(self) -> MatrixSession:
        if self._session is None:
            self._session = await MatrixSession.open(
                self.homeserver,
                self._login,
                store=self._store,
                pickle_key=self._pickle_key,
                identity=self._identity,
            )
        return self._session


def picture_content(parcel: Parcel) -> dict[str, Any]:
    """The content of an event for a parcel, without the location of the picture.

    Raises InputError if the envelope is too large for an event, PictureError if the picture is not one.
    """
    name = ordinary_name(parcel.media_type)
    try:
        with Image.open(io.BytesIO(parcel.picture), formats=("JPEG", "PNG", "WEBP")) as image:
            width, height = image.size
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        raise PictureError("The file to send is not a picture.") from error
    content: dict[str, Any] = {
        "msgtype": "m.image",
        "body": name,
        "filename": name,  # if they differed, the body would be a caption
        "info": {"mimetype": parcel.media_type, "size": len(parcel.picture), "w": width, "h": height},
    }
    if parcel.envelope is not None:
        envelope = Envelope.unpack(parcel.envelope)
        if not fits_event(envelope):
            raise InputError(
                f"The sealed part, {len(parcel.envelope)} bytes, fits neither into the picture nor into a Matrix event.",
                remedy=Remedy.SEND_LESS,
            )
        content |= to_event(envelope)
    elif parcel.inside is not None and fits_event(envelope := Envelope.unpack(parcel.inside)):
        content |= to_event(envelope)
    return content


def envelope_of(post: Post) -> bytes | None:
    """The packed envelope in an event's content; None if there is none."""
    try:
        envelope = from_event(post.content)
    except RemoteProtocolError:
        return b""  # opening it reports the damage, as for any other
    return None if envelope is None else envelope.pack()


def is_message(picture: bytes) -> bool:
    """Whether an envelope is inside a picture; not if the picture is of another format, or damaged."""
    try:
        return take(picture) is not None
    except RemoteProtocolError:
        return False

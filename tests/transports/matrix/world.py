"""A homeserver, people on it, and what they send."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
import stylecrypt_protocol as protocol
from PIL import Image

from stylecrypt_msg.transports import Delivery, Parcel
from stylecrypt_msg.transports.matrix import (
    Login,
    MatrixTransport,
    Password,
)

from ...support.synapse import Homeserver, User

IMAGE = Image.linear_gradient("L").resize((64, 48)).convert("RGB")


def picture(shade: int = 0, format: str = "PNG") -> bytes:
    file = io.BytesIO()
    Image.blend(IMAGE, Image.new("RGB", IMAGE.size, (shade, 255 - shade, 90)), 0.5).save(file, format)
    return file.getvalue()


def envelope(sealed: int) -> bytes:
    """A packed envelope with ``sealed`` sealed bytes; their content does not concern a transport."""
    cover = protocol.Pixels(width=IMAGE.width, height=IMAGE.height, rgb=IMAGE.tobytes())
    public = protocol.PublicPart.describe(
        cover,
        level=protocol.Level.LATENT,
        model_hash=bytes(32),
        styles=18,
        replaced=range(3, 8),
        faces=[protocol.WireQuad.from_pixels([(8, 8), (8, 40), (40, 40), (40, 8)])],
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


both = pytest.mark.parametrize("encrypted", [False, True], ids=["plain", "encrypted"])


def ids(world: World, room: str, user: User) -> list[str]:
    """The ids of all events in the room, whoever sent them."""
    return [event["event_id"] for event in world.server.events(room, user)]


def run(test: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(test())


def device_of(transport: MatrixTransport) -> tuple[str, str, str]:
    """User, device and key, as a Matrix app would show them."""
    session = transport._session
    assert session is not None
    return session.user_id, session.device_id, session.client.olm.account.identity_keys["ed25519"]

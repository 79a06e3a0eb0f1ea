"""Somebody whose bot is in a service, and a service that runs in the test's own loop, on a real homeserver."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from stylecrypt_bots.config import ServiceConfig
from stylecrypt_bots.registration import ACCOUNT, bot_of, read_token
from stylecrypt_bots.service import Service

from stylecrypt_msg.profile import Profile

from .people import Household, Person
from .synapse import SERVER_NAME, Homeserver, User

__all__ = ["PASSPHRASE", "SERVICE_ID", "Place", "Tenant", "new_place"]

SERVICE_ID = f"@{ACCOUNT}:{SERVER_NAME}"
PASSPHRASE = "of the service"


class Place:
    """A service that runs in the test's loop."""

    def __init__(self, server: Homeserver, folder: Path, profile: Profile, **settings: Any) -> None:
        self.server, self.folder, self.profile = server, folder, profile
        self.config = ServiceConfig(
            homeserver=server.url, server_name=server.name, folder=folder, processes=1, **settings
        )
        self.start()

    def start(self) -> None:
        self.service = Service(self.config, read_token(self.server.registration), self.profile)
        self._task = asyncio.get_running_loop().create_task(self.service.run())

    def configure(self, **changes: Any) -> None:
        """For the next start."""
        self.config = self.config.model_copy(update=changes)

    async def stop(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    def check(self) -> None:
        """Raises the error that ended it, if any."""
        if self._task.done():
            self._task.result()


def new_place(server: Homeserver, folder: Path, **settings: Any) -> Place:
    profile = Profile.create(folder / "service", name="StyleCrypt", user_id=SERVICE_ID, passphrase=PASSPHRASE, now=1)
    return Place(server, folder, profile, **settings)


class Tenant(Household):
    """An owner with a new account. ``check`` raises the error that ended the service."""

    def __init__(self, server: Homeserver, folder: Path, name: str, check: Callable[[], None]) -> None:
        self.server, self.name, self.check = server, name, check  # type: ignore[method-assign]
        self.folder = folder / f"app of {name}"
        self.owner_account = server.register(name.lower())
        self.bot_account = User(bot_of(self.owner_account.id), "", "")

    async def set_up(self) -> None:
        self.owner = await Person.log_in(self.server, self.owner_account, self.folder)
        self.owner.check = self.check
        self.first_room = await self.begin_a_chat()
        assert self.bot_account.id in await self.owner.text(self.first_room, "Your own bot is")
        self.control = await self.accept_invitation()
        await self.owner.text(self.control, "This is your StyleCrypt bot.")

    async def begin_a_chat(self) -> str:
        """With the service, as Element does it."""
        encryption = {"type": "m.room.encryption", "state_key": "", "content": {"algorithm": "m.megolm.v1.aes-sha2"}}
        new = {
            "preset": "trusted_private_chat",
            "invite": [SERVICE_ID],
            "is_direct": True,
            "initial_state": [encryption],
        }
        path = "/_matrix/client/v3/createRoom"
        return str((await asyncio.to_thread(self.server.ask, "POST", path, new, self.owner_account))["room_id"])

    async def leave(self) -> None:
        await self.owner.session.close()

"""Rooms by name, address and id: the configuration names some of them, the owner others, and the server has their ids."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pydantic import TypeAdapter, ValidationError

from stylecrypt_msg.errors import InputError
from stylecrypt_msg.profile import Profile
from stylecrypt_msg.transports.matrix.server import ServerRefusalError

from .config import Config, RoomName, RoomSettings
from .session import BotSession

__all__ = ["Room", "Rooms"]

_AGAIN = 60.0  # seconds until missing rooms are looked for again
_NEIGHBOURS = 600.0  # seconds until somebody asks again who is in the rooms
_BEFORE, _AFTER, _OWN = "bot room before ", "bot room after ", "bot rooms"  # settings
_ROOMS = TypeAdapter(dict[RoomName, RoomSettings])


@dataclass(frozen=True)
class Room:
    """A room.

    Attributes:
        name: "#" and what the owner calls it; the name it has on the server if it is not in the configuration.
        settings: those of the configuration, or of the owner; None if neither names it.
    """

    name: str
    room_id: str
    settings: RoomSettings | None


class Rooms:
    """Rooms by their names and ids."""

    def __init__(self, config: Config, session: BotSession, profile: Profile, reread: Callable[[], Config]) -> None:
        self._config, self._session, self._profile, self._reread = config, session, profile, reread
        self._neighbours: tuple[float, frozenset[str]] | None = None
        self._ids: dict[str, str] = {}
        self._names: dict[str, str] = {}
        self._looked = -_AGAIN

    def named_in(self, text: str) -> str:
        """A text for the owner, with the names of rooms in place of their ids."""
        for key in self.settings:
            if (room_id := self._ids.get(key)) is not None:
                text = text.replace(room_id, f"#{key}")
        return text

    @property
    def settings(self) -> Mapping[str, RoomSettings]:
        """Those of the configuration and of the owner, by their names."""
        return {**self._own(), **self._config.rooms}

    def reload(self) -> None:
        """Reads the configuration again. Raises ConfigError; then they stay as they are."""
        self._config = self._reread()
        self._look_again()

    def name(self, name: str, settings: Mapping[str, object] | None) -> None:
        """Keeps a room's settings in the profile, or forgets them (None). Raises InputError for invalid ones, and for a room of
        the configuration, which is not changed here."""
        if name in self._config.rooms:
            raise InputError(f"#{name} is in the configuration.", hint="Change it there, then `!reload`.")
        own = self._own()
        if settings is None and own.pop(name, None) is None:
            raise InputError(f"You have no room #{name}.")
        try:
            kept = _ROOMS.validate_python({**own, **({} if settings is None else {name: settings})})
        except ValidationError as error:
            first = error.errors(include_url=False, include_context=False, include_input=False)[0]
            where = [str(part) for part in first["loc"] if part != "[key]"]
            raise InputError(
                f"{' '.join(where)}: {first['msg'].removeprefix('Value error, ').lower()}.", hint="`!help` shows how."
            ) from None
        self._profile.set_setting(_OWN, _ROOMS.dump_json(kept).decode())
        self._look_again()

    def _own(self) -> dict[str, RoomSettings]:
        return _ROOMS.validate_json(self._profile.setting(_OWN) or "{}")

    def _look_again(self) -> None:
        self._ids.clear()
        self._names.clear()
        self._looked = -_AGAIN

    async def named(self, name: str) -> Room:
        """A room by the owner's name for it, or by its address. Raises InputError if it has no settings, NetworkError."""
        rooms = self.settings
        wanted = name.casefold()
        for key, settings in rooms.items():
            if key.casefold() == wanted or settings.room == name:
                if key not in self._ids:
                    self._ids[key] = self._latest(await self._session.room_id(settings.room))
                return Room(f"#{key}", self._ids[key], settings)
        known = ", ".join(f"#{key}" for key in rooms) or "none yet"
        raise InputError(f"I know no room #{name}.", hint=f"There are: {known}. `!room NAME #address:server` adds one.")

    async def of(self, room_id: str) -> Room:
        """The room with an id, or the one that replaced it. Raises NetworkError."""
        room_id = self._latest(room_id)
        rooms = self.settings
        if rooms.keys() - self._ids.keys() and time.monotonic() - self._looked > _AGAIN:
            self._looked = time.monotonic()
            for key, settings in rooms.items():
                try:
                    self._ids[key] = self._latest(await self._session.room_id(settings.room))
                except ServerRefusalError as error:
                    if not error.final:
                        raise
        for key, known in self._ids.items():
            if known == room_id:
                return Room(f"#{key}", room_id, rooms[key])
        if room_id not in self._names:
            self._names[room_id] = await self._session.room_name(room_id)
        return Room(self._names[room_id], room_id, None)

    async def neighbours(self) -> frozenset[str]:
        """Who is in a room with the owner and the bot. Raises NetworkError."""
        now = time.monotonic()
        if self._neighbours is None or now - self._neighbours[0] > _NEIGHBOURS:
            found: set[str] = set()
            for room_id in await self._session.joined():
                members = await self._session.members(room_id)
                if self._config.owner in members:
                    found |= members
            self._neighbours = now, frozenset(found)
        return self._neighbours[1]

    def moved(self) -> None:
        """Call this when somebody comes into a room or leaves it."""
        self._neighbours = None

    # Rooms that replace others: "upgraded" ones

    def replaced(self, old: str, new: str) -> None:
        """Somebody who may say so says that a room was replaced; the other one has not confirmed it yet."""
        self._profile.set_setting(_BEFORE + new, old)

    def before(self, room_id: str) -> str | None:
        """The room that this one replaces, according to that one."""
        return self._profile.setting(_BEFORE + room_id)

    def succeeded(self, old: str, new: str) -> None:
        """From now on, the settings of the old room are those of the new one. In a transaction."""
        self._profile.set_setting(_AFTER + old, new)
        self._ids.clear()

    def _latest(self, room_id: str) -> str:
        met = {room_id}
        while (after := self._profile.setting(_AFTER + room_id)) is not None and after not in met:
            met.add(room_id := after)
        return room_id

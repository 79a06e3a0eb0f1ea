"""The transport of ``send`` and ``receive``, from their options and earlier ones."""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import typer

from ..errors import InputError, NotAuthorisedError
from ..profile import Profile
from ..transports import Transport

__all__ = ["MATRIX_PASSWORD", "MATRIX_TOKEN", "OpenTransport", "choose_transport", "verify_device"]

OpenTransport: TypeAlias = Callable[[Profile], Transport]

MATRIX_TOKEN, MATRIX_PASSWORD = "STYLECRYPT_MATRIX_TOKEN", "STYLECRYPT_MATRIX_PASSWORD"  # environment variables


def choose_transport(folder: Path | None, room: str | None, homeserver: str | None, user: str | None) -> OpenTransport:
    """The Matrix transport if a room is named, else the folder transport."""
    if room is None:
        if homeserver is not None or user is not None:
            raise InputError("A Matrix homeserver or user was given, but no room.", hint="Name one with --room.")
        return lambda profile: _folder(profile, folder)
    if folder is not None:
        raise InputError("Messages travel through a folder or a Matrix room, not both.", hint="Leave one of them out.")
    return lambda profile: _matrix(profile, room, homeserver, user)


def _folder(profile: Profile, folder: Path | None) -> Transport:
    from ..transports.folder import FolderTransport

    where = _remembered(profile, "folder", str(folder.absolute()) if folder else None)
    if where is None:
        raise InputError(
            "No shared folder has been set.",
            hint="Name one that is shared with your contacts: --folder DIR. It is remembered.",
        )
    return FolderTransport(where)


def _matrix(profile: Profile, room: str, homeserver: str | None, user: str | None) -> Transport:
    from ..transports.matrix import AccessToken, Login, MatrixTransport, Password
    from ..transports.matrix.identities import SECRET_BYTES

    server = _remembered(profile, "matrix homeserver", homeserver)
    if server is None:
        raise InputError("No homeserver has been set.", hint="Name it with --homeserver URL; it is remembered.")
    if token := os.environ.get(MATRIX_TOKEN):
        login: Login = AccessToken(token)
    else:
        name = _remembered(profile, "matrix user", user)
        if name is None:
            raise InputError(
                "No Matrix user has been set.",
                hint=f"Name yourself with --user @you:server, or set {MATRIX_TOKEN}.",
            )
        login = Password(name, os.environ.get(MATRIX_PASSWORD) or _asked(name))
    key = profile.setting("matrix key") or secrets.token_hex(32)
    identity = profile.setting("matrix identity") or secrets.token_hex(SECRET_BYTES)
    profile.set_setting("matrix key", key)
    profile.set_setting("matrix identity", identity)
    return MatrixTransport(
        server,
        room,
        login,
        store=profile.folder / "matrix",
        pickle_key=key,
        identity=bytes.fromhex(identity),
        finished=profile.finished,
    )


async def verify_device(transport: Transport, device: str) -> None:
    """Vouches for a device of a Matrix user, given as in the message that reported it: "USER DEVICE KEY"."""
    from ..transports.matrix import MatrixTransport

    user, _, rest = device.strip().partition(" ")
    name, _, key = rest.partition(" ")
    if not key or not isinstance(transport, MatrixTransport):
        raise InputError(
            "A device is given as its user's id, its own id and its key, separated by spaces, together with --room.",
            hint="All three are in the message that reported the new device.",
        )
    await transport.verify(user, name, key)


def _remembered(profile: Profile, name: str, value: str | None) -> str | None:
    if value is None:
        return profile.setting(name)
    profile.set_setting(name, value)
    return value


def _asked(user: str) -> str:
    if not (sys.stdin and sys.stdin.isatty()):
        raise NotAuthorisedError(
            "A Matrix password is needed, and there is no terminal to ask for it.",
            hint=f"Set {MATRIX_TOKEN} or {MATRIX_PASSWORD}.",
        )
    return str(typer.prompt(f"Matrix password of {user}", hide_input=True, err=True))

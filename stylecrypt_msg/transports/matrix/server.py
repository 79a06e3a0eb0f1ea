"""Requests to a homeserver, its answers, and its errors."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias, TypeVar

import nio
from aiohttp import ClientError

from ...errors import InputError, NetworkError, Remedy

__all__ = [
    "ANSWER",
    "AbsentError",
    "AccessToken",
    "Connection",
    "InUseError",
    "JsonAnswer",
    "LoggedOutError",
    "Login",
    "LoginToken",
    "Masquerade",
    "Password",
    "Post",
    "ServerRefusalError",
    "printable",
]

ANSWER = 120
"""Seconds for a request, retries included."""

# Where nio's warnings matter, this package reports them. Without this, Python prints them in programs that set up no log.
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
    """A homeserver's token for a browser in which somebody logged in; good for one login."""

    token: str = field(repr=False)


@dataclass(frozen=True)
class Masquerade:
    """The token of an application service, and one of its users, whom it acts for. User and device are made if they are missing
    (MSC4190)."""

    user: str
    token: str = field(repr=False)


Login: TypeAlias = AccessToken | Password | LoginToken | Masquerade


class ServerRefusalError(NetworkError):
    """The server answered, and refused.

    ``status`` is the HTTP status. ``final``: asking again would not help.
    """

    def __init__(self, message: str, *, status: int, hint: str | None = None, remedy: Remedy | None = None) -> None:
        super().__init__(message, hint=hint, remedy=remedy)
        self.status = status

    @property
    def final(self) -> bool:
        return 400 <= self.status < 500 and self.status not in (408, 429)


class InUseError(InputError):
    """Another program is using the store."""


class LoggedOutError(ServerRefusalError):
    """The access token is no longer valid."""


class AbsentError(NetworkError):
    """Somebody has not joined a room yet, and could not read what is sent before they do."""


@dataclass(frozen=True)
class Post:
    """A message in a room, decrypted if it was encrypted.

    Attributes:
        sender: according to the server.
        content: chosen by the sender: anything at all.
        type: of the event.
        device_key: the Curve25519 key of the device that encrypted it; None if it was not encrypted.
        digest: the SHA-256 of the ciphertext, in hex: a server can post it again, but not in another form.
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


_Answer = TypeVar("_Answer")


class Connection:
    """A client of a homeserver. ``user_id`` and ``device_id`` are its own; ``client`` is nio's, for everything else."""

    def __init__(self, client: nio.AsyncClient) -> None:
        self.client = client

    @property
    def user_id(self) -> str:
        return str(self.client.user_id)

    @property
    def device_id(self) -> str:
        return str(self.client.device_id)

    @property
    def server(self) -> str:
        return str(self.client.homeserver)

    async def request(self, request: Awaitable[Any], seconds: float = ANSWER) -> Any:
        """The server's answer as nio parses it. Raises NetworkError without one."""
        try:
            async with asyncio.timeout(seconds):
                return await request
        except (ClientError, TimeoutError, OSError) as error:
            raise NetworkError(
                f"{self.server} does not answer.", hint="Check the address and the network, and try again."
            ) from error
        except (AttributeError, KeyError, TypeError, ValueError) as error:  # nio trusts the shape of most answers
            raise NetworkError(
                f"{self.server} sent something that is not Matrix.", hint="Check the address of the homeserver."
            ) from error

    async def answer(self, request: Awaitable[Any], kind: type[_Answer], to: str, seconds: float = ANSWER) -> _Answer:
        answer = await self.request(request, seconds)
        if not isinstance(answer, kind):
            raise self.refused(answer, to)
        return answer

    async def ask(self, method: str, path: str, content: Mapping[str, Any] | None, to: str) -> dict[str, Any]:
        """A request that nio does not know, and its answer. Raises NetworkError."""
        answer = await self.raw(method, path, content)
        if answer.transport_response.status not in (200, 201):
            raise self.refused(answer, to)
        return dict(answer.content)

    async def raw(self, method: str, path: str, content: Mapping[str, Any] | None) -> Any:
        """The same, with a refusal as the answer. Raises NetworkError without one."""
        data = None if content is None else json.dumps(content)
        return await self.request(self.client._send(JsonAnswer, method, f"/_matrix/client/v3{path}", data))

    def outside(self, room: str) -> ServerRefusalError:
        return ServerRefusalError(
            f"{self.user_id} is not in the room {printable(room)}, or it does not exist.",
            hint="Check the name, and join the room with any Matrix app first.",
            status=403,
        )

    def refused(self, answer: Any, to: str) -> ServerRefusalError:
        code, said = getattr(answer, "status_code", None), getattr(answer, "message", "")
        status = getattr(answer.transport_response, "status", 0)
        if code in ("M_UNKNOWN_TOKEN", "M_MISSING_TOKEN"):
            return LoggedOutError(
                f"{self.server} does not accept the access token.",
                hint="Log in again, and use the new token.",
                status=status,
            )
        reason = printable(f"{said} ({code})" if code else "it gave no reason")
        return ServerRefusalError(
            f"{self.server} refused to {printable(to)}: {reason}.",
            hint="Check the request and the login.",
            status=status,
        )


class JsonAnswer(nio.Response):  # type: ignore[misc]  # nio has no types
    """An answer that nio does not know."""

    def __init__(self, content: dict[str, Any]) -> None:
        super().__init__()
        self.content = content
        self.status_code, self.message = content.get("errcode"), content.get("error", "")

    @classmethod
    def from_dict(cls, parsed: dict[str, Any], *_: object) -> JsonAnswer:
        return cls(parsed if isinstance(parsed, dict) else {})


def printable(text: str) -> str:
    """Text from elsewhere, made safe for one line on a terminal."""
    return "".join(letter for letter in text[:200] if letter.isprintable())

"""Lets one browser of this machine in, and nobody else.

Whoever has the one-time token, which is in the address that the program opens, gets a cookie for it. The cookie is sent to
paths below an unguessable one only: browsers do not tell ports apart, and another user of the machine may serve pages at
another port of the same address.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["COOKIE", "ENTRANCE", "STATIC", "Gate", "Guard"]

COOKIE = "stylecrypt"
ENTRANCE = "/enter"
STATIC = "/static/"
"""Style and script, which are no secret: the page for those who are not let in uses them, too."""

_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}

Refuse = Callable[[Request, str], Awaitable[Response]]
"""Makes the page for those who are not let in, from the key of its text."""


@dataclass
class Gate:
    """The secrets of one run of the program, for one browser.

    Attributes:
        host: the only ``Host`` that is answered, as another name would be somebody else's (DNS rebinding).
        place: the path that everything secret is below.
        token: opens the gate once; "" afterwards.
        csrf: is in each form.
    """

    host: str
    place: str = field(default_factory=lambda: "/" + secrets.token_urlsafe(12), repr=False)
    token: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)
    csrf: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)
    _cookie: str = field(default="", repr=False)

    @property
    def address(self) -> str:
        """The URL that lets a browser in, once."""
        return f"http://{self.host}{ENTRANCE}?token={self.token}"

    def enter(self, token: str) -> str | None:
        """The cookie's value for the right token; None for a wrong or used one."""
        if not self.token or not _same(token, self.token):
            return None
        self.token, self._cookie = "", secrets.token_urlsafe(32)
        return self._cookie

    def admits(self, cookie: str) -> bool:
        return bool(self._cookie) and _same(cookie, self._cookie)

    def may_post(self, csrf: str) -> bool:
        return _same(csrf, self.csrf)


class Guard:
    """ASGI middleware."""

    def __init__(self, app: ASGIApp, gate: Gate, refuse: Refuse) -> None:
        self._app, self._gate, self._refuse = app, gate, refuse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return  # no websockets, no lifespan

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(_HEADERS)
            await send(message)

        request = Request(scope, receive)
        reason = self._reason(request)
        app: ASGIApp = self._app if reason is None else await self._refuse(request, reason)
        await app(scope, receive, guarded)

    def _reason(self, request: Request) -> str | None:
        """Why a request is refused."""
        if request.headers.get("host") != self._gate.host:
            return "refused.host"
        path = request.url.path
        if path == ENTRANCE:  # may be followed from anywhere: what it takes is the token
            return None if request.method == "GET" else "refused.elsewhere"
        if request.headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
            return "refused.elsewhere"
        if request.method not in ("GET", "HEAD"):
            # Without a referrer, browsers send "null" as the origin of a form, and say where it comes from in another way.
            own = request.headers.get("origin") == f"http://{self._gate.host}"
            if not own and request.headers.get("sec-fetch-site") != "same-origin":
                return "refused.elsewhere"
        if not path.startswith(STATIC) and not self._gate.admits(request.cookies.get(COOKIE, "")):
            return "refused.token"
        return None


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode())

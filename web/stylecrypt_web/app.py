"""The site: which path shows which page."""

from __future__ import annotations

from collections.abc import Callable

import jinja2
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from . import entry, people, photos
from .guard import COOKIE, ENTRANCE, STATIC, Gate, Guard
from .pages import Site
from .session import WebSession

__all__ = ["make_app"]


def make_app(session: WebSession, gate: Gate, end: Callable[[], None]) -> ASGIApp:
    """The guarded site. ``end`` ends the program."""
    templates = jinja2.Environment(
        loader=jinja2.PackageLoader(__package__),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    site = Site(session, gate, end, templates)

    async def enter(request: Request) -> Response:
        cookie = gate.enter(request.query_params.get("token", ""))
        if cookie is None:
            return site.show(request, "refused.html", status=403, inside=False, reason="refused.used")
        # A page, not a redirect: after one, browsers that come from elsewhere would not send the cookie yet.
        response = site.show(request, "enter.html", inside=False, place=gate.place)
        response.set_cookie(COOKIE, cookie, path=gate.place, httponly=True, samesite="strict")
        return response

    async def refuse(request: Request, reason: str) -> Response:
        return site.show(request, "refused.html", status=403, inside=False, reason=reason)

    async def missing(request: Request, _: Exception) -> Response:
        return site.show(request, "missing.html", status=404)

    routes = [
        Mount(STATIC.rstrip("/"), StaticFiles(packages=[(str(__package__), "static")])),
        Route(ENTRANCE, enter),
        *entry.routes(site),
        *photos.routes(site),
        *people.routes(site),
    ]
    return Guard(Starlette(routes=routes, exception_handlers={404: missing, 405: missing}), gate, refuse)

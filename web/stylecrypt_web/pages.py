"""What every page of the site needs: the person's session, the templates, and their language."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias
from urllib.parse import quote

import jinja2
from markupsafe import Markup
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from stylecrypt_msg.errors import StyleCryptError

from .guard import Gate
from .remedies import advice
from .session import WebSession
from .texts import LANGUAGES, Words, language_of
from .translation import Line, translated
from .uploads import Form, read_form
from .work import BugError

__all__ = ["MissingError", "Site", "download", "get", "post", "see"]


class MissingError(Exception):
    """There is no such page, or it is about a picture that has been dropped."""


@dataclass(frozen=True)
class Site:
    session: WebSession
    gate: Gate
    end: Callable[[], None]
    """Ends the program."""
    templates: jinja2.Environment

    def words(self, request: Request) -> Words:
        return Words(self.session.language or language_of(request.headers.get("accept-language", "")))

    def show(
        self,
        request: Request,
        template: str,
        *,
        error: StyleCryptError | None = None,
        status: int = 200,
        inside: bool = True,
        **values: Any,
    ) -> Response:
        """A page.

        Args:
            error: said above everything else; by default `error_of`.
            inside: whether the reader has been let in.
        """
        words, opened = self.words(request), inside and self.session.is_open
        error = error or self.error_of(request)
        done = request.query_params.get("done", "")
        csrf = Markup('<input type="hidden" name="csrf" value="{}">').format(self.gate.csrf) if inside else Markup()
        shown = self.templates.get_template(template).render(
            t=words,
            language=words.language,
            other_language=next(one for one in LANGUAGES if one != words.language),
            base=self.gate.place if inside else "",
            path=request.url.path,
            here=request.url.path.removeprefix(self.gate.place).split("/")[1] if inside else "",
            opened=opened,
            hidden=lambda: csrf,
            error=self.explained(error, words) if error else (),
            done=words(f"done.{done}") if f"done.{done}" in words else "",
            **values,
        )
        return HTMLResponse(shown, 422 if error and status == 200 and request.method == "POST" else status)

    def error_of(self, request: Request) -> StyleCryptError | None:
        """What went wrong with the form, or with the job that the address names."""
        failure: StyleCryptError | None = getattr(request.state, "error", None)
        job = self.session.work.job(request.query_params.get("job", ""))
        return failure or (job.error if job else None)

    @staticmethod
    def explained(error: StyleCryptError, words: Words) -> list[Line]:
        """What happened, and what to do about it."""
        lines = [translated(str(error), words.language)]
        if error.hint:
            lines.append(translated(error.hint, words.language))
        if todo := advice(error, words.language):
            lines.append(Line(todo, words.language))
        return lines

    def at(self, *parts: str) -> str:
        """The path of a page."""
        return "/".join((self.gate.place, *parts))


Handler: TypeAlias = Callable[[Site, Request], Response]
Poster: TypeAlias = Callable[[Site, Request, Form], Response]


def see(path: str, *, done: str = "") -> Response:
    """Sends the browser to another page, with a word on what was done."""
    return RedirectResponse(f"{path}?done={done}" if done else path, 303)


def download(data: bytes, kind: str, name: str) -> Response:
    """A file to save. Others may have chosen its ``name``."""
    disposition = f"attachment; filename*=UTF-8''{quote(name, safe='')}"
    return Response(data, media_type=kind, headers={"Content-Disposition": disposition})


def get(site: Site, path: str, handler: Handler, *, opened: bool = True, counts: bool = True) -> Route:
    """A page, for when the profile is open. ``counts``: reading it is use, which keeps the profile from being locked."""

    async def endpoint(request: Request) -> Response:
        answer, error = await _answer(site, request, opened, counts, lambda: handler(site, request))
        return answer or site.show(request, "missing.html", error=error, status=422)

    return Route(site.gate.place + path, endpoint)


def post(site: Site, path: str, handler: Poster, again: Handler | None = None, *, opened: bool = True) -> Route:
    """What a form does. ``again`` is the page with that form, for errors; ``handler`` may raise them."""

    async def endpoint(request: Request) -> Response:
        answer: Response | None = None
        error: StyleCryptError | None
        try:
            form = await read_form(request)
        except StyleCryptError as failure:
            error = failure
        else:
            if not site.gate.may_post(form.text("csrf")):
                return site.show(request, "refused.html", status=403, inside=False, reason="refused.form")
            answer, error = await _answer(site, request, opened, True, lambda: handler(site, request, form))
        request.state.error = error
        if answer is None and again is not None:
            answer, error = await _answer(site, request, opened, True, lambda: again(site, request))
        return answer or site.show(request, "missing.html", error=error, status=422)

    return Route(site.gate.place + path, endpoint, methods=["POST"])


async def _answer(
    site: Site, request: Request, opened: bool, counts: bool, work: Callable[[], Response]
) -> tuple[Response | None, StyleCryptError | None]:
    """The page that ``work`` makes, or why it makes none. Nothing goes to a log: exceptions may hold secrets."""
    if opened and not site.session.is_open:
        return see(site.at("")), None
    if counts:
        site.session.use()
    try:
        return await run_in_threadpool(work), None
    except MissingError:
        return site.show(request, "missing.html", status=404), None
    except StyleCryptError as error:
        return None, error
    except Exception as error:  # one bug does not end the page; the person is told, and no log
        return None, BugError(error)

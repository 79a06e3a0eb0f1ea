"""Coming in and leaving: first run, unlocking, locking, language, and waiting for work."""

from __future__ import annotations

from threading import Lock

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from stylecrypt_msg.errors import InputError

from .pages import MissingError, Site, get, post, see
from .texts import LANGUAGES
from .uploads import Form

__all__ = ["chosen_passphrase", "routes"]

_ONE_GUESS = Lock()
"""Guesses of the passphrase wait for each other, although each takes a thread and 64 MB or more."""


def routes(site: Site) -> list[Route]:
    return [
        get(site, "/", _home, opened=False, counts=False),
        get(site, "/start", _start, opened=False),
        post(site, "/start", _create, _start, opened=False),
        get(site, "/unlock", _locked, opened=False),
        post(site, "/unlock", _unlock, _locked, opened=False),
        post(site, "/lock", _lock, opened=False),
        post(site, "/language", _language, opened=False),
        post(site, "/end", _end),
        get(site, "/state", _state, opened=False, counts=False),
        get(site, "/work/{id}", _work),
        get(site, "/work/{id}/state", _progress, opened=False, counts=False),
    ]


def _home(site: Site, request: Request) -> Response:
    if site.session.is_open:
        return see(site.at("send"))
    return see(site.at("start" if site.session.found() == "none" else "unlock"))


def _start(site: Site, request: Request) -> Response:
    if site.session.is_open or site.session.found() != "none":
        return see(site.at(""))
    return site.show(request, "start.html", name=_kept(request))


def _kept(request: Request) -> str:
    return str(getattr(request.state, "name", ""))


def _create(site: Site, request: Request, form: Form) -> Response:
    request.state.name = form.text("name").strip()
    site.session.create(request.state.name, chosen_passphrase(form))
    return see(site.at("contacts"), done="created")


def chosen_passphrase(form: Form) -> str:
    """A new passphrase, typed twice. Raises InputError."""
    passphrase = form.text("passphrase")
    if not passphrase:
        raise InputError("The passphrase is empty.", hint="Choose one.")
    if passphrase != form.text("again"):
        raise InputError("The two passphrases differ.", hint="Type the same one twice.")
    return passphrase


def _locked(site: Site, request: Request) -> Response:
    found = "" if site.session.is_open else site.session.found()
    if found in ("", "none"):
        return see(site.at(""))
    return site.show(request, "unlock.html", asks=found == "locked")


def _unlock(site: Site, request: Request, form: Form) -> Response:
    with _ONE_GUESS:
        if not site.session.is_open:
            site.session.unlock(form.text("passphrase"))
    return see(site.at("send"))


def _lock(site: Site, request: Request, form: Form) -> Response:
    site.session.lock()
    return see(site.at(""))


def _language(site: Site, request: Request, form: Form) -> Response:
    if form.text("language") in LANGUAGES:
        site.session.language = form.text("language")
    back = form.text("back")
    return see(back if back.startswith(site.at("")) else site.at(""))


def _end(site: Site, request: Request, form: Form) -> Response:
    site.session.lock()
    shown = site.show(request, "ended.html", inside=False)
    site.end()
    return shown


def _state(site: Site, request: Request) -> Response:
    return JSONResponse({"locked": not site.session.is_open, "next": site.at("")})


def _work(site: Site, request: Request) -> Response:
    job = site.session.work.job(request.path_params["id"])
    if job is None:
        raise MissingError
    if job.next:
        return see(job.next)
    return site.show(request, "work.html", job=job, step=site.words(request)(f"step.{job.step[0]}"))


def _progress(site: Site, request: Request) -> Response:
    job = site.session.work.job(request.path_params["id"])
    if job is None:  # the profile was locked
        return JSONResponse({"next": site.at("")})
    what, done, total = job.step
    return JSONResponse({"next": job.next, "step": site.words(request)(f"step.{what}"), "done": done, "total": total})

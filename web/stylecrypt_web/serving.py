"""Runs the page: one socket on the loopback interface, one browser."""

from __future__ import annotations

import os
import secrets
import socket
import threading
import webbrowser
from contextlib import suppress
from html import escape
from pathlib import Path

import uvicorn

from stylecrypt_msg.cli import console
from stylecrypt_msg.errors import InputError, os_reason

from .app import make_app
from .desk import Desk
from .guard import Gate

__all__ = ["Page", "run"]

_LOOPBACK = "127.0.0.1"


class Page:
    """A server that `serve` runs until `end`; ``link`` is a file with its address, deleted when that has been used.

    Raises InputError when the port is taken.
    """

    def __init__(self, folder: Path, *, port: int = 0, idle: float) -> None:
        self._socket = socket.socket()
        try:
            self._socket.bind((_LOOPBACK, port))
            self._socket.listen()  # the browser may be quicker than the server
        except OSError as error:
            self._socket.close()
            raise InputError(f"Port {port} cannot be used: {os_reason(error)}.", hint="Leave out --port.") from error
        self.desk = Desk(folder, idle)
        self.gate = Gate(f"{_LOOPBACK}:{self._socket.getsockname()[1]}")
        config = uvicorn.Config(
            make_app(self.desk, self.gate, self.end),
            log_config=None,  # addresses hold the token
            access_log=False,
            lifespan="off",
            server_header=False,
            timeout_graceful_shutdown=2,
        )
        self._server = uvicorn.Server(config)
        self._ended = threading.Event()
        self.link: Path | None = None

    def serve(self) -> None:
        threading.Thread(target=self._watch, daemon=True).start()
        try:
            self._server.run(sockets=[self._socket])
        finally:
            self._ended.set()
            self.desk.lock()
            self.desk.work.end()
            self._unlink()

    def end(self) -> None:
        """Ends `serve`, from any thread."""
        self._server.should_exit = True

    def _watch(self) -> None:
        while not self._ended.wait(min(self.desk.idle / 4, 1)):
            self.desk.lock_if_idle()
            if not self.gate.token:
                self._unlink()

    def _unlink(self) -> None:
        if self.link is not None:
            self.link.unlink(missing_ok=True)


def run(folder: Path, *, port: int, browser: bool, idle: float) -> None:
    """Serves the page of the profile in ``folder``; ``idle``: seconds without use until it locks. Raises InputError."""
    page = Page(folder, port=port, idle=idle)
    console.say("StyleCrypt is a page in your browser now. If it did not open, this address does, once:")
    console.say(page.gate.address)
    console.say("Ctrl+C ends it.")
    if browser:
        page.link = _opened(page.gate.address)
    page.serve()


def _opened(address: str) -> Path | None:
    """Opens the browser, by a file that only the user can read: every user of the machine sees a program's arguments, and
    would be let in by the address. The file is in the home folder, where browsers in a sandbox look; the address works once.
    """
    link = Path.home() / f"stylecrypt-{secrets.token_hex(4)}.html"
    with suppress(OSError, webbrowser.Error):
        handle = os.open(link, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w") as file:
            file.write(
                f'<!doctype html><meta charset="utf-8"><meta http-equiv="refresh" content="0; url={escape(address)}">'
            )
        webbrowser.open(link.as_uri())
        return link
    return None

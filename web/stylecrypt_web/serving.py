"""Runs the page: one socket on the loopback interface, one browser."""

from __future__ import annotations

import os
import secrets
import signal
import socket
import sys
import threading
import webbrowser
from contextlib import suppress
from html import escape
from pathlib import Path
from typing import Self

import uvicorn

from stylecrypt_msg.cli import console
from stylecrypt_msg.errors import InputError, os_reason

from .app import make_app
from .guard import Gate
from .session import WebSession

__all__ = ["Page", "run"]

_LOOPBACK = "127.0.0.1"


class Page:
    """A server that `serve` runs until `end`. Close it, or use it in ``with``.

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
        self.session = WebSession(folder, idle)
        self.gate = Gate(f"{_LOOPBACK}:{self._socket.getsockname()[1]}")
        config = uvicorn.Config(
            make_app(self.session, self.gate, self.end),
            log_config=None,  # addresses hold the token
            access_log=False,
            lifespan="off",
            server_header=False,
            timeout_graceful_shutdown=2,
        )
        self._server = uvicorn.Server(config)
        self._ended = threading.Event()
        self._told = False
        self._link: Path | None = None

    def open_browser(self) -> None:
        """By a file that only the user can read: every user of the machine sees a program's arguments, and would be let in by
        the address. The file is in the home folder, where browsers in a sandbox may look, and is deleted once it was used.
        """
        self._link = Path.home() / f"stylecrypt-{secrets.token_hex(4)}.html"
        refresh = f'<meta http-equiv="refresh" content="0; url={escape(self.gate.address)}">'
        with suppress(OSError, webbrowser.Error):  # the address has been printed as well
            handle = os.open(self._link, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "w") as file:
                file.write(f'<!doctype html><meta charset="utf-8">{refresh}')
            webbrowser.open(self._link.as_uri())

    def serve(self) -> None:
        threading.Thread(target=self._watch, daemon=True).start()
        self._server.run(sockets=[self._socket])
        if (
            not self._told
        ):  # a signal ended it, which the server raises once more, sometimes too late for asyncio to see it
            raise KeyboardInterrupt

    def end(self) -> None:
        """Ends `serve`, from any thread."""
        self._told = self._server.should_exit = True

    def close(self) -> None:
        """Leaves nothing behind."""
        self._ended.set()
        self._unlink()
        self.session.lock()
        self.session.work.end()
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _watch(self) -> None:
        while not self._ended.wait(min(self.session.idle / 4, 1)):
            self.session.lock_if_idle()
            if not self.gate.token:
                self._unlink()

    def _unlink(self) -> None:
        if self._link is not None:
            self._link.unlink(missing_ok=True)


def run(folder: Path, *, port: int, browser: bool, idle: float) -> None:
    """Serves the page of the profile in ``folder``; ``idle``: seconds without use until it locks. Raises InputError."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # not at once: `close` comes first
    with Page(folder, port=port, idle=idle) as page:
        console.say("StyleCrypt is a page in your browser now. If it did not open, this address does, once:")
        console.say(page.gate.address)
        console.say("Ctrl+C ends it.")
        if browser:
            page.open_browser()
        page.serve()

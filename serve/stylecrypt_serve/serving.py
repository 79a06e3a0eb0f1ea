"""Runs the server: a socket, worker processes, and an end that lets requests under way finish."""

from __future__ import annotations

import signal
import socket
import sys
from pathlib import Path

import uvicorn

from stylecrypt_msg.cli import console
from stylecrypt_msg.errors import InputError, os_reason

from .app import make_app
from .limits import Limits
from .tokens import Tokens
from .workers import Workers

__all__ = ["run"]

_LOOPBACK = ("127.0.0.1", "::1", "localhost")


def run(
    tokens: Tokens,
    workers: Workers,
    limits: Limits,
    *,
    host: str,
    port: int,
    certificate: Path | None,
    key: Path | None,
) -> None:
    """Serves until a signal ends it. Raises InputError."""
    try:
        listening = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        raise InputError(
            f"Nothing can be served at {host}:{port}: {os_reason(error)}.", hint="Choose another --host or --port."
        ) from error
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # raised once more when all requests are answered
    with listening:
        config = uvicorn.Config(
            make_app(tokens, workers, limits),
            log_config=None,
            access_log=False,
            server_header=False,
            ssl_certfile=certificate,
            ssl_keyfile=key,
            timeout_graceful_shutdown=round(limits.seconds),
        )
        scheme = "https" if certificate else "http"
        name = f"[{host}]" if ":" in host else host
        console.say(f"Covers at {scheme}://{name}:{listening.getsockname()[1]}, {workers.count} at once.")
        if certificate is None and host not in _LOOPBACK:
            console.note("Without --certificate, everybody on the way sees the photos: put a proxy with TLS before it.")
        uvicorn.Server(config).run(sockets=[listening])

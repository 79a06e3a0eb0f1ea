"""``bot``: its commands, which are above this package and come in as a plugin would."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

from ..errors import InputError, Remedy
from .session import Session

__all__ = ["check", "run", "setup", "verify"]


def setup(session: Session, config: Path, **options: Any) -> None:
    _commands().setup(session, config, **options)


def run(session: Session, config: Path) -> None:
    _commands().run(session, config)


def verify(session: Session, config: Path) -> None:
    _commands().verify(session, config)


def check(session: Session, config: Path, as_json: bool) -> None:
    _commands().check(session, config, as_json)


def _commands() -> Any:
    try:
        return importlib.import_module("stylecrypt_bots.cli")
    except ImportError as error:
        raise InputError(
            "The bot needs packages that are not installed.", remedy=Remedy.INSTALL_EXTRA, extra="bot"
        ) from error

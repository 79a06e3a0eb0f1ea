"""How work that takes its time tells how far it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

__all__ = ["Report", "silent"]

Report: TypeAlias = Callable[[str, int, int], None]
"""Hears what is being done, how much of it is done, and out of how much."""


def silent(what: str, done: int, total: int) -> None:
    """The `Report` of whoever does not want to know."""

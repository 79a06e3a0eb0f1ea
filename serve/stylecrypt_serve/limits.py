"""What one server takes on."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Limits"]


@dataclass(frozen=True)
class Limits:
    """What one server takes on.

    Attributes:
        waiting: requests that wait for a worker, besides those in progress.
        each: requests of one client, waiting or in progress.
        seconds: for one request, from its first byte to its answer.
        size: bytes of one request.
    """

    waiting: int = 32
    each: int = 16
    seconds: float = 60
    size: int = 32 * 2**20

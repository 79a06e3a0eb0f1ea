"""Admits requests, no more than the server promised to answer."""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from .health import Health
from .limits import Limits
from .wire import CoverRequest
from .work import Result
from .workers import Workers

__all__ = ["Admission", "BusyError"]


class BusyError(Exception):
    """No room for another request. ``status``: 429 if the client has too many, 503 if all have; try again ``after`` seconds."""

    def __init__(self, status: int, after: int) -> None:
        super().__init__(status)
        self.status, self.after = status, after


class Admission:
    """Admits requests within `Limits`, and has them answered."""

    def __init__(self, workers: Workers, limits: Limits, health: Health) -> None:
        self._workers, self._limits, self._health = workers, limits, health
        self._free = asyncio.Semaphore(workers.count)
        self._inside: Counter[str] = Counter()
        health.watch(lambda: self._inside.total())

    @asynccontextmanager
    async def admitted(self, client: str) -> AsyncIterator[None]:
        """Holds a place. Raises BusyError when there is none: before the photo is read, so that photos that wait are few."""
        if self._inside[client] >= self._limits.each:
            raise BusyError(429, self._retry_after())
        if self._inside.total() >= self._workers.count + self._limits.waiting:
            raise BusyError(503, self._retry_after())
        self._inside[client] += 1
        try:
            yield
        finally:
            self._inside[client] -= 1

    def _retry_after(self) -> int:
        """Seconds until some of those inside are done."""
        return max(1, math.ceil(self._health.mean_seconds() * self._inside.total() / self._workers.count / 2))

    async def answer(self, form: CoverRequest, gone: Callable[[], Awaitable[bool]]) -> Result | None:
        """None: the client is ``gone``. Raises what `Workers.answer` does."""
        async with self._free:
            if await gone():
                return None
            with self._health.working():
                return await self._workers.answer(form)

"""Hands forms to worker processes, in turn, no more than it promised."""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from typing import Protocol

from pebble import ProcessExpired, ProcessPool

from stylecrypt_msg.cli.cluster import Cluster
from stylecrypt_msg.cli.workers import begin_worker, worker_count
from stylecrypt_msg.errors import NetworkError

from .health import Health
from .wire import OrderForm
from .work import Result, answer, begin, load

__all__ = ["BusyError", "ClusterWorkers", "Desk", "Limits", "Processes", "Workers"]


@dataclass(frozen=True)
class Limits:
    """What one server takes on.

    Attributes:
        waiting: requests that wait for a worker, besides those under way.
        each: requests of one client, waiting or under way.
        seconds: for one request, from its first byte to its answer.
        size: bytes of one request.
    """

    waiting: int = 32
    each: int = 16
    seconds: float = 60
    size: int = 32 * 2**20


class BusyError(Exception):
    """No room for another request. ``status``: 429 if the client has too many, 503 if all have; try again ``after`` seconds."""

    def __init__(self, status: int, after: int) -> None:
        super().__init__(status)
        self.status, self.after = status, after


class Workers(Protocol):
    """Where the work is done. ``count``: how many forms at once."""

    count: int

    async def answer(self, form: OrderForm) -> Result:
        """Stops when it is cancelled. Raises RuntimeError when the worker dies of it."""

    def close(self) -> None: ...


class Processes:
    """Workers of this machine: one for each processor, each with the model in memory."""

    def __init__(self, model: str, count: int | None = None) -> None:
        """Returns when all are ready. Raises ModelError."""
        self.count = count or worker_count()
        context = get_context("spawn")
        self._pool = ProcessPool(
            self.count, context=context, initializer=begin_worker, initargs=(context.Value("i", 0), begin, (model,))
        )
        try:  # each is at it for a while, so each gets one
            for loading in [self._pool.schedule(load) for _ in range(self.count)]:
                loading.result()
        except BaseException:
            self.close()
            raise

    async def answer(self, form: OrderForm) -> Result:
        for tries_left in (1, 0):  # a worker may be killed for what another one did
            try:
                return await asyncio.wrap_future(self._pool.schedule(answer, args=[form]))
            except ProcessExpired as error:
                if not tries_left:
                    raise RuntimeError("the worker died") from error
        raise AssertionError

    def close(self) -> None:
        self._pool.stop()  # type: ignore[no-untyped-call]
        self._pool.join()


class ClusterWorkers:
    """Actors of a Ray cluster, each with the model in memory."""

    def __init__(self, address: str, model: str) -> None:
        """Raises what `Cluster` does."""
        self._cluster = Cluster(address, begin, model)
        self.count = self._cluster.count
        self._waiting = ThreadPoolExecutor(self.count)

    async def answer(self, form: OrderForm) -> Result:
        """Once it has begun, the actor finishes what is cancelled."""
        try:
            return await asyncio.wrap_future(self._waiting.submit(self._cluster.run, answer, form))
        except NetworkError as error:
            raise RuntimeError("the worker died") from error

    def close(self) -> None:
        self._waiting.shutdown(wait=False, cancel_futures=True)
        self._cluster.close()


class Desk:
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
            raise BusyError(429, self._turn())
        if self._inside.total() >= self._workers.count + self._limits.waiting:
            raise BusyError(503, self._turn())
        self._inside[client] += 1
        try:
            yield
        finally:
            self._inside[client] -= 1

    def _turn(self) -> int:
        """Seconds until some of those inside are done."""
        return max(1, math.ceil(self._health.mean_seconds() * self._inside.total() / self._workers.count / 2))

    async def answer(self, form: OrderForm, gone: Callable[[], Awaitable[bool]]) -> Result | None:
        """None: the client is ``gone``. Raises what `Workers.answer` does."""
        async with self._free:
            if await gone():
                return None
            with self._health.working():
                return await self._workers.answer(form)

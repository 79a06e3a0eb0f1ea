"""Where forms are answered: processes of this machine, or actors of a cluster."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import get_context
from typing import Protocol

from pebble import ProcessExpired, ProcessPool

from stylecrypt_msg.cli.cluster import Cluster
from stylecrypt_msg.cli.workers import begin_worker, worker_count
from stylecrypt_msg.errors import NetworkError

from .wire import CoverRequest
from .work import Result, answer, begin, load

__all__ = ["ClusterWorkers", "Processes", "Workers"]


class Workers(Protocol):
    """Where the work is done. ``count``: how many forms at once."""

    count: int

    async def answer(self, form: CoverRequest) -> Result:
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

    async def answer(self, form: CoverRequest) -> Result:
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

    async def answer(self, form: CoverRequest) -> Result:
        """Once it has begun, the actor finishes what is cancelled."""
        try:
            return await asyncio.wrap_future(self._waiting.submit(self._cluster.run, answer, form))
        except NetworkError as error:
            raise RuntimeError("the worker died") from error

    def close(self) -> None:
        self._waiting.shutdown(wait=False, cancel_futures=True)
        self._cluster.close()

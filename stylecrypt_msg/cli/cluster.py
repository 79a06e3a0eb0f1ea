"""Jobs for a Ray cluster: by actors, which keep what they have loaded.

Not by Ray Data, which reads and writes where the workers are: here the machine that was asked reads, seals, writes and keeps
the journal, so that keys and results stay on it, and workers get nothing but one job at a time.
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import replace
from functools import partial
from queue import SimpleQueue
from typing import Any, Self, TypeVar

import cv2

from ..covering import Cover, Coverer, CoverOrder, coverer
from ..errors import InputError, NetworkError, Remedy, StyleCryptError
from ..models.model_cache import ModelCache
from ..progress import Progress, silent
from ..recognisers import installed_recognisers

__all__ = ["Cluster", "CoverCluster", "in_threads"]

_RETRIES = 2  # of a job whose worker dies: Ray starts another one

_Job = TypeVar("_Job")
_Result = TypeVar("_Result")


class Cluster:
    """An actor for each processor of a Ray cluster. Threads may share it; close it, or use it in ``with``.

    Attributes:
        count: how many actors.
    """

    def __init__(self, address: str, start: Callable[..., None], *given: Any) -> None:
        """``address``: of the head's node, such as "10.0.0.1:6379"; "local" makes a cluster of this machine. Every actor begins
        with ``start(*given)``; that is pickled, as jobs are, so functions belong to modules. If it raises a `StyleCryptError`,
        so do all jobs.

        Raises NetworkError when no cluster answers, InputError where Ray is not installed.
        """
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nobody is told
        os.environ.setdefault("RAY_AUTH_MODE", "token")  # photos go to no cluster that lets everybody in
        try:
            import ray
        except ImportError as error:
            raise InputError(
                "Clusters need Ray, which is not installed.", remedy=Remedy.INSTALL_EXTRA, extra="ray"
            ) from error
        self._ray: Any = ray
        try:
            if address != "local":
                _check_reachable(address)
            self._ray.init(address, include_dashboard=False if address == "local" else None, log_to_driver=False)
            self.count = int(self._ray.cluster_resources().get("CPU", 0))
        except (OSError, ValueError, RuntimeError) as error:
            raise NetworkError(
                f"Cannot join a Ray cluster at {address}.",
                hint="Start one with `ray start --head`, and give its address, and its token in RAY_AUTH_TOKEN.",
            ) from error
        actor = self._ray.remote(num_cpus=1, max_restarts=-1, max_task_retries=_RETRIES)(_Actor)
        self._idle: SimpleQueue[Any] = SimpleQueue()
        self._starting = {one.ready.remote(): one for one in (actor.remote(start, given) for _ in range(self.count))}
        threading.Thread(target=self._await_actors, daemon=True).start()

    def _await_actors(self) -> None:
        """An actor gets jobs once it is there: a busy cluster has room for some of them only."""
        while self._starting:
            for ready in self._ray.wait([*self._starting])[0]:
                self._idle.put(self._starting.pop(ready))

    def run(self, work: Callable[[_Job], _Result], job: _Job) -> _Result:
        """``work(job)``, by an actor. Raises what it raises of `StyleCryptError`; NetworkError when its worker dies, and so do
        those that try again."""
        actor = self._idle.get()
        try:
            result, error = self._ray.get(actor.run.remote(work, job))
        except self._ray.exceptions.RayActorError as lost:
            raise NetworkError(
                f"The worker for this photo was killed {1 + _RETRIES} times.",
                hint="Perhaps there was too little memory for a picture of this size.",
            ) from lost
        finally:
            self._idle.put(actor)
        if error is not None:
            raise error
        done: _Result = result
        return done

    def spread(self, work: Callable[[_Job], _Result], jobs: Sequence[_Job]) -> Iterator[tuple[_Job, _Result]]:
        """Each job with its result, in the order in which they end. Raises what `run` does."""
        return in_threads(partial(self.run, work), jobs, self.count)

    def close(self) -> None:
        """Ends the actors."""
        self._ray.shutdown()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _check_reachable(address: str) -> None:
    """Raises OSError when nobody is there, or ValueError: Ray tries for minutes."""
    host, _, port = address.rpartition(":")
    socket.create_connection((host.strip("[]"), int(port)), timeout=10).close()


class _Actor:
    """In a worker."""

    def __init__(self, start: Callable[..., None], given: tuple[Any, ...]) -> None:
        cv2.setNumThreads(1)
        self._unable: StyleCryptError | None = None
        try:
            start(*given)
        except StyleCryptError as error:
            self._unable = error

    def ready(self) -> None: ...

    def run(self, work: Callable[[_Job], _Result], job: _Job) -> tuple[_Result | None, StyleCryptError | None]:
        """What `work` returns or raises: raised through Ray, an error would lose its hint."""
        try:
            return (work(job), None) if self._unable is None else (None, self._unable)
        except StyleCryptError as error:
            return None, error


def in_threads(work: Callable[[_Job], _Result], jobs: Sequence[_Job], count: int) -> Iterator[tuple[_Job, _Result]]:
    """Each job with its result, in the order in which they end; ``count`` at once."""
    with ThreadPoolExecutor(count) as pool:
        try:
            running = {pool.submit(work, job): job for job in jobs}
            for future in as_completed(running):
                yield running.pop(future), future.result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


# ---- covers


class CoverCluster(Cluster):
    """A `Coverer`: the cluster sees the photos; keys, contacts and messages stay here."""

    def __init__(self, address: str) -> None:
        """As `Cluster`."""
        super().__init__(address, _begin)

    def __call__(self, order: CoverOrder, progress: Progress = silent) -> Cover:
        progress("making faces", 0, 1)
        cover = self.run(_cover, order)
        progress("making faces", 1, 1)
        return cover if order.form == "portrait" else replace(cover, original=order.pixels)


_here: list[Coverer] = []


def _begin() -> None:
    _here[:] = [coverer(ModelCache(), installed_recognisers)]


def _cover(order: CoverOrder) -> Cover:
    cover = _here[0](order, silent)
    return cover if order.form == "portrait" else replace(cover, original=cover.pixels[:0])  # who asked has it

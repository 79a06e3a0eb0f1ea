"""Processes that work on many owners' pictures, and keep the models between jobs."""

from __future__ import annotations

import asyncio
import threading
import traceback
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

from stylecrypt_msg.cli.workers import begin_worker, worker_count
from stylecrypt_msg.errors import InputError, StyleCryptError
from stylecrypt_msg.messenger import Draft, EncryptedPhoto
from stylecrypt_msg.models.graphs import give_back_memory
from stylecrypt_msg.models.model_cache import ModelCache
from stylecrypt_msg.profile import Profile
from stylecrypt_msg.progress import Progress, silent

from .health import Health
from .quota import Quota
from .worker import OpenProfile, PictureWorker

__all__ = ["Pool", "PoolWorker"]

P = ParamSpec("P")
T = TypeVar("T")

_CONTEXT = get_context("spawn")  # a fork would copy locks that threads hold
_MOST_OPEN = 32  # profiles that a process keeps open


class Pool:
    """Runs each job in one of its processes, in the order in which they come. Processes start when they are needed, and end
    with this one."""

    def __init__(self, processes: int | None = None) -> None:
        """By default, one for each processor, as far as the memory goes."""
        self._threads = ThreadPoolExecutor(processes or worker_count(), "pool")
        self._own = threading.local()
        self._number = _CONTEXT.Value("i", 0)
        self._workers: list[_Worker] = []
        self._closed = False

    async def run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """The result of a function of a module. Its ``progress``, if any, is called in some thread here, and may raise a
        StyleCryptError to end the work.

        Raises what it raises; InputError if it ended its process twice.
        """
        job: Callable[[], T] = partial(self._run, work, args, kwargs)
        return await asyncio.get_running_loop().run_in_executor(self._threads, job)

    def _run(self, work: Callable[..., T], args: tuple[Any, ...], kwargs: dict[str, Any]) -> T:
        """In a thread that has a process of its own."""
        progress = kwargs.pop("progress", None)
        for _ in range(2):  # the first end may be somebody else's doing
            if self._closed:
                break
            worker: _Worker | None = getattr(self._own, "worker", None)
            if worker is None:
                worker = self._own.worker = _Worker(self._number)
                self._workers.append(worker)
            try:
                return worker.run((work, args, kwargs), progress)  # type: ignore[no-any-return]
            except (EOFError, OSError):
                worker.end()
                self._workers.remove(worker)
                self._own.worker = None
        raise InputError(
            "The work on this picture broke off twice.", hint="Try again later, or with a smaller picture."
        )

    def close(self) -> None:
        """Ends all jobs."""
        self._closed = True
        for worker in list(self._workers):
            worker.end()
        self._threads.shutdown(cancel_futures=True)


class PoolWorker(PictureWorker):
    """One owner's: a job at a time, so that nobody waits for more than one of theirs. ``passphrase`` is the profile's."""

    def __init__(
        self, profile: Profile, model: str, health: Health, *, passphrase: str, pool: Pool, quota: Quota
    ) -> None:
        super().__init__(profile, model, health)
        self._place, self._pool, self._quota = (profile.folder, passphrase), pool, quota
        self._turn = asyncio.Lock()

    async def prepare(self, draft: Draft, progress: Progress = silent) -> EncryptedPhoto:
        """Raises InputError as well for a photo that the quota does not cover."""
        self._quota.check(len(draft.photo))
        prepared = await super().prepare(draft, progress)
        self._quota.spend(len(draft.photo))
        return prepared

    async def run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        async with self._turn:
            return await self._pool.run(work, *args, **kwargs)

    async def with_profile(
        self, work: Callable[Concatenate[OpenProfile, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        return await self.run(_with_profile, self._place, work, *args, **kwargs)


class _Worker:
    """A process, and the connection to it."""

    def __init__(self, number: Synchronized[int]) -> None:
        self._here, there = _CONTEXT.Pipe()
        self._process = _CONTEXT.Process(target=_serve, args=(number, there), daemon=True)
        self._process.start()
        there.close()

    def run(self, job: tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]], progress: Progress | None) -> Any:
        """Raises EOFError or OSError if the process ends."""
        self._here.send((*job, progress is not None))
        while True:
            what, value = self._here.recv()
            if what == "result":
                return value
            if what == "error":
                raise value
            self._here.send(_said(progress or silent, value))

    def end(self) -> None:
        self._process.kill()
        self._process.join()
        with suppress(OSError):
            self._here.close()


def _said(progress: Progress, value: tuple[str, int, int]) -> StyleCryptError | None:
    try:
        progress(*value)
    except StyleCryptError as error:
        return error
    return None


# In the processes


def _serve(number: Synchronized[int], connection: Connection) -> None:
    begin_worker(number, lambda: None, ())
    while True:
        try:
            work, args, kwargs, reports = connection.recv()
        except EOFError:
            return
        if reports:
            kwargs["progress"] = partial(_report, connection)
        try:
            answer = "result", work(*args, **kwargs)
        except StyleCryptError as error:
            answer = "error", error
        except Exception as error:  # a bug: its text may quote secrets
            frame = traceback.extract_tb(error.__traceback__)[-1]
            answer = "error", RuntimeError(f"{type(error).__name__} at {Path(frame.filename).name}:{frame.lineno}")
        connection.send(answer)
        del work, args, kwargs, answer
        give_back_memory()


def _report(connection: Connection, what: str, done: int, total: int) -> None:
    connection.send(("progress", (what, done, total)))
    if (error := connection.recv()) is not None:
        raise error


_models = ModelCache()
_open_profiles: OrderedDict[tuple[Path, str], OpenProfile] = OrderedDict()


def _with_profile(place: tuple[Path, str], work: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Opening a profile takes half a second, so the last ones stay open."""
    if place not in _open_profiles:
        folder, passphrase = place
        _open_profiles[place] = OpenProfile.of(Profile.open(folder, lambda: passphrase), _models)
        if len(_open_profiles) > _MOST_OPEN:
            _open_profiles.popitem(last=False)[1].profile.close()
    _open_profiles.move_to_end(place)
    return work(_open_profiles[place], *args, **kwargs)

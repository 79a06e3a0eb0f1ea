"""Jobs spread over the processors that this process may use. A worker that is killed takes no job with it."""

from __future__ import annotations

import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from multiprocessing import get_context, parent_process
from multiprocessing.sharedctypes import Synchronized
from typing import Any, TypeVar

import cv2

__all__ = ["begin_worker", "in_parallel", "worker_count"]

_WORKER_BYTES = 3 * 2**29  # a model and a photo of 108 megapixels

_Job = TypeVar("_Job")
_Result = TypeVar("_Result")


def in_parallel(
    work: Callable[[_Job], _Result], jobs: Sequence[_Job], start: Callable[..., None], *given: Any
) -> Iterator[tuple[_Job, _Result | None]]:
    """Each job with its result, in the order in which they end; None: the job killed its worker, even when it ran alone.

    Every worker begins with ``start(*given)``. All of this is pickled, so functions belong to modules.
    """
    waiting = deque(jobs)
    while waiting:
        suspects = yield from _until_one_dies(work, waiting, worker_count(), start, given)
        for job in suspects:  # one of them did it
            alone = deque([job])
            if (yield from _until_one_dies(work, alone, 1, start, given)):
                yield job, None


def _until_one_dies(
    work: Callable[[_Job], _Result],
    waiting: deque[_Job],
    processes: int,
    start: Callable[..., None],
    given: tuple[Any, ...],
) -> Generator[tuple[_Job, _Result | None], None, list[_Job]]:
    """Takes jobs from ``waiting`` until there are no more, or a worker dies; returns those that were then under way."""
    context = get_context("spawn")  # a fork would copy locks that the runtime's threads hold
    running: dict[Future[_Result], _Job] = {}
    count = min(processes, len(waiting))
    pool = ProcessPoolExecutor(count, context, initializer=begin_worker, initargs=(context.Value("i", 0), start, given))
    try:
        while waiting or running:
            while waiting and len(running) < count + (count > 1):  # one ahead, so that nobody waits for us
                future = pool.submit(work, waiting[0])  # which fails when a worker has died meanwhile
                running[future] = waiting.popleft()
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                result = future.result()
                yield running.pop(future), result
    except BrokenProcessPool:
        return list(running.values())
    finally:
        pool.shutdown(cancel_futures=True)
    return []


def worker_count() -> int:
    """One for each processor that this process may use, as far as the machine's memory goes."""
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # Windows
        return processors
    return max(1, min(processors, memory // _WORKER_BYTES))


def begin_worker(number: Synchronized[int], start: Callable[..., None], given: tuple[Any, ...]) -> None:
    """The first thing that a worker process does; ``number`` counts them all."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent
    threading.Thread(target=_end_with_parent, daemon=True).start()
    if hasattr(os, "sched_getaffinity"):  # one processor each: many threads on the same ones are slower
        with number.get_lock():
            number.value += 1
            mine = number.value
        mine_to_use = sorted(os.sched_getaffinity(0))
        with suppress(OSError):
            os.sched_setaffinity(0, {mine_to_use[mine % len(mine_to_use)]})
    cv2.setNumThreads(1)
    start(*given)


def _end_with_parent() -> None:
    """A parent that was killed cannot end its workers."""
    if (parent := parent_process()) is not None:
        parent.join()
        os._exit(1)

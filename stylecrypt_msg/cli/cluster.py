"""Jobs for a Ray cluster, by Ray Data: its actors keep what they have loaded, and it tries again when one dies."""

from __future__ import annotations

import logging
import os
import pickle
import socket
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import cv2

from ..errors import InputError, NetworkError, Remedy, StyleCryptError

__all__ = ["TRIES", "in_cluster", "joined"]

TRIES = 3
"""Of a job whose worker dies."""

_STORE = 2**29  # bytes of photos and results that wait, on all machines together

_SETTINGS = {
    "RAY_USAGE_STATS_ENABLED": "0",  # nobody is told
    "RAY_AUTH_MODE": "token",  # photos go to no cluster that lets everybody in
    "RAY_BACKEND_LOG_LEVEL": "fatal",  # what people should know, we say
    "RAY_DEDUP_LOGS_SKIP_REGEX": ".",  # on standard output, too
}

_Job = TypeVar("_Job")
_Result = TypeVar("_Result")


@contextmanager
def joined(address: str) -> Iterator[Any]:
    """The package ``ray``, while this process belongs to a cluster.

    ``address``: of the head's node, such as "10.0.0.1:6379"; "local" makes a cluster of this machine.

    Raises NetworkError when no cluster answers, InputError where Ray is not installed.
    """
    for name, value in _SETTINGS.items():
        os.environ.setdefault(name, value)
    try:
        import ray
    except ImportError as error:
        raise InputError(
            "Clusters need Ray, which is not installed.", remedy=Remedy.INSTALL_EXTRA, extra="ray"
        ) from error
    try:
        if address != "local":
            _check_reachable(address)
        dashboard = False if address == "local" else None
        ray.init(address, include_dashboard=dashboard, log_to_driver=False, logging_level=logging.ERROR)
    except (OSError, ValueError, RuntimeError) as error:
        raise NetworkError(
            f"Cannot join a Ray cluster at {address}.",
            hint="Start one with `ray start --head`, and give its address, and its token in RAY_AUTH_TOKEN.",
        ) from error
    try:
        yield ray
    finally:
        ray.shutdown()


def _check_reachable(address: str) -> None:
    """Raises OSError when nobody is there, or ValueError: Ray tries for minutes."""
    host, _, port = address.rpartition(":")
    socket.create_connection((host.strip("[]"), int(port)), timeout=10).close()


def in_cluster(
    ray: Any,
    work: Callable[[_Job], _Result],
    jobs: Sequence[_Job],
    start: Callable[..., None],
    *given: Any,
    before: Callable[[_Job], _Job] | None = None,
) -> Iterator[tuple[_Job, _Result | None]]:
    """Each job with its result, in the order in which they end; None: its worker died `TRIES` times.

    Every worker begins with ``start(*given)``. ``before``: what this machine does for each job, not far ahead. All of this is
    pickled, so functions belong to modules. Raises a `StyleCryptError` of ``start`` or ``work``.
    """
    if not jobs:
        return
    import ray.data as data

    context = data.DataContext.get_current()
    context.enable_progress_bars = False
    context.max_errored_blocks = -1  # a job that kills its worker stops no others
    context.execution_options.resource_limits = data.ExecutionResources(object_store_memory=_STORE)
    logging.getLogger("ray.data").setLevel(logging.CRITICAL)
    rows = [{"number": number, "job": pickle.dumps(job)} for number, job in enumerate(jobs)]
    tasks: Any = data.from_items(rows, override_num_blocks=len(rows))  # a block is what Ray Data tries again
    if before is not None:
        here = {"ray.io/node-id": ray.get_runtime_context().get_node_id()}
        tasks = tasks.map(_before, fn_args=[before], num_cpus=0, concurrency=1, label_selector=here)
    count = max(1, min(int(ray.cluster_resources().get("CPU", 1)), len(jobs)))
    actors = data.ActorPoolStrategy(min_size=1, max_size=count, initial_size=count, max_tasks_in_flight_per_actor=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its name for max_task_retries in later versions is not there yet
        results = tasks.map(
            _Worker, fn_constructor_args=[work, start, given], compute=actors, num_cpus=1, max_task_retries=TRIES - 1
        )
    ended = set()
    for row in results.iter_rows():
        result, error = pickle.loads(row["result"])  # noqa: S301 - of a worker, which may run any code anyway
        if error is not None:
            raise error
        ended.add(row["number"])
        yield jobs[row["number"]], result
    for number, job in enumerate(jobs):
        if number not in ended:
            yield job, None


def _before(row: dict[str, Any], work: Callable[[Any], Any]) -> dict[str, Any]:
    return {**row, "job": pickle.dumps(work(pickle.loads(row["job"])))}  # noqa: S301 - our own


class _Worker:
    """An actor."""

    def __init__(self, work: Callable[[Any], Any], start: Callable[..., None], given: tuple[Any, ...]) -> None:
        cv2.setNumThreads(1)
        self._work = work
        self._unable: Exception | None = None
        try:
            start(*given)
        except StyleCryptError as error:
            self._unable = error

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        """Errors travel as values: raised through Ray, they would lose their hints."""
        result, error = None, self._unable
        if error is None:
            try:
                result = self._work(pickle.loads(row["job"]))  # noqa: S301 - of whoever runs the cluster
            except StyleCryptError as refused:
                error = refused
            except (
                Exception
            ) as bug:  # by its class alone, as its words may tell of a photo; raised, it would count as a kill
                error = RuntimeError(f"{type(bug).__name__} in a worker")
        return {"number": row["number"], "result": pickle.dumps((result, error))}

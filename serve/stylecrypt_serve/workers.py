"""Where forms are answered: processes of this machine, or replicas on a cluster."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from multiprocessing import get_context
from typing import Protocol

import cv2
from pebble import ProcessExpired, ProcessPool

from stylecrypt_msg.cli.cluster import joined
from stylecrypt_msg.cli.workers import begin_worker, worker_count
from stylecrypt_msg.errors import StyleCryptError

from .wire import CoverRequest
from .work import Result, answer, begin, load

__all__ = ["Processes", "Replicas", "Workers"]

_APPLICATION = "stylecrypt"


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


class Replicas:
    """A deployment of Ray Serve: a replica for each processor of a cluster, each with the model in memory. Those that die are
    replaced."""

    def __init__(self, address: str, model: str) -> None:
        """Returns when the first one is ready. Raises what `joined` does, and ModelError."""
        self._open = ExitStack()
        ray = self._open.enter_context(joined(address))
        from ray import serve

        try:
            self._lost: type[Exception] = ray.exceptions.RayActorError
            self.count = max(1, int(ray.cluster_resources().get("CPU", 1)))
            quiet = {"log_level": "ERROR", "enable_access_log": False}
            deployment = serve.deployment(
                name="covers",
                num_replicas=self.count,
                max_ongoing_requests=1,
                ray_actor_options={"num_cpus": 1},
                logging_config=quiet,
            )(_Replica)
            serve.start(proxy_location="Disabled", logging_config=quiet)  # we listen, not it
            target = serve.RunTarget(deployment.bind(model), name=_APPLICATION, route_prefix=None)
            (self._handle,) = serve.run_many([target], wait_for_applications_running=False)
            self._open.callback(serve.delete, _APPLICATION)
            if (unable := self._handle.unable.remote().result()) is not None:
                raise unable
        except BaseException:  # a Ctrl-C, too, must not leave replicas behind
            self.close()
            raise

    async def answer(self, form: CoverRequest) -> Result:
        """Once it has begun, the replica finishes what is cancelled."""
        for tries_left in (1, 0):
            try:
                result: Result = await self._handle.answer.remote(form)
                return result
            except self._lost as error:
                if not tries_left:
                    raise RuntimeError("the worker died") from error
        raise AssertionError

    def close(self) -> None:
        self._open.close()


class _Replica:
    def __init__(self, model: str) -> None:
        cv2.setNumThreads(1)
        begin(model)
        self._unable: StyleCryptError | None = None
        try:
            load()
        except StyleCryptError as error:
            self._unable = error

    def unable(self) -> StyleCryptError | None:
        """Why there can be no answers. As a value: raised through Ray, it would lose its hint."""
        return self._unable

    def answer(self, form: CoverRequest) -> Result:
        return answer(form)

"""The bot's health, for ``/health``, Prometheus, and watchdogs that look at a file. Served to this machine alone."""

from __future__ import annotations

import logging
import os
import time
from pathlib import Path

from aiohttp import web
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from stylecrypt_msg.errors import InputError

from . import config
from .queues import Outgoing, Queues

__all__ = ["Health"]

_log = logging.getLogger(__name__)
_ALIVE = 120.0  # seconds since the server last answered; it does so every 30 when there is nothing new


class Health:
    """What happened so far. ``heartbeat``: a file that gets the time whenever the server answers."""

    def __init__(self, heartbeat: Path | None = None) -> None:
        self._heartbeat = heartbeat
        self._answered: float | None = None
        self._problems: dict[str, str] = {}
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        self.seen = Counter(
            "stylecrypt_bot_pictures",
            "Pictures in rooms, by what they turned out to be.",
            ["outcome"],
            registry=self._registry,
        )
        self._posted = Counter(
            "stylecrypt_bot_posts", "Events that were posted, by whom they are for.", ["to"], registry=self._registry
        )
        self._errors = Counter(
            "stylecrypt_bot_errors", "What did not work at first.", ["doing"], registry=self._registry
        )
        self.work = Histogram(
            "stylecrypt_bot_work_seconds",
            "Time on pictures, by kind of work.",
            ["doing"],
            registry=self._registry,
            buckets=(0.1, 0.3, 1, 3, 10, 30, 100),
        )
        self._sync = Gauge(
            "stylecrypt_bot_last_sync_timestamp_seconds", "When the server last answered.", registry=self._registry
        )

    def watch(self, queues: Queues) -> None:
        """Counts what waits in the queues."""
        waiting = Gauge("stylecrypt_bot_waiting", "What is not done yet.", ["where"], registry=self._registry)
        for where, records in (("inbox", queues.inbox), ("outbox", queues.outbox), ("drafts", queues.drafts)):
            waiting.labels(where).set_function(records.__len__)

    def synced(self) -> None:
        """The server answered."""
        self._answered = time.monotonic()
        self._sync.set_to_current_time()
        self.well("sync")
        if self._heartbeat is not None:
            try:
                self._heartbeat.write_text(f"{int(time.time())}\n")
            except OSError as error:
                _log.warning("no heartbeat", extra={"error": error.strerror})

    def posted(self, outgoing: Outgoing) -> None:
        self._posted.labels("owner" if outgoing.private else "room").inc()

    def failed(self, doing: str, problem: str | None = None) -> None:
        """Something did not work. A ``problem`` makes the bot unhealthy until that goes ``well``."""
        self._errors.labels(doing).inc()
        if problem is not None:
            self._problems[doing] = problem

    def well(self, doing: str) -> None:
        self._problems.pop(doing, None)

    def words(self) -> str:
        """Whether all is well, for people."""
        problems = list(self._problems.values())
        if self._answered is not None and (silent := time.monotonic() - self._answered) >= _ALIVE:
            problems.insert(0, f"The server has not answered for {silent // 60:.0f} minutes.")
        return f"Something is wrong: {' '.join(problems)}" if problems else "All is well."

    def status(self) -> tuple[bool, dict[str, object]]:
        """Whether all is well, and the details."""
        since = None if self._answered is None else round(time.monotonic() - self._answered, 1)
        well = since is not None and since < _ALIVE and not self._problems
        return well, {"status": "ok" if well else "failing", "last_sync_seconds": since, "problems": self._problems}

    async def serve(self, where: config.HealthSettings) -> web.AppRunner:
        """Serves ``/health`` and ``/metrics`` until the result is cleaned up. Raises InputError if the port is taken."""

        async def health(_: web.Request) -> web.Response:
            well, status = self.status()
            return web.json_response(status, status=200 if well else 503)

        async def metrics(_: web.Request) -> web.Response:
            return web.Response(body=generate_latest(self._registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

        app = web.Application()
        app.add_routes([web.get("/health", health), web.get("/metrics", metrics)])
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        try:
            await web.TCPSite(runner, where.host, where.port).start()
        except OSError as error:
            await runner.cleanup()
            raise InputError(
                f"Nothing can be served at {where.host}:{where.port}: {os.strerror(error.errno or 0).lower()}.",
                hint="Choose another port under `health` in the configuration.",
            ) from error
        return runner

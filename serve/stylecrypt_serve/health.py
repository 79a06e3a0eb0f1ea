"""Numbers for Prometheus: how many, how long, never who or what."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import perf_counter

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

__all__ = ["Health"]

_BUCKETS = (0.3, 1, 2, 3, 5, 10, 20, 30, 60, 120)
_FIRST = 2.0  # seconds for a photo, before there was one


class Health:
    """What happened so far."""

    media_type = CONTENT_TYPE_LATEST

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        self._answers = Counter(
            "stylecrypt_serve_answers",
            "Answers to requests for covers, by status.",
            ["status"],
            registry=self._registry,
        )
        self._seconds = Histogram(
            "stylecrypt_serve_seconds",
            "Time of a request for a cover, from its first byte.",
            registry=self._registry,
            buckets=_BUCKETS,
        )
        self._work = Histogram(
            "stylecrypt_serve_work_seconds",
            "Time that a worker spent on a photo.",
            registry=self._registry,
            buckets=_BUCKETS,
        )
        self._busy = Gauge("stylecrypt_serve_busy", "Workers that are at work.", registry=self._registry)
        self._inside = Gauge("stylecrypt_serve_inside", "Requests that wait or are worked on.", registry=self._registry)
        self._recent = _FIRST

    def watch(self, inside: Callable[[], int]) -> None:
        self._inside.set_function(inside)

    def answered(self, status: int, seconds: float) -> None:
        self._answers.labels(str(status)).inc()
        self._seconds.observe(seconds)

    @contextmanager
    def working(self) -> Iterator[None]:
        began = perf_counter()
        with self._busy.track_inprogress():
            try:
                yield
            finally:
                seconds = perf_counter() - began
                self._work.observe(seconds)
                self._recent += (seconds - self._recent) / 8

    def mean_seconds(self) -> float:
        """Of recent photos."""
        return self._recent

    def text(self) -> bytes:
        return generate_latest(self._registry)

"""Long work in a thread, one piece at a time, while the page stays alive."""

from __future__ import annotations

import secrets
import traceback
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from stylecrypt_msg.errors import StyleCryptError
from stylecrypt_msg.progress import Progress

__all__ = ["BugError", "Job", "Work"]

_MOST = 50  # finished jobs that are remembered


class BugError(StyleCryptError):
    """Something that should not happen. Its text names the place, and not the error's message, which may hold secrets."""

    exit_code = 2

    def __init__(self, error: Exception) -> None:
        frame = traceback.extract_tb(error.__traceback__)[-1]
        super().__init__(
            f"This is a bug: {type(error).__name__} in {Path(frame.filename).name} line {frame.lineno}.",
            hint="Report it with what you did.",
        )


@dataclass(eq=False)
class Job:
    """Attributes:
    done_at, failed_at: the pages to show afterwards.
    step: what is being done, how much of it is done, and out of how much.
    """

    done_at: str
    failed_at: str
    id: str = field(default_factory=lambda: secrets.token_urlsafe(9))
    state: Literal["waiting", "running", "done", "failed"] = "waiting"
    step: tuple[str, int, int] = ("", 0, 1)
    error: StyleCryptError | None = None
    dropped: bool = False

    @property
    def next(self) -> str | None:
        """The page to go to; None while it is not finished."""
        return {"done": self.done_at, "failed": f"{self.failed_at}?job={self.id}"}.get(self.state)


class Work:
    """The jobs, and the one thread that does them."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, "work")
        self._jobs: OrderedDict[str, Job] = OrderedDict()

    @property
    def busy(self) -> bool:
        return any(job.state in ("waiting", "running") for job in self._jobs.values())

    def start(self, action: Callable[[Progress], None], *, done_at: str, failed_at: str) -> Job:
        job = Job(done_at, failed_at)
        self._jobs[job.id] = job
        while len(self._jobs) > _MOST:
            self._jobs.popitem(last=False)
        self._thread.submit(_do, job, action)
        return job

    def job(self, id: str) -> Job | None:
        return self._jobs.get(id)

    def drop(self, then: Callable[[], None]) -> None:
        """Forgets all jobs; those that wait are not done any more. ``then`` runs after the present one."""
        for job in self._jobs.values():
            job.dropped = True
        self._jobs.clear()
        self._thread.submit(then)

    def end(self) -> None:
        """Waits for the present job."""
        self._thread.shutdown(wait=True, cancel_futures=False)


def _do(job: Job, action: Callable[[Progress], None]) -> None:
    if job.dropped:
        return

    def progress(what: str, done: int, total: int) -> None:
        job.step = (what, done, total)

    job.state = "running"
    try:
        action(progress)
    except StyleCryptError as error:
        job.error, job.state = error, "failed"
    except Exception as error:  # one bug does not end the page; the person is told, and no log
        job.error, job.state = BugError(error), "failed"
    else:
        job.state = "done"

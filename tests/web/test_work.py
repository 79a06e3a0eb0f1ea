"""Long work: one piece at a time, and nothing is left of it when the profile is locked."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from stylecrypt_web.work import Job, Work

from stylecrypt_msg.errors import InputError
from stylecrypt_msg.progress import Progress


@pytest.fixture
def work() -> Iterator[Work]:
    work = Work()
    yield work
    work.end()


def ended(work: Work) -> None:
    """Waits for all jobs."""
    done = threading.Event()
    work._thread.submit(done.set)
    assert done.wait(60)


def start(work: Work, action: object) -> Job:
    return work.start(action, done_at="/done", failed_at="/failed")  # type: ignore[arg-type]


def test_one_at_a_time(work: Work) -> None:
    go, order = threading.Event(), []

    def first(progress: Progress) -> None:
        progress("making faces", 1, 2)
        assert go.wait(60)
        order.append(1)

    jobs = [start(work, first), start(work, lambda _: order.append(2))]
    while jobs[0].step[0] != "making faces":
        pass
    assert [job.state for job in jobs] == ["running", "waiting"]
    assert jobs[1].next is None and work.busy
    go.set()
    ended(work)
    assert order == [1, 2]
    assert [job.next for job in jobs] == ["/done", "/done"] and not work.busy


def test_errors_are_kept_for_the_page_and_bugs_without_their_text(work: Work) -> None:
    def refused(_: Progress) -> None:
        raise InputError("No face.")

    def wrong(_: Progress) -> None:
        raise ValueError("a secret")

    one, other = start(work, refused), start(work, wrong)
    ended(work)
    assert str(one.error) == "No face." and one.next == f"/failed?job={one.id}"
    assert "This is a bug: ValueError in test_work.py line" in str(other.error)
    assert "secret" not in str(other.error)


def test_what_waits_is_not_done_after_all_was_dropped(work: Work) -> None:
    go, order = threading.Event(), []

    def first(_: Progress) -> None:
        assert go.wait(60)
        order.append("first")

    start(work, first)
    job = start(work, lambda _: order.append("second"))
    work.drop(lambda: order.append("closed"))
    go.set()
    ended(work)
    assert order == ["first", "closed"] and work.job(job.id) is None

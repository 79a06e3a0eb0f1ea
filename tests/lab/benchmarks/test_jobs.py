"""Whole jobs are measured as a user would wait for them."""

from __future__ import annotations

import pytest
from stylecrypt_lab.benchmarks import jobs

from stylecrypt_msg.errors import InputError
from stylecrypt_msg.models import FaceModel

from ...conftest import People
from ...support import quickly

pytestmark = pytest.mark.usefixtures("short_descents")


@pytest.fixture(autouse=True)
def _small(default_model: FaceModel, people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    """Photos a ninth of the size, with one or two people, and in this process the other tests' model."""
    made = jobs._photo
    monkeypatch.setattr(jobs, "_face", lambda model, name: people.ann)
    monkeypatch.setattr(jobs, "_photo", lambda faces, *sizes: made(faces[:2], *(size // 3 for size in sizes)))


@pytest.mark.slow
def test_jobs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "_COMMAND", quickly.PROGRAM + jobs._COMMAND)
    monkeypatch.setattr(jobs, "_REPEATS", 1)
    monkeypatch.setattr(jobs, "_TORCH", "import cv2")
    heard = []
    found = jobs.measure(lambda what, done, total: heard.append((done, total)))
    assert heard == [(done, len(found.jobs)) for done in range(len(found.jobs) + 1)]
    assert (found.yardstick, found.unit > 0) == ("import cv2", True)
    for job in found.jobs:
        assert min(job.warm, job.fresh, job.cpu) > 0, job.name
        assert 50 < job.memory < 2000, job.name
    sent, opened, *_ = found.jobs
    assert opened.memory < sent.memory - 100  # it does not need the model


def test_a_command_that_fails_is_no_measurement(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "_COMMAND", "raise SystemExit('no room')")
    with pytest.raises(InputError, match="failed: no room"):
        jobs.measure(lambda *_: None)

"""The processes that work on many owners' pictures."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import stylecrypt_protocol as protocol
from stylecrypt_bots.config import QuotaSettings
from stylecrypt_bots.health import Health
from stylecrypt_bots.pool import Pool, PoolWorker
from stylecrypt_bots.quota import Quota

from stylecrypt_msg.errors import InputError, RefusedError, Remedy
from stylecrypt_msg.messenger import Arrival
from stylecrypt_msg.profile import Profile
from stylecrypt_msg.progress import Progress


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    pool = Pool(1)
    yield pool
    pool.close()


def worker(pool: Pool, folder: Path, name: str = "Ann", quota: QuotaSettings | None = None) -> PoolWorker:
    profile = Profile.create(folder / name, name=name, passphrase="its own", now=int(time.time()))
    return PoolWorker(
        profile, "default", Health(), passphrase="its own", pool=pool, quota=Quota(quota or QuotaSettings(), profile)
    )


# Jobs, in the processes


def number() -> int:
    return os.getpid()


def refuse() -> None:
    raise RefusedError("Not for you.", protocol.NotForMeError("at all"), hint="Ask.")


def stumble() -> None:
    raise ValueError("a secret")


def report(*, progress: Progress) -> None:
    for done in range(1, 4):
        progress("counting", done, 3)


def die(times: Path) -> str:
    """Until it has died this often."""
    left = int(times.read_text())
    if left:
        times.write_text(str(left - 1))
        os.kill(os.getpid(), signal.SIGKILL)
    return "alive"


def note(file: Path, who: str) -> None:
    with file.open("a") as output:
        output.write(who)


async def test_work_is_done_elsewhere_and_errors_come_back_whole(pool: Pool) -> None:
    assert await pool.run(number) not in (os.getpid(), os.getppid())
    with pytest.raises(RefusedError, match="Not for you") as refused:
        await pool.run(refuse)
    assert isinstance(refused.value.reason, protocol.NotForMeError)
    assert refused.value.hint == "Ask."
    with pytest.raises(RuntimeError, match=r"^ValueError at test_pool.py:\d+$"):
        await pool.run(stumble)


async def test_progress_comes_here_and_may_end_the_work(pool: Pool) -> None:
    seen: list[int] = []
    await pool.run(report, progress=lambda _, done, __: seen.append(done))
    assert seen == [1, 2, 3]

    def enough(_: str, done: int, __: int) -> None:
        if done == 2:
            raise InputError("Enough.", remedy=Remedy.SEND_LESS)

    with pytest.raises(InputError, match="Enough") as ended:
        await pool.run(report, progress=enough)
    assert ended.value.remedy is Remedy.SEND_LESS


async def test_a_process_that_is_killed_takes_no_job_with_it(pool: Pool, tmp_path: Path) -> None:
    """But a job that kills its process again is given up, and the next one finds another."""
    times = tmp_path / "times"
    times.write_text("1")
    assert await pool.run(die, times) == "alive"
    times.write_text("2")
    with pytest.raises(InputError, match="broke off twice"):
        await pool.run(die, times)
    assert await pool.run(die, times) == "alive"


async def test_nobody_waits_for_more_than_one_job_of_anybody_else(pool: Pool, tmp_path: Path) -> None:
    ann, bea = worker(pool, tmp_path, "Ann"), worker(pool, tmp_path, "Bea")
    order = tmp_path / "order"
    await asyncio.gather(*(ann.run(note, order, "a") for _ in range(5)), *(bea.run(note, order, "b") for _ in range(2)))
    assert order.read_text() == "ababaaa"


async def test_the_profile_is_opened_there(pool: Pool, tmp_path: Path) -> None:
    garbage = Arrival(picture=b"no picture")
    with pytest.raises(InputError, match="not a picture"):
        await worker(pool, tmp_path).open(garbage, delivery=bytes(32))


def test_a_quota_is_for_a_day_and_survives_a_restart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = QuotaSettings(photos=2, bytes=3 << 20)
    with Profile.create(tmp_path / "p", name="Ann", passphrase=None, now=1) as profile:
        for _ in range(2):
            Quota(settings, profile).check(1 << 20)
            Quota(settings, profile).spend(1 << 20)
        with pytest.raises(InputError, match="2 photos and 3 MiB a day here, and have sent 2 with 2 MiB today"):
            Quota(settings, profile).check(1)
        with pytest.raises(InputError, match="a day"):
            Quota(QuotaSettings(photos=9, bytes=3 << 20), profile).check((1 << 20) + 1)
        monkeypatch.setattr("stylecrypt_bots.quota._day", lambda: "2030-01-01")
        Quota(settings, profile).check(3 << 20)

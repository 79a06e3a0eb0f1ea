"""Bots in separate processes, some of which are killed when they reach a certain point.

``python -m tests.support.killed_bots CONFIG PROFILE`` runs a bot that is not killed.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from stylecrypt_bots import bot, outbox, queues, session, worker
from stylecrypt_bots.config import Config

from stylecrypt_msg.profile import Profile
from stylecrypt_msg.transports.matrix import state

from .quickly import shorten

if TYPE_CHECKING:
    from .people import Household

# Where a bot is killed: after (or before) a function's work. "Accepted": the server has it, the profile does not know yet.
POINTS: dict[str, tuple[Any, str, bool]] = {
    "received": (queues.Queues, "receive", True),
    "before the work": (worker.PictureWorker, "run", False),
    "after the work": (worker.PictureWorker, "run", True),
    "before posting": (session.BotSession, "_put", False),
    "accepted": (session.BotSession, "_put", True),
    "before taking down": (outbox.Outbox, "_sent", False),
    "taken down": (outbox.Outbox, "_sent", True),
    "before moving on": (state.SyncPosition, "write", False),
    "moved on": (state.SyncPosition, "write", True),
}


# A bot that is killed early works for less time than its imports take: import once, and fork each bot.
_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["tests.support.killed_bots"])


def start(house: Household) -> subprocess.Popen[bytes]:
    """Starts a household's bot in a separate process."""
    command = [sys.executable, "-m", "tests.support.killed_bots", str(_configured(house)), str(house.profile.folder)]
    with _log(house).open("ab") as output:
        return subprocess.Popen(command, cwd=Path(__file__).parents[2], stdout=output, stderr=output)


def fork(house: Household, point: str = "never", count: int = 1) -> BaseProcess:
    """As `start`; the bot is killed when it reaches ``point`` for the ``count``-th time."""
    process = _FORKS.Process(
        target=_forked, args=(_configured(house), house.profile.folder, _log(house), point, count), daemon=True
    )
    process.start()
    return process


def _configured(house: Household) -> Path:
    config = house.folder / "bot.yaml"
    config.write_text(yaml.safe_dump(house.config.model_dump(mode="json", exclude_defaults=True)))
    return config


def _log(house: Household) -> Path:
    return house.folder / "bot.log"


def _forked(config: Path, profile: Path, log: Path, point: str, count: int) -> None:
    with log.open("ab") as output:
        os.dup2(output.fileno(), 1), os.dup2(output.fileno(), 2)
    shorten()
    if point != "never":
        kill_at(point, count)
    main(config, profile)


def kill_at(point: str, count: int) -> None:
    owner, name, after = POINTS[point]
    real: Callable[..., Any] = getattr(owner, name)
    left = count

    def now() -> None:
        nonlocal left
        left -= 1
        if left <= 0:
            os.kill(os.getpid(), signal.SIGKILL)

    if asyncio.iscoroutinefunction(real):

        async def wrapped(*args: Any, **kwargs: Any) -> Any:
            if not after:
                now()
            result = await real(*args, **kwargs)
            if after:
                now()
            return result

    else:

        def wrapped(*args: Any, **kwargs: Any) -> Any:  # type: ignore[misc]
            if not after:
                now()
            result = real(*args, **kwargs)
            if after:
                now()
            return result

    setattr(owner, name, wrapped)


def main(config: Path, profile: Path) -> None:
    with Profile.open(profile) as opened:
        asyncio.run(bot.Bot(Config.load(config), opened).run())


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))

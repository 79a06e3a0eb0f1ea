"""Runs a bot that is killed when it comes to a certain point: `python -m tests.bots.killing CONFIG PROFILE POINT [COUNT]`."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from stylecrypt_bots import bot, outbox, queues, session, worker
from stylecrypt_bots.config import load_config

from stylecrypt_msg.profile import Profile
from stylecrypt_msg.transports.matrix import state

if TYPE_CHECKING:
    from .people import Household

# Where it is killed: after (or before) a function has done its work. "Accepted": the server has it, the profile does not know.
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


def start(house: Household, point: str = "never", count: int = 1) -> subprocess.Popen[bytes]:
    """A household's bot as a process of its own, killed when it comes to ``point`` for the ``count``-th time."""
    config, log = house.folder / "bot.yaml", house.folder / "bot.log"
    config.write_text(yaml.safe_dump(house.config.model_dump(mode="json", exclude_defaults=True)))
    command = [sys.executable, "-m", "tests.bots.killing", str(config), str(house.profile.folder), point, str(count)]
    with log.open("ab") as output:
        return subprocess.Popen(command, cwd=Path(__file__).parents[2], stdout=output, stderr=output)


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


def main(config: str, profile: str, point: str, count: str = "1") -> None:
    if point != "never":
        kill_at(point, int(count))
    with Profile.open(Path(profile)) as opened:
        asyncio.run(bot.Bot(load_config(Path(config)), opened).run())


if __name__ == "__main__":
    main(*sys.argv[1:])

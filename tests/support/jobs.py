"""Jobs for other processes, each of which imports this module: a test's own would bring Matrix and the model along."""

from __future__ import annotations

import os
import signal


def start(said: str) -> None:
    os.environ["SAID"] = said


def double(number: int) -> tuple[int, str]:
    """Twice the number, and what was ``said``; 3 kills its process."""
    if number == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return 2 * number, os.environ["SAID"]

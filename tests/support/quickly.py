"""Descents of two steps instead of a user's many: for tests of everything about a descent except its effect."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stylecrypt_msg import effort

STEPS = 2

PROGRAM = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parents[2])!r})
from tests.support.quickly import shorten
shorten()
"""
"""The first lines of programs that tests start in separate processes."""


def shorten() -> None:
    effort.KEY_STEPS = effort.READING_STEPS = STEPS
    effort.COVER_STEPS |= {level: STEPS for level, steps in effort.COVER_STEPS.items() if steps}


@contextmanager
def shortened() -> Iterator[None]:
    steps = effort.KEY_STEPS, effort.READING_STEPS, {**effort.COVER_STEPS}
    shorten()
    try:
        yield
    finally:
        effort.KEY_STEPS, effort.READING_STEPS = steps[:2]
        effort.COVER_STEPS |= steps[2]

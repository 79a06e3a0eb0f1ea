"""How often the owner is told about the doings of somebody else."""

from __future__ import annotations

import time
from collections import deque

__all__ = ["Notices"]

_MOST, _HOUR = 20, 3600.0  # notices about one user in an hour: more would be a nuisance


class Notices:
    """Counts them."""

    def __init__(self) -> None:
        self._times: dict[str, deque[float]] = {}

    def may_tell(self, user_id: str) -> bool:
        """Whether the owner can take one more about somebody; counts it."""
        times, now = self._times.setdefault(user_id, deque()), time.monotonic()
        while times and times[0] < now - _HOUR:
            times.popleft()
        if len(times) >= _MOST:
            return False
        times.append(now)
        return True

"""Telling a message that is new from one that is sent a second time. SPEC.md section 8.

The protocol keeps no state: a store (a file, a database) is handed in and answers with ``Seen``.
"""

from __future__ import annotations

from enum import Enum
from typing import Final, Protocol

from .wire import CardId, MessageId

__all__ = ["MAX_AGE", "MAX_CLOCK_SKEW", "MemorySeenStore", "Seen", "SeenStore"]

MAX_AGE: Final = 30 * 24 * 3600
"""Seconds that a message may be under way: a phone that was off for a month still receives what it missed."""

MAX_CLOCK_SKEW: Final = 10 * 60
"""Seconds that a message may be dated in the future: clocks that nobody sets differ by minutes."""


class Seen(Enum):
    """A store's answer about one message."""

    NEW = "new"
    """Not seen before; remembered from now on."""
    BEFORE = "before"
    """Seen before."""


class SeenStore(Protocol):
    """What ``open_message`` asks for. Keep entries until ``sent_at + MAX_AGE + MAX_CLOCK_SKEW`` is past;
    older messages are refused without asking."""

    def check_and_remember(self, sender: CardId, message_id: MessageId, sent_at: int) -> Seen:
        """Answers for this sender's message and remembers it, in one step that two openings cannot both win.

        Asked only after everything else about the message was verified, so that strangers cannot fill the
        store, and by sender, so that a contact cannot use up the public message id of somebody else.
        """
        ...


class MemorySeenStore:
    """A store that forgets when the program ends: for tests, and for programs that run for long."""

    def __init__(self) -> None:
        self._sent_at: dict[tuple[CardId, MessageId], int] = {}

    def check_and_remember(self, sender: CardId, message_id: MessageId, sent_at: int) -> Seen:
        """See ``SeenStore``."""
        if (sender, message_id) in self._sent_at:
            return Seen.BEFORE
        self._sent_at[sender, message_id] = sent_at
        return Seen.NEW

    def forget(self, now: int) -> None:
        """Drops what is too old to be accepted again."""
        horizon = now - MAX_AGE - MAX_CLOCK_SKEW
        self._sent_at = {key: sent_at for key, sent_at in self._sent_at.items() if sent_at >= horizon}

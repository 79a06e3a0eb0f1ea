"""Telling a new message from one that is sent a second time. SPEC.md section 8.

The protocol keeps no state: the caller passes a store (a file, a database), which answers with ``Seen``.
"""

from __future__ import annotations

from enum import Enum
from typing import Protocol

from .errors import FromFutureError, ReplayedError, TooOldError
from .limits import MAX_AGE, MAX_CLOCK_SKEW
from .wire import CardId, MessageId

__all__ = ["MemorySeenStore", "Seen", "SeenStore", "check_time_and_replay", "rank_of"]


class Seen(Enum):
    """A store's answer about one message."""

    NEW = "new"
    """Not seen before; remembered from now on."""
    BEFORE = "before"
    """Seen before."""


def rank_of(*, elsewhere: bool, exact: bool, imprint: bool) -> int:
    """How good a copy of a message is, 0 to 5: 3 in the chat that the sender meant, or if none was meant; and 2 with the very
    pixels that were sent, 1 with its envelope, 0 with its imprint alone."""
    return 3 * (not elsewhere) + (0 if imprint else 1 + exact)


def check_time_and_replay(
    sender: CardId, message_id: MessageId, sent_at: int, *, now: int, seen: SeenStore | None, rank: int
) -> None:
    """The last of a receiver's checks, on a message that is otherwise verified. ``seen`` is None to read it again from an
    archive. Raises FromFutureError, TooOldError or ReplayedError."""
    if sent_at > now + MAX_CLOCK_SKEW:
        raise FromFutureError(f"{sent_at - now} seconds ahead")
    if seen is None:
        return
    if sent_at < now - MAX_AGE:
        raise TooOldError(f"sent {(now - sent_at) // 86400} days ago")
    if seen.check_and_remember(sender, message_id, sent_at, rank) is Seen.BEFORE:
        raise ReplayedError


class SeenStore(Protocol):
    """The store that ``open_message`` needs. Keep entries until ``sent_at + MAX_AGE + MAX_CLOCK_SKEW`` is past;
    older messages are refused without asking."""

    def check_and_remember(self, sender: CardId, message_id: MessageId, sent_at: int, rank: int) -> Seen:
        """Answers for this sender's message and remembers it, in one step that two openings cannot both win.

        ``rank``: of the copy, see `rank_of`. One of a higher rank than all before is new: otherwise, posting a doctored copy
        first would block the sender's own.

        Asked only after everything else about the message was verified, so that strangers cannot fill the
        store, and by sender, so that a contact cannot use up the public message id of somebody else.
        """
        ...


class MemorySeenStore:
    """A store that forgets when the program ends: for tests, and for long-running programs."""

    def __init__(self) -> None:
        self._seen: dict[tuple[CardId, MessageId], tuple[int, int]] = {}

    def check_and_remember(self, sender: CardId, message_id: MessageId, sent_at: int, rank: int) -> Seen:
        """See ``SeenStore``."""
        if self._seen.get((sender, message_id), (0, -1))[1] >= rank:
            return Seen.BEFORE
        self._seen[sender, message_id] = sent_at, rank
        return Seen.NEW

    def forget(self, now: int) -> None:
        """Drops entries that are too old to be accepted again."""
        horizon = now - MAX_AGE - MAX_CLOCK_SKEW
        self._seen = {key: one for key, one in self._seen.items() if one[0] >= horizon}

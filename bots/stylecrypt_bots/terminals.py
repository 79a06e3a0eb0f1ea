"""``stylecrypt bot verify OWNER``: a terminal for the emoji of a running service's bots.

Emoji prove a device only to somebody who sees them where nobody else can have written them, and who says at that place whether
they match. So the command, which needs the service's passphrase, and the service leave each other notes in its profile.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

from stylecrypt_msg.profile import Profile

from .verification import Compare

__all__ = ["Terminals", "verified_at_terminal"]

_GLANCE = 0.5  # seconds between two looks at what the other one wrote
_GONE = 15.0  # seconds after which a terminal that wrote nothing is not there any more


@dataclass(frozen=True)
class Terminal:
    """Written by the command. ``seen``: when, in Unix seconds. ``answered``: the question to which ``same`` is the answer."""

    seen: float
    answered: str | None = None
    same: bool = False


@dataclass(frozen=True)
class Question:
    """Written by the service. ``verified``: the device is, and nothing more will be asked."""

    id: str
    device_id: str
    emoji: tuple[tuple[str, str], ...]
    verified: bool = False


class Terminals:
    """The service's side; ``profile`` is its own."""

    def __init__(self, profile: Profile) -> None:
        self._terminals = profile.records("service terminal", Terminal)
        self._questions = profile.records("service question", Question)

    def of(self, owner: str) -> Compare | None:
        """Asks whoever runs the command for an owner; None if nobody does."""
        return None if self._terminal(owner) is None else partial(self._compare, owner)

    def verified(self, owner: str, device_id: str) -> None:
        """Ends the command, which asked about this device."""
        question = self._questions.get(owner.encode())
        if question is not None and question.device_id == device_id:
            self._questions.put(owner.encode(), replace(question, verified=True))

    async def _compare(self, owner: str, device_id: str, emoji: Sequence[tuple[str, str]]) -> bool:
        question = Question(secrets.token_hex(8), device_id, tuple(emoji))
        self._questions.put(owner.encode(), question)
        while (terminal := self._terminal(owner)) is not None:
            if terminal.answered == question.id:
                return terminal.same
            await asyncio.sleep(_GLANCE)
        return False

    def _terminal(self, owner: str) -> Terminal | None:
        terminal = self._terminals.get(owner.encode())
        return terminal if terminal is not None and time.time() - terminal.seen < _GONE else None


async def verified_at_terminal(profile: Profile, owner: str, compare: Compare) -> str:
    """The command's side, with the same profile: has ``compare`` answer until a device of the owner's is verified, and returns
    its id."""
    terminals, questions = profile.records("service terminal", Terminal), profile.records("service question", Question)
    name, here = owner.encode(), Terminal(0)
    asking: tuple[Question, asyncio.Future[bool]] | None = None
    questions.delete(name)
    try:
        while True:
            question = questions.get(name)
            if question is not None and question.verified:
                return question.device_id
            if asking is None and question is not None and question.id != here.answered:
                asking = question, asyncio.ensure_future(compare(question.device_id, question.emoji))
            elif asking is not None and asking[1].done():
                here, asking = replace(here, answered=asking[0].id, same=asking[1].result()), None
            here = replace(here, seen=time.time())
            terminals.put(name, here)
            await asyncio.sleep(_GLANCE)
    finally:
        terminals.delete(name)
        questions.delete(name)

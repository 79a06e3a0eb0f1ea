"""How a queue is worked off: in order, each post until it is handled or given up."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from stylecrypt_msg.errors import NetworkError
from stylecrypt_msg.transports.matrix.server import LoggedOutError, Post, ServerRefusalError

from .outbox import Backoff

__all__ = ["handle_all"]


async def handle_all(
    following: Callable[[], Post | None],
    arrived: asyncio.Event,
    handle: Callable[[Post], Awaitable[None]],
    *,
    give_up: Callable[[Post, Exception], None],
    not_reached: Callable[[NetworkError], None],
) -> None:
    """Runs until cancelled. ``handle`` takes what it handled out of the queue, as ``give_up`` does, so that ``following``
    gives the one after it; ``arrived`` is set when there may be one.

    A post that the server does not let through waits until the server does. Any other error is given up with its post: it must
    not hold up later ones, nor end the bot, or those of others. Raises LoggedOutError.
    """
    backoff = Backoff()
    while True:
        arrived.clear()
        if (post := following()) is None:
            await arrived.wait()
            continue
        try:
            await handle(post)
        except LoggedOutError:
            raise
        except NetworkError as error:
            if not (isinstance(error, ServerRefusalError) and error.final):
                not_reached(error)
                await backoff.wait()
                continue
            give_up(post, error)
        except Exception as error:  # a bug
            give_up(post, error)
        backoff = Backoff()

"""How pictures get from here to there. A transport carries bytes; it knows nothing of faces, keys or profiles.

``folder.FolderTransport`` works over any shared folder, ``matrix.MatrixTransport`` over Matrix rooms. A chat app writes its
own: any class with the three methods of ``Transport``; docs/transports.md says what they have to promise.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Protocol

__all__ = ["Delivery", "Parcel", "Transport"]


@dataclass(frozen=True)
class Parcel:
    """What is to be sent.

    Attributes:
        picture: a picture file, which everybody may see.
        media_type: such as "image/jpeg".
        envelope: what has to travel beside the picture; None: it is inside, or there is none.
        conversation: the chat that it is for, by the name that the user gave it.
    """

    picture: bytes = field(repr=False)
    media_type: str
    envelope: bytes | None = field(default=None, repr=False)
    conversation: str | None = None


@dataclass(frozen=True)
class Delivery:
    """What arrived.

    Attributes:
        reference: names this delivery, the same whenever it is delivered again; such as a digest, or an event id.
        picture, envelope, conversation: as in `Parcel`.
        origin: where it was found, to show the user.
    """

    reference: bytes
    picture: bytes = field(repr=False)
    envelope: bytes | None = field(repr=False)
    conversation: str | None
    origin: str


class Transport(Protocol):
    """What carries pictures."""

    async def send(self, parcel: Parcel) -> str:
        """Hands a parcel over; returns when it is sure to get there, with where it went, to show the user.

        Raises NetworkError or InputError; then nothing was sent.
        """
        ...

    def deliveries(self, *, follow: bool) -> AsyncIterator[Delivery]:
        """All that may be new, the oldest first; ends when there is no more, unless ``follow``.

        The caller remembers what it has dealt with, so that delivering something twice does no harm; not delivering it does.
        Raises NetworkError or InputError.
        """
        ...

    async def close(self) -> None:
        """Ends connections. Nothing is lost by it."""
        ...

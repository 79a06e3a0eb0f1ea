"""How pictures get from here to there. A transport carries bytes; it knows nothing of faces, keys or profiles.

``folder.FolderTransport`` works over any shared folder, ``matrix.MatrixTransport`` over Matrix rooms. A chat app writes its
own: any class with the four methods of ``Transport``; docs/transports.md says what they have to promise.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Protocol

from ..errors import InputError

__all__ = ["Delivery", "Parcel", "Transport", "ordinary_name"]

_SUFFIXES = {"image/jpeg": ".jpg", "image/png": ".png", "image/webp": ".webp"}


@dataclass(frozen=True)
class Parcel:
    """What is to be sent.

    Attributes:
        picture: a picture file, which everybody may see.
        media_type: "image/jpeg", "image/png" or "image/webp".
        envelope: what has to travel beside the picture; None: it is inside, or there is none.
        inside: the envelope that is inside. A transport with a place for small data beside pictures may put it there too:
            it then survives when somebody compresses the picture again.
        conversation: the chat that it is for, by the name that the user gave it.
    """

    picture: bytes = field(repr=False)
    media_type: str
    envelope: bytes | None = field(default=None, repr=False)
    inside: bytes | None = field(default=None, repr=False)
    conversation: str | None = None


@dataclass(frozen=True)
class Delivery:
    """What arrived.

    Attributes:
        reference: 32 bytes that name this delivery, the same whenever it is delivered again and never those of another:
            a SHA-256 of the bytes, or of the id that the server gave it.
        picture, envelope, conversation: as in `Parcel`.
        origin: where it was found, to show the user.
        chat: the public name of the chat it was found in, the same for all in it; None: there is none.
    """

    reference: bytes
    picture: bytes = field(repr=False)
    envelope: bytes | None = field(repr=False)
    conversation: str | None
    origin: str
    chat: str | None = None


def ordinary_name(media_type: str) -> str:
    """A file name as cameras give them, drawn at random: it tells neither people nor times, nor what a photo was called.

    Raises InputError for another type than those of `Parcel`.
    """
    if media_type not in _SUFFIXES:
        raise InputError(f"Pictures travel as JPEG, PNG or WebP, and not as {media_type}.")
    return f"IMG_{secrets.randbelow(10**12):012}{_SUFFIXES[media_type]}"


class Transport(Protocol):
    """What carries pictures."""

    async def chat(self) -> str | None:
        """The public name of the chat that `send` posts to, as in `Delivery`, to be signed; None: there is none.

        Raises NetworkError or InputError.
        """
        ...

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

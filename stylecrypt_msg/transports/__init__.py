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
from ..pictures import SUFFIXES, media_type_of, suffix_of

__all__ = ["Delivery", "Parcel", "Transport", "ordinary_name"]

_SUFFIXES = {media_type_of(format): suffix_of(format) for format in SUFFIXES.values()}


@dataclass(frozen=True)
class Parcel:
    """A picture to send.

    Attributes:
        picture: a picture file that everybody may see.
        media_type: "image/jpeg", "image/png" or "image/webp".
        envelope: has to travel beside the picture; None if it is inside, or there is none.
        inside: the envelope inside the picture. A transport with room for small data beside pictures may also put it there:
            then it survives recompression of the picture.
        conversation: the chat that it is for, by the user's name for it.
    """

    picture: bytes = field(repr=False)
    media_type: str
    envelope: bytes | None = field(default=None, repr=False)
    inside: bytes | None = field(default=None, repr=False)
    conversation: str | None = None


@dataclass(frozen=True)
class Delivery:
    """A picture that arrived.

    Attributes:
        reference: 32 bytes that identify this delivery, the same whenever it is repeated and different from all others:
            a SHA-256 of the bytes, or of the id that the server gave it.
        picture, envelope, conversation: as in `Parcel`.
        origin: where it was found, to show the user.
        chat: the public name of the chat it was found in, the same for all its members; None if it has none.
    """

    reference: bytes
    picture: bytes = field(repr=False)
    envelope: bytes | None = field(repr=False)
    conversation: str | None
    origin: str
    chat: str | None = None


def ordinary_name(media_type: str) -> str:
    """A random file name in the style of cameras: it reveals neither people nor times, nor the photo's own name.

    Raises InputError for media types that `Parcel` does not list.
    """
    if media_type not in _SUFFIXES:
        raise InputError(f"Pictures travel as JPEG, PNG or WebP, not as {media_type}.")
    return f"IMG_{secrets.randbelow(10**12):012}{_SUFFIXES[media_type]}"


class Transport(Protocol):
    """Carries pictures."""

    async def chat(self) -> str | None:
        """The public name of the chat that `send` posts to, as in `Delivery`, to be signed; None: there is none.

        Raises NetworkError or InputError.
        """
        ...

    async def send(self, parcel: Parcel) -> str:
        """Hands over a parcel; returns once its arrival is certain, with where it went, to show the user.

        Raises NetworkError or InputError; then nothing was sent.
        """
        ...

    def deliveries(self, *, follow: bool) -> AsyncIterator[Delivery]:
        """Everything that may be new, the oldest first; ends when there is no more, unless ``follow``.

        The caller remembers what it has handled, so delivering something twice does no harm; failing to deliver it does.
        Raises NetworkError or InputError.
        """
        ...

    async def close(self) -> None:
        """Ends connections. Loses nothing."""
        ...

"""Puts part of a message into the pixels of its cover, and reads it back."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import stylecrypt_protocol as protocol
from stylecrypt_protocol import Card, MessageId, OpenedImprint, SeenStore

from ..covering import Cover
from ..imprint import LEAST_BYTES, MIN_SIDE, WORD_BYTES, capacity, read, small_faces, write
from ..pictures import Pixels
from ..profile import Profile
from .wire import wire_pixels

__all__ = ["Imprinted", "imprint", "read_imprint"]

_WORTH = 600  # bytes: if the caption leaves the first face fewer, the caption is dropped


@dataclass(frozen=True)
class Imprinted:
    """A cover that may hold an imprint.

    Attributes:
        pixels: the cover's.
        held: whether they hold an imprint.
        said: what the sender should know about it.
    """

    pixels: Pixels
    held: bool
    said: str


def imprint(
    cover: Cover,
    profile: Profile,
    cards: Sequence[Card],
    *,
    message_id: MessageId,
    now: int,
    chat: str | None,
    caption: str,
    trials: Sequence[Callable[[Pixels], Pixels]],
) -> Imprinted:
    """Writes as much as fits into the cover: the true faces, as large as possible, for the first of the ``cards``; and the
    caption, if it leaves the faces enough room."""
    height, width = cover.pixels.shape[:2]
    plain = Imprinted(cover.pixels, False, "")
    if max(width, height) < MIN_SIDE:
        return _without(plain, f"the picture is smaller than {MIN_SIDE} pixels")
    named = cards[: protocol.MAX_IMPRINT_RECIPIENTS]
    best: tuple[int, Pixels, str] | None = None
    for size in _sizes(capacity(cover.pixels)):
        text = caption if size - protocol.imprint_bytes(len(named), caption) >= _WORTH else ""
        faces, left_out = small_faces(cover.original, cover.pixels, size - protocol.imprint_bytes(len(named), text))
        if not faces:
            break
        try:
            sealed = protocol.seal_imprint(
                profile.identity,
                named,
                wire_pixels(cover.pixels),
                faces,
                size=size,
                message_id=message_id,
                sent_at=now,
                left_out=left_out,
                chat=chat,
                caption=text,
            )
        except protocol.LocalProtocolError:  # so even that copies cannot be told from other pictures
            return _without(plain, "the picture is too even")
        written = write(cover.pixels, sealed, trials)
        if written is None:
            continue
        lacking = [
            *([f"{len(cards) - len(named)} of the recipients"] if len(named) < len(cards) else []),
            *([f"{left_out} of the faces"] if left_out else []),
            *(["the caption"] if text != caption else []),
        ]
        no_room = (
            f"The pixels have no room for {' and '.join(lacking)}; an app that drops the envelope drops that, too."
            if lacking
            else ""
        )
        if best is None or written.survived > best[0]:
            best = written.survived, written.pixels, no_room
        if written.survived == len(trials):
            break
    if best is None:
        return _without(plain, "the pixels have no room for them where nobody would notice")
    survived, pixels, said = best
    if survived < len(trials):
        said += " The picture is too smooth to hold the faces firmly: an app may destroy them."
    return Imprinted(pixels, True, said.strip())


def read_imprint(
    pixels: Pixels, profile: Profile, *, now: int, seen: SeenStore | None, chat: str | None
) -> OpenedImprint | None:
    """The imprint that a received picture holds for us. None: it holds none. Raises what `protocol.open_imprint` does, and
    MalformedError for a damaged imprint."""
    reading = read(pixels)
    if reading is None:
        return None
    if reading.payload is None:
        raise protocol.MalformedError("imprint: damaged beyond repair")
    return protocol.open_imprint(
        reading.payload, profile.identity, profile.cards(), wire_pixels(pixels), now=now, seen=seen, chat=chat
    )


def _sizes(room: int) -> Iterator[int]:
    """Sizes in bytes to try, in turn: first the picture's whole capacity, then less."""
    words = room // WORD_BYTES
    least = -(-(protocol.imprint_bytes(1) + LEAST_BYTES) // WORD_BYTES)
    for share in (1.0, 0.75, 0.55):
        if round(words * share) >= least:
            yield round(words * share) * WORD_BYTES


def _without(plain: Imprinted, why: str) -> Imprinted:
    return Imprinted(plain.pixels, False, f"An app that drops the envelope drops the faces with it: {why}.")

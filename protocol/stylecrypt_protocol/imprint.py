"""The message in a cover's pixels, for ways on which the envelope is lost. SPEC.md annex B.3.

The layer above puts the bytes into pixels; here they are sealed, signed and bound to the cover.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from typing import Annotated, ClassVar, Final, Self

from pydantic import Field, model_validator

from . import primitives
from .card import Card, Revocation
from .cover import MIN_SPAN, CoverVerdict, Pixels, judge_cover, make_sketch
from .errors import (
    CoverMismatchError,
    LocalProtocolError,
    MalformedError,
    NotForMeError,
    TooLargeError,
)
from .identity import Identity
from .limits import (
    MAX_IMPRINT_BYTES,
    MAX_IMPRINT_FACES,
    MAX_IMPRINT_RECIPIENTS,
    MAX_SIDE,
)
from .replay import SeenStore, check_time_and_replay, rank_of
from .sealed import NO_CONTEXT, context_of
from .signed import Signed, SignedPart, attribute, ids_of
from .text import Caption
from .wire import CardId, MessageIdField, Reader, WireModel, opaque

__all__ = [
    "IMPRINT_CELLS",
    "ImprintContent",
    "ImprintedFace",
    "OpenedImprint",
    "imprint_bytes",
    "open_imprint",
    "seal_imprint",
]

IMPRINT_CELLS: Final = 64
"""Cells along the longer side of a cover: the unit for the positions of faces."""

_STANZA_BYTES: Final = primitives.HPKE_BYTES + 32 + 1
_SKETCH_BYTES: Final = 64
_CONTEXT_BYTES: Final = 16

Cell = Annotated[int, Field(ge=0, le=IMPRINT_CELLS - 1)]
Cells = Annotated[int, Field(ge=1, le=IMPRINT_CELLS)]
Side = Annotated[int, Field(ge=1, le=MAX_SIDE)]


class ImprintedFace(WireModel):
    """A small copy of a part of the original: a box of cells, which of them count, and a picture of the box."""

    left: Cell
    top: Cell
    columns: Cells
    rows: Cells
    cells: bytes = Field(repr=False)
    """A bit for each cell of the box, row by row, the most significant first; unused bits are 0."""
    picture: bytes = Field(repr=False, min_length=1)
    """A VP8 key frame (RFC 6386): the contents of the ``VP8 `` chunk of a WebP file."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        count = self.columns * self.rows
        if self.left + self.columns > IMPRINT_CELLS or self.top + self.rows > IMPRINT_CELLS:
            raise ValueError("a face lies outside of the picture")
        if len(self.cells) != -(-count // 8) or (count % 8 and self.cells[-1] & (1 << -count % 8) - 1):
            raise ValueError("the map of a face is not as long as its box")
        return self

    def to_bytes(self) -> bytes:
        """The canonical bytes."""
        return bytes([self.left, self.top, self.columns, self.rows]) + self.cells + opaque(self.picture, 2)

    @classmethod
    def read(cls, reader: Reader) -> Self:
        """The reverse of `to_bytes`."""
        left, top, columns, rows = reader.take(4)
        cells = reader.take(-(-columns * rows // 8))
        return cls(left=left, top=top, columns=columns, rows=rows, cells=cells, picture=reader.opaque(2))


class ImprintContent(Signed):
    """The part of an imprint that only its recipients can read; all of it is signed."""

    DOMAIN: ClassVar[bytes] = primitives.IMPRINT

    message_id: MessageIdField
    """The envelope's, if there is one."""
    context: Annotated[bytes, Field(min_length=_CONTEXT_BYTES, max_length=_CONTEXT_BYTES)]
    """The first bytes of `context_of` for the chat that the sender meant; zeros: none in particular."""
    width: Side
    height: Side
    sketch: Annotated[bytes, Field(min_length=_SKETCH_BYTES, max_length=_SKETCH_BYTES, repr=False)]
    """The sketch of the whole cover."""
    left_out: Annotated[int, Field(ge=0, le=255)] = 0
    """The number of hidden faces that did not fit."""
    faces: tuple[ImprintedFace, ...] = Field(min_length=1, max_length=MAX_IMPRINT_FACES)
    caption: Caption = Field(default="", repr=False)

    def _rest(self) -> bytes:
        return b"".join(
            (
                self.message_id,
                self.context,
                self.width.to_bytes(2, "big"),
                self.height.to_bytes(2, "big"),
                self.sketch,
                bytes([self.left_out, len(self.faces)]),
                *(face.to_bytes() for face in self.faces),
                opaque(self.caption.encode(), 2),
            )
        )

    @classmethod
    def _read(cls, reader: Reader, sender: CardId, recipients: tuple[CardId, ...], sent_at: int) -> Self:
        content = cls(
            sender=sender,
            recipients=recipients,
            sent_at=sent_at,
            message_id=reader.take(16),  # type: ignore[arg-type]
            context=reader.take(_CONTEXT_BYTES),
            width=reader.uint(2),
            height=reader.uint(2),
            sketch=reader.take(_SKETCH_BYTES),
            left_out=reader.uint(1),
            faces=_read_faces(reader),
            caption=reader.text(2),
        )
        reader.done()
        return content


def _read_faces(reader: Reader) -> tuple[ImprintedFace, ...]:
    count = reader.uint(1)
    if count > MAX_IMPRINT_FACES:
        raise TooLargeError(f"imprint: {count} faces")
    return tuple(ImprintedFace.read(reader) for _ in range(count))


class OpenedImprint(WireModel):
    """A fully verified imprint: ``sender`` is the card of the contact who signed it to us."""

    sender: Card
    content: ImprintContent
    elsewhere: bool
    """Whether the sender meant a different chat from the one where it was found: somebody reposted it."""


def imprint_bytes(recipients: int, caption: str = "") -> int:
    """The size in bytes of an imprint to this many recipients, without faces; each face adds its `ImprintedFace.to_bytes`."""
    head = 1 + 16 + 1 + 16 * recipients + 8
    rest = 16 + _CONTEXT_BYTES + 4 + _SKETCH_BYTES + 2 + 2 + len(caption.encode())
    return _STANZA_BYTES * recipients + primitives.TAG_BYTES + 4 + head + rest + primitives.SIGNATURE_BYTES


def seal_imprint(
    sender: Identity,
    recipients: Sequence[Card],
    cover: Pixels,
    faces: Sequence[ImprintedFace],
    *,
    size: int,
    message_id: bytes,
    sent_at: int,
    left_out: int = 0,
    chat: str | None = None,
    caption: str = "",
) -> bytes:
    """Signs, pads to ``size`` bytes and seals to the cards' keys. The bytes name neither the sender nor the recipients.

    ``cover`` is the picture before the bytes are written into it; ``message_id`` is the envelope's, if there is one. Raises
    LocalProtocolError if the content does not fit, or the cover is too even for its copies to be recognised; then nothing is
    sealed.
    """
    if not 0 < len(recipients) <= MAX_IMPRINT_RECIPIENTS:
        raise LocalProtocolError(f"an imprint has 1 to {MAX_IMPRINT_RECIPIENTS} recipients, not {len(recipients)}")
    sketch = make_sketch(cover, ())
    if max(sketch) - min(sketch) < MIN_SPAN:
        raise LocalProtocolError("the cover is too even for an imprint")
    content = ImprintContent(
        sender=sender.id,
        recipients=ids_of(recipients),
        sent_at=sent_at,
        message_id=message_id,  # type: ignore[arg-type]
        context=(NO_CONTEXT if chat is None else context_of(chat))[:_CONTEXT_BYTES],
        width=cover.width,
        height=cover.height,
        sketch=sketch,
        left_out=left_out,
        faces=tuple(faces),
        caption=caption,
    )
    keys = {card.id: card.sealing_key for card in recipients}
    if size > MAX_IMPRINT_BYTES:
        raise LocalProtocolError(f"an imprint has at most {MAX_IMPRINT_BYTES} bytes, not {size}")
    plaintext = content.sign(sender, size - len(keys) * _STANZA_BYTES - primitives.TAG_BYTES)
    key = secrets.token_bytes(32)
    stanzas = b"".join(primitives.hpke_seal(one, primitives.IMPRINT, key + bytes([len(keys)])) for one in keys.values())
    # The key is for this message alone, so the nonce may be zeros.
    return stanzas + primitives.xchacha20poly1305_encrypt(key, bytes(24), plaintext, primitives.IMPRINT + stanzas)


def open_imprint(
    imprint: bytes,
    identity: Identity,
    contacts: Mapping[CardId, Card | Revocation],
    cover: Pixels,
    *,
    now: int,
    seen: SeenStore | None,
    chat: str | None = None,
) -> OpenedImprint:
    """Opens and verifies the bytes read from the pixels of ``cover``. The other arguments are as for `open_message`.

    Raises subclasses of RemoteProtocolError.
    """
    part, keys = _decrypt(imprint, identity)
    sender, content = attribute(ImprintContent, part, identity, contacts, keys=keys)
    elsewhere = chat is not None and content.context not in (
        NO_CONTEXT[:_CONTEXT_BYTES],
        context_of(chat)[:_CONTEXT_BYTES],
    )
    verdict = judge_cover(
        cover, digest=b"", sketch=content.sketch, faces=(), width=content.width, height=content.height
    )
    if verdict is CoverVerdict.SWAPPED:
        raise CoverMismatchError
    rank = rank_of(elsewhere=elsewhere, exact=False, imprint=True)
    check_time_and_replay(sender.id, content.message_id, content.sent_at, now=now, seen=seen, rank=rank)
    return OpenedImprint(sender=sender, content=content, elsewhere=elsewhere)


def _decrypt(imprint: bytes, identity: Identity) -> tuple[SignedPart, int]:
    """The signed content, and the number of keys it is sealed to. Raises NotForMeError, TooLargeError or MalformedError."""
    if len(imprint) > MAX_IMPRINT_BYTES:
        raise TooLargeError(f"imprint: {len(imprint)} bytes")
    for at in range(0, min(len(imprint), MAX_IMPRINT_RECIPIENTS * _STANZA_BYTES), _STANZA_BYTES):
        opened = identity.open(primitives.IMPRINT, imprint[at : at + _STANZA_BYTES])
        if opened is None:
            continue
        if len(opened) != 33 or not at // _STANZA_BYTES < opened[32] <= MAX_IMPRINT_RECIPIENTS:
            raise MalformedError("imprint: a stanza of the wrong length, or with the wrong number of recipients")
        stanzas = imprint[: opened[32] * _STANZA_BYTES]
        plaintext = primitives.xchacha20poly1305_decrypt(
            opened[:32], bytes(24), imprint[len(stanzas) :], primitives.IMPRINT + stanzas
        )
        if plaintext is None:
            raise MalformedError("imprint: it does not decrypt")
        return SignedPart(plaintext, len(plaintext)), opened[32]
    raise NotForMeError

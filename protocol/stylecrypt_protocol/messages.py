"""Making a message and opening one: the steps of SPEC.md sections 4.4 and 4.5 in their order."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from .card import Card, Revocation
from .carriers import take
from .commitment import KeyFace
from .cover import CoverVerdict, Pixels, judge_cover, make_sketch, sketch_bytes
from .envelope import Envelope, PublicPart
from .errors import (
    CoverMismatchError,
    LocalProtocolError,
    MalformedError,
    MovedError,
    RemoteProtocolError,
    UnsealedError,
    UnsupportedError,
)
from .identity import Identity
from .replay import SeenStore, check_time_and_replay, rank_of
from .sealed import LEVELS, NO_CONTEXT, Residual, SealedPart, context_of
from .signed import ids_of, seal, unseal
from .wire import CardId, WireModel

__all__ = ["OpenedMessage", "envelopes_of", "open_first", "open_message", "seal_message"]


class OpenedMessage(WireModel):
    """A fully verified message: ``sender`` is the card of the contact who signed it to us."""

    sender: Card
    public: PublicPart
    content: SealedPart
    cover: CoverVerdict
    """EXACT or CHANGED; a swapped picture raises CoverMismatchError instead."""

    elsewhere: bool
    """The sender meant another chat than the one it was found in: somebody posted it again."""


def seal_message(
    sender: Identity,
    recipients: Sequence[Card],
    public: PublicPart,
    cover: Pixels,
    *,
    sent_at: int,
    residual: Residual,
    key_face: KeyFace | None = None,
    chat: str | None = None,
    caption: str = "",
    file_name: str = "",
) -> Envelope:
    """Signs, pads and seals to the cards' keys. Include your own card to be able to open the message yourself.

    ``public`` is ``PublicPart.describe(cover, ...)``; ``key_face`` the one given there; ``sent_at`` Unix seconds; ``chat`` the
    public name of the chat that it goes to, such as a Matrix room id. Raises LocalProtocolError if the parts do not fit
    together; nothing is sealed then.
    """
    if public.cover_digest != cover.digest:
        raise LocalProtocolError("the public part describes another cover")
    if LEVELS[residual.kind] is not public.level:
        raise LocalProtocolError(f"level {public.level} with a residual of kind {residual.kind.name.lower()}")
    opening = key_face.open(public.message_id) if key_face else None
    if (opening.commitment(public.committed()) if opening else None) != public.commitment:
        raise LocalProtocolError("the public part is committed to another key face")
    content = SealedPart(
        sender=sender.id,
        recipients=ids_of(recipients),
        public_digest=public.digest(),
        sent_at=sent_at,
        context=NO_CONTEXT if chat is None else context_of(chat),
        sketch=make_sketch(cover, public.faces),
        opening=opening,
        caption=caption,
        file_name=file_name,
        residual=residual,
    )
    return Envelope(public=public, sealed=seal(content, sender, recipients))


def open_message(
    envelope: Envelope,
    identity: Identity,
    contacts: Mapping[CardId, Card | Revocation],
    cover: Pixels,
    *,
    now: int,
    seen: SeenStore | None,
    chat: str | None = None,
) -> OpenedMessage:
    """Opens and verifies a message that came with the picture ``cover``: the very pixels that will be shown.

    ``contacts`` maps card ids to the cards that the user accepted (including their own, to read what they sent), or to the
    revocations that withdraw these cards. ``now`` is Unix seconds. ``seen`` is None to read a message again from an archive:
    then its age and repetition are not checked. ``chat`` is the public name of the chat that it was found in, if known.

    Raises one of the errors below RemoteProtocolError; only StrangerError and CoverMismatchError leave something for the
    user to do. No step uses a field before the signature over it was verified, except the sender's id, to find the key.
    """
    if envelope.sealed is None:
        raise UnsealedError
    public = envelope.public
    sender, content = unseal(SealedPart, envelope.sealed, identity, contacts)
    if content.public_digest != public.digest():
        raise MovedError
    _check_consistent(public, content)
    elsewhere = chat is not None and content.context not in (NO_CONTEXT, context_of(chat))
    verdict = judge_cover(
        cover,
        digest=public.cover_digest,
        sketch=content.sketch,
        faces=public.faces,
        width=public.width,
        height=public.height,
    )
    if verdict is CoverVerdict.SWAPPED:
        raise CoverMismatchError
    rank = rank_of(elsewhere=elsewhere, exact=verdict is CoverVerdict.EXACT, imprint=False)
    check_time_and_replay(sender.id, public.message_id, content.sent_at, now=now, seen=seen, rank=rank)
    return OpenedMessage(sender=sender, public=public, content=content, cover=verdict, elsewhere=elsewhere)


def envelopes_of(picture: bytes, *others: bytes | None) -> list[Envelope]:
    """The whole envelopes among ``others``, packed, which came beside a picture file, and the one inside it, in the order in
    which `open_first` has to try them (SPEC.md section 3.2): sealed ones first, without repetitions.

    ``others`` are those of an event and of a file, in this order; None: there is none. A picture that is neither PNG, JPEG nor
    WebP has none inside. If none is whole, raises what is wrong with the first.
    """
    found: list[Envelope] = []
    fault: RemoteProtocolError | None = None
    for inside, file in (*((False, one) for one in others if one is not None), (True, picture)):
        try:
            packed = _taken(file) if inside else file
            found += [] if packed is None else [Envelope.unpack(packed)]
        except RemoteProtocolError as error:
            fault = fault or error
    if fault and not found:
        raise fault
    return sorted(dict.fromkeys(found), key=lambda one: one.sealed is None)


def _taken(picture: bytes) -> bytes | None:
    try:
        return take(picture)
    except UnsupportedError:
        return None


def open_first(envelopes: Sequence[Envelope], opened: Callable[[Envelope], OpenedMessage]) -> OpenedMessage:
    """The first of ``envelopes`` that opens; ``opened`` calls `open_message`. If none does, raises what is wrong with the
    first."""
    faults: list[RemoteProtocolError] = []
    for envelope in envelopes:
        try:
            return opened(envelope)
        except RemoteProtocolError as error:
            faults.append(error)
    raise faults[0] if faults else UnsealedError


def _check_consistent(public: PublicPart, content: SealedPart) -> None:
    """The signed fields have to be consistent; if not, the sender's program is broken."""
    if LEVELS[content.residual.kind] is not public.level:
        raise MalformedError("the residual does not fit the level")
    if len(content.sketch) != sketch_bytes(public.faces, public.width, public.height):
        raise MalformedError("the sketch does not fit the faces")
    if content.opening is None and public.commitment is not None:
        raise MalformedError("a commitment without its opening")
    if content.opening is not None and not public.opened_by(content.opening):
        raise MalformedError("the opening does not open the commitment")

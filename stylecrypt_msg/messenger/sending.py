"""Turns a photo into a picture that is safe to send."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import stylecrypt_protocol as protocol
from stylecrypt_protocol import Envelope, Level, MessageId, PublicPart, Residual, ResidualKind

from ..apps import APPS, reduced, trials
from ..cipher import EncryptionKeyFace
from ..covering import Cover, CoverOrder
from ..errors import InputError, PictureError, Remedy
from ..pictures import Picture, Pixels, read_photo, read_picture
from ..profile import Contact
from ..progress import Progress
from ..quality import fit_cover
from ..residual import pack_faces
from ..standins import seeds
from .imprinting import Imprinted, imprint
from .parts import Parts
from .values import Draft, EncryptedPhoto, LeakReport, writable
from .wire import check_size, to_wire, wire_pixels

__all__ = ["finish", "order", "prepare"]

_SLACK = 512  # bytes: age adds up to 175 at random, and carriers add some to each piece


_NONE: Pixels = np.empty((0, 0, 3), np.uint8)


@dataclass(frozen=True)
class _Order:
    """A draft, resolved, but for its photo.

    ``conversation`` is "" for a picture to nobody in particular.
    """

    draft: Draft
    level: Level
    recipients: tuple[Contact, ...]
    conversation: str


def prepare(parts: Parts, draft: Draft, *, now: int, model: str, progress: Progress) -> EncryptedPhoto:
    """See `Messenger.prepare`."""
    order = _order(parts, draft)
    picture = _picture(order)
    asked = replace(_cover_order(parts, order, model), pixels=picture.pixels)
    return _finish(parts, order, picture, asked.key_faces, parts.cover(asked, progress), now, progress)


def order(parts: Parts, draft: Draft, *, model: str) -> CoverOrder:
    """See `Messenger.order`."""
    return _cover_order(parts, _order(parts, draft), model)


def finish(
    parts: Parts, draft: Draft, key_faces: Sequence[EncryptionKeyFace], cover: Cover, *, now: int, progress: Progress
) -> EncryptedPhoto:
    """See `Messenger.finish`."""
    order = _order(parts, draft)
    picture = _picture(order)
    if draft.form == "photo":
        cover = replace(cover, original=picture.pixels)
    return _finish(parts, order, picture, key_faces, cover, now, progress)


def _finish(
    parts: Parts,
    order: _Order,
    picture: Picture,
    key_faces: Sequence[EncryptionKeyFace],
    cover: Cover,
    now: int,
    progress: Progress,
) -> EncryptedPhoto:
    draft = order.draft
    key_face = _conversation_keeps(parts, order, key_faces, cover.shown)
    message_id = MessageId(secrets.token_bytes(16)) if order.recipients and not draft.covert else None
    imprinted = _imprinted(parts, order, cover, message_id, now, progress)

    format = draft.format or ("JPEG" if draft.app else writable(picture.format))

    def write(extra_bytes: int) -> bytes:
        return fit_cover(
            picture,
            imprinted.pixels,
            format,
            source_bytes=len(draft.photo),
            extra_bytes=extra_bytes,
            ai_made=not draft.covert,
        )

    envelope = None
    if message_id is None or order.level is Level.IMPRINT:
        file = write(0)
    else:
        residual = _residual(order, picture, cover)
        about = message_id

        def seal(pixels: Pixels) -> Envelope:
            return _seal(parts, order, cover, residual, pixels, about, now)

        # The seal's size does not depend on the cover's pixels, although the digest inside it does: sealing a corner of them
        # tells how much room to leave. When the whole original file is sealed, no cover is small enough to make room for it.
        file = write(0 if draft.exact else len(_packed(seal(cover.pixels[:8, :8]))) + _SLACK)
        envelope = seal(read_picture(file).pixels)
    packed = _packed(envelope) if envelope else None
    beside = packed is not None and len(packed) > protocol.MAX_CARRIED_BYTES
    return EncryptedPhoto(
        picture=file if packed is None or beside else protocol.put(file, packed),
        format=format,
        envelope=packed if beside else None,
        packed=packed,
        level=order.level,
        form=draft.form,
        mask=cover.mask,
        stand_in=None if isinstance(key_faces[key_face], np.ndarray) else str(key_faces[key_face]),
        recipients=order.recipients,
        conversation=draft.conversation,
        leaks=LeakReport(
            faces_found=cover.found,
            faces_covered=len(cover.quads),
            metadata_dropped=picture.dropped,
            likenesses=cover.likenesses,
            blurred=cover.blurred,
            kept=cover.kept,
            substituted=sum(shown != key_face for shown in cover.shown),
            imprint=imprinted.said,
        ),
        model=cover.model,
        model_hash=cover.model_hash,
        message_id=message_id,
        imprinted=imprinted.held,
    )


def _order(parts: Parts, draft: Draft) -> _Order:
    level = _level(draft)
    named = [parts.profile.authorised(name, draft.conversation) for name in draft.to]
    recipients = tuple({contact.card.id: contact for contact in named}.values())
    conversation = draft.conversation or ", ".join(sorted(contact.user_id for contact in recipients))
    return _Order(draft, level, recipients, conversation)


def _picture(order: _Order) -> Picture:
    draft = order.draft
    picture = read_photo(draft.photo)
    if draft.app is not None:
        picture = replace(picture, pixels=reduced(picture.pixels, APPS[draft.app].side))
    if order.recipients and draft.form == "photo":
        check_size(picture.pixels)
    return picture


def _level(draft: Draft) -> Level:
    level = draft.level or (Level.KEYFACE if draft.covert else Level.ORIGINAL)
    if draft.covert and level is not Level.KEYFACE:
        raise InputError(
            f"A covert picture carries no seal, so it cannot be of level {level}.",
            remedy=Remedy.DROP_COVERT,
        )
    if not draft.to and level is not Level.KEYFACE:
        raise InputError(
            f"No recipients were given, and level {level} needs at least one.",
            remedy=Remedy.NAME_RECIPIENTS,
        )
    if draft.caption and (draft.covert or not draft.to):
        raise InputError(
            "A caption travels sealed, and nothing is sealed here.", hint="Leave it out.", remedy=Remedy.NAME_RECIPIENTS
        )
    if draft.exact and level is not Level.ORIGINAL:
        raise InputError(f"The exact file goes with level original, not {level}.", remedy=Remedy.DROP_EXACT)
    if level is Level.IMPRINT and not draft.imprint:
        raise InputError(
            "Level imprint without an imprint has nothing to send.",
            hint="Choose level original, or leave the imprint in.",
        )
    return level


def _key_faces(parts: Parts, order: _Order) -> Sequence[EncryptionKeyFace]:
    """The conversation's key face first; the others are for faces that it does not hide."""
    chosen = order.draft.stand_in
    if isinstance(chosen, bytes):
        return [read_photo(chosen).pixels]
    if chosen is not None:
        return [chosen]
    if not order.conversation:
        return seeds(secrets.token_hex(4))
    return seeds(parts.profile.conversation(order.conversation).stand_in)


def _person(picture: bytes) -> Pixels:
    """The picture by which somebody in the photo is chosen. Raises PictureError."""
    try:
        return read_photo(picture).pixels
    except PictureError as error:
        raise PictureError(f"The picture of the person cannot be used. {error}", hint=error.hint) from error


def _cover_order(parts: Parts, order: _Order, model: str) -> CoverOrder:
    """Without pixels."""
    draft = order.draft
    only, keep = (
        [one if isinstance(one, int) else _person(one) for one in chosen] for chosen in (draft.only or (), draft.keep)
    )
    return CoverOrder(
        pixels=_NONE,
        model=model,
        level=order.level,
        key_faces=_key_faces(parts, order),
        known=_has_stand_in(parts, order),
        only=None if draft.only is None else only,
        keep=keep,
        others=draft.others,
        mask=draft.mask,
        form=draft.form,
        refine_steps=draft.refine_steps,
        matting=draft.matting,
        force=draft.force,
    )


def _has_stand_in(parts: Parts, order: _Order) -> bool:
    return bool(order.conversation) and parts.profile.conversation(order.conversation).chosen


def _conversation_keeps(
    parts: Parts, order: _Order, key_faces: Sequence[EncryptionKeyFace], shown: Sequence[int]
) -> int:
    """The number of the conversation's key face. A new conversation keeps what it showed first: of several, the one that most
    faces got."""
    if order.draft.stand_in is not None or not order.conversation or not shown or _has_stand_in(parts, order):
        return 0
    most = max(shown, key=shown.count)
    parts.profile.choose_stand_in(order.conversation, str(key_faces[most]))
    return most


def _imprinted(
    parts: Parts, order: _Order, cover: Cover, message_id: MessageId | None, now: int, progress: Progress
) -> Imprinted:
    """The cover with the faces in its pixels, if the draft wants them there. Level ``keyface`` never does: it gives recipients
    no more than a likeness.

    Raises InputError if they do not fit and nothing else would bring them back.
    """
    draft, level = order.draft, order.level
    if message_id is None or level is Level.KEYFACE or not draft.imprint:
        return Imprinted(cover.pixels, False, "")
    profile = parts.profile
    cards = [contact.card for contact in order.recipients]
    if level is Level.IMPRINT:
        cards.append(profile.card)  # otherwise the sender could not open it
    progress("writing into the pixels", 0, 1)
    done = imprint(
        cover,
        profile,
        cards,
        message_id=message_id,
        now=now,
        chat=draft.chat,
        caption=draft.caption,
        trials=[handling.deliver for handling in trials(draft.app)],
    )
    progress("writing into the pixels", 1, 1)
    if level is Level.IMPRINT and not done.held:
        raise InputError(
            f"{done.said} Level imprint sends nothing else.", hint="Use level original, or a larger photo."
        )
    return done


def _residual(order: _Order, picture: Picture, cover: Cover) -> Residual:
    draft = order.draft
    if order.level is Level.KEYFACE:
        return Residual()
    if cover.styles is not None:
        return Residual(kind=ResidualKind.STYLES, data=cover.styles)
    if draft.exact:
        return Residual(kind=ResidualKind.FILE, data=draft.photo)
    tables = picture.jpeg if draft.form == "photo" else None
    return Residual(kind=ResidualKind.FACES, data=pack_faces(cover.original, cover.pixels, tables))


def _seal(
    parts: Parts,
    order: _Order,
    cover: Cover,
    residual: Residual,
    pixels: Pixels,
    message_id: MessageId,
    now: int,
) -> Envelope:
    """``pixels`` are the cover's, as decoded from its file."""
    profile, draft = parts.profile, order.draft
    cards = [contact.card for contact in order.recipients]
    theirs = {card.id for card in cards}
    # The key face that most recipients hold; if tied, the newest.
    held = [face for face in profile.key_faces() if face.shared_with & theirs]
    chosen = max(held, key=lambda face: len(face.shared_with & theirs), default=None)
    key_face = chosen.key_face if chosen else None
    shown = wire_pixels(pixels)
    try:
        public = PublicPart.describe(
            shown,
            level=order.level,
            model_hash=bytes.fromhex(cover.model_hash),
            styles=cover.mask.n_styles,
            replaced=cover.mask.layers,
            faces=[to_wire(quad) for quad in cover.quads],
            key_face=key_face,
            message_id=message_id,
        )
        return protocol.seal_message(
            profile.identity,
            [profile.card, *cards],
            public,
            shown,
            sent_at=now,
            residual=residual,
            key_face=key_face,
            chat=draft.chat,
            caption=draft.caption,
            file_name=draft.file_name,
        )
    except (protocol.LocalProtocolError, ValueError) as error:
        raise InputError(str(error), hint="Nothing was sent.") from error


def _packed(envelope: Envelope) -> bytes:
    try:
        return envelope.pack()
    except protocol.LocalProtocolError as error:
        raise InputError("What is to be sealed is too large for one message.", remedy=Remedy.SEND_LESS) from error

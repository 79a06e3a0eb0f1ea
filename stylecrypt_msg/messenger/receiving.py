"""Opens a received picture: what its sender let us see."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import stylecrypt_protocol as protocol
from PIL import Image
from stylecrypt_protocol import Envelope, Level, OpenedImprint, OpenedMessage, PublicPart, ResidualKind, SeenStore

from ..cipher import restore, uncover
from ..errors import FaceError, InputError, MessageError, ModelError, NoMessageError, RefusedError, Remedy, explaining
from ..imprint import paste_faces
from ..models import FaceModel
from ..pictures import Picture, Pixels, read_photo, read_picture
from ..profile import Contact, MyKeyFace, TheirKeyFace
from ..progress import Progress
from ..residual import restore_faces, unpack_styles
from ..stylemix import LayerMask
from .imprinting import read_imprint
from .key_faces import Codes, key_codes
from .parts import Parts
from .values import Arrival, DecryptedPhoto
from .wire import form_of, from_wire, wire_pixels

__all__ = ["receive"]


_ELSEWHERE = "It was sent to another chat: somebody posted it again in this one."


@dataclass(frozen=True)
class _Known:
    """What we know about a received picture.

    Attributes:
        picture: the picture.
        public: the public part of its message, if it has one.
        opened: the message, if we could open it.
        sender: the contact who signed it, otherwise the one whom we were told to treat as the sender.
        warnings: so far.
        refused: why the message was not opened.
    """

    picture: Picture
    public: PublicPart | None
    opened: OpenedMessage | None
    sender: Contact | None
    warnings: tuple[str, ...]
    refused: RefusedError | None = None

    def warning(self, *more: str) -> _Known:
        return replace(self, warnings=(*self.warnings, *more))


@dataclass(frozen=True)
class _Key:
    """A key face to try: a picture file, its owner, and what the profile keeps about it."""

    picture: bytes
    owner: Contact | None
    kept: MyKeyFace | TheirKeyFace | None = None


def receive(
    parts: Parts, arrival: Arrival, *, now: int, seen: SeenStore | None, model: str, progress: Progress
) -> DecryptedPhoto:
    """See `Messenger.open`."""
    known = _unseal(parts, arrival, now, seen)
    public, opened = known.public, known.opened
    if public is not None and opened is not None and opened.content.residual.kind is not ResidualKind.NONE:
        try:
            return _recover(parts, known, public, opened, progress)
        except (MessageError, ModelError) as error:
            # A contact's broken message must not start a model by itself: each one would cost seconds.
            broken = isinstance(error, MessageError) and arrival.key_face is None
            if broken or not _keys(parts, public, known.sender, arrival.key_face):
                raise
            known = known.warning(f"{error} The face was recovered with a key face instead.")
    if opened is None:
        imprinted, known = _open_imprint(parts, known, arrival, now, seen)
        if imprinted is not None:
            return _from_pixels(known, imprinted)
        if known.refused is not None and not _may_fall_back(parts, known, arrival.key_face):
            raise known.refused
    return _uncover(parts, known, arrival, model, progress)


def _unseal(parts: Parts, arrival: Arrival, now: int, seen: SeenStore | None) -> _Known:
    """Opens the message, if there is one. Raises RefusedError if it is refused and nothing else may be tried."""
    picture = read_picture(arrival.picture)
    with explaining():
        messages = protocol.envelopes_of(arrival.picture, arrival.envelope)
    claimed = parts.profile.contact(arrival.sender) if arrival.sender else None
    if not messages:
        return _Known(picture, None, None, claimed, ())
    try:
        with explaining():
            opened = _opened(parts, messages, picture.pixels, now, seen, arrival.chat)
    except RefusedError as refused:
        # Nothing else is tried on a message that somebody put together to deceive.
        if not isinstance(refused.reason, protocol.UnsealedError | protocol.NotForMeError):
            raise
        return _Known(picture, messages[0].public, None, claimed, (_unproven(refused),), refused)
    known = _Known(picture, opened.public, opened, parts.sender(opened.sender.id, "message"), ())
    if opened.elsewhere:
        known = known.warning(_ELSEWHERE)
    if opened.cover is protocol.CoverVerdict.CHANGED:
        known = known.warning("The picture was changed on the way: what lies outside the faces is as it arrived.")
    return known


def _opened(
    parts: Parts, messages: list[Envelope], pixels: Pixels, now: int, seen: SeenStore | None, chat: str | None
) -> OpenedMessage:
    """The first message that opens. Raises what is wrong with the first one."""
    if messages[0].sealed is None:
        raise protocol.UnsealedError
    profile = parts.profile_if_any()
    if profile is None:
        raise protocol.NotForMeError
    shown, cards = wire_pixels(pixels), profile.cards()
    identity = profile.identity
    return protocol.open_first(
        messages, lambda one: protocol.open_message(one, identity, cards, shown, now=now, seen=seen, chat=chat)
    )


def _may_fall_back(parts: Parts, known: _Known, key_face: bytes | None) -> bool:
    """Whether a key face may be tried on a picture whose message is not for us."""
    if known.refused is not None and isinstance(known.refused.reason, protocol.UnsealedError):
        return True
    # If the message is not for us: the key face that it commits to, not that of the supposed sender.
    return bool(_keys(parts, known.public, None if known.refused and known.public else known.sender, key_face))


def _unproven(refused: RefusedError) -> str:
    return f"{refused} Nothing proves who sent it."


def _recover(
    parts: Parts, known: _Known, public: PublicPart, opened: OpenedMessage, progress: Progress
) -> DecryptedPhoto:
    """The photo from the sealed residual. Raises MessageError or ModelError."""
    residual, arrived = opened.content.residual, known.picture
    level, format, file = Level.ORIGINAL, arrived.format, None
    if residual.kind is ResidualKind.FILE:
        file = residual.data
        original = _sealed_picture(file)
        pixels, format = original.pixels, original.format
    elif residual.kind is ResidualKind.FACES:
        pixels = restore_faces(residual.data, arrived.pixels, public.width, public.height)
    else:
        level = Level.LATENT
        model = parts.models.hashed(public.model_hash.hex())
        codes, landmarks = unpack_styles(residual.data, len(public.faces), model.n_styles, model.style_dim)
        quads = [from_wire(quad) for quad in public.faces]
        shown = _resized(arrived.pixels, public.width, public.height)
        pixels = restore(shown, codes.astype(np.float32), landmarks, quads, model, progress=progress)
    content = opened.content
    return DecryptedPhoto(
        pixels=pixels,
        level=level,
        sender=known.sender,
        signed=True,
        cover=opened.cover.value,
        warnings=known.warnings,
        form=form_of(public),
        mask=_mask_of(public),
        format=format,
        caption=content.caption,
        file_name=content.file_name,
        sent_at=content.sent_at,
        message_id=public.message_id,
        file=file,
    )


def _open_imprint(
    parts: Parts, known: _Known, arrival: Arrival, now: int, seen: SeenStore | None
) -> tuple[OpenedImprint | None, _Known]:
    """Opens the imprint, if the pixels hold one for us. If not, and a key face may be tried, a warning says why.

    Raises RefusedError or MessageError if there is nothing else to try.
    """
    profile = parts.profile_if_any()
    if profile is None:
        return None, known
    try:
        with explaining():
            opened = read_imprint(known.picture.pixels, profile, now=now, seen=seen, chat=arrival.chat)
    except RefusedError as refused:
        if not isinstance(refused.reason, protocol.NotForMeError):
            raise
        return None, replace(known, refused=known.refused or refused, warnings=known.warnings or (_unproven(refused),))
    except MessageError as error:
        if not _may_fall_back(parts, known, arrival.key_face):
            raise MessageError(
                "The picture's pixels hold a message that cannot be read any more: the picture was changed too much.",
                hint="Ask the sender to send it again, as a file.",
            ) from error
        return None, known.warning("What the pixels held cannot be read any more: the picture was changed too much.")
    if opened is None:
        return None, known
    known = replace(known, sender=parts.sender(opened.sender.id, "message"), warnings=())
    if opened.elsewhere:
        known = known.warning(_ELSEWHERE)
    return opened, known.warning("The envelope was lost on the way. The faces come from the picture's pixels, small.")


def _from_pixels(known: _Known, opened: OpenedImprint) -> DecryptedPhoto:
    """Level ``imprint``. Raises MessageError."""
    content = opened.content
    if content.left_out:
        which = "1 face is" if content.left_out == 1 else f"{content.left_out} faces are"
        known = known.warning(f"{which} still hidden: the pixels had no room for more.")
    return DecryptedPhoto(
        pixels=paste_faces(known.picture.pixels, content.faces),
        level=Level.IMPRINT,
        sender=known.sender,
        signed=True,
        cover=protocol.CoverVerdict.CHANGED.value,
        warnings=known.warnings,
        form="photo",
        mask=None,
        format=known.picture.format,
        caption=content.caption,
        sent_at=content.sent_at,
        message_id=content.message_id,
    )


def _uncover(parts: Parts, known: _Known, arrival: Arrival, model_name: str, progress: Progress) -> DecryptedPhoto:
    """Level ``keyface``: a likeness, from the pixels and a key face."""
    public, opened = known.public, known.opened
    keys = _keys(parts, public, known.sender, arrival.key_face)
    if not keys:
        raise _no_key(known)
    model = parts.models.named(model_name) if public is None else parts.models.hashed(public.model_hash.hex())
    mask = _mask_of(public) if public else None
    if public is None and arrival.mask is not None:
        mask = LayerMask.parse(arrival.mask, model.n_styles)
    key, codes = _first_with_a_face(parts, keys, model, progress)
    found = uncover(
        known.picture.pixels,
        codes,
        model,
        mask=mask,
        form=form_of(public) if public else None,
        face=arrival.face,
        progress=progress,
    )
    if opened is None and arrival.key_face is None and key.owner is not None:
        known = known.warning(f"A key face of {key.owner.name} was used; nothing proves that they sent it.")
    content = opened.content if opened else None
    return DecryptedPhoto(
        pixels=found.pixels,
        level=Level.KEYFACE,
        sender=known.sender or key.owner,
        signed=opened is not None,
        cover=opened.cover.value if opened else "unsigned",
        warnings=(*known.warnings, *found.warnings),
        form=found.form,
        mask=found.mask,
        format=known.picture.format,
        caption=content.caption if content else "",
        file_name=content.file_name if content else "",
        sent_at=content.sent_at if content else None,
        message_id=public.message_id if public else None,
    )


def _keys(parts: Parts, public: PublicPart | None, sender: Contact | None, key_face: bytes | None) -> list[_Key]:
    """The key faces that may open a picture, the likeliest first."""
    if key_face is not None:
        return [_Key(key_face, sender)]
    profile = parts.profile_if_any()
    if profile is None:
        return []
    if sender is not None and sender.card.id == profile.card.id:
        mine = [(_Key(face.picture, sender, face), face.key_face) for face in profile.key_faces()]
    else:
        theirs = profile.key_faces_of(sender) if sender else profile.all_their_key_faces()
        mine = [(_Key(face.picture, sender or profile.by_card(face.owner), face), face.key_face) for face in theirs]
    if public is not None and public.commitment is not None:
        meant = protocol.pick_key_face(public, [face for _, face in mine])
        return [key for key, face in mine if face is meant]
    return [key for key, _ in mine] if sender is not None else []


def _first_with_a_face(parts: Parts, keys: Sequence[_Key], model: FaceModel, progress: Progress) -> tuple[_Key, Codes]:
    """Raises FaceError if none of them shows a face."""
    for key in keys:
        try:
            return key, key_codes(parts, key.picture, key.kept, model, progress)
        except FaceError as error:
            failure = error
    raise failure


def _no_key(known: _Known) -> InputError:
    if known.public is None and known.sender is None:
        return NoMessageError(
            "There is no message with this picture, so there is nothing to decrypt it with.",
            remedy=Remedy.NAME_SENDER,
        )
    whose = f"of {known.sender.name}" if known.sender else "of the sender"
    return InputError(
        f"The key face {whose} that this picture needs is missing.",
        remedy=Remedy.ASK_FOR_KEY_FACE,
    )


def _mask_of(public: PublicPart) -> LayerMask:
    return LayerMask.of(public.replaced, public.styles)


def _sealed_picture(file: bytes) -> Picture:
    try:
        return read_photo(file)
    except InputError as error:
        raise MessageError(f"The file that was sealed is not a picture that can be shown. {error}") from error


def _resized(pixels: Pixels, width: int, height: int) -> Pixels:
    if pixels.shape[:2] == (height, width):
        return pixels
    return np.asarray(Image.fromarray(pixels).resize((width, height), Image.Resampling.LANCZOS))

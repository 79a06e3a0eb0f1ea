"""A picture that arrived to what its sender let us see."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import stylecrypt_protocol as protocol
from PIL import Image
from stylecrypt_protocol import Envelope, OpenedMessage, PublicPart, ResidualKind, SeenStore

from ..cipher import Report, restore, uncover
from ..errors import FaceError, InputError, MessageError, ModelError, NoMessageError, RefusedError, Remedy, explaining
from ..pictures import Picture, read_picture
from ..profile import Contact, MyKeyFace, TheirKeyFace
from ..residual import restore_faces, unpack_styles
from ..stylemix import LayerMask
from .key_faces import key_codes
from .parts import Parts
from .values import DecryptedPhoto, Level, Pixels
from .wire import form_of, from_wire, wire_pixels

__all__ = ["Opening"]


class Opening:
    """See `Messenger.open`."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def open(
        self,
        picture: bytes,
        *,
        now: int,
        envelope: bytes | None,
        seen: SeenStore | None,
        key_face: bytes | None,
        sender: str | None,
        mask: str | None,
        face: int | None,
        chat: str | None,
        model: str,
        report: Report,
    ) -> DecryptedPhoto:
        """See `Messenger.open`."""
        arrived = read_picture(picture)
        messages = _messages_of(picture, envelope)
        message = messages[0] if messages else None
        claimed = self._parts.profile.contact(sender) if sender else None
        opened: OpenedMessage | None = None
        warnings: list[str] = []
        if messages:
            try:
                with explaining():
                    message, opened = self._unseal_first(messages, arrived.pixels, now, seen, chat)
            except RefusedError as refused:
                if not self._may_fall_back(refused, messages[0], key_face):
                    raise
                warnings.append(f"{refused} Nothing proves who sent it.")
        if opened is not None:
            claimed = self._parts.sender(opened.sender.id, "message")
        if message is not None and opened is not None:
            if opened.elsewhere:
                warnings.append("It was sent to another chat: somebody posted it again in this one.")
            if opened.cover is protocol.CoverVerdict.CHANGED:
                warnings.append("The picture was changed on the way: what lies outside the faces is as it arrived.")
            try:
                return self._recover(message.public, opened, arrived, claimed, warnings, report)
            except _NoResidual:
                pass
            except (MessageError, ModelError) as error:
                # A contact's broken message starts no model by itself: each would cost seconds.
                broken = isinstance(error, MessageError) and key_face is None
                if broken or not self._keys(message.public, claimed, key_face):
                    raise
                warnings.append(f"{error} The face was recovered with a key face instead.")
        return self._uncover(message, opened, arrived, claimed, key_face, mask, face, model, warnings, report)

    def _unseal_first(
        self, messages: list[Envelope], pixels: Pixels, now: int, seen: SeenStore | None, chat: str | None
    ) -> tuple[Envelope, OpenedMessage]:
        """The first that opens; what is wrong with the first of all if none does."""
        fault: protocol.RemoteProtocolError | None = None
        for message in messages:
            try:
                return message, self._unseal(message, pixels, now, seen, chat)
            except protocol.RemoteProtocolError as error:
                fault = fault or error
        assert fault is not None  # noqa: S101 - there is at least one message
        raise fault

    def _unseal(
        self, message: Envelope, pixels: Pixels, now: int, seen: SeenStore | None, chat: str | None
    ) -> OpenedMessage:
        profile = self._parts.profile_if_any()
        if message.sealed is None:
            raise protocol.UnsealedError
        if profile is None:
            raise protocol.NotForMeError
        return protocol.open_message(
            message, profile.identity, profile.cards(), wire_pixels(pixels), now=now, seen=seen, chat=chat
        )

    def _may_fall_back(self, refused: RefusedError, message: Envelope, key_face: bytes | None) -> bool:
        """Whether a key face may be tried: never on what somebody put together to deceive."""
        if not isinstance(refused.reason, protocol.UnsealedError | protocol.NotForMeError):
            return False
        return isinstance(refused.reason, protocol.UnsealedError) or bool(self._keys(message.public, None, key_face))

    def _recover(
        self,
        public: PublicPart,
        opened: OpenedMessage,
        arrived: Picture,
        sender: Contact | None,
        warnings: list[str],
        report: Report,
    ) -> DecryptedPhoto:
        """The photo from the sealed residual. Raises _NoResidual, MessageError or ModelError."""
        residual = opened.content.residual
        file = None
        fmt = arrived.format
        level = Level.ORIGINAL
        if residual.kind is ResidualKind.NONE:
            raise _NoResidual
        if residual.kind is ResidualKind.FILE:
            file = residual.data
            original = _sealed_picture(file)
            pixels, fmt = original.pixels, original.format
        elif residual.kind is ResidualKind.FACES:
            pixels = restore_faces(residual.data, arrived.pixels, public.width, public.height)
        else:
            level = Level.LATENT
            model = self._parts.models.hashed(public.model_hash.hex())
            codes, landmarks = unpack_styles(residual.data, len(public.faces), model.n_styles, model.style_dim)
            quads = [from_wire(quad) for quad in public.faces]
            shown = _resized(arrived.pixels, public.width, public.height)
            pixels = restore(shown, codes.astype(np.float32), landmarks, quads, model, report=report)
        content = opened.content
        return DecryptedPhoto(
            pixels=pixels, level=level, sender=sender, signed=True, cover=opened.cover.value, warnings=tuple(warnings),
            form=form_of(public), mask=_mask_of(public), format=fmt, caption=content.caption, file_name=content.file_name,
            sent_at=content.sent_at, message_id=public.message_id, file=file,
        )  # fmt: skip

    def _keys(self, public: PublicPart | None, sender: Contact | None, key_face: bytes | None) -> list[_Key]:
        """The key faces that may open a picture, the likeliest first."""
        if key_face is not None:
            return [_Key(key_face, sender)]
        profile = self._parts.profile_if_any()
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

    def _uncover(
        self,
        message: Envelope | None,
        opened: OpenedMessage | None,
        arrived: Picture,
        sender: Contact | None,
        key_face: bytes | None,
        mask: str | None,
        face: int | None,
        model_name: str,
        warnings: list[str],
        report: Report,
    ) -> DecryptedPhoto:
        """Level ``keyface``."""
        public = message.public if message else None
        keys = self._keys(public, sender, key_face)
        if not keys:
            raise _no_key(message, sender)
        model = self._parts.models.hashed(public.model_hash.hex()) if public else self._parts.models.named(model_name)
        if public is not None:
            layers: LayerMask | None = _mask_of(public)
        else:
            layers = LayerMask.parse(mask, model.n_styles) if mask is not None else None
        for key in keys:
            try:
                codes = key_codes(self._parts, key.picture, key.kept, model, report)
                break
            except FaceError as error:
                failure = error
        else:
            raise failure
        found = uncover(
            arrived.pixels,
            codes,
            model,
            mask=layers,
            form=form_of(public) if public else None,
            face=face,
            report=report,
        )
        content = opened.content if opened else None
        if opened is None and key_face is None and key.owner is not None:
            warnings.append(f"A key face of {key.owner.name} was used; nothing proves that they sent it.")
        return DecryptedPhoto(
            pixels=found.pixels, level=Level.KEYFACE, sender=sender or key.owner, signed=opened is not None,
            cover=opened.cover.value if opened else "unsigned", warnings=(*warnings, *found.warnings), form=found.form,
            mask=found.mask, format=arrived.format, caption=content.caption if content else "",
            file_name=content.file_name if content else "", sent_at=content.sent_at if content else None,
            message_id=public.message_id if public else None,
        )  # fmt: skip


@dataclass(frozen=True)
class _Key:
    """A key face at hand: a picture file, whose it is, and what the profile keeps of it."""

    picture: bytes
    owner: Contact | None
    kept: MyKeyFace | TheirKeyFace | None = None


class _NoResidual(Exception):  # noqa: N818 - never leaves this module
    """The message is of level ``keyface``."""


def _messages_of(picture: bytes, beside: bytes | None) -> list[Envelope]:
    """The envelope beside the picture and the one inside, as far as they are whole: sealed ones first, each once."""
    found: list[Envelope] = []
    fault: protocol.RemoteProtocolError | None = None
    for inside in (False, True):
        try:
            packed = _taken(picture) if inside else beside
            found += [] if packed is None else [Envelope.unpack(packed)]
        except protocol.RemoteProtocolError as error:
            fault = fault or error
    if fault is not None and not found:
        with explaining():
            raise fault
    return sorted(dict.fromkeys(found), key=lambda one: one.sealed is None)


def _taken(picture: bytes) -> bytes | None:
    try:
        return protocol.take(picture)
    except protocol.UnsupportedError:  # GIF, BMP: they carry nothing
        return None


def _no_key(message: Envelope | None, sender: Contact | None) -> InputError:
    if message is None and sender is None:
        return NoMessageError(
            "There is no message with this picture, so there is nothing to decrypt it with.",
            remedy=Remedy.NAME_SENDER,
        )
    whose = f"of {sender.name}" if sender else "of the sender"
    return InputError(
        f"The key face {whose} that this picture needs is missing.",
        remedy=Remedy.ASK_FOR_KEY_FACE,
    )


def _mask_of(public: PublicPart) -> LayerMask:
    return LayerMask.of(public.replaced, public.styles)


def _sealed_picture(file: bytes) -> Picture:
    try:
        return read_picture(file)
    except InputError as error:
        raise MessageError(f"The file that was sealed is not a picture that can be shown. {error}") from error


def _resized(pixels: Pixels, width: int, height: int) -> Pixels:
    if pixels.shape[:2] == (height, width):
        return pixels
    return np.asarray(Image.fromarray(pixels).resize((width, height), Image.Resampling.LANCZOS))

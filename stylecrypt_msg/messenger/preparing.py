"""A photo to a picture that may travel."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import get_args

import numpy as np
import stylecrypt_protocol as protocol
from numpy.typing import NDArray
from stylecrypt_protocol import Envelope, PublicPart, Residual, ResidualKind

from ..cipher import CoveredPhoto, KeyFace, Others, Report, cover, exchange
from ..errors import FaceError, InputError, LikenessError
from ..faces import crop
from ..models import FaceModel
from ..pictures import Picture, read_picture
from ..profile import Contact
from ..recognisers import Recogniser
from ..residual import fit_cover, pack_faces, pack_styles
from ..standins import seeds
from ..stylemix import LayerMask
from .parts import Parts
from .values import Draft, EncryptedPhoto, LeakReport, Level, Pixels, writable
from .wire import check_size, to_wire, wire_pixels

__all__ = ["Preparing"]

_SLACK = 512  # bytes: age adds up to 175 at random, carriers some for each piece


class Preparing:
    """See `Messenger.prepare`."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def prepare(self, draft: Draft, now: int, model: str, report: Report) -> EncryptedPhoto:
        """See `Messenger.prepare`."""
        level = _level(draft)
        recipients = self._recipients(draft)
        picture = read_picture(draft.photo)
        if recipients and draft.form == "photo":
            check_size(picture.pixels)
        wanted = draft.format or writable(picture.format)
        report("loading the model", 0, 1)
        face_model = self._parts.models.named(model)
        report("loading the model", 1, 1)
        covered, stand_in, leaks = self._cover(draft, level, recipients, picture, face_model, report)

        def write(extra_bytes: int) -> bytes:
            return fit_cover(
                picture, covered.pixels, wanted,
                source_bytes=len(draft.photo), extra_bytes=extra_bytes, ai_made=not draft.covert,
            )  # fmt: skip

        envelope = None
        if not recipients or draft.covert:
            file = write(0)
        else:
            residual = _residual(level, draft, covered, picture)

            def seal(pixels: Pixels) -> Envelope:
                return self._seal(draft, level, recipients, residual, covered, face_model, pixels, now)

            # How large the seal is does not depend on the cover's pixels, but the digest inside does: a corner of them tells
            # how much room to leave. The whole file beside it leaves no room to save any.
            file = write(0 if draft.exact else len(_packed(seal(covered.pixels[:8, :8]))) + _SLACK)
            envelope = seal(read_picture(file).pixels)
        packed = _packed(envelope) if envelope else None
        beside = packed is not None and len(packed) > protocol.MAX_CARRIED_BYTES
        return EncryptedPhoto(
            picture=file if packed is None or beside else protocol.put(file, packed),
            format=wanted, envelope=packed if beside else None, packed=packed, level=level, form=draft.form,
            mask=covered.mask, stand_in=stand_in, recipients=recipients, conversation=draft.conversation, leaks=leaks,
            model=face_model.name, model_hash=face_model.digest,
            message_id=envelope.public.message_id if envelope else None,
        )  # fmt: skip

    def _recipients(self, draft: Draft) -> tuple[Contact, ...]:
        if not draft.to:
            return ()
        profile = self._parts.profile
        return tuple(
            {c.card.id: c for c in (profile.authorised(name, draft.conversation) for name in draft.to)}.values()
        )

    def _cover(
        self,
        draft: Draft,
        level: Level,
        recipients: Sequence[Contact],
        picture: Picture,
        model: FaceModel,
        report: Report,
    ) -> tuple[CoveredPhoto, str | None, LeakReport]:
        conversation = draft.conversation or ", ".join(sorted(contact.user_id for contact in recipients))
        keys = self._stand_ins(draft, conversation)
        mask = LayerMask.parse(draft.mask, model.n_styles) if draft.mask is not None else None
        key = keys[0]
        covered = cover(
            picture.pixels, model, key_face=key, form=draft.form, mask=mask, face=draft.face,
            others=draft.others, steps=level.steps, refine_steps=draft.refine_steps, matting=draft.matting, report=report,
        )  # fmt: skip
        if not covered.quads and level is not Level.ORIGINAL:
            raise FaceError(
                f"No face in the picture can be replaced: {covered.blurred[0].reason}.",
                hint="Blurred faces come back at level original only: use that, or another photo.",
            )
        recogniser = self._parts.recogniser() if covered.quads else None
        sender = _described(recogniser, covered.original, covered)
        leaks = _leaks(covered, picture, recogniser, sender)
        for another in keys[1:]:
            if draft.force or not leaks.looks_like_sender:
                break
            key = another
            covered = exchange(covered, model, key_face=key, matting=draft.matting, report=report)
            leaks = _leaks(covered, picture, recogniser, sender)
        if leaks.looks_like_sender and not draft.force:
            assert leaks.distances is not None  # noqa: S101 - or it would not look like anybody
            raise LikenessError(
                f"The fake face still looks like the original to {leaks.recogniser}: distance {min(leaks.distances):.2f}, "
                f"and below {leaks.threshold:.2f} two faces are the same person.",
                hint="Use another stand-in (--stand-in) or a stricter mask (--mask 2-8), or insist with --force.",
            )
        seed = None if isinstance(key, np.ndarray) else str(key)
        if seed and conversation and covered.quads and draft.stand_in is None:
            self._parts.profile.choose_stand_in(conversation, seed)  # a chat keeps the one that was shown first
        return covered, seed, leaks

    def _stand_ins(self, draft: Draft, conversation: str) -> Sequence[KeyFace]:
        if isinstance(draft.stand_in, bytes):
            return [read_picture(draft.stand_in).pixels]
        if draft.stand_in is not None:
            return [draft.stand_in]
        if not conversation:
            return seeds(secrets.token_hex(4))
        kept = self._parts.profile.conversation(conversation)
        if kept.chosen:
            return [kept.stand_in]
        return seeds(kept.stand_in)

    def _seal(
        self,
        draft: Draft,
        level: Level,
        recipients: Sequence[Contact],
        residual: Residual,
        covered: CoveredPhoto,
        model: FaceModel,
        pixels: Pixels,
        now: int,
    ) -> Envelope:
        profile = self._parts.profile
        shown = wire_pixels(pixels)
        mine = [face for face in profile.key_faces() if face.shared_with & {contact.card.id for contact in recipients}]
        # The one that most of them hold; of several, the newest.
        chosen = max(mine, key=lambda face: len(face.shared_with & {c.card.id for c in recipients}), default=None)
        key_face = chosen.key_face if chosen else None
        try:
            public = PublicPart.describe(
                shown, level=protocol.Level[level.name], model_hash=bytes.fromhex(model.digest), styles=model.n_styles,
                replaced=covered.mask.layers, faces=[to_wire(quad) for quad in covered.quads], key_face=key_face,
            )  # fmt: skip
            cards = [profile.card, *(contact.card for contact in recipients)]
            return protocol.seal_message(
                profile.identity, cards, public, shown, sent_at=now, residual=residual, key_face=key_face,
                caption=draft.caption, file_name=draft.file_name,
            )  # fmt: skip
        except (protocol.LocalProtocolError, ValueError) as error:
            raise InputError(str(error), hint="Nothing was sent.") from error


def _level(draft: Draft) -> Level:
    level = draft.level or (Level.KEYFACE if draft.covert else Level.ORIGINAL)
    if draft.covert and level is not Level.KEYFACE:
        raise InputError(
            f"A covert picture carries no seal, so it cannot be of level {level}.",
            hint="Leave out --covert, or use --level keyface.",
        )
    if not draft.to and level is not Level.KEYFACE:
        raise InputError(
            f"Nobody is named who may see the photo, and level {level} is sealed to somebody.",
            hint="Name contacts with --to, or use --level keyface, which seals nothing.",
        )
    if draft.caption and (draft.covert or not draft.to):
        raise InputError(
            "A caption travels sealed, and nothing is sealed here.", hint="Leave it out, or name contacts with --to."
        )
    if draft.exact and level is not Level.ORIGINAL:
        raise InputError(
            f"The exact file goes with level original, not {level}.", hint="Leave out --exact, or use --level original."
        )
    if draft.others not in (None, *get_args(Others)):
        raise InputError(
            f"Other faces cannot be treated as {draft.others!r}.", hint=f"Others are {', '.join(get_args(Others))}."
        )
    return level


def _described(recogniser: Recogniser | None, pixels: Pixels, covered: CoveredPhoto) -> NDArray[np.float32] | None:
    """Descriptors of the faces in ``pixels``, which are those of ``covered`` or its original."""
    return None if recogniser is None else recogniser.describe([crop(pixels, quad, 256) for quad in covered.quads])


def _leaks(
    covered: CoveredPhoto, picture: Picture, recogniser: Recogniser | None, sender: NDArray[np.float32] | None
) -> LeakReport:
    """``sender`` describes the original faces."""
    fakes = _described(recogniser, covered.pixels, covered)
    distances = None
    if sender is not None and fakes is not None:
        distances = tuple(float(d) for d in np.linalg.norm(sender - fakes, axis=1))
    return LeakReport(
        faces_found=covered.found, faces_covered=len(covered.quads), metadata_dropped=picture.dropped,
        distances=distances, recogniser=recogniser.name if recogniser else None,
        threshold=recogniser.threshold if recogniser else None, blurred=covered.blurred, kept=covered.kept,
    )  # fmt: skip


def _residual(level: Level, draft: Draft, covered: CoveredPhoto, picture: Picture) -> Residual:
    if level is Level.KEYFACE:
        return Residual()
    if level is Level.LATENT:
        return Residual(kind=ResidualKind.STYLES, data=pack_styles(covered.codes, covered.landmarks))
    if draft.exact:
        return Residual(kind=ResidualKind.FILE, data=draft.photo)
    tables = picture.jpeg if draft.form == "photo" else None
    return Residual(kind=ResidualKind.FACES, data=pack_faces(covered.original, covered.pixels, tables))


def _packed(envelope: Envelope) -> bytes:
    try:
        return envelope.pack()
    except protocol.LocalProtocolError as error:
        raise InputError(
            "What is to be sealed is too large for one message.", hint="Leave out --exact, or use --level latent."
        ) from error

"""A photo to a picture that may travel."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import get_args

import numpy as np
import stylecrypt_protocol as protocol
from stylecrypt_protocol import Envelope, PublicPart, Residual, ResidualKind

from ..choices import Others
from ..cipher import CoveredPhoto, KeyFace, Report, cover, exchange
from ..effort import COVER_STEPS
from ..errors import FaceError, InputError, LikenessError, Remedy
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

_DESCRIBED = 256  # px of the squares that a recogniser gets
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
        covered = cover(
            picture.pixels, model, key_face=keys[0], form=draft.form, mask=mask, face=draft.face,
            others=draft.others, steps=COVER_STEPS[level], refine_steps=draft.refine_steps, matting=draft.matting,
            report=report,
        )  # fmt: skip
        if not covered.quads and level is not Level.ORIGINAL:
            raise FaceError(
                f"No face in the picture can be replaced: {covered.blurred[0].reason}.",
                hint="Blurred faces come back at level original only: use that, or another photo.",
            )
        recogniser = self._parts.recogniser() if covered.quads else None
        likeness = _Likeness(recogniser, covered)
        shown = [keys[0]] * len(covered.quads)
        for another in keys[1:]:
            alike = likeness.alike()
            if draft.force or not alike:
                break
            covered = exchange(covered, model, key_face=another, faces=alike, matting=draft.matting, report=report)
            likeness.look(covered, alike)
            for face in alike:
                shown[face] = another
        alike = likeness.alike()
        if alike and not draft.force:
            raise likeness.refusal(covered, alike[0])
        # A chat keeps the stand-in that was shown first: of several, the one that most faces got.
        key = keys[0]
        if (
            draft.stand_in is None
            and conversation
            and shown
            and not self._parts.profile.conversation(conversation).chosen
        ):
            key = max(shown, key=shown.count)
            self._parts.profile.choose_stand_in(conversation, str(key))
        seed = None if isinstance(key, np.ndarray) else str(key)
        substituted = sum(one is not key for one in shown)
        return covered, seed, likeness.report(covered, picture, substituted)

    def _stand_ins(self, draft: Draft, conversation: str) -> Sequence[KeyFace]:
        """The first is the conversation's; the others are for faces that it does not hide."""
        if isinstance(draft.stand_in, bytes):
            return [read_picture(draft.stand_in).pixels]
        if draft.stand_in is not None:
            return [draft.stand_in]
        if not conversation:
            return seeds(secrets.token_hex(4))
        return seeds(self._parts.profile.conversation(conversation).stand_in)

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
                chat=draft.chat, caption=draft.caption, file_name=draft.file_name,
            )  # fmt: skip
        except (protocol.LocalProtocolError, ValueError) as error:
            raise InputError(str(error), hint="Nothing was sent.") from error


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
    if draft.others not in (None, *get_args(Others)):
        raise InputError(
            f"Other faces cannot be treated as {draft.others!r}.", hint=f"Others are {', '.join(get_args(Others))}."
        )
    return level


class _Likeness:
    """How far each fake is from its original, in the eyes of a recogniser, if there is one."""

    def __init__(self, recogniser: Recogniser | None, covered: CoveredPhoto) -> None:
        self._recogniser = recogniser
        if recogniser is not None:
            self._originals = recogniser.describe([crop(covered.original, quad, _DESCRIBED) for quad in covered.quads])
            self._distances = np.zeros(len(covered.quads))
            self.look(covered, range(len(covered.quads)))

    def look(self, covered: CoveredPhoto, faces: Sequence[int]) -> None:
        """Looks at these fakes (again)."""
        if self._recogniser is not None:
            fakes = self._recogniser.describe([crop(covered.pixels, covered.quads[i], _DESCRIBED) for i in faces])
            self._distances[list(faces)] = np.linalg.norm(self._originals[list(faces)] - fakes, axis=1)

    def alike(self) -> list[int]:
        """The faces that still look like the sender."""
        if self._recogniser is None:
            return []
        return [int(i) for i in np.flatnonzero(self._distances < self._recogniser.threshold)]

    def refusal(self, covered: CoveredPhoto, face: int) -> LikenessError:
        assert self._recogniser is not None  # noqa: S101 - or nothing would be alike
        others = {other.number for other in (*covered.blurred, *covered.kept)}
        numbers = [number for number in range(1, covered.found + 1) if number not in others]
        several = len(covered.quads) > 1
        which = f"The fake of face {numbers[face]} of {covered.found}, from the left," if several else "The fake face"
        return LikenessError(
            f"{which} still looks like the original to {self._recogniser.name}: distance {self._distances[face]:.2f}, and "
            f"below {self._recogniser.threshold:.2f} two faces are the same person.",
            remedy=Remedy.OTHER_STAND_IN,
        )

    def report(self, covered: CoveredPhoto, picture: Picture, substituted: int) -> LeakReport:
        recogniser = self._recogniser
        return LeakReport(
            faces_found=covered.found, faces_covered=len(covered.quads), metadata_dropped=picture.dropped,
            distances=None if recogniser is None else tuple(map(float, self._distances)),
            recogniser=recogniser.name if recogniser else None, threshold=recogniser.threshold if recogniser else None,
            blurred=covered.blurred, kept=covered.kept, substituted=substituted,
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
        raise InputError("What is to be sealed is too large for one message.", remedy=Remedy.SEND_LESS) from error

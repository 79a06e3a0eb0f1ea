"""The messenger, which joins its parts."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from stylecrypt_protocol import SeenStore

from ..cipher import Report
from ..models.shelf import Shelf
from ..profile import Profile
from ..recognisers import Recogniser
from .key_faces import KeyPhoto, NewKeyFace, ReceivedKeyFace, Sharing
from .opening import Opening
from .parts import Parts
from .preparing import Preparing
from .values import DecryptedPhoto, Draft, EncryptedPhoto

__all__ = ["Messenger"]


def _silent(what: str, done: int, total: int) -> None: ...


class Messenger:
    """Prepares and opens messages for one profile. Safe to use from several threads."""

    def __init__(
        self, profile: Callable[[], Profile | None], models: Shelf, recogniser: Callable[[], Recogniser | None]
    ) -> None:
        """Profile and recogniser are asked for when they are needed.

        Without a profile it prepares pictures for nobody in particular, and opens with key faces at hand only; without a
        recogniser the leak report says that nothing compared faces.
        """
        parts = Parts(profile, models, recogniser)
        self._preparing = Preparing(parts)
        self._opening = Opening(parts)
        self._sharing = Sharing(parts)

    def prepare(self, draft: Draft, *, now: int, model: str = "default", report: Report = _silent) -> EncryptedPhoto:
        """The picture to send for ``draft``; ``now`` is Unix seconds.

        Raises NotAuthorisedError for a recipient who may not see it, LikenessError for a fake that still looks like the
        sender, and other errors below InputError; then there is nothing to send.
        """
        return self._preparing.prepare(draft, now, model, report)

    def open(
        self,
        picture: bytes,
        *,
        now: int,
        envelope: bytes | None = None,
        seen: SeenStore | None = None,
        key_face: bytes | None = None,
        sender: str | None = None,
        mask: str | None = None,
        face: int | None = None,
        chat: str | None = None,
        model: str = "default",
        report: Report = _silent,
    ) -> DecryptedPhoto:
        """What a picture that arrived is; ``now`` is Unix seconds.

        Args:
            envelope: what came beside the picture, packed.
            seen: asked whether the message is new. None: it is read from an archive, where it may be read again.
            key_face: a picture file, another photo of the sender, for level ``keyface``.
            sender: the name of a contact, for pictures that do not say whom they are from.
            mask: the layers that were replaced, for pictures without an envelope, as in `cipher.uncover`.
            face: which one, in such a picture.
            model: the one that such a picture was made with.
            chat: where it was found, as `Draft.chat` has it. A warning says when the sender meant another.

        Raises RefusedError for a message that must not be opened, MessageError for one that cannot be used, ModelError for a
        missing model, InputError where a key face is missing, and what `cipher.uncover` raises.
        """
        return self._opening.open(
            picture, now=now, envelope=envelope, seen=seen, key_face=key_face, sender=sender, mask=mask, face=face,
            chat=chat, model=model, report=report,
        )  # fmt: skip

    def prepare_key_face(
        self, photos: Sequence[KeyPhoto], *, model: str = "default", report: Report = _silent
    ) -> NewKeyFace:
        """A key face of several photos of one person, for `Profile.add_key_face`: the first is its picture, and all are
        inverted together, which takes seconds. Nothing is kept yet.

        Raises FaceError, PictureError or InputError for a photo that cannot be used, ModelError for a model that is missing or
        cannot invert here.
        """
        return self._sharing.prepare(photos, model, report)

    def share_key_face(self, name: str, to: Sequence[str], *, now: int) -> bytes:
        """A file that gives a key face of mine to contacts, sealed to them; the profile remembers that they have it.

        Raises InputError, and NotAuthorisedError for who may not see my photos.
        """
        return self._sharing.share(name, to, now)

    def open_key_face(
        self, data: bytes, *, now: int, model: str = "default", report: Report = _silent
    ) -> ReceivedKeyFace:
        """What `share_key_face` made, for `Profile.keep_key_face`. If it came without codes for the model, it is prepared here,
        which takes seconds; what prevents that is told in ``warning``. Nothing is kept yet.

        Raises MessageError, and NotAuthorisedError for one that is for others, forged, or from somebody who is blocked.
        """
        return self._sharing.open(data, now, model, report)

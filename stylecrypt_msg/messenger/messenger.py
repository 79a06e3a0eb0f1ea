"""The messenger: photos out, pictures in, and key faces, for one profile."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from stylecrypt_protocol import SeenStore

from ..cipher import EncryptionKeyFace
from ..covering import Cover, Coverer, CoverOrder
from ..models.model_cache import ModelCache
from ..profile import Profile
from ..progress import Progress, silent
from . import key_faces, receiving, sending
from .key_faces import KeyPhoto, NewKeyFace, ReceivedKeyFace
from .parts import Parts
from .values import Arrival, DecryptedPhoto, Draft, EncryptedPhoto

__all__ = ["Messenger"]


class Messenger:
    """Prepares and opens messages for one profile. Safe to use from several threads."""

    def __init__(self, profile: Callable[[], Profile | None], models: ModelCache, cover: Coverer) -> None:
        """``profile`` is called when needed; ``cover`` makes the covers, here or elsewhere.

        Without a profile, the messenger prepares pictures for nobody in particular and opens pictures only with the key faces
        it is given.
        """
        self._parts = Parts(profile, models, cover)

    def prepare(self, draft: Draft, *, now: int, model: str = "default", progress: Progress = silent) -> EncryptedPhoto:
        """The picture to send for ``draft``; ``now`` is Unix seconds.

        Raises NotAuthorisedError for a recipient who may not see the photo, LikenessError for a fake that still looks like the
        sender, and other subclasses of InputError; then there is nothing to send.
        """
        return sending.prepare(self._parts, draft, now=now, model=model, progress=progress)

    def order(self, draft: Draft, *, model: str = "default") -> CoverOrder:
        """What to ask of whoever covers the photo of ``draft`` later, without its ``pixels``: the photo is not needed yet.

        Raises what `prepare` does about recipients and options.
        """
        return sending.order(self._parts, draft, model=model)

    def finish(
        self,
        draft: Draft,
        key_faces: Sequence[EncryptionKeyFace],
        cover: Cover,
        *,
        now: int,
        progress: Progress = silent,
    ) -> EncryptedPhoto:
        """As `prepare`, for a cover that was made elsewhere with the ``key_faces`` of `order`. In the photo form, its
        ``original`` may be missing."""
        return sending.finish(self._parts, draft, key_faces, cover, now=now, progress=progress)

    def open(
        self,
        arrival: Arrival,
        *,
        now: int,
        seen: SeenStore | None = None,
        model: str = "default",
        progress: Progress = silent,
    ) -> DecryptedPhoto:
        """Opens a received picture; ``now`` is Unix seconds.

        ``seen`` tells whether the message is new. None: it comes from an archive, where it may be read again. ``model`` is the
        model that a picture without an envelope was made with.

        Raises RefusedError for a message that must not be opened, MessageError for one that cannot be used, ModelError for a
        missing model, InputError where a key face is missing, and what `cipher.uncover` raises.
        """
        return receiving.receive(self._parts, arrival, now=now, seen=seen, model=model, progress=progress)

    def prepare_key_face(
        self, photos: Sequence[KeyPhoto], *, model: str = "default", progress: Progress = silent
    ) -> NewKeyFace:
        """Makes a key face from one or more photos of one person, for `Profile.add_key_face`: the first becomes its picture,
        and all are inverted together, which takes seconds. Saves nothing yet.

        Raises FaceError, PictureError or InputError for an unusable photo, ModelError for a model that is missing or cannot
        invert here.
        """
        return key_faces.prepare(self._parts, photos, model=model, progress=progress)

    def share_key_face(self, name: str, to: Sequence[str], *, now: int) -> bytes:
        """A file that gives one of my key faces to contacts, sealed to them; the profile remembers that they have it.

        Raises InputError, and NotAuthorisedError for a contact who may not see my photos.
        """
        return key_faces.share(self._parts, name, to, now=now)

    def open_key_face(
        self, data: bytes, *, now: int, model: str = "default", progress: Progress = silent
    ) -> ReceivedKeyFace:
        """Opens a file from `share_key_face`, for `Profile.keep_key_face`. A key face without codes for the model is prepared
        here, which takes seconds; if that fails, ``warning`` says why. Saves nothing yet.

        Raises MessageError, and NotAuthorisedError for a file that is for others, forged, or from a blocked contact.
        """
        return key_faces.receive(self._parts, data, now=now, model=model, progress=progress)

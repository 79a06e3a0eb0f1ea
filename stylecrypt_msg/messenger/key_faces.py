"""Key faces: made from photos, shared with contacts, received from them; and the latent codes that they are kept for.

Inverting a face takes the model seconds. It is done once, when a key face is added or received; the result is kept and
shared. A key face not yet prepared for a model is prepared when that model is first used.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import NamedTuple, TypeAlias

import numpy as np
import stylecrypt_protocol as protocol
from numpy.typing import NDArray
from stylecrypt_protocol import Inversion
from stylecrypt_protocol.limits import MAX_INVERSIONS, MAX_RECIPIENTS

from ..cipher import prepare_key
from ..errors import InputError, MessageError, PictureError, ProfileError, Remedy, explaining
from ..faces import certain_faces, crop
from ..faces.align import face_quad
from ..files import read_file
from ..models import FaceModel
from ..pictures import Pixels, encode_picture, read_photo, read_picture
from ..profile import Contact, MyKeyFace, TheirKeyFace
from ..progress import Progress
from .parts import Parts
from .wire import wire_pixels

__all__ = ["Codes", "KeyPhoto", "NewKeyFace", "ReceivedKeyFace", "key_codes", "prepare", "receive", "share"]

_SIDE = 1024  # px: the embedded model's output; more would be wasted
_MARGIN = 1.3  # times the face's square, so that the face can be found in the crop again

KeyPhoto: TypeAlias = bytes | str | os.PathLike[str]
"""A picture file, or its path, which errors then name."""

Codes: TypeAlias = NDArray[np.float32]
"""Latent codes, (n_styles, style_dim)."""


class NewKeyFace(NamedTuple):
    """What `Profile.add_key_face` keeps beside a name."""

    picture: bytes
    pixels: protocol.Pixels
    prepared: tuple[Inversion, ...]


@dataclass(frozen=True)
class ReceivedKeyFace:
    """A key face that a contact shared.

    Attributes:
        owner: the contact, whose face it shows.
        face: the key face, for `Profile.keep_key_face`.
        new: whether the profile did not have it yet.
        warning: why it is not prepared for the model; "" if it is.
    """

    owner: Contact
    face: TheirKeyFace
    new: bool
    warning: str


def prepare(parts: Parts, photos: Sequence[KeyPhoto], *, model: str, progress: Progress) -> NewKeyFace:
    """See `Messenger.prepare_key_face`.

    The picture is the head alone in the first photo, a JPEG of at most 1024 px: a key face shows nothing of the place where it
    was taken.
    """
    face_model = parts.models.named(model)
    if not photos:
        raise InputError("There is no photo to make a key face of.", hint="Give one or several of the same person.")
    heads = []
    for number, photo in enumerate(photos, 1):
        progress("finding faces", number - 1, len(photos))
        heads.append(_head(photo, "the photo" if len(photos) == 1 else f"photo {number}"))
    progress("finding faces", len(photos), len(photos))
    picture = encode_picture(heads[0], "JPEG")
    seen = read_picture(picture).pixels  # the first photo as receivers of the picture see it
    return NewKeyFace(picture, wire_pixels(seen), (_inversion([seen, *heads[1:]], face_model, progress),))


def share(parts: Parts, name: str, to: Sequence[str], *, now: int) -> bytes:
    """See `Messenger.share_key_face`."""
    profile = parts.profile
    if not 0 < len(to) <= MAX_RECIPIENTS:
        raise InputError(
            f"A key face is shared with 1 to {MAX_RECIPIENTS} contacts at once, not {len(to)}.",
            remedy=Remedy.NAME_RECIPIENTS,
        )
    with profile.transaction():
        face = profile.key_face(name)
        cards = [profile.authorised(contact, None).card for contact in to]
        sealed = protocol.share_key_face(
            profile.identity, cards, face.key_face, face.picture, sent_at=now, prepared=face.prepared
        )
        profile.mark_shared(name, [card.id for card in cards])
    return sealed


def receive(parts: Parts, data: bytes, *, now: int, model: str, progress: Progress) -> ReceivedKeyFace:
    """See `Messenger.open_key_face`."""
    profile = parts.profile
    with explaining():
        shared = protocol.open_key_face(data, profile.identity, profile.cards(), now=now)
    owner = parts.sender(shared.sender, "key face")
    try:
        pixels = read_picture(shared.picture).pixels
    except PictureError as error:
        raise MessageError(f"The key face is not a picture that can be read. {error}") from error
    face = TheirKeyFace(
        owner=shared.sender,
        picture=shared.picture,
        key_face=shared.key_face,
        received=now,
        prepared=shared.prepared,
    )
    known = next((kept for kept in profile.key_faces_of(owner) if kept.key_face == face.key_face), None)
    prepared = [*face.prepared, *(known.prepared if known else ())]
    warning = ""
    try:
        face_model = parts.models.named(model)
        if _kept_codes(prepared, face_model) is None:
            inversion = _inversion([pixels], face_model, progress)
            others = [one for one in face.prepared if one.model_hash != inversion.model_hash]
            face = replace(face, prepared=(inversion, *others[: MAX_INVERSIONS - 1]))
    except InputError as error:  # no face; or the model, or something that it needs, is missing
        warning = f"The key face is prepared when it is first used, not now. {error}"
    return ReceivedKeyFace(owner, face, known is None, warning)


def key_codes(
    parts: Parts, picture: bytes, kept: MyKeyFace | TheirKeyFace | None, model: FaceModel, progress: Progress
) -> Codes:
    """The codes of a key face for a model. For a ``kept`` key face the profile may have them already; if not, they are saved.

    Raises PictureError, and what `cipher.prepare_key` raises.
    """
    codes = None if kept is None else _kept_codes(kept.prepared, model)
    if codes is None:
        inversion = _inversion([read_picture(picture).pixels], model, progress)
        if kept is not None:
            with suppress(ProfileError):  # a full disk is no reason not to open a picture
                parts.profile.keep_prepared(kept, [inversion])
        codes = _codes(inversion)
    return codes


def _kept_codes(prepared: Iterable[Inversion], model: FaceModel) -> Codes | None:
    """The prepared codes for the model. None: there are none."""
    for inversion in prepared:
        # Codes from a contact may claim to be for the model without fitting it.
        if inversion.model_hash.hex() == model.digest and (inversion.styles, inversion.dimensions) == (
            model.n_styles,
            model.style_dim,
        ):
            return _codes(inversion)
    return None


def _codes(inversion: Inversion) -> Codes:
    numbers = np.frombuffer(inversion.codes, "<f2").astype(np.float32)
    return numbers.reshape(inversion.styles, inversion.dimensions)


def _inversion(photos: Sequence[Pixels], model: FaceModel, progress: Progress) -> Inversion:
    progress("preparing the key face", 0, 1)
    codes = prepare_key(photos, model)
    progress("preparing the key face", 1, 1)
    styles, dimensions = codes.shape
    return Inversion(
        model_hash=bytes.fromhex(model.digest),
        styles=styles,
        dimensions=dimensions,
        codes=codes.astype("<f2").tobytes(),
    )


def _head(photo: KeyPhoto, name: str) -> Pixels:
    where = name if isinstance(photo, bytes) else os.fspath(photo)
    data = photo if isinstance(photo, bytes) else read_file(photo)
    try:
        pixels = read_photo(data).pixels
    except PictureError as error:
        text = str(error)
        raise PictureError(f"No key face is made of {where}: {text[0].lower()}{text[1:]}", hint=error.hint) from error
    faces = certain_faces(pixels)
    if len(faces) != 1:
        found = "No face was" if not faces else f"{len(faces)} faces were"
        raise InputError(f"{found} found in {where}.", hint="Use a photo that shows one face, yours, from the front.")
    quad = face_quad(faces[0].landmarks)
    centre = quad.mean(0)
    wide = centre + (quad - centre) * _MARGIN
    side = min(_SIDE, max(64, round(float(abs(wide[1] - wide[0]).max()))))
    head = crop(pixels, wide, side)
    # Several finds, such as reflections at the photo's border, are fine: everything that uses the head takes the largest.
    if not certain_faces(head):
        raise InputError(f"The face in {where} is too small or too far from the front.", hint="Use another photo.")
    return head

"""What goes into the messenger and what comes out of it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from stylecrypt_protocol import ENVELOPE_SUFFIX, MessageId

from ..choices import App, Form, Level, Others
from ..cipher import Unreplaced
from ..errors import PictureError
from ..pictures import Format, encode_picture, format_of, write_atomically
from ..profile import Contact
from ..stylemix import LayerMask

__all__ = ["Arrival", "DecryptedPhoto", "Draft", "EncryptedPhoto", "LeakReport", "Level", "Pixels"]

_SUFFIXES: dict[str, str] = {"JPEG": ".jpg", "PNG": ".png", "WEBP": ".webp", "GIF": ".gif", "BMP": ".bmp"}
_QUALITY = 98  # of restored photos that are written as JPEG or WebP: 45 dB and more

Pixels = NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True)
class Draft:
    """What to send, and how.

    Attributes:
        photo: a picture file.
        to: names of contacts, as `Profile.contact` takes them. None may be left out at level ``keyface`` only.
        level: by default ``original``, or ``keyface`` when ``covert``.
        exact: at level ``original``, seal the whole file, to be restored bit by bit.
        stand_in: a seed, or a picture file; by default the conversation's own.
        conversation: what you call the chat that this is for, which has a stand-in of its own; by default the one with just
            these contacts.
        chat: its public name, the same for all in it, such as a Matrix room id. It is signed: whoever posts the message again
            elsewhere is found out.
        imprint: write the true faces into the cover's pixels as well, small, for apps that drop the envelope. Not at level
            ``keyface``.
        app: what it will travel by; the cover gets the size and format that this leaves alone. None: not known.
        mask, face, others, form, refine_steps, matting: as in `cipher.cover`; the mask as text.
        covert: no envelope, no mark that the picture was made by AI.
        format: of the cover; by default the photo's, if it can be written.
        caption, file_name: sealed with the message.
        force: send a fake that still looks like the sender.
    """

    photo: bytes
    to: Sequence[str] = ()
    level: Level | None = None
    exact: bool = False
    stand_in: str | bytes | None = None
    conversation: str | None = None
    chat: str | None = None
    mask: str | None = None
    face: int | None = None
    others: Others | None = None
    form: Form = "photo"
    refine_steps: int = 0
    matting: bool = False
    covert: bool = False
    imprint: bool = True
    app: App | None = None
    format: Format | None = None
    caption: str = ""
    file_name: str = ""
    force: bool = False


@dataclass(frozen=True, kw_only=True)
class Arrival:
    """A picture that arrived, and what is known of it.

    Attributes:
        picture: a picture file.
        envelope: what came beside it, packed.
        chat: where it was found, as `Draft.chat` has it. A warning says when the sender meant another.
        sender: the name of a contact, for pictures that do not say whom they are from.
        key_face: a picture file, another photo of the sender, for level ``keyface``.
        mask: the layers that were replaced, for pictures without an envelope, as in `cipher.uncover`; as text.
        face: which one, in such a picture.
    """

    picture: bytes = field(repr=False)
    envelope: bytes | None = field(default=None, repr=False)
    chat: str | None = None
    sender: str | None = None
    key_face: bytes | None = field(default=None, repr=False)
    mask: str | None = None
    face: int | None = None


@dataclass(frozen=True)
class LeakReport:
    """What the cover still says about its sender.

    Attributes:
        faces_found, faces_covered: in the photo; covered are those with another face.
        substituted: how many of them show another stand-in than the conversation's, which did not hide them.
        blurred, kept: the others, blurred beyond recognition or as they are. What lies outside a portrait is neither.
        metadata_dropped: what the photo's file held besides pixels, and the cover's does not.
        distances: of each covered face to its original, by ``recogniser``; None when there is no recogniser.
        threshold: two faces closer than this are the same person to the recogniser.
        imprint: what had no room in the pixels, a sentence; "" if all of it had.
    """

    faces_found: int
    faces_covered: int
    metadata_dropped: tuple[str, ...]
    distances: tuple[float, ...] | None
    recogniser: str | None
    threshold: float | None
    blurred: tuple[Unreplaced, ...] = ()
    kept: tuple[Unreplaced, ...] = ()
    substituted: int = 0
    imprint: str = ""

    @property
    def faces(self) -> str:
        """How many were found, and what became of them: "2 of 4 faces replaced, 1 blurred, 1 left as it is"."""
        parts = [f"{self.faces_covered} of {self.faces_found} faces replaced"]
        if self.blurred:
            parts.append(f"{len(self.blurred)} blurred")
        if self.kept:
            parts.append(f"{len(self.kept)} left as {'it is' if len(self.kept) == 1 else 'they are'}")
        return ", ".join(parts)

    @property
    def unreplaced(self) -> tuple[str, ...]:
        """A sentence for those that were not replaced for the same reason, and what became of them."""
        sentences = []
        for others, what in ((self.blurred, "blurred"), (self.kept, "still to be seen")):
            for reason in dict.fromkeys(other.reason for other in others):
                numbers = [str(other.number) for other in others if other.reason is reason]
                one = len(numbers) == 1
                why = (
                    ""
                    if reason is None
                    else f": {reason if one else str(reason).replace('the face is', 'they are', 1)}"
                )
                sentences.append(
                    f"{'Face' if one else 'Faces'} {', '.join(numbers)} of {self.faces_found} from the left "
                    f"{'is' if one else 'are'} {what}{why}."
                )
        return tuple(sentences)

    @property
    def notes(self) -> tuple[str, ...]:
        """`unreplaced`, and a sentence for those with another stand-in."""
        if not self.substituted:
            return self.unreplaced
        who = "1 face shows" if self.substituted == 1 else f"{self.substituted} faces show"
        return (
            *self.unreplaced,
            f"{who} another stand-in than the conversation's, which still looked like the original.",
        )

    @property
    def lines(self) -> tuple[str, ...]:
        """All that the sender should know before the picture goes, but for `faces`, a sentence each."""
        lines = [*self.notes]
        if self.imprint:
            lines.append(self.imprint)
        if self.metadata_dropped:
            lines.append(f"Left out of the file: {', '.join(self.metadata_dropped)}.")
        if not self.faces_covered:
            pass
        elif self.distances is None:
            lines.append("The fake was not compared with the original: no recogniser is installed.")
        elif self.looks_like_sender:
            lines.append(f"Warning: {self.recogniser} still takes the fake for the original.")
        else:
            lines.append(
                f"{self.recogniser} sees a different person: distance {min(self.distances):.2f} "
                f"(same person below {self.threshold:.2f})."
            )
        return tuple(lines)

    @property
    def looks_like_sender(self) -> bool:
        """Whether the recogniser takes a fake face for its original."""
        return bool(self.distances) and self.threshold is not None and min(self.distances or ()) < self.threshold


@dataclass(frozen=True, kw_only=True)
class EncryptedPhoto:
    """A picture that may travel.

    Attributes:
        picture: the file, with the envelope inside unless that is too large or there is none.
        envelope: what has to travel beside the picture; None: nothing.
        packed: the envelope, wherever it travels; None for covert pictures and those to nobody.
        stand_in: the seed of the person who is shown; None for a photo.
        recipients: the contacts who can open it.
        imprinted: whether its pixels hold the faces.
    """

    picture: bytes
    format: Format
    envelope: bytes | None
    packed: bytes | None
    level: Level
    form: Form
    mask: LayerMask
    stand_in: str | None
    recipients: tuple[Contact, ...]
    conversation: str | None
    leaks: LeakReport
    model: str
    model_hash: str
    message_id: MessageId | None
    imprinted: bool

    @property
    def media_type(self) -> str:
        return f"image/{self.format.lower()}"

    @property
    def suffix(self) -> str:
        """Of a file name for the picture: ".jpg", ".png" or ".webp"."""
        return _SUFFIXES[self.format]

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the picture, and what has to travel beside it into a ``.scenv`` file of the same name.

        Raises PictureError when it cannot be written, or the name's suffix is that of another format.
        """
        if format_of(path) != self.format:
            raise PictureError(
                f"{Path(path).name} is not a name for a {self.format} picture.",
                hint=f"Use the suffix {self.suffix}, or ask for the other format when encrypting.",
            )
        if self.envelope is not None:
            write_atomically(Path(path).with_suffix(ENVELOPE_SUFFIX), self.envelope)
        write_atomically(path, self.picture)


@dataclass(frozen=True, kw_only=True)
class DecryptedPhoto:
    """What a picture that arrived turned out to be.

    Attributes:
        pixels: (H, W, 3) uint8 sRGB.
        level: the level that was reached; ``warnings`` say why it is not a better one.
        sender: who signed the message, or at level ``keyface`` whose key face was used; None: nobody is known.
        signed: whether the message was signed by ``sender``. Without, anybody may have made it.
        cover: "exact" when every pixel of the cover is the sender's, "changed" when it was re-encoded on the way,
            "unsigned" when nobody vouches for it.
        mask: the layers that the sender replaced; None: not known.
        file: the sender's own file, bit by bit, if they sent it.
    """

    pixels: Pixels = field(repr=False)
    level: Level
    sender: Contact | None
    signed: bool
    cover: str
    warnings: tuple[str, ...]
    form: Form
    mask: LayerMask | None
    format: str
    caption: str = ""
    file_name: str = ""
    sent_at: int | None = None
    message_id: MessageId | None = None
    file: bytes | None = field(default=None, repr=False)

    @property
    def verified(self) -> bool:
        """Whether the sender signed it, and the words of their card were compared."""
        return self.signed and self.sender is not None and self.sender.verified

    @property
    def reached(self) -> str:
        """What it is, in words: "the photo as it was"."""
        return "the sender's own file" if self.file is not None else _REACHED[self.level]

    @cached_property
    def image(self) -> Image.Image:
        """The picture, mode RGB."""
        return Image.fromarray(self.pixels)

    @property
    def suffix(self) -> str:
        """Of a file name for `encoded`: ".jpg", ".png", ".webp", ".gif" or ".bmp"."""
        return _SUFFIXES[self.format if self.file is not None else writable(self.format)]

    def encoded(self, format: Format | None = None) -> bytes:
        """A picture file; the sender's own where that was sent and is of the format that is wanted.

        By default the format in which the photo or its cover came. What a model had a part in is marked as such.
        """
        if self.file is not None and format in (None, self.format):
            return self.file
        made = self.level is not Level.ORIGINAL
        return encode_picture(self.pixels, format or writable(self.format), quality=_QUALITY, ai_made=made)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes `encoded` in the format that the name's suffix says. Raises PictureError."""
        write_atomically(path, self.encoded(format_of(path)))


_REACHED = {
    Level.IMPRINT: "the sender's faces, small, from the pixels",
    Level.ORIGINAL: "the photo as it was",
    Level.LATENT: "the sender's own inversion",
    Level.KEYFACE: "a likeness, recovered from the pixels alone",
}


def writable(format: str) -> Format:
    """The format itself where we write it; else PNG, which loses nothing."""
    return "JPEG" if format == "JPEG" else "WEBP" if format == "WEBP" else "PNG"

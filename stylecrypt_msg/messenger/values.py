"""What goes into the messenger and what comes out of it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

from PIL import Image
from pydantic import TypeAdapter, ValidationError
from stylecrypt_protocol import ENVELOPE_SUFFIX, Level, MessageId
from stylecrypt_protocol.text import FileName

from ..apps import App
from ..choices import Form, Others
from ..cipher import Unreplaced
from ..errors import PictureError
from ..files import write_atomically
from ..pictures import Format, Pixels, encode_picture, format_of, media_type_of, suffix_of
from ..profile import Contact
from ..standin_choice import Likeness
from ..stylemix import LayerMask

__all__ = ["Arrival", "DecryptedPhoto", "Draft", "EncryptedPhoto", "LeakReport", "sealable_name"]

_QUALITY = 98  # for restored photos written as JPEG or WebP: 45 dB and more


@dataclass(frozen=True, kw_only=True)
class Draft:
    """What to send, and how.

    Attributes:
        photo: a picture file.
        to: names of contacts, as `Profile.contact` takes them. May be empty only at level ``keyface``.
        level: by default ``original``, or ``keyface`` when ``covert``.
        exact: at level ``original``, seal the whole file, so that it can be restored bit by bit.
        stand_in: a seed, or a picture file; by default the conversation's own.
        conversation: your name for the chat, which has its own stand-in; by default the chat with exactly these contacts.
        chat: the chat's public name, the same for all its members, such as a Matrix room id. It is signed, so that reposting
            the message elsewhere is detected.
        imprint: also write small pictures of the true faces into the cover's pixels, for apps that drop the envelope. Not at
            level ``keyface``.
        app: the app that will carry the cover, which gets a size and format that the app leaves alone. None: unknown.
        only: the faces to replace, each as its number, counted from 1 at the left, or as a picture file of the person. The
            others are kept, unless ``others`` says otherwise. By default all are replaced.
        keep: the faces that stay as they are, named likewise.
        mask, others, form, refine_steps, matting: as in `cipher.cover`; the mask as text.
        covert: no envelope, and no mark that the picture was made by AI.
        format: the cover's; by default the photo's, if we can write it.
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
    only: Sequence[int | bytes] | None = None
    keep: Sequence[int | bytes] = ()
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
    """A received picture, and what is known about it.

    Attributes:
        picture: a picture file.
        envelope: the packed envelope that came beside it.
        chat: where it was found, named as in `Draft.chat`. A warning says when the sender meant another chat.
        sender: the name of a contact, for pictures that do not name their sender.
        key_face: a picture file, another photo of the sender, for level ``keyface``.
        mask: the layers that were replaced, for pictures without an envelope, as in `cipher.uncover`; as text.
        face: which face, for pictures without an envelope.
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
        faces_found, faces_covered: faces in the photo, and how many of them were replaced.
        substituted: how many of those show a different stand-in, because the conversation's did not hide them.
        blurred, kept: the other faces, blurred beyond recognition or left as they are. Faces outside a portrait are neither.
        metadata_dropped: what the photo's file held besides pixels and the cover's does not.
        likenesses: what each recogniser says about the covered faces; none if no face was covered.
        imprint: a sentence saying what did not fit in the pixels; "" if everything did.
    """

    faces_found: int
    faces_covered: int
    metadata_dropped: tuple[str, ...]
    likenesses: tuple[Likeness, ...]
    blurred: tuple[Unreplaced, ...] = ()
    kept: tuple[Unreplaced, ...] = ()
    substituted: int = 0
    imprint: str = ""

    @property
    def faces(self) -> str:
        """How many faces were found, and what became of them: "2 of 4 faces replaced, 1 blurred, 1 left as it is"."""
        parts = [f"{self.faces_covered} of {self.faces_found} faces replaced"]
        if self.blurred:
            parts.append(f"{len(self.blurred)} blurred")
        if self.kept:
            parts.append(f"{len(self.kept)} left as {'it is' if len(self.kept) == 1 else 'they are'}")
        return ", ".join(parts)

    @property
    def unreplaced(self) -> tuple[str, ...]:
        """A sentence for each reason why faces were not replaced, and what became of those faces."""
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
        """`unreplaced`, and a sentence about faces with a different stand-in."""
        if not self.substituted:
            return self.unreplaced
        who = "1 face shows" if self.substituted == 1 else f"{self.substituted} faces show"
        return (
            *self.unreplaced,
            f"{who} another stand-in than the conversation's, which still looked like the original.",
        )

    @property
    def lines(self) -> tuple[str, ...]:
        """Everything except `faces` that the sender should know before sending, a sentence each."""
        lines = [*self.notes]
        if self.imprint:
            lines.append(self.imprint)
        if self.metadata_dropped:
            lines.append(f"Left out of the file: {', '.join(self.metadata_dropped)}.")
        for one in self.likenesses:
            said = (
                f"Warning: {one.recogniser} still takes the fake for the original"
                if one.same
                else f"{one.recogniser} sees a different person"
            )
            lines.append(f"{said}: distance {min(one.distances):.2f} (same person below {one.threshold:.2f}).")
        return tuple(lines)

    @property
    def looks_like_sender(self) -> bool:
        """Whether a recogniser takes a fake face for its original."""
        return any(one.same for one in self.likenesses)


@dataclass(frozen=True, kw_only=True)
class EncryptedPhoto:
    """A picture that is safe to send.

    Attributes:
        picture: the file, with the envelope inside unless there is none or it is too large.
        envelope: the packed envelope, if it must be sent beside the picture; None: send the picture alone.
        packed: the envelope, wherever it travels; None for covert pictures and those to nobody.
        stand_in: the seed of the person shown; None if that is a photo.
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
        return media_type_of(self.format)

    @property
    def suffix(self) -> str:
        """The suffix for the picture's file name: ".jpg", ".png" or ".webp"."""
        return suffix_of(self.format)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the picture; an envelope that must be sent beside it goes into a ``.scenv`` file of the same name.

        Raises PictureError when the name's suffix belongs to another format, InputError when they cannot be written.
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
    """A received picture, opened.

    Attributes:
        pixels: (H, W, 3) uint8 sRGB.
        level: the level reached; ``warnings`` say why it is not a better one.
        sender: the contact who signed the message, or at level ``keyface`` whose key face was used; None: unknown.
        signed: whether ``sender`` signed the message. If not, anybody may have made it.
        cover: "exact" when every pixel of the cover is the sender's, "changed" when it was re-encoded on the way,
            "unsigned" when nobody vouches for it.
        mask: the layers that the sender replaced; None: unknown.
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
        """Whether the sender signed the message and the words of their card were compared."""
        return self.signed and self.sender is not None and self.sender.verified

    @property
    def reached(self) -> str:
        """The level reached, in words: "the photo as it was"."""
        return "the sender's own file" if self.file is not None else _REACHED[self.level]

    @cached_property
    def image(self) -> Image.Image:
        """The picture, mode RGB."""
        return Image.fromarray(self.pixels)

    @property
    def suffix(self) -> str:
        """The suffix for a file of `encoded`: ".jpg", ".png", ".webp", or of the file's own format."""
        return suffix_of(self.format if self.file is not None else writable(self.format))

    @property
    def received_name(self) -> str:
        """A file name that says who and when, with a part that is unique: contacts may share a name, and choose times and
        message ids. The same for the same message, so that an interrupted program overwrites its own file."""
        who = "".join(c if c.isalnum() else "-" for c in self.sender.name)[:40] if self.sender else "unsigned"
        when = datetime.fromtimestamp(self.sent_at or 0, UTC).strftime("%Y%m%d-%H%M%S")
        only = hashlib.sha256((self.sender.card.id if self.sender else b"") + (self.message_id or b"")).hexdigest()
        return f"{who}-{when}-{only[:16]}{self.suffix}"

    def encoded(self, format: Format | None = None) -> bytes:
        """A picture file; the sender's own, if they sent it and it has the format asked for.

        The default format is that of the photo or of its cover. Pictures that a model helped to make are marked as such.
        """
        if self.file is not None and format in (None, self.format):
            return self.file
        made = self.level is not Level.ORIGINAL
        return encode_picture(self.pixels, format or writable(self.format), quality=_QUALITY, ai_made=made)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes `encoded` in the format of the name's suffix.

        Raises PictureError for another suffix, InputError when it cannot be written.
        """
        own = (
            self.file is not None and Path(path).suffix.lower() == self.suffix
        )  # perhaps of a format that we do not write
        write_atomically(path, self.encoded(None if own else format_of(path)))


_REACHED = {
    Level.IMPRINT: "the sender's faces, small, from the pixels",
    Level.ORIGINAL: "the photo as it was",
    Level.LATENT: "the sender's own inversion",
    Level.KEYFACE: "a likeness, recovered from the pixels alone",
}


def sealable_name(name: str) -> str:
    """A photo's file name, for `Draft.file_name`; "" if messages cannot carry it."""
    try:
        return TypeAdapter(FileName).validate_python(name)
    except ValidationError:
        return ""


def writable(format: str) -> Format:
    """``format`` itself if we can write it; otherwise JPEG for a phone's formats, and PNG, which is lossless, for others."""
    return "JPEG" if format in ("JPEG", "HEIF", "AVIF") else "WEBP" if format == "WEBP" else "PNG"

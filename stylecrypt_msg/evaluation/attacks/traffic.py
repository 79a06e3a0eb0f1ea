"""(g) What sizes and metadata give away to whoever carries messages. When they are sent is not for a bench to measure."""

from __future__ import annotations

import io
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from PIL import ExifTags, Image
from stylecrypt_protocol import Card, Envelope, Identity, Level, Pixels, PublicPart, Quad, Residual, seal_message, take

from ...cipher import Report
from ...models import FaceModel
from ...sdk import EncryptedPhoto, StyleCrypt
from ..subjects import Subject
from .odds import Figure, Finding

__all__ = ["ordinary_photo", "padding", "traffic"]

MARKER = b"Elm Street 7"  # stands in all metadata of the photos that are sent

_RECIPIENTS = (1, 2, 5, 20)
_LEVELS = ("keyface", "latent", "original")
_CAPTIONS = range(0, 256, 4)  # bytes


def traffic(subjects: Sequence[Subject], photos: int, model: FaceModel, report: Report) -> list[Finding | Figure]:
    """Messages with ``photos`` of the subjects at each level, and one of them to more people, as the program makes them."""
    files = [ordinary_photo(subject) for subject in subjects[:photos]]
    total = len(files) * (len(_LEVELS) + 1) + len(_RECIPIENTS) - 1
    sent: list[EncryptedPhoto] = []

    with (
        TemporaryDirectory() as folder,
        StyleCrypt.create(Path(folder) / "p", name="Sender", model=model.name) as sender,
    ):
        for i in range(max(_RECIPIENTS)):
            sender.profile.add_contact(_card(f"contact{i}"), trust=True)

        def message(file: bytes, recipients: int, **options: object) -> EncryptedPhoto:
            report("sending messages", len(sent), total)
            to = [f"contact{i}" for i in range(recipients)]
            made = sender.encrypt(file, to, stand_in="traffic", force=True, **options)  # type: ignore[arg-type]
            sent.append(made)
            return made

        levels = {level: [message(file, 1, level=level) for file in files] for level in _LEVELS}
        covert = [message(file, 0, covert=True) for file in files]
        wider = [levels["latent"][0], *(message(files[0], count, level="latent") for count in _RECIPIENTS[1:])]
    report("sending messages", total, total)

    n = len(files)
    found: list[Finding | Figure] = []
    for what, made in (*levels.items(), ("covert", covert)):
        ratios = [len(one.picture) / len(file) for one, file in zip(made, files, strict=True)]
        found.append(Figure("traffic", "", f"bytes of an ordinary photo's, {what}", float(np.mean(ratios)), "times", n))
        if what != "covert":
            bytes_ = float(np.mean([len(one.packed or b"") for one in made]))
            found.append(Figure("traffic", "", f"bytes of the envelope, {what}", bytes_, "bytes", n))
    for count, one in zip(_RECIPIENTS, wider, strict=True):
        found.append(
            Figure(
                "traffic", "", f"bytes of the envelope, latent, {count} recipients", len(one.packed or b""), "bytes", 1
            )
        )
    base = _stanzas(wider[0]) - 1  # the sender's own
    counted = sum(_stanzas(one) - base == count for count, one in zip(_RECIPIENTS, wider, strict=True))
    found.append(Finding("traffic", "", "the number of recipients, without a key", counted, len(wider), 0.0))
    found.append(
        Finding(
            "traffic",
            "",
            "the photo's metadata in the message",
            sum(MARKER in whole(one) for one in sent),
            len(sent),
            0.0,
        )
    )
    for what, made in (("with a seal", [*levels["latent"], *levels["original"]]), ("covert", covert)):
        carrying = sum(take(one.picture) is not None or one.envelope is not None for one in made)
        found.append(
            Finding("detection", "", f"a message {what} carries an envelope of ours", carrying, len(made), 0.0)
        )
    lengths = padding()
    found.append(
        Figure("traffic", "", f"lengths of the seal for captions of {len(lengths)} lengths", len(set(lengths)), "",
               len(lengths))
    )  # fmt: skip
    return found


def ordinary_photo(subject: Subject) -> bytes:
    """A JPEG as a camera writes it, with place, comment and description."""
    exif = Image.Exif()
    exif[ExifTags.Base.ImageDescription] = MARKER.decode()
    exif.get_ifd(ExifTags.IFD.GPSInfo).update({ExifTags.GPS.GPSAreaInformation: MARKER})
    buffer = io.BytesIO()
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:li>' + MARKER + b"</rdf:li></x:xmpmeta>"
    image = Image.fromarray(subject.photo.pixels)
    image.save(buffer, "JPEG", quality=90, exif=exif, comment=MARKER, xmp=xmp)
    return buffer.getvalue()


def whole(message: EncryptedPhoto) -> bytes:
    """All that travels."""
    return message.picture + (message.envelope or b"")


def padding() -> list[int]:
    """Lengths of sealed parts of messages that differ in the length of their captions only."""
    identity = Identity.generate()
    card, bob = (
        Card.create(one, user_id="@a:b", display_name="A", created=0) for one in (identity, Identity.generate())
    )
    pixels = Pixels(width=32, height=32, rgb=bytes(32 * 32 * 3))
    quad = Quad.from_pixels([(0, 0), (0, 32), (32, 32), (32, 0)])
    public = PublicPart.describe(
        pixels, level=Level.KEYFACE, model_hash=bytes(32), styles=16, replaced=[3], faces=[quad]
    )
    lengths = []
    for length in _CAPTIONS:
        envelope = seal_message(
            identity, [card, bob], public, pixels, sent_at=int(time.time()), residual=Residual(), caption="x" * length
        )
        sealed = envelope.sealed or b""
        lengths.append(len(sealed) - sealed.index(b"\n---"))  # the header's random filling says nothing of the caption
    return lengths


def _card(name: str) -> Card:
    return Card.create(Identity.generate(), user_id=name, display_name=name, created=int(time.time()))


def _stanzas(message: EncryptedPhoto) -> int:
    sealed = Envelope.unpack(message.packed or b"").sealed or b""
    return sealed[: sealed.index(b"\n---")].count(b"\n-> X25519 ")

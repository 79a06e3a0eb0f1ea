"""(g) What a carrier of messages learns from sizes, metadata and times, and from what two messages have in common."""

from __future__ import annotations

import io
import time
from collections.abc import Sequence
from itertools import combinations, pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image
from stylecrypt_protocol import (
    Card,
    Envelope,
    Identity,
    Level,
    Pixels,
    PublicPart,
    Residual,
    WireQuad,
    seal_message,
    take,
)

from stylecrypt_msg.models import FaceModel
from stylecrypt_msg.progress import Progress
from stylecrypt_msg.sdk import EncryptedPhoto, StyleCrypt

from ..levels import LEVELS
from ..subjects import Subject
from .odds import Figure, Finding
from .traces import Sent, alike, says_when, seal, told_apart, unsealed

__all__ = ["ordinary_photo", "padding", "traffic"]

MARKER = b"Elm Street 7"  # in all metadata of the sent photos

_RECIPIENTS = (1, 2, 5, 20)
_MANY = "latent to 20"
_WAYS: dict[str, tuple[int, dict[str, Any]]] = {
    **{level: (1, {"level": level}) for level in LEVELS},
    _MANY: (20, {"level": "latent"}),
    "covert": (0, {"covert": True}),
}
"""In which each photo is sent: to how many, and with which options."""

_TWICE = 2
_CAPTIONS = range(0, 256, 4)  # bytes


def traffic(subjects: Sequence[Subject], photos: int, model: FaceModel, progress: Progress) -> list[Finding | Figure]:
    """Sends ``photos`` of the subjects' photos, twice in each way, as the program does."""
    files = [ordinary_photo(subject) for subject in subjects[:photos]]
    doubled = [_jpeg(np.hstack([subject.photo.pixels] * 2)) for subject in subjects[:photos]]
    total = len(files) * (len(_WAYS) * _TWICE + 3) + len(_RECIPIENTS) - 2
    every: list[Sent] = []

    with (
        TemporaryDirectory() as folder,
        StyleCrypt.create(Path(folder) / "p", name="Sender", model=model.name) as sender,
    ):
        for i in range(max(_RECIPIENTS)):
            sender.profile.add_contact(_card(f"contact{i}"), trust=True)

        def send(file: bytes, recipients: int, stand_in: str = "traffic", **options: Any) -> Sent:
            progress("sending messages", len(every), total)
            to = [f"contact{i}" for i in range(recipients)]
            began = time.time()
            made = sender.encrypt(file, to, stand_in=stand_in, force=True, **options)
            every.append(Sent(made, began, time.time()))
            return every[-1]

        # First, because the first message waits for the model, and these messages are not timed.
        some = [send(files[0], count, level="latent") for count in _RECIPIENTS[1:-1]]
        sent: dict[str, list[Sent]] = {way: [] for way in _WAYS}
        for _ in range(_TWICE):
            for file in files:
                for way, (count, options) in _WAYS.items():
                    sent[way].append(send(file, count, **options))
        elsewhere = [send(file, 1, "elsewhere", level="latent") for file in files]
        two_faces = [send(file, 1, level="latent") for file in doubled]
        for file in files:
            send(file, 1, level="latent", format="PNG")
    progress("sending messages", total, total)
    wider = [one.message for one in (sent["latent"][0], *some, sent[_MANY][0])]
    return [
        *_sizes(files, sent, wider),
        *_metadata([one.message for one in every], sent, wider),
        *_times(every, sent, two_faces),
        *_links(sent, elsewhere),
    ]


def _sizes(
    files: Sequence[bytes], sent: dict[str, list[Sent]], wider: Sequence[EncryptedPhoto]
) -> list[Finding | Figure]:
    found: list[Finding | Figure] = []
    n = len(files)
    for what in (*LEVELS, "covert"):
        made = [one.message for one in sent[what][:n]]
        ratios = [len(one.picture) / len(file) for one, file in zip(made, files, strict=True)]
        found.append(Figure("traffic", "", f"bytes of an ordinary photo's, {what}", float(np.mean(ratios)), "times", n))
        if what != "covert":
            bytes_ = float(np.mean([len(one.packed or b"") for one in made]))
            found.append(Figure("traffic", "", f"bytes of the envelope, {what}", bytes_, "bytes", n))
    for count, one in zip(_RECIPIENTS, wider, strict=True):
        what = f"bytes of the envelope, latent, {count} recipients"
        found.append(Figure("traffic", "", what, len(one.packed or b""), "bytes", 1))
    lengths = padding()
    what = f"lengths of the seal for captions of {len(lengths)} lengths"
    found.append(Figure("traffic", "", what, len(set(lengths)), "", len(lengths)))
    return found


def _metadata(
    every: Sequence[EncryptedPhoto], sent: dict[str, list[Sent]], wider: Sequence[EncryptedPhoto]
) -> list[Finding | Figure]:
    base = _stanzas(wider[0]) - 1  # the sender's own
    counted = sum(_stanzas(one) - base == count for count, one in zip(_RECIPIENTS, wider, strict=True))
    marked = sum(MARKER in whole(one) for one in every)
    found: list[Finding | Figure] = [
        Finding("traffic", "", "the number of recipients, without a key", counted, len(wider), 0.0),
        Finding("traffic", "", "the photo's metadata in the message", marked, len(every), 0.0),
    ]
    for what, made in (("with a seal", [*sent["latent"], *sent["original"]]), ("covert", sent["covert"])):
        carrying = sum(take(one.message.picture) is not None or one.message.envelope is not None for one in made)
        found.append(
            Finding("detection", "", f"a message {what} carries an envelope of ours", carrying, len(made), 0.0)
        )
    return found


def _times(every: Sequence[Sent], sent: dict[str, list[Sent]], two_faces: Sequence[Sent]) -> list[Finding | Figure]:
    """Whether what anybody can read shows when a message was made, and whether the time it took shows its kind."""
    dated = sum(says_when(unsealed(one.message), one.first, one.last) for one in every)
    found: list[Finding | Figure] = [Finding("traffic", "", "when it was made, without a key", dated, len(every), 0.0)]
    for way, made in {**sent, "latent, two faces": two_faces}.items():
        median = float(np.median([one.seconds for one in made]))
        found.append(Figure("traffic", "", f"a message is made in, {way}", median, "s", len(made)))
    for kinds in (("latent", _MANY), *combinations(LEVELS, 2)):
        one, two = ([one.seconds for one in sent[kind]] for kind in kinds)
        photos = [i % (len(one) // _TWICE) for i in range(len(one))]
        told, of = told_apart(one, two, photos)
        found.append(Finding("traffic", "", f"{kinds[0]} or {kinds[1]}, by how long it took to make", told, of, 0.5))
    return found


def _links(sent: dict[str, list[Sent]], elsewhere: Sequence[Sent]) -> list[Finding | Figure]:
    """Pairs of messages whose envelopes have bytes in common besides the format's."""
    n = len(elsewhere)
    first = [one.message for one in sent["latent"][:n]]
    again = [
        (one.message, two.message)
        for way in (*LEVELS, _MANY)  # all that have an envelope
        for one, two in zip(sent[way][:n], sent[way][n:], strict=True)
    ]
    kinds = {
        "one sender, two photos": list(pairwise(first)),
        "one photo, one stand-in": again,
        "one photo, two stand-ins": list(zip(first, (one.message for one in elsewhere), strict=True)),
    }
    found: list[Finding | Figure] = []
    for what, pairs in kinds.items():
        if pairs:
            linked = sum(alike(one.packed or b"", two.packed or b"", _format(one)) for one, two in pairs)
            found.append(
                Finding("traffic", "", f"{what}: two messages are linked by equal bytes", linked, len(pairs), 0.0)
            )
    linked = sum(alike(_drawn(one), _drawn(two), _format(one)) for one, two in again)
    what = "one photo, one stand-in: linked by message id, key shares or seal"
    return [*found, Finding("traffic", "", what, linked, len(again), 0.0)]


def _drawn(message: EncryptedPhoto) -> bytes:
    """The parts that are drawn at random for each message, or encrypted with such parts."""
    assert message.message_id is not None  # noqa: S101 - it has an envelope
    return message.message_id + seal(message)


def _format(message: EncryptedPhoto) -> bytes:
    """An envelope that shares with the message's only what any two share: format, model, mask and size."""
    public = Envelope.unpack(message.packed or b"").public
    (one,) = _between_strangers(
        [""],
        width=public.width,
        height=public.height,
        model_hash=public.model_hash,
        styles=public.styles,
        replaced=public.replaced,
    )
    return one.pack()


def ordinary_photo(subject: Subject) -> bytes:
    """A JPEG like a camera's, with place, comment and description."""
    exif = Image.Exif()
    exif[ExifTags.Base.ImageDescription] = MARKER.decode()
    exif.get_ifd(ExifTags.IFD.GPSInfo).update({ExifTags.GPS.GPSAreaInformation: MARKER})
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:li>' + MARKER + b"</rdf:li></x:xmpmeta>"
    return _jpeg(subject.photo.pixels, exif=exif, comment=MARKER, xmp=xmp)


def whole(message: EncryptedPhoto) -> bytes:
    """All that travels."""
    return message.picture + (message.envelope or b"")


def padding() -> list[int]:
    """Lengths of sealed parts of messages that differ only in the length of their captions."""
    made = [one.sealed or b"" for one in _between_strangers(["x" * length for length in _CAPTIONS])]
    return [
        len(one) - one.index(b"\n---") for one in made
    ]  # the header's random filling says nothing about the caption


def _card(name: str) -> Card:
    return Card.create(Identity.generate(), user_id=name, display_name=name, created=int(time.time()))


def _jpeg(pixels: NDArray[np.uint8], **metadata: Any) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=90, **metadata)
    return buffer.getvalue()


def _stanzas(message: EncryptedPhoto) -> int:
    sealed = seal(message)
    return sealed[: sealed.index(b"\n---")].count(b"\n-> X25519 ")


def _between_strangers(
    captions: Sequence[str],
    *,
    width: int = 32,
    height: int = 32,
    model_hash: bytes = bytes(32),
    styles: int = 16,
    replaced: Sequence[int] = (3,),
) -> list[Envelope]:
    """Messages from one stranger to another, with a black picture."""
    identity = Identity.generate()
    cards = [Card.create(one, user_id="@a:b", display_name="A", created=0) for one in (identity, Identity.generate())]
    pixels = Pixels(width=width, height=height, rgb=bytes(3 * width * height))
    quad = WireQuad.from_pixels([(0, 0), (0, 32), (32, 32), (32, 0)])
    public = PublicPart.describe(
        pixels, level=Level.KEYFACE, model_hash=model_hash, styles=styles, replaced=replaced, faces=[quad]
    )
    return [
        seal_message(identity, cards, public, pixels, sent_at=int(time.time()), residual=Residual(), caption=caption)
        for caption in captions
    ]

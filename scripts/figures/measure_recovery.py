"""Measures what a recipient gets back at each level, from pictures as sent and re-encoded on the way.

    python scripts/figures/measure_recovery.py FACES [--limit N] [--json FILE]
    python scripts/figures/measure_recovery.py FACES --twelve-megapixels

FACES is a folder of photos with one face each. Where it holds `NNN-neutral.jpg` beside `NNN-smiling.jpg`, the first is the
photo, and the second, another photo of the same person, is the key face. Otherwise every photo is its own key face, the best
case for level keyface. Alice encrypts each photo to Bob, who has her key face, once per level; the picture is then re-encoded
as messengers do, without its metadata, and Bob decrypts it with the envelope that came beside it.

With --twelve-megapixels, a photo of 4000 x 3000 px with three faces is composed from FACES instead, and measured at level
original with and without --exact.

A face region is the part of the photo that the cover, before compression, changed. PSNR compares the restored pixels with the
photo's; smaller pictures are enlarged first. Identity needs `stylecrypt_msg.recognisers`, which takes two pictures for the same
person if their descriptors are closer than its threshold.
"""

from __future__ import annotations

import argparse
import io
import json
import math
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from rich import box
from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from stylecrypt_protocol import CoverMismatchError

from stylecrypt_msg import StyleCrypt
from stylecrypt_msg.errors import FaceError, InputError, RefusedError
from stylecrypt_msg.faces import Quad, certain_faces, crop, face_quad
from stylecrypt_msg.pictures import Pixels, read_picture
from stylecrypt_msg.recognisers import Recogniser, load_recogniser
from stylecrypt_msg.sdk import EncryptedPhoto, Options

STAND_IN = "somebody"
LEVELS: dict[str, Options] = {
    "original": {"level": "original"},
    "original --exact": {"level": "original", "exact": True},
    "latent": {"level": "latent"},
    "keyface": {"level": "keyface"},
}
COVER = "(the cover)"
VERDICTS = ("exact", "changed", "refused", "no face")


def resent(pixels: Pixels, format: str, *, scale: float = 1, **options: int) -> bytes:
    """A picture file as a messenger re-encodes it: with Pillow's defaults, and no metadata."""
    image = Image.fromarray(pixels)
    if scale != 1:
        image = image.resize((round(image.width * scale), round(image.height * scale)), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


AS_SENT = "as sent"
WAYS: dict[str, Callable[[Pixels], bytes]] = {
    "PNG": partial(resent, format="PNG"),
    "JPEG q95": partial(resent, format="JPEG", quality=95),
    "JPEG q80": partial(resent, format="JPEG", quality=80),
    "JPEG q60": partial(resent, format="JPEG", quality=60),
    "WebP q80": partial(resent, format="WEBP", quality=80),
    "half size, JPEG q80": partial(resent, format="JPEG", scale=0.5, quality=80),
}


@dataclass(frozen=True)
class Photo:
    """A photo, its face region (H, W) bool, the face's position, and its descriptor, if there is a recogniser."""

    path: Path
    pixels: Pixels
    region: NDArray[np.bool_]
    quad: Quad
    descriptor: NDArray[np.float32] | None


@dataclass(frozen=True)
class Message:
    """The message from one photo at one level. ``beside``: the envelope is too large to travel inside the picture."""

    photo: str
    level: str
    photo_bytes: int
    bytes: int
    beside: bool

    @property
    def share(self) -> float:
        return self.bytes / self.photo_bytes


@dataclass(frozen=True)
class Outcome:
    """What Bob got from one message that came one way.

    ``verdict`` is the verdict on the cover, "refused" if it was mistaken for another picture, or "no face" if there was none
    to recover. The errors are mean squared differences from the photo, of values from 0 to 255; None if nothing was recovered.
    """

    photo: str
    level: str
    way: str
    verdict: str
    reached: str | None
    face_error: float | None
    photo_error: float | None
    distance: float | None


class Trial:
    """Alice and Bob, who trust each other, each with a profile."""

    def __init__(self, folder: Path) -> None:
        self.alice = StyleCrypt.create(folder / "alice", name="Alice")
        self.bob = StyleCrypt.create(folder / "bob", name="Bob")
        self.alice.profile.add_contact(self.bob.profile.card, trust=True)
        self.bob.profile.add_contact(self.alice.profile.card, trust=True)
        try:
            self.recogniser: Recogniser | None = load_recogniser("dlib")
        except InputError:
            self.recogniser = None

    def share_key_face(self, photo: Path) -> None:
        """Gives Bob a key face of Alice, replacing the previous one. Raises InputError if the photo cannot become one."""
        for face in self.alice.key_faces():
            self.alice.remove_key_face(face.name)
        self.alice.add_key_face(photo, photo.stem)
        self.bob.receive_key_face(self.alice.share_key_face(photo.stem, ["Bob"]))

    def read(self, path: Path) -> Photo:
        """Raises FaceError."""
        pixels = read_picture(path).pixels
        # As a PNG, the cover is uncompressed.
        cover = self.alice.encrypt(path, ["Bob"], stand_in=STAND_IN, format="PNG", force=True)
        region = (read_picture(cover.picture).pixels != pixels).any(axis=2)
        quad = face_quad(certain_faces(pixels)[0].landmarks)
        return Photo(path, pixels, region, quad, self._descriptor(pixels, quad))

    def send(self, photo: Photo, level: str) -> tuple[EncryptedPhoto, Message]:
        # Forced: fakes that look too much like their originals are for other measurements.
        options: Options = {**LEVELS[level], "stand_in": STAND_IN, "force": True}
        sent = self.alice.encrypt(photo.path, ["Bob"], **options)
        size = len(sent.picture) + len(sent.envelope or b"")
        beside = sent.envelope is not None
        return sent, Message(photo.path.name, level, photo.path.stat().st_size, size, beside)

    def receive(self, photo: Photo, level: str, sent: EncryptedPhoto) -> Iterator[Outcome]:
        """The outcome of each way."""
        pixels = read_picture(sent.picture).pixels
        yield self._open(photo, level, AS_SENT, sent)
        for way, through in WAYS.items():
            yield self._open(photo, level, way, through(pixels), sent.packed)

    def compare(self, photo: Photo, level: str, way: str, verdict: str, reached: str | None, made: Pixels) -> Outcome:
        height, width = photo.pixels.shape[:2]
        if made.shape != photo.pixels.shape:
            made = np.asarray(Image.fromarray(made).resize((width, height), Image.Resampling.LANCZOS))
        descriptor = self._descriptor(made, photo.quad)
        distance = None
        if descriptor is not None and photo.descriptor is not None:
            distance = float(np.linalg.norm(descriptor - photo.descriptor))
        return Outcome(
            photo.path.name,
            level,
            way,
            verdict,
            reached,
            mean_error(photo.pixels[photo.region], made[photo.region]),
            mean_error(photo.pixels, made),
            distance,
        )

    def _open(
        self, photo: Photo, level: str, way: str, picture: bytes | EncryptedPhoto, envelope: bytes | None = None
    ) -> Outcome:
        try:
            got = self.bob.decrypt(picture, envelope=envelope)
        except RefusedError as error:
            if not isinstance(error.reason, CoverMismatchError):
                raise
            return Outcome(photo.path.name, level, way, "refused", None, None, None, None)
        except FaceError:
            return Outcome(photo.path.name, level, way, "no face", None, None, None, None)
        return self.compare(photo, level, way, got.cover, got.level, got.pixels)

    def _descriptor(self, pixels: Pixels, quad: Quad) -> NDArray[np.float32] | None:
        return self.recogniser.describe([crop(pixels, quad, 256)])[0] if self.recogniser else None


def mean_error(original: Pixels, made: Pixels) -> float:
    return float(np.mean((original.astype(np.float32) - made) ** 2))


def pairs(folder: Path) -> list[tuple[Path, Path]]:
    """Pairs of a photo and its key face."""
    neutral = sorted(folder.glob("*-neutral.jpg"))
    if neutral:
        return [(path, path.with_name(path.name.replace("-neutral", "-smiling"))) for path in neutral]
    return [(path, path) for path in sorted(folder.glob("*.jpg"))]


def measure(trial: Trial, found: Sequence[tuple[Path, Path]], console: Console) -> tuple[list[Message], list[Outcome]]:
    messages: list[Message] = []
    outcomes: list[Outcome] = []
    with Progress(console=console, transient=True) as progress:
        task = progress.add_task("photos", total=len(found) * len(LEVELS))
        for path, key_face in found:
            try:
                photo = trial.read(path)
                trial.share_key_face(key_face)
            except InputError as error:
                console.print(f"{path.name} is left out: {error}")
                progress.advance(task, len(LEVELS))
                continue
            for level in LEVELS:
                sent, message = trial.send(photo, level)
                messages.append(message)
                outcomes += trial.receive(photo, level, sent)
                progress.advance(task)
            shown = read_picture(sent.picture).pixels
            outcomes.append(trial.compare(photo, COVER, AS_SENT, "", None, shown))
    return messages, outcomes


def outcome_table(outcomes: Sequence[Outcome], threshold: float | None) -> Table:
    table = Table(box=box.MARKDOWN)
    for head in ("level", "came as", "level reached", " / ".join(VERDICTS), "face PSNR", "photo PSNR"):
        table.add_column(head)
    if threshold is not None:
        table.add_column("distance")
        table.add_column("same person")
    for level, way in dict.fromkeys((one.level, one.way) for one in outcomes):
        cell = [one for one in outcomes if (one.level, one.way) == (level, way)]
        verdicts = [one.verdict for one in cell]
        values = [
            level,
            way,
            f"{sum(one.reached == LEVELS[level]['level'] for one in cell)} of {len(cell)}" if level in LEVELS else "",
            " / ".join(str(verdicts.count(name)) for name in VERDICTS) if level in LEVELS else "",
            psnr([one.face_error for one in cell]),
            psnr([one.photo_error for one in cell]),
        ]
        distances = [one.distance for one in cell if one.distance is not None]
        if threshold is not None and distances:
            same = sum(distance < threshold for distance in distances)
            values += [f"{statistics.median(distances):.2f}", f"{same} of {len(cell)}"]
        table.add_row(*values)
    return table


def size_table(messages: Sequence[Message]) -> Table:
    table = Table(box=box.MARKDOWN)
    for head in ("level", "bytes of the photo's, median", "worst", "envelope inside the picture"):
        table.add_column(head)
    for level in LEVELS:
        sent = [message for message in messages if message.level == level]
        shares = [message.share for message in sent]
        inside = sum(not message.beside for message in sent)
        table.add_row(level, f"{statistics.median(shares):.2f}", f"{max(shares):.2f}", f"{inside} of {len(sent)}")
    return table


def psnr(errors: Sequence[float | None]) -> str:
    """Median and worst of the PSNRs in dB that correspond to mean squared errors."""
    decibels = [10 * math.log10(255**2 / error) if error else math.inf for error in errors if error is not None]
    if not decibels:
        return ""
    median, worst = (
        f"{value:.1f}" if math.isfinite(value) else "same" for value in (statistics.median(decibels), min(decibels))
    )
    return f"{median} ({worst})"


def twelve_megapixels(portraits: Sequence[Path]) -> bytes:
    """A JPEG of 4000 x 3000 px: three portraits in front of a background with as much detail at each scale as nature has."""
    random = np.random.default_rng(12)
    height, width = 3000, 4000
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width))
    frequency[0, 0] = 1
    # In natural pictures amplitudes fall with the frequency (Field, JOSA A 4(12), 1987), and colours are smooth.
    noise = np.fft.irfft2(np.fft.rfft2(random.standard_normal((height, width))) / frequency, (height, width))
    tint = np.linspace((0.9, 1, 1.1), (1.1, 1, 0.9), width)
    photo = (120 + 35 * noise / noise.std())[..., None] * tint
    side = 1000
    for i, path in enumerate(portraits):
        portrait = Image.fromarray(read_picture(path).pixels).resize((side, side), Image.Resampling.LANCZOS)
        left, top = 250 + i * 1250, 900 + i % 2 * 400
        photo[top : top + side, left : left + side] = np.asarray(portrait)
    photo += random.normal(
        0, 2, (height, width, 1)
    )  # a sensor's noise, but none in the colours, where cameras remove it
    return resent(photo.clip(0, 255).astype(np.uint8), "JPEG", quality=92, subsampling=2)


def measure_twelve_megapixels(trial: Trial, portraits: Sequence[Path], folder: Path) -> Table:
    path = folder / "photo.jpg"
    path.write_bytes(twelve_megapixels(portraits))
    for _ in range(2):  # models load in the first call and are compiled in the second
        trial.alice.encrypt(portraits[0], level="keyface", stand_in=STAND_IN, force=True)
    photo = trial.read(path)
    table = Table(box=box.MARKDOWN)
    for head in (
        "level",
        "photo",
        "message",
        "of the photo's",
        "envelope",
        "travels",
        "verdict",
        "face PSNR",
        "photo PSNR",
        "prepare",
        "open",
    ):
        table.add_column(head)
    for level in ("original", "original --exact"):
        start = time.perf_counter()
        sent, message = trial.send(photo, level)
        prepared = time.perf_counter()
        got = trial.bob.decrypt(sent)
        opened = time.perf_counter()
        result = trial.compare(photo, level, AS_SENT, got.cover, got.level, got.pixels)
        table.add_row(
            level,
            f"{message.photo_bytes:,}",
            f"{message.bytes:,}",
            f"{message.share:.2f}",
            f"{len(sent.packed or b''):,}",
            "beside" if message.beside else "inside",
            result.verdict,
            psnr([result.face_error]),
            psnr([result.photo_error]),
            f"{prepared - start:.1f} s",
            f"{opened - prepared:.1f} s",
        )
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("faces", type=Path)
    parser.add_argument("--limit", type=int, metavar="N")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--twelve-megapixels", action="store_true")
    arguments = parser.parse_args()
    out = Console(width=200)
    found = pairs(arguments.faces)[: arguments.limit]
    with tempfile.TemporaryDirectory() as name:
        trial = Trial(Path(name))
        if arguments.twelve_megapixels:
            out.print(measure_twelve_megapixels(trial, [path for path, _ in found[:3]], Path(name)))
            return
        messages, outcomes = measure(trial, found, Console(stderr=True))
    recogniser = trial.recogniser
    measured = len({one.photo for one in messages})
    print(f"{measured} of {len(found)} photos; PSNR in dB, median (worst); same: every pixel is the photo's")
    if recogniser is None:
        print("no recogniser: identity was not measured")
    else:
        print(f"distance by {recogniser.name}, median; the same person below {recogniser.threshold}")
    out.print(outcome_table(outcomes, recogniser.threshold if recogniser else None))
    out.print(size_table(messages))
    if arguments.json:
        results = {"messages": [asdict(one) for one in messages], "outcomes": [asdict(one) for one in outcomes]}
        arguments.json.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()

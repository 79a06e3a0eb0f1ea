"""``evaluate --channels``: which messages still open after an app has re-encoded the picture and dropped the envelope."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from statistics import fmean

import cv2
import numpy as np
from PIL import Image
from stylecrypt_protocol import Level

from stylecrypt_msg import StyleCrypt
from stylecrypt_msg.apps import APPS, UNKNOWN_APP, App, Handling
from stylecrypt_msg.cli import console
from stylecrypt_msg.errors import FaceError, StyleCryptError
from stylecrypt_msg.faces import Quad, crop
from stylecrypt_msg.imprint import WORD_BYTES, capacity, write
from stylecrypt_msg.pictures import Pixels, encode_picture, read_picture
from stylecrypt_msg.recognisers import Recogniser, load_recogniser

from .levels import friends
from .metrics import psnr
from .steganalysis import Verdicts, describe, tell_apart
from .subjects import Subject, read_subjects
from .trial import Record

__all__ = ["Way", "run", "try_channels"]

_SIDE = 256  # px, the side of the squares compared


class Way(Record):
    """How the photos fared on one way.

    Attributes:
        name: the app's, or what was done.
        photos: the number of photos whose cover, which may be made for the app, holds an imprint.
        opened: of those, the number whose faces the recipient recovered.
        psnr: of the faces' squares at 256 px, in dB. None: no photo opened.
        distance: from these faces to the originals, by the recogniser.
        seconds: to open one. None: no photo opened.
    """

    name: str
    photos: int
    opened: int
    psnr: float | None
    distance: float | None
    seconds: float | None


class Removal(Record):
    """An attempt to wipe imprints out.

    Attributes:
        name: what was done.
        photos: the number of covers on which it was tried.
        opened: the number of those that still open.
        psnr: of what is left of the picture, in dB. None: its pixels are in other places.
    """

    name: str
    photos: int
    opened: int
    psnr: float | None


class Channels(Record):
    """``photos`` sent, ``imprinted`` of them, and the covers' ``cover_psnr`` against covers without an imprint, in dB.
    ``told``: how a steganalyser judges squares of both. None: there are too few."""

    photos: int
    imprinted: int
    cover_psnr: float | None
    ways: tuple[Way, ...]
    removals: tuple[Removal, ...]
    told: Verdicts | None


def _twice(first: Handling, second: Handling) -> Callable[[Pixels], Pixels]:
    return lambda pixels: second.deliver(first.deliver(pixels))


def _by_mozjpeg(handling: Handling, pixels: Pixels) -> Pixels:
    """As ``handling``, by another encoder and with the plain bilinear scaling of phones."""
    import jpeglib

    share = min(1.0, (handling.side or max(pixels.shape)) / max(pixels.shape[:2]))
    size = round(pixels.shape[1] * share), round(pixels.shape[0] * share)
    picture = jpeglib.from_spatial(cv2.resize(pixels, size, interpolation=cv2.INTER_LINEAR))
    picture.samp_factor = ((2, 2), (1, 1), (1, 1))  # 4:2:0
    with tempfile.TemporaryDirectory() as folder, jpeglib.version("mozjpeg403"):
        file = Path(folder) / "delivered.jpg"
        picture.write_spatial(str(file), qt=handling.quality)
        return np.asarray(Image.open(file).convert("RGB"))


def _enlarged(pixels: Pixels) -> Pixels:
    image = Image.fromarray(pixels)
    larger = image.resize((image.width * 5 // 4, image.height * 5 // 4), Image.Resampling.BILINEAR)
    return Handling("", quality=70).deliver(np.asarray(larger))


WAYS: dict[str, Callable[[Pixels], Pixels]] = {
    **{app.value: APPS[app].deliver for app in App},
    "signal, then whatsapp": _twice(APPS[App.SIGNAL], APPS[App.WHATSAPP]),
    **{
        f"{app.value}, with mozjpeg": partial(_by_mozjpeg, handling)
        for app, handling in APPS.items()
        if handling.quality is not None
    },
    "mozjpeg, q60": partial(_by_mozjpeg, Handling("", quality=60)),
    **{handling.source: handling.deliver for handling in UNKNOWN_APP},
    "x0.6, q80": Handling("", quality=80, scale=0.6).deliver,
    "x1.25, q70": _enlarged,
}


def _ways_for(app: App) -> dict[str, Callable[[Pixels], Pixels]]:
    """The ways of a cover that was made for ``app``."""
    handling = APPS[app]
    ways: dict[str, Callable[[Pixels], Pixels]] = {f"for {app}": handling.deliver}
    if handling.quality is not None:
        ways[f"for {app}, with mozjpeg"] = partial(_by_mozjpeg, handling)
    return ways


WAYS_FOR = {app: _ways_for(app) for app in App}


def _blurred(sigma: float, pixels: Pixels) -> Pixels:
    return np.asarray(cv2.GaussianBlur(pixels, (0, 0), sigma), np.uint8)


def _noisy(pixels: Pixels) -> Pixels:
    noise = np.random.default_rng(0).normal(0, 10, pixels.shape)
    return np.clip(np.rint(pixels + noise), 0, 255).astype(np.uint8)


def _cropped(pixels: Pixels) -> Pixels:
    height, width = pixels.shape[:2]
    return np.ascontiguousarray(pixels[height // 50 : -(height // 50), width // 50 : -(width // 50)])


def _turned(pixels: Pixels) -> Pixels:
    return _cropped(np.asarray(Image.fromarray(pixels).rotate(1, Image.Resampling.BICUBIC)))


def _overwritten(pixels: Pixels) -> Pixels:
    words = capacity(pixels) // WORD_BYTES
    for fewer in range(words, 0, -1):
        if written := write(pixels, np.random.default_rng(0).bytes(fewer * WORD_BYTES), [lambda same: same]):
            return written.pixels
    return pixels


REMOVALS: dict[str, Callable[[Pixels], Pixels]] = {
    "blur of 1 px": partial(_blurred, 1),
    "blur of 2 px": partial(_blurred, 2),
    "noise of 10 levels": _noisy,
    "half the size": Handling("", scale=0.5).deliver,
    "a fiftieth cropped on each side": _cropped,
    "turned by 1 degree": _turned,
    "another imprint on top": _overwritten,
}


def run(
    faces: Path, *, limit: int | None, side: int | None, model_name: str, recogniser_name: str, as_json: bool
) -> None:
    recogniser = load_recogniser(recogniser_name)
    with console.progress() as progress:
        subjects, _ = read_subjects(
            faces, pairs=False, limit=limit, progress=lambda done, total: progress("reading photos", done, total)
        )
        done = try_channels(
            subjects,
            recogniser,
            side=side,
            model=model_name,
            progress=lambda at, total: progress("sending photos", at, total),
        )
    if as_json:
        console.print_json(done.model_dump())
        return
    rows = [
        (
            way.name,
            f"{way.opened}/{way.photos}",
            "" if way.psnr is None else f"{way.psnr:.1f} dB",
            "" if way.distance is None else f"{way.distance:.2f}",
            "" if way.seconds is None else f"{way.seconds:.2f} s",
        )
        for way in done.ways
    ]
    console.print_table(("way", ">opened", ">faces", f">{recogniser.name}", ">time"), rows)
    against = "" if done.cover_psnr is None else f", at {done.cover_psnr:.1f} dB against the cover without"
    console.say(f"{done.imprinted} of {done.photos} covers hold the faces{against}.")
    console.print_table(
        ("to wipe it out", ">still opened", ">picture"),
        [
            (one.name, f"{one.opened}/{one.photos}", "" if one.psnr is None else f"{one.psnr:.1f} dB")
            for one in done.removals
        ],
    )
    if done.told is not None:
        console.say(
            f"A steganalyser judges {done.told.rightly} of {done.told.squares} squares rightly, with or without an imprint; "
            "`stylecrypt inspect` finds every imprint that can be read."
        )


def try_channels(
    subjects: Sequence[Subject],
    recogniser: Recogniser,
    *,
    side: int | None,
    model: str,
    progress: Callable[[int, int], None],
) -> Channels:
    """Sends each photo, scaled to ``side`` px on its longer side, and opens it after every way. Photos that cannot be sent are
    left out."""
    results: dict[str, list[tuple[float, float, float] | None]] = {
        name: [] for ways in (WAYS, *WAYS_FOR.values()) for name in ways
    }
    removals: dict[str, list[tuple[bool, float | None]]] = {name: [] for name in REMOVALS}
    tried, covers, described = 0, list[float](), []
    with friends(model) as (alice, bob):
        for at, subject in enumerate(subjects):
            progress(at, len(subjects))
            photo = _scaled(subject.photo.pixels, side)
            quad = subject.photo.quad / max(subject.photo.pixels.shape[:2])
            try:
                sent = alice.encrypt(photo, ["Bob"], format="JPEG")
                without = alice.encrypt(photo, ["Bob"], format="JPEG", imprint=False)
            except FaceError:
                continue
            tried += 1
            if not sent.imprinted:
                continue
            cover = read_picture(sent.picture).pixels
            plain = read_picture(without.picture).pixels
            covers.append(psnr(plain, cover))
            described.append((describe(plain), describe(cover)))
            for name, way in WAYS.items():
                results[name].append(_opened(bob, way(cover), photo, quad, recogniser))
            for app, ways in WAYS_FOR.items():
                shaped = alice.encrypt(photo, ["Bob"], app=app)
                for name, way in ways.items() if shaped.imprinted else ():
                    results[name].append(
                        _opened(bob, way(read_picture(shaped.picture).pixels), photo, quad, recogniser)
                    )
            for name, way in REMOVALS.items():
                left = way(cover)
                opened = _opened(bob, left, photo, quad, recogniser) is not None
                removals[name].append((opened, psnr(cover, left) if left.shape == cover.shape else None))
    progress(len(subjects), len(subjects))
    return Channels(
        photos=tried,
        imprinted=len(covers),
        cover_psnr=fmean(covers) if covers else None,
        ways=tuple(_way(name, fared) for name, fared in results.items()),
        removals=tuple(_removal(name, results) for name, results in removals.items()),
        told=tell_apart(described),
    )


def _opened(
    bob: StyleCrypt, arrived: Pixels, original: Pixels, quad: Quad, recogniser: Recogniser
) -> tuple[float, float, float] | None:
    """PSNR, distance and seconds. None: the picture did not open."""
    file = encode_picture(arrived, "PNG")
    started = time.perf_counter()
    try:
        got = bob.decrypt(file)
    except StyleCryptError:
        return None
    seconds = time.perf_counter() - started
    if got.level is not Level.IMPRINT:
        return None
    squares = [crop(picture, quad * max(picture.shape[:2]), _SIDE) for picture in (original, got.pixels)]
    first, second = recogniser.describe(squares)
    return psnr(*squares), float(np.linalg.norm(first - second)), seconds


def _way(name: str, results: Sequence[tuple[float, float, float] | None]) -> Way:
    opened = [result for result in results if result is not None]
    if not opened:
        return Way(name=name, photos=len(results), opened=0, psnr=None, distance=None, seconds=None)
    worth, distance, seconds = (fmean(values) for values in zip(*opened, strict=True))
    return Way(name=name, photos=len(results), opened=len(opened), psnr=worth, distance=distance, seconds=seconds)


def _removal(name: str, results: Sequence[tuple[bool, float | None]]) -> Removal:
    left = [psnr for _, psnr in results if psnr is not None]
    return Removal(
        name=name,
        photos=len(results),
        opened=sum(opened for opened, _ in results),
        psnr=fmean(left) if left else None,
    )


def _scaled(pixels: Pixels, side: int | None) -> Pixels:
    if side is None:
        return pixels
    image = Image.fromarray(pixels)
    share = side / max(image.size)
    return np.asarray(image.resize((round(image.width * share), round(image.height * share)), Image.Resampling.LANCZOS))

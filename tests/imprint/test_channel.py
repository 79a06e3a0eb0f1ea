"""Bytes in pixels, through what apps do to pictures."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable

import cv2
import jpeglib
import numpy as np
import pytest
from PIL import Image

from stylecrypt_msg import imprint
from stylecrypt_msg.apps import APPS, UNKNOWN_APP, App, trials
from stylecrypt_msg.pictures import Pixels

from ..support.photographs import astronaut
from ..support.scenery import scene

TRIALS = [handling.deliver for handling in UNKNOWN_APP]
DATA = np.random.default_rng(5).bytes(6 * imprint.WORD_BYTES)


def psnr(one: Pixels, other: Pixels) -> float:
    return float(10 * np.log10(255**2 / np.mean((one.astype(float) - other) ** 2)))


def encoded(pixels: Pixels, format: str, **options: object) -> Pixels:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, format, **options)
    return np.asarray(Image.open(file).convert("RGB"))


def scaled(pixels: Pixels, share: float, how: Image.Resampling) -> Pixels:
    height, width = pixels.shape[:2]
    return np.asarray(Image.fromarray(pixels).resize((round(width * share), round(height * share)), how))


def unfiltered(pixels: Pixels, share: float) -> Pixels:
    """Scaled as phones do it in a hurry: each pixel from the four nearest."""
    return np.asarray(cv2.resize(pixels, None, fx=share, fy=share, interpolation=cv2.INTER_LINEAR), np.uint8)


@pytest.fixture(scope="module")
def written(view: Pixels) -> Pixels:
    done = imprint.write(view, DATA, TRIALS)
    assert done is not None and done.survived == len(TRIALS)
    return done.pixels


def test_eyes_see_nothing(view: Pixels, written: Pixels) -> None:
    assert psnr(view, written) >= 42
    # The wall, where changes would show most, is left alone.
    assert np.abs(view[:, :320].astype(int) - written[:, :320]).mean() < 0.3


@pytest.mark.parametrize("app", App)
def test_apps(written: Pixels, app: App) -> None:
    got = imprint.read(APPS[app].deliver(written))
    assert got is not None and got.payload == DATA


def test_an_app_may_have_another_encoder() -> None:
    """At Instagram's size there is little room to spare, and mozjpeg does more harm than the trials' encoder."""
    view = np.asarray(cv2.resize(astronaut()[:384], (1080, 810), interpolation=cv2.INTER_LANCZOS4), np.uint8)
    data = DATA[: 4 * imprint.WORD_BYTES]
    done = imprint.write(view, data, [handling.deliver for handling in trials(App.INSTAGRAM)])
    assert done is not None
    picture = jpeglib.from_spatial(done.pixels)
    picture.samp_factor = ((2, 2), (1, 1), (1, 1))  # 4:2:0
    with tempfile.TemporaryDirectory() as folder, jpeglib.version("mozjpeg403"):
        picture.write_spatial(f"{folder}/delivered.jpg", qt=APPS[App.INSTAGRAM].quality)
        got = imprint.read(np.asarray(Image.open(f"{folder}/delivered.jpg").convert("RGB")))
    assert got is not None and got.payload == data


@pytest.mark.parametrize(
    "harm",
    [
        lambda pixels: encoded(pixels, "JPEG", quality=50),
        lambda pixels: encoded(pixels, "JPEG", quality=60, subsampling=0, progressive=True),
        lambda pixels: encoded(pixels, "WEBP", quality=80),
        lambda pixels: encoded(scaled(pixels, 1.25, Image.Resampling.BILINEAR), "JPEG", quality=70),
        lambda pixels: encoded(scaled(pixels, 0.75, Image.Resampling.LANCZOS), "JPEG", quality=75),
        lambda pixels: encoded(scaled(pixels, 0.6, Image.Resampling.BICUBIC), "JPEG", quality=90),
        lambda pixels: encoded(unfiltered(pixels, 0.84), "JPEG", quality=70),
        lambda pixels: np.asarray(cv2.GaussianBlur(pixels, (0, 0), 0.7)),
        lambda pixels: encoded(encoded(pixels, "JPEG", quality=70), "JPEG", quality=75),
        lambda pixels: np.repeat(np.asarray(Image.fromarray(pixels).convert("L"))[..., None], 3, 2),
        lambda pixels: np.asarray(Image.fromarray(pixels).resize((1281, 961), Image.Resampling.BICUBIC)),
    ],
    ids=[
        "q50",
        "4:4:4",
        "webp",
        "enlarged",
        "three quarters",
        "0.6",
        "unfiltered",
        "blurred",
        "twice",
        "grey",
        "a pixel more",
    ],
)
def test_harm_that_it_survives(written: Pixels, harm: Callable[[Pixels], Pixels]) -> None:
    got = imprint.read(harm(written))
    assert got is not None and got.payload == DATA
    assert got.damage < 0.1


@pytest.mark.parametrize(("width", "height"), [(600, 600), (600, 800), (1024, 1024), (720, 1280), (4000, 3000)])
def test_pictures_of_many_sizes(width: int, height: int) -> None:
    view = scene(width, height, seed=3)
    room = imprint.capacity(view)
    data = DATA[: min(room // imprint.WORD_BYTES * 2 // 3, 6) * imprint.WORD_BYTES]
    assert data
    done = imprint.write(view, data, TRIALS[:1])
    assert done is not None and psnr(view, done.pixels) >= 42
    got = imprint.read(encoded(done.pixels, "JPEG", quality=70))
    assert got is not None and got.payload == data


def test_pictures_without_one() -> None:
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (700, 900, 3), dtype=np.uint8)
    even = np.full((500, 500, 3), 200, np.uint8)
    stripes = np.tile(np.repeat(np.arange(2, dtype=np.uint8) * 255, 8), (512, 64, 1)).reshape(512, 1024, 1).repeat(3, 2)
    for picture in (scene(1280, 960), scene(333, 500), noise, even, stripes, even[:1, :1], even[:3]):
        assert imprint.read(picture) is None


def test_even_places_are_left_alone() -> None:
    """Skin and walls would show it. A picture of nothing else holds none."""
    wall = np.random.default_rng(0).normal(160, 1, (960, 1280, 1)).repeat(3, 2).round().astype(np.uint8)
    assert imprint.capacity(wall) == 0
    assert imprint.write(wall, DATA[: imprint.WORD_BYTES], TRIALS[:1]) is None
    half = wall.copy()
    half[:, :640] = scene(640, 960, seed=4)
    room = imprint.capacity(half)
    assert 0 < room < imprint.capacity(scene(1280, 960, seed=4))
    done = imprint.write(half, DATA[: imprint.WORD_BYTES], TRIALS[:1])
    assert done is not None
    assert np.array_equal(done.pixels[:, 720:], wall[:, 720:])


def test_one_that_is_mostly_gone_is_told(written: Pixels) -> None:
    """With bands painted over until nothing can be read, the imprint is still reported, and no content is invented."""
    seen = set()
    for share in np.linspace(0.1, 1, 10):
        worse = written.copy()
        worse[:, : int(1280 * share)] = 90
        got = imprint.read(worse)
        assert got is None or got.payload in (DATA, None)
        seen.add(None if got is None else "lost" if got.payload is None else "read")
    assert seen == {"read", "lost", None}


def test_too_small() -> None:
    assert imprint.capacity(scene(imprint.MIN_SIDE - 1, imprint.MIN_SIDE - 1)) == 0
    assert imprint.write(scene(200, 150), DATA, TRIALS) is None


def test_it_does_not_depend_on_the_rest_of_the_picture(written: Pixels) -> None:
    """Editing one corner does not destroy it."""
    edited = written.copy()
    edited[700:, 900:] = 255
    got = imprint.read(encoded(edited, "JPEG", quality=75))
    assert got is not None and got.payload == DATA

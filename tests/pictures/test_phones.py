"""Files as phones write them: their formats, their colours, and what they carry besides the picture."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import numpy as np
import pillow_heif
import pytest
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageCms
from PIL.PngImagePlugin import PngInfo

from stylecrypt_msg import pictures
from stylecrypt_msg.pictures import encode_picture, read_photo, read_picture

from ..support.picture_files import FORMATS, chunk, linear_profile, photo, psnr, refusal, saved, scene, segment

MARK = b"CANARY"
BEHIND = "data behind the picture"


def heic(pixels: NDArray[np.uint8], **options: object) -> bytes:
    file = io.BytesIO()
    pillow_heif.from_pillow(Image.fromarray(pixels)).save(file, quality=90, **options)
    return file.getvalue()


def marked_exif(orientation: int = 1) -> Image.Exif:
    exif = Image.Exif()
    exif[ExifTags.Base.Artist] = MARK.decode()
    exif[ExifTags.Base.Orientation] = orientation
    exif.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSLatitude] = (1.0, 2.0, 3.0)
    return exif


# Formats


@pytest.mark.parametrize("format", ["HEIF", "AVIF"])
@pytest.mark.parametrize("orientation", [1, 3, 6])
def test_phones_formats(format: str, orientation: int) -> None:
    exif = marked_exif(orientation)
    upright = np.rot90(scene(64, 96), {1: 0, 3: 2, 6: 3}[orientation])
    if format == "HEIF":
        data = heic(scene(64, 96), exif=exif.tobytes())
    else:
        data = saved(Image.fromarray(scene(64, 96)), "AVIF", quality=90, exif=exif.tobytes())
    picture = read_photo(data)
    assert picture.format == format
    assert picture.pixels.shape == upright.shape
    assert psnr(picture.pixels, upright) > 30
    assert picture.dropped[:2] == ("EXIF", "GPS position")
    assert MARK not in encode_picture(picture.pixels, "JPEG")


@pytest.mark.parametrize("format", ["HEIF", "AVIF"])
def test_what_others_send_is_read_by_fewer_decoders(format: str) -> None:
    data = heic(scene()) if format == "HEIF" else saved(Image.fromarray(scene()), "AVIF")
    assert read_photo(data).format == format
    assert "carries no message" in refusal(data)


def test_ten_bits() -> None:
    deep = np.ascontiguousarray(scene(64, 96).astype(np.uint16) * 257)
    file = io.BytesIO()
    pillow_heif.from_bytes(mode="RGB;16", size=(96, 64), data=deep.tobytes()).save(file, quality=95)
    assert psnr(read_photo(file.getvalue()).pixels, scene(64, 96)) > 30


def test_cut_off_photos_are_refused() -> None:
    for data in (heic(photo()), saved(Image.fromarray(photo()), "AVIF")):
        for part in (0.3, 0.9):
            assert "damaged" in refusal(data[: int(len(data) * part)], read_photo)


def test_too_large_is_known_before_it_is_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "MAX_PHOTO_PIXELS", 64 * 95)
    for data in (heic(scene(64, 96)), saved(Image.fromarray(scene(64, 96)), "AVIF")):
        assert "96 x 64 pixels" in refusal(data, read_photo)


def test_more_megapixels_than_are_read_are_halved(monkeypatch: pytest.MonkeyPatch) -> None:
    large = np.asarray(Image.fromarray(photo()).resize((384, 512)))
    monkeypatch.setattr(pictures, "MAX_PHOTO_PIXELS", 384 * 511)
    monkeypatch.setattr(pictures, "_MAX_HALVED", 384 * 513)
    picture = read_photo(saved(Image.fromarray(large), "JPEG", quality=95))
    assert picture.dropped == ("three quarters of its pixels",)
    assert picture.jpeg is None
    assert psnr(picture.pixels, photo()) > 28
    assert "384 x 512 pixels" in refusal(saved(Image.fromarray(large), "PNG"))
    monkeypatch.setattr(pictures, "_MAX_HALVED", 384 * 511)
    assert "384 x 512 pixels" in refusal(saved(Image.fromarray(large), "JPEG"))


@pytest.mark.parametrize("progressive", [False, True])
def test_a_jpeg_that_lacks_its_last_marker_is_whole(progressive: bool) -> None:
    data = saved(Image.fromarray(photo()), "JPEG", quality=90, progressive=progressive)
    assert np.array_equal(read_picture(data[:-2]).pixels, read_picture(data).pixels)
    assert "cut off" in refusal(data[:-60])
    assert "cut off" in refusal(data[: len(data) // 2])


# Colours


def test_display_p3() -> None:
    cicp = chunk(b"cICP", bytes([12, 13, 0, 1]))
    data = saved(Image.fromarray(np.full((8, 8, 3), (200, 60, 60), np.uint8)), "PNG")
    at = data.index(b"IDAT") - 4
    (shown,) = {tuple(pixel) for pixel in read_picture(data[:at] + cicp + data[at:]).pixels.reshape(-1, 3)}
    assert np.abs(np.array(shown, int) - (218, 41, 52)).max() <= 2  # by the matrices of CSS Color 4


@pytest.mark.parametrize(
    ("primaries", "curve", "value", "shown"),
    [
        (1, 13, 100, 100),  # sRGB
        (1, 1, 100, 100),  # television's, which is shown as sRGB
        (2, 2, 100, 100),  # unspecified
        (1, 8, 103, 170),  # linear light
        (9, 16, 148, 255),  # PQ: 203 candela are white
        (9, 16, 255, 255),
        (9, 16, 90, 86),  # 18.6 candela
        (9, 18, 191, 255),  # HLG: so are 75 %
        (9, 18, 128, 137),
    ],
)
def test_code_points(primaries: int, curve: int, value: int, shown: int) -> None:
    data = saved(Image.fromarray(np.full((8, 8, 3), value, np.uint8)), "PNG")
    at = data.index(b"IDAT") - 4
    data = data[:at] + chunk(b"cICP", bytes([primaries, curve, 0, 1])) + data[at:]
    pixels = read_picture(data).pixels
    assert (pixels == pixels[0, 0, 0]).all(), "grey stays grey"
    assert abs(int(pixels[0, 0, 0]) - shown) <= 2


def test_gamma_of_a_png() -> None:
    def with_gamma(gamma: float, *more: bytes) -> NDArray[np.uint8]:
        data = saved(Image.fromarray(scene()), "PNG")
        at = data.index(b"IDAT") - 4
        return read_picture(
            data[:at] + chunk(b"gAMA", struct.pack(">I", round(gamma * 1e5))) + b"".join(more) + data[at:]
        ).pixels

    assert np.array_equal(with_gamma(0.45455), scene())
    assert np.array_equal(with_gamma(1.0, chunk(b"sRGB", b"\0")), scene()), "sRGB counts"
    linear = scene()[20, 20] / 255
    expected = 255 * np.where(linear > 0.0031308, 1.055 * linear ** (1 / 2.4) - 0.055, 12.92 * linear)
    assert np.abs(with_gamma(1.0)[20, 20] - expected).max() < 2


def test_a_profile_that_only_calls_itself_srgb_is_applied() -> None:
    named = linear_profile().replace(b"\0L\0I\0N\0E", b"\0s\0R\0G\0B")
    description = ImageCms.ImageCmsProfile(io.BytesIO(named)).profile.profile_description
    assert (description or "").startswith("sRGB")
    assert read_picture(saved(Image.fromarray(scene()), "PNG", icc_profile=named)).pixels.mean() > scene().mean() + 20


# What else is in the file


def test_films_maps_and_older_pictures_are_named_and_left_behind() -> None:
    image = Image.fromarray(scene())
    jpeg, png = saved(image, "JPEG"), saved(image, "PNG")
    film = b"\0\0\0\x18ftypmp42" + MARK * 10
    gain = segment(0xE1, b'http://ns.adobe.com/xap/1.0/\0<x hdrgm:Version="1.0"/>' + MARK)
    for data, says in (
        (jpeg + film, (BEHIND,)),
        (png + saved(image, "PNG", pnginfo=_text()), (BEHIND,)),
        (jpeg[:2] + gain + jpeg[2:], ("XMP", "gain map")),
        (jpeg[:2] + segment(0xED, b"Photoshop 3.0\0" + MARK) + jpeg[2:], ("IPTC",)),
    ):
        picture = read_photo(data)
        assert picture.dropped == says
        assert MARK in data
        assert MARK not in encode_picture(picture.pixels, "PNG")
    assert read_photo(png).dropped == read_photo(jpeg).dropped == ()


def _text() -> PngInfo:
    info = PngInfo()
    info.add_text("Author", MARK.decode())
    return info


def test_a_burst() -> None:
    heif = pillow_heif.from_pillow(Image.fromarray(scene()))
    heif.add_from_pillow(Image.fromarray(255 - scene()))
    file = io.BytesIO()
    heif.save(file, quality=95)
    picture = read_photo(file.getvalue())
    assert picture.dropped == ("further frames",)
    assert psnr(picture.pixels, scene()) > 25


def test_files_of_phones(shared: Path) -> None:
    """Made elsewhere: a gain map, a film behind the picture, a depth map, two pictures in one file, an older picture behind."""
    for name, says in {
        "gain-map.jpg": "gain map",
        "motion-photo.jpg": BEHIND,
        "portrait-mode-depth-and-original.jpg": BEHIND,
        "two-pictures-mpo.jpg": "further frames",
        "png-with-old-pixels-behind.png": BEHIND,
        "webp-with-metadata.webp": "GPS position",
    }.items():
        picture = read_photo(shared / "files" / name)
        assert says in picture.dropped, name
        for format in FORMATS:
            assert MARK not in encode_picture(picture.pixels, format)
    for name in ("icc-named-srgb-but-linear.jpg", "png-cicp-p3.png", "png-cicp-pq.png", "png-gama-1.png"):
        assert abs(read_photo(shared / "files" / name).pixels.mean() - 149) < 1, name
    assert read_photo(shared / "files" / "no-eoi.jpg").pixels.shape == (440, 512, 3)
    assert read_photo(shared / "files" / "orientation-in-xmp-only.jpg").pixels.shape == (512, 440, 3)

"""What comes in is plain pixels."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageCms, PngImagePlugin

from stylecrypt_msg.pictures import (
    AI_MADE,
    JpegTables,
    Subsampling,
    encode_picture,
    read_picture,
)

from ..support.picture_files import GREY, chunk, linear_profile, photo, png, psnr, saved, scene, segment, with_thumbnail

# What comes in


@pytest.mark.parametrize("format", ["PNG", "WEBP", "BMP"])
def test_lossless_files_read_as_they_are(format: str) -> None:
    options = {"lossless": True} if format == "WEBP" else {}
    picture = read_picture(saved(Image.fromarray(scene()), format, **options))
    assert np.array_equal(picture.pixels, scene())
    assert picture.format == format
    assert picture.dropped == ()
    assert not picture.pixels.flags.writeable


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP"])
def test_orientation_is_applied(orientation: int, format: str) -> None:
    # What the camera stores so that the tag makes it upright again (EXIF 2.32, tag 0x0112).
    stored = {
        1: lambda a: a,
        2: lambda a: a[:, ::-1],
        3: lambda a: a[::-1, ::-1],
        4: lambda a: a[::-1],
        5: lambda a: a.transpose(1, 0, 2),
        6: lambda a: np.rot90(a),
        7: lambda a: a[::-1, ::-1].transpose(1, 0, 2),
        8: lambda a: np.rot90(a, -1),
    }[orientation](scene())
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    picture = read_picture(saved(Image.fromarray(np.ascontiguousarray(stored)), format, exif=exif, quality=95))
    assert picture.pixels.shape == scene().shape
    assert psnr(picture.pixels, scene()) > 30
    assert "EXIF" in picture.dropped


@pytest.mark.parametrize(
    ("image", "expected", "dropped"),
    [
        (Image.fromarray(GREY), np.dstack([GREY] * 3), ()),
        (Image.fromarray(GREY).convert("1"), None, ()),
        (Image.fromarray(GREY.astype(np.uint16) * 257), np.dstack([GREY] * 3), ("16-bit depth",)),
        (Image.fromarray(scene()).quantize(16), None, ()),
        (
            Image.fromarray(np.dstack([scene(), np.full(GREY.shape, 255, np.uint8)])),
            scene(),
            ("alpha channel",),
        ),
        (
            Image.fromarray(np.dstack([scene(), np.zeros(GREY.shape, np.uint8)])),
            scene() * 0 + 255,
            ("alpha channel",),
        ),
        (Image.fromarray(np.dstack([GREY, np.zeros_like(GREY)])), scene() * 0 + 255, ("alpha channel",)),
    ],
    ids=["grey", "1-bit", "16-bit grey", "palette", "opaque alpha", "transparent", "grey with alpha"],
)
def test_every_mode_of_png(image: Image.Image, expected: NDArray[np.uint8] | None, dropped: tuple[str, ...]) -> None:
    picture = read_picture(saved(image, "PNG"))
    assert picture.dropped == dropped
    assert picture.pixels.dtype == np.uint8
    assert np.array_equal(picture.pixels, np.array(image.convert("RGB")) if expected is None else expected)


def test_half_transparent_is_laid_over_white() -> None:
    black = np.zeros((4, 4, 4), np.uint8)
    black[..., 3] = 128
    assert set(np.unique(read_picture(saved(Image.fromarray(black), "PNG")).pixels)) == {127}


def test_transparent_palette_colour_shows_white() -> None:
    image = Image.new("P", (8, 8), 0)
    image.putpalette([10, 20, 30, 200, 100, 50])
    image.putpixel((0, 0), 1)
    picture = read_picture(saved(image, "PNG", transparency=1))
    assert picture.pixels[0, 0].tolist() == [255, 255, 255]
    assert picture.pixels[4, 4].tolist() == [10, 20, 30]
    assert picture.dropped == ("alpha channel",)


def test_16_bit_colour_png() -> None:
    """Pillow writes none, so by hand: big-endian samples, the filter byte before each row."""
    pixels = scene(6, 5)
    rows = b"".join(b"\0" + (row.astype(">u2") * 257).tobytes() for row in pixels)
    data = png(chunk(b"IHDR", struct.pack(">IIBBBBB", 5, 6, 16, 2, 0, 0, 0)), chunk(b"IDAT", zlib.compress(rows)))
    assert np.array_equal(read_picture(data).pixels, pixels)


def test_cmyk_jpeg_as_adobe_writes_it() -> None:
    """Adobe stores CMYK inverted; Pillow writes it so too. Read wrongly, white would be black."""
    picture = read_picture(saved(Image.fromarray(scene()).convert("CMYK"), "JPEG", quality=100))
    assert psnr(picture.pixels, scene()) > 30


def test_colour_profile_is_converted_to_srgb() -> None:
    # A linear-light profile: the same numbers mean a brighter picture.
    with_profile = saved(Image.fromarray(scene()), "PNG", icc_profile=linear_profile())
    picture = read_picture(with_profile)
    assert picture.dropped == ("ICC profile",)
    linear = scene()[20, 20] / 255
    expected = 255 * np.where(linear > 0.0031308, 1.055 * linear ** (1 / 2.4) - 0.055, 12.92 * linear)
    assert np.abs(picture.pixels[20, 20] - expected).max() < 4


def test_srgb_and_broken_profiles_change_nothing() -> None:
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for profile in (srgb, b"nonsense", srgb[:200]):
        picture = read_picture(saved(Image.fromarray(scene()), "PNG", icc_profile=profile))
        assert np.array_equal(picture.pixels, scene())
        assert picture.dropped == ("ICC profile",)


def test_first_frame_of_an_animation() -> None:
    frames = [Image.fromarray(scene()), Image.fromarray(255 - scene())]
    for format in ("GIF", "PNG", "WEBP", "MPO"):  # MPO: a JPEG with a second picture, as phones write it
        data = saved(frames[0], format, save_all=True, append_images=frames[1:], lossless=True, duration=100)
        picture = read_picture(data)
        assert "further frames" in picture.dropped, format
        assert psnr(picture.pixels, scene()) > 25, format
        assert picture.format == ("JPEG" if format == "MPO" else format)


def test_everything_that_is_dropped_is_named() -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Artist] = "me"
    exif.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSLatitude] = (1.0, 2.0, 3.0)
    image = Image.fromarray(scene())
    data = saved(image, "JPEG", exif=exif, xmp=AI_MADE, comment=b"secret", icc_profile=linear_profile())
    assert read_picture(data).dropped == ("EXIF", "GPS position", "XMP", "ICC profile", "comment")

    info = PngImagePlugin.PngInfo()
    info.add_text("Author", "me")
    assert read_picture(saved(image, "PNG", pnginfo=info)).dropped == ("text",)

    thumbnail = with_thumbnail(saved(image, "JPEG"))
    assert read_picture(thumbnail).dropped == ("EXIF", "EXIF thumbnail")

    marked = saved(image, "JPEG")
    assert read_picture(marked[:2] + segment(0xEB, b"JP\0\1jumb") + marked[2:]).dropped == ("application data",)


# How a JPEG was quantised


@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:2", "4:2:0"])
def test_a_jpeg_written_with_its_own_tables_loses_nearly_nothing(subsampling: Subsampling) -> None:
    file = saved(Image.fromarray(photo()), "JPEG", quality=85, subsampling=subsampling)
    first = read_picture(file)
    assert first.jpeg is not None
    assert first.jpeg.subsampling == subsampling
    assert len(first.jpeg.quantisation) == 2  # for brightness and for both colours
    again = encode_picture(first.pixels, "JPEG", tables=first.jpeg)
    second = read_picture(again)
    assert second.jpeg == first.jpeg
    assert psnr(second.pixels, first.pixels) > 50
    assert psnr(first.pixels, photo()) < 45
    assert len(again) < len(file)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_tables_are_turned_with_the_pixels(orientation: int) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    picture = read_picture(saved(Image.fromarray(photo()), "JPEG", quality=75, subsampling=2, exif=exif))
    assert picture.jpeg is not None
    assert psnr(read_picture(encode_picture(picture.pixels, "JPEG", tables=picture.jpeg)).pixels, picture.pixels) > 50


@pytest.mark.parametrize("quality", [1, 30, 49, 50, 75, 92, 100])
def test_the_quality_that_tables_amount_to(quality: int) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    for image, options in (
        (Image.fromarray(scene()), {}),
        (Image.fromarray(scene()), {"exif": exif, "subsampling": 2}),
        (Image.fromarray(GREY), {}),
    ):
        tables = read_picture(saved(image, "JPEG", quality=quality, **options)).jpeg
        assert tables is not None
        assert tables.quality == quality


def test_each_component_has_its_table() -> None:
    tables = JpegTables(tuple((quantum,) * 64 for quantum in (2, 5, 9)), "4:4:4")
    assert read_picture(encode_picture(photo(), "JPEG", tables=tables)).jpeg == tables
    same = JpegTables(((3,) * 64,) * 3, "4:4:4")
    assert read_picture(encode_picture(photo(), "JPEG", tables=same)).jpeg == JpegTables(((3,) * 64,), "4:4:4")


def test_grey_jpeg_has_tables_too() -> None:
    grey = read_picture(saved(Image.fromarray(photo()).convert("L"), "JPEG", quality=80))
    assert grey.jpeg is not None
    assert psnr(read_picture(encode_picture(grey.pixels, "JPEG", tables=grey.jpeg)).pixels, grey.pixels) > 50


def test_what_cannot_be_written_again_has_no_tables() -> None:
    image = Image.fromarray(scene())
    for format in ("PNG", "WEBP", "GIF", "BMP"):
        assert read_picture(saved(image, format)).jpeg is None
    assert read_picture(saved(image.convert("CMYK"), "JPEG")).jpeg is None
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6  # would need colours halved from top to bottom
    assert read_picture(saved(image, "JPEG", subsampling=1, exif=exif)).jpeg is None

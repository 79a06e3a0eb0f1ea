"""What goes out is the picture and nothing else."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import ExifTags, Image

from stylecrypt_msg.errors import PictureError
from stylecrypt_msg.pictures import AI_MADE, Format, encode_picture, format_of, read_exactly, read_picture

from ..support.picture_files import FORMATS, GREY, bombs, linear_profile, psnr, saved, scans, scene

# What goes out


def parts_of(data: bytes) -> Iterator[tuple[str, bytes]]:
    """Name and content of each chunk (PNG, WebP) or segment (JPEG)."""
    if data.startswith(b"\x89PNG"):
        at = 8
        while at < len(data):
            (size,) = struct.unpack_from(">I", data, at)
            yield data[at + 4 : at + 8].decode(), data[at + 8 : at + 8 + size]
            at += 12 + size
    elif data.startswith(b"RIFF"):
        assert struct.unpack_from("<I", data, 4)[0] == len(data) - 8
        at = 12
        while at < len(data):
            (size,) = struct.unpack_from("<I", data, at + 4)
            yield data[at : at + 4].decode(), data[at + 8 : at + 8 + size]
            at += 8 + size + size % 2
    else:
        assert data.startswith(b"\xff\xd8")
        at = 2
        while data[at + 1] != 0xDA:
            (size,) = struct.unpack_from(">H", data, at + 2)
            yield f"{data[at + 1]:02X}", data[at + 4 : at + 2 + size]
            at += 2 + size
        assert data.endswith(b"\xff\xd9")


STRUCTURAL = {
    "PNG": {"IHDR", "IDAT", "IEND"},
    "JPEG": {"E0", "DB", "C0", "C4"},  # JFIF, quantisation, baseline frame, Huffman tables
    "WEBP": {"VP8 ", "VP8L", "VP8X"},
}
RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
XMP_PART = {"PNG": "iTXt", "JPEG": "E1", "WEBP": "XMP "}


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("lossless", [False, True])
def test_nothing_but_the_picture_is_written(format: Format, lossless: bool) -> None:
    plain = list(parts_of(encode_picture(scene(), format, lossless=lossless)))
    assert {name for name, _ in plain} <= STRUCTURAL[format]

    marked = list(parts_of(encode_picture(scene(), format, lossless=lossless, ai_made=True)))
    xmp = [content for name, content in marked if name not in STRUCTURAL[format]]
    assert {name for name, _ in marked} - STRUCTURAL[format] == {XMP_PART[format]}
    assert len(xmp) == 1
    assert xmp[0].endswith(AI_MADE)
    assert b"compositeWithTrainedAlgorithmicMedia" in AI_MADE


@pytest.mark.parametrize("format", FORMATS)
def test_others_read_the_mark(format: Format) -> None:
    image = Image.open(io.BytesIO(encode_picture(scene(), format, ai_made=True)))
    image.load()
    (description,) = ElementTree.fromstring(image.info["xmp"]).iter(f"{{{RDF}}}Description")  # noqa: S314 - our own
    source = description.get("{http://iptc.org/std/Iptc4xmpExt/2008-02-29/}DigitalSourceType")
    assert source == "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 2**32 - 1))
def test_lossless_round_trip(height: int, width: int, seed: int) -> None:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    for data in (encode_picture(pixels, "PNG"), encode_picture(pixels, "WEBP", lossless=True)):
        assert np.array_equal(read_picture(data).pixels, pixels)


def test_jpeg_keeps_colours_at_full_resolution() -> None:
    stripes = np.zeros((32, 32, 3), np.uint8)
    stripes[:, ::2, 0] = 255  # red, a pixel wide: 4:2:0 would smear it
    stripes[:, 1::2, 2] = 255
    assert psnr(read_picture(encode_picture(stripes, "JPEG")).pixels, stripes) > 30
    assert len(encode_picture(scene(), "JPEG", quality=30)) < len(encode_picture(scene(), "JPEG"))


def test_jpeg_of_noise_is_written_all_the_same() -> None:
    """Progressive and optimised files are written into one buffer, which noise outgrows."""
    noise = np.random.default_rng(0).integers(0, 256, (300, 300, 3), dtype=np.uint8)
    assert psnr(read_picture(encode_picture(noise, "JPEG", quality=100)).pixels, noise) > 45


def test_exact_reading() -> None:
    pixels = scene()
    assert np.array_equal(read_exactly(encode_picture(pixels, "PNG"), 64, 48), pixels)
    assert np.array_equal(read_exactly(encode_picture(pixels, "WEBP", lossless=True), 64, 48), pixels)
    assert psnr(read_exactly(encode_picture(pixels, "JPEG"), 64, 48), pixels) > 30
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 2
    turned = saved(Image.fromarray(pixels), "PNG", exif=exif, icc_profile=linear_profile())
    assert np.array_equal(read_exactly(turned, 64, 48), pixels)


@pytest.mark.parametrize(
    "file",
    [
        b"",
        b"no picture",
        encode_picture(scene(48, 65), "PNG"),
        encode_picture(scene(), "PNG")[:-300],
        saved(Image.fromarray(np.dstack([scene(), GREY])), "WEBP"),
        saved(Image.fromarray(scene()), "GIF"),
        saved(Image.fromarray(GREY), "PNG"),
        saved(Image.fromarray(scene()).convert("CMYK"), "JPEG"),
        scans(101),
        *bombs().values(),
    ],
)
def test_exact_reading_refuses_all_else(file: bytes) -> None:
    with pytest.raises(PictureError):
        read_exactly(file, 64, 48)


def test_what_cannot_be_written_is_refused() -> None:
    with pytest.raises(PictureError, match="cannot be written as WEBP"):
        encode_picture(np.zeros((1, 17_000, 3), np.uint8), "WEBP")
    with pytest.raises(PictureError, match="quality 0"):
        encode_picture(scene(), "JPEG", quality=0)


@pytest.mark.parametrize(
    ("name", "format"),
    [("a.png", "PNG"), ("a.JPG", "JPEG"), ("a.jpeg", "JPEG"), ("b.png.webp", "WEBP")],
)
def test_format_by_suffix(name: str, format: str) -> None:
    assert format_of(name) == format


@pytest.mark.parametrize("name", ["a", "a.gif", "a.heic", ".png", "a.png/"])
def test_other_suffixes_are_refused(name: str) -> None:
    if name == "a.png/":  # pathlib drops the slash, as a shell user means it
        assert format_of(name) == "PNG"
        return
    with pytest.raises(PictureError, match="PNG, JPEG or WebP"):
        format_of(name)

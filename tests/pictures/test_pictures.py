"""Picture files: what comes in is plain pixels, what goes out is nothing else; bad input gets one sentence."""

from __future__ import annotations

import io
import os
import struct
import subprocess
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageCms, PngImagePlugin

from stylecrypt_msg import pictures
from stylecrypt_msg.errors import PictureError
from stylecrypt_msg.pictures import (
    AI_MADE,
    Format,
    JpegTables,
    Subsampling,
    encode_picture,
    format_of,
    read_exactly,
    read_picture,
    same_file,
    write_atomically,
)

FORMATS: list[Format] = ["PNG", "JPEG", "WEBP"]


def scene(height: int = 48, width: int = 64) -> NDArray[np.uint8]:
    """Smooth, coloured, without any symmetry: a turn or a swapped channel shows."""
    y, x = np.mgrid[0:height, 0:width]
    return np.stack([x * 255 // width, y * 255 // height, (x + 2 * y) % 160], axis=2).astype(np.uint8)


def saved(image: Image.Image, format: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


def psnr(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> float:
    return float(10 * np.log10(255**2 / max(1e-9, float(np.mean((a.astype(float) - b) ** 2)))))


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


GREY = scene()[..., 0]


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


def linear_profile() -> bytes:
    """sRGB's primaries with tone curves of gamma 1, patched into Pillow's sRGB profile."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    for i in range(struct.unpack_from(">I", profile, 128)[0]):
        tag, offset, size = struct.unpack_from(">4sII", profile, 132 + 12 * i)
        if tag in (b"rTRC", b"gTRC", b"bTRC"):
            profile[offset : offset + size] = (b"curv" + bytes(8)).ljust(size, b"\0")
        if tag == b"desc":
            profile[offset : offset + size] = profile[offset : offset + size].replace(b"\0s\0R\0G\0B", b"\0L\0I\0N\0E")
    return bytes(profile)


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


def with_thumbnail(jpeg: bytes) -> bytes:
    small = saved(Image.fromarray(scene(8, 8)), "JPEG")
    ifd1 = struct.pack("<HHHIIHHIII", 2, 0x0201, 4, 1, 44, 0x0202, 4, 1, len(small), 0)
    ifd0 = struct.pack("<HI", 0, 14)
    tiff = b"II*\0" + struct.pack("<I", 8) + ifd0 + ifd1
    return jpeg[:2] + segment(0xE1, b"Exif\0\0" + tiff + small) + jpeg[2:]


def segment(marker: int, content: bytes) -> bytes:
    return bytes([0xFF, marker]) + struct.pack(">H", len(content) + 2) + content


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(*chunks: bytes) -> bytes:
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks) + chunk(b"IEND", b"")


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


def photo() -> NDArray[np.uint8]:
    pixels: NDArray[np.uint8] = pytest.importorskip("skimage.data").astronaut()[:256, 128:320]
    return pixels


# What is refused


def refusal(source: bytes | str | os.PathLike[str]) -> str:
    with pytest.raises(PictureError) as caught:
        read_picture(source)
    message = str(caught.value)
    assert message.endswith(".")
    assert "\n" not in message
    assert caught.value.exit_code == 1
    return message


def test_what_is_no_picture_is_refused(tmp_path: Path) -> None:
    assert "empty" in refusal(b"")
    assert "not a picture" in refusal(b"Dear all, here is the photo.")
    assert "not a picture" in refusal(b"%PDF-1.7\n")
    assert "HEIC" in refusal(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")
    assert "TIFF" in refusal(saved(Image.fromarray(scene()), "TIFF"))
    assert "folder" in refusal(tmp_path)
    assert "no file" in refusal(tmp_path / "absent.png")
    assert "\n" not in refusal("a\0b.png")


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may read everything")
def test_unreadable_file(tmp_path: Path) -> None:
    path = tmp_path / "photo.png"
    path.write_bytes(saved(Image.fromarray(scene()), "PNG"))
    path.chmod(0)
    assert "may not be read" in refusal(path)


def test_permission_is_reported_in_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    assert "may not be read" in refusal(tmp_path / "photo.png")


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP", "GIF", "BMP"])
def test_cut_off_files_are_refused(format: str) -> None:
    data = saved(Image.fromarray(scene(200, 200)), format)
    for part in (0.5, 0.9):
        assert "damaged" in refusal(data[: int(len(data) * part)])


def test_a_file_of_too_many_bytes_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    data = saved(Image.fromarray(scene()), "PNG")
    monkeypatch.setattr(pictures, "MAX_FILE_BYTES", len(data) - 1)
    assert "larger than" in refusal(data)
    (tmp_path / "photo.png").write_bytes(data)
    assert "larger than" in refusal(tmp_path / "photo.png")
    monkeypatch.setattr(pictures, "MAX_FILE_BYTES", len(data))
    assert read_picture(tmp_path / "photo.png").format == "PNG"


def bombs() -> dict[str, bytes]:
    """Small files that claim 12,000 x 12,000 or 20,000 x 20,000 pixels."""
    jpeg = saved(Image.fromarray(scene()), "JPEG")
    at = jpeg.index(b"\xff\xc0") + 5
    webp = saved(Image.fromarray(np.dstack([scene(), scene()[..., :1]])), "WEBP", exif=b"Exif\0\0II*\0", lossless=True)
    assert webp[12:16] == b"VP8X"
    side = (16_000).to_bytes(3, "little")
    return {
        "png": png(
            chunk(b"IHDR", struct.pack(">IIBBBBB", 20_000, 20_000, 8, 2, 0, 0, 0)),
            chunk(b"IDAT", zlib.compress(bytes(1000))),
        ),
        "png just above": png(
            chunk(b"IHDR", struct.pack(">IIBBBBB", 12_000, 12_000, 8, 2, 0, 0, 0)),
            chunk(b"IDAT", zlib.compress(bytes(1000))),
        ),
        "jpeg": jpeg[:at] + struct.pack(">HH", 20_000, 20_000) + jpeg[at + 4 :],
        "webp": webp[:24] + side + side + webp[30:],
        "gif": b"GIF89a" + struct.pack("<HH", 20_000, 20_000) + saved(Image.fromarray(GREY), "GIF")[10:],
    }


@pytest.mark.parametrize("name", ["png", "png just above", "jpeg", "gif"])
def test_bombs_are_refused_by_their_size(name: str) -> None:
    assert "million are read" in refusal(bombs()[name])


@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak of memory as Linux reports it")
def test_bombs_are_refused_without_the_memory_they_ask_for() -> None:
    script = (
        "import resource, sys\n"
        "from stylecrypt_msg.errors import PictureError\n"
        "from stylecrypt_msg.pictures import read_picture\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "for size in sys.argv[1:]:\n"
        "    try:\n"
        "        read_picture(sys.stdin.buffer.read(int(size)))\n"
        "    except PictureError:\n"
        "        pass\n"
        "    else:\n"
        "        sys.exit('it was read')\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)\n"
    )
    all_bombs = list(bombs().values())
    run = subprocess.run(
        [sys.executable, "-c", script, *(str(len(bomb)) for bomb in all_bombs)],
        input=b"".join(all_bombs),
        capture_output=True,
        check=True,
    )
    assert int(run.stdout) < 32 * 1024  # KiB


def scans(count: int, side: int = 64) -> bytes:
    """A grey progressive JPEG of ``count`` scans, each of which says for all blocks at once that nothing changes."""
    table = segment(0xC4, b"\x10\1" + bytes(15) + b"\xe0")  # one code: a run of 2^14 blocks and more
    blocks = (side // 8) ** 2
    scan = segment(0xDA, b"\1\1\0\1\1\0") + (b"\x7f\xff\0" * -(-blocks // 0x7FFF))
    frame = segment(0xC2, struct.pack(">BHHB", 8, side, side, 1) + b"\1\x11\0")
    return b"\xff\xd8" + segment(0xDB, bytes(1) + bytes([1] * 64)) + frame + table + scan * count + b"\xff\xd9"


def test_a_jpeg_of_endless_scans_is_refused() -> None:
    assert read_picture(scans(100)).pixels.shape == (64, 64, 3)
    assert "scans" in refusal(scans(101))
    assert "scans" in refusal(b"\xff\xd8" + segment(0xE1, b"\xff\xd9") + scans(101)[2:])  # no end in metadata
    # Nor do scans in metadata, or behind the picture, count.
    plain = saved(Image.fromarray(scene()), "JPEG")
    noise = b"\xff\xda\0\2" * 200
    assert psnr(read_picture(plain[:2] + segment(0xE9, noise) + plain[2:] + noise).pixels, scene()) > 30


SAMPLES = [
    saved(Image.fromarray(scene(20, 20)), "PNG"),
    with_thumbnail(saved(Image.fromarray(scene(20, 20)), "JPEG")),
    saved(Image.fromarray(scene(20, 20)), "WEBP", exif=b"Exif\0\0II*\0", xmp=AI_MADE),
    saved(Image.fromarray(scene(20, 20)), "GIF", comment=b"hello"),
    saved(Image.fromarray(scene(20, 20)), "BMP"),
]


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(SAMPLES), st.data())
def test_any_bytes_are_read_or_refused(sample: bytes, data: st.DataObject) -> None:
    """Damage of any kind ends in pixels or in PictureError, never in anything else."""
    damaged = bytearray(sample)
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    if data.draw(st.booleans()):
        del damaged[data.draw(st.integers(0, len(damaged) - 1)) :]
    try:
        picture = read_picture(bytes(damaged))
    except PictureError:
        return
    assert picture.pixels.ndim == 3
    assert picture.pixels.shape[2] == 3


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
    """Progressive and optimised files are made in one buffer, which noise outgrows."""
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


# Files


def test_writing_replaces_whole(tmp_path: Path) -> None:
    target = tmp_path / "out.png"
    write_atomically(target, b"first")
    write_atomically(target, b"second")
    assert target.read_bytes() == b"second"
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.skipif(os.name != "posix", reason="POSIX permissions")
def test_written_files_have_ordinary_permissions(tmp_path: Path) -> None:
    (tmp_path / "plain").write_bytes(b"")
    write_atomically(tmp_path / "out.png", b"data")
    assert (tmp_path / "out.png").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_a_failed_write_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "out.png"
    target.write_bytes(b"old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(PictureError, match="no space left on device"):
        write_atomically(target, b"new")
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]


def test_where_nothing_can_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(PictureError, match="folder does not exist"):
        write_atomically(tmp_path / "absent" / "out.png", b"")
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(PictureError, match="folder does not exist"):
        write_atomically(tmp_path / "file" / "out.png", b"")
    with pytest.raises(PictureError, match="not a file"):
        write_atomically(tmp_path, b"")

    def refuse(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)  # for root, who may write everywhere
    with pytest.raises(PictureError, match="read-only"):
        write_atomically(tmp_path / "out.png", b"")


def test_same_file_by_other_names(tmp_path: Path) -> None:
    photo = tmp_path / "photo.png"
    photo.write_bytes(b"x")
    (tmp_path / "folder").mkdir()
    assert same_file(photo, tmp_path / "folder" / ".." / "photo.png")
    assert not same_file(photo, tmp_path / "other.png")
    assert same_file(tmp_path / "new.png", tmp_path / "folder" / ".." / "new.png")
    if os.name == "posix":
        (tmp_path / "link.png").symlink_to(photo)
        assert same_file(tmp_path / "link.png", photo)

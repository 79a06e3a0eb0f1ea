"""Every kind of picture, intact, broken or hostile, and what is left behind from its file."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
import zlib
from functools import cache
from pathlib import Path

import numpy as np
import pillow_heif
import pytest
from PIL import ExifTags, Image, ImageCms, PngImagePlugin

from stylecrypt_msg.pictures import Pixels

from ..conftest import People
from ..support.command_line import AI_MADE, KEYFACE, SOMEBODY, Ended, Run, read, refused, refused_without_trace, saved


def with_everything(pixels: Pixels, marker: bytes) -> bytes:
    """A JPEG with the marker in EXIF, its thumbnail, XMP, a profile, a comment, a private segment, and after its end."""
    thumbnail = saved(pixels[::8, ::8], "JPEG", comment=marker + b" thumbnail")
    text = marker + b" description\0"
    first = 8 + 2 + 12 + 4
    second = first + len(text)
    exif = (
        b"II*\0\x08\0\0\0"
        + struct.pack("<HHHIII", 1, 0x010E, 2, len(text), first, second)
        + text
        + struct.pack("<H", 2)
        + struct.pack("<HHII", 0x0201, 4, 1, second + 2 + 24 + 4)
        + struct.pack("<HHII", 0x0202, 4, 1, len(thumbnail))
        + struct.pack("<I", 0)
        + thumbnail
    )
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes() + marker + b" profile"
    data = saved(
        pixels,
        "JPEG",
        quality=95,
        exif=b"Exif\0\0" + exif,
        xmp=b"<x>" + marker + b" xmp</x>",
        icc_profile=profile,
        comment=marker + b" comment",
    )
    private = marker + b" private"
    segment = b"\xff\xeb" + struct.pack(">H", 2 + len(private)) + private
    return data[:2] + segment + data[2:] + marker + b" after the end"


_OF_THE_FORMAT = {
    "jfif",
    "jfif_version",
    "jfif_unit",
    "jfif_density",
    "progressive",
    "progression",
    "loop",
    "background",
    "timestamp",
}


@pytest.mark.parametrize(
    ("suffix", "options"), [("png", ()), ("jpg", ("--covert",)), ("jpg", ("--portrait",)), ("webp", ())]
)
def test_nothing_of_the_original_file_is_left(suffix: str, options: tuple[str, ...], run: Run, people: People) -> None:
    marker = b"QZX73"
    photo = Path(f"{marker.decode()}-me-at-home.jpg")
    photo.write_bytes(with_everything(people.photo, marker))
    assert photo.read_bytes().count(marker) == 7
    sent = run("encrypt", photo, "-o", f"out.{suffix}", *SOMEBODY, *options, "--json").json
    assert set(sent["metadata_dropped"]) >= {
        "EXIF",
        "EXIF thumbnail",
        "XMP",
        "ICC profile",
        "comment",
        "application data",
    }
    data = Path(f"out.{suffix}").read_bytes()
    assert marker not in data
    assert (AI_MADE in data) == ("--covert" not in options)
    with Image.open(io.BytesIO(data)) as image:
        kept = set(image.info) - _OF_THE_FORMAT
        assert kept <= {"xmp", "XML:com.adobe.xmp"}
        assert not image.getexif()


def test_png_text_is_left_out_too(run: Run, people: People) -> None:
    info = PngImagePlugin.PngInfo()
    info.add_text("Comment", "QZX73 text")
    info.add_itxt("Title", "QZX73 title", zip=True)
    Path("photo.png").write_bytes(saved(people.photo, "PNG", pnginfo=info, exif=b"Exif\0\0II*\0\x08\0\0\0\0\0\0\0\0\0"))
    ended = run("encrypt", "photo.png", "-o", "out.png", *SOMEBODY)
    assert b"Left out of the file: " in ended.out
    assert b"QZX73" not in Path("out.png").read_bytes()
    with Image.open("out.png") as image:
        assert isinstance(image, PngImagePlugin.PngImageFile)
        assert set(image.text) == {"XML:com.adobe.xmp"}


def test_orientation_is_applied(run: Run, people: People) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turn clockwise to see it upright
    Path("phone.png").write_bytes(saved(np.rot90(people.photo).copy(), "PNG", exif=exif))
    assert run("encrypt", "phone.png", "-o", "out.png", *SOMEBODY).code == 0
    Path("upright.png").write_bytes(saved(people.photo, "PNG"))
    assert run("encrypt", "upright.png", "-o", "upright-out.png", *SOMEBODY).code == 0
    np.testing.assert_array_equal(read("out.png"), read("upright-out.png"))


def of_kind(kind: str, pixels: Pixels) -> bytes:
    """The photo, as another kind of file."""
    image = Image.fromarray(pixels)
    grey = image.convert("L")
    wall = Image.new("RGB", image.size, "teal")
    file = io.BytesIO()
    if kind == "16-bit PNG":
        Image.fromarray(np.asarray(grey).astype(np.uint16) * 257).save(file, "PNG")
    elif kind == "CMYK JPEG":
        image.convert("CMYK").save(file, "JPEG", quality=95)
    elif kind == "grey JPEG":
        grey.save(file, "JPEG", quality=95)
    elif kind == "palette PNG":
        image.quantize(256).save(file, "PNG")
    elif kind in ("LA PNG", "RGBA PNG", "RGBA WebP"):
        source = grey if kind == "LA PNG" else image
        source.putalpha(Image.new("L", image.size, 255))
        source.save(file, kind.split()[1].upper())
    elif kind == "HEIC":
        exif = Image.Exif()
        exif[ExifTags.Base.Artist] = "me"
        pillow_heif.from_pillow(image).save(file, quality=95, exif=exif.tobytes())
    elif kind == "animated GIF":
        image.quantize(256).save(file, "GIF", save_all=True, append_images=[wall.quantize(256)])
    elif kind == "animated WebP":
        image.save(file, "WEBP", save_all=True, append_images=[wall], quality=95)
    else:
        image.save(file, kind)
    return file.getvalue()


@pytest.mark.parametrize(
    ("kind", "left_out"),
    [
        ("16-bit PNG", ["16-bit depth"]),
        ("CMYK JPEG", []),
        ("grey JPEG", []),
        ("palette PNG", []),
        ("LA PNG", ["alpha channel"]),
        ("RGBA PNG", ["alpha channel"]),
        ("RGBA WebP", []),
        ("animated GIF", ["further frames"]),
        ("animated WebP", ["further frames"]),
        ("BMP", []),
        ("HEIC", ["EXIF"]),
        ("AVIF", []),
    ],
)
def test_every_kind_of_picture(kind: str, left_out: list[str], run: Run, people: People) -> None:
    Path("photo").write_bytes(of_kind(kind, people.photo))
    sent = run("encrypt", "photo", "-o", "out.png", *SOMEBODY, "--json").json
    assert (sent["faces_replaced"], [one for one in sent["metadata_dropped"] if one in left_out]) == (1, left_out)
    after = read("out.png")
    assert after.shape == people.photo.shape
    wall = after[:, 300:].astype(int)
    expected = people.photo[:, 300:] if "grey" not in kind and "16" not in kind and "LA" not in kind else wall
    assert np.abs(wall - expected).mean() < 12
    with Image.open("out.png") as image:
        assert getattr(image, "n_frames", 1) == 1


@cache
def png_bomb() -> bytes:
    """A PNG of 20,000 x 20,000 pixels that really unpacks to 1.2 GB; 1.2 MB here, made row by row."""
    packer = zlib.compressobj(9)
    row = bytes(1 + 3 * 20_000)
    packed = b"".join(packer.compress(row) for _ in range(20_000)) + packer.flush()

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    header = struct.pack(">IIBBBBB", 20_000, 20_000, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")


def jpeg_bomb() -> bytes:
    data = saved(np.zeros((64, 64, 3), np.uint8), "JPEG")
    at = data.index(b"\xff\xc0") + 5
    return data[:at] + struct.pack(">HH", 20_000, 20_000) + data[at + 4 :]


def broken(name: str, pixels: Pixels) -> bytes:
    if name.startswith("cut"):
        data = saved(pixels, name.split()[1])
        return data[: len(data) // 2]
    return {  # type: ignore[operator]
        "text": lambda: b"Dear sir or madam,\n" * 40,
        "nothing": lambda: b"",
        "PNG bomb": png_bomb,
        "JPEG bomb": jpeg_bomb,
        "HEIC": lambda: b"\0\0\0\x18ftypheic" + bytes(100),
        "TIFF": lambda: b"II*\0" + bytes(100),
    }[name]()


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("text", "This is not a picture"),
        ("nothing", "0 bytes"),
        ("cut JPEG", "damaged or cut off"),
        ("cut PNG", "damaged or cut off"),
        ("cut WEBP", "damaged"),
        ("PNG bomb", "million are read"),
        ("JPEG bomb", "million are read"),
        ("HEIC", "HEIC"),
        ("TIFF", "TIFF"),
    ],
)
def test_broken_pictures(name: str, says: str, run: Run, people: People, ann: Path) -> None:
    """As the photo, the stand-in, the received picture, the key face, and through a pipe."""
    data = broken(name, people.photo)
    Path("broken.jpg").write_bytes(data)
    refused_without_trace(run, says, "encrypt", "broken.jpg", "-o", "OUT", *KEYFACE)
    refused_without_trace(run, says, "encrypt", ann, "-o", "OUT", *KEYFACE, "--stand-in", "broken.jpg")
    refused_without_trace(run, says, "decrypt", "broken.jpg", "-o", "OUT", "--key-face", ann)
    refused_without_trace(run, says, "decrypt", ann, "-o", "OUT", "--key-face", "broken.jpg")
    refused_without_trace(run, says, "encrypt", "-", "-o", "OUT", *KEYFACE, stdin=data)


@pytest.mark.skipif(sys.platform != "linux", reason="limits memory as Linux does")
def test_a_bomb_takes_no_memory(run: Run) -> None:
    Path("bomb.png").write_bytes(png_bomb())
    limits = "import resource; resource.setrlimit(resource.RLIMIT_DATA, (2**30, 2**30)); "
    code = limits + "from stylecrypt_msg.cli import main; main()"
    command = [sys.executable, "-c", code, "encrypt", "bomb.png", "-o", "out.png", *KEYFACE]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=300)
    refused(Ended(ended.returncode, ended.stdout.encode(), ended.stderr), "million are read")

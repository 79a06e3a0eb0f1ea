"""The command line, as a first user and a hostile one meet it."""

from __future__ import annotations

import io
import json
import os
import re
import struct
import subprocess
import sys
import zlib
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image, ImageCms, PngImagePlugin

from stylecrypt_msg.faces import certain_faces, crop, detect_faces, face_quad
from stylecrypt_msg.models import embedded, graphs, load_model
from stylecrypt_msg.pictures import read_picture

from ..conftest import People, Pixels
from .helpers import AI_MADE, DATA, KEYFACE, SOMEBODY, TINY, Ended, Run, read, refused, refused_without_trace, saved

# ---- help, version, usage


@pytest.mark.parametrize("argument", ["--help", "--version"])
def test_help_and_version_come_without_torch(argument: str) -> None:
    command = [sys.executable, "-X", "importtime", "-c", "from stylecrypt_msg.cli import main; main()", argument]
    ended = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "stylecrypt" in ended.stdout
    imported = {
        line.rpartition("|")[2].strip() for line in ended.stderr.splitlines() if line.startswith("import time:")
    }
    assert "typer" in imported
    assert not imported & {"torch", "cv2", "numpy", "PIL", "onnxruntime"}


def test_the_program_alone_says_the_three_things_that_one_can_do(run: Run) -> None:
    ended = run()
    assert (ended.code, ended.err) == (0, "")
    shown = re.findall(r"^     stylecrypt (\w+)", ended.out.decode(), re.MULTILINE)
    assert shown == ["init", "card", "contact", "encrypt", "decrypt"]
    for command in (*shown, "demo"):
        assert f"Usage: stylecrypt {command}" in run(command, "--help").out.decode()


@pytest.mark.parametrize("command", [("model",), ("train",)])
def test_a_group_alone_shows_its_help(command: tuple[str, ...], run: Run) -> None:
    ended = run(*command)
    assert b"Usage: stylecrypt" in ended.out
    assert ended.err == ""


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("foo",), "'foo'"),
        (("--bogus",), "--bogus"),
        (("model", "bogus"), "'bogus'"),
        (("encrypt",), "photo"),
        (("encrypt", "photo.png"), "--output"),
        (("encrypt", "photo.png", "-o", "out.png"), "No recipients were given"),
        (("encrypt", "photo.png", "-o", "out.png", "--level"), "--level"),
        (("encrypt", "photo.png", "-o", "out.png", "--level", "latent"), "level latent needs at least one"),
        (("encrypt", "photo.png", "-o", "out.png", *KEYFACE, "--face", "0"), "--face"),
        (("encrypt", "photo.png", "-o", "out.png", *KEYFACE, "--face", "left"), "--face"),
        (("encrypt", "photo.png", "-o", "out.png", *KEYFACE, "--refine", "-1"), "--refine"),
        (("encrypt", "photo.png", "another.png", "-o", "out.png", *KEYFACE), "another.png"),
        (("decrypt", "photo.png", "-o", "out.png"), "no message with this picture"),
        (("demo", "--key-face", "photo.png"), "--photo"),
    ],
)
def test_wrong_usage(arguments: tuple[str, ...], says: str, run: Run, photo: Path) -> None:
    refused(run(*arguments), says)
    assert [path.name for path in Path.cwd().iterdir()] == ["photo.png"]


# ---- encrypt and decrypt


@pytest.mark.parametrize(("form", "suffix"), [("photo", "png"), ("portrait", "jpg"), ("photo", "webp")])
def test_there_and_back_from_the_file_alone(form: str, suffix: str, run: Run, photo: Path, ann: Path) -> None:
    fake, back = f"fake.{suffix}", f"back.{suffix}"
    options = ["--portrait"] if form == "portrait" else []
    sent = run("encrypt", photo, "-o", fake, *KEYFACE, "--stand-in", "somebody", "--json", *options).json
    assert {key: sent[key] for key in ("output", "level", "form", "stand_in", "faces_found", "faces_replaced")} == {
        "output": fake, "level": "keyface", "form": form, "stand_in": "somebody", "faces_found": 1, "faces_replaced": 1,
    }  # fmt: skip
    assert sent["mask"] == {"photo": "3-7", "portrait": "0-2,4-5,8-15"}[form]
    assert sent["model_hash"] == load_model().digest
    # Whatever the file was called and lay beside: only its bytes count.
    Path("elsewhere").mkdir()
    arrived = Path(fake).rename(f"elsewhere/arrived.{suffix}")
    got = run("decrypt", arrived, "-o", back, "--key-face", ann, "--json").json
    assert {key: got[key] for key in ("level", "form", "mask", "sender", "verified", "warnings")} == {
        "level": "keyface", "form": form, "mask": sent["mask"], "sender": None, "verified": False, "warnings": [],
    }  # fmt: skip
    faked, recovered, original = read(arrived), read(back), read(photo)
    assert recovered.shape == faked.shape == ((1024, 1024, 3) if form == "portrait" else original.shape)
    (face,) = certain_faces(faked)
    (left, top), (right, bottom) = face.landmarks.min(0).astype(int), face.landmarks.max(0).astype(int)
    here = slice(top, bottom), slice(left, right)
    assert np.abs(recovered[here].astype(int) - faked[here]).mean() > 4
    assert len(detect_faces(recovered)) == 1
    if suffix == "png":
        quad = face_quad(certain_faces(original)[0].landmarks)
        inside = cv2.fillConvexPoly(np.zeros(original.shape[:2], np.uint8), np.rint(quad).astype(np.int32), 1)
        outside = cv2.dilate(inside, np.ones((5, 5))) == 0
        assert outside.mean() > 0.2
        np.testing.assert_array_equal(faked[outside], original[outside])


def test_people_read_what_was_done(run: Run, photo: Path) -> None:
    ended = run("encrypt", photo, "-o", "out.png", *SOMEBODY)
    assert (ended.code, ended.err) == (0, "")
    what, likeness = ended.out.decode().splitlines()
    assert what == "out.png: 1 of 1 faces replaced, layers 3-7, stand-in somebody"
    assert likeness.startswith("dlib sees a different person: distance 0.")


def test_a_seed_gives_the_same_bytes_and_another_seed_others(run: Run, photo: Path) -> None:
    options = KEYFACE
    for name, seed in (("a", "somebody"), ("b", "somebody"), ("c", "somebody else"), ("d", "x" * 300)):
        assert run("encrypt", photo, "-o", f"{name}.png", *options, "--stand-in", seed).code == 0
    a, b, c, d = (Path(f"{name}.png").read_bytes() for name in "abcd")
    assert a == b
    assert len({a, c, d}) == 3
    # Without a seed, a new person each time, whom the result names.
    first, second = (run("encrypt", photo, "-o", "e.png", *options, "--json").json["stand_in"] for _ in range(2))
    assert first != second
    assert run("encrypt", photo, "-o", "f.png", *options, "--stand-in", second).code == 0
    assert Path("e.png").read_bytes() == Path("f.png").read_bytes()


def test_stand_in_photo(run: Run, photo: Path, ann: Path, people: People) -> None:
    Path("bea").write_bytes(saved(people.bea, "JPEG"))  # a file without a suffix is a file still
    for name, source in (("a", "ann.jpg"), ("b", "bea"), ("c", "./bea")):
        sent = run("encrypt", photo, "-o", f"{name}.png", *KEYFACE, "--stand-in", source, "--json").json
        assert sent["stand_in"] == source
    a, b, c = (Path(f"{name}.png").read_bytes() for name in "abc")
    assert a != b
    assert b == c


@pytest.mark.parametrize("name", ["missing.jpg", "folder/missing", "./missing"])
def test_a_stand_in_photo_that_is_missing_is_no_seed(name: str, run: Run, photo: Path) -> None:
    refused_without_trace(run, "There is no file", "encrypt", photo, "-o", "OUT", *KEYFACE, "--stand-in", name)


def test_several_faces(run: Run, people: People) -> None:
    Path("group.png").write_bytes(saved(people.group, "PNG"))
    ann, bea = (face_quad(face.landmarks) for face in detect_faces(people.group))

    def changed(name: str) -> list[bool]:
        after = read(name)
        return [not np.array_equal(crop(after, quad, 64), crop(people.group, quad, 64)) for quad in (ann, bea)]

    both = run("encrypt", "group.png", "-o", "both.png", *SOMEBODY, "--json").json
    assert (both["faces_found"], both["faces_replaced"], changed("both.png")) == (2, 2, [True, True])
    ended = run("encrypt", "group.png", "-o", "one.png", *SOMEBODY, "--face", 2)
    assert changed("one.png") == [False, True]
    assert b"Face 1 of 2 from the left is still to be seen" in ended.out
    one = run("encrypt", "group.png", "-o", "portrait.png", *SOMEBODY, "--face", 1, "--portrait", "--json").json
    assert (one["faces_found"], one["faces_replaced"], read("portrait.png").shape) == (2, 1, (1024, 1024, 3))

    refused_without_trace(
        run, "one face, but 2 were found", "encrypt", "group.png", "-o", "OUT", *SOMEBODY, "--portrait"
    )
    refused_without_trace(
        run, "no face 3: 2 faces were found", "encrypt", "group.png", "-o", "OUT", *SOMEBODY, "--face", 3
    )


def test_a_face_that_cannot_be_replaced_is_blurred(run: Run, people: People) -> None:
    Path("cut.png").write_bytes(saved(people.cut, "PNG"))
    ended = run("encrypt", "cut.png", "-o", "fake.png", *SOMEBODY)
    assert b"1 of 2 faces replaced, 1 blurred" in ended.out
    assert b"Face 2 of 2 from the left is blurred: the face is cut by the border of the picture." in ended.out
    kept = run("encrypt", "cut.png", "-o", "kept.png", *SOMEBODY, "--others", "keep", "--json").json
    assert (kept["faces_replaced"], kept["faces_blurred"], kept["faces_kept"]) == (1, 0, 1)
    refused_without_trace(
        run, "cut by the border of the picture", "encrypt", "cut.png", "-o", "OUT", *SOMEBODY, "--others", "refuse"
    )


def test_no_face(run: Run, people: People, ann: Path) -> None:
    Path("wall.png").write_bytes(saved(people.photo[:, 290:], "PNG"))
    refused_without_trace(run, "No face was found in the picture", "encrypt", "wall.png", "-o", "OUT", *SOMEBODY)
    decrypt = ("-o", "OUT", "--key-face")
    refused_without_trace(run, "No face was found in the picture", "decrypt", "wall.png", *decrypt, ann)
    refused_without_trace(run, "No face was found in the key face", "decrypt", ann, *decrypt, "wall.png")


def test_several_faces_arrived(run: Run, people: People, ann: Path) -> None:
    Path("group.png").write_bytes(saved(people.group, "PNG"))
    options = ("--key-face", ann)
    got = run("decrypt", "group.png", "-o", "out.png", *options, "--json").json
    assert len(got["warnings"]) == 1
    assert "2 faces were found" in got["warnings"][0]
    assert run("decrypt", "group.png", "-o", "out.png", *options, "--face", 1, "--json").json["warnings"] == []
    refused_without_trace(run, "no face 3", "decrypt", "group.png", "-o", "OUT", *options, "--face", 3)


@pytest.mark.parametrize(
    ("mask", "layers"),
    [("0-2,8-", "0-2,8-15"), ("all-but:3,6,7", "0-2,4-5,8-15"), ("eyes", "6-8"), ("paper", "0-2,4-5,8-15"), ("9", "9")],
)
def test_masks(mask: str, layers: str, run: Run, photo: Path) -> None:
    assert run("encrypt", photo, "-o", "out.png", *SOMEBODY, "--mask", mask, "--json").json["mask"] == layers


@pytest.mark.parametrize(
    ("mask", "says"),
    [("nose", "'nose' is not"), ("7-3", "backwards"), ("0-17", "this model has layers 0 to 15"), ("", "not a layer")],
)
def test_wrong_masks(mask: str, says: str, run: Run, photo: Path, ann: Path) -> None:
    refused_without_trace(run, says, "encrypt", photo, "-o", "OUT", *SOMEBODY, "--mask", mask)
    refused_without_trace(run, says, "decrypt", photo, "-o", "OUT", "--key-face", ann, "--mask", mask)


def test_refine_and_matting_are_passed_on(run: Run, photo: Path) -> None:
    outputs = set()
    for options in ((), ("--refine", "2"), ("--matting",)):
        assert run("encrypt", photo, "-o", "out.png", *SOMEBODY, *options).code == 0
        outputs.add(Path("out.png").read_bytes())
    assert len(outputs) == 3


# ---- pipes


def stylecrypt(*arguments: object, **options: Any) -> subprocess.CompletedProcess[bytes]:
    """The command as it is installed, in a process of its own."""
    command = Path(sys.executable).with_name("stylecrypt")
    return subprocess.run([command, *map(str, arguments)], stderr=subprocess.PIPE, timeout=300, **options)


def test_through_pipes(people: People) -> None:
    ended = stylecrypt(
        "encrypt", "-", "-o", "-", *SOMEBODY, input=saved(people.photo, "JPEG", quality=95), stdout=subprocess.PIPE
    )
    assert ended.returncode == 0
    said = ended.stderr.decode().splitlines()
    assert said[0] == "standard output: 1 of 1 faces replaced, layers 3-7, stand-in somebody"
    arrived = read_picture(ended.stdout)
    assert (arrived.format, arrived.pixels.shape) == ("JPEG", people.photo.shape)


@pytest.mark.parametrize(("format", "becomes"), [("PNG", "PNG"), ("GIF", "PNG"), ("WEBP", "WEBP"), ("JPEG", "JPEG")])
def test_a_pipe_keeps_the_format_where_it_can(format: str, becomes: str, run: Run, people: People) -> None:
    ended = run("encrypt", "-", "-o", "-", *SOMEBODY, stdin=saved(people.photo, format))
    assert ended.code == 0
    assert read_picture(ended.out).format == becomes


def test_json_and_picture_do_not_share_standard_output(run: Run, photo: Path) -> None:
    refused(run("encrypt", photo, "-o", "-", *SOMEBODY, "--json"), "cannot both go to standard output")


def test_nothing_on_standard_input(run: Run) -> None:
    refused_without_trace(run, "0 bytes", "encrypt", "-", "-o", "OUT", *SOMEBODY)


@pytest.mark.skipif(os.name != "posix", reason="POSIX pipes")
@pytest.mark.parametrize("command", ["picture", "text"])
def test_a_reader_that_goes_away(command: str, run: Run, photo: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    arguments = ("encrypt", photo, "-o", "-", *SOMEBODY) if command == "picture" else ("model", "list", "--json")
    try:
        ended = stylecrypt(*arguments, stdout=writing)
    finally:
        os.close(writing)
    assert (ended.returncode, ended.stderr) == (1, b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
def test_a_full_disk_behind_the_pipe(run: Run, photo: Path) -> None:
    with Path("/dev/full").open("wb") as full:
        ended = stylecrypt("encrypt", photo, "-o", "-", *SOMEBODY, stdout=full)
    assert ended.returncode == 1
    assert ended.stderr.decode().splitlines() == [
        "stylecrypt: Standard output cannot be written: no space left on device."
    ]


@pytest.mark.skipif(os.name != "posix", reason="standard input can be closed on POSIX")
def test_closed_standard_input(run: Run) -> None:
    command = f"exec {Path(sys.executable).with_name('stylecrypt')} encrypt - -o out.png --level keyface <&-"
    ended = subprocess.run(["/bin/sh", "-c", command], capture_output=True, text=True, timeout=300)
    refused(Ended(ended.returncode, ended.stdout.encode(), ended.stderr), "0 bytes")


# ---- what the file carries


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
        pixels, "JPEG", quality=95, exif=b"Exif\0\0" + exif, xmp=b"<x>" + marker + b" xmp</x>",
        icc_profile=profile, comment=marker + b" comment",
    )  # fmt: skip
    private = marker + b" private"
    segment = b"\xff\xeb" + struct.pack(">H", 2 + len(private)) + private
    return data[:2] + segment + data[2:] + marker + b" after the end"


_OF_THE_FORMAT = {
    "jfif", "jfif_version", "jfif_unit", "jfif_density", "progressive", "progression", "loop", "background", "timestamp",
}  # fmt: skip


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
        "EXIF", "EXIF thumbnail", "XMP", "ICC profile", "comment", "application data",
    }  # fmt: skip
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


# ---- pictures of every kind


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
    """As the photo, as the stand-in, as the picture that arrived, as the key face, and through a pipe."""
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


# ---- places


def test_places_that_cannot_be_written(run: Run, photo: Path) -> None:
    Path("folder.png").mkdir()
    long = "x" * 300 + ".png"
    for output, says in (
        ("out.gif", "PNG, JPEG or WebP"),
        ("out", "no suffix"),
        (".png", "no suffix"),
        ("nowhere/out.png", "the folder does not exist"),
        ("photo.png/out.png", "the folder does not exist"),
        ("folder.png", "not a file"),
        (long, "too long"),
    ):
        refused(run("encrypt", photo, "-o", output, *SOMEBODY), says)
    assert sorted(path.name for path in Path.cwd().iterdir()) == ["folder.png", "photo.png"]


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write everywhere")
def test_read_only_folder(run: Run, photo: Path) -> None:
    Path("locked").mkdir(mode=0o500)
    refused(run("encrypt", photo, "-o", "locked/out.png", *SOMEBODY), "the folder is read-only")
    assert list(Path("locked").iterdir()) == []


def test_no_picture_that_was_given_is_overwritten(run: Run, photo: Path, ann: Path) -> None:
    Path("link.png").symlink_to(photo)
    Path("folder").mkdir()
    before = photo.read_bytes()
    for same in (photo, "./photo.png", "folder/../photo.png", photo.absolute(), "link.png"):
        refused(run("encrypt", photo, "-o", same, *SOMEBODY), "would be lost")
        refused(run("encrypt", same, "-o", photo, *SOMEBODY), "would be lost")
        refused(run("encrypt", ann, "-o", same, *KEYFACE, "--stand-in", photo), "would be lost")
        refused(run("decrypt", photo, "-o", same, "--key-face", ann), "would be lost")
        refused(run("decrypt", ann, "-o", same, "--key-face", photo), "would be lost")
    assert photo.read_bytes() == before
    assert Path("link.png").is_symlink()


def test_pictures_that_are_not_there(run: Run, photo: Path) -> None:
    refused_without_trace(run, "There is no file missing.jpg", "encrypt", "missing.jpg", "-o", "OUT", *SOMEBODY)
    refused_without_trace(
        run, "There is no file missing.jpg", "decrypt", photo, "-o", "OUT", "--key-face", "missing.jpg"
    )
    Path("folder").mkdir()
    refused_without_trace(run, "is a folder", "encrypt", "folder", "-o", "OUT", *SOMEBODY)
    refused_without_trace(run, "too long", "encrypt", "x" * 300 + ".png", "-o", "OUT", *SOMEBODY)


@pytest.mark.skipif(os.name != "posix", reason="such names are no names elsewhere")
def test_hostile_names(run: Run, photo: Path) -> None:
    """A name is quoted in one line, and does nothing to the terminal that shows it."""
    hostile = "a\x1b[31m\r\n[bold]b\udcff\u202e.png"
    ended = run("encrypt", hostile, "-o", "out.png", *SOMEBODY)
    refused(ended, "[bold]b")
    assert all(character.isprintable() for line in ended.err.split("\n") for character in line)
    ended = run("encrypt", photo, "-o", hostile, *SOMEBODY)
    assert ended.code == 0
    assert b"[bold]b" in ended.out
    assert len(ended.out.splitlines()) == 2
    assert run("encrypt", photo, "-o", hostile, *SOMEBODY, "--json").json["output"] == hostile
    # A locale that cannot write the name: said with a ? in it, not a failure after the fact.
    environment = os.environ | {"PYTHONIOENCODING": "ascii:strict"}
    there = stylecrypt("encrypt", photo, "-o", "é.png", *SOMEBODY, stdout=subprocess.PIPE, env=environment)
    assert (there.returncode, there.stderr) == (0, b"")
    assert there.stdout.startswith(b"?.png: 1 of 1 faces")


# ---- models


def test_models_are_imported_listed_and_used(run: Run, photo: Path) -> None:
    assert [row["name"] for row in run("model", "list", "--json").json] == ["default"]
    row = run("model", "import", TINY, "--name", "mine", "--json").json
    assert {key: row[key] for key in ("name", "family", "image_size", "n_styles", "has_encoder")} == {
        "name": "mine", "family": "stylegan2", "image_size": 64, "n_styles": 10, "has_encoder": True,
    }  # fmt: skip
    assert run("model", "list", "--json").json[1:] == [row]
    assert Path(row["path"]).stat().st_size == row["bytes"]
    facts = run("model", "show", "mine", "--json").json
    assert (facts["name"], facts["n_styles"], facts["model_hash"]) == ("mine", 10, load_model(TINY).digest)
    table = run("model", "list").out.decode().splitlines()
    assert [line.split()[0] for line in table] == ["name", "default", "mine"]
    assert facts["model_hash"] in run("model", "show", "mine").out.decode()

    for name, model in (("a", "mine"), ("b", TINY)):
        assert run("encrypt", photo, "-o", f"{name}.png", *KEYFACE, "-m", model, "--stand-in", "x").code == 0
    assert Path("a.png").read_bytes() == Path("b.png").read_bytes()

    refused(run("model", "import", TINY, "--name", "mine"), "already")
    refused(run("model", "import", TINY, "--name", "default"), "'default'")
    refused(run("model", "import", TINY, "--name", "../mine"), "'../mine'")
    assert [row["name"] for row in run("model", "list", "--json").json] == ["default", "mine"]


def test_models_that_cannot_be_used(run: Run, photo: Path, ann: Path) -> None:
    Path("garbage.pt").write_bytes(b"garbage" * 100)
    Path("cut.pt").write_bytes(TINY.read_bytes()[:100_000])
    Path("cut.safetensors").write_bytes(b"\x40\0\0\0\0\0\0\0{" + bytes(100))
    for model, says in (
        ("garbage.pt", "not a model file"),
        ("cut.pt", "truncated"),
        ("cut.safetensors", "not a model file"),
        (photo, "not a model file"),
        ("missing.pt", "no file"),
        ("missing", "no model 'missing'"),
        ("x" * 300, "cannot be the name"),
        (DATA / "ros_tiny.pt", "no encoder"),
    ):
        refused_without_trace(run, says, "encrypt", photo, "-o", "OUT", *KEYFACE, "-m", model)
        refused_without_trace(run, says, "decrypt", photo, "-o", "OUT", "--key-face", ann, "-m", model)
        if "encoder" not in says:
            refused(run("model", "show", model), says)
        if Path(model).suffix and "encoder" not in says:
            refused(run("model", "import", model, "--name", "mine"), says)
    assert [row["name"] for row in run("model", "list", "--json").json] == ["default"]


def test_a_mask_must_fit_the_model(run: Run, photo: Path, ann: Path) -> None:
    sent = run("encrypt", photo, "-o", "fits.png", *SOMEBODY, "-m", TINY, "--mask", "8-", "--json").json
    assert sent["mask"] == "8-9"
    arguments = (photo, "-o", "OUT", "-m", TINY, "--mask", "8-15")
    refused_without_trace(run, "this model has layers 0 to 9", "encrypt", *arguments, *SOMEBODY)
    refused_without_trace(run, "this model has layers 0 to 9", "decrypt", *arguments, "--key-face", ann)


# ---- bugs, and being stopped


def test_a_bug_says_where_and_nothing_else(run: Run, photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: object) -> None:
        raise RuntimeError("secret: the style vectors are 0.1, 0.2")

    monkeypatch.setattr(cv2.FaceDetectorYN, "create", fail)
    ended = run("encrypt", photo, "-o", "out.png", *SOMEBODY)
    refused(ended, "This is a bug: RuntimeError in test_cli.py line", code=2)
    assert "secret" not in ended.err
    assert not Path("out.png").exists()


def test_being_stopped_leaves_nothing(run: Run, photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cv2.FaceDetectorYN, "create", stop)
    ended = run("encrypt", photo, "-o", "out.png", *SOMEBODY)
    assert (ended.code, ended.out, ended.err) == (130, b"", "")
    assert [path.name for path in Path.cwd().iterdir()] == ["photo.png"]


# ---- doctor and demo


def test_doctor(run: Run) -> None:
    findings = {finding["what"]: finding for finding in run("doctor", "--json").json}
    assert list(findings) == [
        "python", "onnxruntime", "embedded model", "faces", "recogniser", "matting", "torch", "training", "models folder",
    ]  # fmt: skip
    assert all(finding["state"] in ("ok", "missing") for finding in findings.values())
    assert all(findings[what]["state"] == "ok" for what in ("python", "onnxruntime", "embedded model", "faces"))
    assert all(finding["remedy"] for finding in findings.values() if finding["state"] != "ok")


def test_doctor_says_what_is_broken(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def fail(*arguments: object) -> None:
        raise cv2.error("no detector")

    monkeypatch.setattr(cv2.FaceDetectorYN, "create", fail)
    ended = run("doctor", "--json")
    assert ended.code == 1
    states = {finding["what"]: finding["state"] for finding in json.loads(ended.out)}
    assert [what for what, state in states.items() if state == "broken"] == ["round trip"]


def test_doctor_notices_another_models_weights(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded.EmbeddedModel, "digest", "0" * 64)
    ended = run("doctor")
    assert ended.code == 1
    assert b"its weights are not those published" in ended.out


def test_doctor_says_what_to_install(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    for package in ("onnxruntime", "torch", "dlib", "pymatting", "matplotlib"):
        monkeypatch.setitem(sys.modules, package, None)
    graphs.runtime.cache_clear()
    ended = run("doctor", "--json")
    graphs.runtime.cache_clear()
    assert ended.code == 1
    findings = {finding["what"]: finding for finding in json.loads(ended.out)}
    assert findings["onnxruntime"]["state"] == "broken"
    assert "pip install --force-reinstall onnxruntime" in findings["onnxruntime"]["remedy"]
    for what, extra in (("torch", "torch"), ("recogniser", "identity"), ("matting", "matting"), ("training", "train")):
        assert findings[what]["state"] == "missing"
        assert findings[what]["remedy"] == f"pip install 'stylecrypt-msg[{extra}]'"


@pytest.mark.slow
def test_demo(run: Run) -> None:
    result = run("demo", "-o", "sheets/first", "--refine", 1, "--json").json
    assert result["rows"] == ["alice, photo", "bob, photo", "carol, photo", "alice, portrait"]
    names = [f"{one}-photo" for one in ("alice", "bob", "carol")] + ["alice-portrait"]
    expected = {f"{name}{step}.jpg" for name in names for step in ("", "-original", "-recovered", "-wrong-key")}
    assert {path.name for path in Path("sheets/first").iterdir()} == expected | {"contact-sheet.jpg"}
    sheet = read(result["contact_sheet"])
    assert sheet.shape[0] > 1000
    assert sheet.shape[1] > 1000
    made = [path for path in Path("sheets/first").iterdir() if not path.stem.endswith("-original")]
    assert all(AI_MADE in path.read_bytes() for path in made)


def test_demo_on_a_photo(run: Run, photo: Path, ann: Path) -> None:
    refused(run("demo", "-o", "sheet", "--photo", "missing.jpg"), "There is no file")
    refused(run("demo", "-o", ".", "--photo", photo), "could be overwritten")
    refused(run("demo", "-o", ann, "--photo", photo), "cannot be made")
    assert not Path("sheet").exists()
    ended = run("demo", "-o", "sheet", "--photo", photo, "--key-face", ann, "--refine", 0)
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.decode().splitlines() == [f"contact sheet: {Path('sheet/contact-sheet.jpg')}"]
    expected = {
        f"you-{form}{step}.jpg"
        for form in ("photo", "portrait")
        for step in ("", "-original", "-recovered", "-wrong-key")
    }
    assert {path.name for path in Path("sheet").iterdir()} == expected | {"contact-sheet.jpg"}


def test_demo_writes_all_or_nothing(run: Run, photo: Path, people: People) -> None:
    Path("wall.png").write_bytes(saved(people.photo[:, 290:], "PNG"))
    refused(run("demo", "-o", "sheet", "--photo", photo, "--key-face", "wall.png", "--refine", 0), "No face")
    assert list(Path("sheet").iterdir()) == []


# ---- training refuses early


def test_training_refuses_what_it_cannot_use_at_once(run: Run, photo: Path) -> None:
    Path("trunk.pth").write_bytes(b"garbage")
    refused(run("train", "encoder", "--trunk", "trunk.pth"), "trunk.pth cannot be read")
    assert not Path("runs").exists()

"""Bad input gets one sentence."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from stylecrypt_msg import pictures
from stylecrypt_msg.errors import PictureError
from stylecrypt_msg.pictures import (
    AI_MADE,
    read_photo,
    read_picture,
)

from ..support.picture_files import bombs, psnr, refusal, saved, scans, scene, segment, with_thumbnail

# What is refused


def test_what_is_no_picture_is_refused() -> None:
    assert "empty" in refusal(b"")
    assert "not a picture" in refusal(b"Dear all, here is the photo.")
    assert "not a picture" in refusal(b"%PDF-1.7\n")
    for read in (read_picture, read_photo):
        assert "damaged HEIC" in refusal(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", read)
    assert "TIFF" in refusal(saved(Image.fromarray(scene()), "TIFF"))


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

"""Pictures, and what their files may hold."""

from __future__ import annotations

import io
import os
import struct
import zlib
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageCms

from stylecrypt_msg.errors import PictureError
from stylecrypt_msg.pictures import (
    Format,
    Picture,
    read_picture,
)

FORMATS: list[Format] = ["PNG", "JPEG", "WEBP"]


def scene(height: int = 48, width: int = 64) -> NDArray[np.uint8]:
    """A smooth, coloured picture without any symmetry: a turn or a swapped channel shows."""
    y, x = np.mgrid[0:height, 0:width]
    return np.stack([x * 255 // width, y * 255 // height, (x + 2 * y) % 160], axis=2).astype(np.uint8)


def saved(image: Image.Image, format: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


def psnr(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> float:
    return float(10 * np.log10(255**2 / max(1e-9, float(np.mean((a.astype(float) - b) ** 2)))))


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


def photo() -> NDArray[np.uint8]:
    pixels: NDArray[np.uint8] = pytest.importorskip("skimage.data").astronaut()[:256, 128:320]
    return pixels


def refusal(
    source: bytes | str | os.PathLike[str],
    read: Callable[[bytes | str | os.PathLike[str]], Picture] = read_picture,
) -> str:
    with pytest.raises(PictureError) as caught:
        read(source)
    message = str(caught.value)
    assert message.endswith(".")
    assert "\n" not in message
    assert caught.value.exit_code == 1
    return message


GREY = scene()[..., 0]


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


def scans(count: int, side: int = 64) -> bytes:
    """A grey progressive JPEG of ``count`` scans, each of which says for all blocks at once that nothing changes."""
    table = segment(0xC4, b"\x10\1" + bytes(15) + b"\xe0")  # one code: a run of 2^14 blocks and more
    blocks = (side // 8) ** 2
    scan = segment(0xDA, b"\1\1\0\1\1\0") + (b"\x7f\xff\0" * -(-blocks // 0x7FFF))
    frame = segment(0xC2, struct.pack(">BHHB", 8, side, side, 1) + b"\1\x11\0")
    return b"\xff\xd8" + segment(0xDB, bytes(1) + bytes([1] * 64)) + frame + table + scan * count + b"\xff\xd9"

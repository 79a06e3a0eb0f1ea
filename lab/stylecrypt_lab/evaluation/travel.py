"""What happens to a picture on its way: messengers recompress it, scale it, and drop its metadata."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
from PIL import Image

from stylecrypt_msg.pictures import Pixels, encode_picture, read_picture

__all__ = ["AS_SENT", "WAYS", "travelled"]


def _scaled(pixels: Pixels, scale: float) -> Pixels:
    if scale >= 1:
        return pixels
    height, width = (max(1, round(side * scale)) for side in pixels.shape[:2])
    return np.asarray(Image.fromarray(pixels).resize((width, height), Image.Resampling.LANCZOS))


def _jpeg(pixels: Pixels, quality: int) -> bytes:
    return encode_picture(pixels, "JPEG", quality=quality, subsampling="4:2:0")


def _halved(pixels: Pixels) -> bytes:
    return encode_picture(_scaled(pixels, 0.5), "PNG")


def _thumbnail(pixels: Pixels) -> bytes:
    """Synapse's largest default thumbnail: within 800 x 600 px, method "scale", quality 80."""
    height, width = pixels.shape[:2]
    return _jpeg(_scaled(pixels, min(800 / width, 600 / height)), 80)


AS_SENT = "PNG, as sent"

WAYS: dict[str, Callable[[Pixels], bytes]] = {
    AS_SENT: partial(encode_picture, format="PNG"),
    "JPEG q95": partial(_jpeg, quality=95),
    "JPEG q80": partial(_jpeg, quality=80),
    "JPEG q60": partial(_jpeg, quality=60),
    "WebP q80": partial(encode_picture, format="WEBP", quality=80),
    "half size": _halved,
    "Matrix thumbnail": _thumbnail,
}
"""By name: functions from pixels (H, W, 3) uint8 to the file that arrives, without metadata."""


def travelled(pixels: Pixels, way: str) -> Pixels:
    """A picture, (H, W, 3) uint8, as it looks after one of the `WAYS`; smaller if the way scales it."""
    return read_picture(WAYS[way](pixels)).pixels

"""How pictures look in a room: like those of any Matrix app. Previews are made from the picture itself,
as posted: no original is available here."""

from __future__ import annotations

from typing import Any

import blurhash
import numpy as np
from PIL import Image
from stylecrypt_protocol import Level

from stylecrypt_msg.messenger import DecryptedPhoto, EncryptedPhoto
from stylecrypt_msg.pictures import SUFFIXES, encode_picture, media_type_of, read_picture
from stylecrypt_msg.transports import Parcel
from stylecrypt_msg.transports.matrix import picture_content

from .queues import Media

__all__ = ["cover_of", "original_of", "smaller"]

_THUMBNAIL = (800, 600)  # px; as Element's
_SMALLEST = 256  # px; faces in a smaller picture are none
_BLURRED = 32  # px a side of a blurhash's source, more than it keeps


def cover_of(photo: EncryptedPhoto) -> tuple[dict[str, Any], Media]:
    """An encrypted photo as the content of an event, and its picture. Raises InputError if its envelope fits nowhere."""
    inside = photo.packed if photo.envelope is None else None
    content = picture_content(Parcel(photo.picture, photo.media_type, photo.envelope, inside))
    return _complete(content, Media(photo.picture, photo.media_type))


def smaller(photo: bytes, most_bytes: int) -> bytes:
    """A photo that has at most ``most_bytes``: itself, or a smaller JPEG. Raises PictureError."""
    if len(photo) <= most_bytes:
        return photo
    pixels = read_picture(photo).pixels
    while len(data := encode_picture(pixels, "JPEG", quality=92)) > most_bytes and min(pixels.shape[:2]) > _SMALLEST:
        pixels = np.asarray(Image.fromarray(pixels).reduce(2))
    return data


def original_of(photo: DecryptedPhoto, *, most_bytes: int) -> tuple[dict[str, Any], Media]:
    """An opened photo for its recipient, made smaller if it has more than ``most_bytes``."""
    pixels, made = photo.pixels, photo.level is not Level.ORIGINAL
    format = SUFFIXES.get(photo.suffix, "PNG")
    data = photo.encoded() if photo.suffix in SUFFIXES else encode_picture(pixels, format)
    while len(data) > most_bytes:
        format = "JPEG"
        data = encode_picture(pixels, format, quality=92, ai_made=made)
        pixels = np.asarray(Image.fromarray(pixels).reduce(2))
    media_type = media_type_of(format)
    return _complete(picture_content(Parcel(data, media_type)), Media(data, media_type))


def _complete(content: dict[str, Any], media: Media) -> tuple[dict[str, Any], Media]:
    """Adds a thumbnail and a blurhash."""
    pixels = read_picture(media.picture).pixels
    small = Image.fromarray(pixels)
    small.thumbnail(_THUMBNAIL, Image.Resampling.LANCZOS)
    thumbnail = encode_picture(np.asarray(small), "JPEG", quality=80)
    blurred = np.asarray(small.resize((_BLURRED, _BLURRED), Image.Resampling.BILINEAR))
    info = {
        **content["info"],
        "thumbnail_info": {"mimetype": "image/jpeg", "size": len(thumbnail), "w": small.width, "h": small.height},
        # The name that apps use until the specification has one (MSC2448).
        "xyz.amorgan.blurhash": str(blurhash.encode(blurred, 4, 3)),
    }
    return {**content, "info": info}, Media(media.picture, media.media_type, thumbnail)

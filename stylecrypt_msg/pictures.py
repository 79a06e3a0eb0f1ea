"""Picture files: bytes to plain sRGB pixels, and back to bytes that carry nothing else.

A photo file holds more than its pixels: EXIF with a thumbnail of the original and its location, XMP, comments, a gain map, a
depth map, a film, an alpha channel over pixels that were meant to be hidden. `read_picture` keeps the pixels alone and
says what it dropped; `encode_picture` starts from pixels, so that there is nothing to remove.

Read: PNG, JPEG (with MPO, the two-picture JPEG of phones), WebP, GIF and BMP; by `read_photo`, HEIC and AVIF as well. Not
TIFF or the other formats that Pillow knows: each decoder is one more way in for hostile bytes, so what others sent is read
by the fewest. Of an animation the first frame is read. Written: PNG, JPEG and WebP.

A JPEG that is decoded and encoded again with its own tables has nearly the same coefficients: little is
lost, and nothing grows. So `read_picture` reports them, and `encode_picture` takes them. They tell cameras and
programs apart, so they are for sealed data only; pictures that everybody may see use `JpegTables.quality`.
"""

from __future__ import annotations

import io
import os
import re
import warnings
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, JpegImagePlugin, PngImagePlugin, WebPImagePlugin

from .colours import to_srgb
from .errors import PictureError
from .files import MAX_FILE_BYTES, read_file

__all__ = [
    "AI_MADE",
    "MAX_PHOTO_PIXELS",
    "PHOTO_SUFFIXES",
    "SUFFIXES",
    "Format",
    "JpegTables",
    "Picture",
    "Pixels",
    "Subsampling",
    "encode_picture",
    "format_of",
    "media_type_of",
    "read_exactly",
    "read_photo",
    "read_picture",
    "suffix_of",
]

Pixels: TypeAlias = NDArray[np.uint8]
"""(H, W, 3) uint8, plain sRGB."""

Format: TypeAlias = Literal["PNG", "JPEG", "WEBP"]

Subsampling: TypeAlias = Literal["4:4:4", "4:2:2", "4:2:0"]
"""How many colour samples a JPEG has: as many as brightness samples, half as many across, or half as many both ways."""

SUFFIXES: dict[str, Format] = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}
"""Of the files that we write, and look for in folders; in lower case."""

PHOTO_SUFFIXES = (*SUFFIXES, ".avif", ".bmp", ".gif", ".heic", ".heif", ".hif", ".jfif", ".mpo")
"""Of the files that `read_photo` reads, in lower case."""

MAX_PHOTO_PIXELS = 120_000_000
"""Holds the 108 MP of many phones. Decoded, that is 360 MB, with a few copies in use at a time."""

_MAX_HALVED = 4 * MAX_PHOTO_PIXELS
"""JPEG photos of up to so many pixels, such as a phone's 200 MP, are read at half their width and height."""

_MAX_SCANS = 100
"""A progressive JPEG has 10 scans or a few more. Each costs a pass over the whole picture, and can be as small as 200 bytes:
without a limit, a file of 1 MB would keep a processor busy for minutes."""

_WRITTEN_FORMATS = ("PNG", "JPEG", WebPImagePlugin.WebPImageFile.format)
_READ_FORMATS = (*_WRITTEN_FORMATS, "GIF", "BMP")  # the JPEG plugin reads MPO
_PHONE_FORMATS = ("HEIF", "AVIF")
_SUBSAMPLINGS: dict[int, Subsampling] = {0: "4:4:4", 1: "4:2:2", 2: "4:2:0"}  # Pillow's numbers for them

# EXIF orientation, 2 to 8, to the transposition that makes the picture upright (EXIF 2.32, tag 0x0112).
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_ACROSS_TO_DOWN = tuple(_UPRIGHT[orientation] for orientation in (5, 6, 7, 8))

AI_MADE = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/">'
    b'<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    b'<rdf:Description rdf:about="" xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"'
    b" Iptc4xmpExt:DigitalSourceType="
    b'"http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"/>'
    b"</rdf:RDF></x:xmpmeta>"
)
"""The XMP packet that marks a picture as made in part by a model (IPTC Digital Source Type)."""


@dataclass(frozen=True)
class JpegTables:
    """The quantisation of a JPEG file.

    ``quantisation`` holds one to three tables, for Y, Cb and Cr; the last one also serves for missing ones;
    each has 64 values, row by row (ITU-T T.81, B.2.4.1, without its zigzag).
    """

    quantisation: tuple[tuple[int, ...], ...]
    subsampling: Subsampling

    @property
    def quality(self) -> int:
        """The quality, 1 to 100, whose standard tables come closest in strength."""
        standard = _standard_tables()[:, : len(self.quantisation)]
        own = np.array(self.quantisation[: standard.shape[1]])
        # In bits, over all coefficients: rotating the tables does not change it.
        return 1 + int(abs(np.log(standard).sum((1, 2)) - np.log(own).sum()).argmin())


@cache
def _standard_tables() -> NDArray[np.int_]:
    """(100, 2, 64): for each quality from 1, the tables for brightness and for colours, as the IJG's libjpeg scales them."""
    with Image.open(io.BytesIO(_saved(Image.new("RGB", (1, 1)), "JPEG", quality=50))) as image:
        tables = _jpeg_tables(image)
    assert tables is not None  # noqa: S101 - we wrote it
    quality = np.arange(1, 101)
    scale = np.where(quality < 50, 5000 // quality, 200 - 2 * quality)[:, None, None]  # percent
    return np.asarray(np.clip((np.array(tables.quantisation) * scale + 50) // 100, 1, 255), np.int_)


@dataclass(frozen=True, eq=False)
class Picture:
    """What was read from a picture file.

    ``pixels`` is (H, W, 3) uint8, sRGB, upright and read-only. ``format`` is that of the file ("PNG",
    "JPEG", "WEBP", "GIF", "BMP", "HEIF", "AVIF"). ``dropped`` names what else the file held, in the order in which a
    person would want to know. ``jpeg`` is the quantisation of a JPEG file, turned as ``pixels`` are;
    None if it cannot be written again (CMYK, 4:1:1), and for other formats.
    """

    pixels: NDArray[np.uint8]
    format: str
    dropped: tuple[str, ...]
    jpeg: JpegTables | None = None


def read_picture(source: bytes | str | os.PathLike[str]) -> Picture:
    """The picture in a file, or in the bytes of one.

    Orientation is applied, colours are converted to sRGB, transparency is laid over white, 16 bits become 8.

    Raises PictureError when there is no such file, or it is not a picture, damaged, too large or of a format not read.
    """
    return _read(source, _READ_FORMATS)


def read_photo(source: bytes | str | os.PathLike[str]) -> Picture:
    """As `read_picture`, but of HEIC and AVIF, too, the formats of phones. For files of the user's own."""
    return _read(source, (*_READ_FORMATS, *_PHONE_FORMATS))


def _read(source: bytes | str | os.PathLike[str], formats: tuple[str, ...]) -> Picture:
    data = source if isinstance(source, bytes) else read_file(source)
    _check_bytes(data)
    if _is_iso(data) and "HEIF" in formats:
        import pi_heif  # for few files, and 20 ms

        pi_heif.register_heif_opener(thumbnails=False)
    # Pillow warns about sizes (we have a limit of our own) and about damaged metadata (we drop it).
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            image = Image.open(io.BytesIO(data), formats=formats)
        except Image.DecompressionBombError:
            raise _too_many_pixels() from None
        except Exception:  # of many types, on hostile bytes; none means a bug in the caller
            raise _unreadable(data) from None
        with image:
            halved = image.format == "JPEG" and MAX_PHOTO_PIXELS < image.width * image.height <= _MAX_HALVED
            if image.width * image.height > MAX_PHOTO_PIXELS and not halved:
                raise _too_many_pixels(image.size)
            end = _check_scans(data) or _end_of_png(data)
            try:
                if halved:
                    image.draft(None, (image.width // 2, image.height // 2))
                whole = _completed(image, data) or image
                dropped, jpeg = _dropped(whole, data, end), None if halved else _jpeg_tables(whole)
                pixels = np.asarray(_upright(_plain(whole, data), whole))
            except MemoryError:
                raise _too_many_pixels(image.size) from None
            except Exception:
                raise PictureError(
                    "The picture is damaged or cut off: its pixels cannot be read to the end.",
                    hint="Open it in a viewer and save it again, or download it again.",
                ) from None
    pixels.setflags(write=False)
    if halved:
        dropped = ("three quarters of its pixels", *dropped)
    return Picture(pixels, "JPEG" if image.format == "MPO" else str(image.format), dropped, jpeg)


def _completed(image: Image.Image, data: bytes) -> Image.Image | None:
    """Loads an image. Returns another one in its place if it is a JPEG that lacks nothing but its last marker: then it does not
    matter what is taken to follow. Raises OSError if pixels are missing."""
    try:
        image.load()
    except OSError:
        if image.format not in ("JPEG", "MPO"):
            raise
    else:
        return None
    ended, filled = (Image.open(io.BytesIO(data + more), formats=("JPEG",)) for more in (b"\xff\xd9", _FILLER))
    if np.array_equal(np.asarray(ended), np.asarray(filled)):
        return ended
    raise OSError("cut off")


def read_exactly(data: bytes, width: int, height: int) -> NDArray[np.uint8]:
    """The pixels, (H, W, 3) uint8, of a file that we write, as they are coded: no orientation or profile is applied.

    Raises PictureError when the file is not PNG, JPEG or WebP, not of three 8-bit colours, damaged, or not of this size. The
    size is checked before anything is decoded.
    """
    _check_scans(data)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with Image.open(io.BytesIO(data), formats=_WRITTEN_FORMATS) as image:
                if image.size == (width, height) and image.mode == "RGB":
                    return np.asarray(image)
        except Exception:  # as in read_picture
            raise PictureError("The picture is damaged, or neither PNG, JPEG nor WebP.") from None
    raise PictureError(f"The picture is not one of {width} x {height} pixels in colour.")


def encode_picture(
    pixels: NDArray[np.uint8],
    format: Format,
    *,
    quality: int = 95,
    subsampling: Subsampling = "4:4:4",
    tables: JpegTables | None = None,
    progressive: bool = False,
    lossless: bool = False,
    ai_made: bool = False,
) -> bytes:
    """A picture file of ``pixels``, (H, W, 3) uint8 sRGB, and of nothing else.

    ``quality``, 1 to 100, is for JPEG and WebP, ``subsampling`` for JPEG; ``tables``, if given, replace both.
    A ``progressive`` JPEG is 1 to 6 % smaller, but takes three times as long to write, and twice as long to read.
    ``lossless`` makes WebP exact; PNG always is. ``ai_made`` adds the XMP packet `AI_MADE`.

    Raises PictureError when the format cannot hold a picture of this size, or the quality is out of range.
    """
    if not 1 <= quality <= 100:
        raise PictureError(f"The quality {quality} is not between 1 and 100.", hint="Use 95, or leave it out.")
    xmp = AI_MADE if ai_made else b""
    image = Image.fromarray(pixels)
    try:
        if format == "PNG":
            info = PngImagePlugin.PngInfo()
            if ai_made:
                info.add_itxt("XML:com.adobe.xmp", xmp.decode())
            return _saved(image, "PNG", pnginfo=info)
        if format == "WEBP":
            return _saved(image, "WEBP", quality=quality, lossless=lossless, xmp=xmp)
        options: dict[str, object] = {"quality": quality, "subsampling": subsampling, "xmp": xmp}
        if tables is not None:  # a quality would scale them
            options = {"qtables": tables.quantisation, "subsampling": tables.subsampling, "xmp": xmp}
        try:
            return _saved(image, "JPEG", progressive=progressive, optimize=True, **options)
        except OSError:  # for these two Pillow guesses the largest file size; noise exceeds it
            return _saved(image, "JPEG", **options)
    except (OSError, ValueError) as error:
        # WebP ends at 16,383 px a side, JPEG at 65,535.
        raise PictureError(
            f"A picture of {image.width} x {image.height} pixels cannot be written as {format}.",
            hint="Write it as PNG, or make it smaller.",
        ) from error


def _saved(image: Image.Image, format: Format, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


def suffix_of(format: str) -> str:
    """The usual suffix of files in ``format``: ".jpg", ".png", ..."""
    return {"JPEG": ".jpg", "HEIF": ".heic"}.get(format, f".{format.lower()}")


def media_type_of(format: str) -> str:
    """The media type of files in ``format``: "image/jpeg", "image/png", ..."""
    return f"image/{format.lower()}"


def format_of(path: str | os.PathLike[str]) -> Format:
    """The format that the suffix of ``path`` names. Raises PictureError unless it is .png, .jpg, .jpeg or .webp."""
    suffix = Path(path).suffix
    try:
        return SUFFIXES[suffix.lower()]
    except KeyError:
        named = f'ends in "{suffix}"' if suffix else "has no suffix"
        raise PictureError(
            f"Pictures are written as PNG, JPEG or WebP, and {Path(path).name} {named}.",
            hint="Give the output a name that ends in .png, .jpg or .webp.",
        ) from None


def _check_bytes(data: bytes) -> None:
    if not data:
        raise PictureError("The picture is empty: 0 bytes.", hint="Download it again.")
    if len(data) > MAX_FILE_BYTES:
        raise PictureError(
            f"The picture file is larger than {MAX_FILE_BYTES // 2**20} MB.",
            hint="Save a smaller copy and use that.",
        )


_FILLER = bytes(range(0, 250, 7)) * 8 + b"\xff\xd9"
_MARKER = re.compile(rb"\xff[^\x00\x01\xd0-\xd8\xff]", re.DOTALL)  # a length follows, except at the end, FF D9


def _check_scans(data: bytes) -> int | None:
    """Refuses a JPEG file with more scans than a picture needs; other files pass. Returns where a JPEG picture ends; None if
    it does not, or is none."""
    scans, at = 0, 2
    while data.startswith(b"\xff\xd8") and (found := _MARKER.search(data, at)):
        if found[0] == b"\xff\xd9":
            return found.end()
        scans += found[0] == b"\xff\xda"
        if scans > _MAX_SCANS:
            raise PictureError(
                f"The picture is in more than {_MAX_SCANS} scans.", hint="Open it in a viewer and save it again."
            )
        at = found.end() + int.from_bytes(data[found.end() : found.end() + 2], "big")
    return None


def _end_of_png(data: bytes) -> int | None:
    return found + 8 if data.startswith(b"\x89PNG") and (found := data.find(b"IEND")) > 0 else None


def _is_iso(data: bytes) -> bool:
    """Whether it is the ISO container that HEIC and AVIF share with films."""
    return data[4:8] == b"ftyp"


def _too_many_pixels(size: tuple[int, int] | None = None) -> PictureError:
    has = f"The picture has {size[0]} x {size[1]} pixels" if size else "The picture has too many pixels"
    return PictureError(
        f"{has}; up to {MAX_PHOTO_PIXELS // 1_000_000} million are read.", hint="Make a smaller copy and use that."
    )


def _unreadable(data: bytes) -> PictureError:
    if _is_iso(data):
        return PictureError(
            "This is a film, a damaged HEIC or AVIF picture, or one that carries no message.",
            hint="Save it as JPEG first. Messages travel in PNG, JPEG and WebP pictures.",
        )
    if data[:4] in (b"II*\0", b"MM\0*"):
        return PictureError("TIFF and raw pictures are not read.", hint="Save it as PNG or JPEG first.")
    return PictureError(
        "This is not a picture, or its beginning is damaged.",
        hint="PNG, JPEG, WebP, HEIC, AVIF, GIF and BMP files are read.",
    )


def _dropped(image: Image.Image, data: bytes, end: int | None) -> tuple[str, ...]:
    """What a loaded ``image`` holds besides its pixels. ``data``: its file. ``end``: where the picture in it ends."""
    info = dict(image.info)
    exif = image.getexif()
    text = dict(getattr(image, "text", {}))
    xmp = bool(info.get("xmp")) or text.pop("XML:com.adobe.xmp", None) is not None
    found = {
        "EXIF": bool(exif) or bool(info.get("exif")),
        "EXIF thumbnail": bool(_ifd(exif, ExifTags.IFD.IFD1)),
        "GPS position": bool(_ifd(exif, ExifTags.IFD.GPSInfo)),
        "XMP": xmp,
        "IPTC": "photoshop" in info,
        "ICC profile": "icc_profile" in info,
        "comment": "comment" in info,
        "text": bool(text),
        "application data": _foreign_segments(image),
        "depth map": bool(info.get("depth_images")),
        "gain map": bool(info.get("aux")) or b"hdrgm:Version" in data,
        "data behind the picture": end is not None and image.format != "MPO" and end < len(data),
        "further frames": bool(getattr(image, "is_animated", False)),
        "alpha channel": image.has_transparency_data,
        "16-bit depth": image.mode.startswith("I"),
    }
    return tuple(name for name, is_there in found.items() if is_there)


def _ifd(exif: Image.Exif, ifd: ExifTags.IFD) -> dict[int, object]:
    try:
        return dict(exif.get_ifd(ifd))
    except Exception:  # damaged EXIF is dropped like the other
        return {}


def _foreign_segments(image: Image.Image) -> bool:
    """Other JPEG application segments, such as content credentials."""
    known = (b"JFIF", b"Exif", b"http://ns.adobe.com/", b"ICC_PROFILE", b"Photoshop", b"Adobe")
    if not isinstance(image, JpegImagePlugin.JpegImageFile):
        return False
    return any(name != "COM" and not content.startswith(known) for name, content in image.applist)


def _jpeg_tables(image: Image.Image) -> JpegTables | None:
    """The quantisation of a loaded ``image``, turned as `_upright` turns its pixels."""
    if not isinstance(image, JpegImagePlugin.JpegImageFile) or image.mode not in ("RGB", "L"):
        return None
    tables = [tuple(image.quantization.get(layer[3], ())) for layer in image.layer]
    if not all(len(table) == 64 for table in tables):
        return None  # one of them comes later in the file, which is rare, and Pillow does not keep it
    # Grey has no colours to sample: take the fewest.
    subsampling = _SUBSAMPLINGS.get(JpegImagePlugin.get_sampling(image)) if image.mode == "RGB" else "4:2:0"
    if _turn(image) in _ACROSS_TO_DOWN:
        tables = [tuple(table[i % 8 * 8 + i // 8] for i in range(64)) for table in tables]
        if subsampling == "4:2:2":
            return None  # halved both before and after, but the other way
    while len(tables) > 1 and tables[-1] == tables[-2]:
        del tables[-1]
    return subsampling and JpegTables(tuple(tables), subsampling)


def _plain(image: Image.Image, data: bytes) -> Image.Image:
    """The loaded ``image`` in mode RGB, in sRGB, over white."""
    shown = image
    if image.mode.startswith("I"):  # 16 bits of grey
        shown = Image.fromarray((np.asarray(image).clip(0, 65535) / 257 + 0.5).astype(np.uint8))
    alpha = image.convert("RGBA").getchannel("A") if image.has_transparency_data else None
    if shown.mode not in ("RGB", "L", "CMYK"):
        shown = shown.convert("L" if shown.mode in ("1", "LA", "La") else "RGB")
    shown.info, shown.format = image.info, image.format
    shown = to_srgb(shown, data)
    if alpha is None:
        return shown
    white = Image.new("RGB", shown.size, "white")
    white.paste(shown, mask=alpha)
    return white


def _upright(pixels: Image.Image, image: Image.Image) -> Image.Image:
    """``pixels`` turned as the EXIF orientation of ``image`` says."""
    turn = _turn(image)
    return pixels if turn is None else pixels.transpose(turn)


def _turn(image: Image.Image) -> Image.Transpose | None:
    return _UPRIGHT.get(image.getexif().get(ExifTags.Base.Orientation, 1))

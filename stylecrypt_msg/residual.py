"""The residual: sealed bytes that turn a cover back into the original, and a cover that leaves room for them.

For level ``original`` these are the pixels of the face regions, for level ``latent`` the original style vectors. Byte by
byte: protocol/SPEC.md, annex A. Signing and sealing is the protocol's business, generating pictures from style vectors that of
``cipher``.

Most photos are JPEG files. Where pixels are the file's own, and lie on its grid of blocks, coding them with its tables gives
the coefficients of the file again: a face region costs what it took up in the file, and comes back as it was. So a region is
made of whole blocks.
"""

from __future__ import annotations

import struct
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from functools import cache
from typing import TypeAlias, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from stylecrypt_msg.errors import MessageError, ModelError, PictureError
from stylecrypt_msg.pictures import Format, JpegTables, Picture, encode_picture, read_exactly

__all__ = ["MIN_PSNR", "fit_cover", "pack_faces", "pack_styles", "restore_faces", "unpack_styles"]

Pixels: TypeAlias = NDArray[np.uint8]
Value = TypeVar("Value", np.bool_, np.uint8)

MIN_PSNR = 45.0
"""Decibels of what is restored against the original; differences of 1.4 levels in 255, which nobody sees."""

_VERSION = 1
_BLOCK = 16  # px: a multiple of every size that a JPEG's blocks have, colours included
_FEATHER = 4  # px within a region's border in which it fades into the cover, which may have changed on the way
_MAX_PIECES = 128  # as many as faces
_MAX_GROWTH = 1.1  # of the file, from photo to cover with its envelope

_BOX = struct.Struct(">4H")  # left, top, columns, rows, all in blocks
_LENGTH = struct.Struct(">I")
_UNIT = 64  # of a pixel, as the protocol counts
_MAX_COORDINATE = 1 << 22  # of these units, as for the protocol's corners


def pack_faces(original: Pixels, cover: Pixels, jpeg: JpegTables | None = None) -> bytes:
    """What :func:`restore_faces` makes the ``original`` of, from the ``cover``; both (H, W, 3) uint8.

    ``cover`` is the one before it is compressed: outside the faces it equals the original. Every region in which it
    does not comes back with at least :data:`MIN_PSNR`. ``jpeg`` is what the file of the original was quantised with.
    """
    touched = (original != cover).any(axis=2)
    reach = np.ones((2 * _FEATHER + 1, 2 * _FEATHER + 1), np.uint8)
    blocks = _in_blocks(cv2.dilate(touched.astype(np.uint8), reach) > 0)
    boxes = _boxes(blocks)
    parts = [bytes([_VERSION, len(boxes)])]
    for left, top, columns, rows in boxes:
        used = blocks[top : top + rows, left : left + columns]
        area = _area(left, top, columns, rows)
        piece = original[area].copy()
        left_out = ~_in_pixels(used, piece.shape)
        # Even blocks cost next to nothing. Of their own mean colour: JPEG lets colours run over the edge by a pixel.
        means = np.asarray(cv2.resize(piece, (columns, rows), interpolation=cv2.INTER_AREA), np.uint8)
        piece[left_out] = _in_pixels(means, piece.shape)[left_out]
        file = _smallest_file(piece, touched[area], jpeg)
        parts += [_BOX.pack(left, top, columns, rows), np.packbits(used).tobytes(), _LENGTH.pack(len(file)), file]
    return b"".join(parts)


def restore_faces(data: bytes, cover: Pixels, width: int, height: int) -> Pixels:
    """The original, (height, width, 3) uint8, from a ``cover`` that was sent with ``width`` by ``height`` pixels.

    The cover may come re-encoded and resized: what :func:`pack_faces` packed is restored all the same.

    Raises:
        MessageError: ``data`` is damaged, by a later version, or not for a cover of this size.
    """
    if cover.shape[:2] == (height, width):
        result = cover.copy()
    else:
        how = cv2.INTER_AREA if width < cover.shape[1] else cv2.INTER_CUBIC
        result = np.asarray(cv2.resize(cover, (width, height), interpolation=how), np.uint8)
    for (left, top, columns, rows), used, file in _pieces(data, -(-width // _BLOCK), -(-height // _BLOCK)):
        area = _area(left, top, columns, rows)
        under = result[area]
        try:
            piece = read_exactly(file, under.shape[1], under.shape[0])
        except PictureError as error:
            raise _damaged("a face region is not a picture of its size") from error
        weight = _weight(_in_pixels(used, under.shape), area, width, height)
        result[area] = cv2.blendLinear(piece, under, weight, 1 - weight)
    return result


def fit_cover(
    source: Picture,
    cover: Pixels,
    format: Format,
    *,
    source_bytes: int,
    extra_bytes: int,
    ai_made: bool = False,
) -> bytes:
    """The file of a cover, (H, W, 3) uint8, which with ``extra_bytes`` is at most 10 % larger than the source's file.

    ``source`` is the photo, of ``source_bytes``; ``extra_bytes`` travel in the cover's file or beside it. PNG is lossless;
    else the cover is first written with the source's JPEG tables, then with falling quality. It never falls below 75:
    the file may be larger in the end, as the caller can see.

    Raises:
        PictureError: as ``encode_picture``.
    """
    if format == "PNG":
        return encode_picture(cover, "PNG", ai_made=ai_made)
    budget = int(source_bytes * _MAX_GROWTH) - extra_bytes
    tables = source.jpeg if format == "JPEG" else None
    if tables is not None:
        file = encode_picture(cover, "JPEG", tables=tables, ai_made=ai_made)
        if len(file) <= budget:
            return file
    subsampling = tables.subsampling if tables else "4:4:4"

    @cache
    def written(quality: int) -> bytes:
        return encode_picture(cover, format, quality=quality, subsampling=subsampling, ai_made=ai_made)

    qualities = range(75, 96, 2)
    too_large = bisect_right(qualities, budget, key=lambda quality: len(written(quality)))
    return written(qualities[max(too_large - 1, 0)])


def pack_styles(codes: NDArray[np.floating], landmarks: NDArray[np.float32]) -> bytes:
    """Original style vectors, (F, n_styles, dim), kept as float16, and landmarks, (F, 5, 2) in pixels, to 1/64 px.

    Raises:
        ModelError: the codes are beyond float16.
    """
    with np.errstate(over="ignore"):
        half = codes.astype("<f2")
    if not np.isfinite(half).all():
        raise ModelError(
            "The style vectors that the model made cannot be sent: they are beyond 16-bit numbers.",
            hint="Use level original, or another model.",
        )
    return bytes([_VERSION]) + np.rint(landmarks * _UNIT).astype(">i4").tobytes() + half.tobytes()


def unpack_styles(data: bytes, faces: int, n_styles: int, dim: int) -> tuple[NDArray[np.float16], NDArray[np.float32]]:
    """Style vectors (faces, n_styles, dim) float16, and landmarks (faces, 5, 2) float32 in pixels.

    Raises:
        MessageError: ``data`` is damaged, by a later version, or not of this many faces and styles.
    """
    _check_version(data)
    landmark_bytes = faces * 5 * 2 * 4
    if len(data) != 1 + landmark_bytes + faces * n_styles * dim * 2:
        raise _damaged("the style vectors are not as many as its faces and its model have")
    landmarks = np.frombuffer(data, ">i4", faces * 10, 1).reshape(faces, 5, 2)
    if landmarks.min() < -_MAX_COORDINATE or landmarks.max() > _MAX_COORDINATE:
        raise _damaged("a face is far outside of the picture")
    codes = np.frombuffer(data, "<f2", -1, 1 + landmark_bytes).reshape(faces, n_styles, dim)
    if not np.isfinite(codes).all():
        raise _damaged("a style vector is not of finite numbers")
    return codes.astype(np.float16), (landmarks / _UNIT).astype(np.float32)


# Regions of whole blocks.


def _in_blocks(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(rows, columns): the blocks of a mask (H, W) in which any pixel is set."""
    height, width = mask.shape
    whole = np.pad(mask, ((0, -height % _BLOCK), (0, -width % _BLOCK)))
    return np.asarray(whole.reshape(-(-height // _BLOCK), _BLOCK, -1, _BLOCK).any(axis=(1, 3)))


def _in_pixels(blocks: NDArray[Value], shape: tuple[int, ...]) -> NDArray[Value]:
    """What each of ``blocks`` (rows, columns, ...) says, for each of its pixels (H, W, ...) as far as ``shape`` goes."""
    return blocks.repeat(_BLOCK, axis=0).repeat(_BLOCK, axis=1)[: shape[0], : shape[1]]


def _area(left: int, top: int, columns: int, rows: int) -> tuple[slice, slice]:
    """The pixels of a box of blocks."""
    return (
        slice(top * _BLOCK, (top + rows) * _BLOCK),
        slice(left * _BLOCK, (left + columns) * _BLOCK),
    )


def _weight(region: NDArray[np.bool_], area: tuple[slice, slice], width: int, height: int) -> NDArray[np.float32]:
    """How far a ``region`` of pixels within ``area`` shows: 1, falling to the edge; the picture's border is no edge."""
    rows, columns = area
    above, left = int(rows.start > 0), int(columns.start > 0)
    around = (above, int(rows.stop < height)), (left, int(columns.stop < width))
    depth = cv2.distanceTransform(np.pad(region.astype(np.uint8), around), cv2.DIST_C, 3)
    depth = depth[above:, left:][: region.shape[0], : region.shape[1]]
    return np.asarray(np.minimum(depth / (_FEATHER + 1), 1), np.float32)


def _boxes(blocks: NDArray[np.bool_]) -> list[tuple[int, int, int, int]]:
    """Left, top, columns and rows of at most 128 boxes that hold all ``blocks`` and do not overlap: one for each face, or
    for several that are close."""
    filled = blocks.astype(np.uint8)
    while True:
        boxes = cv2.connectedComponentsWithStats(filled)[2][1:, :4].tolist()
        if len(boxes) > _MAX_PIECES:
            boxes = [cv2.boundingRect(filled)]
        before = filled.copy()
        for left, top, columns, rows in boxes:
            filled[top : top + rows, left : left + columns] = 1
        if np.array_equal(filled, before):
            return [tuple(box) for box in boxes]


def _smallest_file(piece: Pixels, touched: NDArray[np.bool_], jpeg: JpegTables | None) -> bytes:
    """The smallest file of ``piece`` that is good enough where it is ``touched``."""

    def is_good(file: bytes) -> bool:
        decoded = read_exactly(file, piece.shape[1], piece.shape[0])
        off = decoded[touched].astype(np.float32) - piece[touched]
        return bool(np.mean(off * off) <= 255**2 / 10 ** (MIN_PSNR / 10))

    def rising(format: Format) -> Iterator[bytes]:
        written = cache(lambda quality: encode_picture(piece, format, quality=quality))
        qualities = range(70, 101)
        enough = bisect_left(qualities, True, key=lambda quality: is_good(written(quality)))
        yield from map(written, qualities[enough : enough + 1])

    files = [*rising("JPEG")]
    if jpeg is not None:
        files.append(encode_picture(piece, "JPEG", tables=jpeg))
    elif max(piece.shape) < 16384:  # WebP ends there
        files += rising("WEBP")  # half as large for what WebP has gone over before, as JPEG's own tables are for JPEG
    # A few pixels alone may be off by more than either promises for many.
    return min(filter(is_good, files), key=len, default=b"") or encode_picture(piece, "PNG")


# What came from outside.


def _pieces(data: bytes, columns: int, rows: int) -> list[tuple[tuple[int, int, int, int], NDArray[np.bool_], bytes]]:
    """Box, blocks and picture file of each piece, for a picture of so many blocks. Raises MessageError."""
    _check_version(data)
    at = 1

    def take(count: int) -> bytes:
        nonlocal at
        if count > len(data) - at:
            raise _damaged("it ends too early")
        at += count
        return data[at - count : at]

    pieces = []
    taken = np.zeros((rows, columns), np.bool_)
    count = take(1)[0]
    if count > _MAX_PIECES:
        raise _damaged(f"it has {count} face regions")
    for _ in range(count):
        left, top, across, down = box = _BOX.unpack(take(_BOX.size))
        place = taken[top : top + down, left : left + across]
        if 0 in box[2:] or place.shape != (down, across) or place.any():
            raise _damaged("a face region is empty, outside of the picture, or over another one")
        place[:] = True
        packed = take(-(-across * down // 8))
        blocks = np.unpackbits(np.frombuffer(packed, np.uint8), count=across * down)
        if np.packbits(blocks).tobytes() != packed:
            raise _damaged("the map of a face region is longer than the region")
        (length,) = _LENGTH.unpack(take(_LENGTH.size))
        pieces.append((box, blocks.reshape(down, across).astype(np.bool_), take(length)))
    if at != len(data):
        raise _damaged("something follows its end")
    return pieces


def _check_version(data: bytes) -> None:
    if not data:
        raise _damaged("it is empty")
    if data[0] != _VERSION:
        raise MessageError(
            "The message holds the original in a form that this version does not know.", hint="Update StyleCrypt."
        )


def _damaged(why: str) -> MessageError:
    return MessageError(
        f"The original cannot be read from the message: {why}.", hint="Ask the sender to send it again."
    )

"""The residual: sealed bytes that turn a cover back into the original.

For level ``original`` they are the pixels of the face regions, for level ``latent`` the original style vectors. Byte by
byte: protocol/SPEC.md, annex A. The protocol signs and seals; pictures are generated from style vectors by
``cipher``.

Most photos are JPEG files. Where pixels are the file's own, and lie on its grid of blocks, coding them with its tables gives
the coefficients of the file again: a face region costs what it took up in the file, and comes back unchanged. So a region is
made of whole blocks.
"""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray
from stylecrypt_protocol.cover import UNIT
from stylecrypt_protocol.limits import MAX_FACES
from stylecrypt_protocol.residuals import BLOCK, FacePiece, FacesResidual, StylesResidual

from .errors import MessageError, ModelError, PictureError, explaining
from .pictures import Format, JpegTables, Pixels, encode_picture, read_exactly
from .quality import CELL, first_within, sample_of

__all__ = ["MIN_PSNR", "pack_faces", "pack_styles", "restore_faces", "unpack_styles"]


MIN_PSNR = 45.0
"""Decibels between the restored and the original pixels; differences of 1.4 levels in 255, which nobody sees."""

_FEATHER = 4  # px inside a region's border over which it fades into the cover, which may have changed on the way


def pack_faces(original: Pixels, cover: Pixels, jpeg: JpegTables | None = None) -> bytes:
    """What :func:`restore_faces` needs to turn the ``cover`` into the ``original``; both (H, W, 3) uint8.

    ``cover`` is not compressed yet: outside the faces it equals the original. Every region in which it
    differs comes back with at least :data:`MIN_PSNR`. ``jpeg`` is the quantisation of the original's file.
    """
    touched = _touched(original, cover)
    blocks = _in_blocks(touched)
    boxes = _boxes(blocks)
    pieces = []
    for left, top, columns, rows in boxes:
        used = blocks[top : top + rows, left : left + columns]
        area = _area(left, top, columns, rows)
        piece = original[area].copy()
        # Even blocks cost next to nothing. They get their own mean colour: JPEG lets colours run over the edge by a pixel.
        means = np.asarray(cv2.resize(piece, (columns, rows), interpolation=cv2.INTER_AREA), np.uint8)
        cv2.copyTo(_in_pixels(means, piece.shape), _in_pixels(~used, piece.shape), piece)
        file = _smallest_file(piece, np.ascontiguousarray(touched[area]), jpeg)
        chosen = np.packbits(used).tobytes()
        pieces.append(FacePiece(left=left, top=top, columns=columns, rows=rows, blocks=chosen, picture=file))
    return FacesResidual(pieces=tuple(pieces)).to_bytes()


def restore_faces(data: bytes, cover: Pixels, width: int, height: int) -> Pixels:
    """The original, (height, width, 3) uint8, from a ``cover`` that was ``width`` by ``height`` pixels when sent.

    The cover may have been re-encoded and resized: what :func:`pack_faces` packed is restored all the same.

    Raises:
        MessageError: ``data`` is damaged, of a later version, or not for a cover of this size.
    """
    if cover.shape[:2] == (height, width):
        result = cover.copy()
    else:
        how = cv2.INTER_AREA if width < cover.shape[1] else cv2.INTER_CUBIC
        result = np.asarray(cv2.resize(cover, (width, height), interpolation=how), np.uint8)
    with explaining():
        residual = FacesResidual.from_bytes(data, width=width, height=height)
    for one in residual.pieces:
        area = _area(one.left, one.top, one.columns, one.rows)
        under = result[area]
        bits = np.unpackbits(np.frombuffer(one.blocks, np.uint8), count=one.columns * one.rows)
        used = bits.reshape(one.rows, one.columns).astype(np.bool_)
        try:
            piece = read_exactly(one.picture, under.shape[1], under.shape[0])
        except PictureError as error:
            raise _damaged("a face region is not a picture of its size") from error
        weight = _weight(_in_pixels(used, under.shape), area, width, height)
        result[area] = cv2.blendLinear(piece, under, weight, 1 - weight)
    return result


def pack_styles(codes: NDArray[np.floating], landmarks: NDArray[np.float32]) -> bytes:
    """Original style vectors, (F, n_styles, dim), kept as float16, and landmarks, (F, 5, 2) in pixels, to 1/64 px.

    Raises:
        ModelError: the codes are beyond float16.
    """
    with np.errstate(over="ignore"):
        half = codes.astype("<f2")
    if not np.isfinite(half).all():
        raise ModelError(
            "The model's style vectors cannot be sent: they exceed 16-bit numbers.",
            hint="Use level original, or another model.",
        )
    points = np.rint(landmarks * UNIT).astype(int).reshape(-1, 10).tolist()
    return StylesResidual(landmarks=tuple(map(tuple, points)), codes=half.tobytes()).to_bytes()


def unpack_styles(data: bytes, faces: int, n_styles: int, dim: int) -> tuple[NDArray[np.float16], NDArray[np.float32]]:
    """Style vectors (faces, n_styles, dim) float16, and landmarks (faces, 5, 2) float32 in pixels.

    Raises:
        MessageError: ``data`` is damaged, of a later version, or not of this many faces and styles.
    """
    with explaining():
        residual = StylesResidual.from_bytes(data, faces=faces, styles=n_styles, dimensions=dim)
    codes = np.frombuffer(residual.codes, "<f2").astype(np.float16).reshape(faces, n_styles, dim)
    return codes, np.array(residual.landmarks, np.float32).reshape(faces, 5, 2) / np.float32(UNIT)


# Regions of whole blocks.


def _touched(original: Pixels, cover: Pixels) -> NDArray[np.uint8]:
    """(H, W): 255 where two pictures differ, else 0."""
    same = np.empty(original.shape[:2], np.uint8)
    for top in range(0, len(same), 128):  # a band's differences are still in the processor's cache when they are read
        band = slice(top, top + 128)
        cv2.inRange(cv2.absdiff(original[band], cover[band]), (0, 0, 0), (0, 0, 0), dst=same[band])
    return np.asarray(cv2.bitwise_not(same, dst=same), np.uint8)


def _in_blocks(touched: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """(rows, columns): the blocks of a picture with any pixel that is touched, or near one that is."""
    height, width = touched.shape
    blocks = np.zeros((-(-height // BLOCK), -(-width // BLOCK)), np.bool_)
    left, top, across, down = cv2.boundingRect(touched)
    rows, columns = (
        slice(max(start - _FEATHER, 0) // BLOCK, -(-(start + length + _FEATHER) // BLOCK))
        for start, length in ((top, down), (left, across))
    )
    area = slice(rows.start * BLOCK, rows.stop * BLOCK), slice(columns.start * BLOCK, columns.stop * BLOCK)
    reach = np.ones((2 * _FEATHER + 1, 2 * _FEATHER + 1), np.uint8)
    near = cv2.dilate(touched[area], reach)
    whole = np.pad(near, ((0, -near.shape[0] % BLOCK), (0, -near.shape[1] % BLOCK)))
    blocks[rows, columns] = whole.reshape(-1, BLOCK, whole.shape[1] // BLOCK, BLOCK).max(axis=(1, 3))
    return blocks


def _in_pixels(blocks: NDArray[np.bool_] | NDArray[np.uint8], shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """The value of each of ``blocks`` (rows, columns, ...) for each of its pixels (H, W, ...), cut to ``shape``."""
    size = blocks.shape[1] * BLOCK, blocks.shape[0] * BLOCK
    pixels = cv2.resize(blocks.view(np.uint8), size, interpolation=cv2.INTER_NEAREST)
    return np.ascontiguousarray(pixels[: shape[0], : shape[1]], np.uint8)


def _area(left: int, top: int, columns: int, rows: int) -> tuple[slice, slice]:
    """The pixels of a box of blocks."""
    return (
        slice(top * BLOCK, (top + rows) * BLOCK),
        slice(left * BLOCK, (left + columns) * BLOCK),
    )


def _weight(region: NDArray[np.uint8], area: tuple[slice, slice], width: int, height: int) -> NDArray[np.float32]:
    """How far a ``region`` of pixels within ``area`` shows: 1, falling to the edge; the picture's border is no edge."""
    rows, columns = area
    above, left = int(rows.start > 0), int(columns.start > 0)
    around = (above, int(rows.stop < height)), (left, int(columns.stop < width))
    depth = cv2.distanceTransform(np.pad(region, around), cv2.DIST_C, 3)
    depth = depth[above:, left:][: region.shape[0], : region.shape[1]]
    return np.asarray(np.minimum(depth / (_FEATHER + 1), 1), np.float32)


def _boxes(blocks: NDArray[np.bool_]) -> list[tuple[int, int, int, int]]:
    """Left, top, columns and rows of at most 128 boxes that hold all ``blocks`` and do not overlap: one for each face, or
    for several that are close."""
    filled = blocks.astype(np.uint8)
    while True:
        boxes = cv2.connectedComponentsWithStats(filled)[2][1:, :4].tolist()
        if len(boxes) > MAX_FACES:
            boxes = [cv2.boundingRect(filled)]
        before = filled.copy()
        for left, top, columns, rows in boxes:
            filled[top : top + rows, left : left + columns] = 1
        if np.array_equal(filled, before):
            return [tuple(box) for box in boxes]


def _smallest_file(piece: Pixels, touched: NDArray[np.uint8], jpeg: JpegTables | None) -> bytes:
    """The smallest file of ``piece`` that is good enough where ``touched`` is not 0."""
    worst = 255**2 / 10 ** (MIN_PSNR / 10)
    sample, sample_touched = sample_of(piece), sample_of(touched[..., None])
    if sample is not piece:  # WebP lets colours run from cell to cell
        sample_touched = sample_touched * _inside_cells(sample)
        if not sample_touched.any():  # a few pixels here and there
            sample = piece

    def enough(format: Format) -> bytes | None:
        written = cache(lambda quality: encode_picture(piece, format, quality=quality))

        def error(quality: int) -> float:
            return _error(written(quality), piece, touched)

        def guess(quality: int) -> float:
            if sample is piece:
                return error(quality)
            return _error(encode_picture(sample, format, quality=quality), sample, sample_touched)

        quality = first_within(range(70, 101), worst, guess, error)
        if quality is None:
            return None
        if format == "WEBP":
            return written(quality)
        return encode_picture(piece, format, quality=quality, progressive=True)  # the very same pixels

    files = [enough("JPEG")]
    if jpeg is not None:
        own = encode_picture(piece, "JPEG", tables=jpeg, progressive=True)
        files.append(own if _error(own, piece, touched) <= worst else None)
    elif max(piece.shape) < 16384:  # WebP's limit
        # Half as large for pixels that were WebP before, as JPEG's own tables are for JPEG.
        files.append(enough("WEBP"))
    # Both bound the mean error over many pixels; a few alone may exceed it.
    return min(filter(None, files), key=len, default=b"") or encode_picture(piece, "PNG")


def _error(file: bytes, pixels: Pixels, mask: NDArray[np.uint8]) -> float:
    """The mean squared error of ``file`` against ``pixels`` where the ``mask`` is not 0, in levels of 255."""
    decoded = read_exactly(file, pixels.shape[1], pixels.shape[0])
    return float(cv2.norm(decoded, pixels, cv2.NORM_L2SQR, mask)) / max(3 * cv2.countNonZero(mask), 1)


def _inside_cells(sample: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(H, W, 1): 1 in the cells of a sample, 0 at their edges."""
    down, across = (
        abs(np.arange(length) % cell - (cell - 1) / 2) < cell / 2 - _FEATHER
        for length, cell in zip(sample.shape, (BLOCK, CELL), strict=False)
    )
    return (down[:, None] & across).astype(np.uint8)[..., None]


def _damaged(why: str) -> MessageError:
    return MessageError(
        f"The original cannot be read from the message: {why}.", hint="Ask the sender to send it again."
    )

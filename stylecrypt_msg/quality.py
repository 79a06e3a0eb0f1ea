"""The quality of a JPEG or WebP file that keeps within a limit, found in few attempts: of a cover, and of any other.

A cover's file may be a tenth larger than the photo's was, with all that travels in it or beside it.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from functools import cache

import numpy as np
from numpy.typing import NDArray
from stylecrypt_protocol.residuals import BLOCK

from .pictures import Format, Picture, Pixels, Subsampling, encode_picture

__all__ = ["CELL", "first_within", "fit_cover", "sample_of"]


CELL = 64
"""Pixels across of a sample's cells, which are a block high: JPEG codes the mean of a block after its neighbour's."""

_MAX_GROWTH = 1.1  # of the file, from photo to cover with its envelope
_BEST, _WORST = 95, 75  # quality of a cover's file
_ACROSS = 16  # cells of a sample
_SAMPLE = 2**19  # px; for 12 megapixels they predict a file's size to 2 %


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
    otherwise the cover gets the quality of its source, or the best that fits, but never less than 75: the file may then
    exceed the limit, as the caller can see. A JPEG gets the standard tables, since its source's own reveal which camera or
    program wrote it (Kornblum, "Using JPEG quantization tables to identify imagery processed by software", 2008).

    Raises:
        PictureError: as ``encode_picture``.
    """
    if format == "PNG":
        return encode_picture(cover, "PNG", ai_made=ai_made)
    budget = int(source_bytes * _MAX_GROWTH) - extra_bytes
    tables = source.jpeg if format == "JPEG" else None
    subsampling: Subsampling = "4:4:4" if tables is None or tables.subsampling == "4:4:4" else "4:2:0"
    best = tables.quality if tables else _BEST
    qualities = range(best, min(best, _WORST) - 1, -1)

    def encode(pixels: Pixels, quality: int) -> bytes:
        return encode_picture(pixels, format, quality=quality, subsampling=subsampling, ai_made=ai_made)

    written = cache(lambda quality: encode(cover, quality))
    sample = sample_of(cover)

    def size(quality: int) -> float:
        return len(written(quality))

    def guess(quality: int) -> float:
        return size(quality) if sample is cover else len(encode(sample, quality)) * cover.size / sample.size

    if guess(best) <= budget and size(best) <= budget:
        return written(best)
    fits = first_within(qualities, budget, guess, size)
    return written(qualities[-1] if fits is None else fits)


def sample_of(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A small picture that compresses as ``pixels`` (H, W, C) do, made of cells from all over them; ``pixels`` themselves if
    they are few. The same cells for all pixels of one size."""
    height, width, channels = pixels.shape
    rows, columns = height // BLOCK, width // CELL
    count = _SAMPLE // (BLOCK * CELL)
    if rows * columns <= 2 * count:
        return pixels
    chosen = np.sort(np.random.default_rng(0).choice(rows * columns, count, replace=False))
    top, left = np.divmod(chosen.reshape(-1, _ACROSS), columns)
    cells = pixels[: rows * BLOCK, : columns * CELL].reshape(rows, BLOCK, columns, CELL, channels)
    return cells[top, :, left].swapaxes(1, 2).reshape(-1, _ACROSS * CELL, channels)


def first_within(
    qualities: range, limit: float, guess: Callable[[int], float], measured: Callable[[int], float]
) -> int | None:
    """The first of ``qualities`` at which ``measured``, which falls along them, is within the ``limit``.

    ``guess`` is the same or cheaper; it may be off by about the same factor for all of them.
    """
    guess = cache(guess)
    factor, low, high = 1.0, 0, len(qualities)
    while low < high:
        at = bisect_left(qualities, True, low, high, key=lambda quality: factor * guess(quality) <= limit)
        if at == high:
            if high < len(qualities):
                break
            at -= 1  # unlikely to do, but only the last can show that none does
        value = measured(qualities[at])
        factor = value / max(guess(qualities[at]), 1e-9)
        if value > limit:
            low = at + 1
            continue
        high = at
        if at > low and factor * guess(qualities[at - 1]) > limit:
            break
    return qualities[high] if high < len(qualities) else None

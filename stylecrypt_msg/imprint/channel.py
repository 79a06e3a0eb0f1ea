"""Bytes in the pixels of a picture, which survive what apps do to photos. SPEC.md, annex B.1.

Writer and reader scale every picture to the same working size, 1024 px on its longer side, or 768, so the reader need not
search for the scale. There the picture is cut into cells of 64 x 64 px, and each unit of the code is written into a cell by
quantisation index modulation with dither (Chen and Wornell, IEEE Trans. Inf. Theory 47(4), 2001) of seven low frequencies of
the cell's 8 x 8 blocks. The dither identifies the unit, so the writer can choose the cells where a change is least visible, and
the reader still finds every unit. Anyone who looks for an imprint finds it; this is not a secret channel.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import takewhile
from typing import Final, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray
from stylecrypt_protocol.error_correction import (
    MAX_WORDS,
    UNIT_BITS,
    UNITS_PER_WORD,
    WORD_BYTES,
    Corrected,
    correct,
    protect,
    within_reach,
)
from stylecrypt_protocol.imprint_cells import BLOCK, CELL, FREQUENCIES, LUMA, SIDES, STEP, dither

from ..pictures import Pixels

__all__ = ["MIN_PSNR", "MIN_SIDE", "Reading", "Written", "capacity", "read", "write"]

_Array = TypeVar("_Array", NDArray[np.uint8], NDArray[np.float32])

MIN_PSNR: Final = 42.0
"""The lowest PSNR in dB of a picture with an imprint against the picture without it."""
_ACROSS: Final = CELL // BLOCK
_ENLARGED: Final = 1.3  # how far a picture may be enlarged to it
MIN_SIDE: Final = math.ceil(SIDES[-1] / _ENLARGED)
"""The fewest pixels on the longer side of a picture that can hold an imprint."""

_TRIED_SIDE: Final = 1600  # px, of what apps leave
_SEEN: Final = 4.0  # standard deviations above chance at which a cell is taken to hold a unit
_FAINT: Final = 3.0  # the same, once the picture is known to hold an imprint
_TO_BE_SURE: Final = 5  # of a word's nine units, seen before the word counts
_BLURS: Final = (0.0, 0.5, 0.75, 1.0)  # px of the working size, which readers undo: scaling blurs, bilinear most
_CERTAIN: Final = 5.0  # by chance, one cell in 80 pictures reaches this
_TRACES: Final = 3  # this many such units show that there was an imprint
# The most that changes may show in a cell, see `_showing`: by eye, with more, skin looks mottled.
_SHOWING: Final = 0.07
_EVEN: Final = 0.13  # cells where whole steps would show more are left alone: too little of the code would be left
_ATTEMPTS: Final = ((1.5, 1.0), (0.8, 1.0), (0.8, 1.5), (0.8, 2.0), (0.8, 3.0))
"""Pairs: blocks smoother than this are skipped, because changes show most there; and how often each unit is written."""


@dataclass(frozen=True)
class Reading:
    """An imprint found in a picture.

    Attributes:
        payload: the bytes written; None: damaged beyond repair.
        damage: the share of its bits that were read wrongly, 0 to 1.
    """

    payload: bytes | None
    damage: float


@dataclass(frozen=True)
class Written:
    """A picture that holds an imprint.

    Attributes:
        pixels: (H, W, 3) uint8.
        survived: how many trials it survived, in their order, before the first failure.
    """

    pixels: Pixels
    survived: int


def capacity(pixels: Pixels) -> int:
    """Bytes that a picture, (H, W, 3) uint8, can hold at `MIN_PSNR` and where eyes do not see them. 0: none."""
    height, width = pixels.shape[:2]
    size = _size_to_write(width, height)
    if size is None:
        return 0
    # Each coefficient moves by up to half a step either way, uniformly: the mean square is step^2 / 12, and a little more
    # where the picture is enlarged.
    units = 0.93 * 255**2 / 10 ** (MIN_PSNR / 10) * size[0] * size[1] / (UNIT_BITS * STEP**2 / 12)
    hidden = int((_showing(_roughness(_luminance(pixels, size))) < _EVEN).sum())
    return WORD_BYTES * min(int(units) // UNITS_PER_WORD, hidden // UNITS_PER_WORD, MAX_WORDS)


def write(pixels: Pixels, payload: bytes, trials: Sequence[Callable[[Pixels], Pixels]]) -> Written | None:
    """Writes ``payload``, 1 to `MAX_WORDS` times `WORD_BYTES` bytes, into a picture, (H, W, 3) uint8.

    ``trials``, the easiest first, imitate what happens to a picture on the way; the payload is read back after each. The
    picture changes no more than surviving all of them takes, within `MIN_PSNR`. None: the payload does not survive the first
    trial.
    """
    height, width = pixels.shape[:2]
    size = _size_to_write(width, height)
    units = protect(payload)
    if size is None:
        return None
    # A large picture is tried at the size that apps leave of it, and written to only once.
    share = min(1.0, _TRIED_SIDE / max(width, height))
    tried = np.ascontiguousarray(_resized(pixels, (round(width * share), round(height * share))))
    plain = _luminance(pixels, size)
    before = _coefficients(plain)
    roughness = _roughness(plain)
    showing = _showing(roughness)
    order = np.argsort(showing)[: int((showing < _EVEN).sum())]
    short = _short(showing)[:, None]
    best: tuple[int, NDArray[np.float32]] | None = None
    for spared, copies in _ATTEMPTS:
        cells = order[: round(len(units) * copies)]
        held = np.full(len(before), -1)
        held[cells] = np.arange(len(cells)) % len(units)
        touched = np.repeat((held >= 0)[:, None] & (roughness >= spared), len(FREQUENCIES), 1)
        offset = (dither()[held] + units[held] / np.float32(2)) * np.float32(STEP)
        target = np.rint((before - offset) / STEP) * STEP + offset
        whole = np.where(touched, target - before, np.float32(0))
        change = np.sign(whole) * np.maximum(np.abs(whole) - short, 0)
        written = _changed(tried, change, size)
        if len(cells) < len(units) * copies or _psnr(tried, written) < MIN_PSNR:
            break
        survived = len(list(takewhile(lambda trial: _survives(trial(written), size, units), trials)))  # noqa: B023
        if survived > (best[0] if best else 0):
            best = survived, change
        if survived == len(trials):
            break
    return best and Written(_changed(pixels, best[1], size), best[0])


def read(pixels: Pixels) -> Reading | None:
    """Reads the imprint of a picture, (H, W, 3) uint8. None: there is none, or no trace of one is left."""
    height, width = pixels.shape[:2]
    found = False
    for size in _sizes_to_read(width, height):
        for soft in _looks(pixels, size):
            found = True
            corrected = correct(soft) if len(soft) else Corrected(None, 1.0)
            if corrected.payload is not None:
                return Reading(corrected.payload, corrected.wrong)
    return Reading(None, 1.0) if found else None


def _survives(pixels: Pixels, size: tuple[int, int], units: NDArray[np.uint8]) -> bool:
    return any(within_reach(soft, units) for soft in _looks(pixels, size))


def _looks(pixels: Pixels, size: tuple[int, int]) -> Iterator[NDArray[np.float32]]:
    """Inputs of `correct`, on the assumption of more and more blur, wherever anything is seen."""
    places = _coefficients(_luminance(pixels, size)) / np.float32(STEP)
    for blur in _BLURS:
        sharp = places * np.tile(_sharpening(blur), UNIT_BITS // len(FREQUENCIES))
        if (soft := _look(sharp)) is not None:
            yield soft


def _look(places: NDArray[np.float32]) -> NDArray[np.float32] | None:
    """The input of `correct`; no units if there are only traces. None: nothing is seen. ``places``: in steps."""
    turned = np.exp(4j * np.pi * places).astype(np.complex64)  # twice around a step: zeros and ones look alike
    score = (turned @ _turned_back()).real * np.sqrt(2 / UNIT_BITS)  # (cells, units), standard deviations
    unit, score = score.argmax(1), score.max(1)
    seen = np.zeros(MAX_WORDS * UNITS_PER_WORD, bool)
    seen[unit[score > _SEEN]] = True
    words = np.flatnonzero(seen.reshape(MAX_WORDS, UNITS_PER_WORD).sum(1) >= _TO_BE_SURE)
    if not len(words):
        traces = np.unique(unit[score > _CERTAIN])
        return np.zeros((0, UNIT_BITS), np.float32) if len(traces) >= _TRACES else None
    soft = np.zeros(((int(words[-1]) + 1) * UNITS_PER_WORD, UNIT_BITS), np.float32)
    # Even cells all look like one and the same unit: they must not count beside the cell that really holds it.
    surest = np.zeros(MAX_WORDS * UNITS_PER_WORD, np.float32)
    np.maximum.at(surest, unit, score)
    cells = np.flatnonzero((score > np.maximum(_FAINT, surest[unit] / 2)) & (unit < len(soft)))
    angle = 2 * np.pi * (places[cells] - dither()[unit[cells]])
    np.add.at(soft, unit[cells], np.cos(angle) * score[cells, None])
    return soft


@cache
def _sharpening(blur: float) -> NDArray[np.float32]:
    """(frequencies,): what undoes a Gaussian blur, whose standard deviation is ``blur`` px, in the blocks' frequencies."""
    squared = np.array([down**2 + across**2 for down, across in FREQUENCIES]) / (2 * BLOCK) ** 2  # cycles per pixel
    return np.exp(2 * np.pi**2 * blur**2 * squared).astype(np.float32)


# Sizes.


def _size(width: int, height: int, longer: int, cells: int) -> tuple[int, int]:
    return (longer, cells * CELL) if width >= height else (cells * CELL, longer)


def _sizes_to_read(width: int, height: int) -> Iterator[tuple[int, int]]:
    """Working sizes at which a picture that now has this size may have been written, the likeliest first. Scaling rounds the
    sides, so the proportions do not always determine the number of cells."""
    for longer in SIDES:
        exact = longer * min(width, height) / max(width, height) / CELL
        near = {max(round(exact), 1)}
        if abs(exact % 1 - 0.5) < 0.1:
            near |= {max(int(exact), 1), int(exact) + 1}
        for cells in sorted(near, key=lambda cells: abs(cells - exact)):
            yield _size(width, height, longer, cells)


def _size_to_write(width: int, height: int) -> tuple[int, int] | None:
    longer = next((side for side in SIDES if max(width, height) * _ENLARGED >= side), None)
    if longer is None:
        return None
    return _size(width, height, longer, max(round(longer * min(width, height) / max(width, height) / CELL), 1))


def _resized(picture: _Array, size: tuple[int, int]) -> _Array:
    if picture.shape[1::-1] == size:
        return picture
    share = max(size) / max(picture.shape[:2])
    # Averages blur most where the size hardly changes, and differently from place to place.
    how = cv2.INTER_AREA if share < 0.9 else cv2.INTER_LANCZOS4 if share < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(picture, size, interpolation=how), picture.dtype)


# Pixels to coefficients, and back.


def _luminance(pixels: Pixels, size: tuple[int, int]) -> NDArray[np.float32]:
    return np.asarray(
        cv2.transform(_resized(pixels, size).astype(np.float32), np.array([LUMA], np.float32)), np.float32
    )


@cache
def _waves() -> NDArray[np.float32]:
    """(frequencies, 64): the blocks of the orthonormal DCT."""
    at = np.arange(BLOCK)
    wave = [np.cos((2 * at + 1) * k * np.pi / (2 * BLOCK)) * np.sqrt((2 if k else 1) / BLOCK) for k in range(BLOCK)]
    return np.array([np.outer(wave[down], wave[across]).reshape(-1) for down, across in FREQUENCIES], np.float32)


def _coefficients(luminance: NDArray[np.float32]) -> NDArray[np.float32]:
    """(cells, `UNIT_BITS`), block by block."""
    height, width = luminance.shape
    blocks = luminance.reshape(height // BLOCK, BLOCK, width // BLOCK, BLOCK).swapaxes(1, 2).reshape(-1, BLOCK**2)
    values = blocks @ _waves().T
    cells = values.reshape(height // CELL, _ACROSS, width // CELL, _ACROSS, -1).swapaxes(1, 2)
    return np.ascontiguousarray(cells.reshape(-1, UNIT_BITS), np.float32)


def _picture(coefficients: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float32]:
    """(height, width): the inverse of `_coefficients`."""
    width, height = size
    cells = coefficients.reshape(height // CELL, width // CELL, _ACROSS, _ACROSS, -1).swapaxes(1, 2)
    blocks = cells.reshape(-1, len(FREQUENCIES)) @ _waves()
    rows = blocks.reshape(height // BLOCK, width // BLOCK, BLOCK, BLOCK).swapaxes(1, 2)
    return np.ascontiguousarray(rows.reshape(height, width), np.float32)


def _changed(pixels: Pixels, change: NDArray[np.float32], size: tuple[int, int]) -> Pixels:
    """A picture whose coefficients, looked at in ``size``, are changed so. Red, green and blue change alike, which changes the
    luminance alone."""
    height, width = pixels.shape[:2]
    seen = _coefficients(_resized(_resized(_picture(change, size), (width, height)), size))
    more = np.where(change == 0, np.float32(0), change - seen)  # scaling there and back takes a little away
    levels = np.rint(_resized(_picture(change + more, size), (width, height))).astype(np.int16)
    return np.asarray(cv2.add(pixels, cv2.merge([levels] * 3), dtype=cv2.CV_8U), np.uint8)


def _roughness(luminance: NDArray[np.float32]) -> NDArray[np.float32]:
    """(cells, blocks): the fine detail in a block, in levels, which hides changes. A block beside an edge is as smooth as its
    smooth side."""
    height, width = luminance.shape
    fine = luminance - cv2.GaussianBlur(luminance, (0, 0), 1.5)
    energy = cv2.resize(fine * fine, (width // 4, height // 4), interpolation=cv2.INTER_AREA)
    energy = (energy + cv2.erode(energy, np.ones((3, 3), np.uint8))) / 2
    blocks = np.sqrt(cv2.resize(energy, (width // BLOCK, height // BLOCK), interpolation=cv2.INTER_AREA))
    cells = blocks.reshape(height // CELL, _ACROSS, width // CELL, _ACROSS).swapaxes(1, 2)
    return np.asarray(cells.reshape(-1, _ACROSS**2), np.float32)


def _showing(roughness: NDArray[np.float32]) -> NDArray[np.float32]:
    """(cells,): how much changes show in a cell, 0 to 1 for an even one."""
    return np.asarray((1 / (roughness + 1) ** 2).mean(1), np.float32)


def _short(showing: NDArray[np.float32]) -> NDArray[np.float32]:
    """(cells,): by how many levels coefficients stay short of their values, so that no cell shows more than `_SHOWING`.

    Whole changes are uniform, up to half a step; all shortened by s, they keep (1 - 2 s / step)^3 of their energy.
    """
    return np.asarray(STEP / 2 * (1 - np.cbrt(_SHOWING / np.maximum(showing, _SHOWING))), np.float32)


def _psnr(one: Pixels, other: Pixels) -> float:
    return float(cv2.PSNR(one, other))


@cache
def _turned_back() -> NDArray[np.complex64]:
    return np.ascontiguousarray(np.exp(-4j * np.pi * dither()).astype(np.complex64).T)

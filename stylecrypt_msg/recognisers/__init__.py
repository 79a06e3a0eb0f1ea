"""Face recognisers, which tell whether a fake still looks like its sender.

One comes with the package: SFace (Zhong et al., "SFace: Sigmoid-Constrained Hypersphere Loss for Robust Face Recognition",
2021), from OpenCV Zoo. The extra ``identity`` brings dlib's ResNet (King, "High Quality Face Recognition with Deep Metric
Learning", 2017). The paper's own are read from files: ArcFace (Deng et al. 2019, arXiv 1801.07698) as ONNX, and BlendFace
(Shiohara, Yang and Taketomi 2023, arXiv 2307.10854) as its authors' checkpoint. Any object that implements `Recogniser` will
do. What a distance means is up to the caller.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Sequence
from functools import cache
from importlib import resources, util
from pathlib import Path
from threading import Lock
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError, ModelError, Remedy, os_reason
from ..faces import crop

__all__ = ["ARCFACE_CHIP", "DLIB_CHIP", "Recogniser", "installed_recognisers", "load_recogniser"]

DLIB_CHIP = (0.15, 0.26, 0.70)
"""Where dlib's face chip (150 px, a quarter of padding) lies in FFHQ's square: left, top and side, of the square's side.

Both place eyes and mouth, so one crop serves all. Fitted on 126 photos to the chips of dlib's own five landmarks:
distances between two people differ from those on dlib's chips by 0.02 (root mean square).
"""

ARCFACE_CHIP = (0.111, 0.105, 0.777)
"""Where ArcFace's crop (112 px) lies in FFHQ's square, likewise.

Fitted by least squares on 98 faces, so that YuNet's landmarks meet the five points that InsightFace aligns to
(``arcface_dst`` of its ``face_align.py``): 2.1 px apart each way (root mean square).
"""

_CHIP_SIZE = 150
_ARCFACE_SIZE = 112
_SFACE = "face_recognition_sface_2021dec_half.onnx"
_MAX_FILE = 2**30  # bytes; ArcFace's largest ResNet, with 200 layers, has 0.5 GB
# dlib parses this file in C++ and trusts it: only the published one is read.
_MODEL = "dlib_face_recognition_resnet_model_v1.dat"
_MODEL_DIGEST = "55533b28a95800a551ba546ba62fe69625c7e95a7061c338adffead08719da30"


class Recogniser(Protocol):
    """Tells people apart by the Euclidean distance between descriptors of their faces. Threads may share one.

    Attributes:
        name: for people to read.
        threshold: two faces closer than this are the same person.
        strict: a distance that hardly any two people fall below, for few false alarms.
    """

    name: str
    threshold: float
    strict: float

    def describe(self, squares: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """N squares, each (S, S, 3) uint8 RGB of any size, aligned as `faces.crop` does -> descriptors (N, D) float32."""


class _Dlib:
    name = "dlib"
    threshold = 0.6  # dlib's own; scripts/figures/measure_recognisers.py finds 0.55 for one false match in a thousand
    strict = 0.5

    def __init__(self, network: Any) -> None:
        self._network = network
        self._lock = Lock()  # a forward pass keeps its activations in the network

    def describe(self, squares: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        if not squares:
            return np.empty((0, 128), np.float32)
        chips = [_chip(square, DLIB_CHIP, _CHIP_SIZE) for square in squares]
        with self._lock:
            return np.array(self._network.compute_face_descriptor(chips), np.float32)


class _Angular:
    """A recogniser trained with an angular margin: ``network`` takes chips (1, 3, 112, 112), RGB in [-1, 1].

    Two pictures with a cosine above ``same`` show the same person, and with one above ``sure`` hardly ever two people.
    Descriptors have length 1, so their distance d and the cosine c between them are equivalent: d * d = 2 - 2 * c.
    """

    def __init__(
        self, name: str, network: Callable[[NDArray[np.float32]], NDArray[np.float32]], same: float, sure: float
    ) -> None:
        self.name = name
        self.threshold, self.strict = (math.sqrt(2 - 2 * cosine) for cosine in (same, sure))
        self._network = network
        self._length = self._run(np.zeros((_ARCFACE_SIZE, _ARCFACE_SIZE, 3), np.uint8)).size

    def describe(self, squares: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        # One at a time: many ONNX files take one.
        described = [self._run(_chip(square, ARCFACE_CHIP, _ARCFACE_SIZE)) for square in squares]
        return np.stack(described) if described else np.empty((0, self._length), np.float32)

    def _run(self, chip: NDArray[np.uint8]) -> NDArray[np.float32]:
        image = chip.astype(np.float32).transpose(2, 0, 1)[None] / 127.5 - 1
        descriptor = self._network(image).reshape(-1)
        if not np.isfinite(descriptor).all():
            raise ValueError("the network's output is not finite")
        return np.asarray(descriptor / max(float(np.linalg.norm(descriptor)), 1e-12), np.float32)


def _chip(square: NDArray[np.uint8], place: tuple[float, float, float], size: int) -> NDArray[np.uint8]:
    """The recogniser's crop, (size, size, 3) uint8, that lies at ``place`` in an aligned square."""
    left, top, side = place
    corners = np.array([(left, top), (left + side, top), (left + side, top + side), (left, top + side)])
    return crop(square, square.shape[0] * corners, size)


_loading = Lock()


def load_recogniser(which: str) -> Recogniser:
    """The recogniser "sface", "dlib" (of the extra ``identity``), "arcface:FILE" or "blendface:FILE".

    The first two are loaded once, by whichever thread asks first. ArcFace's FILE is an ONNX model that takes RGB from -1 to
    1, such as ``w600k_r50.onnx`` of InsightFace; BlendFace's is its authors' ``blendface.pt``, or another checkpoint of a
    ResNet from InsightFace's ``arcface_torch``. No file runs code.

    Raises InputError when there is no such recogniser, its package is missing (the remedy says how to install it), or its
    file cannot be used.
    """
    kind, _, file = which.partition(":")
    if which in ("sface", "dlib"):
        with _loading:
            return _load_sface() if which == "sface" else _load_dlib()
    if kind not in ("arcface", "blendface") or not file:
        raise InputError(f"There is no recogniser {which!r}.", hint="Give sface, dlib, arcface:FILE or blendface:FILE.")
    path = Path(file)
    try:
        if path.stat().st_size > _MAX_FILE:
            raise InputError(f"{path} is larger than any face recogniser ({_MAX_FILE >> 30} GiB).")
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        network = _onnx(path.read_bytes(), path.name) if kind == "arcface" else _blendface(path)
    except OSError as error:
        raise InputError(
            f"{path} cannot be read: {os_reason(error)}.", hint="Check the name and the folder."
        ) from error
    try:
        # InsightFace's own comparison of two pictures says "likely to be" and "are" the same person for cosines above these.
        # BlendFace's authors give none.
        return _Angular(f"{kind} {digest[:12]}", network, same=0.20, sure=0.28)
    except Exception as error:  # of any type, when the network is not as described
        raise InputError(
            f"{path} is not a recogniser that takes aligned faces of {_ARCFACE_SIZE} px.",
            hint="Use InsightFace's w600k_r50.onnx for arcface, blendface.pt for blendface, or one like them.",
        ) from error


def installed_recognisers() -> tuple[Recogniser, ...]:
    """Those that tell senders whether a fake still looks like them: SFace, and dlib's if it is installed."""
    try:
        return load_recogniser("sface"), load_recogniser("dlib")
    except InputError:
        return (load_recogniser("sface"),)


def _onnx(data: bytes, name: str) -> Callable[[NDArray[np.float32]], NDArray[np.float32]]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # the error is raised as well
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # busy-waiting slows what runs beside it
    try:
        session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # of many types, for files of another kind
        raise InputError(f"{name} is not an ONNX model that can be run.", hint="Copy or download it again.") from error
    taken = session.get_inputs()[0].name
    return lambda image: np.asarray(session.run(None, {taken: image})[0], np.float32)


def _blendface(path: Path) -> Callable[[NDArray[np.float32]], NDArray[np.float32]]:
    try:
        from .iresnet import load_iresnet
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        raise InputError(
            "BlendFace runs on PyTorch, which is not installed.", remedy=Remedy.INSTALL_EXTRA, extra="torch"
        ) from error
    return load_iresnet(path, _MAX_FILE)


@cache
def _load_sface() -> _Angular:
    try:
        data = resources.files(__package__).joinpath("data", _SFACE).read_bytes()
        network = _onnx(data, _SFACE)
        # The file takes values from 0 to 255. One false match in a thousand lies at a cosine of 0.37, one in ten thousand
        # at 0.44: scripts/figures/measure_recognisers.py says on whom. Its authors give 0.363.
        return _Angular("SFace", lambda image: network(127.5 * image + 127.5), same=0.37, sure=0.44)
    except Exception as error:  # of many types: a file that is missing, cut off, or another one
        raise ModelError(
            "The face recogniser SFace is missing or damaged.", remedy=Remedy.REINSTALL, package="stylecrypt-msg"
        ) from error


@cache
def _load_dlib() -> _Dlib:
    # Located, not imported: the package's own code needs a part of setuptools that is gone, and only its data is needed.
    found = util.find_spec("face_recognition_models")
    try:
        if found is None or found.origin is None:
            raise ModuleNotFoundError
        import dlib

        path = Path(found.origin).with_name("models") / _MODEL
        data = path.read_bytes()
    except (ImportError, OSError) as error:
        raise InputError(
            "The face recogniser is not installed.", remedy=Remedy.INSTALL_EXTRA, extra="identity"
        ) from error
    if hashlib.sha256(data).hexdigest() != _MODEL_DIGEST:
        raise InputError(
            f"The face recogniser's model, {path}, is not the one that dlib's author published.",
            remedy=Remedy.REINSTALL,
            package="face_recognition_models",
        )
    try:
        return _Dlib(dlib.face_recognition_model_v1(str(path)))
    except RuntimeError as error:  # dlib opens no path outside the system's own character set
        raise InputError(
            f"dlib cannot open the face recogniser's model, {path}.",
            hint="Install into a folder whose path has plain letters only.",
        ) from error

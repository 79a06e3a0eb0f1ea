"""``doctor``: tries what the commands need, and says what to do about what does not work."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib import metadata, util

from ..errors import StyleCryptError
from . import console
from .remedies import advice

__all__ = ["run"]


@dataclass(frozen=True)
class _Finding:
    """``state``: "ok", "missing" (optional) or "broken"; only the last makes the command fail."""

    what: str
    state: str
    detail: str
    remedy: str = ""


def _python() -> _Finding:
    return _Finding("python", "ok", f"{platform.python_version()} on {platform.system()} {platform.machine()}")


def _onnxruntime() -> _Finding:
    from ..models import graphs

    return _Finding("onnxruntime", "ok", f"{graphs.runtime().__version__}, {graphs.threads()} threads")


def _embedded_model() -> _Finding:
    from ..models import load_model
    from ..models.embedded import EmbeddedModel

    model = load_model("default")
    if not isinstance(model, EmbeddedModel) or not model.intact():
        return _Finding("embedded model", "broken", "its weights are not those published", "Reinstall stylecrypt-msg.")
    return _Finding("embedded model", "ok", f"{model.image_size} px, hash {model.digest[:16]}")


def _round_trip() -> _Finding:
    """A face of the model's own must be found by the detector, and be read again: each part of the model, once."""
    from ..cipher import to_images, to_pixels
    from ..faces import certain_faces
    from ..models import load_model
    from ..standins import stand_in

    model = load_model("default")
    (made,) = to_pixels(model.synthesize(stand_in(model, "doctor", model.latent_avg[None])))
    found = certain_faces(made)
    model.encode(to_images([made]), steps=1)
    if len(found) != 1:
        return _Finding(
            "faces", "broken", f"{len(found)} faces found in a made one", "Reinstall opencv-python-headless."
        )
    return _Finding("faces", "ok", "a made face was found and read again")


def _torch() -> _Finding:
    if util.find_spec("torch") is None:
        remedy = "pip install 'stylecrypt-msg[torch]'"
        return _Finding("torch", "missing", "no models of your own, no training, no --refine", remedy)
    return _Finding("torch", "ok", metadata.version("torch"))


def _matting() -> _Finding:
    if util.find_spec("pymatting") is None:
        return _Finding("matting", "missing", "no --matting", "pip install 'stylecrypt-msg[matting]'")
    return _Finding("matting", "ok", metadata.version("pymatting"))


def _recogniser() -> _Finding:
    from ..recognisers import load_recogniser

    if util.find_spec("dlib") is None or util.find_spec("face_recognition_models") is None:
        remedy = "pip install 'stylecrypt-msg[identity]'"
        return _Finding("recogniser", "missing", "nothing tells whether a fake looks like its sender", remedy)
    return _Finding("recogniser", "ok", load_recogniser().name)


def _training() -> _Finding:
    if util.find_spec("matplotlib") is None:
        return _Finding("training", "missing", "no plot of the losses", "pip install 'stylecrypt-msg[train]'")
    return _Finding("training", "ok", "the extra is installed")


def _folder() -> _Finding:
    from ..models import models_folder

    folder = models_folder()
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    if not os.access(existing, os.W_OK):
        return _Finding("models folder", "broken", f"{existing} is read-only", "Set XDG_DATA_HOME to one of yours.")
    return _Finding("models folder", "ok", str(folder))


_CHECKS: tuple[Callable[[], _Finding], ...] = (
    _python,
    _onnxruntime,
    _embedded_model,
    _round_trip,
    _recogniser,
    _matting,
    _torch,
    _training,
    _folder,
)


def run(as_json: bool) -> None:
    findings = []
    with console.progress() as report:
        for i, check in enumerate(_CHECKS):
            report("looking", i, len(_CHECKS))
            try:
                findings.append(check())
            except Exception as error:  # whatever is broken here, the others are worth looking at
                what = check.__name__.strip("_").replace("_", " ")
                detail, remedy = f"{type(error).__name__}: {error}", None
                if isinstance(error, StyleCryptError):
                    detail, remedy = str(error), advice(error)
                findings.append(_Finding(what, "broken", detail, remedy or "Reinstall stylecrypt-msg."))
    if as_json:
        console.print_json([asdict(finding) for finding in findings])
    else:
        console.print_table(("part", "state", "detail", "remedy"), [tuple(asdict(f).values()) for f in findings])
    if any(finding.state == "broken" for finding in findings):
        raise SystemExit(1)

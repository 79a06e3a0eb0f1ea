"""Face models: the embedded one, imported ones, and checkpoints as they are.

Start with ``load_model``, which returns a ``FaceModel``. The embedded model needs no PyTorch; the
others do (extra ``torch``).
"""

from __future__ import annotations

import importlib.resources
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from stylecrypt_msg.errors import ModelError, Remedy, os_reason
from stylecrypt_msg.models import embedded, weights
from stylecrypt_msg.models.face_model import FaceModel
from stylecrypt_msg.models.weights import ModelInfo

if TYPE_CHECKING:
    from stylecrypt_msg.models.torch_model import TorchModel

__all__ = [
    "FaceModel",
    "ModelInfo",
    "import_model",
    "list_models",
    "load_model",
    "load_torch_model",
    "models_folder",
]

DEFAULT = "default"
SUFFIX = ".safetensors"


def load_model(path_or_name: str | os.PathLike[str] = DEFAULT, device: str = "cpu") -> FaceModel:
    """Loads a model: "default" (the embedded one), the name of an imported model, or a file.

    Files may be StyleGAN2 checkpoints in rosinality's form, pSp and e4e checkpoints, and our own safetensors.
    Text is a file if it has a separator or a suffix, or names an existing file; otherwise a name. No file
    runs code.

    Raises ModelError, in one sentence, if there is no such model or it cannot be used.
    """
    if path_or_name == DEFAULT and device == "cpu":
        return embedded.EmbeddedModel(_embedded(), DEFAULT)
    return load_torch_model(path_or_name, device)


def load_torch_model(path_or_name: str | os.PathLike[str] = DEFAULT, device: str = "cpu") -> TorchModel:
    """As `load_model`, as PyTorch modules: for training, gradients and other devices."""
    paths, name = _locate(path_or_name)
    try:
        import torch

        from stylecrypt_msg.models import families
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        raise ModelError(
            "This needs PyTorch, which is not installed: models other than the embedded one run on it, and so does refinement.",
            remedy=Remedy.INSTALL_EXTRA,
            extra="torch",
        ) from error
    with torch.inference_mode(False):  # weights made in inference mode would never pass gradients
        try:
            model: TorchModel = families.load(paths, name)
        except IsADirectoryError as error:
            raise ModelError(f"{paths[0]} is a folder, not a model file.") from error
        except FileNotFoundError as error:
            raise ModelError(f"There is no file {paths[0]}.") from error
        except OSError as error:
            raise ModelError(f"{paths[0]} cannot be read: {os_reason(error)}.") from error
        return model.to(device)


def import_model(path: str | os.PathLike[str], name: str | None = None) -> ModelInfo:
    """Converts a file into the models folder, where ``load_model(name)`` finds it; the file's own name by
    default.

    Raises ModelError if the file is no model, or the name is taken or not plain.
    """
    source = Path(path)
    name = re.sub(r"[^A-Za-z0-9_-]+", "-", source.stem).strip("-") if name is None else name
    target = _imported(name)
    if target.exists():
        raise ModelError(f"There is a model {name!r} already.", hint=f"Choose another name, or remove {target}.")
    model = load_torch_model(source)
    model.name = name
    from stylecrypt_msg.models.store import save

    save(model, target)
    return weights.info([target])


def list_models() -> list[ModelInfo]:
    """The embedded model, then the imported ones by name. Skips files in the folder that are no models."""
    found = []
    for paths in [_embedded(), *([path] for path in sorted(models_folder().glob("*" + SUFFIX)))]:
        try:
            found.append(weights.info(paths))
        except (ModelError, OSError):
            continue
    return found


def models_folder() -> Path:
    """Imported models: ``$XDG_DATA_HOME/stylecrypt/models``, by default under ``~/.local/share``."""
    base = os.environ.get("XDG_DATA_HOME")
    return (Path(base) if base else Path.home() / ".local" / "share") / "stylecrypt" / "models"


def _locate(path_or_name: str | os.PathLike[str]) -> tuple[list[Path], str]:
    text = os.fspath(path_or_name)
    path = Path(text)
    if text == DEFAULT:
        return _embedded(), DEFAULT
    # Asking for a file whose name is too long fails.
    a_file = path.name != text or path.suffix or (len(text) < 64 and path.is_file())
    if not isinstance(path_or_name, str) or a_file:
        return [path], path.stem
    target = _imported(text)
    if not target.exists():
        raise ModelError(
            f"There is no model {text!r}.",
            hint="A file needs its suffix.",
            remedy=Remedy.LIST_MODELS,
        )
    return [target], text


def _imported(name: str) -> Path:
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", name) or name == DEFAULT:
        raise ModelError(
            f"{name!r} cannot be the name of a model.", hint="Use letters, digits, - and _, and not 'default'."
        )
    return models_folder() / (name + SUFFIX)


def _embedded() -> list[Path]:
    # Two files, because further training changes the encoder and not the generator. They are read by seeking, and packages
    # are installed unzipped, so the resources are files.
    folder = Path(str(importlib.resources.files(__name__) / "data"))
    return [folder / (DEFAULT + SUFFIX), folder / (DEFAULT + "-encoder" + SUFFIX)]

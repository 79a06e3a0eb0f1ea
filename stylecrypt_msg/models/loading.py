"""Loads models as PyTorch modules, and knows where models are kept."""

from __future__ import annotations

import importlib.resources
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import ModelError, Remedy, os_reason

if TYPE_CHECKING:
    from .face_model import FaceModel
    from .torch_model import TorchModel

__all__ = [
    "DEFAULT",
    "SUFFIX",
    "embedded_files",
    "imported_file",
    "load_torch_model",
    "models_folder",
    "to_torch",
]

DEFAULT = "default"
SUFFIX = ".safetensors"


def load_torch_model(path_or_name: str | os.PathLike[str] = DEFAULT, device: str = "cpu") -> TorchModel:
    """As `load_model`, as PyTorch modules: for training, gradients and other devices."""
    paths, name = _locate(path_or_name)
    try:
        import torch

        from . import families
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


def to_torch(model: FaceModel) -> TorchModel:
    """The same model as PyTorch modules, for gradients. Raises ModelError where PyTorch is not installed."""
    return model if model.runtime == "torch" else load_torch_model(model.name)  # type: ignore[return-value]


def models_folder() -> Path:
    """Imported models: ``$XDG_DATA_HOME/stylecrypt/models``, by default under ``~/.local/share``."""
    base = os.environ.get("XDG_DATA_HOME")
    return (Path(base) if base else Path.home() / ".local" / "share") / "stylecrypt" / "models"


def _locate(path_or_name: str | os.PathLike[str]) -> tuple[list[Path], str]:
    text = os.fspath(path_or_name)
    path = Path(text)
    if text == DEFAULT:
        return embedded_files(), DEFAULT
    # Asking for a file whose name is too long fails.
    a_file = path.name != text or path.suffix or (len(text) < 64 and path.is_file())
    if not isinstance(path_or_name, str) or a_file:
        return [path], path.stem
    target = imported_file(text)
    if not target.exists():
        raise ModelError(
            f"There is no model {text!r}.",
            hint="A file needs its suffix.",
            remedy=Remedy.LIST_MODELS,
        )
    return [target], text


def imported_file(name: str) -> Path:
    """Where the imported model of a name is, or would be. Raises ModelError if it is no name."""
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", name) or name == DEFAULT:
        raise ModelError(
            f"{name!r} cannot be the name of a model.", hint="Use letters, digits, - and _, and not 'default'."
        )
    return models_folder() / (name + SUFFIX)


def embedded_files() -> list[Path]:
    """The files of the embedded model."""
    # Two files, because further training changes the encoder and not the generator. They are read by seeking, and packages
    # are installed unzipped, so the resources are files.
    folder = Path(str(importlib.resources.files("stylecrypt_msg.models") / "data"))
    return [folder / (DEFAULT + SUFFIX), folder / (DEFAULT + "-encoder" + SUFFIX)]

"""Face models: the embedded one, imported ones, and checkpoints as they are.

Start with ``load_model``, which returns a ``FaceModel``. The embedded model needs no PyTorch; the
others do (extra ``torch``).
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from ..errors import ModelError
from . import embedded, loading, weights
from .face_model import FaceModel
from .loading import DEFAULT, SUFFIX, load_torch_model, models_folder, to_torch
from .weights import ModelInfo

__all__ = [
    "FaceModel",
    "ModelInfo",
    "import_model",
    "list_models",
    "load_model",
    "load_torch_model",
    "models_folder",
    "to_torch",
]


def load_model(path_or_name: str | os.PathLike[str] = DEFAULT, device: str = "cpu") -> FaceModel:
    """Loads a model: "default" (the embedded one), the name of an imported model, or a file.

    Files may be StyleGAN2 checkpoints in rosinality's form, pSp and e4e checkpoints, and our own safetensors.
    Text is a file if it has a separator or a suffix, or names an existing file; otherwise a name. No file
    runs code.

    Raises ModelError, in one sentence, if there is no such model or it cannot be used.
    """
    if path_or_name == DEFAULT and device == "cpu":
        return embedded.EmbeddedModel(loading.embedded_files(), DEFAULT)
    return load_torch_model(path_or_name, device)


def import_model(path: str | os.PathLike[str], name: str | None = None) -> ModelInfo:
    """Converts a file into the models folder, where ``load_model(name)`` finds it; the file's own name by
    default.

    Raises ModelError if the file is no model, or the name is taken or not plain.
    """
    source = Path(path)
    name = re.sub(r"[^A-Za-z0-9_-]+", "-", source.stem).strip("-") if name is None else name
    target = loading.imported_file(name)
    if target.exists():
        raise ModelError(f"There is a model {name!r} already.", hint=f"Choose another name, or remove {target}.")
    model = load_torch_model(source)
    model.name = name
    from .store import save

    save(model, target)
    return weights.info([target])


def list_models() -> list[ModelInfo]:
    """The embedded model, then the imported ones by name. Skips files in the folder that are no models."""
    found = []
    for paths in [loading.embedded_files(), *([path] for path in sorted(models_folder().glob("*" + SUFFIX)))]:
        try:
            found.append(weights.info(paths))
        except (ModelError, OSError):
            continue
    return found

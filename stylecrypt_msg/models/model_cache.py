"""Models, each loaded once, when first asked for."""

from __future__ import annotations

import os
from threading import RLock

from ..errors import ModelError, Remedy
from . import list_models, load_model
from .face_model import FaceModel

__all__ = ["ModelCache"]


class ModelCache:
    """The models of one program. Several threads may ask at once; each model is loaded by one of them."""

    def __init__(self) -> None:
        self._lock = RLock()
        self._models: dict[str, FaceModel] = {}

    def named(self, name: str | os.PathLike[str]) -> FaceModel:
        """As `load_model`. Raises ModelError."""
        with self._lock:
            key = os.fspath(name)
            if key not in self._models:
                self._models[key] = load_model(name)
            return self._models[key]

    def hashed(self, digest: str) -> FaceModel:
        """The model with this hash, among those loaded or else those on this machine, the embedded one first.

        Raises ModelError, which says how to get the model, if there is none.
        """
        with self._lock:
            for model in self._models.values():
                if model.digest == digest:
                    return model
            for info in list_models():
                # A file's own statement saves loading it, but proves nothing.
                if (
                    info.name not in self._models
                    and info.digest in (digest, "")
                    and self.named(info.name).digest == digest
                ):
                    return self.named(info.name)
        raise ModelError(
            f"The model that this message was made with is not on this machine (hash {digest[:16]}).",
            hint="Ask the sender for its file.",
            remedy=Remedy.IMPORT_MODEL,
        )

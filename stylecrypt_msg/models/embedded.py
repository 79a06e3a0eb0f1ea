"""The embedded model without PyTorch: stored graphs of its networks, run by ONNX Runtime.

`mobilestylegan` and `mobile_encoder` are the same networks as PyTorch modules; ``scripts/make_graphs.py`` writes the graphs,
and a test holds each to its module.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from stylecrypt_msg.models.face_model import FaceModel, Floats
from stylecrypt_msg.models.graphs import Graph
from stylecrypt_msg.models.weights import Weights

if TYPE_CHECKING:
    from .torch_model import TorchModel

__all__ = ["EmbeddedModel"]

_INPUT = 128  # px that the encoder reads, and of the preview
_STEPS = 40  # of descent: the first twelve give half of what they bring; more go on to what 128 px cannot tell
_RATE = 0.05
_BETAS = 0.9, 0.99
_CHECKS = 0.2, 0.6  # of the steps: when the preview is compared with the whole generator


class EmbeddedModel(FaceModel):
    """MobileStyleGAN at 1024 px with our encoder. Each graph is loaded when it is first needed."""

    family = "mobilestylegan"
    n_styles, style_dim, image_size = 16, 512, 1024
    input_size, steps = _INPUT, _STEPS
    runtime = "onnxruntime"

    def __init__(self, paths: Sequence[Path], name: str) -> None:
        self._paths = paths
        self._weights = Weights(paths)
        self._lock = Lock()
        self._graphs: dict[str, Graph] = {}
        self.name = name
        self.latent_avg = self._weights["latent_avg"]
        self.latent_std = self._weights["generator.w_std"]

    @cached_property
    def digest(self) -> str:
        # Computed once, when the files were packed: it takes all weights, of which sending needs a part.
        return self._paths[0].with_suffix(".digest").read_text("ascii").strip()

    def to_torch(self) -> TorchModel:
        from . import load_torch_model

        return load_torch_model(self.name)

    def suits(self, people: Floats, codes: Floats) -> NDArray[np.bool_]:
        """As `mobilestylegan.MobileStyleGAN.suits`."""
        weight, bias = (self._weights[f"generator.judge_{part}"] for part in ("weight", "bias"))
        scores = people[:, 0] @ weight.T + bias
        original = codes[2:8].mean(0) @ weight[-1] + bias[-1]
        return np.asarray((scores[:, :-1] < 0).all(1) & ((scores[:, -1] > 0) == (original > 0)))

    def _graph(self, name: str) -> Graph:
        with self._lock:
            if name not in self._graphs:
                self._graphs[name] = Graph(name, self._weights)
            return self._graphs[name]

    def _look(self, images: Floats) -> Floats:
        (codes,) = self._graph("read")(_resized(images))
        return codes

    def _make(self, codes: Floats) -> Floats:
        (images,) = self._graph("synthesis")(codes)
        return images

    def _map(self, z: Floats) -> Floats:
        (w,) = self._graph("mapping")(z)
        return w

"""The embedded model without PyTorch: stored graphs of its networks, run by ONNX Runtime.

`mobilestylegan` and `mobile_encoder` are the same networks as PyTorch modules; ``scripts/model/make_graphs.py`` writes
the graphs, and a test holds each to its module.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from threading import Lock

import cv2
import numpy as np
from numpy.typing import NDArray

from .descent import BETAS, STEPS, checks, rate
from .face_model import CLEARLY, FaceModel, Floats
from .graphs import Graph
from .loading import load_torch_model
from .weights import Weights, digest

__all__ = ["EmbeddedModel"]

_INPUT = 128  # px that the encoder reads, and of the preview
DIRECTIONS = (256,) * 10 + (85,) * 6  # as many as each style has


class EmbeddedModel(FaceModel):
    """MobileStyleGAN at 1024 px with our encoder. Each graph is loaded when it is first needed."""

    family = "mobilestylegan"
    n_styles, style_dim, image_size = 16, 512, 1024
    input_size, steps = _INPUT, STEPS
    runtime = "onnxruntime"

    def __init__(self, paths: Sequence[Path], name: str) -> None:
        self._weights = Weights(paths)
        self._lock = Lock()
        self._graphs: dict[str, Graph] = {}
        self.name = name
        self.latent_avg = self._weights["latent_avg"]
        self.latent_std = self._weights["generator.w_std"]

    @property
    def digest(self) -> str:
        return self._weights.digest

    def intact(self) -> bool:
        """Whether the weights match the stored `digest`: takes a second."""
        return digest(self.family, ((name, self._weights[name]) for name in sorted(self._weights))) == self.digest

    def refine(
        self, images: Floats, codes: Floats, steps: int, progress: Callable[[int, int], None] | None = None
    ) -> Floats:
        return load_torch_model(self.name).refine(images, codes, steps, progress)

    @cached_property
    def judge(self) -> tuple[Floats, Floats]:
        """Weights (6, style_dim) and biases of the scores of w that `mobilestylegan.MobileStyleGAN` lists."""
        return self._weights["generator.judge_weight"], self._weights["generator.judge_bias"]

    def suits(self, people: Floats, codes: Floats) -> NDArray[np.bool_]:
        """As `mobilestylegan.MobileStyleGAN.suits`."""
        weight, bias = self.judge
        scores = people[:, 0] @ weight.T + bias
        original = codes[2:8].mean(0) @ weight[-1] + bias[-1]
        return np.asarray((scores[:, :-1] < 0).all(1) & (scores[:, -1] * np.sign(original) > CLEARLY))

    def glimpse(self, codes: Floats) -> Floats:
        (images,) = self._graph("preview")(codes)
        return images

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

    def _descend(self, images: Floats, codes: Floats, steps: int, hold: float) -> Floats:
        """As `refine.approach`, along the model's directions."""
        return np.concatenate(
            [self._descend_one(image[None], code[None], steps, hold) for image, code in zip(images, codes, strict=True)]
        )

    def _descend_one(self, image: Floats, start: Floats, steps: int, hold: float) -> Floats:
        wanted = _resized(image)
        features = self._graph("features")(wanted)
        descent = self._graph("descent")
        coordinates = np.zeros((1, len(self._directions[1])), np.float32)
        mean, square = np.zeros_like(coordinates), np.zeros_like(coordinates)
        missing = np.zeros_like(wanted)
        weight = np.full((1, 1), hold, np.float32)
        compared = checks(steps)
        for step in range(steps):
            if step in compared:
                codes = start + self._offset(coordinates)
                missing = _resized(self._make(codes)) - self.glimpse(codes)
            (slope,) = descent(coordinates, start, wanted, *features, missing, weight, again=step < steps - 1)
            mean += (1 - BETAS[0]) * (slope - mean)
            square += (1 - BETAS[1]) * (slope**2 - square)
            whole_mean, whole_square = mean / (1 - BETAS[0] ** (step + 1)), square / (1 - BETAS[1] ** (step + 1))
            coordinates -= np.float32(rate(step, steps)) * whole_mean / (np.sqrt(whole_square) + 1e-8)
        return start + self._offset(coordinates)

    @cached_property
    def _directions(self) -> tuple[NDArray[np.int8], Floats]:
        rows, reach = (self._weights[f"encoder.directions.{part}"] for part in ("rows", "reach"))
        return rows, reach

    def _offset(self, coordinates: Floats) -> Floats:
        """The change of codes, (1, n_styles, style_dim), for coordinates (1, K) along the model's directions."""
        rows, reach = self._directions
        bounds = np.cumsum(DIRECTIONS)[:-1]
        parts = zip(np.split(coordinates * reach, bounds, axis=1), np.split(rows, bounds), strict=True)
        return np.stack([part @ some.astype(np.float32) for part, some in parts], axis=1) * self.latent_std


def _resized(images: Floats) -> Floats:
    """Images (B, 3, H, H) at the encoder's size: by area from larger, bilinearly from smaller ones."""
    side = images.shape[-1]
    if side == _INPUT:
        return images
    how = cv2.INTER_AREA if side > _INPUT else cv2.INTER_LINEAR
    resized = [cv2.resize(image.transpose(1, 2, 0), (_INPUT, _INPUT), interpolation=how) for image in images]
    return np.ascontiguousarray(np.stack(resized).transpose(0, 3, 1, 2), np.float32)

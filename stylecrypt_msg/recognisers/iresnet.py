"""ArcFace's ResNet (Duta et al. 2020, arXiv 2004.04989) of any depth, from the weights in its authors' checkpoints."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from ..errors import InputError

__all__ = ["load_iresnet"]


def load_iresnet(path: Path, max_bytes: int) -> Callable[[NDArray[np.float32]], NDArray[np.float32]]:
    """Images (1, 3, 112, 112), RGB in [-1, 1], to descriptors. Raises InputError, OSError."""
    try:
        with zipfile.ZipFile(path) as archive:
            unpacked = sum(entry.file_size for entry in archive.infolist())
        state = torch.load(path, map_location="cpu", weights_only=True) if unpacked <= max_bytes else None
        if not isinstance(state, dict):
            raise ValueError
        weights = {str(name): value.float() for name, value in state.items()}
    except OSError:
        raise
    except Exception as error:  # on malformed files the unpickler raises all sorts of errors
        raise InputError(
            f"{path} is not a checkpoint that holds a network's weights and nothing else.",
            hint="Give the state dict alone, as the published blendface.pt does.",
        ) from error

    def norm(x: Tensor, name: str) -> Tensor:
        mean, variance, weight, bias = (weights[f"{name}.{part}"] for part in _NORM)
        return F.batch_norm(x, mean, variance, weight, bias)

    def block(x: Tensor, name: str, stride: int) -> Tensor:
        y = F.conv2d(norm(x, f"{name}.bn1"), weights[f"{name}.conv1.weight"], padding=1)
        y = F.prelu(norm(y, f"{name}.bn2"), weights[f"{name}.prelu.weight"])
        y = norm(F.conv2d(y, weights[f"{name}.conv2.weight"], stride=stride, padding=1), f"{name}.bn3")
        if f"{name}.downsample.0.weight" in weights:
            x = norm(F.conv2d(x, weights[f"{name}.downsample.0.weight"], stride=stride), f"{name}.downsample.1")
        return x + y

    @torch.inference_mode()
    def network(image: NDArray[np.float32]) -> NDArray[np.float32]:
        x = F.conv2d(torch.from_numpy(image), weights["conv1.weight"], padding=1)
        x = F.prelu(norm(x, "bn1"), weights["prelu.weight"])
        for stage in range(1, 5):
            count = 0
            while f"layer{stage}.{count}.conv1.weight" in weights:
                x = block(x, f"layer{stage}.{count}", stride=1 if count else 2)
                count += 1
        x = norm(x, "bn2").flatten(1)  # dropout is for training
        x = norm(F.linear(x, weights["fc.weight"], weights["fc.bias"]), "features")
        return x.numpy()

    return network


_NORM = ("running_mean", "running_var", "weight", "bias")

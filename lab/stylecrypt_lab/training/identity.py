"""Identity: dlib's face recogniser as a torch network, so that gradients pass through it. For training only.

A ResNet with 29 layers (King, "High Quality Face Recognition with Deep Metric Learning", 2017), read from the weights
that the npm package ``@vladmandic/face-api`` (MIT) publishes: ``model/face_recognition_model.bin`` and its manifest, with
one-byte values. By dlib's own measure, two descriptors closer than 0.6 are the same person.
"""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stylecrypt_msg.errors import InputError
from stylecrypt_msg.recognisers import DLIB_CHIP

__all__ = ["DlibNetwork"]

_MANIFEST = "face_recognition_model-weights_manifest.json"
_SIZE = 150


class _Conv(nn.Module):
    def __init__(self, c_in: int, c_out: int, kernel: int = 3, stride: int = 1) -> None:
        super().__init__()
        padding = 0 if stride == 2 else kernel // 2
        self.conv = nn.Conv2d(c_in, c_out, kernel, stride, padding)
        self.scale = nn.Parameter(torch.empty(c_out))
        self.shift = nn.Parameter(torch.empty(c_out))

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x) * self.scale[:, None, None] + self.shift[:, None, None]  # type: ignore[no-any-return]


class _Residual(nn.Module):
    def __init__(self, c_in: int, c_out: int, *, down: bool) -> None:
        super().__init__()
        self.conv1 = _Conv(c_in, c_out, stride=2 if down else 1)
        self.conv2 = _Conv(c_out, c_out)
        self.down = down

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv2(F.relu(self.conv1(x)))
        if self.down:
            x = F.avg_pool2d(x, 2)
            height, width = (max(a, b) for a, b in zip(x.shape[2:], y.shape[2:], strict=True))
            channels = y.shape[1] - x.shape[1]
            x = F.pad(x, (0, width - x.shape[3], 0, height - x.shape[2], 0, channels))
            y = F.pad(y, (0, width - y.shape[3], 0, height - y.shape[2]))
        return F.relu(x + y)


class DlibNetwork(nn.Module):
    """images (B, 3, S, S) RGB in [-1, 1], aligned as in FFHQ -> descriptors (B, 128)."""

    def __init__(self, folder: Path) -> None:
        """Reads the weights from ``folder``. Raises InputError if they are missing or do not fit."""
        super().__init__()
        blocks = [("conv32_1", 32, False), ("conv32_2", 32, False), ("conv32_3", 32, False)]
        for width, count in ((64, 3), (128, 2), (256, 2)):
            blocks.append((f"conv{width}_down", width, True))
            blocks += [(f"conv{width}_{i}", width, False) for i in range(1, count + 1)]
        blocks.append(("conv256_down_out", 256, True))
        self.conv32_down = _Conv(3, 32, 7, 2)
        self.blocks = nn.ModuleDict()
        c_in = 32
        for name, c_out, down in blocks:
            self.blocks[name] = _Residual(c_in, c_out, down=down)
            c_in = c_out
        self.fc = nn.Parameter(torch.empty(256, 128))
        self.register_buffer("mean", torch.tensor([122.782, 117.001, 104.298])[:, None, None], persistent=False)
        self._read(folder)
        self.eval().requires_grad_(False)

    mean: Tensor

    def _read(self, folder: Path) -> None:
        try:
            manifest = json.loads((folder / _MANIFEST).read_text())[0]
            data = b"".join((folder / name).read_bytes() for name in manifest["paths"])
        except (OSError, ValueError, KeyError, IndexError) as error:
            raise InputError(
                f"{folder} does not hold the recogniser's weights.",
                hint="Unpack the npm package @vladmandic/face-api and give its folder `model`.",
            ) from error
        state: dict[str, Tensor] = {}
        offset = 0
        for entry in manifest["weights"]:
            count = math.prod(entry["shape"])
            quantised = entry.get("quantization")
            dtype = np.dtype(np.uint8 if quantised else "<f4")
            values = np.frombuffer(data, dtype, count, offset).astype(np.float32).reshape(entry["shape"])
            offset += count * dtype.itemsize
            value = torch.from_numpy(values * quantised["scale"] + quantised["min"] if quantised else values)
            if value.ndim == 4:  # stored as (height, width, in, out)
                value = value.permute(3, 2, 0, 1).contiguous(memory_format=torch.channels_last)
            name = entry["name"].replace("/", ".").replace("filters", "weight")
            name = name.replace("scale.weights", "scale").replace("scale.biases", "shift")
            state[name if name.startswith(("conv32_down.", "fc")) else f"blocks.{name}"] = value
        self.load_state_dict(state, assign=True)

    def forward(self, images: Tensor) -> Tensor:
        size = images.shape[-1]
        left, top, side = (round(size * part) for part in DLIB_CHIP)
        chips = images[:, :, top : top + side, left : left + side]
        chips = F.interpolate(chips, (_SIZE, _SIZE), mode="bilinear", align_corners=False)
        x = ((chips + 1) * 127.5 - self.mean) / 256
        x = F.max_pool2d(F.relu(self.conv32_down(x)), 3, 2)
        for block in self.blocks.values():
            x = block(x)
        return x.mean((2, 3)) @ self.fc

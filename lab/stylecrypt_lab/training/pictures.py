"""Pictures to train on: faces from a folder, variations of them, and the damage that messengers do."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from stylecrypt_msg.errors import InputError
from stylecrypt_msg.pictures import SUFFIXES

__all__ = ["degrade", "face_batches", "load_faces", "vary"]


def load_faces(folder: Path, size: int) -> Tensor:
    """All pictures of a folder, aligned as in FFHQ, as (N, 3, size, size) uint8 RGB. Raises InputError for an empty folder."""
    paths = sorted(p for p in folder.iterdir() if p.suffix.lower() in SUFFIXES) if folder.is_dir() else []
    if not paths:
        raise InputError(f"There are no pictures in {folder}.", hint="Give a folder of aligned square faces.")
    faces = np.empty((len(paths), size, size, 3), np.uint8)
    for i, path in enumerate(paths):
        picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
        if picture is None or picture.shape[0] != picture.shape[1]:
            raise InputError(f"{path} is not a square picture.", hint="Align faces before training on them.")
        faces[i] = cv2.resize(picture, (size, size), interpolation=cv2.INTER_AREA)[..., ::-1]
    return torch.from_numpy(faces).permute(0, 3, 1, 2)


def face_batches(faces: Tensor, batch: int, rng: torch.Generator) -> Iterator[Tensor]:
    """Endless batches (batch, 3, S, S) float32 in [-1, 1], each face once per epoch, mirrored half of the time."""
    while True:
        for indices in torch.split(torch.randperm(len(faces), generator=rng), batch):
            images = faces[indices].float() / 127.5 - 1
            mirror = torch.rand(len(indices), 1, 1, 1, generator=rng) < 0.5
            yield torch.where(mirror, images.flip(3), images)


def _some(count: int, share: float, rng: torch.Generator) -> Tensor:
    return torch.rand(count, 1, 1, 1, generator=rng) < share


def vary(images: Tensor, rng: torch.Generator) -> Tensor:
    """Makes faces look like other people in other light, for small folders: images (B, 3, S, S) in [-1, 1] -> the same shape.

    Shifts, turns and stretches by a few percent, bends smoothly, and changes colour, contrast and the light from the side.
    """
    n, _, size, _ = images.shape
    turn, stretch, tall, dx, dy = (
        torch.randn(n, 5, generator=rng) * torch.tensor([0.03, 0.03, 0.03, 0.03, 0.03])
    ).unbind(1)
    a, b = turn.cos(), turn.sin()
    theta = torch.stack((torch.stack((a * (1 + stretch), -b, dx), 1), torch.stack((b, a * (1 + tall), dy), 1)), 1)
    grid = F.affine_grid(theta, list(images.shape), align_corners=False)
    bends = F.interpolate(
        0.03 * torch.randn(n, 2, 5, 5, generator=rng), (size, size), mode="bicubic", align_corners=True
    )
    out = F.grid_sample(images, grid + bends.permute(0, 2, 3, 1), padding_mode="reflection", align_corners=False)
    light = 0.1 * F.interpolate(
        torch.randn(n, 1, 2, 2, generator=rng), (size, size), mode="bilinear", align_corners=True
    )
    gain = 1 + light + 0.06 * torch.randn(n, 3, 1, 1, generator=rng)
    gamma = torch.exp(0.15 * torch.randn(n, 1, 1, 1, generator=rng))
    return (2 * (((out + 1) / 2).clamp(0, 1) ** gamma * gain) - 1).clamp(-1, 1)


def _compress(image: Tensor, quality: int) -> Tensor:
    pixels = ((image.permute(1, 2, 0) + 1) * 127.5).clamp(0, 255).byte().numpy()
    _, data = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])
    decoded = cv2.imdecode(data, cv2.IMREAD_UNCHANGED)
    return torch.from_numpy(decoded).permute(2, 0, 1).float() / 127.5 - 1


def degrade(images: Tensor, rng: torch.Generator) -> Tensor:
    """Imitates what happens to a picture on its way: loss of resolution, JPEG, slight changes of colour, and noise.

    images (B, 3, S, S) in [-1, 1] -> the same shape. A fifth of the pictures stay as they are.
    """
    n, size = len(images), images.shape[-1]
    small = int(size * (0.4 + 0.5 * torch.rand((), generator=rng).item()))
    blurred = F.interpolate(
        F.interpolate(images, size=small, mode="bilinear", antialias=True, align_corners=False),
        size=size,
        mode="bicubic",
        align_corners=False,
    )
    out = torch.where(_some(n, 0.25, rng), blurred, images)
    gain = 1 + 0.04 * torch.randn(n, 3, 1, 1, generator=rng) * _some(n, 0.5, rng)
    out = out * gain + 0.02 * torch.randn(out.shape, generator=rng) * _some(n, 0.2, rng)
    compressed = _some(n, 0.5, rng).flatten()
    qualities = torch.randint(60, 97, (n,), generator=rng)
    for i in compressed.nonzero().flatten().tolist():
        out[i] = _compress(out[i], int(qualities[i]))
    return torch.where(_some(n, 0.2, rng), images, out).clamp(-1, 1)

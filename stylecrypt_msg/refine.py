"""Refinement: latent codes optimised through the generator, on the machine of the person who sends.

The encoder's inversion is a good guess at once; some dozens of steps of gradient descent from there make the person
plainly recognisable. The losses are those of the encoder's training: pixels, features, and closeness to the start, which
keeps the codes where the generator is good and mixing works.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from .models import FaceModel

__all__ = ["refine"]

_RATE = 0.05
_PIXELS, _FEATURES, _START = 4.0, 1.5, 0.02


def refine(
    model: FaceModel,
    images: Tensor,
    codes: Tensor,
    steps: int,
    report: Callable[[int, int], None] | None = None,
) -> Tensor:
    """Codes (B, n_styles, style_dim) that come closer to ``images`` (B, 3, H, W) than ``codes``, the encoder's, do.

    Adam in units of W's deviation, ``steps`` of them; ``report`` hears (steps done, steps in all). Images are RGB in
    [-1, 1], aligned. Raises ValueError for fewer than one step.
    """
    if steps < 1:
        raise ValueError(f"steps is {steps}, but must be at least 1")
    scale = model.latent_std
    wanted: Tensor | None = None
    offset = torch.zeros_like(codes, requires_grad=True)
    optimiser = torch.optim.Adam([offset], _RATE, betas=(0.9, 0.99))
    # A tenth of the steps up, then down along a cosine.
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser,
        lambda step: min(1.0, 10 * (step + 1) / steps) * (1 + math.cos(math.pi * step / steps)) / 2,
    )
    for step in range(steps):
        made = model.preview(codes + offset * scale)
        if wanted is None:
            wanted = F.interpolate(images, made.shape[-2:], mode="area")
            wanted_features = _directions(model, wanted)
        distance = torch.stack([
            (a - b).square().sum(1).mean() for a, b in zip(_directions(model, made), wanted_features, strict=True)
        ]).mean()  # fmt: skip
        loss = _PIXELS * F.l1_loss(made, wanted) + _FEATURES * distance + _START * offset.square().mean()
        optimiser.zero_grad()
        (len(images) * loss).backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        schedule.step()
        if report is not None:
            report(step + 1, steps)
    return (codes + offset * scale).detach()


def _directions(model: FaceModel, images: Tensor) -> list[Tensor]:
    """The model's features, each of length 1, as in training: how strong they are differs from model to model."""
    return [F.normalize(features, dim=1) for features in model.features(images)]

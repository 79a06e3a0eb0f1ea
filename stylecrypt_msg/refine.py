"""Refinement: latent codes optimised through the generator, on the machine of the person who sends.

The encoder's inversion is a good guess at once; some dozens of steps of gradient descent from there make the person
plainly recognisable. The losses are those of the encoder's training: pixels, features, and closeness to the start, which
keeps the codes where the generator is good and mixing works.
"""

from __future__ import annotations

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
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, _RATE, total_steps=steps, pct_start=0.1)
    for step in range(steps):
        made = model.preview(codes + offset * scale)
        if wanted is None:
            wanted = F.interpolate(images, made.shape[-2:], mode="area")
            wanted_features = model.features(wanted)
        distance = torch.stack([
            (a - b).square().sum(1).mean() for a, b in zip(model.features(made), wanted_features, strict=True)
        ]).mean()  # fmt: skip
        loss = _PIXELS * F.l1_loss(made, wanted) + _FEATURES * distance + _START * offset.square().mean()
        optimiser.zero_grad()
        (len(images) * loss).backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        schedule.step()
        if report is not None:
            report(step + 1, steps)
    return (codes + offset * scale).detach()

"""Refinement: latent codes that descend through the generator towards a picture, from where an encoder put them.

`FaceModel.encode` ends with some steps of it if the encoder has `Directions`; the sender may ask for more, the last of which
compare finer pictures. Losses are those of the encoder's training: pixels, features, and closeness to the start, which keeps
the codes where the generator is good and mixing works; and structure (SSIM).

Few steps are enough because they follow `Directions`, along which the generator's pictures change independently:
Adam gives every coordinate a step of its own length, but W's coordinates are not facial attributes. It takes less than a
fifth of the steps that plain Adam needs (lab/LOG.md). That a rotation towards the principal axes of the gradients makes
Adam a far better method is also SOAP's observation (Vyas et al., arXiv 2409.11321); there they are tracked during a
training, here they are the same for every picture and part of the model.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .descent import BETAS, LOOSE, checks, rate
from .ops import resized

__all__ = ["COARSE", "Directions", "Refinable", "approach", "distance", "refine", "unit_features"]

_PIXELS, _FEATURES, _STRUCTURE = 4.0, 0.5, 1.0
_WINDOW = 7  # px a side, of structure
COARSE, _FINE = 128, 256  # px; a fine step costs three coarse ones
_FULL_SPEED_FROM = 30  # of the sender's steps
_FINE_SHARE = 0.4  # of the sender's steps: only these see what 128 px cannot show; the others are cheaper


class Directions(nn.Module):
    """Coordinates for steps in W+: directions for each style, those that change pictures most first.

    Stored in a byte per value, since a direction need not be exact. ``counts``: how many each style has.
    """

    def __init__(self, counts: Sequence[int], style_dim: int) -> None:
        super().__init__()
        self.counts = list(counts)
        self.register_buffer("rows", torch.zeros(sum(counts), style_dim, dtype=torch.int8))
        self.register_buffer("reach", torch.zeros(sum(counts)))  # the value of 1 in a row

    rows: Tensor
    reach: Tensor

    def fill(self, directions: Sequence[Tensor]) -> None:
        """Takes the directions of each style, (count, style_dim); their lengths scale the steps."""
        rows = torch.cat(list(directions))
        self.reach = rows.abs().amax(1) / 127
        self.rows = (rows / self.reach[:, None]).round().to(torch.int8)

    def forward(self, coordinates: Tensor) -> Tensor:
        """(B, sum(counts)) -> offsets of codes (B, n_styles, style_dim), in units of W's deviation."""
        parts = torch.split(coordinates * self.reach, self.counts, dim=1)
        rows = torch.split(self.rows.float(), self.counts)
        return torch.stack([part @ some for part, some in zip(parts, rows, strict=True)], dim=1)


class Refinable(Protocol):
    """Required of a model; `torch_model.TorchModel` has it, and says what it is."""

    @property
    def generator(self) -> Callable[[Tensor], Any]: ...
    @property
    def deviation(self) -> Tensor: ...
    @property
    def directions(self) -> Directions | None: ...
    def preview(self, codes: Tensor, size: int) -> Tensor: ...
    def features(self, images: Tensor) -> list[Tensor]: ...


def refine(
    model: Refinable,
    images: Tensor,
    codes: Tensor,
    steps: int,
    progress: Callable[[int, int], None] | None = None,
) -> Tensor:
    """Codes (B, n_styles, style_dim) that come closer to ``images`` (B, 3, H, W) than ``codes`` do: the sender's refinement.

    ``steps`` of Adam for each picture, one picture after another: together they would take as long, and more memory. The
    last two fifths compare at 256 px, those before at 128 px. ``progress`` is called with (steps done, total). Images are RGB
    in [-1, 1], aligned. Raises ValueError for fewer than one step.
    """
    if steps < 1:
        raise ValueError(f"steps is {steps}, but must be at least 1")
    fine = round(_FINE_SHARE * steps)
    # Where another descent has ended there is less to gain, and more to lose.
    speed = min(1.0, steps / _FULL_SPEED_FROM)
    return approach(model, images, codes, [COARSE] * (steps - fine) + [_FINE] * fine, progress, speed=speed)


def approach(
    model: Refinable,
    images: Tensor,
    codes: Tensor,
    sizes: Sequence[int],
    progress: Callable[[int, int], None] | None = None,
    *,
    hold: float = LOOSE,
    speed: float = 1.0,
) -> Tensor:
    """As `refine`, with one step for each of ``sizes``, the pixels a side at which it compares.

    ``hold`` weighs the distance from the start: low enough that a visible difference wins, too high for an invisible one.
    ``speed`` is a factor of the rate.
    """
    refined = []
    with torch.inference_mode(False), torch.enable_grad():
        for i, (image, code) in enumerate(zip(torch.split(images, 1), torch.split(codes, 1), strict=True)):

            def heard(done: int, before: int = i * len(sizes)) -> None:
                if progress is not None:
                    progress(before + done, len(images) * len(sizes))

            # Copies, since tensors of inference mode cannot take part in gradients.
            refined.append(_approach(model, image.clone(), code.clone(), sizes, heard, hold, speed))
    return torch.cat(refined)


def _approach(
    model: Refinable,
    image: Tensor,
    code: Tensor,
    sizes: Sequence[int],
    heard: Callable[[int], None],
    hold: float,
    speed: float,
) -> Tensor:
    directions = model.directions
    start = torch.zeros_like(code) if directions is None else code.new_zeros(1, sum(directions.counts))
    coordinates = start.requires_grad_()
    optimiser = torch.optim.Adam([coordinates], speed, betas=BETAS)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: rate(step, len(sizes)))
    offset = coordinates if directions is None else directions(coordinates)
    wanted: dict[int, Tensor] = {}
    wanted_features: dict[int, list[Tensor]] = {}
    compared = checks(sum(size == COARSE for size in sizes))
    missing: dict[int, Tensor] = {}
    for step, size in enumerate(sizes):
        codes = code + offset * model.deviation
        made = model.preview(codes, size)
        side = made.shape[-1]
        if step in compared and size == COARSE:
            missing[side] = (resized(model.generator(codes.detach()), side) - made).detach()
        made = made + missing.get(side, 0)
        if side not in wanted:
            wanted[side] = resized(image, side)
            wanted_features[side] = [features.detach() for features in unit_features(model, wanted[side])]
        loss = distance(made, wanted[side], unit_features(model, made), wanted_features[side])
        loss = loss + hold * offset.square().mean()
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        schedule.step()
        offset = coordinates if directions is None else directions(coordinates)
        heard(step + 1)
    return (code + offset * model.deviation).detach()


def distance(made: Tensor, wanted: Tensor, made_features: list[Tensor], wanted_features: list[Tensor]) -> Tensor:
    """How far pictures (B, 3, H, H) and their normalised features are from the target: the loss of refinement."""
    apart = [(a - b).square().sum(1).mean() for a, b in zip(made_features, wanted_features, strict=True)]
    pixels = _PIXELS * F.l1_loss(made, wanted)
    return pixels + _FEATURES * torch.stack(apart).mean() + _STRUCTURE * (1 - _likeness(made, wanted))


def _likeness(a: Tensor, b: Tensor) -> Tensor:
    """SSIM of images in [-1, 1]: Wang et al., IEEE TIP 13(4), 2004, equation (13), with square windows."""
    mean_a, mean_b = _mean(a), _mean(b)
    spread = _mean(a * a) - mean_a**2 + _mean(b * b) - mean_b**2
    together = _mean(a * b) - mean_a * mean_b
    c1, c2 = (0.01 * 2) ** 2, (0.03 * 2) ** 2
    light = (2 * mean_a * mean_b + c1) / (mean_a**2 + mean_b**2 + c1)
    return (light * (2 * together + c2) / (spread + c2)).mean()


def _mean(images: Tensor) -> Tensor:
    return F.avg_pool2d(images, min(_WINDOW, images.shape[-1]), 1)


def unit_features(model: Refinable, images: Tensor) -> list[Tensor]:
    """The model's features, each of length 1, as in training: their strength differs from model to model."""
    return [F.normalize(features, dim=1) for features in model.features(images)]

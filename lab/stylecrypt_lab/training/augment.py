"""Adaptive discriminator augmentation (ADA; Karras et al. 2020, arXiv 2006.06676): the discriminator's input is changed at
random, more often the more it overfits.

From the paper: pixel blits, geometric and colour transformations with its strengths (appendix B), which are enough for
faces, and the heuristic r_t (equation 1). Simpler than the paper: pictures are sampled bilinearly, without the wavelet
filter; where only blits are drawn, pixels move exactly.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .runs import Dice

__all__ = ["Augmentation"]

_IMAGES = 500_000  # that the discriminator sees while p goes from 0 to 1
_EVERY = 4  # steps between adjustments of p


class Augmentation(nn.Module):
    """Draws each transformation with the probability ``p`` (a buffer), and adjusts ``p``.

    The adjustment aims at ``target`` for r_t, the mean sign of the discriminator's logits of real pictures.
    """

    p: Tensor
    signs: Tensor

    def __init__(self, target: float = 0.6) -> None:
        super().__init__()
        self.target = target
        self.register_buffer("p", torch.zeros(()))
        self.register_buffer("signs", torch.zeros(()))

    def adjust(self, step: int, r_t: Tensor, batch: int) -> None:
        """Takes r_t of the step's ``batch``, and moves p every fourth step: up if the discriminator is too sure."""
        self.signs += r_t / _EVERY
        if step % _EVERY == _EVERY - 1:
            self.p += (self.signs - self.target).sign() * (batch * _EVERY / _IMAGES)
            self.p.clamp_(0, 1)
            self.signs.zero_()

    def forward(self, images: Tensor, dice: Dice) -> Tensor:
        """images (B, 3, S, S) -> the same shape; unlike in files, colours may leave [-1, 1]."""
        p = float(self.p)
        if p == 0:
            return images
        grid = F.affine_grid(_geometry(p, images.shape[-1], dice)[:, :2], list(images.shape), align_corners=False)
        images = F.grid_sample(images.float(), grid, padding_mode="reflection", align_corners=False)
        colours = _colours(p, dice)
        return torch.einsum("bij,bjhw->bihw", colours[:, :3, :3], images) + colours[:, :3, 3, None, None]


def _some(p: float, dice: Dice, values: Tensor, otherwise: float) -> Tensor:
    """``values`` (B,), each kept with probability p, else replaced by ``otherwise``."""
    return torch.where(dice.uniform() < p, values, otherwise)


def _geometry(p: float, size: int, dice: Dice) -> Tensor:
    """Blits and geometric transformations: (B, 3, 3), from the new picture's coordinates in [-1, 1] to the old one's."""
    flip = _some(p, dice, 1 - 2 * (dice.uniform() * 2).floor(), 1)
    turns = _some(p, dice, (dice.uniform() * 4).floor(), 0)
    x, y = (_some(p, dice, ((dice.uniform() * 2 - 1) * 0.125 * size).round() * 2 / size, 0) for _ in range(2))
    matrix = _shift(x, y) @ _scale(flip, torch.ones_like(flip)) @ _turn(turns * (math.pi / 2))
    scale = _some(p, dice, (0.2 * dice.normal()).exp2(), 1)
    turn = 1 - math.sqrt(1 - p)  # before and after stretching: one of the two with probability p
    first = _turn(_some(turn, dice, (dice.uniform() * 2 - 1) * math.pi, 0))
    stretch = _some(p, dice, (0.2 * dice.normal()).exp2(), 1)
    second = _turn(_some(turn, dice, (dice.uniform() * 2 - 1) * math.pi, 0))
    x, y = (_some(p, dice, 0.25 * dice.normal(), 0) for _ in range(2))  # an eighth of the picture
    return matrix @ _scale(scale, scale) @ first @ _scale(stretch, 1 / stretch) @ second @ _shift(x, y)


def _colours(p: float, dice: Dice) -> Tensor:
    """Colour transformations: (B, 4, 4), applied to (red, green, blue, 1)."""
    grey = torch.ones(3) / math.sqrt(3)  # the luma axis
    along = torch.zeros(4, 4)
    along[:3, :3] = torch.outer(grey, grey)
    brightness = _some(p, dice, 0.2 * dice.normal(), 0)
    contrast = _some(p, dice, (0.5 * dice.normal()).exp2(), 1)
    flip = _some(p, dice, (dice.uniform() * 2).floor(), 0)
    hue = _some(p, dice, (dice.uniform() * 2 - 1) * math.pi, 0)
    saturation = _some(p, dice, dice.normal().exp2(), 1)

    along = along.to(brightness.device)
    across = torch.diag(along.new_tensor([1, 1, 1, 0])) - along
    # Rodrigues: the rotation about the luma axis turns the components across it.
    x, y, z = grey.tolist()
    cross = along.new_tensor([[0, -z, y, 0], [z, 0, -x, 0], [-y, x, 0, 0], [0, 0, 0, 0]])
    constant = torch.diag(along.new_tensor([0, 0, 0, 1]))

    def per(values: Tensor) -> Tensor:
        return values[:, None, None]

    lighter = torch.eye(4, device=along.device).repeat(len(brightness), 1, 1)
    lighter[:, :3, 3] = brightness[:, None]
    linear = along + across
    matrix = (per(contrast) * linear + constant) @ lighter
    matrix = (linear + constant - 2 * per(flip) * along) @ matrix
    matrix = (along + per(hue.cos()) * across + per(hue.sin()) * cross + constant) @ matrix
    return (along + per(saturation) * across + constant) @ matrix


def _matrix(a: Tensor, b: Tensor, x: Tensor, c: Tensor, d: Tensor, y: Tensor) -> Tensor:
    zero, one = torch.zeros_like(a), torch.ones_like(a)
    return torch.stack((a, b, x, c, d, y, zero, zero, one), 1).view(-1, 3, 3)


def _shift(x: Tensor, y: Tensor) -> Tensor:
    zero, one = torch.zeros_like(x), torch.ones_like(x)
    return _matrix(one, zero, x, zero, one, y)


def _scale(x: Tensor, y: Tensor) -> Tensor:
    zero = torch.zeros_like(x)
    return _matrix(x, zero, zero, zero, y, zero)


def _turn(angle: Tensor) -> Tensor:
    zero = torch.zeros_like(angle)
    return _matrix(angle.cos(), -angle.sin(), zero, angle.sin(), angle.cos(), zero)

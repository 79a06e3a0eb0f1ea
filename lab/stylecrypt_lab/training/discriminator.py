"""The discriminator of StyleGAN2 (Karras et al. 2020, arXiv 1912.04958, section 4.1): residual, with equalised rates.

Notation: B pictures, C channels, R pixels a side.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stylecrypt_msg.models.ops import EqualLinear, blur, leaky_relu

__all__ = ["GROUP", "Discriminator"]

GROUP = 4  # neighbours in a batch; the discriminator sees their spread

_SQRT2 = math.sqrt(2)


class _Conv(nn.Module):
    """Convolution with equalised learning rate; with ``down``, low-pass and every other pixel, which halves the size."""

    def __init__(self, c_in: int, c_out: int, kernel: int, *, down: bool = False, activate: bool = True) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(c_out, c_in, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(c_out)) if activate else None
        self.scale = 1 / math.sqrt(c_in * kernel**2)
        self.padding = kernel // 2
        self.down = down

    def forward(self, x: Tensor) -> Tensor:
        weight = self.weight * self.scale
        if self.down:
            x = blur(F.pad(x, [self.padding] * 4)) / 4  # (B, C, R+1, R+1) for a kernel of 3, (B, C, R-1, R-1) for 1
            x = F.conv2d(x, weight, stride=2)
        else:
            x = F.conv2d(x, weight, padding=self.padding)
        return x if self.bias is None else leaky_relu(x + self.bias[:, None, None]) * _SQRT2


class _Block(nn.Module):
    """(B, C, R, R) -> (B, C', R/2, R/2)."""

    def __init__(self, c_in: int, c_out: int) -> None:
        super().__init__()
        self.conv1 = _Conv(c_in, c_in, 3)
        self.conv2 = _Conv(c_in, c_out, 3, down=True)
        self.skip = _Conv(c_in, c_out, 1, down=True, activate=False)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.conv2(self.conv1(x)) + self.skip(x)
        return out / _SQRT2


class Discriminator(nn.Module):
    """Pictures (B, 3, size, size) to logits (B,): above zero for pictures that look real. B is a multiple of GROUP.

    ``channels`` are like the generator's: at 4, 8, ..., size pixels.
    """

    def __init__(self, channels: Sequence[int]) -> None:
        super().__init__()
        down = list(reversed(channels))
        self.from_rgb = _Conv(3, down[0], 1)
        self.blocks = nn.Sequential(*(_Block(c_in, c_out) for c_in, c_out in pairwise(down)))
        self.last = _Conv(down[-1] + 1, down[-1], 3)
        self.hidden = EqualLinear(down[-1] * 16, down[-1])
        self.logit = EqualLinear(down[-1], 1)
        for layer in (self.hidden, self.logit):
            nn.init.normal_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(self, images: Tensor) -> Tensor:
        x = self.blocks(self.from_rgb(images.contiguous(memory_format=torch.channels_last)))  # (B, C, 4, 4)
        x = self.last(torch.cat((x, _spread(x)), 1))
        logits: Tensor = self.logit(leaky_relu(self.hidden(x.flatten(1))) * _SQRT2)
        return logits[:, 0].float()


def _spread(x: Tensor) -> Tensor:
    """Mean standard deviation within each group of neighbours, as one more channel: (B, C, R, R) -> (B, 1, R, R).

    Groups are neighbours, so that processes sharing a batch see the same groups as one process would.
    """
    groups = x.float().reshape(-1, GROUP, *x.shape[1:])  # (B/4, 4, C, R, R)
    spread: Tensor = (groups.var(1, unbiased=False) + 1e-8).sqrt().mean((1, 2, 3))  # (B/4,)
    return spread.repeat_interleave(GROUP)[:, None, None, None].expand(-1, 1, *x.shape[2:]).to(x.dtype)

"""The embedded model's encoder: pSp's design (Richardson et al., arXiv 2008.00951) on MobileNetV2 (arXiv 1801.04381).

A feature pyramid over three depths of the trunk; coarse styles (0-2) are read from the deepest map, middle ones
(3-6) from the next, fine ones (7 on) from the finest, each through a map2style head. pSp gives each style its own
stack of convolutions, 200 million weights in all; here the styles of a level share the stack and differ in the last two
steps, so that the whole encoder stays under 25 MB in half precision.
"""

from __future__ import annotations

from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .descent import STEPS
from .refine import Directions

__all__ = ["MobileEncoder"]

# MobileNetV2, table 2: expansion, output channels, repeats, stride of the first.
_TRUNK = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)
_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet's pictures, in [0, 1]
_TAPS = {6: 32, 13: 96, 17: 320}  # index in `features` -> channels; strides 8, 16, 32
_WIDTH = 192
_HEAD = 40
_GRID = 4  # heads read a 4x4 map


class _ConvNorm(nn.Sequential):
    """Convolution, batch norm, ReLU6."""

    def __init__(self, c_in: int, c_out: int, kernel: int = 3, stride: int = 1, groups: int = 1) -> None:
        super().__init__(
            nn.Conv2d(c_in, c_out, kernel, stride, kernel // 2, groups=groups, bias=False),
            nn.BatchNorm2d(c_out),
            nn.ReLU6(inplace=True),
        )

    def forward(self, x: Tensor) -> Tensor:
        return F.relu6(_convolved(x, self[0], self[1]), inplace=True)


def _convolved(x: Tensor, conv: nn.Module, norm: nn.Module) -> Tensor:
    """``norm(conv(x))``; one convolution where the statistics are fixed, which takes less than half the time with
    gradients."""
    if norm.training:
        return norm(conv(x))  # type: ignore[no-any-return]
    conv, norm = cast("nn.Conv2d", conv), cast("nn.BatchNorm2d", norm)
    mean, variance = cast("Tensor", norm.running_mean), cast("Tensor", norm.running_var)
    scale = norm.weight * torch.rsqrt(variance + norm.eps)
    weight = conv.weight * scale[:, None, None, None]
    return F.conv2d(x, weight, norm.bias - mean * scale, conv.stride, conv.padding, groups=conv.groups)


class _InvertedResidual(nn.Module):
    def __init__(self, c_in: int, c_out: int, stride: int, expansion: int) -> None:
        super().__init__()
        hidden = c_in * expansion
        steps: list[nn.Module] = [] if expansion == 1 else [_ConvNorm(c_in, hidden, 1)]
        steps += [
            _ConvNorm(hidden, hidden, 3, stride, hidden),
            nn.Conv2d(hidden, c_out, 1, bias=False),
            nn.BatchNorm2d(c_out),
        ]
        self.conv = nn.Sequential(*steps)
        self.residual = stride == 1 and c_in == c_out

    def forward(self, x: Tensor) -> Tensor:
        *widening, conv, norm = self.conv
        y = x
        for layer in widening:
            y = layer(y)
        y = _convolved(y, conv, norm)
        return x + y if self.residual else y


class MobileNetV2(nn.Module):
    """The trunk, named as in torchvision so that ImageNet weights fit. (B, 3, S, S) -> maps at S/8, S/16, S/32."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = [_ConvNorm(3, 32, stride=2)]
        c_in = 32
        for expansion, c_out, repeats, stride in _TRUNK:
            for i in range(repeats):
                layers.append(_InvertedResidual(c_in, c_out, stride if i == 0 else 1, expansion))
                c_in = c_out
        self.features = nn.Sequential(*layers)

    def forward(self, images: Tensor) -> list[Tensor]:
        mean, std = (images.new_tensor(values)[:, None, None] for values in (_MEAN, _STD))
        x = ((images + 1) / 2 - mean) / std
        maps = []
        for i, layer in enumerate(self.features):
            x = layer(x)
            if i in _TAPS:
                maps.append(x)
        return maps


class _Level(nn.Module):
    """The styles read from one map of the pyramid. (B, _WIDTH, S, S) -> (B, count, style_dim)."""

    def __init__(self, count: int, halvings: int, style_dim: int) -> None:
        super().__init__()
        steps: list[nn.Module] = []
        for stride in [2] * halvings + [1]:
            steps += [nn.Conv2d(_WIDTH, _WIDTH, 3, stride, 1), nn.LeakyReLU(0.2, inplace=True)]
        self.stack = nn.Sequential(*steps)
        self.reduce = nn.Conv2d(_WIDTH, count * _HEAD, 1)
        self.linear = nn.Parameter(torch.empty(count, _HEAD * _GRID * _GRID, style_dim))
        self.bias = nn.Parameter(torch.zeros(count, style_dim))
        nn.init.normal_(self.linear, std=0.5 * (_HEAD * _GRID * _GRID) ** -0.5)

    def forward(self, x: Tensor) -> Tensor:
        count = self.bias.shape[0]
        x = F.leaky_relu(self.reduce(self.stack(x)), 0.2)  # (B, count * _HEAD, 4, 4)
        x = x.reshape(x.shape[0], count, -1)
        return torch.einsum("bni,nio->bno", x, self.linear) + self.bias


class MobileEncoder(nn.Module):
    """images (B, 3, 128, 128) RGB in [-1, 1] -> codes (B, n_styles, style_dim).

    The heads' output is in units of W's standard deviation from its mean, per dimension (``w_mean``, ``w_std``,
    (style_dim,)), which ``forward`` undoes; ``normalised`` leaves it, for losses.
    """

    input_size = 128
    passes = 3  # each gains fidelity; from the fourth on, less than mixes lose because the codes are far from W
    steps = STEPS

    def __init__(self, n_styles: int = 16, style_dim: int = 512) -> None:
        super().__init__()
        self.n_styles = n_styles
        self.trunk = MobileNetV2()
        self.lateral = nn.ModuleList(nn.Conv2d(c, _WIDTH, 1) for c in _TAPS.values())
        self.levels = nn.ModuleList(  # fine, middle, coarse: in the order of the trunk's maps
            _Level(count, halvings, style_dim) for count, halvings in ((n_styles - 7, 2), (4, 1), (3, 0))
        )
        # Half of W's directions for styles that shape the face, fewer for the last, which colour it.
        self.directions = Directions([style_dim // (2 if i < 10 else 6) for i in range(n_styles)], style_dim)
        self.register_buffer("w_mean", torch.zeros(style_dim))
        self.register_buffer("w_std", torch.ones(style_dim))

    w_mean: Tensor
    w_std: Tensor

    def features(self, images: Tensor) -> list[Tensor]:
        """The trunk's maps: (B, 32, 16, 16), (B, 96, 8, 8), (B, 320, 4, 4)."""
        return self.trunk(images)  # type: ignore[no-any-return]

    def normalised(self, images: Tensor) -> Tensor:
        """Codes (B, n_styles, style_dim) in units of W's deviation from its mean."""
        fine, middle, coarse = (lateral(m) for lateral, m in zip(self.lateral, self.features(images), strict=True))
        middle = middle + F.interpolate(coarse, size=middle.shape[-2:], mode="bilinear", align_corners=False)
        fine = fine + F.interpolate(middle, size=fine.shape[-2:], mode="bilinear", align_corners=False)
        parts = [level(x) for level, x in zip(self.levels, (fine, middle, coarse), strict=True)]
        return torch.cat(parts[::-1], dim=1)

    def forward(self, images: Tensor) -> Tensor:
        return self.normalised(images) * self.w_std + self.w_mean

"""The StyleGAN2 generator (Karras et al. 2020, arXiv 1912.04958): z -> w -> picture, read top to bottom.

Parameter names are those of the files that users have (rosinality's stylegan2-pytorch and everything built on
it), so that their state dicts fit. The noise maps are the fixed ones of the file: the same codes give the
same picture.

Notation: B pictures, C channels, T style dimensions, R pixels a side, N styles = 2 log2(size) - 2.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from ..errors import ModelError
from . import psp, store
from .ops import (
    EqualLinear,
    ModulatedConv,
    ModulatedPixelwise,
    PixelNorm,
    leaky_relu,
    reusable,
    upsample,
)

__all__ = ["Generator", "build"]

SQRT2 = math.sqrt(2)  # gain of every activation
MAX_SIZE = 1024


class StyledConv(nn.Module):
    """Modulated 3x3 convolution, noise, bias, leaky ReLU."""

    def __init__(self, c_in: int, c_out: int, style_dim: int, *, up: bool = False) -> None:
        super().__init__()
        self.conv = ModulatedConv(c_in, c_out, style_dim, up=up)
        self.noise = nn.ParameterDict({"weight": nn.Parameter(torch.empty(1))})
        self.activate = nn.ParameterDict({"bias": nn.Parameter(torch.empty(c_out))})

    def forward(self, x: Tensor, w: Tensor, noise: Tensor) -> Tensor:
        """x (B, C, R, R), w (B, T), noise (1, 1, R', R') -> (B, C', R', R')."""
        x, demodulation = self.conv(x, w)
        bias = self.activate["bias"][:, None, None]
        # sqrt 2 * leaky_relu(x * d + bias + noise), with the gain taken inside: three passes over memory, not
        # seven.
        x = torch.addcmul(bias * SQRT2, x, demodulation * SQRT2, out=reusable(x))
        x += noise * (self.noise["weight"] * SQRT2)
        return leaky_relu(x)


class ToRGB(nn.Module):
    """Features to colours: a modulated 1x1 convolution, not demodulated, on top of the picture so far."""

    def __init__(self, c_in: int, style_dim: int) -> None:
        super().__init__()
        self.conv = ModulatedPixelwise(c_in, 3, style_dim)
        self.bias = nn.Parameter(torch.empty(1, 3, 1, 1))

    def forward(self, x: Tensor, w: Tensor, picture: Tensor | None) -> Tensor:
        """x (B, C, R, R), w (B, T), picture (B, 3, R/2, R/2) or None -> (B, 3, R, R)."""
        rgb: Tensor = self.conv(x, w) + self.bias
        return rgb if picture is None else rgb + upsample(picture)


class Generator(nn.Module):
    """StyleGAN2: ``mapping`` turns z into w, calling the module turns codes into pictures.

    ``channels`` holds the number of channels at 4, 8, ..., size pixels; its length decides the size.
    """

    def __init__(self, channels: Sequence[int], style_dim: int = 512, n_mlp: int = 8) -> None:
        super().__init__()
        self.style_dim = style_dim
        self.image_size = 2 ** (len(channels) + 1)
        self.n_styles = 2 * len(channels)

        layers = [EqualLinear(style_dim, style_dim, lr_mul=0.01) for _ in range(n_mlp)]
        self.style = nn.Sequential(PixelNorm(), *layers)
        self.input = nn.ParameterDict({"input": nn.Parameter(torch.empty(1, channels[0], 4, 4))})
        self.conv1 = StyledConv(channels[0], channels[0], style_dim)
        self.to_rgb1 = ToRGB(channels[0], style_dim)
        self.convs = nn.ModuleList()
        self.to_rgbs = nn.ModuleList()
        for c_in, c_out in pairwise(channels):
            self.convs.append(StyledConv(c_in, c_out, style_dim, up=True))
            self.convs.append(StyledConv(c_out, c_out, style_dim))
            self.to_rgbs.append(ToRGB(c_out, style_dim))
        self.noises = nn.Module()
        for i in range(self.n_styles - 1):
            side = 4 * 2 ** ((i + 1) // 2)
            self.noises.register_buffer(f"noise_{i}", torch.empty(1, 1, side, side))

    def mapping(self, z: Tensor) -> Tensor:
        """z (B, T), standard normal -> w (B, T)."""
        norm, *layers = self.style
        w: Tensor = norm(z)
        for layer in layers:
            w = leaky_relu(layer(w)) * SQRT2
        return w

    def suits(self, w: Tensor, codes: Tensor) -> Tensor:  # noqa: ARG002 - the judge of another family looks at both
        """Everybody qualifies as a stand-in: this model has no scores to rule people out. (B, T) -> (B,)."""
        return torch.ones(len(w), dtype=torch.bool, device=w.device)

    def preview(self, codes: Tensor, size: int = 128) -> Tensor:
        """The picture at ``size`` px, or at full size if that is less: the skip connections hold every size."""
        return self.forward(codes, blocks=min(size.bit_length() - 3, len(self.to_rgbs)))

    def forward(self, codes: Tensor, blocks: int | None = None) -> Tensor:
        """Codes W+ (B, N, T) -> pictures (B, 3, size, size), RGB, about [-1, 1] and not clamped.

        With ``blocks``, only so many doublings of the size from 4 px.
        """
        noise = [getattr(self.noises, f"noise_{i}") for i in range(self.n_styles - 1)]
        x = self.input["input"].repeat(codes.shape[0], 1, 1, 1)
        x = x.contiguous(memory_format=torch.channels_last)  # (B, C, 4, 4)
        x = self.conv1(x, codes[:, 0], noise[0])
        picture: Tensor = self.to_rgb1(x, codes[:, 1], None)  # (B, 3, 4, 4)
        for i, to_rgb in enumerate(self.to_rgbs[:blocks]):
            j = 2 * i + 1  # to_rgb shares its style with the next block's first convolution
            x = self.convs[j - 1](x, codes[:, j], noise[j])  # (B, C', 2R, 2R)
            x = self.convs[j](x, codes[:, j + 1], noise[j + 1])
            picture = to_rgb(x, codes[:, j + 2], picture)
        return picture


def build(state: store.State) -> tuple[Generator, psp.Backbone | None]:
    """The networks that the tensors ``generator.*`` and ``encoder.*`` describe; sizes are found from shapes.

    Raises ModelError if the tensors are not those of a StyleGAN2 generator and one of pSp's encoders.
    """
    weights = store.part(state, "generator.")
    last = max((int(match[1]) for name in weights if (match := re.match(r"convs\.(\d{1,3})\.", name))), default=-1)
    depth = sum(bool(re.fullmatch(r"style\.\d+\.weight", name)) for name in weights)
    try:
        channels = [weights["conv1.conv.weight"].shape[1]]
        channels += [weights[f"convs.{i}.conv.weight"].shape[1] for i in range(0, last + 1, 2)]
        style_dim = weights["conv1.conv.modulation.weight"].shape[1]
    except (KeyError, IndexError) as error:
        raise ModelError(
            "The file holds no complete StyleGAN2 generator.", hint="It may be cut, or of another architecture."
        ) from error
    size = 2 ** (len(channels) + 1)
    if size > MAX_SIZE:
        raise ModelError(f"The generator makes pictures of {size} px, more than {MAX_SIZE} are not supported.")
    with torch.device("meta"):
        generator = Generator(channels, style_dim, depth)
    store.fill(generator, weights, f"The {size} px StyleGAN2 generator")
    encoder = psp.build(store.part(state, "encoder."))
    return generator, encoder

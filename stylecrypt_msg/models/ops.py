"""Operations that StyleGAN2 and the pSp encoder share, in plain PyTorch: nothing is compiled, any device.

Weights are left uninitialised: they always come from a file. (Drawing random numbers for networks on the meta
device would also import half of PyTorch's compiler: 75 MB and a second.)

Notation: B pictures, C channels in, O channels out, T style dimensions. Sources: StyleGAN2 (Karras et al.
2020, arXiv 1912.04958), section 2.2 and equations (1)-(3); equalised learning rate and pixel norm from
Progressive GAN (Karras et al. 2018, arXiv 1710.10196), section 4.1-4.2.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

__all__ = [
    "EqualLinear",
    "ModulatedConv",
    "ModulatedPixelwise",
    "PixelNorm",
    "blur",
    "conv_layout",
    "leaky_relu",
    "resized",
    "reusable",
    "upsample",
]

EPSILON = 1e-8  # of pixel norm and demodulation


def conv_layout(weight: Tensor) -> Tensor:
    """A float32 copy: convolution weights laid out channels-last, all others contiguous.

    Takes (O, C, k, k) and StyleGAN2's (1, O, C, k, k). On the CPU a convolution otherwise re-orders its
    weights on each call, which costs more than the arithmetic in the small layers.
    """
    if weight.ndim == 4:
        return weight.to(torch.float32, copy=True, memory_format=torch.channels_last)
    if weight.ndim == 5 and weight.shape[0] == 1:
        return weight[0].to(torch.float32, copy=True, memory_format=torch.channels_last)[None]
    return weight.to(torch.float32, copy=True, memory_format=torch.contiguous_format)


def reusable(x: Tensor) -> Tensor | None:
    """Where to write a result computed from a temporary x: x itself, unless gradients may still need it."""
    return None if torch.is_grad_enabled() else x


def leaky_relu(x: Tensor) -> Tensor:
    """Leaky ReLU of slope 0.2, in place. The gain of sqrt 2 is left to the caller, who can fold it into a
    factor: f(a x) = a f(x) for a > 0."""
    return F.leaky_relu(x, 0.2, inplace=True)


def blur(x: Tensor) -> Tensor:
    """The low-pass [1, 3, 3, 1] x [1, 3, 3, 1] / 16 of gain 4, padded by one: (B, C, H, W) -> (B, C, H-1,
    W-1)."""
    taps = torch.tensor([1.0, 3.0, 3.0, 1.0], dtype=x.dtype, device=x.device) / 4
    kernel = (taps[:, None] * taps).expand(x.shape[1], 1, 4, 4)
    return F.conv2d(x, kernel, padding=1, groups=x.shape[1])


def upsample(x: Tensor) -> Tensor:
    """Twice the size with the same low-pass, zeros outside: (B, C, H, W) -> (B, C, 2H, 2W).

    The filter is bilinear interpolation, except at the border, where StyleGAN2 sees zeros.
    """
    padded = F.interpolate(F.pad(x, (1, 1, 1, 1)), scale_factor=2, mode="bilinear", align_corners=False)
    return padded[..., 2:-2, 2:-2]


class PixelNorm(nn.Module):
    """Vectors of unit mean square: (B, T) -> (B, T)."""

    def forward(self, z: Tensor) -> Tensor:
        return z * torch.rsqrt(z.square().mean(dim=1, keepdim=True) + EPSILON)


class EqualLinear(nn.Module):
    """Linear layer with equalised learning rate: (B, C) -> (B, O).

    ``lr_mul`` scales weight and bias alike (the mapping network learns a hundred times slower: 0.01).
    """

    def __init__(self, c_in: int, c_out: int, *, lr_mul: float = 1.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(c_out, c_in))
        self.bias = nn.Parameter(torch.empty(c_out))
        self.scale = lr_mul / math.sqrt(c_in)
        self.lr_mul = lr_mul

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x * self.scale, self.weight, self.bias * self.lr_mul)


class _Modulated(nn.Module):
    """A convolution's weights (1, O, C, k, k) and the affine map from a style to factors of its input."""

    def __init__(self, c_in: int, c_out: int, kernel: int, style_dim: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(1, c_out, c_in, kernel, kernel))
        self.modulation = EqualLinear(style_dim, c_in)
        self.scale = 1 / math.sqrt(c_in * kernel**2)

    def style(self, w: Tensor) -> Tensor:
        """w (B, T) -> factors (B, C), with the equalised learning rate of the weights in them."""
        style: Tensor = self.modulation(w)
        return style * self.scale


class ModulatedConv(_Modulated):
    """3x3 convolution whose weights a style vector scales and renormalises, StyleGAN2 equations (1) and (3).

    With s the style and W the weights, the paper scales W by s for every sample. The same function, but one
    dense convolution for the whole batch, scales the input by s and the output by the demodulation factor:
    y = conv(x * s, W) * d,   d_o = 1 / sqrt(sum_{c,k} (s_c W_ock)^2 + eps).
    ``forward`` returns conv(x * s, W) and d apart, since the caller multiplies by d together with the rest. It may
    overwrite x (``reusable``).
    """

    def __init__(self, c_in: int, c_out: int, style_dim: int, *, up: bool = False) -> None:
        super().__init__(c_in, c_out, 3, style_dim)
        self.up = up

    def forward(self, x: Tensor, w: Tensor) -> tuple[Tensor, Tensor]:
        """x (B, C, H, W), w (B, T) -> (B, O, H', W'), (B, O, 1, 1), where H' = 2H if up."""
        style = self.style(w)  # (B, C)
        weight = self.weight[0]  # (O, C, 3, 3)
        energy = weight.square().sum(dim=(2, 3))  # (O, C)
        demodulation = torch.rsqrt(F.linear(style.square(), energy) + EPSILON)  # (B, O)
        x = torch.mul(x, style[:, :, None, None], out=reusable(x))
        if not self.up:
            return F.conv2d(x, weight, padding=1), demodulation[:, :, None, None]
        x = F.conv_transpose2d(x, weight.transpose(0, 1), stride=2)  # (B, O, 2H+1, 2W+1)
        return blur(x), demodulation[:, :, None, None]


class ModulatedPixelwise(_Modulated):
    """Modulated 1x1 convolution without demodulation, to few channels, where scaling the weights is cheaper."""

    def __init__(self, c_in: int, c_out: int, style_dim: int) -> None:
        super().__init__(c_in, c_out, 1, style_dim)

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        """x (B, C, H, W), w (B, T) -> (B, O, H, W)."""
        B, C, H, W = x.shape
        weight = self.weight[0, :, :, 0, 0] * self.style(w)[:, None]  # (B, O, C)
        pixels = x.permute(0, 2, 3, 1).reshape(B, H * W, C)  # a view when channels-last
        out = torch.bmm(pixels, weight.transpose(1, 2))  # (B, HW, O)
        return out.transpose(1, 2).reshape(B, -1, H, W)


def resized(images: Tensor, size: int) -> Tensor:
    """Square images (B, C, H, H) -> (B, C, size, size): by area from larger, bilinearly from smaller ones."""
    if images.shape[2] > size:
        return F.interpolate(images, (size, size), mode="area")
    if images.shape[2] < size:
        return F.interpolate(images, (size, size), mode="bilinear", align_corners=False)
    return images

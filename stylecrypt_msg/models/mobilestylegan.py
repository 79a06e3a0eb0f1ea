"""The embedded generator: MobileStyleGAN (Belousov, arXiv 2104.04767) at 1024 px, W+ of 16 styles.

A StyleGAN2 distilled into wavelet space: features grow by inverse Haar transforms instead of blurred
up-convolutions, and each 3x3 convolution is a depthwise one followed by a pointwise one whose demodulation
is a constant. What the converter folds into the weights (see ``scripts/model/convert_mobilestylegan.py``): the
equalised learning rates, the demodulation, the Haar factor 1/2, and the noise strengths. Channels that enter an
inverse Haar transform are stored as LL | LH | HL | HH.

A style vector enters the network in 23 places. They share 16 styles in StyleGAN2's meaning, so that a
layer mask of the paper means here what it means there: style 0 at 4 px; of layer i (8 px times 2**i), style
2i + 1 drives the up-sampling and the first convolution, style 2i + 2 the second one; style 15 the colours.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..errors import ModelError
from . import store
from .face_model import CLEARLY
from .mobile_encoder import MobileEncoder
from .ops import resized

__all__ = ["MobileStyleGAN", "PreviewHead", "build"]


class _Modulation(nn.Linear):
    """Affine map A from a style vector (B, style_dim) to factors (B, C, 1, 1) of a layer's input channels."""

    def __init__(self, style_dim: int, channels: int) -> None:
        super().__init__(style_dim, channels)

    def forward(self, w: Tensor) -> Tensor:
        return super().forward(w)[:, :, None, None]


class _Conv(nn.Module):
    """Modulated convolution, fixed noise, bias, leaky ReLU. (B, C_in, S, S), (B, style_dim) -> (B, C_out, S, S)."""

    def __init__(self, c_in: int, c_out: int, size: int, style_dim: int, *, separable: bool = True) -> None:
        super().__init__()
        self.modulation = _Modulation(style_dim, c_in)
        self.depthwise = nn.Parameter(torch.empty(c_in, 1, 3, 3)) if separable else None
        kernel = 1 if separable else 3
        self.weight = nn.Parameter(torch.empty(c_out, c_in, kernel, kernel))
        self.bias = nn.Parameter(torch.empty(c_out))
        self.register_buffer("noise", torch.empty(1, 1, size, size))

    noise: Tensor

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        x = x * self.modulation(w)
        if self.depthwise is None:
            x = F.conv2d(x, self.weight, self.bias, padding=1)
        else:
            x = F.conv2d(x, self.depthwise, padding=1, groups=x.shape[1])
            x = F.conv2d(x, self.weight, self.bias)
        return F.leaky_relu(x + self.noise, 0.2)


def inverse_haar(x: Tensor) -> Tensor:
    """Inverse 2-D Haar transform without its factor 1/2. (B, 4C, S, S) as LL | LH | HL | HH -> (B, C, 2S, 2S).

    Rows: LL + LH above LL - LH; columns: low + high left of low - high. Written on channels-last memory, where
    every term is a contiguous run, so that the layout survives the transform.
    """
    B, C, H, W = x.shape
    ll, lh, hl, hh = x.permute(0, 2, 3, 1).reshape(B, H, W, 4, C // 4).unbind(3)
    top_low, bottom_low, top_high, bottom_high = ll + lh, ll - lh, hl + hh, hl - hh
    top = torch.stack((top_low + top_high, top_low - top_high), dim=3)
    bottom = torch.stack((bottom_low + bottom_high, bottom_low - bottom_high), dim=3)
    out = torch.stack((top, bottom), dim=2)  # (B, H, 2, W, 2, C/4)
    return out.reshape(B, 2 * H, 2 * W, C // 4).permute(0, 3, 1, 2)


class _Layer(nn.Module):
    """Doubles the size: modulated inverse Haar, then two convolutions. (B, C_in, S, S) -> (B, C_out, 2S, 2S)."""

    def __init__(self, c_in: int, c_out: int, size: int, style_dim: int) -> None:
        super().__init__()
        self.up = _Modulation(style_dim, c_in)
        self.conv1 = _Conv(c_in // 4, c_out, size, style_dim)
        self.conv2 = _Conv(c_out, c_out, size, style_dim)

    def forward(self, x: Tensor, w1: Tensor, w2: Tensor) -> Tensor:
        x = inverse_haar(x * self.up(w1))
        return self.conv2(self.conv1(x, w1), w2)  # type: ignore[no-any-return]


class PreviewHead(nn.Module):
    """A picture at 128 px from the features at 128 px, in place of the last two layers when gradients are needed.

    The network proper has no to-RGB below full size, and its last two layers cost as much as all others. This head
    was fitted to full renders, scaled down (``scripts/model/fit_preview.py``). It takes the styles of the layers that it
    replaces, in units of W's deviation, so that the preview has the colours they set:
    (B, C, 128, 128), (B, 16, style_dim) -> (B, 3, 128, 128).
    """

    WIDTH = 48

    def __init__(self, channels: int, style_dim: int) -> None:
        super().__init__()
        self.modulation = _Modulation(4 * style_dim, channels)
        self.reduce = nn.Conv2d(channels, self.WIDTH, 1)
        self.mixing = nn.Conv2d(self.WIDTH, self.WIDTH, 3, padding=1)
        self.to_rgb_modulation = _Modulation(5 * style_dim, self.WIDTH)
        self.to_rgb = nn.Conv2d(self.WIDTH, 3, 1)

    def forward(self, x: Tensor, codes: Tensor) -> Tensor:
        x = F.leaky_relu(self.reduce(x * self.modulation(codes[:, 11:15].flatten(1))), 0.2)
        x = x + F.leaky_relu(self.mixing(x), 0.2)
        return self.to_rgb(x * self.to_rgb_modulation(codes[:, 11:].flatten(1)))  # type: ignore[no-any-return]


_SCORES = 6  # scores of stand-ins: five that rule a person out, and one that compares
PREVIEW_LAYERS = 5  # doublings from 4 px to the preview's 128 px
PREVIEW_SIZE = 4 * 2**PREVIEW_LAYERS


class MobileStyleGAN(nn.Module):
    """Mapping and synthesis. ``channels`` are those of the features at 4, 8, 16, ... px; the picture is twice the last.

    Attributes:
        n_styles, style_dim: shape of the codes.
        image_size: pixels of the square picture that ``forward`` returns.
    """

    def __init__(self, channels: Sequence[int], style_dim: int = 512, mapping_depth: int = 8) -> None:
        super().__init__()
        self.style_dim = style_dim
        self.n_styles = 2 * len(channels)
        self.image_size = 4 * 2 ** len(channels)
        # Statistics of W over 20,000 samples, per dimension: the encoder's codes are relative to them.
        self.register_buffer("w_mean", torch.empty(style_dim))
        self.register_buffer("w_std", torch.empty(style_dim))
        # Linear scores of w: a child, headgear, glasses, turned right, turned left, a man rather than a woman
        # (``scripts/model/fit_stand_ins.py``).
        self.register_buffer("judge_weight", torch.empty(_SCORES, style_dim))
        self.register_buffer("judge_bias", torch.empty(_SCORES))
        self.map = nn.ModuleList(nn.Linear(style_dim, style_dim) for _ in range(mapping_depth))
        self.input = nn.Parameter(torch.empty(1, channels[0], 4, 4))
        self.conv_in = _Conv(channels[0], channels[0], 4, style_dim, separable=False)
        self.layers = nn.ModuleList(
            _Layer(c_in, c_out, 8 * 2**i, style_dim) for i, (c_in, c_out) in enumerate(pairwise(channels))
        )
        self.to_img_modulation = _Modulation(style_dim, channels[-1])
        self.to_img = nn.Conv2d(channels[-1], 12, 1)
        self.preview_head = PreviewHead(channels[PREVIEW_LAYERS], style_dim)

    w_mean: Tensor
    w_std: Tensor
    judge_weight: Tensor
    judge_bias: Tensor

    def mapping(self, z: Tensor) -> Tensor:
        """z (B, style_dim), normal -> w (B, style_dim)."""
        x = z * torch.rsqrt(z.square().mean(1, keepdim=True) + 1e-8)
        for layer in self.map:
            x = F.leaky_relu(layer(x), 0.2) * 2**0.5
        return x

    def suits(self, w: Tensor, codes: Tensor) -> Tensor:
        """Whether people, w (B, style_dim) from `mapping`, are stand-ins for ``codes`` (n_styles, style_dim).

        (B,) bool: bare-headed adults seen from the front, clearly men for a man and women for a woman, judged by styles 2 to 7,
        which shape the face.
        """
        *refused, man = (w @ self.judge_weight.T + self.judge_bias).unbind(1)
        original = codes[2:8].mean(0) @ self.judge_weight[-1] + self.judge_bias[-1]
        return (torch.stack(refused) < 0).all(0) & (man * original.sign() > CLEARLY)

    def features(self, codes: Tensor, layers: int) -> Tensor:
        """Features after ``layers`` doublings. codes (B, n_styles, style_dim) -> (B, C, S, S), S = 4 * 2**layers."""
        w = codes.unbind(1)
        x: Tensor = self.input.expand(codes.shape[0], -1, -1, -1).contiguous(memory_format=torch.channels_last)
        x = self.conv_in(x, w[0])
        for i in range(layers):
            x = self.layers[i](x, w[2 * i + 1], w[2 * i + 2])
        return x

    def forward(self, codes: Tensor) -> Tensor:
        """codes (B, n_styles, style_dim) -> images (B, 3, image_size, image_size), RGB, about [-1, 1]."""
        x = self.features(codes, len(self.layers))
        x = self.to_img(x * self.to_img_modulation(codes[:, -1]))
        return inverse_haar(x)

    def preview(self, codes: Tensor, size: int = PREVIEW_SIZE) -> Tensor:
        """The result of ``forward`` scaled down, for gradients: at 128 px approximately, for a third of the cost.

        codes (B, n_styles, style_dim) -> images (B, 3, size, size), RGB, about [-1, 1].
        """
        if size > PREVIEW_SIZE:
            return resized(self.forward(codes), min(size, self.image_size))
        return self.preview_head(self.features(codes, PREVIEW_LAYERS), (codes - self.w_mean) / self.w_std)  # type: ignore[no-any-return]


def build(state: store.State) -> tuple[MobileStyleGAN, MobileEncoder | None]:
    """The networks that the tensors ``generator.*`` and ``encoder.*`` describe; shapes give the sizes.

    Raises ModelError if the tensors are not those of a MobileStyleGAN and our encoder.
    """
    weights = store.part(state, "generator.")
    depth = sum(name.startswith("map.") and name.endswith(".weight") for name in weights)
    n_layers = sum(name.startswith("layers.") and name.endswith(".conv2.bias") for name in weights)
    try:
        channels = [weights["conv_in.bias"].shape[0]]
        channels += [weights[f"layers.{i}.conv2.bias"].shape[0] for i in range(n_layers)]
        style_dim = weights["w_mean"].shape[0]
        with torch.device("meta"):
            generator = MobileStyleGAN(channels, style_dim, depth)
    except (KeyError, IndexError) as error:
        raise ModelError("The file holds no complete MobileStyleGAN.", hint="Copy or download it again.") from error
    store.fill(generator, weights, "The MobileStyleGAN")
    weights = store.part(state, "encoder.")
    if not weights:
        return generator, None
    with torch.device("meta"):
        encoder = MobileEncoder(generator.n_styles, style_dim)
    store.fill(encoder, weights, "The encoder")
    return generator, encoder

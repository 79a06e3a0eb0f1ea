"""pSp's encoders (Richardson et al. 2021, arXiv 2008.00951) and e4e's (Tov et al. 2021, arXiv 2102.02766).

A picture of 256 x 256 pixels becomes N style vectors. The backbone is IR-SE-50 (ArcFace, Deng et al. 2019,
with squeeze-and-excitation, Hu et al. 2018). Parameter names are those of the published files.

All encoders here return *absolute* codes, ready for the generator. Published encoders predict offsets from an
average latent: it is the buffer ``latent_avg`` (N, T), zero for those that were trained without.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..errors import ModelError
from . import store
from .ops import EqualLinear
from .refine import Directions

__all__ = ["Encoder4Editing", "GradualStyleEncoder", "WEncoder", "WPlusEncoder", "build"]

WIDTH = 512  # channels of the last stage, the pyramid and the heads; also the style dimension
WIDTHS = (128, 256, WIDTH)  # 512 in all published files; networks of our own training may be slimmer
STAGES = ((1, 1, 3), (1, 2, 4), (2, 4, 14), (4, 8, 3))  # channels in, out, in eighths of the width; blocks
TAPS = (6, 20, 23)  # last blocks at 64, 32 and 16 pixels, of 256
INPUT_SIZE = 256
COARSE, MIDDLE = 3, 7  # styles 0-2 read the 16 pixel features, 3-6 those at 32, the rest those at 64


class SqueezeExcitation(nn.Module):
    """Channels weighted by the content of the whole picture: (B, C, H, W) -> the same."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.fc1 = nn.Conv2d(channels, channels // 16, 1, bias=False)
        self.fc2 = nn.Conv2d(channels // 16, channels, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        squeezed = F.relu(self.fc1(x.mean(dim=(2, 3), keepdim=True)))
        return x * torch.sigmoid(self.fc2(squeezed))


class Block(nn.Module):
    """Residual block of IR-SE-50; the stride is on the second convolution."""

    def __init__(self, c_in: int, c_out: int, stride: int) -> None:
        super().__init__()
        self.stride = stride
        self.shortcut_layer = None
        if c_in != c_out:
            self.shortcut_layer = nn.Sequential(nn.Conv2d(c_in, c_out, 1, stride, bias=False), nn.BatchNorm2d(c_out))
        self.res_layer = nn.Sequential(
            nn.BatchNorm2d(c_in),
            nn.Conv2d(c_in, c_out, 3, 1, 1, bias=False),
            nn.PReLU(c_out),
            nn.Conv2d(c_out, c_out, 3, stride, 1, bias=False),
            nn.BatchNorm2d(c_out),
            SqueezeExcitation(c_out),
        )

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.res_layer(x)
        if self.shortcut_layer is None:
            return out + x[:, :, :: self.stride, :: self.stride]
        shortcut: Tensor = self.shortcut_layer(x)
        return out + shortcut


class Backbone(nn.Module):
    """IR-SE-50 without its head, and what all four encoders share.

    ``width`` is the style dimension T, one of WIDTHS. Shapes are given for the published 512 and pictures of 256 px.
    """

    passes = 1
    steps = 0
    directions: Directions | None = None
    latent_avg: Tensor

    def __init__(self, n_styles: int, width: int = WIDTH) -> None:
        super().__init__()
        self.n_styles = n_styles
        self.input_size = INPUT_SIZE
        c = width // 8
        self.input_layer = nn.Sequential(nn.Conv2d(3, c, 3, 1, 1, bias=False), nn.BatchNorm2d(c), nn.PReLU(c))
        blocks = []
        for c_in, c_out, count in STAGES:
            blocks.append(Block(c * c_in, c * c_out, stride=2))
            blocks.extend(Block(c * c_out, c * c_out, stride=1) for _ in range(count - 1))
        self.body = nn.Sequential(*blocks)
        self.register_buffer("latent_avg", torch.zeros(n_styles, width))

    def features(self, images: Tensor) -> list[Tensor]:
        """Images (B, 3, 256, 256) -> (B, 128, 64, 64), (B, 256, 32, 32), (B, 512, 16, 16)."""
        x = self.input_layer(images.contiguous(memory_format=torch.channels_last))
        taps = []
        for i, block in enumerate(self.body):
            x = block(x)
            if i in TAPS:
                taps.append(x)
        return taps

    def forward(self, images: Tensor) -> Tensor:
        """Images (B, 3, 256, 256), RGB in [-1, 1] -> codes (B, N, T)."""
        return self.offsets(self.features(images)) + self.latent_avg

    def offsets(self, features: list[Tensor]) -> Tensor:
        """Codes minus ``latent_avg``: (B, N, T), or (B, 1, T) for one style everywhere."""
        raise NotImplementedError


class StyleHead(nn.Module):
    """map2style: halves the features until one vector is left, (B, 512, H, H) -> (B, T)."""

    def __init__(self, side: int, width: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for _ in range(int(math.log2(side))):
            layers += [nn.Conv2d(width, width, 3, 2, 1), nn.LeakyReLU(0.01, inplace=True)]
        self.convs = nn.Sequential(*layers)
        self.linear = EqualLinear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        style: Tensor = self.linear(self.convs(x).flatten(1))
        return style


class GradualStyleEncoder(Backbone):
    """pSp: one head per style on a feature pyramid (section 3.1 and figure 2).

    ``input_size``: side in pixels of the pictures that it reads, a power of two from 32.
    """

    def __init__(self, n_styles: int, width: int = WIDTH, input_size: int = INPUT_SIZE) -> None:
        super().__init__(n_styles, width)
        self.input_size = input_size
        side = input_size // 16
        sides = [side if i < COARSE else 2 * side if i < MIDDLE else 4 * side for i in range(n_styles)]
        self.styles = nn.ModuleList(StyleHead(side, width) for side in sides)
        self.latlayer1 = nn.Conv2d(width // 2, width, 1)
        self.latlayer2 = nn.Conv2d(width // 4, width, 1)

    def offsets(self, features: list[Tensor]) -> Tensor:
        fine, middle, coarse = features
        middle = _enlarge(coarse) + self.latlayer1(middle)  # (B, 512, 32, 32)
        fine = _enlarge(middle) + self.latlayer2(fine)  # (B, 512, 64, 64)
        levels = [coarse if i < COARSE else middle if i < MIDDLE else fine for i in range(self.n_styles)]
        return torch.stack([head(x) for head, x in zip(self.styles, levels, strict=True)], dim=1)


class Encoder4Editing(GradualStyleEncoder):
    """e4e: style 0 is the base, the others are offsets from it (section 4.1). The names are pSp's; the buffer
    ``base_weight`` (the share of style 0 in the others, 1) tells the two apart in our own format."""

    base_weight: Tensor

    def __init__(self, n_styles: int, width: int = WIDTH, input_size: int = INPUT_SIZE) -> None:
        super().__init__(n_styles, width, input_size)
        self.register_buffer("base_weight", torch.ones(()))

    def offsets(self, features: list[Tensor]) -> Tensor:
        base, deltas = super().offsets(features).tensor_split([1], dim=1)
        return torch.cat([base, deltas + self.base_weight * base], dim=1)


class WEncoder(Backbone):
    """pSp's baseline into W: the mean of the last features, one style for all layers."""

    def __init__(self, n_styles: int) -> None:
        super().__init__(n_styles)
        self.linear = EqualLinear(WIDTH, WIDTH)

    def offsets(self, features: list[Tensor]) -> Tensor:
        style: Tensor = self.linear(features[-1].mean(dim=(2, 3)))
        return style[:, None]


class WPlusEncoder(Backbone):
    """pSp's baseline into W+: all styles from the last features by one linear layer."""

    def __init__(self, n_styles: int) -> None:
        super().__init__(n_styles)
        self.output_layer_2 = nn.Sequential(
            nn.BatchNorm2d(WIDTH), nn.AdaptiveAvgPool2d(7), nn.Flatten(), nn.Linear(WIDTH * 7 * 7, WIDTH)
        )
        self.linear = EqualLinear(WIDTH, WIDTH * n_styles)

    def offsets(self, features: list[Tensor]) -> Tensor:
        # The linear layer's columns are ordered (C, 7, 7): flatten as if contiguous, whatever the layout.
        styles: Tensor = self.linear(self.output_layer_2(features[-1]))
        return styles.reshape(-1, self.n_styles, WIDTH)


def _enlarge(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=True)


def build(state: store.State) -> Backbone | None:
    """The encoder that the tensors describe; None without tensors.

    Raises ModelError if they are not those of one of the four encoders for RGB pictures.
    """
    if not state:
        return None
    try:
        n_inputs = state["input_layer.0.weight"].shape[1]
        n_styles, width = state["latent_avg"].shape
    except (KeyError, IndexError, ValueError) as error:
        raise ModelError(
            "The encoder is not one of pSp's or e4e's.",
            hint="Only those on the IR-SE-50 backbone are supported.",
        ) from error
    if n_inputs != 3:
        raise ModelError(
            f"The encoder reads {n_inputs} channels instead of RGB.",
            hint="Encoders of sketches, of segmentations and of ReStyle cannot invert photos by themselves.",
        )
    make: Callable[[], Backbone]
    heads = {int(match[1]) for name in state if (match := re.match(r"styles\.(\d{1,3})\.", name))}
    if heads:
        kind = Encoder4Editing if "base_weight" in state else GradualStyleEncoder
        # The first head halves a map of a sixteenth of the picture's size until one pixel is left.
        halvings = sum(bool(re.fullmatch(r"styles\.0\.convs\.\d{1,2}\.weight", name)) for name in state)
        if width not in WIDTHS or not 1 <= halvings <= 4:
            raise ModelError(
                "The encoder is not one of pSp's or e4e's.",
                hint="Only those on the IR-SE-50 backbone are supported.",
            )
        if len(heads) != n_styles:
            raise ModelError(
                f"The encoder makes {len(heads)} styles, but the generator takes {n_styles}.",
                hint="Use an encoder that was trained with this generator.",
            )
        make = partial(kind, n_styles, width, 16 << halvings)
    else:
        in_wplus = any(name.startswith("output_layer_2.") for name in state)
        make = partial(WPlusEncoder if in_wplus else WEncoder, n_styles)
    with torch.device("meta"):
        encoder = make()
    store.fill(encoder, state, "The encoder")
    return encoder

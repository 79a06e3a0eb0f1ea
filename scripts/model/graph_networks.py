"""The embedded model's networks as nodes: ``models/mobilestylegan.py`` and ``models/mobile_encoder.py`` once more."""

from __future__ import annotations

import numpy as np
from graph_builder import Builder, Value

# MobileNetV2's trunk, as in models/mobile_encoder.py: expansion, output channels, repeats, stride of the first.
TRUNK = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
TAPS = (6, 13, 17)
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class Generator:
    """models/mobilestylegan.py."""

    def __init__(self, g: Builder) -> None:
        self.g = g

    def mapping(self, z: Value) -> Value:
        g = self.g
        x = g.div(z, g.root(g.add(g.mean(g.square(z), [1]), g.constant(1e-8))))
        for i in range(8):
            x = g.scaled(g.leaky(g.linear(x, f"generator.map.{i}")), 2**0.5)
        return x

    def features(self, styles: list[Value], layers: int) -> Value:
        """``styles``: 16 of (B, 512) -> (B, C, S, S), S = 4 * 2**layers."""
        x = self._conv(
            self.g.weight("generator.input"), styles[0], "generator.conv_in", separable=False, haar=layers > 0
        )
        for i in range(layers):
            w1, w2, name = styles[2 * i + 1], styles[2 * i + 2], f"generator.layers.{i}"
            x = self.g.inverse_haar(self.g.mul(x, self._modulation(w1, f"{name}.up", haar=True)))
            x = self._conv(x, w1, f"{name}.conv1")
            x = self._conv(x, w2, f"{name}.conv2", haar=i < layers - 1)
        return x

    def picture(self, styles: list[Value]) -> Value:
        """(B, 3, 1024, 1024)."""
        g = self.g
        x = self.features(styles, 7)
        x = g.mul(x, self._modulation(styles[15], "generator.to_img_modulation"))
        weight, bias = (g.interleaved(g.weight(f"generator.to_img.{part}")) for part in ("weight", "bias"))
        return g.inverse_haar(g.conv(x, weight, bias))

    def preview(self, styles: list[Value]) -> Value:
        """(B, 3, 128, 128)."""
        g, head = self.g, "generator.preview_head"
        x = self.features(styles, 5)
        mean, std = g.weight("generator.w_mean"), g.weight("generator.w_std")
        near = [g.div(g.sub(style, mean), std) for style in styles[11:]]
        x = g.mul(x, self._modulation(g.joined(near[:4]), f"{head}.modulation"))
        x = g.leaky(g.conv(x, g.weight(f"{head}.reduce.weight"), g.weight(f"{head}.reduce.bias")))
        x = g.add(x, g.leaky(g.conv(x, g.weight(f"{head}.mixing.weight"), g.weight(f"{head}.mixing.bias"))))
        x = g.mul(x, self._modulation(g.joined(near), f"{head}.to_rgb_modulation"))
        return g.conv(x, g.weight(f"{head}.to_rgb.weight"), g.weight(f"{head}.to_rgb.bias"))

    def _modulation(self, w: Value, name: str, *, haar: bool = False) -> Value:
        factors = self.g.linear(w, name, haar=haar)
        return self.g.reshape(factors, (-1, factors.shape[1], 1, 1))

    def _conv(self, x: Value, w: Value, name: str, *, separable: bool = True, haar: bool = False) -> Value:
        """``haar``: the output goes into `Builder.inverse_haar`."""
        g = self.g
        x = g.mul(x, self._modulation(w, f"{name}.modulation"))
        if separable:
            x = g.conv(x, g.weight(f"{name}.depthwise"), groups=x.shape[1])
        weight, bias = (g.weight(f"{name}.{part}") for part in ("weight", "bias"))
        if haar:
            weight, bias = g.interleaved(weight), g.interleaved(bias)
        return g.leaky(g.add(g.conv(x, weight, bias), g.weight(f"{name}.noise")))


class Encoder:
    """models/mobile_encoder.py."""

    def __init__(self, g: Builder) -> None:
        self.g = g

    def maps(self, images: Value) -> list[Value]:
        """(B, 3, 128, 128) -> (B, 32, 16, 16), (B, 96, 8, 8), (B, 320, 4, 4)."""
        g = self.g
        mean, std = (np.array(values, np.float32).reshape(1, 3, 1, 1) for values in (MEAN, STD))
        x = g.add(g.mul(images, g.constant(0.5 / std)), g.constant((0.5 - mean) / std))
        x = self._norm_conv(x, "encoder.trunk.features.0.0", "encoder.trunk.features.0.1", stride=2)
        number, taps = 1, []
        for expansion, _, repeats, first_stride in TRUNK:
            for i in range(repeats):
                x = self._block(x, f"encoder.trunk.features.{number}.conv", expansion, first_stride if i == 0 else 1)
                if number in TAPS:
                    taps.append(x)
                number += 1
        return taps

    def unit_maps(self, images: Value) -> list[Value]:
        """The maps with length 1 at each position, as in `refine.unit_features`."""
        g = self.g
        return [g.div(x, g.root(g.add(g.sum(g.square(x), [1]), g.constant(1e-24)))) for x in self.maps(images)]

    def codes(self, images: Value) -> Value:
        """(B, 3, 128, 128) -> (B, 16, 512)."""
        g = self.g
        fine, middle, coarse = (
            g.conv(x, g.weight(f"encoder.lateral.{i}.weight"), g.weight(f"encoder.lateral.{i}.bias"))
            for i, x in enumerate(self.maps(images))
        )
        middle = g.add(middle, self._doubled(coarse))
        fine = g.add(fine, self._doubled(middle))
        parts = [
            self._level(x, i, n, halvings)
            for i, (x, n, halvings) in enumerate(((fine, 9, 2), (middle, 4, 1), (coarse, 3, 0)))
        ]
        said = g.joined(parts[::-1])
        return g.add(g.mul(said, g.weight("encoder.w_std")), g.weight("encoder.w_mean"))

    def _level(self, x: Value, level: int, count: int, halvings: int) -> Value:
        g, name = self.g, f"encoder.levels.{level}"
        for i, stride in enumerate([2] * halvings + [1]):
            x = g.leaky(
                g.conv(
                    x, g.weight(f"{name}.stack.{2 * i}.weight"), g.weight(f"{name}.stack.{2 * i}.bias"), stride=stride
                )
            )
        x = g.leaky(
            g.conv(x, g.weight(f"{name}.reduce.weight"), g.weight(f"{name}.reduce.bias"))
        )  # (B, count * 40, 4, 4)
        x = g.transpose(g.reshape(x, (-1, count, 640)), [1, 0, 2])
        x = g.transpose(g.matmul(x, g.weight(f"{name}.linear")), [1, 0, 2])
        return g.add(x, g.weight(f"{name}.bias"))

    def _doubled(self, x: Value) -> Value:
        batch, channels, side, _ = x.shape
        scales = self.g.constant([1.0, 1.0, 2.0, 2.0])
        return self.g.node(
            "Resize",
            (x, Value("", ()), scales),
            (batch, channels, 2 * side, 2 * side),
            mode="linear",
            coordinate_transformation_mode="half_pixel",
        )

    def _block(self, x: Value, name: str, expansion: int, stride: int) -> Value:
        y, at = x, 0
        if expansion > 1:
            y, at = self._norm_conv(y, f"{name}.0.0", f"{name}.0.1"), 1
        y = self._norm_conv(y, f"{name}.{at}.0", f"{name}.{at}.1", stride=stride, depthwise=True)
        y = self._norm_conv(y, f"{name}.{at + 1}", f"{name}.{at + 2}", last=True)
        return self.g.add(x, y) if stride == 1 and x.shape[1] == y.shape[1] else y

    def _norm_conv(
        self, x: Value, conv: str, norm: str, *, stride: int = 1, depthwise: bool = False, last: bool = False
    ) -> Value:
        """A convolution with its batch norm folded in; ReLU6 unless it is a block's ``last``."""
        g = self.g
        weight, scale, shift, mean, variance = (
            g.weight(name)
            for name in (f"{conv}.weight", *(f"{norm}.{p}" for p in ("weight", "bias", "running_mean", "running_var")))
        )
        scale = g.div(scale, g.root(g.add(variance, g.constant(1e-5))))
        bias = g.sub(shift, g.mul(mean, scale))
        folded = g.mul(weight, g.reshape(scale, (scale.shape[0], 1, 1, 1)))
        y = g.conv(x, folded, bias, stride=stride, groups=x.shape[1] if depthwise else 1)
        return y if last else g.clip(y, 0.0, 6.0)

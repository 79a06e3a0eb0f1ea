"""Writes the graphs by which ONNX Runtime runs the embedded model: ``stylecrypt_msg/models/data/*.onnx`` and ``graphs.json``.

    python scripts/model/make_graphs.py [--out FOLDER]

The networks are those of ``models/mobilestylegan.py`` and ``models/mobile_encoder.py``, and the descent is that of
``models/refine.py``, once more, as nodes; ``tests/models/test_graphs.py`` holds them to each other. The files hold no
weights: these are external initializers, named as in the model's files, which `models.graphs` supplies. What is made of
weights alone (folded batch norms, turned kernels) is written as nodes too: the runtime computes it once, when it loads the
graph.

The graph of the descent has the gradient in it, by reverse-mode differentiation: each operation that `Builder` writes knows
how its gradient is written.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto, external_data_helper, helper, numpy_helper

from stylecrypt_msg.models.weights import Weights

DATA = Path(__file__).parents[2] / "stylecrypt_msg" / "models" / "data"
OPSET, IR_VERSION = 17, 8

# MobileNetV2's trunk, as in models/mobile_encoder.py: expansion, output channels, repeats, stride of the first.
TRUNK = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
TAPS = (6, 13, 17)
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
DIRECTIONS = (256,) * 10 + (85,) * 6
PIXELS, FEATURES, STRUCTURE, WINDOW = 4.0, 0.5, 1.0, 7  # of models/refine.py

Shape = tuple[int, ...]  # -1: the batch


@dataclass(frozen=True)
class Value:
    """A tensor of the graph. ``varies``: it depends on what gradients are wanted for."""

    name: str
    shape: Shape
    varies: bool = False


Gradient = Callable[[Value], Sequence[tuple[Value, Value]]]


@dataclass
class Builder:
    """Writes nodes, and remembers how gradients go back through them."""

    weights: Weights
    nodes: list[object] = field(default_factory=list)
    constants: dict[str, TensorProto] = field(default_factory=dict)
    used: dict[str, Value] = field(default_factory=dict)
    tape: list[tuple[Value, Gradient]] = field(default_factory=list)
    inputs: list[Value] = field(default_factory=list)

    def node(
        self, op: str, inputs: Sequence[Value], shape: Shape, gradient: Gradient | None = None, **attributes: object
    ) -> Value:
        varies = gradient is not None and any(value.varies for value in inputs)
        out = Value(f"v{len(self.nodes)}", shape, varies)
        self.nodes.append(helper.make_node(op, [value.name for value in inputs], [out.name], **attributes))  # type: ignore[arg-type]
        if varies and gradient is not None:
            self.tape.append((out, gradient))
        return out

    def input(self, name: str, shape: Shape, *, varies: bool = False) -> Value:
        value = Value(name, shape, varies)
        self.inputs.append(value)
        return value

    def weight(self, name: str) -> Value:
        if name not in self.used:
            self.used[name] = Value(name, tuple(self.weights[name].shape))
        return self.used[name]

    def constant(self, array: NDArray[np.generic] | float | Sequence[float]) -> Value:
        values = np.asarray(array)
        values = values.astype(np.int64 if values.dtype.kind == "i" else np.float32)
        name = f"c{len(self.constants)}"
        self.constants[name] = numpy_helper.from_array(values, name)
        return Value(name, tuple(values.shape))

    # Operations. Shapes are (-1, C, H, W) for maps, (-1, C) for vectors.

    def add(self, a: Value, b: Value) -> Value:
        return self.node("Add", (a, b), _joint(a, b), lambda g: [(a, self._reduced(g, a)), (b, self._reduced(g, b))])

    def sub(self, a: Value, b: Value) -> Value:
        return self.node(
            "Sub", (a, b), _joint(a, b), lambda g: [(a, self._reduced(g, a)), (b, self._reduced(self.negative(g), b))]
        )

    def negative(self, x: Value) -> Value:
        return self.node("Neg", (x,), x.shape, lambda g: [(x, self.negative(g))])

    def mul(self, a: Value, b: Value) -> Value:
        def gradient(g: Value) -> list[tuple[Value, Value]]:
            there = []
            if a.varies:
                there.append((a, self._reduced(self.mul(g, b), a)))
            if b.varies:
                there.append((b, self._reduced(self.mul(g, a), b)))
            return there

        return self.node("Mul", (a, b), _joint(a, b), gradient)

    def div(self, a: Value, b: Value) -> Value:
        def gradient(g: Value) -> list[tuple[Value, Value]]:
            over = self.div(g, b)
            there = [(a, self._reduced(over, a))]
            if b.varies:
                there.append((b, self._reduced(self.negative(self.mul(over, self.div(a, b))), b)))
            return there

        return self.node("Div", (a, b), _joint(a, b), gradient)

    def scaled(self, x: Value, factor: float) -> Value:
        return self.mul(x, self.constant(factor))

    def square(self, x: Value) -> Value:
        return self.node("Mul", (x, x), x.shape, lambda g: [(x, self.mul(g, self.scaled(x, 2.0)))])

    def root(self, x: Value) -> Value:
        def gradient(g: Value) -> list[tuple[Value, Value]]:
            return [(x, self.scaled(self.div(g, out), 0.5))]

        out = self.node("Sqrt", (x,), x.shape, gradient)
        return out

    def absolute(self, x: Value) -> Value:
        return self.node("Abs", (x,), x.shape, lambda g: [(x, self.mul(g, self.node("Sign", (x,), x.shape)))])

    def leaky(self, x: Value, slope: float = 0.2) -> Value:
        def gradient(g: Value) -> list[tuple[Value, Value]]:
            # 1 above 0, the slope below: by arithmetic, since the runtime chooses between tensors slowly.
            steep = self.scaled(x, 1e30)
            factor = self.node("Clip", (steep, self.constant(slope), self.constant(1.0)), x.shape)
            return [(x, self.mul(g, factor))]

        return self.node("LeakyRelu", (x,), x.shape, gradient, alpha=slope)

    def clip(self, x: Value, low: float, high: float) -> Value:
        def gradient(g: Value) -> list[tuple[Value, Value]]:
            inside = self.node("Equal", (x, out), x.shape)
            return [(x, self.node("Where", (inside, g, self.constant(0.0)), x.shape))]

        out = self.node("Clip", (x, self.constant(low), self.constant(high)), x.shape, gradient)
        return out

    def matmul(self, x: Value, weight: Value) -> Value:
        """(..., K) by a constant (..., K, N)."""
        turned = (*weight.shape[:-2], weight.shape[-1], weight.shape[-2])
        order = [*range(len(turned) - 2), len(turned) - 1, len(turned) - 2]

        def gradient(g: Value) -> list[tuple[Value, Value]]:
            return [(x, self.matmul(g, self.node("Transpose", (weight,), turned, perm=order)))]

        return self.node("MatMul", (x, weight), (*x.shape[:-1], weight.shape[-1]), gradient)

    def linear(self, x: Value, name: str, *, haar: bool = False) -> Value:
        """torch's: (B, K) -> (B, N); `interleaved` for ``haar``."""
        weight, bias = self.weight(f"{name}.weight"), self.weight(f"{name}.bias")
        if haar:
            weight, bias = self.interleaved(weight), self.interleaved(bias)
        turned = self.node("Transpose", (weight,), weight.shape[::-1], perm=[1, 0])
        return self.add(self.matmul(x, turned), bias)

    def reshape(self, x: Value, shape: Shape) -> Value:
        return self.node(
            "Reshape", (x, self.constant(np.array(shape))), shape, lambda g: [(x, self.reshape(g, x.shape))]
        )

    def transpose(self, x: Value, order: Sequence[int]) -> Value:
        back = [order.index(i) for i in range(len(order))]
        shape = tuple(x.shape[i] for i in order)
        return self.node("Transpose", (x,), shape, lambda g: [(x, self.transpose(g, back))], perm=list(order))

    def part(self, x: Value, start: int, end: int) -> Value:
        """Of the second axis. Its gradient is not written: nothing needs it."""
        shape = (x.shape[0], end - start, *x.shape[2:])
        bounds = [self.constant(np.array([n])) for n in (start, end, 1)]
        return self.node("Slice", (x, *bounds), shape)

    def split(self, x: Value, sizes: Sequence[int]) -> list[Value]:
        """Along the second axis; gradients are asked of all parts together."""
        first = len(self.nodes)
        parts = [Value(f"v{first}_{i}", (x.shape[0], size, *x.shape[2:]), x.varies) for i, size in enumerate(sizes)]
        names = [part.name for part in parts]
        self.nodes.append(helper.make_node("Split", [x.name, self.constant(np.array(sizes)).name], names, axis=1))
        if x.varies:
            self.tape.append(
                (parts[0], lambda _: [(x, self.joined([self._grads.get(p.name) or self._zeros(p) for p in parts]))])
            )
        return parts

    def joined(self, parts: Sequence[Value]) -> Value:
        """Along the second axis."""
        shape = (parts[0].shape[0], sum(part.shape[1] for part in parts), *parts[0].shape[2:])

        def gradient(g: Value) -> list[tuple[Value, Value]]:
            return list(zip(parts, self.split(g, [part.shape[1] for part in parts]), strict=True))

        return self.node("Concat", parts, shape, gradient, axis=1)

    def sum(self, x: Value, axes: Sequence[int], *, keep: bool = True) -> Value:
        kept = tuple(1 if i in axes else n for i, n in enumerate(x.shape))
        shape = kept if keep else tuple(n for i, n in enumerate(x.shape) if i not in axes)

        def gradient(g: Value) -> list[tuple[Value, Value]]:
            spread = self.reshape(g, kept) if not keep else g
            return [(x, Value(spread.name, kept, spread.varies))]  # broadcast by whatever uses it

        return self.node("ReduceSum", (x, self.constant(np.array(list(axes)))), shape, gradient, keepdims=int(keep))

    def mean(self, x: Value, axes: Sequence[int], *, keep: bool = True) -> Value:
        count = int(np.prod([x.shape[i] for i in axes]))
        return self.scaled(self.sum(x, axes, keep=keep), 1 / count)

    def conv(self, x: Value, weight: Value, bias: Value | None = None, *, stride: int = 1, groups: int = 1) -> Value:
        """(B, C, H, W) -> (B, O, H / stride, W / stride), by an odd kernel; depthwise where groups = C."""
        out_channels, _, kernel, _ = weight.shape
        height, width = x.shape[2:]
        shape = (x.shape[0], out_channels, -(-height // stride), -(-width // stride))
        inputs = (x, weight) if bias is None else (x, weight, bias)
        options = {"strides": [stride] * 2, "pads": [kernel // 2] * 4, "group": groups}

        def gradient(g: Value) -> list[tuple[Value, Value]]:
            if stride > 1:  # what a stride passed over gets zeros
                g = self.reshape(g, (-1, out_channels, shape[2], 1, shape[3], 1))
                g = self.node(
                    "Pad", (g, self.constant(np.array([0] * 6 + [0, 0, 0, 1, 0, 1]))), (*g.shape[:3], 2, g.shape[4], 2)
                )
                g = self.reshape(g, (-1, out_channels, height, width))
            turned = weight
            if kernel > 1:
                back = [self.constant(np.array(v)) for v in ([-1, -1], [-kernel - 1] * 2, [2, 3], [-1, -1])]
                turned = self.node("Slice", (turned, *back), turned.shape)
            if groups == 1:
                order = (turned.shape[1], turned.shape[0], kernel, kernel)
                turned = self.node("Transpose", (turned,), order, perm=[1, 0, 2, 3])
            return [(x, self.conv(g, turned, groups=groups))]

        return self.node("Conv", inputs, shape, gradient, **options)

    def pooled(self, x: Value, window: int) -> Value:
        """The mean of each window: (B, C, H, W) -> (B, C, H - window + 1, W - window + 1)."""
        batch, channels, height, width = x.shape
        shape = (batch, channels, height - window + 1, width - window + 1)

        def gradient(g: Value) -> list[tuple[Value, Value]]:
            room = [0, 0, window - 1, window - 1] * 2
            wide = (batch, channels, height + window - 1, width + window - 1)
            padded = self.node("Pad", (g, self.constant(np.array(room))), wide)
            return [(x, self.pooled(padded, window))]

        return self.node("AveragePool", (x,), shape, gradient, kernel_shape=[window] * 2)

    def inverse_haar(self, x: Value) -> Value:
        """(B, 4C, S, S), `interleaved` -> (B, C, 2S, 2S), without the factor 1/2.

        As a transposed convolution of a fixed kernel, in groups: several times as fast as sums and transposes.
        """
        batch, four, side, _ = x.shape
        # Left above, right above, left below, right below.
        signs = np.array([[1, 1, 1, 1], [1, 1, -1, -1], [1, -1, 1, -1], [1, -1, -1, 1]]).reshape(4, 1, 2, 2)
        kernel = self.node(
            "Tile", (self.constant(signs * 1.0), self.constant(np.array([four // 4, 1, 1, 1]))), (four, 1, 2, 2)
        )
        return self.node(
            "ConvTranspose", (x, kernel), (batch, four // 4, 2 * side, 2 * side),
            lambda g: [(x, self.node("Conv", (g, kernel), x.shape, group=four // 4, strides=[2, 2]))],
            group=four // 4, strides=[2, 2],
        )  # fmt: skip

    def interleaved(self, weight: Value) -> Value:
        """Weights (4C, ...) of LL | LH | HL | HH -> of LL, LH, HL, HH of each channel."""
        channels = weight.shape[0]
        parts = self.reshape(weight, (4, channels // 4, int(np.prod(weight.shape[1:]))))
        return self.reshape(self.transpose(parts, [1, 0, 2]), weight.shape)

    def _reduced(self, g: Value, of: Value) -> Value:
        """A gradient summed over the axes along which ``of`` was broadcast."""
        if not of.varies:
            return g
        axes = [i for i, (a, b) in enumerate(zip(g.shape, of.shape, strict=True)) if b == 1 and a != 1]
        return self.sum(g, axes) if axes else g

    def _zeros(self, value: Value) -> Value:
        raise AssertionError(f"{value.name} gets no gradient")

    def gradient_of(self, loss: Value, wanted: Value) -> Value:
        """Of the sum of ``loss`` (B, 1, ...), for ``wanted``."""
        self._grads: dict[str, Value] = {loss.name: self.constant(np.ones((1,) * len(loss.shape), np.float32))}
        tape, self.tape = self.tape, []
        for out, gradient in reversed(tape):
            if out.name not in self._grads:
                continue
            for value, g in gradient(self._grads[out.name]):
                if value.varies:
                    known = self._grads.get(value.name)
                    self._grads[value.name] = g if known is None else self.add(known, g)
        return self._grads[wanted.name]

    def model(self, **outputs: Value) -> ModelProto:
        nodes = list(self.nodes)
        nodes += [helper.make_node("Identity", [value.name], [name]) for name, value in outputs.items()]
        initializers = list(self.constants.values())
        for name in self.used:
            array = self.weights[name]
            tensor = TensorProto(
                name=name, dims=array.shape, data_type=helper.np_dtype_to_tensor_dtype(array.dtype), raw_data=b""
            )
            external_data_helper.set_external_data(tensor, "weights")
            tensor.ClearField("raw_data")
            initializers.append(tensor)

        def described(name: str, shape: Shape) -> object:
            return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch" if n == -1 else n for n in shape])

        graph = helper.make_graph(
            nodes, "stylecrypt", [described(value.name, value.shape) for value in self.inputs],  # type: ignore[arg-type, misc]
            [described(name, value.shape) for name, value in outputs.items()], initializers,  # type: ignore[misc]
        )  # fmt: skip
        return helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION, producer_name="stylecrypt"
        )


def _joint(a: Value, b: Value) -> Shape:
    long, short = (a, b) if len(a.shape) >= len(b.shape) else (b, a)
    padded = (1,) * (len(long.shape) - len(short.shape)) + short.shape
    return tuple(m if n == 1 else n for n, m in zip(long.shape, padded, strict=True))


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
        """``haar``: what comes out goes into `Builder.inverse_haar`."""
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
        """Each of length 1: `refine.unit_features`."""
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
            "Resize", (x, Value("", ()), scales), (batch, channels, 2 * side, 2 * side), mode="linear",
            coordinate_transformation_mode="half_pixel",
        )  # fmt: skip

    def _block(self, x: Value, name: str, expansion: int, stride: int) -> Value:
        y, at = x, 0
        if expansion > 1:
            y, at = self._relu6(self._norm_conv(y, f"{name}.0.0", f"{name}.0.1")), 1
        y = self._relu6(self._norm_conv(y, f"{name}.{at}.0", f"{name}.{at}.1", stride=stride, depthwise=True))
        y = self._norm_conv(y, f"{name}.{at + 1}", f"{name}.{at + 2}", last=True)
        return self.g.add(x, y) if stride == 1 and x.shape[1] == y.shape[1] else y

    def _relu6(self, x: Value) -> Value:
        return x

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


def read(weights: Weights) -> ModelProto:
    """images (B, 3, 128, 128) -> codes: the encoder, which looks twice more at what the generator makes of them."""
    g = Builder(weights)
    encoder, generator = Encoder(g), Generator(g)
    images = g.input("images", (-1, 3, 128, 128))
    first = codes = encoder.codes(images)
    for _ in range(2):
        seen = g.clip(generator.preview(_styles(g, codes)), -1.0, 1.0)
        codes = g.sub(g.add(codes, first), encoder.codes(seen))
    return g.model(codes=codes)


def synthesis(weights: Weights) -> ModelProto:
    g = Builder(weights)
    return g.model(images=Generator(g).picture(_styles(g, g.input("codes", (-1, 16, 512)))))


def preview(weights: Weights) -> ModelProto:
    g = Builder(weights)
    return g.model(images=Generator(g).preview(_styles(g, g.input("codes", (-1, 16, 512)))))


def mapping(weights: Weights) -> ModelProto:
    g = Builder(weights)
    return g.model(w=Generator(g).mapping(g.input("z", (-1, 512))))


def features(weights: Weights) -> ModelProto:
    g = Builder(weights)
    fine, middle, coarse = Encoder(g).unit_maps(g.input("images", (-1, 3, 128, 128)))
    return g.model(fine=fine, middle=middle, coarse=coarse)


def descent(weights: Weights) -> ModelProto:
    """The gradient of `refine`'s loss, for each picture on its own, for coordinates along the model's directions."""
    g = Builder(weights)
    generator, encoder = Generator(g), Encoder(g)
    coordinates = g.input("coordinates", (-1, sum(DIRECTIONS)), varies=True)
    start = g.input("start", (-1, 16, 512))
    wanted = g.input("wanted", (-1, 3, 128, 128))
    wanted_maps = [
        g.input(name, (-1, c, s, s)) for name, c, s in (("fine", 32, 16), ("middle", 96, 8), ("coarse", 320, 4))
    ]
    missing = g.input("missing", (-1, 3, 128, 128))
    hold = g.input("hold", (1, 1))

    rows, reach = g.weight("encoder.directions.rows"), g.weight("encoder.directions.reach")
    rows = Value(g.node("Cast", (rows,), rows.shape, to=TensorProto.FLOAT).name, rows.shape)
    rows = g.mul(rows, g.reshape(reach, (reach.shape[0], 1)))
    ends = np.cumsum(DIRECTIONS)
    offsets = [
        g.matmul(
            part, g.node("Slice", (rows, *(g.constant(np.array([n])) for n in (end - n_rows, end, 0))), (n_rows, 512))
        )
        for part, n_rows, end in zip(g.split(coordinates, DIRECTIONS), DIRECTIONS, ends, strict=True)
    ]
    std = g.weight("generator.w_std")
    begun = [g.reshape(part, (-1, 512)) for part in g.split(start, [1] * 16)]
    styles = [g.add(begin, g.mul(offset, std)) for begin, offset in zip(begun, offsets, strict=True)]
    made = g.add(generator.preview(styles), missing)

    def per_picture(x: Value, weight: float) -> Value:
        """The mean of (B, ...), weighted, (B, 1)."""
        count = int(np.prod(x.shape[1:]))
        return g.scaled(g.reshape(g.sum(x, list(range(1, len(x.shape)))), (-1, 1)), weight / count)

    loss = per_picture(g.absolute(g.sub(made, wanted)), PIXELS)
    for a, b in zip(encoder.unit_maps(made), wanted_maps, strict=True):
        apart = g.square(g.sub(a, b))
        loss = g.add(loss, per_picture(apart, FEATURES / 3 * apart.shape[1]))  # a sum over channels, a mean over places
    loss = g.sub(loss, per_picture(_likeness(g, made, wanted), STRUCTURE))
    for offset in offsets:
        loss = g.add(loss, g.mul(per_picture(g.square(offset), 1 / 16), hold))
    return g.model(slope=g.gradient_of(loss, coordinates))


def _likeness(g: Builder, a: Value, b: Value) -> Value:
    """SSIM's map, as in `refine`."""

    def mean(x: Value) -> Value:
        return g.pooled(x, WINDOW)

    mean_a, mean_b = mean(a), mean(b)
    squares = g.add(g.square(mean_a), g.square(mean_b))
    product = g.mul(mean_a, mean_b)
    spread = g.sub(g.add(mean(g.square(a)), mean(g.square(b))), squares)
    together = g.sub(mean(g.mul(a, b)), product)
    c1, c2 = (g.constant((k * 2) ** 2) for k in (0.01, 0.03))
    light = g.div(g.add(g.scaled(product, 2.0), c1), g.add(squares, c1))
    return g.mul(light, g.div(g.add(g.scaled(together, 2.0), c2), g.add(spread, c2)))


def _styles(g: Builder, codes: Value) -> list[Value]:
    return [g.reshape(part, (-1, 512)) for part in g.split(codes, [1] * 16)]


GRAPHS = (read, synthesis, preview, mapping, features, descent)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=DATA)
    out: Path = parser.parse_args().out
    weights = Weights([DATA / "default.safetensors", DATA / "default-encoder.safetensors"])
    needs: dict[str, list[str]] = {}
    for make in GRAPHS:
        model = make(weights)
        needs[make.__name__] = [t.name for t in model.graph.initializer if t.HasField("data_location")]
        (out / f"{make.__name__}.onnx").write_bytes(model.SerializeToString(deterministic=True))
    (out / "graphs.json").write_text(json.dumps(needs, indent=0) + "\n", "ascii")


if __name__ == "__main__":
    main()

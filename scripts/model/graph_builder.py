"""Nodes of ONNX graphs, and how gradients go back through them.

A graph's gradient consists of nodes as well, by reverse-mode differentiation: each operation that `Builder` writes knows how to
write its gradient. Weights stay outside, as external initializers, named as in the model's files.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, ValueInfoProto, external_data_helper, helper, numpy_helper

from stylecrypt_msg.models.weights import Weights

OPSET, IR_VERSION = 17, 8

Shape = tuple[int, ...]  # -1: the batch


@dataclass(frozen=True)
class Value:
    """A tensor of the graph. ``varies``: it depends on a value whose gradient is wanted."""

    name: str
    shape: Shape
    varies: bool = False


Gradient = Callable[[Value], Sequence[tuple[Value, Value]]]


@dataclass
class Builder:
    """Writes nodes, and remembers how gradients go back through them."""

    weights: Weights
    nodes: list[NodeProto] = field(default_factory=list)
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
            # 1 above 0, the slope below: by arithmetic, because the runtime selects between tensors slowly.
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
        """(..., K) times a constant (..., K, N)."""
        turned = (*weight.shape[:-2], weight.shape[-1], weight.shape[-2])
        order = [*range(len(turned) - 2), len(turned) - 1, len(turned) - 2]

        def gradient(g: Value) -> list[tuple[Value, Value]]:
            return [(x, self.matmul(g, self.node("Transpose", (weight,), turned, perm=order)))]

        return self.node("MatMul", (x, weight), (*x.shape[:-1], weight.shape[-1]), gradient)

    def linear(self, x: Value, name: str, *, haar: bool = False) -> Value:
        """torch's linear layer: (B, K) -> (B, N); `interleaved` for ``haar``."""
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
        """A slice of the second axis. It has no gradient: nothing needs one."""
        shape = (x.shape[0], end - start, *x.shape[2:])
        bounds = [self.constant(np.array([n])) for n in (start, end, 1)]
        return self.node("Slice", (x, *bounds), shape)

    def split(self, x: Value, sizes: Sequence[int]) -> list[Value]:
        """Splits along the second axis; gradients are taken through all parts together."""
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
        """Joins along the second axis."""
        shape = (parts[0].shape[0], sum(part.shape[1] for part in parts), *parts[0].shape[2:])

        def gradient(g: Value) -> list[tuple[Value, Value]]:
            return list(zip(parts, self.split(g, [part.shape[1] for part in parts]), strict=True))

        return self.node("Concat", parts, shape, gradient, axis=1)

    def sum(self, x: Value, axes: Sequence[int], *, keep: bool = True) -> Value:
        kept = tuple(1 if i in axes else n for i, n in enumerate(x.shape))
        shape = kept if keep else tuple(n for i, n in enumerate(x.shape) if i not in axes)

        def gradient(g: Value) -> list[tuple[Value, Value]]:
            spread = self.reshape(g, kept) if not keep else g
            return [(x, Value(spread.name, kept, spread.varies))]  # its user broadcasts it

        return self.node("ReduceSum", (x, self.constant(np.array(list(axes)))), shape, gradient, keepdims=int(keep))

    def mean(self, x: Value, axes: Sequence[int], *, keep: bool = True) -> Value:
        count = int(np.prod([x.shape[i] for i in axes]))
        return self.scaled(self.sum(x, axes, keep=keep), 1 / count)

    def conv(self, x: Value, weight: Value, bias: Value | None = None, *, stride: int = 1, groups: int = 1) -> Value:
        """(B, C, H, W) -> (B, O, H / stride, W / stride), with an odd kernel; depthwise if groups = C."""
        out_channels, _, kernel, _ = weight.shape
        height, width = x.shape[2:]
        shape = (x.shape[0], out_channels, -(-height // stride), -(-width // stride))
        inputs = (x, weight) if bias is None else (x, weight, bias)
        options = {"strides": [stride] * 2, "pads": [kernel // 2] * 4, "group": groups}

        def gradient(g: Value) -> list[tuple[Value, Value]]:
            if stride > 1:  # positions that a stride skips get zeros
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

        A grouped transposed convolution with a fixed kernel, several times as fast as sums and transposes.
        """
        batch, four, side, _ = x.shape
        # Top left, top right, bottom left, bottom right.
        signs = np.array([[1, 1, 1, 1], [1, 1, -1, -1], [1, -1, 1, -1], [1, -1, -1, 1]]).reshape(4, 1, 2, 2)
        kernel = self.node(
            "Tile", (self.constant(signs * 1.0), self.constant(np.array([four // 4, 1, 1, 1]))), (four, 1, 2, 2)
        )
        return self.node(
            "ConvTranspose",
            (x, kernel),
            (batch, four // 4, 2 * side, 2 * side),
            lambda g: [(x, self.node("Conv", (g, kernel), x.shape, group=four // 4, strides=[2, 2]))],
            group=four // 4,
            strides=[2, 2],
        )

    def interleaved(self, weight: Value) -> Value:
        """Weights (4C, ...) ordered LL | LH | HL | HH -> ordered LL, LH, HL, HH for each channel."""
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
        """The gradient of the sum of ``loss`` (B, 1, ...) with respect to ``wanted``."""
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

        def described(name: str, shape: Shape) -> ValueInfoProto:
            return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch" if n == -1 else n for n in shape])

        graph = helper.make_graph(
            nodes,
            "stylecrypt",
            [described(value.name, value.shape) for value in self.inputs],
            [described(name, value.shape) for name, value in outputs.items()],
            initializers,
        )
        return helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION, producer_name="stylecrypt"
        )


def _joint(a: Value, b: Value) -> Shape:
    long, short = (a, b) if len(a.shape) >= len(b.shape) else (b, a)
    padded = (1,) * (len(long.shape) - len(short.shape)) + short.shape
    return tuple(m if n == 1 else n for n, m in zip(long.shape, padded, strict=True))

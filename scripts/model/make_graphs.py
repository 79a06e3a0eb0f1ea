"""Writes the graphs with which ONNX Runtime runs the embedded model: ``stylecrypt_msg/models/data/*.onnx`` and ``graphs.json``.

    python scripts/model/make_graphs.py [--out FOLDER]

The networks (``graph_networks.py``) repeat the model's modules, and the descent repeats ``models/refine.py``, as nodes
(``graph_builder.py``); ``tests/models/test_graphs.py`` keeps both versions equal. The files hold no weights: those are external
initializers, which `models.graphs` supplies. Values that depend on weights alone (folded batch norms, turned kernels) are nodes
as well: the runtime computes them once, when it loads the graph.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from graph_builder import Builder, Value
from graph_networks import Encoder, Generator
from onnx import ModelProto, TensorProto

from stylecrypt_msg.models.weights import Weights

DATA = Path(__file__).parents[2] / "stylecrypt_msg" / "models" / "data"
DIRECTIONS = (256,) * 10 + (85,) * 6
PIXELS, FEATURES, STRUCTURE, WINDOW = 4.0, 0.5, 1.0, 7  # of models/refine.py


def read(weights: Weights) -> ModelProto:
    """images (B, 3, 128, 128) -> codes: the encoder, which corrects its codes twice by what the generator makes of them."""
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
    """The gradient of `refine`'s loss for each picture separately, with respect to coordinates along the model's directions."""
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
        """The weighted mean of (B, ...) for each picture, (B, 1)."""
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

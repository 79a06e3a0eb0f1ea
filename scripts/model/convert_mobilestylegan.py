"""Converts the weights of MobileStyleGAN as published in the PyPI wheel `random-face` into our safetensors.

    python scripts/model/convert_mobilestylegan.py OUT.safetensors [--wheel random_face-2021.7.21.1-py3-none-any.whl]

Without --wheel, pip downloads it. The wheel is only read, never installed: it carries OpenVINO IR files (Apache-2.0,
by Sergei Belousov), whose SHA-256 are checked below. Needs the package `openvino` to read them; nothing else here
does.

Two things are folded in, so that the network has fewer steps at run time: the constant that multiplies each
modulation (1/sqrt(fan_in * 9), 1/8 before to_img, and the 1/2 of the Haar transform behind `up`), and the order of
channels that enter a Haar transform, which is LL then (C/4, 3) in the file and LL | LH | HL | HH here.
"""

from __future__ import annotations

import argparse
import hashlib
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import openvino as ov
import torch
from safetensors.torch import save_file

WHEEL = "random-face==2021.7.21.1"
SHA256 = {
    "SynthesisNetwork.bin": "c7da15fa22d508c82e1c30dd6b4cdf67fe3ccdddaf85b310ee764dbf0c289645",
    "SynthesisNetwork.xml": "7918fce515243954d3e06628cb39a23902d6b1d5d02932cc0c2faee7a2aeeedd",
    "MappingNetwork.bin": "212dd716bdb556e18db603ea97300d4fa3c872b878c726b2402fea80820e7305",
    "MappingNetwork.xml": "73e2096cad6e696e4af47df2477e048ab4c42c0e0dec83c7c66604822689e55b",
}
LAYERS = 7


def extract(wheel: Path, folder: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        for name, digest in SHA256.items():
            data = archive.read(f"random_face/data/{name}")
            if hashlib.sha256(data).hexdigest() != digest:
                raise SystemExit(f"{name} in {wheel} is not the published file (SHA-256 differs)")
            (folder / name).write_bytes(data)


def constant_inputs(op: Any) -> list[np.ndarray]:
    nodes = [i.get_source_output().get_node() for i in op.inputs()]
    return [n.get_data() for n in nodes if n.get_type_name() == "Constant"]


def read_mapping(path: Path) -> dict[str, np.ndarray]:
    ops = ov.Core().read_model(path).get_ordered_ops()
    weights = [
        constant_inputs(op)[0] if op.get_attributes()["transpose_b"] else constant_inputs(op)[0].T
        for op in ops
        if op.get_type_name() == "MatMul"
    ]
    biases = [c for op in ops if op.get_type_name() == "Add" for c in constant_inputs(op) if c.shape == (1, 512)]
    state = {}
    for i, (weight, bias) in enumerate(zip(weights, biases, strict=True)):
        state[f"map.{i}.weight"], state[f"map.{i}.bias"] = weight, bias[0]
    return state


def subbands(channels: int) -> np.ndarray:
    """Positions in the file of channels ordered as LL | LH | HL | HH."""
    q = channels // 4
    return np.concatenate([np.arange(q), *(q + 3 * np.arange(q) + k for k in range(3))])


def read_synthesis(path: Path) -> dict[str, np.ndarray]:
    ops = ov.Core().read_model(path).get_ordered_ops()
    named = {op.get_friendly_name(): op.get_data() for op in ops if op.get_type_name() == "Constant"}
    dense = [constant_inputs(op)[0] for op in ops if op.get_type_name() == "Convolution"]
    noises = [
        c
        for op in ops
        if op.get_type_name() == "Add"
        for c in constant_inputs(op)
        if c.ndim == 4 and c.shape[1] == 1 and c.shape[2] >= 4
    ]
    # The scalar that multiplies each modulation, keyed by the modulated channels' layer name.
    scales: dict[str, float] = {}
    for op in ops:
        if op.get_type_name() != "Multiply":
            continue
        scalars = [c for c in constant_inputs(op) if c.size == 1]
        source = op.input(0).get_source_output().get_node()
        if scalars and source.get_type_name() == "Reshape":
            gemm = source.input(0).get_source_output().get_node()
            matmul = gemm.input(0).get_source_output().get_node()
            name = matmul.input(1).get_source_output().get_node().get_friendly_name()
            scales[name.removesuffix(".weight")] = float(scalars[0].reshape(()))

    state: dict[str, np.ndarray] = {"input": named["m.input.input"]}

    def modulation(ours: str, theirs: str, scale: float, order: np.ndarray | None = None) -> None:
        weight, bias = named[f"{theirs}.weight"] * scale, named[f"{theirs}.bias"][0] * scale
        state[f"{ours}.weight"] = weight if order is None else weight[order]
        state[f"{ours}.bias"] = bias if order is None else bias[order]

    def conv(ours: str, theirs: str, order: np.ndarray | None = None) -> None:
        modulation(f"{ours}.modulation", f"{theirs}.conv.modulation", scales[f"{theirs}.conv.modulation"])
        if f"{theirs}.conv.weight_dw" in named:
            state[f"{ours}.depthwise"] = named[f"{theirs}.conv.weight_dw"].reshape(-1, 1, 3, 3)
        weight, bias = dense.pop(0), named[f"{theirs}.bias"].reshape(-1)
        state[f"{ours}.weight"] = weight if order is None else weight[order]
        state[f"{ours}.bias"] = bias if order is None else bias[order]
        state[f"{ours}.noise"] = noises.pop(0)

    # Inputs of a Haar transform are stored subband by subband.
    conv("conv_in", "m.conv1", subbands(512))
    for i in range(LAYERS):
        ours, theirs = f"layers.{i}", f"m.layers.{i}"
        up = named[f"{theirs}.up.modulation.bias"].size
        modulation(f"{ours}.up", f"{theirs}.up.modulation", 0.5, subbands(up))
        conv(f"{ours}.conv1", f"{theirs}.conv1")
        last = i == LAYERS - 1
        conv(f"{ours}.conv2", f"{theirs}.conv2", None if last else subbands(named[f"{theirs}.conv2.bias"].size))
    to_img = f"m.layers.{LAYERS - 1}.to_img"
    modulation("to_img_modulation", f"{to_img}.conv.modulation", scales[f"{to_img}.conv.modulation"])
    order = subbands(12)
    # The last Haar transform has no modulation to carry its 1/2: the last convolution does.
    state["to_img.weight"] = dense.pop(0)[order] * 0.5
    state["to_img.bias"] = named[f"{to_img}.bias"].reshape(-1)[order] * 0.5
    if dense or noises:
        raise SystemExit("the file holds convolutions or noise maps that this script does not know")
    return state


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--wheel", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if arguments.wheel is None:
            subprocess.run(
                [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "-d", name, WHEEL],
                check=True,
            )
            arguments.wheel = next(folder.glob("*.whl"))
        extract(arguments.wheel, folder)
        state = read_mapping(folder / "MappingNetwork.xml") | read_synthesis(folder / "SynthesisNetwork.xml")
    tensors = {f"generator.{k}": torch.from_numpy(np.array(v, dtype=np.float32)) for k, v in state.items()}
    save_file(tensors, arguments.out)
    print(f"{arguments.out}: {len(tensors)} tensors, {sum(t.numel() for t in tensors.values()):,} values")


if __name__ == "__main__":
    main()

"""What the model tests share: where the parity fixtures are, and small checkpoints in the published layouts.

The fixtures are outputs of the public reference code on synthetic weights, which ``data/rule.py`` makes from
names. The small ones are in ``data``; the 256 px ones are in the folder that STYLECRYPT_SHARED names, or
beside the repository.
"""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from ..support.places import SHARED

DATA = Path(__file__).parent / "data"


def _rule() -> ModuleType:
    spec = importlib.util.spec_from_file_location("parity_rule", DATA / "rule.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def rule() -> ModuleType:
    return _rule()


class Fixture:
    """One parity fixture: NAME.json and NAME.npz, and the tensors that its state dict lists."""

    def __init__(self, folder: Path, name: str) -> None:
        if not (folder / f"{name}.json").is_file():
            pytest.skip(f"the parity fixture {name} is not in {folder}; set STYLECRYPT_SHARED")
        self.rule = _rule()
        self.meta: dict[str, Any] = json.loads((folder / f"{name}.json").read_text())
        self.arrays = dict(np.load(folder / f"{name}.npz"))

    def weights(self, keep: Callable[[str], bool] = lambda name: True) -> dict[str, Tensor]:
        shapes = [(name, shape) for name, shape, *_ in self.meta["state_dict"] if keep(name)]
        return {name: torch.from_numpy(np.asarray(self.rule.weight(name, shape))) for name, shape in shapes}

    def compare(self, got: dict[str, Tensor], *, chain: tuple[str, ...] = ()) -> None:
        """Every array of the fixture against ours, which are named without _f16, _sample, _stats."""
        for name, want in self.arrays.items():
            base, _, form = name.rpartition("_")
            if form not in ("f16", "sample", "stats"):
                base, form = name, ""
            ours = got[base].numpy()
            if form == "stats":
                ours = np.stack([f(ours, axis=(2, 3)) for f in (np.mean, np.std, np.min, np.max)], axis=-1)
                np.testing.assert_allclose(ours, want, atol=1e-4, rtol=1e-4, err_msg=name)
                continue
            if form == "sample":
                ours = self.rule.sample(ours, want.shape[-1])
            assert ours.shape == want.shape, name
            error = self.rule.rel_err(ours, want)
            limit = 4e-3 if form == "f16" else 2e-4 if base in chain else 1e-4
            print(f"{name}: {error:.1e}")  # noqa: T201 - shown by pytest -s
            assert error < limit, name


@pytest.fixture(scope="session")
def small() -> Callable[[str], Fixture]:
    return lambda name: Fixture(DATA, name)


@pytest.fixture(scope="session")
def large() -> Callable[[str], Fixture]:
    return lambda name: Fixture(SHARED / "parity", name)


def generator_weights(size: int = 32, channels: int = 4, style_dim: int = 8, depth: int = 2) -> dict[str, Tensor]:
    """A small StyleGAN2 generator under its published names, blur kernels included."""
    shapes: dict[str, tuple[int, ...]] = {"input.input": (1, channels, 4, 4)}

    def conv(name: str, out: int, kernel: int) -> None:
        shapes[f"{name}.conv.weight"] = (1, out, channels, kernel, kernel)
        shapes[f"{name}.conv.modulation.weight"] = (channels, style_dim)
        shapes[f"{name}.conv.modulation.bias"] = (channels,)

    for i in range(1, depth + 1):
        shapes[f"style.{i}.weight"], shapes[f"style.{i}.bias"] = (style_dim, style_dim), (style_dim,)
    blocks = size.bit_length() - 2  # resolutions 4, 8, ..., size
    for name in ["conv1", *(f"convs.{i}" for i in range(2 * blocks - 2))]:
        conv(name, channels, 3)
        shapes[f"{name}.noise.weight"], shapes[f"{name}.activate.bias"] = (1,), (channels,)
        if name.startswith("convs.") and int(name[6:]) % 2 == 0:
            shapes[f"{name}.conv.blur.kernel"] = (4, 4)
    for name in ["to_rgb1", *(f"to_rgbs.{i}" for i in range(blocks - 1))]:
        conv(name, 3, 1)
        shapes[f"{name}.bias"] = (1, 3, 1, 1)
        if name != "to_rgb1":
            shapes[f"{name}.upsample.kernel"] = (4, 4)
    for i in range(2 * blocks - 1):
        shapes[f"noises.noise_{i}"] = (1, 1, *[4 << ((i + 1) // 2)] * 2)
    rule = _rule()
    return {name: torch.from_numpy(np.asarray(rule.weight(name, shape))) for name, shape in shapes.items()}


@pytest.fixture
def checkpoint(tmp_path: Path) -> Callable[..., Path]:
    """Writes what it is given with torch.save and returns the path."""

    def write(content: Any, name: str = "model.pt", **options: Any) -> Path:
        path = tmp_path / name
        torch.save(content, path, **options)
        return path

    return write


@pytest.fixture
def small_generator() -> Callable[..., dict[str, Tensor]]:
    return generator_weights

"""The stored graphs of the embedded model against the same networks as PyTorch modules, and against their writer."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from stylecrypt_msg.errors import ModelError, Remedy
from stylecrypt_msg.models import FaceModel, graphs
from stylecrypt_msg.models.face_model import Floats
from stylecrypt_msg.models.graphs import Graph
from stylecrypt_msg.models.refine import distance, unit_features
from stylecrypt_msg.models.torch_model import TorchModel
from stylecrypt_msg.models.weights import Weights

REPOSITORY = Path(__file__).parents[2]
DATA = REPOSITORY / "stylecrypt_msg" / "models" / "data"
TOLERANCE = 1e-3  # of the root mean square


def apart(got: Floats, wanted: torch.Tensor | Floats) -> float:
    """The distance of results from the expected ones: root mean squares."""
    reference = np.asarray(wanted.detach() if isinstance(wanted, torch.Tensor) else wanted)
    assert got.shape == reference.shape
    return float(np.sqrt(np.mean((got - reference) ** 2) / np.mean(reference**2)))


@pytest.fixture(scope="module")
def weights() -> Weights:
    return Weights([DATA / "default.safetensors", DATA / "default-encoder.safetensors"])


@pytest.fixture(scope="module")
def codes(default_model: FaceModel) -> Floats:
    """Three people, each with another's styles from the sixth on, so that no two styles need be the same."""
    people = default_model.map(np.random.default_rng(5).standard_normal((3, 512), np.float32), truncation=0.7)
    return np.concatenate([people[:, :6], np.roll(people, 1, 0)[:, 6:]], axis=1)


@pytest.fixture(scope="module")
def images(torch_model: TorchModel, codes: Floats) -> Floats:
    """Previews of them, (3, 3, 128, 128)."""
    with torch.no_grad():
        return torch_model.preview(torch.from_numpy(codes)).clamp(-1, 1).numpy()


@pytest.mark.parametrize("batch", [1, 2])
@torch.no_grad()
def test_each_graph_does_what_its_module_does(
    batch: int, weights: Weights, torch_model: TorchModel, codes: Floats, images: Floats
) -> None:
    z = np.random.default_rng(6).standard_normal((batch, 512), np.float32)
    some, shown = codes[:batch], images[:batch]
    as_tensor = torch.from_numpy(some)

    def check(name: str, given: Floats, *wanted: torch.Tensor | Floats) -> None:
        graph = Graph(name, weights)
        made = graph(given)
        for got, reference in zip(made, wanted, strict=True):
            assert apart(got, reference) < TOLERANCE, name
        np.testing.assert_array_equal(graph(given)[0], made[0])  # to the bit: a seed always gives the same file

    check("mapping", z, torch_model.generator.mapping(torch.from_numpy(z)))
    check("synthesis", some, torch_model.generator(as_tensor))
    check("preview", some, torch_model.preview(as_tensor))
    check("read", shown, torch_model.encode(shown, steps=0))
    check("features", shown, *unit_features(torch_model, torch.from_numpy(shown)))


@pytest.mark.parametrize("batch", [1, 3])
def test_the_descent_has_the_gradient_that_autograd_finds(
    batch: int, weights: Weights, torch_model: TorchModel, codes: Floats, images: Floats
) -> None:
    rng = np.random.default_rng(7)
    assert torch_model.directions is not None
    coordinates = 0.3 * rng.standard_normal((batch, sum(torch_model.directions.counts)), np.float32)
    missing = 0.05 * rng.standard_normal((batch, 3, 128, 128), np.float32)
    start, wanted, hold = np.roll(codes, 1, 0)[:batch], images[:batch], np.full((1, 1), 0.3, np.float32)
    features = [maps.numpy() for maps in unit_features(torch_model, torch.from_numpy(wanted))]
    (slope,) = Graph("descent", weights)(coordinates, start, wanted, *features, missing, hold)

    def alone(*arrays: Floats) -> Sequence[torch.Tensor]:
        return [torch.from_numpy(array[[i]]) for array in arrays]

    for i in range(batch):  # a batch's pictures do not hear of each other
        at, begun, goal, lacking, *maps = alone(coordinates, start, wanted, missing, *features)
        offset = torch_model.directions(at.requires_grad_())
        made = torch_model.preview(begun + offset * torch_model.deviation) + lacking
        loss = distance(made, goal, unit_features(torch_model, made), maps) + 0.3 * offset.square().mean()
        loss.backward()
        assert at.grad is not None
        assert apart(slope[[i]], at.grad) < TOLERANCE


def test_the_embedded_model_encodes_as_its_modules_do(
    default_model: FaceModel, torch_model: TorchModel, images: Floats
) -> None:
    """The whole of it: looks, steps, and both with a start."""
    assert (default_model.runtime, torch_model.runtime) == ("onnxruntime", "torch")
    seen = default_model.encode(images[:1], steps=0)
    assert apart(seen, torch_model.encode(images[:1], steps=0)) < TOLERANCE
    for start in (None, lambda seen: (seen + default_model.latent_avg) / 2):
        ours, theirs = (model.encode(images[:1], steps=4, start=start) for model in (default_model, torch_model))
        begun = seen if start is None else start(seen)
        assert apart(ours - begun, theirs - begun) < 0.02  # Adam enlarges what rounding does to small slopes


def test_the_embedded_model_is_what_its_modules_are(default_model: FaceModel, torch_model: TorchModel) -> None:
    assert default_model.digest == torch_model.digest  # written down, and computed
    for name in ("family", "n_styles", "style_dim", "image_size", "input_size", "steps", "has_encoder"):
        assert getattr(default_model, name) == getattr(torch_model, name), name
    np.testing.assert_array_equal(default_model.latent_avg, torch_model.latent_avg)
    np.testing.assert_allclose(default_model.latent_std, torch_model.latent_std)
    people = default_model.map(np.random.default_rng(8).standard_normal((300, 512), np.float32))
    suitable = default_model.suits(people, people[0])
    np.testing.assert_array_equal(suitable, torch_model.suits(people, people[0]))
    assert 0 < suitable.sum() < 30


def test_what_is_stored_is_what_the_script_writes(tmp_path: Path) -> None:
    script = REPOSITORY / "scripts" / "model" / "make_graphs.py"
    subprocess.run([sys.executable, script, "--out", tmp_path], check=True, capture_output=True)
    stored = {path.name: path.read_bytes() for path in [*DATA.glob("*.onnx"), DATA / "graphs.json"]}
    written = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert [name for name in stored | written if stored.get(name) != written.get(name)] == []


def damaged(folder: Path, name: str) -> None:
    path = folder / "mapping.onnx"
    if name == "missing":
        path.unlink()
    elif name == "cut":
        path.write_bytes(path.read_bytes()[:-100])
    elif name == "rubbish":
        path.write_bytes(b"rubbish")
    elif name == "another":  # whose weights are not those that are given
        path.write_bytes((folder / "synthesis.onnx").read_bytes())
    elif name == "no list":
        (folder / "graphs.json").unlink()
    else:
        (folder / "graphs.json").write_text("[]")


@pytest.mark.parametrize("damage", ["missing", "cut", "rubbish", "another", "no list", "empty list"])
def test_damage_is_one_sentence(damage: str, weights: Weights, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    for path in [*DATA.glob("*.onnx"), DATA / "graphs.json"]:
        (folder / path.name).write_bytes(path.read_bytes())
    monkeypatch.setattr(graphs.resources, "files", lambda package: tmp_path)  # type: ignore[attr-defined]
    Graph("mapping", weights)
    damaged(folder, damage)
    with pytest.raises(ModelError, match=r"A part of the embedded model, mapping, is missing or damaged\.$") as refused:
        Graph("mapping", weights)
    assert (refused.value.remedy, refused.value.facts) == (Remedy.REINSTALL, {"package": "stylecrypt-msg"})


def test_the_runtime_reports_to_nobody(tmp_path: Path) -> None:
    """For reports, its wheels keep an identifier of the machine in the home folder. No program may inherit the setting here."""
    program = "from stylecrypt_msg.recognisers import installed_recognisers as load; load()"
    env = {"HOME": str(tmp_path), "PATH": os.environ["PATH"]}
    subprocess.run([sys.executable, "-c", program], env=env, check=True)
    assert list(tmp_path.rglob("*")) == []


def test_without_the_runtime_it_says_what_to_install(weights: Weights, monkeypatch: pytest.MonkeyPatch) -> None:
    graphs.runtime.cache_clear()
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ModelError, match="ONNX Runtime, which runs the embedded model, cannot be loaded") as refused:
        Graph("mapping", weights)
    assert (refused.value.remedy, refused.value.facts) == (Remedy.REINSTALL, {"package": "onnxruntime"})

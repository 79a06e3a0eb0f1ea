"""Reading and writing model files: what loads, what is refused (in one sentence), and that nothing in a file
runs."""

from __future__ import annotations

import argparse
import json
import math
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from torch import Tensor

from stylecrypt_msg.errors import ModelError
from stylecrypt_msg.models import import_model, list_models, load_model, load_torch_model, store, weights
from stylecrypt_msg.models.psp import GradualStyleEncoder

from .conftest import DATA, generator_weights

Write = Callable[..., Path]
Weights = Callable[..., dict[str, Tensor]]


def refused(path: Path | str, match: str) -> None:
    with pytest.raises(ModelError, match=match) as caught:
        load_model(path)
    message = str(caught.value).replace(str(path), "FILE")
    assert "\n" not in message
    assert len(message) < 180


@pytest.fixture(autouse=True)
def own_models_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "share"))


@pytest.fixture(scope="module")
def psp_content() -> dict[str, Any]:
    content: dict[str, Any] = torch.load(DATA / "psp_tiny.pt", map_location="cpu", weights_only=True)
    return content


@pytest.fixture(scope="module")
def slim() -> dict[str, Any]:
    """A pSp file as published, of a narrow encoder that reads 32 px: a hundredth of the work."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        encoder = GradualStyleEncoder(10, 128, 32)
        for head in encoder.styles:
            torch.nn.init.normal_(head.linear.weight)  # type: ignore[union-attr,arg-type]
            torch.nn.init.normal_(head.linear.bias)  # type: ignore[union-attr,arg-type]
    state = {f"decoder.{name}": value for name, value in generator_weights(64, 4, 128).items()}
    state |= {f"encoder.{name}": value for name, value in encoder.state_dict().items() if name != "latent_avg"}
    average = torch.randn(128, generator=torch.Generator().manual_seed(1)).repeat(10, 1)
    return {"state_dict": state, "latent_avg": average, "opts": {"start_from_latent_avg": True}}


def with_encoder(content: dict[str, Any], encoder: dict[str, Tensor], **opts: Any) -> dict[str, Any]:
    """The tiny pSp file with its heads replaced."""
    kept = ("decoder.", "encoder.input_layer.", "encoder.body.")
    state = {name: value for name, value in content["state_dict"].items() if name.startswith(kept)}
    state |= {f"encoder.{name}": value for name, value in encoder.items()}
    return {"state_dict": state, "latent_avg": content["latent_avg"], "opts": content["opts"] | opts}


# ---- what loads


@pytest.mark.parametrize(("size", "channels", "style_dim", "depth"), [(64, 3, 16, 1), (128, 2, 8, 3), (1024, 1, 4, 8)])
def test_sizes_are_found_from_shapes(
    size: int, channels: int, style_dim: int, depth: int, checkpoint: Write, small_generator: Weights
) -> None:
    model = load_model(checkpoint({"g_ema": small_generator(size, channels, style_dim, depth)}))
    assert (model.image_size, model.style_dim) == (size, style_dim)
    assert model.n_styles == 2 * math.log2(size) - 2
    pictures = model.synthesize(model.map(torch.randn(1, style_dim)))
    assert pictures.shape == (1, 3, size, size)


@pytest.mark.parametrize("shape", [(128,), (1, 128)])  # (10, 128): the file itself
def test_shapes_of_the_average(shape: tuple[int, ...], slim: dict[str, Any], checkpoint: Write) -> None:
    average = slim["latent_avg"][0].expand(shape)
    model = load_torch_model(checkpoint({**slim, "latent_avg": average}))
    assert torch.equal(model.average, slim["latent_avg"])
    assert model.digest == load_model(checkpoint(slim, "whole.pt")).digest


def test_average_that_a_converter_dropped_is_computed(slim: dict[str, Any], checkpoint: Write) -> None:
    content = {key: value for key, value in slim.items() if key != "latent_avg"}
    whole, model = load_torch_model(checkpoint(slim, "whole.pt")), load_torch_model(checkpoint(content))
    images = torch.rand(1, 3, 32, 32)
    offsets = whole.encode(images) - slim["latent_avg"]
    torch.testing.assert_close(model.encode(images), offsets + model.average)
    absolute = load_model(checkpoint({**content, "opts": {"start_from_latent_avg": False}}))
    torch.testing.assert_close(absolute.encode(images), offsets)


def test_e4e(slim: dict[str, Any], checkpoint: Write) -> None:
    psp = load_torch_model(checkpoint(slim, "psp.pt"))
    opts = slim["opts"] | {"encoder_type": "Encoder4Editing"}
    model = load_torch_model(checkpoint({**slim, "opts": argparse.Namespace(**opts)}))
    images = torch.rand(1, 3, 32, 32)
    heads = psp.encode(images) - model.average
    want = torch.cat([heads[:, :1], heads[:, 1:] + heads[:, :1]], dim=1) + model.average
    torch.testing.assert_close(model.encode(images), want)
    assert model.digest != psp.digest
    imported = load_model(import_model(checkpoint({**slim, "opts": opts}), "e4e").path)
    assert imported.digest == model.digest


def test_w_encoder(psp_content: dict[str, Any], checkpoint: Write, rule: ModuleType) -> None:
    linear = {"linear.weight": torch.randn(512, 512), "linear.bias": torch.randn(512)}
    model = load_torch_model(checkpoint(with_encoder(psp_content, linear, learn_in_w=True)))
    images = torch.rand(1, 3, 256, 256)
    features: Any = model.encoder
    pooled = features.features(images)[-1].mean((2, 3))
    style = pooled @ linear["linear.weight"].T / math.sqrt(512) + linear["linear.bias"]
    assert rule.rel_err(model.encode(images), style[:, None] + model.average) < 1e-4


def test_w_plus_encoder(psp_content: dict[str, Any], checkpoint: Write, rule: ModuleType) -> None:
    head = {
        **{
            f"output_layer_2.0.{name}": torch.rand(512) + 0.5
            for name in ("weight", "bias", "running_mean", "running_var")
        },
        "output_layer_2.3.weight": torch.randn(512, 512 * 49) / 512,
        "output_layer_2.3.bias": torch.randn(512),
        "linear.weight": torch.randn(5120, 512),
        "linear.bias": torch.randn(5120),
    }
    model = load_torch_model(checkpoint(with_encoder(psp_content, head)))
    images = torch.rand(1, 3, 256, 256)
    features: Any = model.encoder
    last = features.features(images)[-1]
    norm = (
        head[f"output_layer_2.0.{name}"][:, None, None] for name in ("running_mean", "running_var", "weight", "bias")
    )
    mean, variance, weight, bias = norm
    x = torch.nn.functional.adaptive_avg_pool2d((last - mean) / (variance + 1e-5).sqrt() * weight + bias, 7)
    x = x.flatten(1) @ head["output_layer_2.3.weight"].T + head["output_layer_2.3.bias"]
    styles = (x @ head["linear.weight"].T / math.sqrt(512) + head["linear.bias"]).reshape(1, 10, 512)
    assert rule.rel_err(model.encode(images), styles + model.average) < 1e-4


# ---- our own format


def test_import_keeps_digest_and_outputs(slim: dict[str, Any], checkpoint: Write) -> None:
    file = checkpoint(slim, "psp_tiny.pt")
    psp = load_torch_model(file)
    info = import_model(file)
    assert (info.name, info.family, info.n_styles, info.image_size) == ("psp_tiny", "stylegan2", 10, 64)
    assert info.has_encoder
    imported = load_torch_model("psp_tiny")
    assert imported.digest == psp.digest
    assert torch.equal(imported.average, psp.average)
    images = torch.rand(1, 3, 32, 32)
    assert torch.equal(imported.encode(images), psp.encode(images))
    assert "psp_tiny" in [model.name for model in list_models()]
    with pytest.raises(ModelError, match="already"):
        import_model(file)
    assert [path.name for path in info.path.parent.iterdir()] == ["psp_tiny.safetensors"]


def test_the_safetensors_library_reads_ours_and_we_read_its(tmp_path: Path, small_generator: Weights) -> None:
    info = import_model(DATA / "ros_tiny.pt", "ros")
    tensors = safetensors.torch.load_file(info.path)
    with safetensors.safe_open(info.path, "pt") as file:
        metadata = file.metadata()
    path = tmp_path / "theirs.safetensors"
    safetensors.torch.save_file(tensors, path, metadata)
    assert load_model(path).digest == load_model("ros").digest


def test_small_files_count_as_what_they_decode_to(tmp_path: Path) -> None:
    model = load_torch_model(DATA / "ros_tiny.pt")
    store.save(model, tmp_path / "small.safetensors", small=True)
    small = load_torch_model(tmp_path / "small.safetensors")
    assert small.digest != model.digest
    store.save(small, tmp_path / "full.safetensors")
    assert load_model(tmp_path / "full.safetensors").digest == small.digest
    sizes = [(tmp_path / f"{name}.safetensors").stat().st_size for name in ("small", "full")]
    assert sizes[0] < 0.8 * sizes[1]


@example([762.5 * 2**-24])  # just between two float16 values: 128 parts of 256, where a byte ends at 127
@given(
    st.lists(
        st.floats(-60000, 60000, width=32) | st.floats(-1, 1, width=32) | st.floats(-(2**-14), 2**-14, width=32),
        min_size=1,
        max_size=50,
    )
)
def test_three_bytes_keep_eighteen_bits(values: list[float]) -> None:
    wanted = np.array(values, np.float32)
    got = weights._join(*weights._split(wanted))
    # Below float16's normal range its last place is 2**-24, of which a 256th is kept.
    assert np.all(np.abs(got - wanted) <= np.maximum(np.abs(wanted) * 2**-18, 2**-32))


def test_failed_save_leaves_nothing(tmp_path: Path) -> None:
    blocked = tmp_path / "model.safetensors"
    blocked.mkdir()
    (blocked / "x").touch()
    with pytest.raises(ModelError, match="cannot be written"):
        store.save(load_torch_model(DATA / "ros_tiny.pt"), blocked)
    assert list(tmp_path.glob("*.part")) == []


@pytest.mark.parametrize("name", ["../evil", "a/b", "", "default", "x" * 65, "a.b", "ä"])
def test_names_that_are_refused(name: str) -> None:
    with pytest.raises(ModelError, match="name"):
        import_model(DATA / "ros_tiny.pt", name)


def test_names_and_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refused("nobody", "There is no model 'nobody'")
    refused("nobody.pt", "There is no file")
    refused("./nobody", "There is no file")
    refused(tmp_path, "folder")
    monkeypatch.chdir(tmp_path)
    shutil.copy(DATA / "ros_tiny.pt", "bare")
    assert load_model("bare").name == "bare"


# ---- what is refused


class Payload:
    """Writes a file when unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


@pytest.mark.parametrize("form", ["pickle", "zip", "legacy"])
def test_code_in_a_file_does_not_run(form: str, tmp_path: Path, checkpoint: Write) -> None:
    victim = tmp_path / "ran"
    content = {"g_ema": {}, "args": Payload(victim)}
    if form == "pickle":
        path = tmp_path / "model.pt"
        path.write_bytes(pickle.dumps(content))
    else:
        path = checkpoint(content, _use_new_zipfile_serialization=form == "zip")
    refused(path, "could run code|not a PyTorch checkpoint")
    assert not victim.exists()


def test_nvidia_pickle(tmp_path: Path) -> None:
    path = tmp_path / "stylegan2-ffhq-config-f.pkl"
    path.write_bytes(b"\x80\x03cdnnlib.tflib.network\nNetwork\n.")
    refused(path, "NVIDIA pickle")


@pytest.mark.parametrize(
    "content", [b"", b"\xff\xd8\xff\xe0" + b"JFIF" * 40, b"hello", b"PK\x03\x04", b"\x80\x02.", b"\x80", bytes(64)]
)
def test_files_that_are_no_checkpoints(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    path.write_bytes(content)
    refused(path, "empty|not a model file|not a PyTorch checkpoint|no dictionary|could run code")


@pytest.mark.parametrize("name", ["ros_tiny.pt", "ros_tiny_legacy.pt"])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.999])
def test_truncated(name: str, share: float, tmp_path: Path) -> None:
    content = (DATA / name).read_bytes()
    path = tmp_path / "model.pt"
    path.write_bytes(content[: int(len(content) * share)])
    refused(path, "truncated")


def test_checkpoints_of_something_else(checkpoint: Write, small_generator: Weights) -> None:
    refused(checkpoint([1, 2]), "no dictionary")
    refused(checkpoint({"conv.weight": torch.zeros(3)}), "neither")
    refused(checkpoint({"d": {"convs.0.weight": torch.zeros(3)}}), "discriminator only")
    refused(checkpoint({"g_ema": torch.zeros(3)}), "no dictionary of weights")
    refused(checkpoint({"g_ema": {"a": "b"}}), "something other than weights")
    refused(checkpoint({"g_ema": {}}), "no complete StyleGAN2")
    weights = small_generator()
    for name in ("convs.5.conv.weight", "to_rgbs.1.bias", "noises.noise_2"):
        cut = {key: value for key, value in weights.items() if key != name}
        refused(checkpoint({"g_ema": cut}), f"1 of its .* such as {name}")
    refused(checkpoint({"g_ema": {**weights, "extra": torch.zeros(1)}}), "do not belong")
    refused(checkpoint({"g_ema": {**weights, "to_rgb1.bias": torch.zeros(1, 4, 1, 1)}}), "does not fit together")
    refused(checkpoint({"g_ema": {**weights, "style.1.bias": torch.full((8,), float("nan"))}}), "not finite")
    refused(checkpoint({"g_ema": {**weights, "style.1.bias": torch.zeros(1, 1, 1, 1, 1, 1)}}), "no face model")
    refused(checkpoint({"g_ema": {**weights, "style.1.bias": torch.zeros(1).expand(2**40)}}), "no face model")
    refused(checkpoint({"g_ema": {**weights, "convs.0.conv.blur.kernel": torch.ones(4, 4)}}), "another blur filter")
    refused(checkpoint({"g_ema": weights, "latent_avg": torch.zeros(3, 8)}), "takes 8 styles")
    refused(checkpoint({"g_ema": weights, "latent_avg": torch.zeros(9)}), "average latent has shape")
    refused(checkpoint({"g_ema": small_generator(2048, 1, 2, 1)}), "2048 px")


def test_psp_files_that_do_not_fit(slim: dict[str, Any], checkpoint: Write, small_generator: Weights) -> None:
    state = slim["state_dict"]
    encoder = {name: value for name, value in state.items() if name.startswith("encoder.")}
    decoder = {name: value for name, value in state.items() if name.startswith("decoder.")}
    refused(checkpoint({"state_dict": encoder, "opts": {}}), "no generator")
    refused(checkpoint({"state_dict": decoder, "opts": {}}), "no encoder")
    other = {f"decoder.{name}": value for name, value in small_generator(256, 2, 128).items()}
    refused(checkpoint({"state_dict": encoder | other}), "makes 10 styles, but the generator takes 14")
    sketches = {**state, "encoder.input_layer.0.weight": torch.zeros(16, 1, 3, 3)}
    refused(checkpoint({"state_dict": sketches}), "1 channels instead of RGB")
    cut = {name: value for name, value in state.items() if not name.startswith("encoder.body.20.")}
    refused(checkpoint({"state_dict": cut}), "incomplete")
    refused(checkpoint({"state_dict": {**decoder, "encoder.conv.weight": torch.zeros(1)}}), "not one of pSp's")


def our_file(header: dict[str, Any] | bytes, values: bytes = b"") -> bytes:
    encoded = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(encoded).to_bytes(8, "little") + encoded + values


META = {"format": "stylecrypt-model", "version": "1", "family": "stylegan2", "name": "x"}
ENTRY = {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (our_file(b"{"), "header is broken"),
        (our_file(b"{" * 100_000), "header is broken"),
        ((2**60).to_bytes(8, "little") + b"{}", "header is broken"),
        (our_file({"__metadata__": {}, "a": ENTRY}, bytes(4)), "not one of this project's"),
        (our_file({"__metadata__": {**META, "family": "vae"}}), "unknown family"),
        (our_file({"__metadata__": META, "a": ENTRY}, bytes(3)), "truncated"),
        (our_file({"__metadata__": META, "a": ENTRY}, bytes(5)), "appended"),
        (our_file({"__metadata__": META, "a": {**ENTRY, "shape": [2**40]}}, bytes(4)), "header is broken"),
        (our_file({"__metadata__": META, "a": {**ENTRY, "shape": [-1]}}, bytes(4)), "header is broken"),
        (our_file({"__metadata__": META, "a": {**ENTRY, "dtype": "F64"}}, bytes(4)), "header is broken"),
        (our_file({"__metadata__": META, "a": {**ENTRY, "data_offsets": [4, 8]}}, bytes(8)), "header is broken"),
        (our_file({"__metadata__": META, "a": ENTRY}, b"\x00\x00\xc0\x7f"), "not finite"),
        (our_file({"__metadata__": META, "a": ENTRY}, bytes(4)), "no complete StyleGAN2"),
        (our_file({"__metadata__": META}), "no complete StyleGAN2"),
        (our_file({"__metadata__": 3}), "header is broken"),
    ],
)
def test_broken_files_of_our_own(content: bytes, match: str, tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(content)
    refused(path, match)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), name=st.sampled_from(["ours", "ros_tiny.pt", "ros_tiny_legacy.pt", "ros_tiny_train.pt"]))
def test_damaged_bytes_load_or_raise_model_error(data: st.DataObject, name: str, tmp_path: Path) -> None:
    source = tmp_path / "ours" if name == "ours" else DATA / name
    if not source.exists():
        store.save(load_torch_model(DATA / "ros_tiny.pt"), source)
    content = bytearray(source.read_bytes())
    # Headers and pickles stand at both ends; damage there is what parsers must survive.
    near = st.one_of(st.integers(0, min(9000, len(content)) - 1), st.integers(len(content) - 9000, len(content) - 1))
    for position in data.draw(st.lists(near, min_size=1, max_size=4)):
        content[position] = data.draw(st.integers(0, 255))
    path = tmp_path / "damaged"
    path.write_bytes(content)
    try:
        load_model(path)
    except ModelError as error:
        assert "\n" not in str(error)

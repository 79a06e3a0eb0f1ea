"""FaceModel: what it accepts, what it refuses and how; codes, digests, threads, gradients."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from stylecrypt_msg.errors import ModelError
from stylecrypt_msg.models import FaceModel, face_model, load_model, load_torch_model
from stylecrypt_msg.models.torch_model import TorchModel

from .conftest import DATA


@pytest.fixture(scope="module")
def psp() -> TorchModel:
    return load_torch_model(DATA / "psp_tiny.pt")


@pytest.fixture(scope="module")
def generator_only() -> TorchModel:
    return load_torch_model(DATA / "ros_tiny.pt")


def images(side: int = 256, batch: int = 1) -> Tensor:
    return torch.rand(batch, 3, side, side, generator=torch.Generator().manual_seed(1)) * 2 - 1


def test_attributes(psp: TorchModel, generator_only: TorchModel) -> None:
    assert (psp.n_styles, psp.style_dim, psp.image_size) == (10, 512, 64)
    assert (psp.family, psp.name, psp.has_encoder) == ("stylegan2", "psp_tiny", True)
    assert psp.latent_avg.shape == (10, 512)
    assert not generator_only.has_encoder
    assert psp.device == torch.device("cpu")


@pytest.mark.parametrize(("given", "resize"), [(64, "bilinear"), (200, "bilinear"), (512, "area"), (301, "area")])
def test_encode_resizes(psp: TorchModel, given: int, resize: str, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = []

    def network(pictures: Tensor) -> Tensor:
        shown.append(pictures)
        return psp.average[None]

    monkeypatch.setattr(psp.encoder, "forward", network)
    assert torch.equal(psp.encode(images(given)), psp.average[None])
    (seen,) = shown
    assert torch.equal(seen, torch.nn.functional.interpolate(images(given), (256, 256), mode=resize))


def test_batches_equal_single_pictures(generator_only: TorchModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(face_model, "STEP_PIXELS", 8 * 32**2)
    count = 8 + 3  # more than one step
    codes = torch.randn(count, 8, 64, generator=torch.Generator().manual_seed(2))
    together = generator_only.synthesize(codes)
    for i in (0, 1, 7, 8, count - 1):
        alone = generator_only.synthesize(codes[i : i + 1])
        torch.testing.assert_close(together[i : i + 1], alone, atol=1e-4, rtol=1e-4)


def test_previews_are_as_large_as_asked_for_or_as_the_model_can(psp: TorchModel) -> None:
    codes = psp.average[None]
    with torch.no_grad():
        assert psp.preview(codes, 32).shape == (1, 3, 32, 32)
        made = psp.synthesize(codes)
        for size in (64, 128, 256):
            torch.testing.assert_close(psp.preview(codes, size), made)


def test_truncation(generator_only: TorchModel) -> None:
    z = torch.randn(3, 64)
    assert torch.equal(generator_only.map(z, truncation=0.0), generator_only.average.expand(3, -1, -1))
    with pytest.raises(ValueError, match="truncation"):
        generator_only.map(z, truncation=1.5)


def test_average_without_one_in_the_file_is_that_of_the_mapping() -> None:
    model, again = load_torch_model(DATA / "ros_tiny_train.pt"), load_torch_model(DATA / "ros_tiny_train.pt")
    assert torch.equal(model.average, again.average)
    mean = model.map(torch.randn(20_000, 64, generator=torch.Generator().manual_seed(9))).mean(0)
    assert (mean - model.average).abs().max() < 0.1


@pytest.mark.parametrize(
    "bad",
    [
        torch.zeros(3, 64, 64),
        torch.zeros(1, 1, 64, 64),
        torch.zeros(1, 3, 64, 65),
        torch.zeros(0, 3, 64, 64),
        torch.zeros(1, 3, 64, 64, dtype=torch.uint8),
        torch.full((1, 3, 64, 64), float("nan")),
        [[0.0]],
    ],
)
def test_bad_images(psp: TorchModel, bad: Any) -> None:
    with pytest.raises(ValueError, match="images"):
        psp.encode(bad)


@pytest.mark.parametrize(
    "bad", [torch.zeros(10, 512), torch.zeros(1, 10, 512).double(), torch.full((1, 10, 512), float("inf"))]
)
def test_bad_codes(psp: TorchModel, bad: Tensor) -> None:
    with pytest.raises(ValueError, match="codes"):
        psp.synthesize(bad)


def test_codes_of_another_model(psp: TorchModel, generator_only: TorchModel) -> None:
    with pytest.raises(ModelError, match="These codes have 14 styles, this model has 10"):
        psp.synthesize(torch.zeros(1, 14, 512))
    with pytest.raises(ModelError, match="64 dimensions"):
        psp.synthesize(torch.zeros(1, 10, 64))
    with pytest.raises(ModelError, match="no encoder"):
        generator_only.encode(images())
    with pytest.raises(ValueError, match="dimensions"):
        generator_only.map(torch.zeros(1, 512))


def test_unknown_device(generator_only: TorchModel) -> None:
    with pytest.raises(ModelError, match="device"):
        generator_only.to("abacus")


def test_outputs_are_ordinary_tensors_and_gradients_flow(psp: TorchModel) -> None:
    start = psp.encode(images())
    target = psp.synthesize(start)
    codes = (start + 0.1).requires_grad_()
    loss = (psp.generator(codes) - target).square().mean()
    loss.backward()
    assert codes.grad is not None
    assert (codes.grad.abs().sum(dim=2) > 0).all()
    torch.testing.assert_close(psp.generator(start), target)


def test_threads(generator_only: TorchModel) -> None:
    codes = [torch.randn(1, 8, 64) for _ in range(8)]
    want = [generator_only.synthesize(c) for c in codes]
    with ThreadPoolExecutor(4) as pool:
        got = list(pool.map(generator_only.synthesize, codes))
    for a, b in zip(got, want, strict=True):
        torch.testing.assert_close(a, b)


def test_arrays_and_tensors_give_the_same(psp: TorchModel, default_model: FaceModel) -> None:
    """Arrays give arrays, and tensors give tensors."""
    for model in (psp, default_model):
        z = torch.randn(1, 512, generator=torch.Generator().manual_seed(3))
        as_tensor, as_array = model.map(z, truncation=0.5), model.map(z.numpy(), truncation=0.5)
        assert isinstance(as_tensor, torch.Tensor)
        assert isinstance(as_array, np.ndarray)
        np.testing.assert_array_equal(as_tensor.numpy(), as_array)
    x = images(64)
    codes, same = psp.encode(x), psp.encode(x.numpy())
    np.testing.assert_array_equal(codes.numpy(), same)
    np.testing.assert_array_equal(psp.synthesize(codes).numpy(), psp.synthesize(same))


def test_digest_is_of_the_weights_not_of_the_file(
    checkpoint: Callable[..., Path], small_generator: Callable[..., dict[str, Tensor]]
) -> None:
    digests = {load_model(DATA / f"{name}.pt").digest for name in ("ros_tiny", "ros_tiny_legacy", "ros_tiny_train")}
    assert len(digests) == 1
    assert len(digests.pop()) == 64
    weights = small_generator()
    digest = load_model(checkpoint({"g_ema": dict(weights)})).digest
    kernelless = {name: value for name, value in weights.items() if not name.endswith("kernel")}
    assert load_model(checkpoint({"g_ema": kernelless}, _use_new_zipfile_serialization=False)).digest == digest
    for name in ("style.2.bias", "noises.noise_3", "to_rgbs.1.conv.weight"):
        changed = {**weights, name: weights[name] * 1.001}
        assert load_model(checkpoint({"g_ema": changed})).digest != digest

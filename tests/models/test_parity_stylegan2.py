"""Parity with the public reference code: every array of every StyleGAN2 and pSp fixture, through the public
API."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

from stylecrypt_msg.models import load_torch_model
from stylecrypt_msg.models.torch_model import TorchModel

from .conftest import DATA, Fixture, generator_weights

Fixtures = Callable[[str], Fixture]


def tensor(array: Any) -> torch.Tensor:
    return torch.from_numpy(np.asarray(array))


@pytest.mark.parametrize("name", ["ros_tiny", "ros_tiny_legacy", "ros_tiny_train"])
def test_rosinality_files(name: str, small: Fixtures, rule: ModuleType) -> None:
    model = load_torch_model(DATA / f"{name}.pt")
    assert (model.image_size, model.n_styles, model.style_dim) == (32, 8, 64)
    # A training file holds no average: the centre of truncation is taken from the converted file.
    average = load_torch_model(DATA / "ros_tiny.pt").average
    codes = average.lerp(model.map(tensor(rule.normal(61, (2, 64)))), 0.7)
    got = {
        "z_trunc07": model.synthesize(codes),
        "wplus": model.synthesize(tensor(rule.normal(62, (2, 8, 64)))),
    }
    small("ros_tiny").compare(got)
    if name != "ros_tiny_train":
        torch.testing.assert_close(codes, model.map(tensor(rule.normal(61, (2, 64))), truncation=0.7))


def test_psp_file(small: Fixtures, rule: ModuleType) -> None:
    model = load_torch_model(DATA / "psp_tiny.pt")
    latents = model.encode(tensor(rule.image(101)))
    small("psp_tiny").compare({"latents": latents, "image": model.synthesize(latents)})


def test_generator_256(large: Fixtures, rule: ModuleType, tmp_path: Path) -> None:
    fixture = large("g_256")
    path = tmp_path / "g.pt"
    torch.save({"g_ema": fixture.weights(), "latent_avg": tensor(rule.weight("latent_avg", (512,)))}, path)
    model = load_torch_model(path)
    path.unlink()
    z = tensor(rule.normal(11, (1, 512)))
    whole, truncated = model.map(z), model.map(z, truncation=0.7)
    assert torch.equal(truncated, truncated[:, :1].expand_as(truncated))
    got = {
        "w_of_z": whole[:, 0],
        "z_trunc07_latent": truncated[:, 0],
        "z_trunc1": model.synthesize(whole),
        "z_trunc07": model.synthesize(truncated),
        "wplus": model.synthesize(tensor(rule.normal(12, (1, 14, 512)))),
    }
    fixture.compare(got)


@pytest.fixture(scope="module")
def encoder_18(large: Fixtures) -> dict[str, torch.Tensor]:
    return large("enc_gradual_18").weights()


@pytest.fixture(scope="module")
def psp_256(
    large: Fixtures, encoder_18: dict[str, torch.Tensor], rule: ModuleType, tmp_path_factory: pytest.TempPathFactory
) -> TorchModel:
    fixture = large("psp_256")
    state = fixture.weights(lambda name: name.startswith("decoder."))
    # The heads of the 14-style encoder are the first ones of the 18-style encoder.
    names = [name for name, *_ in fixture.meta["state_dict"] if name.startswith("encoder.")]
    state |= {name: encoder_18[name.removeprefix("encoder.")] for name in names}
    path = tmp_path_factory.mktemp("psp") / "psp_256.pt"
    average = tensor(rule.weight("latent_avg", (14, 512)))
    torch.save({"state_dict": state, "latent_avg": average, "opts": fixture.meta["constructor"]["opts"]}, path)
    model = load_torch_model(path)
    path.unlink()
    return model


def test_psp_256(psp_256: TorchModel, large: Fixtures, rule: ModuleType) -> None:
    latents = psp_256.encode(tensor(np.concatenate([rule.image(101), rule.image(202)])))
    got = {"latents": latents, "codes": latents - psp_256.average, "images": psp_256.synthesize(latents)}
    large("psp_256").compare(got)


def test_style_mixing_and_decryption(psp_256: TorchModel, large: Fixtures, rule: ModuleType) -> None:
    fixture = large("stylemix_256")
    replaced = fixture.meta["inputs"]["replaced"]
    w_a, w_b = psp_256.encode(tensor(np.concatenate([rule.image(101), rule.image(202)]))).split(1)
    w_mixed = w_a.clone()
    w_mixed[:, replaced] = w_b[:, replaced]
    img_mixed = psp_256.synthesize(w_mixed)
    w_reenc = psp_256.encode(img_mixed)
    w_dec = w_reenc.clone()
    w_dec[:, replaced] = w_a[:, replaced]
    stored = fixture.arrays.pop("img_mixed_uint8")  # truncated to bytes: ours may fall on the other side of a step
    ours = (img_mixed[0].permute(1, 2, 0).add(1).div(2).clamp(0, 1) * 255).byte().numpy()
    assert np.abs(ours.astype(int) - stored).max() <= 1
    assert (ours != stored).mean() < 1e-3
    got = {
        "w_A": w_a,
        "w_B": w_b,
        "w_mixed": w_mixed,
        "img_mixed": img_mixed,
        "w_reenc": w_reenc,
        "w_dec": w_dec,
        "img_dec": psp_256.synthesize(w_dec),
        "w_reenc_uint8": psp_256.encode(tensor(stored).permute(2, 0, 1)[None] / 255 * 2 - 1),
    }
    fixture.compare(got, chain=("w_reenc", "w_dec", "img_dec"))


def test_encoder_of_18_styles(
    large: Fixtures, encoder_18: dict[str, torch.Tensor], rule: ModuleType, tmp_path: Path
) -> None:
    state = {f"decoder.{name}": value for name, value in generator_weights(1024, 2, 512).items()}
    state |= {f"encoder.{name}": value for name, value in encoder_18.items()}
    path = tmp_path / "psp_1024.pt"
    torch.save({"state_dict": state, "opts": {"start_from_latent_avg": False}}, path)
    model = load_torch_model(path)
    path.unlink()
    assert (model.image_size, model.n_styles) == (1024, 18)
    images = tensor(np.concatenate([rule.image(101), rule.image(202)]))
    large("enc_gradual_18").compare({"codes": model.encode(images)})

"""Metrics against values computed by hand, and against numpy where it offers a second way."""

from __future__ import annotations

import pickle
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from stylecrypt_lab.evaluation.metrics import HIGHEST_PSNR, cosine, load_lpips, psnr, ssim, threshold_at_far
from stylecrypt_lab.evaluation.trial import Moments, _moments, correlation
from torch import nn

from stylecrypt_msg.errors import InputError
from stylecrypt_msg.pictures import Pixels


def flat(value: int) -> Pixels:
    return np.full((256, 256, 3), value, np.uint8)


def noise(seed: int) -> Pixels:
    return np.random.default_rng(seed).integers(0, 256, (256, 256, 3), np.uint8)


def test_psnr_is_equation_4() -> None:
    assert psnr(flat(100), flat(110)) == pytest.approx(10 * np.log10(255**2 / 10**2))
    first, second = noise(0), noise(1)
    error = np.mean((first.astype(float) - second) ** 2)
    assert psnr(first, second) == pytest.approx(10 * np.log10(255**2 / error))


def test_pictures_that_are_the_same_have_the_highest_psnr() -> None:
    assert psnr(noise(0), noise(0)) == HIGHEST_PSNR
    almost = noise(0)
    almost[3, 3, 1] ^= 1
    assert psnr(noise(0), almost) == HIGHEST_PSNR


def test_ssim_is_equation_5() -> None:
    c1 = (0.01 * 255) ** 2
    assert ssim(flat(100), flat(150)) == pytest.approx((2 * 100 * 150 + c1) / (100**2 + 150**2 + c1), abs=1e-6)
    assert ssim(noise(0), noise(0)) == 1
    assert abs(ssim(noise(0), noise(1))) < 0.05


def test_ssim_has_gaussian_windows() -> None:
    """Windows of 7 px and Gaussian ones of 1.5 px see a checkerboard differently: computed by hand at one place."""
    first, second = flat(100), noise(2)
    axis = np.exp(-np.square(np.arange(-5, 6)) / (2 * 1.5**2))
    window = np.outer(axis, axis) / axis.sum() ** 2
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    places = []
    for y in range(5, 251, 10):
        for x in range(5, 251, 10):
            for colour in range(3):
                b = second[y - 5 : y + 6, x - 5 : x + 6, colour].astype(float)
                mean = (window * b).sum()
                spread = (window * b * b).sum() - mean**2
                places.append((2 * 100 * mean + c1) / (100**2 + mean**2 + c1) * c2 / (spread + c2))
    assert ssim(first, second) == pytest.approx(np.mean(places), rel=0.02)


def test_cosine_is_times_100() -> None:
    a, b = np.array([3, 4], np.float32), np.array([8, 6], np.float32)
    assert cosine(a, b) == pytest.approx(96)
    assert cosine(a, -a) == pytest.approx(-100)


def test_the_threshold_lets_one_pair_in_a_thousand_pass() -> None:
    distances = np.random.default_rng(0).permutation(np.linspace(0.5, 1.5, 5100)).tolist()
    threshold = threshold_at_far(distances)
    assert threshold is not None
    assert sum(distance < threshold for distance in distances) == 5


def test_too_few_pairs_have_no_threshold() -> None:
    assert threshold_at_far([0.9] * 999) is None
    assert threshold_at_far([0.8, *[0.9] * 999]) == 0.9


def test_correlations_of_parts_are_those_of_the_whole() -> None:
    first, second = np.random.default_rng(0).standard_normal((2, 3, 512), np.float32)
    a = first + np.array([[0.0], [1.0], [2.0]], np.float32)  # people differ in their means
    b = 0.5 * a + second
    parts = [_moments(one, another) for one, another in zip(a, b, strict=True)]
    assert correlation(parts) == pytest.approx(np.corrcoef(a.flatten(), b.flatten())[0, 1], abs=1e-6)
    assert correlation([Moments(count=2, a=2, b=3, aa=2, bb=5, ab=3)]) == 0  # a does not vary


# ---- LPIPS, whose packages are not here


def test_without_lpips_it_is_said_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "lpips", None)
    with pytest.raises(InputError, match="lpips and torchvision") as caught:
        load_lpips()
    assert "torchvision" in (caught.value.hint or "")


class _Alex(nn.Module):
    """Slices AlexNet's features as lpips does: the layer keeps its number, within a slice."""

    def __init__(self) -> None:
        super().__init__()
        self.slice1 = nn.ModuleDict({"0": nn.Conv2d(3, 2, 1)})
        self.slice2 = nn.ModuleDict({"3": nn.Conv2d(2, 1, 1)})


class _Lpips(nn.Module):
    """The part of the package that `load_lpips` uses: the trunk's weights decide, and pictures are in [-1, 1]."""

    def __init__(self, *, net: str, version: str, pnet_rand: bool, verbose: bool) -> None:
        super().__init__()
        assert (net, version, pnet_rand) == ("alex", "0.1", True)
        self.net = _Alex()

    def forward(self, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
        a, b = (self.net.slice2["3"](self.net.slice1["0"](one)) for one in (first, second))
        return (a - b).abs().mean().reshape(1, 1, 1, 1)


@pytest.fixture
def checkpoints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """torch's folder of checkpoints, where a package lpips is installed."""
    package = ModuleType("lpips")
    package.LPIPS = _Lpips  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "lpips", package)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    return folder


def test_without_alexnet_it_is_said_where_it_goes(checkpoints: Path) -> None:
    with pytest.raises(InputError, match="weights are not on this machine") as caught:
        load_lpips()
    assert str(checkpoints) in (caught.value.hint or "")


def test_alexnets_weights_find_their_place(checkpoints: Path) -> None:
    weights = {
        "features.0.weight": torch.ones(2, 3, 1, 1),
        "features.0.bias": torch.zeros(2),
        "features.3.weight": torch.ones(1, 2, 1, 1),
        "features.3.bias": torch.zeros(1),
        "classifier.1.weight": torch.zeros(1),
    }
    torch.save(weights, checkpoints / "alexnet-owt-7be5be79.pth")
    lpips = load_lpips()
    assert lpips(noise(0), noise(0)) == 0
    assert lpips(flat(0), flat(255)) == pytest.approx(2 * 3 * 2)  # 2 apart, in 3 colours, over 2 channels


class _Trap:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return Path.touch, (Path("trapped"),)  # type: ignore[return-value]


def test_a_checkpoint_runs_no_code(checkpoints: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(checkpoints)
    (checkpoints / "alexnet-owt-7be5be79.pth").write_bytes(pickle.dumps(_Trap()))
    with pytest.raises(InputError, match="does not hold AlexNet"):
        load_lpips()
    assert not Path("trapped").exists()

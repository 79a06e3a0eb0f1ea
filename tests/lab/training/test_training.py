"""Training of the encoder: short runs on the real generator, stopped and resumed; and their input."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from stylecrypt_lab.training import runs
from stylecrypt_lab.training.codes import sample_codes
from stylecrypt_lab.training.encoder import Plan, train_encoder
from stylecrypt_lab.training.identity import DlibNetwork
from stylecrypt_lab.training.pictures import degrade, face_batches, load_faces, vary
from stylecrypt_lab.training.runs import Status

from stylecrypt_msg.cipher import to_pixels
from stylecrypt_msg.errors import InputError
from stylecrypt_msg.models.mobile_encoder import MobileEncoder
from stylecrypt_msg.models.mobilestylegan import MobileStyleGAN
from stylecrypt_msg.models.torch_model import TorchModel


@pytest.fixture(scope="module")
def generator(torch_model: TorchModel) -> MobileStyleGAN:
    generator = torch_model.generator
    assert isinstance(generator, MobileStyleGAN)
    return generator


@pytest.fixture(scope="module")
def faces(generator: MobileStyleGAN, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four faces in files."""
    folder = tmp_path_factory.mktemp("faces")
    with torch.no_grad():
        codes = sample_codes(generator, 4, torch.Generator().manual_seed(3))
        for i, pixels in enumerate(to_pixels(generator.preview(codes).numpy())):
            cv2.imwrite(str(folder / f"{i}.png"), pixels[..., ::-1])
    return folder


def fresh(generator: MobileStyleGAN) -> MobileEncoder:
    """An untrained encoder."""
    encoder = MobileEncoder(generator.n_styles, generator.style_dim)
    encoder.w_mean.copy_(generator.w_mean)
    encoder.w_std.copy_(generator.w_std)
    return encoder


def test_a_run_goes_on_where_it_was(generator: MobileStyleGAN, faces: Path, tmp_path: Path) -> None:
    torch.manual_seed(0)
    heard: list[Status] = []

    def run(pairs: int, face_steps: int) -> dict[str, torch.Tensor]:
        plan = Plan(pairs=pairs, face_steps=face_steps, faces=faces, batch=2, face_batch=2, save_seconds=0)
        return train_encoder(generator, fresh(generator), plan, None, tmp_path / "run", heard.append).state_dict()

    first = run(pairs=6, face_steps=0)
    assert [(p.done, p.total, set(p.losses)) for p in heard] == [(3, 3, {"latent"})]
    second = run(pairs=6, face_steps=2)
    assert [(p.done, p.total) for p in heard[1:]] == [(5, 5)]
    assert set(heard[1].losses) == {"latent", "pixels", "features", "prior"}
    assert all(np.isfinite(list(p.losses.values())).all() for p in heard)
    changed = [not torch.equal(first[name], second[name]) for name in first if name.startswith("levels.")]
    assert all(changed)
    with (tmp_path / "run" / "losses.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["step"] for row in rows if row["loss"] == "latent"] == ["3", "5"]
    assert (tmp_path / "run" / "losses.png").stat().st_size > 5000
    # Nothing is left to do: the same weights come back, and nothing is reported.
    third = run(pairs=6, face_steps=2)
    assert len(heard) == 2
    assert all(torch.equal(second[name], third[name]) for name in second)


def test_an_encoder_learns(
    generator: MobileStyleGAN, faces: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After some steps on four faces, their pictures come closer."""
    monkeypatch.setattr(runs, "_REPORT_STEPS", 4)
    torch.manual_seed(0)
    losses: list[dict[str, float]] = []
    plan = Plan(pairs=0, face_steps=12, faces=faces, batch=1, face_batch=2, rate=1e-2)
    train_encoder(generator, fresh(generator), plan, None, tmp_path, lambda p: losses.append(p.losses))
    assert len(losses) == 3
    assert losses[-1]["pixels"] < 0.97 * losses[0]["pixels"]


def test_a_run_that_diverges_stops(generator: MobileStyleGAN, faces: Path, tmp_path: Path) -> None:
    broken = fresh(generator)
    broken.levels[0].bias.data.fill_(torch.nan)  # type: ignore[operator]
    plan = Plan(pairs=0, face_steps=2, faces=faces, batch=1, face_batch=2, save_seconds=0)
    with pytest.raises(InputError, match="no longer finite at step 1"):
        train_encoder(generator, broken, plan, None, tmp_path, lambda p: None)
    assert not (tmp_path / "checkpoint.pt").exists()


def test_codes_are_of_every_kind(generator: MobileStyleGAN) -> None:
    codes = sample_codes(generator, 300, torch.Generator().manual_seed(0))
    assert codes.shape == (300, 16, 512)
    differs = (codes != codes[:, :1]).any(2)  # from the first layer
    kept = [tuple(torch.nonzero(~row).flatten().tolist()) for row in differs]
    assert kept.count(tuple(range(16))) > 30  # one person
    assert kept.count((0, 1, 2, 4, 5, *range(8, 16))) > 10  # the paper's mask
    assert kept.count((0, 1, 2, *range(8, 16))) > 10  # the photo form's
    assert len(set(kept)) > 20


def test_half_of_the_codes_start_from_people_that_were_found(generator: MobileStyleGAN) -> None:
    people = torch.arange(3.0).repeat_interleave(16 * 512).reshape(3, 16, 512) + 100  # nobody whom the mapping makes
    codes = sample_codes(generator, 300, torch.Generator().manual_seed(0), people)
    found = (codes[:, 3] > 90).all(1)  # of the layers that are most often kept
    assert 60 < found.sum() < 150
    assert {round(code.item()) for code in codes[found][:, 3].mean(1)} == {100, 101, 102}


def test_degraded_pictures_stay_the_same_picture() -> None:
    rng = torch.Generator().manual_seed(0)
    face = torch.nn.functional.interpolate(torch.randn(40, 3, 8, 8, generator=rng), 128, mode="bicubic").clamp(-1, 1)
    out = degrade(face, rng)
    assert out.shape == face.shape
    assert out.abs().max() <= 1
    same = (out == face).all(dim=(1, 2, 3))
    assert 2 <= same.sum() <= 20
    error = (out - face).square().mean((1, 2, 3)).sqrt()
    assert (error < 0.6 * (face - face.roll(1, 0)).square().mean((1, 2, 3)).sqrt()).all()


def test_varied_faces_are_others_in_another_light(faces: Path) -> None:
    images = load_faces(faces, 64).float().repeat(6, 1, 1, 1) / 127.5 - 1
    out = vary(images, torch.Generator().manual_seed(0))
    assert out.shape == images.shape
    assert out.abs().max() <= 1
    error = (out - images).square().mean((1, 2, 3)).sqrt()
    assert error.min() > 0.03
    assert (error < 0.8 * (images - images.roll(1, 0)).square().mean((1, 2, 3)).sqrt()).all()


def test_faces_come_once_an_epoch(faces: Path) -> None:
    loaded = load_faces(faces, 32)
    assert loaded.shape == (4, 3, 32, 32)
    batches = face_batches(loaded, 2, torch.Generator().manual_seed(0))
    epoch = torch.cat([next(batches), next(batches)])
    wanted = loaded.float() / 127.5 - 1
    distances = torch.minimum(
        torch.cdist(epoch.flatten(1), wanted.flatten(1)), torch.cdist(epoch.flip(3).flatten(1), wanted.flatten(1))
    )
    assert sorted(distances.argmin(1).tolist()) == [0, 1, 2, 3]


def test_folders_without_faces_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no pictures"):
        load_faces(tmp_path / "nowhere", 32)
    cv2.imwrite(str(tmp_path / "wide.png"), np.zeros((8, 16, 3), np.uint8))
    with pytest.raises(InputError, match="not a square"):
        load_faces(tmp_path, 32)


def test_the_recogniser_reads_its_published_form(tmp_path: Path) -> None:
    """Weights of one byte and of four, in the manifest's layout; the real file is not in the repository."""
    with pytest.raises(InputError, match="weights"):
        DlibNetwork(tmp_path)
    names = [("conv32_down/conv", (7, 7, 3, 32))]
    c_in = 32
    for block, c_out in [
        ("conv32_1", 32), ("conv32_2", 32), ("conv32_3", 32), ("conv64_down", 64), ("conv64_1", 64), ("conv64_2", 64),
        ("conv64_3", 64), ("conv128_down", 128), ("conv128_1", 128), ("conv128_2", 128), ("conv256_down", 256),
        ("conv256_1", 256), ("conv256_2", 256), ("conv256_down_out", 256),
    ]:  # fmt: skip
        names += [(f"{block}/conv1/conv", (3, 3, c_in, c_out)), (f"{block}/conv2/conv", (3, 3, c_out, c_out))]
        c_in = c_out
    rng = np.random.default_rng(0)
    entries, data = [], b""
    for i, (name, shape) in enumerate(names):
        base, out = name.removesuffix("/conv"), shape[-1]
        for part, size in ((f"{name}/filters", shape), (f"{name}/bias", (out,))):
            step = (2 / np.prod(size[:-1])) ** 0.5 / 74 if len(size) == 4 else 1e-6
            entry = {"name": part, "shape": size, "dtype": "float32"}
            values = rng.integers(0, 256, size, np.uint8)
            if i % 2:
                data += values.tobytes()
                entry["quantization"] = {"dtype": "uint8", "scale": step, "min": -127.5 * step}  # type: ignore[assignment]
            else:
                data += ((values - 127.5) * step).astype("<f4").tobytes()
            entries.append(entry)
        for part, value in ((f"{base}/scale/weights", 1.0), (f"{base}/scale/biases", 0.0)):
            entries.append({"name": part, "shape": (out,), "dtype": "float32"})
            data += np.full(out, value, "<f4").tobytes()
    entries.append({"name": "fc", "shape": (256, 128), "dtype": "float32"})  # type: ignore[dict-item]
    data += (rng.standard_normal((256, 128)) / 16).astype("<f4").tobytes()
    (tmp_path / "face_recognition_model.bin").write_bytes(data)
    manifest = [{"paths": ["face_recognition_model.bin"], "weights": entries}]
    (tmp_path / "face_recognition_model-weights_manifest.json").write_text(json.dumps(manifest))
    images = torch.rand(2, 3, 128, 128) * 2 - 1
    images.requires_grad_()
    descriptors = DlibNetwork(tmp_path)(images)
    assert descriptors.shape == (2, 128)
    assert not torch.allclose(descriptors[0], descriptors[1])
    (gradient,) = torch.autograd.grad(descriptors.square().sum(), images)
    assert gradient.abs().sum() > 0

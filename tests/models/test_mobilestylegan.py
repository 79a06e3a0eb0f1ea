"""The embedded generator against the published file's own outputs, and what it adds to them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from stylecrypt_msg.cipher import to_pixels
from stylecrypt_msg.errors import ModelError
from stylecrypt_msg.faces import detect_faces
from stylecrypt_msg.models import FaceModel, load_model, openvino_runtime, store
from stylecrypt_msg.models.mobilestylegan import MobileStyleGAN, build, inverse_haar
from stylecrypt_msg.models.refine import Directions
from stylecrypt_msg.standins import stand_in
from stylecrypt_msg.stylemix import LayerMask, mix

from ..conftest import STEPS
from .conftest import DATA

pytestmark = pytest.mark.model  # loaded by itself: what it does at first is tested too
TOLERANCE = 1e-3  # of the fixture: max |a - b| / rms(b)


@pytest.fixture(scope="module")
def model() -> FaceModel:
    return load_model("default")


@pytest.fixture(scope="module")
def wanted() -> dict[str, np.ndarray]:
    return dict(np.load(DATA / "mobile_1024.npz"))


@pytest.fixture(scope="module")
def w(wanted: dict[str, np.ndarray]) -> Tensor:
    return torch.from_numpy(wanted["z_to_w"])


def check(rule: ModuleType, wanted: dict[str, np.ndarray], name: str, images: Tensor) -> None:
    pixels = images.numpy()
    errors = {
        "sample": rule.rel_err(rule.sample(pixels, 128), wanted[f"{name}_sample"]),
        "area256_f16": rule.rel_err(F.avg_pool2d(images, 4).numpy(), wanted[f"{name}_area256_f16"]),
    }
    stats = np.stack([f(pixels, axis=(2, 3)) for f in (np.mean, np.std, np.min, np.max)], axis=-1)
    np.testing.assert_allclose(stats, wanted[f"{name}_stats"], atol=1e-3, rtol=1e-3)
    print(name, {form: f"{error:.1e}" for form, error in errors.items()})  # noqa: T201 - shown by pytest -s
    assert errors["sample"] < TOLERANCE
    assert errors["area256_f16"] < 4e-3  # half precision's own rounding


def test_mapping(rule: ModuleType, model: FaceModel, w: Tensor) -> None:
    codes = model.map(torch.from_numpy(rule.normal(701, (4, 512))))
    assert rule.rel_err(codes[:, 0], w) < TOLERANCE
    assert torch.equal(codes[:, 0], codes[:, 15])


def test_one_person(rule: ModuleType, model: FaceModel, wanted: dict[str, np.ndarray], w: Tensor) -> None:
    check(rule, wanted, "w0", model.synthesize(w[:1, None].repeat(1, 16, 1)))


def test_the_papers_mix(rule: ModuleType, model: FaceModel, wanted: dict[str, np.ndarray], w: Tensor) -> None:
    first, second = (one[None, None].repeat(1, 16, 1) for one in w[:2])
    check(rule, wanted, "mix16", model.synthesize(mix(first, second, LayerMask.paper(16))))


@torch.inference_mode()
def test_all_23_places_of_a_style(rule: ModuleType, model: FaceModel, wanted: dict[str, np.ndarray]) -> None:
    generator = model.generator
    assert isinstance(generator, MobileStyleGAN)
    slots = torch.from_numpy(rule.normal(702, (1, 23, 512)) * np.float32(0.4)).unbind(1)
    x = generator.conv_in(generator.input, slots[0])
    for i, layer in enumerate(generator.layers):
        up, first, second = slots[3 * i + 1 : 3 * i + 4]
        x = layer.conv2(layer.conv1(inverse_haar(x * layer.up(up)), first), second)
    x = generator.to_img(x * generator.to_img_modulation(slots[22]))
    check(rule, wanted, "slots23", inverse_haar(x))


@pytest.mark.skipif(not openvino_runtime.available(), reason="OpenVINO is not installed")
def test_openvino_makes_the_same_pictures(rule: ModuleType, w: Tensor) -> None:
    model = load_model("default")
    assert model.runtime == "openvino"
    codes = w[:2, None].repeat(1, 16, 1)
    first = model.synthesize(codes[:1])  # by torch: not worth compiling for
    compiled = model.synthesize(codes)
    assert not torch.equal(first, compiled[:1])
    assert rule.rel_err(compiled[:1], first) < TOLERANCE
    assert rule.rel_err(compiled, torch.cat([model.generator(code[None]) for code in codes])) < TOLERANCE


def test_openvino_tells_nobody_that_it_is_used(tmp_path: Path) -> None:
    program = """
import sys
def hear(event, arguments):
    if event in ("os.fork", "os.forkpty", "socket.connect", "socket.getaddrinfo", "subprocess.Popen"):
        print(event, arguments, flush=True)
import torch
from stylecrypt_msg.models import openvino_runtime
sys.addaudithook(hear)
run = openvino_runtime.compile_network(lambda x: 2 * x, torch.ones(1, 3))
assert run(torch.ones(2, 3)).sum() == 12
"""
    # It keeps still by itself where a system of continuous integration names itself.
    outside = {k: v for k, v in os.environ.items() if k in ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH")} | {
        "HOME": str(tmp_path)
    }
    done = subprocess.run([sys.executable, "-c", program], env=outside, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert list(tmp_path.iterdir()) == []


def test_inverse_haar_undoes_haar() -> None:
    picture = torch.randn(2, 3, 8, 8, dtype=torch.float64)
    a, b, c, d = (picture[:, :, i::2, j::2] for i in (0, 1) for j in (0, 1))
    bands = (a + b + c + d, a + b - c - d, a - b + c - d, a - b - c + d)  # LL, LH (rows), HL (columns), HH
    torch.testing.assert_close(inverse_haar(torch.cat(bands, 1)) / 4, picture)


@torch.inference_mode()
def test_the_preview_is_the_picture_scaled_down(model: FaceModel) -> None:
    a, b = (stand_in(model, seed, model.latent_avg[None]) for seed in (1, 2))
    codes = torch.cat([a, mix(a, b, LayerMask.paper(16)), mix(a, b, LayerMask.photo(16))])
    full = F.interpolate(model.synthesize(codes), (128, 128), mode="area")
    error = (model.preview(codes) - full).square().mean((1, 2, 3))
    assert torch.all(error < 4 / 10**2.2)  # 22 dB each; 27.5 dB on average
    others = (model.preview(codes) - full.roll(1, 0)).square().mean((1, 2, 3))
    assert torch.all(others > 3 * error)


def test_the_finer_preview_is_the_picture(model: FaceModel) -> None:
    codes = stand_in(model, 1, model.latent_avg[None])
    full = F.interpolate(model.synthesize(codes), (256, 256), mode="area")
    torch.testing.assert_close(model.preview(codes, 256), full, atol=1e-3, rtol=0)


def test_stand_ins_suit_whom_they_stand_in_for(model: FaceModel) -> None:
    generator = model.generator
    assert isinstance(generator, MobileStyleGAN)
    woman = stand_in(model, "somebody", model.latent_avg[None])
    man = stand_in(model, "somebody", 2 * model.latent_avg[None] - woman)
    scores = torch.cat([woman, man])[:, 0] @ generator.judge_weight[-1] + generator.judge_bias[-1]
    assert scores[0] < 0 < scores[1]
    assert torch.equal(woman, stand_in(model, "somebody", model.latent_avg[None]))
    assert not torch.equal(woman, stand_in(model, "somebody", model.latent_avg[None], person=1))
    assert not torch.equal(woman, stand_in(model, "somebody else", model.latent_avg[None]))


def test_stand_ins_suit_whom_a_picture_shows(model: FaceModel) -> None:
    """Who is judged is what the encoder makes of a picture, whose codes are not those of the mapping."""
    generator = model.generator
    assert isinstance(generator, MobileStyleGAN)
    people = model.map(torch.randn(80, 512, generator=torch.Generator().manual_seed(1)), truncation=0.75)
    scores = people[:, 0] @ generator.judge_weight[-1] + generator.judge_bias[-1]
    shown = people[scores.abs() > 1.5][:16]
    men = (shown[:, 0] @ generator.judge_weight[-1] + generator.judge_bias[-1]) > 0
    assert 4 < men.sum() < 12
    seen = model.encode(F.interpolate(model.synthesize(shown), (256, 256), mode="area").clamp(-1, 1), steps=0)
    right = 0
    for codes, man in zip(seen, men, strict=True):
        somebody = stand_in(model, "somebody", codes[None])[0, 0]
        before = generator.w_mean + (somebody - generator.w_mean) / 0.75
        right += int((before @ generator.judge_weight[-1] + generator.judge_bias[-1] > 0) == man)
    assert right >= 15


def test_stand_ins_look_ahead(model: FaceModel) -> None:
    people = torch.cat([stand_in(model, seed, model.latent_avg[None]) for seed in range(12)])
    for picture in to_pixels(F.interpolate(model.synthesize(people), (384, 384), mode="area")):
        left, right, nose = detect_faces(picture)[0].landmarks[:3]
        assert abs((nose - (left + right) / 2)[0]) < 0.12 * np.linalg.norm(right - left)


def test_most_people_do_not_pass_as_stand_ins(model: FaceModel) -> None:
    people = model.map(torch.randn(1000, 512, generator=torch.Generator().manual_seed(0)))
    passed = sum(model.suits(one[None], model.latent_avg[None]) for one in people)
    # Three fifths are taken for children, three fifths for hats, half for glasses, half are turned aside, and half are of the
    # other sex.
    assert 3 < passed < 50


@pytest.mark.parametrize("size", [64, 128, 256, 300])
def test_any_square_size_encodes(model: FaceModel, size: int) -> None:
    picture = F.interpolate(model.preview(model.latent_avg[None]), (size, size), mode="bilinear").clamp(-1, 1)
    codes = model.encode(picture)
    assert codes.shape == (1, 16, 512)
    # The same person at another size has nearly the same codes.
    same = model.encode(model.preview(model.latent_avg[None]).clamp(-1, 1))
    assert (codes - same).norm() < 0.5 * (same - model.encode(torch.zeros(1, 3, 128, 128))).norm()


def test_the_encoder_inverts_what_the_generator_makes(model: FaceModel) -> None:
    """Codes read from a picture lie in the direction of those put in, layer by layer, and not of somebody else's.

    Styles 0 to 2, which turn the head, say little of who it is: these people all look into the camera.
    """
    people = torch.cat([stand_in(model, i, model.latent_avg[None]) for i in range(6)])
    read = model.encode(model.preview(people).clamp(-1, 1))
    for layer in range(3, 16):
        ours, theirs = (F.normalize(codes[:, layer] - codes[:, layer].mean(0), dim=1) for codes in (read, people))
        assert torch.equal((ours @ theirs.T).argmax(1), torch.arange(6)), layer


def test_another_look_corrects_the_first(model: FaceModel, monkeypatch: pytest.MonkeyPatch) -> None:
    people = torch.cat([stand_in(model, name, model.latent_avg[None]) for name in ("Ann", "Bob", "Cy", "Di")])
    images = model.synthesize(mix(people, people.roll(1, 0), LayerMask.photo(16)))
    small = F.interpolate(images, (128, 128), mode="area")
    errors = []
    monkeypatch.setattr(model.encoder, "steps", 0)
    for passes in (1, 2, 3):
        monkeypatch.setattr(model.encoder, "passes", passes)
        errors.append(F.mse_loss(model.preview(model.encode(images)), small).item())
    assert errors[0] > 1.1 * errors[1] > 1.1 * errors[2]


def test_encoding_descends_from_what_the_encoder_says(model: FaceModel, monkeypatch: pytest.MonkeyPatch) -> None:
    people = torch.cat([stand_in(model, name, model.latent_avg[None]) for name in ("Ann", "Bob")])
    images = model.synthesize(mix(people, people.roll(1, 0), LayerMask.photo(16)))
    small = F.interpolate(images, (128, 128), mode="area")
    monkeypatch.setattr(model.encoder, "steps", STEPS)
    with torch.inference_mode():  # as a caller may
        codes = model.encode(images)
    # Alone as beside another, but for rounding, which many steps of Adam spread.
    assert (model.encode(images[1:]) - codes[1:]).norm() < 0.1 * (codes[1:] - codes[:1]).norm()
    errors = [F.mse_loss(model.preview(one), small) for one in (codes, model.encode(images, steps=0))]
    assert errors[0] < 0.5 * errors[1]  # 3 dB


@torch.inference_mode()
def test_a_model_that_was_loaded_in_inference_mode_encodes() -> None:
    loaded = load_model("default")
    assert torch.isfinite(loaded.latent_std).all()
    small = torch.zeros(1, 3, 64, 64)  # smaller than the encoder's pictures
    assert not torch.equal(loaded.encode(small), loaded.encode(small, steps=0))


def test_directions_are_part_of_the_model_hash(model: FaceModel) -> None:
    other = store.assemble({name: value.clone() for name, value in model.state()}, family=model.family, name="other")
    assert other.digest == model.digest
    other = store.assemble({name: value.clone() for name, value in model.state()}, family=model.family, name="other")
    assert other.directions is not None
    other.directions.rows[0, 0] ^= 1
    assert other.digest != model.digest


def test_directions_keep_what_they_are_given() -> None:
    rng = torch.Generator().manual_seed(0)
    given = [torch.randn(4, 16, generator=rng) * size for size in (1.0, 30.0)]
    directions = Directions([4, 4], 16)
    directions.fill(given)
    coordinates = torch.randn(3, 8, generator=rng)
    wanted = [coordinates[:, :4] @ given[0], coordinates[:, 4:] @ given[1]]
    for ours, theirs in zip(directions(coordinates).unbind(1), wanted, strict=True):
        assert (ours - theirs).norm() < 0.01 * theirs.norm()
    assert torch.count_nonzero(directions(torch.zeros(1, 8))) == 0


def test_files_that_do_not_fit_are_refused(model: FaceModel) -> None:
    state = dict(model.state())
    with pytest.raises(ModelError, match="no complete MobileStyleGAN"):
        build({name: value for name, value in state.items() if "w_mean" not in name})
    with pytest.raises(ModelError, match="incomplete"):
        build({name: value for name, value in state.items() if "layers.3.conv1.bias" not in name})
    with pytest.raises(ModelError, match="do not belong"):
        build(state | {"encoder.extra": torch.zeros(1)})
    with pytest.raises(ModelError, match="does not fit"):
        build(state | {"generator.input": torch.zeros(1, 512, 8, 8)})

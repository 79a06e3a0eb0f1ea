"""The embedded generator against the published file's own outputs, and its additions."""

from __future__ import annotations

from types import ModuleType

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from stylecrypt_msg import effort
from stylecrypt_msg.cipher import to_pixels
from stylecrypt_msg.errors import ModelError
from stylecrypt_msg.faces import certain_faces
from stylecrypt_msg.models import FaceModel, families, load_torch_model, to_torch
from stylecrypt_msg.models.mobilestylegan import MobileStyleGAN, build, inverse_haar
from stylecrypt_msg.models.refine import Directions
from stylecrypt_msg.models.torch_model import TorchModel
from stylecrypt_msg.standins import stand_in
from stylecrypt_msg.stylemix import LayerMask, mix

from .conftest import DATA

pytestmark = pytest.mark.model  # loaded by itself: what it does at first is tested too
TOLERANCE = 1e-3  # of the fixture: max |a - b| / rms(b)


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


@pytest.fixture(params=["onnxruntime", "torch"])
def either(request: pytest.FixtureRequest, default_model: FaceModel, torch_model: TorchModel) -> FaceModel:
    """The embedded model with each of its runtimes."""
    return {model.runtime: model for model in (default_model, torch_model)}[request.param]


def people(model: FaceModel, *seeds: object) -> Tensor:
    """Stand-ins for the average face, a row for each seed."""
    return torch.from_numpy(np.concatenate([stand_in(model, str(seed), model.latent_avg[None]) for seed in seeds]))


def scores(model: FaceModel, w: Tensor) -> Tensor:
    """The score of w (B, 512) for woman (below 0) or man."""
    state = dict(to_torch(model).state())
    return w @ state["generator.judge_weight"][-1] + state["generator.judge_bias"][-1]


def test_mapping(rule: ModuleType, either: FaceModel, w: Tensor) -> None:
    codes = either.map(torch.from_numpy(rule.normal(701, (4, 512))))
    assert rule.rel_err(codes[:, 0], w) < TOLERANCE
    assert torch.equal(codes[:, 0], codes[:, 15])


def test_one_person(rule: ModuleType, either: FaceModel, wanted: dict[str, np.ndarray], w: Tensor) -> None:
    check(rule, wanted, "w0", either.synthesize(w[:1, None].repeat(1, 16, 1)))


def test_the_papers_mix(rule: ModuleType, either: FaceModel, wanted: dict[str, np.ndarray], w: Tensor) -> None:
    first, second = (one[None, None].repeat(1, 16, 1) for one in w[:2])
    check(rule, wanted, "mix16", either.synthesize(mix(first, second, LayerMask.paper(16))))


@torch.inference_mode()
def test_all_23_places_of_a_style(rule: ModuleType, torch_model: TorchModel, wanted: dict[str, np.ndarray]) -> None:
    generator = torch_model.generator
    assert isinstance(generator, MobileStyleGAN)
    slots = torch.from_numpy(rule.normal(702, (1, 23, 512)) * np.float32(0.4)).unbind(1)
    x = generator.conv_in(generator.input, slots[0])
    for i, layer in enumerate(generator.layers):
        up, first, second = slots[3 * i + 1 : 3 * i + 4]
        x = layer.conv2(layer.conv1(inverse_haar(x * layer.up(up)), first), second)  # type: ignore[operator]
    x = generator.to_img(x * generator.to_img_modulation(slots[22]))
    check(rule, wanted, "slots23", inverse_haar(x))


def test_inverse_haar_undoes_haar() -> None:
    picture = torch.randn(2, 3, 8, 8, dtype=torch.float64)
    a, b, c, d = (picture[:, :, i::2, j::2] for i in (0, 1) for j in (0, 1))
    bands = (a + b + c + d, a + b - c - d, a - b + c - d, a - b - c + d)  # LL, LH (rows), HL (columns), HH
    torch.testing.assert_close(inverse_haar(torch.cat(bands, 1)) / 4, picture)


@torch.inference_mode()
def test_the_preview_is_the_picture_scaled_down(torch_model: TorchModel) -> None:
    a, b = people(torch_model, 1, 2).split(1)
    codes = torch.cat([a, mix(a, b, LayerMask.paper(16)), mix(a, b, LayerMask.photo(16))])
    full = F.interpolate(torch_model.synthesize(codes), (128, 128), mode="area")
    error = (torch_model.preview(codes) - full).square().mean((1, 2, 3))
    assert torch.all(error < 4 / 10**2.2)  # 22 dB each; 27.5 dB on average
    others = (torch_model.preview(codes) - full.roll(1, 0)).square().mean((1, 2, 3))
    assert torch.all(others > 3 * error)


def test_the_finer_preview_is_the_picture(torch_model: TorchModel) -> None:
    codes = people(torch_model, 1)
    full = F.interpolate(torch_model.synthesize(codes), (256, 256), mode="area")
    torch.testing.assert_close(torch_model.preview(codes, 256), full, atol=1e-3, rtol=0)


def test_stand_ins_suit_whom_they_stand_in_for(default_model: FaceModel) -> None:
    average = default_model.latent_avg[None]
    woman = stand_in(default_model, "somebody", average)
    man = stand_in(default_model, "somebody", 2 * average - woman)
    said = scores(default_model, torch.from_numpy(np.concatenate([woman, man])[:, 0]))
    assert said[0] < 0 < said[1]
    np.testing.assert_array_equal(woman, stand_in(default_model, "somebody", average))
    assert not np.array_equal(woman, stand_in(default_model, "somebody", average, person=1))
    assert not np.array_equal(woman, stand_in(default_model, "somebody else", average))


def test_stand_ins_suit_whom_a_picture_shows(default_model: FaceModel) -> None:
    """The judge sees the encoder's codes of a picture, which the mapping would not produce."""
    everybody = default_model.map(torch.randn(80, 512, generator=torch.Generator().manual_seed(1)), truncation=0.75)
    shown = everybody[scores(default_model, everybody[:, 0]).abs() > 1.5][:16]
    men = scores(default_model, shown[:, 0]) > 0
    assert 4 < men.sum() < 12
    seen = default_model.encode(default_model.glimpse(shown.numpy()).clip(-1, 1), steps=0)
    right = 0
    for codes, man in zip(seen, men, strict=True):
        somebody = stand_in(default_model, "somebody", codes[None])
        before = default_model.latent_avg + (somebody - default_model.latent_avg) / 0.9
        right += int((scores(default_model, torch.from_numpy(before[:, 0])) > 0) == man)
    assert right >= 15


def test_stand_ins_look_ahead(default_model: FaceModel) -> None:
    made = torch.from_numpy(default_model.glimpse(people(default_model, *range(12)).numpy()))
    for picture in to_pixels(F.interpolate(made, (384, 384), mode="bilinear").numpy()):
        left, right, nose = certain_faces(picture)[0].landmarks[:3]
        assert abs((nose - (left + right) / 2)[0]) < 0.15 * np.linalg.norm(right - left)


def test_most_people_do_not_pass_as_stand_ins(default_model: FaceModel) -> None:
    everybody = default_model.map(torch.randn(1000, 512, generator=torch.Generator().manual_seed(0)).numpy())
    passed = default_model.suits(everybody, default_model.latent_avg).sum()
    # Three fifths are taken for children, three fifths for hats, half for glasses, half are turned aside, and half are of the
    # other sex.
    assert 3 < passed < 50


@pytest.mark.parametrize("size", [64, 128, 256, 300])
def test_any_square_size_encodes(size: int, default_model: FaceModel, torch_model: TorchModel) -> None:
    average = torch_model.preview(torch_model.average[None]).clamp(-1, 1)
    codes = default_model.encode(F.interpolate(average, (size, size), mode="bilinear"), steps=2)
    assert codes.shape == (1, 16, 512)
    # The same person at another size has nearly the same codes.
    same, nobody = (default_model.encode(one, steps=2) for one in (average, torch.zeros(1, 3, 128, 128)))
    assert (codes - same).norm() < 0.5 * (same - nobody).norm()


def test_the_encoder_inverts_what_the_generator_makes(default_model: FaceModel, torch_model: TorchModel) -> None:
    """Layer by layer, codes read from a picture point in the direction of those put in, and not of somebody else's.

    Styles 0 to 2, which turn the head, say little about identity: these people all look into the camera.
    """
    made = people(default_model, *range(6))
    read = default_model.encode(torch_model.preview(made).clamp(-1, 1), steps=0)
    for layer in range(3, 16):
        ours, theirs = (F.normalize(codes[:, layer] - codes[:, layer].mean(0), dim=1) for codes in (read, made))
        found = (ours @ theirs.T).argmax(1) == torch.arange(6)
        assert found.sum() >= 5, layer  # the last layers colour a little, which some pictures do not tell


def test_another_look_corrects_the_first(torch_model: TorchModel, monkeypatch: pytest.MonkeyPatch) -> None:
    made = people(torch_model, "Ann", "Bob")
    images = torch_model.synthesize(mix(made, made.roll(1, 0), LayerMask.photo(16)))
    small = F.interpolate(images, (128, 128), mode="area")
    errors = []
    for passes in (1, 2, 3):
        monkeypatch.setattr(torch_model.encoder, "passes", passes)
        errors.append(F.mse_loss(torch_model.preview(torch_model.encode(images, steps=0)), small).item())
    assert errors[0] > 1.1 * errors[1] > 1.1 * errors[2]


def test_encoding_descends_from_what_the_encoder_says(default_model: FaceModel, torch_model: TorchModel) -> None:
    made = people(default_model, "Ann", "Bob")
    images = default_model.synthesize(mix(made, made.roll(1, 0), LayerMask.photo(16)))
    small = F.interpolate(images, (128, 128), mode="area")
    assert default_model.steps == effort.KEY_STEPS
    few = default_model.encode(images, steps=2)
    # Alone as beside another, but for rounding, which steps of Adam spread.
    assert (default_model.encode(images[1:], steps=2) - few[1:]).norm() < 0.1 * (few[1:] - few[:1]).norm()
    errors = [
        F.mse_loss(torch_model.preview(one), small[:1])
        for one in (default_model.encode(images[:1]), default_model.encode(images[:1], steps=0))
    ]
    assert errors[0] < 0.5 * errors[1]  # 3 dB


@torch.inference_mode()
def test_a_model_that_was_loaded_in_inference_mode_encodes() -> None:
    loaded = load_torch_model("default")
    assert torch.isfinite(loaded.deviation).all()
    small = torch.zeros(1, 3, 64, 64)  # smaller than the encoder's pictures
    assert not torch.equal(loaded.encode(small, steps=2), loaded.encode(small, steps=0))


def test_directions_are_part_of_the_model_hash(torch_model: TorchModel) -> None:
    state = {name: value.clone() for name, value in torch_model.state()}
    other = families.assemble(state, family=torch_model.family, name="other")
    assert other.digest == torch_model.digest
    state["encoder.directions.rows"][0, 0] ^= 1
    assert families.assemble(state, family=torch_model.family, name="other").digest != torch_model.digest


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


def test_files_that_do_not_fit_are_refused(torch_model: TorchModel) -> None:
    state = dict(torch_model.state())
    with pytest.raises(ModelError, match="no complete MobileStyleGAN"):
        build({name: value for name, value in state.items() if "w_mean" not in name})
    with pytest.raises(ModelError, match="incomplete"):
        build({name: value for name, value in state.items() if "layers.3.conv1.bias" not in name})
    with pytest.raises(ModelError, match="do not belong"):
        build(state | {"encoder.extra": torch.zeros(1)})
    with pytest.raises(ModelError, match="does not fit"):
        build(state | {"generator.input": torch.zeros(1, 512, 8, 8)})

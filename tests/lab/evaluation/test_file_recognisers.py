"""Recognisers from files: ArcFace as ONNX, BlendFace as a checkpoint. Small networks of the same form, made here."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stylecrypt_msg.cipher import to_pixels
from stylecrypt_msg.errors import InputError
from stylecrypt_msg.faces import certain_faces, crop, face_quad
from stylecrypt_msg.faces.align import quad_matrix, transform
from stylecrypt_msg.models import FaceModel
from stylecrypt_msg.pictures import Pixels
from stylecrypt_msg.recognisers import ARCFACE_CHIP, load_recogniser
from stylecrypt_msg.standins import stand_in

# What InsightFace aligns to, in 112 px (its utils/face_align.py).
ARCFACE_POINTS = [
    (38.2946, 51.6963), (73.5318, 51.5014), (56.0252, 71.7366), (41.5493, 92.3655), (70.7299, 92.2041),
]  # fmt: skip


def chip(square: Pixels) -> Pixels:
    left, top, side = ARCFACE_CHIP
    corners = [(left, top), (left + side, top), (left + side, top + side), (left, top + side)]
    return crop(square, square.shape[0] * np.array(corners), 112)


def picture(seed: int, size: int = 256) -> Pixels:
    return np.random.default_rng(seed).integers(0, 256, (size, size, 3), np.uint8)


def write_onnx(path: Path, *, size: int = 112, batch: int | str = 1) -> None:
    """Writes a network that returns the mean of each colour, three numbers."""
    onnx = pytest.importorskip("onnx")
    value = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        [
            onnx.helper.make_node("GlobalAveragePool", ["image"], ["pooled"]),
            onnx.helper.make_node("Flatten", ["pooled"], ["descriptor"]),
        ],
        "small",
        [value("image", onnx.TensorProto.FLOAT, [batch, 3, size, size])],
        [value("descriptor", onnx.TensorProto.FLOAT, [batch, 3])],
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 13)], ir_version=8)
    path.write_bytes(model.SerializeToString())


@pytest.mark.parametrize("batch", [1, "N"])
def test_arcface_reads_rgb_from_minus_one_to_one(tmp_path: Path, batch: int | str) -> None:
    pytest.importorskip("onnxruntime")
    write_onnx(tmp_path / "small.onnx", batch=batch)
    recogniser = load_recogniser(f"arcface:{tmp_path / 'small.onnx'}")
    red = np.zeros((300, 300, 3), np.uint8)
    red[..., 0] = 255
    described = recogniser.describe([red, picture(0)])
    assert described.dtype == np.float32
    np.testing.assert_allclose(described[0], np.array([1, -1, -1]) / np.sqrt(3), atol=1e-6)
    means = chip(picture(0)).mean((0, 1)) / 127.5 - 1
    np.testing.assert_allclose(described[1], means / np.linalg.norm(means), atol=1e-4)
    assert recogniser.describe([]).shape == (0, 3)


def test_two_files_have_two_names_and_insightfaces_thresholds(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    write_onnx(tmp_path / "a.onnx")
    write_onnx(tmp_path / "b.onnx", batch="N")
    first, second = (load_recogniser(f"arcface:{tmp_path / name}.onnx") for name in "ab")
    assert first.name.startswith("arcface ")
    assert first.name != second.name
    assert 1 - first.threshold**2 / 2 == pytest.approx(0.20)
    assert 1 - first.strict**2 / 2 == pytest.approx(0.28)


def test_the_crop_has_eyes_and_mouth_where_arcface_wants_them(default_model: FaceModel) -> None:
    average = default_model.latent_avg[None]
    off = []
    for seed in range(4):  # grown people: children's eyes sit elsewhere
        (face,) = certain_faces(to_pixels(default_model.synthesize(stand_in(default_model, seed, average)))[0])
        in_square = transform(quad_matrix(face_quad(face.landmarks), 1), face.landmarks)
        left, top, side = ARCFACE_CHIP
        off.append((in_square - (left, top)) * 112 / side - ARCFACE_POINTS)
    eye, another, nose, corner, other_corner = np.linalg.norm(np.mean(off, axis=0), axis=1)
    assert max(eye, another, corner, other_corner) < 4  # px of 112; made-up people smile a little more
    assert nose < 8  # how far it stands out differs from face to face


class Block(nn.Module):
    """Of `iresnet.py` in BlendFace's and ArcFace's repositories; the names are the files'."""

    def __init__(self, c_in: int, c_out: int, stride: int) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(c_in)
        self.conv1 = nn.Conv2d(c_in, c_out, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(c_out)
        self.prelu = nn.PReLU(c_out)
        self.conv2 = nn.Conv2d(c_out, c_out, 3, stride, padding=1, bias=False)
        self.bn3 = nn.BatchNorm2d(c_out)
        self.downsample = None
        if stride > 1:
            self.downsample = nn.Sequential(nn.Conv2d(c_in, c_out, 1, stride, bias=False), nn.BatchNorm2d(c_out))

    def forward(self, x: Tensor) -> Tensor:
        y = self.bn3(self.conv2(self.prelu(self.bn2(self.conv1(self.bn1(x))))))
        return y + (x if self.downsample is None else self.downsample(x))


class IResNet(nn.Module):
    def __init__(self, counts: tuple[int, ...] = (1, 2, 3, 1), widths: tuple[int, ...] = (4, 6, 8, 10)) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 4, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(4)
        self.prelu = nn.PReLU(4)
        c_in = 4
        for number, (count, width) in enumerate(zip(counts, widths, strict=True), 1):
            blocks = [Block(c_in, width, 2), *(Block(width, width, 1) for _ in range(1, count))]
            setattr(self, f"layer{number}", nn.Sequential(*blocks))
            c_in = width
        self.bn2 = nn.BatchNorm2d(c_in)
        self.fc = nn.Linear(c_in * 49, 12)
        self.features = nn.BatchNorm1d(12)

    def forward(self, x: Tensor) -> Tensor:
        x = self.prelu(self.bn1(self.conv1(x)))
        for number in range(1, 5):
            x = getattr(self, f"layer{number}")(x)
        return F.normalize(self.features(self.fc(self.bn2(x).flatten(1))))


@pytest.fixture(scope="module")
def network() -> IResNet:
    torch.manual_seed(0)
    network = IResNet()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            nn.init.normal_(module.running_mean, std=0.1)  # type: ignore[arg-type]
            nn.init.uniform_(module.running_var, 0.5, 2)  # type: ignore[arg-type]
    return network.eval()


def test_blendface_is_the_network_of_its_file(tmp_path: Path, network: IResNet) -> None:
    torch.save(network.state_dict(), tmp_path / "blendface.pt")
    recogniser = load_recogniser(f"blendface:{tmp_path / 'blendface.pt'}")
    squares = [picture(1), picture(2, 400)]
    images = torch.from_numpy(np.stack([chip(square) for square in squares])).permute(0, 3, 1, 2) / 127.5 - 1
    with torch.inference_mode():
        expected = network(images).numpy()
    np.testing.assert_allclose(recogniser.describe(squares), expected, atol=1e-5)


class _Trap:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return Path.touch, (Path("trapped"),)  # type: ignore[return-value]


@pytest.mark.parametrize("kind", ["arcface", "blendface"])
def test_what_is_no_recogniser_is_refused(
    kind: str, tmp_path: Path, network: IResNet, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("onnxruntime")
    monkeypatch.chdir(tmp_path)
    state = network.state_dict()
    Path("text").write_text("not a model")
    Path("empty").write_bytes(b"")
    Path("pickle").write_bytes(pickle.dumps(_Trap()))
    torch.save({"conv1.weight": _Trap()}, "code")
    torch.save(list(state.values()), "list")
    torch.save({name: value for name, value in state.items() if name != "layer3.1.bn2.weight"}, "hole")
    torch.save(state | {"fc.weight": torch.zeros(12, 3)}, "shape")
    torch.save(state | {"fc.bias": torch.full((12,), torch.nan)}, "nan")
    write_onnx(Path("large"), size=224)
    for name in ("text", "empty", "pickle", "code", "list", "hole", "shape", "nan", "large", "missing", "."):
        with pytest.raises(InputError) as caught:
            load_recogniser(f"{kind}:{name}")
        assert str(caught.value).endswith(".")
        assert caught.value.hint
    assert not Path("trapped").exists()


@pytest.mark.parametrize("name", ["", "facenet", "arcface", "arcface:", "facenet:file", "dlib:file"])
def test_unknown_names(name: str) -> None:
    with pytest.raises(InputError, match="no recogniser"):
        load_recogniser(name)

"""The recognisers tell people apart as OpenCV and dlib do, whatever calls them and how, by the published models only."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib import resources, util
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from stylecrypt_msg import recognisers
from stylecrypt_msg.errors import InputError, ModelError, Remedy
from stylecrypt_msg.faces import certain_faces, crop, detect_faces, face_quad
from stylecrypt_msg.pictures import Pixels, read_picture
from stylecrypt_msg.recognisers import Recogniser, installed_recognisers, load_recogniser

from .conftest import People


@pytest.fixture(scope="module", params=["sface", "dlib"])
def recogniser(request: pytest.FixtureRequest) -> Recogniser:
    if request.param == "dlib":
        pytest.importorskip("dlib")
    return load_recogniser(request.param)


@pytest.fixture
def not_loaded() -> Iterator[None]:
    for load in (recognisers._load_sface, recognisers._load_dlib):
        load.cache_clear()
    yield
    for load in (recognisers._load_sface, recognisers._load_dlib):
        load.cache_clear()


def square(pixels: Pixels, size: int = 256) -> Pixels:
    (face,) = certain_faces(pixels)
    return crop(pixels, face_quad(face.landmarks), size)


def apart(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    return float(np.linalg.norm(a - b))


def test_one_woman_on_two_days_and_another(recogniser: Recogniser, people: People) -> None:
    photo, another_day, other = recogniser.describe([square(people.photo), people.ann, people.bea])
    assert apart(photo, another_day) < recogniser.strict < recogniser.threshold < apart(photo, other)


@pytest.mark.slow
def test_real_people(recogniser: Recogniser, shared: Path) -> None:
    folder = shared / "faces" / "pairs"
    numbers = ("001", "030", "066", "092")
    first, second = (
        recogniser.describe([square(read_picture(folder / f"{number}-{look}.jpg").pixels) for number in numbers])
        for look in ("neutral", "smiling")
    )
    distances = np.linalg.norm(first[:, None] - second[None], axis=2)
    same = np.eye(len(numbers), dtype=bool)
    assert distances[same].max() < recogniser.strict
    assert distances[~same].min() > recogniser.threshold


def test_it_is_sface_with_our_alignment() -> None:
    """OpenCV's own way: its detector's landmarks, its crop, its reading of the file."""
    pixels: Pixels = pytest.importorskip("skimage.data").astronaut()
    face = max(detect_faces(pixels), key=lambda face: face.eye_distance)
    data = resources.files("stylecrypt_msg.recognisers").joinpath("data", recognisers._SFACE).read_bytes()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "sface.onnx")
        path.write_bytes(data)
        sface = cv2.FaceRecognizerSF.create(str(path), "")
    row = np.array([[*face.box, *face.landmarks.ravel(), face.score]], np.float32)
    theirs = sface.feature(sface.alignCrop(np.ascontiguousarray(pixels[..., ::-1]), row))[0]
    (ours,) = load_recogniser("sface").describe([crop(pixels, face_quad(face.landmarks), 256)])
    assert apart(ours, theirs / np.linalg.norm(theirs)) < 0.5  # two photos of one person are 0.8 apart


def test_it_is_dlib_with_our_alignment() -> None:
    """dlib's own way: its detector, its five landmarks, its chip."""
    dlib = pytest.importorskip("dlib")

    pixels: Pixels = pytest.importorskip("skimage.data").astronaut()
    found = util.find_spec("face_recognition_models")
    assert found and found.origin
    landmarks = Path(found.origin).parent / "models" / "shape_predictor_5_face_landmarks.dat"
    box = dlib.get_frontal_face_detector()(pixels, 1)[0]  # the surest comes first
    chip = dlib.get_face_chip(pixels, dlib.shape_predictor(str(landmarks))(pixels, box), 150, 0.25)
    model = landmarks.with_name("dlib_face_recognition_resnet_model_v1.dat")
    theirs = np.array(dlib.face_recognition_model_v1(str(model)).compute_face_descriptor(chip))
    face = max(detect_faces(pixels), key=lambda face: face.eye_distance)
    (ours,) = load_recogniser("dlib").describe([crop(pixels, face_quad(face.landmarks), 256)])
    assert apart(ours, theirs) < 0.25  # two photos of one person are 0.22 apart


def test_squares_of_any_size_alone_or_together(recogniser: Recogniser, people: People) -> None:
    small, large, other = square(people.photo, 200), square(people.photo, 1024), people.bea
    together = recogniser.describe([small, large, other])
    assert together.shape == (3, 128)
    assert together.dtype == np.float32
    assert apart(together[0], together[1]) < 0.1
    for alone, described in zip((small, large, other), together, strict=True):
        assert apart(recogniser.describe([alone])[0], described) < 1e-3
    assert recogniser.describe([]).shape == (0, 128)


@pytest.mark.parametrize("name", ["sface", "dlib"])
def test_threads_share_one(name: str, people: People, not_loaded: None) -> None:
    if name == "dlib":
        pytest.importorskip("dlib")
    squares = [people.ann, people.bea] * 8
    with ThreadPoolExecutor(8) as pool:
        loaded = list(pool.map(lambda _: load_recogniser(name), squares))
        described = list(pool.map(lambda one: loaded[0].describe([one])[0], squares))
    assert all(one is loaded[0] for one in loaded)
    assert max(apart(one, described[i % 2]) for i, one in enumerate(described)) < 1e-3


def test_without_dlib(monkeypatch: pytest.MonkeyPatch, not_loaded: None) -> None:
    monkeypatch.setitem(sys.modules, "dlib", None)
    assert [one.name for one in installed_recognisers()] == ["SFace"]
    with pytest.raises(InputError, match="not installed") as caught:
        load_recogniser("dlib")
    assert (caught.value.remedy, caught.value.facts) == (Remedy.INSTALL_EXTRA, {"extra": "identity"})


@pytest.mark.parametrize(("data", "said"), [(None, "not installed"), (b"another network", "not the one")])
def test_without_the_published_model(
    data: bytes | None, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, not_loaded: None
) -> None:
    """A package of the right name that runs when it is imported, and holds no model or another."""
    pytest.importorskip("dlib")
    package = tmp_path / "face_recognition_models"
    (package / "models").mkdir(parents=True)
    (package / "__init__.py").write_text("raise SystemExit('this code was run')")
    if data is not None:
        (package / "models" / "dlib_face_recognition_resnet_model_v1.dat").write_bytes(data)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(InputError, match=said) as caught:
        load_recogniser("dlib")
    assert caught.value.remedy in (Remedy.INSTALL_EXTRA, Remedy.REINSTALL)


def test_without_sface_nothing_is_judged(monkeypatch: pytest.MonkeyPatch, not_loaded: None) -> None:
    monkeypatch.setattr(recognisers, "_SFACE", "nowhere.onnx")
    with pytest.raises(ModelError, match="SFace is missing or damaged") as caught:
        installed_recognisers()
    assert caught.value.remedy is Remedy.REINSTALL

"""Every face is found, whatever its size and orientation; faces that cannot be replaced are reported."""

from __future__ import annotations

import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import ExifTags, Image
from skimage import data

from stylecrypt_msg.faces import Face, Refusal, blur, certain_faces, check_face, crop, detect_faces, exposed_faces
from stylecrypt_msg.faces.align import quad_matrix, square, transform
from stylecrypt_msg.pictures import read_picture

from .conftest import Read

# Eyes, nose and mouth of scikit-image's astronaut, read off by eye.
ASTRONAUT = np.array([[203.5, 101.5], [246, 103.5], [223.5, 126], [203, 140], [246, 139.5]])


def error(face: Face, expected: NDArray[np.floating]) -> float:
    """Mean distance of the landmarks from where they should be, in eye distances."""
    return float(np.linalg.norm(face.landmarks - expected, axis=1).mean() / math.dist(*expected[:2]))


def resized(pixels: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    return np.asarray(cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def test_a_portrait(astronaut: NDArray[np.uint8]) -> None:
    (face,) = detect_faces(astronaut)
    assert error(face, ASTRONAUT) < 0.1
    assert face.score > 0.9
    assert abs(face.yaw) < 15
    assert check_face(face, 512, 512) is None


@pytest.mark.parametrize("made", [data.chelsea, data.coffee])
def test_a_cat_and_a_cup_are_not_blurred(made: Callable[[], NDArray[np.uint8]]) -> None:
    pixels = made()
    assert detect_faces(pixels) == []
    assert exposed_faces(pixels, pixels, []) == []


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_a_portrait_lying_on_its_side_or_head(astronaut: NDArray[np.uint8], turns: int) -> None:
    (face,) = detect_faces(np.rot90(astronaut, turns))
    upright = square(
        np.array([256, 256]), 256 * np.array([math.cos(turns * math.pi / 2), -math.sin(turns * math.pi / 2)])
    )
    assert (
        error(Face(face.box, transform(quad_matrix(upright, 512), face.landmarks).astype(np.float32), 1), ASTRONAUT)
        < 0.1
    )


@pytest.mark.parametrize("orientation", [3, 6, 8])
def test_a_photo_that_exif_turns(astronaut: NDArray[np.uint8], orientation: int) -> None:
    stored = np.ascontiguousarray(np.rot90(astronaut, {3: 2, 6: 1, 8: 3}[orientation]))
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    file = BytesIO()
    Image.fromarray(stored).save(file, "JPEG", quality=95, exif=exif)
    (face,) = detect_faces(read_picture(file.getvalue()).pixels)
    assert error(face, ASTRONAUT) < 0.1


@pytest.mark.parametrize("angle", [0, 15, 45, 105])
@pytest.mark.parametrize("height", [28, 40, 400])
def test_small_large_and_leaning_faces(astronaut: NDArray[np.uint8], height: int, angle: int) -> None:
    (reference,) = detect_faces(astronaut)
    scale = height / reference.box[3]
    size = round(3 * height)
    lean = np.array([math.cos(math.radians(angle)), math.sin(math.radians(angle))])
    view = square(reference.landmarks.mean(0).astype(np.float64), size / scale / 2 * lean)
    (face,) = certain_faces(crop(astronaut, view, size))
    assert error(face, transform(quad_matrix(view, size), reference.landmarks)) < (0.08 if height < 40 else 0.05)
    assert check_face(face, size, size) is None


def test_a_small_face_in_a_large_photo(astronaut: NDArray[np.uint8]) -> None:
    """40 px in 12 megapixels, by the seam of two tiles."""
    photo = np.full((3000, 4000, 3), 120, np.uint8)
    small = resized(astronaut, 180, 180)
    photo[2400:2580, 2390:2570] = small
    (face,) = detect_faces(photo)
    assert 30 < face.box[3] < 50
    assert error(face, ASTRONAUT * 180 / 512 + (2390, 2400)) < 0.12
    assert check_face(face, 4000, 3000) is None


def test_a_face_that_fills_the_picture(astronaut: NDArray[np.uint8]) -> None:
    ((left, top, width, height),) = [face.box for face in detect_faces(astronaut)]
    only = astronaut[int(top) : int(top + height), int(left) : int(left + width)]
    for factor in (1, 12):
        enlarged = cv2.resize(only, None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC)
        (face,) = certain_faces(np.asarray(enlarged, np.uint8))
        assert error(face, (ASTRONAUT - (int(left), int(top))) * factor) < 0.1


def test_faces_come_from_left_to_right_and_once_each(astronaut: NDArray[np.uint8]) -> None:
    row = np.hstack([astronaut, resized(astronaut, 256, 256).repeat(2, 0)[:512] * 0, np.rot90(astronaut, 2)])
    row[100:292, 530:722] = resized(astronaut, 192, 192)
    faces = certain_faces(row)
    assert [round(face.box[0] + face.box[2] / 2, -2) for face in faces] == [200, 600, 1100]


def test_nothing_is_found_where_nothing_is() -> None:
    rng = np.random.default_rng(0)
    for shape in ((1, 1), (1, 400), (400, 1), (3, 2), (300, 300)):
        assert detect_faces(np.zeros((*shape, 3), np.uint8)) == []
        assert detect_faces(rng.integers(0, 256, (*shape, 3), dtype=np.uint8)) == []


@pytest.mark.parametrize("name", ["coffee", "chelsea", "brick", "gravel", "rocket"])
def test_in_other_photos_nothing_is_taken_for_a_face(name: str) -> None:
    data = pytest.importorskip("skimage.data")
    pixels = getattr(data, name)()
    assert certain_faces(pixels if pixels.ndim == 3 else np.dstack([pixels] * 3)) == []


def test_the_cameraman_is_found_and_refused(astronaut: NDArray[np.uint8]) -> None:
    data = pytest.importorskip("skimage.data")
    (face,) = detect_faces(np.dstack([data.camera()] * 3))  # in profile
    assert check_face(face, 512, 512) is Refusal.PROFILE


def test_detection_in_several_threads(astronaut: NDArray[np.uint8]) -> None:
    alone = detect_faces(astronaut)[0].landmarks
    with ThreadPoolExecutor(4) as pool:
        for (face,) in pool.map(detect_faces, [astronaut] * 4):
            assert np.array_equal(face.landmarks, alone)


def test_a_face_cut_by_the_border(astronaut: NDArray[np.uint8]) -> None:
    (whole,) = detect_faces(astronaut)
    left = int(ASTRONAUT[:, 0].mean())
    (half,) = detect_faces(astronaut[:, left:])  # one eye and half of the mouth are left
    assert check_face(half, 512 - left, 512) is Refusal.CUT
    top = int(whole.box[1] + 15)
    (forehead,) = detect_faces(astronaut[top:])  # eyes, nose and mouth are whole
    assert check_face(forehead, 512, 512 - top) is None


def made(landmarks: list[list[float]]) -> Face:
    return Face((0, 0, 100, 100), np.array(landmarks, np.float32), 0.9)


@pytest.mark.parametrize(
    ("face", "refusal"),
    [
        (made([[40, 50], [60, 50], [50, 60], [42, 70], [58, 70]]), None),
        (made([[45, 50], [54, 50], [50, 55], [46, 60], [54, 60]]), Refusal.TOO_SMALL),
        (made([[-1, 50], [60, 50], [30, 60], [0, 70], [58, 70]]), Refusal.CUT),
        (made([[40, 70], [60, 70], [50, 90], [42, 101], [58, 101]]), Refusal.CUT),
        (made([[40, 50], [60, 50], [63, 60], [50, 70], [58, 70]]), Refusal.PROFILE),
        (made([[40, 50], [60, 50], [37, 60], [42, 70], [50, 70]]), Refusal.PROFILE),
    ],
)
def test_what_can_be_replaced(face: Face, refusal: Refusal | None) -> None:
    assert check_face(face, 100, 100) is refusal


def test_refusals_read_as_sentences() -> None:
    for refusal in Refusal:
        assert str(refusal).startswith("the face is ")


@pytest.mark.parametrize("side", ["left", "right", "top", "bottom"])
@pytest.mark.parametrize("left_over", [0.55, 0.75])
def test_a_face_of_which_the_border_leaves_a_part(astronaut: NDArray[np.uint8], side: str, left_over: float) -> None:
    (whole,) = detect_faces(astronaut)
    left, top, width, height = (round(value) for value in whole.box)
    x, y = round(width * left_over), round(height * left_over)
    low_x, low_y = (left + width - x if side == "left" else 0), (top + height - y if side == "top" else 0)
    high_x, high_y = (left + x if side == "right" else 512), (top + y if side == "bottom" else 512)
    part = astronaut[low_y:high_y, low_x:high_x]
    middle = np.clip(np.subtract(whole.centre, (low_x, low_y)), 0, part.shape[1::-1])
    assert any(math.dist(face.centre, middle) < 0.6 * whole.size for face in detect_faces(part))


def test_somebody_before_somebody(astronaut: NDArray[np.uint8]) -> None:
    large = np.asarray(cv2.resize(astronaut, (1536, 1536), interpolation=cv2.INTER_CUBIC), np.uint8)
    large[360:520, 640:800] = resized(astronaut, 358, 358)[0:160, 76:236]  # a head before her mouth
    assert len({round(face.size, -2) for face in certain_faces(large)}) == 2


@pytest.mark.parametrize("name", [f"masked/{number:02}.jpg" for number in range(1, 11)])
def test_people_behind_masks_are_found_and_not_replaced(shared: Path, name: str) -> None:
    pixels = read_picture(shared / "files" / name).pixels
    faces = detect_faces(pixels)
    assert faces
    assert all(check_face(face, pixels.shape[1], pixels.shape[0]) is not None for face in faces)


@pytest.mark.parametrize(
    ("name", "where"), [("covered", (490, 480)), ("at-border", (124, 860)), ("masked", (915, 350))]
)
def test_the_second_face_is_found(shared: Path, name: str, where: tuple[float, float]) -> None:
    faces = detect_faces(read_picture(shared / "files" / f"second-face-{name}.jpg").pixels)
    assert len(faces) >= 2
    assert any(math.dist(face.centre, where) < face.size / 4 for face in faces)


def test_a_face_that_a_cover_still_shows_is_noticed(astronaut: NDArray[np.uint8]) -> None:
    two = np.hstack([astronaut, astronaut[:, ::-1]])
    missed = certain_faces(two)[1]
    known = [face for face in detect_faces(two) if math.dist(face.centre, missed.centre) > 1]
    hidden = two
    for face in known:
        hidden = blur(hidden, face)
    (exposed,) = exposed_faces(two, hidden, known)
    assert math.dist(exposed.centre, missed.centre) < 20
    assert exposed_faces(two, hidden, [*known, missed]) == []
    assert exposed_faces(two, blur(hidden, missed), known) == []


def test_a_group_of_twelve(shared_face: Read, shared_faces: object) -> None:
    names = ["female-02", "female-07", "female-12"]
    portraits = [shared_face(f"photos/{name}.jpg") for name in names]
    group = np.full((900, 1600, 3), 90, np.uint8)
    for i in range(12):
        row, column = divmod(i, 4)
        side = 120 + 14 * i
        y, x = row * 300 + 5, column * 400 + 20
        group[y : y + side, x : x + side] = resized(portraits[i % 3], side, side)
    faces = certain_faces(group)
    assert len(faces) == 12
    assert all(check_face(face, 1600, 900) is None for face in faces)
    centres = [face.box[0] + face.box[2] / 2 for face in faces]
    assert centres == sorted(centres)

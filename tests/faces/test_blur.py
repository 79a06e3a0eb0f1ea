"""A blurred face keeps only a dozen colours, whatever it looked like; its surroundings stay."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from stylecrypt_msg.faces import Face, blur, detect_faces

FACE = Face((100.0, 80.0, 96.0, 120.0), np.zeros((5, 2), np.float32), 0.9)


def radius(shape: tuple[int, ...], face: Face) -> NDArray[np.float64]:
    """Distance of each pixel from the middle of the face: 1 on the ellipse in its box."""
    y, x = np.indices(shape[:2]) + 0.5
    return np.hypot((x - face.centre[0]) / (face.box[2] / 2), (y - face.centre[1]) / (face.box[3] / 2))


def test_nothing_of_the_face_is_left_but_a_few_colours(astronaut: NDArray[np.uint8]) -> None:
    (face,) = detect_faces(astronaut)
    inside = radius(astronaut.shape, face) < 1.2
    blurred = blur(astronaut, face)
    # Another picture with the same mean colours, but nothing of her, comes out the same.
    rows, columns = (slice(round(face.centre[i] - face.size), round(face.centre[i] + face.size)) for i in (1, 0))
    small = cv2.resize(blurred[rows, columns], (8, 8), interpolation=cv2.INTER_AREA)
    back = cv2.resize(small, (blurred[rows, columns].shape[1::-1]), interpolation=cv2.INTER_CUBIC)
    apart = abs(back.astype(float) - blurred[rows, columns])[inside[rows, columns]]
    assert apart.mean() < 6
    assert abs(astronaut.astype(float) - blurred)[inside].mean() > 15


def test_fine_detail_does_not_come_through() -> None:
    """Noise under the face, however strong, changes nothing."""
    rng = np.random.default_rng(0)
    plain = np.full((300, 300, 3), 132, np.uint8)
    speckled = plain + rng.integers(-100, 100, plain.shape, dtype=np.int16).astype(np.uint8)
    inside = radius(plain.shape, FACE) < 1.2
    assert abs(blur(speckled, FACE).astype(int) - blur(plain, FACE))[inside].max() <= 1


def test_what_is_around_stays(astronaut: NDArray[np.uint8]) -> None:
    (face,) = detect_faces(astronaut)
    before = astronaut.copy()
    blurred = blur(astronaut, face)
    assert np.array_equal(astronaut, before)
    outside = radius(astronaut.shape, face) > 2.1
    assert np.array_equal(blurred[outside], astronaut[outside])
    edge = abs(np.diff(blurred.astype(int), axis=0)).max()
    assert edge <= abs(np.diff(astronaut.astype(int), axis=0)).max()  # no hard rim


def test_the_head_beside_stays_clear_and_the_face_does_not() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (300, 400, 3), dtype=np.uint8)
    beside = Face((FACE.box[0] + 110, *FACE.box[1:]), FACE.landmarks, 0.9)
    blurred = blur(pixels, FACE, [beside])
    inside, head = radius(pixels.shape, FACE) < 1, radius(pixels.shape, beside) < 1.2
    assert np.array_equal(
        blurred[head & ~(radius(pixels.shape, FACE) < 1.25)], pixels[head & ~(radius(pixels.shape, FACE) < 1.25)]
    )
    assert not np.array_equal(blur(pixels, FACE)[head], blurred[head])
    np.testing.assert_array_equal(blurred[inside], blur(pixels, FACE)[inside])


@pytest.mark.parametrize("left", [-400.0, -60.0, 280.0, 299.5, 900.0])
@pytest.mark.parametrize("size", [1.0, 20.0, 5000.0])
def test_faces_at_and_beyond_the_border(left: float, size: float) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (200, 300, 3), dtype=np.uint8)
    face = Face((left, 50.0, size, size), np.zeros((5, 2), np.float32), 0.9)
    assert blur(pixels, face).shape == pixels.shape

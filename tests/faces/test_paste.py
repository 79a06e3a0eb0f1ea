"""Pasting: nothing outside the mask changes, and inside nobody sees the seam."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from stylecrypt_msg.faces import crop, detect_faces, face_mask, face_quad, paste
from stylecrypt_msg.faces.align import inverted, quad_matrix, transform

from .conftest import Read
from .test_align import FRONTAL, smooth, turned_square

QUAD = face_quad(FRONTAL)
MASK = face_mask(FRONTAL, QUAD)


def psnr(a: NDArray[np.uint8], b: NDArray[np.uint8], where: NDArray[np.bool_]) -> float:
    return float(10 * np.log10(255**2 / max(1e-9, np.mean((a[where].astype(float) - b[where]) ** 2))))


def touched(before: NDArray[np.uint8], after: NDArray[np.uint8]) -> NDArray[np.bool_]:
    return np.asarray(np.any(before != after, axis=2))


def test_the_mask_covers_the_face_and_ends_within_the_square() -> None:
    assert MASK.shape == (256, 256)
    assert MASK.dtype == np.float32
    assert 0 <= MASK.min() <= MASK.max() <= 1
    for x, y in transform(quad_matrix(QUAD, 256), FRONTAL).astype(int):
        assert MASK[y, x] == 1
    assert MASK[[0, -1]].max() == MASK[:, [0, -1]].max() == 0
    assert np.abs(np.diff(MASK, axis=0)).max() < 0.07  # feathered: no step that an eye could see


def test_the_mask_of_a_matte_takes_in_hair_and_leaves_out_background() -> None:
    alpha = np.zeros((512, 512), np.float32)
    alpha[:, :256] = 1
    mask = face_mask(FRONTAL, QUAD, alpha)
    assert mask[:, 130:].max() == 0
    assert mask[128, 120] == 1
    assert mask[20, 120] > 0.5 > MASK[20, 120]


@settings(deadline=None, max_examples=30)
@given(
    st.tuples(st.floats(-50, 250), st.floats(-50, 250)),
    st.floats(4, 150),
    st.floats(-math.pi, math.pi),
    st.integers(16, 300),
)
def test_outside_the_mask_every_bit_stays(centre: tuple[float, float], half: float, angle: float, size: int) -> None:
    photo = smooth(200, 220, seed=1)
    quad = turned_square(centre, half, angle)
    before = photo.copy()
    result = paste(photo, np.zeros((size, size, 3), np.uint8), quad, MASK)
    assert np.array_equal(photo, before)  # a new array is returned
    assert result.shape == photo.shape
    y, x = np.nonzero(touched(photo, result))
    inside = transform(quad_matrix(quad, 1), np.stack([x + 0.5, y + 0.5], axis=1))
    assert np.all((inside > -1 / half) & (inside < 1 + 1 / half))


@pytest.mark.parametrize("angle", [0, 0.4, 2.5])
@pytest.mark.parametrize("half", [30, 64.3, 90])
def test_crop_then_paste_changes_nothing_to_see(half: float, angle: float) -> None:
    photo = smooth(256, 256)
    quad = turned_square((128, 128), half, angle)
    result = paste(photo, crop(photo, quad, round(2 * half)), quad, MASK)
    weight = cv2.warpAffine(MASK, inverted(quad_matrix(quad, 256)), (256, 256))
    assert psnr(photo, result, weight > 0.5) > 40


def test_a_large_square_in_a_small_place_is_averaged() -> None:
    """Noise at 1024 px is even grey at 60; sampled, it would stay noise."""
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (1024, 1024, 3), dtype=np.uint8)
    # Fine detail in the photo, so that softening to its sharpness does not hide it.
    photo = rng.integers(0, 256, (100, 100, 3), dtype=np.uint8)
    result = paste(photo, noise, turned_square((50, 50), 30, 0.2), MASK)
    assert result[44:60, 44:56].std() < 12


@pytest.mark.parametrize("shift", [(30, -20, 10), (-25, -25, -25)])
def test_a_drift_of_colours_is_taken_out(shift: tuple[int, int, int]) -> None:
    photo = (smooth(300, 300) // 2 + 60).astype(np.uint8)
    quad = turned_square((150, 150), 120, 0.1)
    drifted = np.clip(crop(photo, quad, 512) + np.array(shift), 0, 255).astype(np.uint8)
    result = paste(photo, drifted, quad, MASK)
    assert np.abs(result.astype(int) - photo).mean() < 2


def test_a_fake_is_as_soft_as_its_photo() -> None:
    rng = np.random.default_rng(0)
    sharp = np.repeat(rng.integers(60, 200, (256, 256, 1), dtype=np.uint8), 3, axis=2)
    soft = np.asarray(cv2.GaussianBlur(sharp, (0, 0), 2.0), np.uint8)
    quad = turned_square((128, 128), 128, 0)

    def detail(pixels: NDArray[np.uint8]) -> float:
        middle = pixels[90:180, 90:170].astype(float)
        return float(np.abs(np.diff(middle, axis=1)).mean())

    assert detail(paste(soft, sharp, quad, MASK)) < 1.5 * detail(soft)
    assert detail(paste(sharp, sharp, quad, MASK)) > 0.9 * detail(sharp)


def test_a_square_beside_the_picture_changes_nothing() -> None:
    photo = smooth(40, 40)
    square_ = np.zeros((64, 64, 3), np.uint8)
    for centre in ((-100, 20), (20, 200), (1000, 1000)):
        assert np.array_equal(paste(photo, square_, turned_square(centre, 20, 0.3), MASK), photo)


def test_real_faces_come_back_as_they_were(shared_face: Read) -> None:
    for name in ("photos/female-02.jpg", "photos/female-07.jpg", "pairs/030-neutral.jpg"):
        photo = shared_face(name)
        face = max(detect_faces(photo), key=lambda face: face.box[2])
        quad = face_quad(face.landmarks)
        side = round(math.dist(quad[0], quad[1]))
        result = paste(photo, crop(photo, quad, side), quad, face_mask(face.landmarks, quad))
        assert psnr(photo, result, touched(photo, result)) > 40, name


def test_no_edge_is_seen_where_another_face_was_pasted(shared_face: Read) -> None:
    """The same person, smiling, in place of the neutral face: no gradient along the rim that neither photo has."""
    photo, other = shared_face("pairs/066-neutral.jpg"), shared_face("pairs/066-smiling.jpg")
    (face,), (other_face,) = detect_faces(photo), detect_faces(other)
    quad = face_quad(face.landmarks)
    fake = crop(other, face_quad(other_face.landmarks), 1024)
    shifted = np.clip(fake * np.array([1.08, 0.97, 0.9]) + 6, 0, 255).astype(np.uint8)
    mask = face_mask(face.landmarks, quad)
    result = paste(photo, shifted, quad, mask)

    rim = cv2.resize(mask, (256, 256))
    rim = (rim > 0.02) & (rim < 0.98)

    def steps(pixels: NDArray[np.uint8]) -> float:
        grey = cv2.GaussianBlur(crop(pixels, quad, 256).astype(np.float32).mean(2), (0, 0), 2)
        return float(np.hypot(cv2.Sobel(grey, -1, 1, 0), cv2.Sobel(grey, -1, 0, 1))[rim].mean())

    assert steps(result) < 1.1 * max(steps(photo), steps(other))
    # And the expression did change: the mouth is the smiling one.
    mouth = np.s_[175:200, 100:156]
    there, here, was = (
        crop(result, quad, 256)[mouth],
        cv2.resize(fake, (256, 256))[mouth],
        crop(photo, quad, 256)[mouth],
    )
    assert np.abs(there.astype(int) - here).mean() < np.abs(there.astype(int) - was).mean()


def test_a_face_of_40_pixels_is_replaced(shared_face: Read) -> None:
    photo = np.asarray(
        cv2.resize(shared_face("pairs/030-neutral.jpg"), (92, 92), interpolation=cv2.INTER_AREA), np.uint8
    )
    (face,) = detect_faces(photo)
    quad = face_quad(face.landmarks)
    other = shared_face("pairs/092-neutral.jpg")
    fake = crop(other, face_quad(detect_faces(other)[0].landmarks), 1024)
    result = paste(photo, fake, quad, face_mask(face.landmarks, quad))
    (pasted,) = detect_faces(result)
    assert np.linalg.norm(pasted.landmarks - face.landmarks, axis=1).max() < 0.25 * face.eye_distance
    assert touched(photo, result).sum() > 0.8 * face.box[2] * face.box[3]

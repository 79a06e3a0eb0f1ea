"""Pasting: nothing outside the mask changes, and inside it no seam shows."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from stylecrypt_msg.faces import crop, detect_faces, face_quad, paste
from stylecrypt_msg.faces.align import Quad, inverted, quad_matrix, transform

from .conftest import Read
from .test_align import FRONTAL, smooth, turned_square

QUAD = face_quad(FRONTAL)
UNIT = transform(quad_matrix(QUAD, 1), FRONTAL)  # the landmarks in parts of the square's side
UPRIGHT = np.array([(0, 0), (512, 0), (512, 512), (0, 512)], np.float64)
SKIN, WALL, OTHER_WALL = (np.array(colour, np.uint8) for colour in ((205, 150, 125), (90, 120, 160), (225, 215, 195)))


def landmarks_at(quad: Quad) -> NDArray[np.float32]:
    return transform(inverted(quad_matrix(quad, 1)), UNIT).astype(np.float32)


def shown(alpha: NDArray[np.float32] | None = None) -> NDArray[np.float32]:
    """How strongly a square of 512 px shows, 0 to 1: the photo itself is pasted, plus a pattern of one level everywhere."""
    y, x = np.indices((512, 512)) // 8
    pattern = np.where((x + y) % 2, 40, -40)[..., None]
    grey = np.full((512, 512, 3), 128, np.uint8)
    pasted = paste(grey, (grey + pattern).astype(np.uint8), UPRIGHT, landmarks_at(UPRIGHT), alpha)
    middles = np.abs(pasted[4::8, 4::8, 0].astype(np.float32) - 128) / 40
    return np.asarray(middles / middles[32, 32])


def head(half_width: float, wall: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A bare head of ``half_width`` (of 512 px) before a wall; 512 px, grainy."""
    y, x = (np.indices((512, 512)) + 0.5) / 512
    inside = np.hypot((x - 0.5) / half_width, (y - 0.55) / 0.42) < 1
    grain = np.random.default_rng(0).integers(-3, 4, (512, 512, 1))
    return (np.where(inside[..., None], SKIN, wall) + grain).astype(np.uint8)


def psnr(a: NDArray[np.uint8], b: NDArray[np.uint8], where: NDArray[np.bool_]) -> float:
    return float(10 * np.log10(255**2 / max(1e-9, float(np.mean((a[where].astype(float) - b[where]) ** 2)))))


def touched(before: NDArray[np.uint8], after: NDArray[np.uint8]) -> NDArray[np.bool_]:
    return np.asarray(np.any(before != after, axis=2))


def test_the_face_shows_and_the_rim_does_not() -> None:
    mask = shown()
    for x, y in (UNIT * 64).astype(int):
        assert mask[y, x] > 0.95
    assert mask[[0, -1]].max() == mask[:, [0, -1]].max() == 0
    assert np.abs(np.diff(mask, axis=0)).max() < 0.75  # from one middle to the next, 8 px on: feathered over some 20 px


def test_a_matte_takes_in_hair_and_leaves_out_background() -> None:
    alpha = np.zeros((512, 512), np.float32)
    alpha[:, :300] = 1
    mask = shown(alpha)
    assert mask[:, 39:].max() == 0
    assert mask[32, 34] > 0.95
    assert mask[6, 32] > 0.5 > shown()[6, 32]


@pytest.mark.parametrize(("mine", "other"), [(0.33, 0.27), (0.28, 0.36)], ids=["narrower", "wider"])
def test_a_face_of_another_width_leaves_no_patch(mine: float, other: float) -> None:
    """Neither the other's wall beside its jaw, nor its cheeks on my wall."""
    photo = head(mine, WALL)
    pasted = paste(photo, head(other, OTHER_WALL), UPRIGHT, landmarks_at(UPRIGHT))
    soft, wanted = (cv2.GaussianBlur(picture, (0, 0), 2).astype(int) for picture in (pasted, photo))
    assert np.abs(soft - wanted).max() < 12


def test_a_fringe_stays_out_of_a_bare_forehead() -> None:
    photo = head(0.33, WALL)
    other = photo.copy()
    other[: int(0.3 * 512)] = (40, 30, 25)
    pasted = paste(photo, other, UPRIGHT, landmarks_at(UPRIGHT))
    assert np.abs(pasted.astype(int) - photo).max() < 60  # hair and skin differ by 165


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
    result = paste(photo, np.zeros((size, size, 3), np.uint8), quad, landmarks_at(quad))
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
    result = paste(photo, crop(photo, quad, round(2 * half)), quad, landmarks_at(quad))
    y, x = np.indices((256, 256)) + 0.5
    across, down = transform(quad_matrix(quad, 1), np.stack([x.ravel(), y.ravel()], axis=1)).T.reshape(2, 256, 256)
    assert psnr(photo, result, np.hypot(across - 0.5, down - 0.55) < 0.25) > 40


def test_a_large_square_in_a_small_place_is_averaged() -> None:
    """Noise at 1024 px is even grey at 60; sampled, it would stay noise."""
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (1024, 1024, 3), dtype=np.uint8)
    # Fine detail in the photo, so that softening to its sharpness does not hide it.
    photo = rng.integers(0, 256, (100, 100, 3), dtype=np.uint8)
    quad = turned_square((50, 50), 30, 0.2)
    result = paste(photo, noise, quad, landmarks_at(quad))
    assert result[44:60, 44:56].std() < 12


@pytest.mark.parametrize("shift", [(30, -20, 10), (-25, -25, -25)])
def test_a_drift_of_colours_is_taken_out(shift: tuple[int, int, int]) -> None:
    photo = (smooth(300, 300) // 2 + 60).astype(np.uint8)
    quad = turned_square((150, 150), 120, 0.1)
    drifted = np.clip(crop(photo, quad, 512) + np.array(shift), 0, 255).astype(np.uint8)
    result = paste(photo, drifted, quad, landmarks_at(quad))
    assert np.abs(result.astype(int) - photo).mean() < 2


def test_a_face_in_a_black_and_white_photo_has_no_colour() -> None:
    coloured = smooth(300, 300)
    grey = np.repeat(coloured.mean(2, keepdims=True), 3, axis=2).astype(np.uint8)
    quad = turned_square((150, 150), 120, 0.1)
    square, landmarks = crop(np.roll(coloured, 20, axis=0), quad, 512), landmarks_at(quad)
    pasted = paste(grey, square, quad, landmarks, foreign=True).astype(int)
    assert touched(grey, pasted.astype(np.uint8)).any()
    assert (pasted.max(2) - pasted.min(2)).max() <= 3


@pytest.mark.parametrize("brightness", [0.4, 0.6, 1.0])
def test_another_persons_contrast_is_subdued(brightness: float) -> None:
    """As much as weaker light would do; by default, as for the sender's own face, all contrast stays."""
    bright = smooth(300, 300)
    photo = (brightness * bright).astype(np.uint8)
    quad = turned_square((150, 150), 120, 0.1)
    face = np.hypot(*(np.indices((300, 300)) - 150)) < 40

    def contrast(pixels: NDArray[np.uint8]) -> float:
        return float(pixels[face].std() / photo[face].std())

    square, dull, landmarks = crop(bright, quad, 512), crop(photo, quad, 512) // 2, landmarks_at(quad)
    subdued = contrast(paste(photo, square, quad, landmarks, foreign=True))
    assert subdued == pytest.approx(min(1 / brightness, 1.3), rel=0.08)
    # Unchanged, except for shadows that end in black.
    assert contrast(paste(photo, square, quad, landmarks)) > 0.75 / brightness
    assert contrast(paste(photo, dull, quad, landmarks, foreign=True)) == pytest.approx(0.5, abs=0.1)


def test_a_fake_is_as_soft_as_its_photo() -> None:
    rng = np.random.default_rng(0)
    sharp = np.repeat(rng.integers(60, 200, (256, 256, 1), dtype=np.uint8), 3, axis=2)
    soft = np.asarray(cv2.GaussianBlur(sharp, (0, 0), 2.0), np.uint8)
    quad = turned_square((128, 128), 128, 0)

    def detail(pixels: NDArray[np.uint8]) -> float:
        middle = pixels[90:180, 90:170].astype(float)
        return float(np.abs(np.diff(middle, axis=1)).mean())

    assert detail(paste(soft, sharp, quad, landmarks_at(quad))) < 1.5 * detail(soft)
    assert detail(paste(sharp, sharp, quad, landmarks_at(quad))) > 0.9 * detail(sharp)


def test_a_square_beside_the_picture_changes_nothing() -> None:
    photo = smooth(40, 40)
    square_ = np.zeros((64, 64, 3), np.uint8)
    for centre in ((-100, 20), (20, 200), (1000, 1000)):
        quad = turned_square(centre, 20, 0.3)
        assert np.array_equal(paste(photo, square_, quad, landmarks_at(quad)), photo)


def test_real_faces_come_back_as_they_were(shared_face: Read) -> None:
    for name in ("photos/female-02.jpg", "photos/female-07.jpg", "pairs/030-neutral.jpg"):
        photo = shared_face(name)
        face = max(detect_faces(photo), key=lambda face: face.box[2])
        quad = face_quad(face.landmarks)
        side = round(math.dist(quad[0], quad[1]))
        result = paste(photo, crop(photo, quad, side), quad, face.landmarks)
        assert psnr(photo, result, touched(photo, result)) > 40, name


def test_no_edge_is_seen_where_another_face_was_pasted(shared_face: Read) -> None:
    """The same person, smiling, in place of the neutral face: no gradient along the rim that neither photo has."""
    photo, other = shared_face("pairs/066-neutral.jpg"), shared_face("pairs/066-smiling.jpg")
    (face,), (other_face,) = detect_faces(photo), detect_faces(other)
    quad = face_quad(face.landmarks)
    fake = crop(other, face_quad(other_face.landmarks), 1024)
    shifted = np.clip(fake * np.array([1.08, 0.97, 0.9]) + 6, 0, 255).astype(np.uint8)
    result = paste(photo, shifted, quad, face.landmarks)

    y, x = (np.indices((256, 256)) + 0.5) / 256
    radius = np.hypot((x - 0.5) / 0.28, (y - 0.57) / 0.38)
    rim = (radius > 0.7) & (radius < 1.3)

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
    result = paste(photo, fake, quad, face.landmarks)
    (pasted,) = detect_faces(result)
    assert np.linalg.norm(pasted.landmarks - face.landmarks, axis=1).max() < 0.25 * face.eye_distance
    assert touched(photo, result).sum() > 0.5 * face.box[2] * face.box[3]

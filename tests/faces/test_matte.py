"""Mattes: the person is kept, the background goes, hair is in between."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from stylecrypt_msg.faces import crop, detect_faces, face_quad, matte

from .conftest import Read

# numba warns of its own, at import, on some versions of numpy; nothing of ours.
pytestmark = [
    pytest.mark.filterwarnings("default"),
    pytest.mark.slow,  # where it is imported for the first time, it compiles for a minute
]


def drawn(size: int = 256) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """A bust in FFHQ's framing before a wall, and where it is."""
    rng = np.random.default_rng(0)
    person = np.zeros((size, size), np.uint8)
    unit = size / 256
    cv2.ellipse(person, (size // 2, int(130 * unit)), (int(75 * unit), int(105 * unit)), 0, 0, 360, 1, -1)
    cv2.rectangle(person, (int(75 * unit), int(190 * unit)), (int(181 * unit), size), 1, -1)
    cv2.rectangle(person, (int(40 * unit), int(232 * unit)), (int(216 * unit), size), 1, -1)
    picture = np.where(person[..., None], [190, 130, 100], [70, 90, 140]) + rng.normal(0, 4, (size, size, 1))
    return picture.clip(0, 255).astype(np.uint8), person.astype(bool)


@pytest.mark.parametrize("size", [128, 256, 512])
def test_a_drawn_person_is_cut_out(size: int) -> None:
    picture, person = drawn(size)
    alpha = matte(picture)
    assert alpha.shape == (size, size)
    assert alpha.dtype == np.float32
    assert 0 <= alpha.min() <= alpha.max() <= 1
    assert np.mean((alpha > 0.5) == person) > 0.97
    assert alpha[size // 2, size // 2] == 1
    assert alpha[size // 8, size // 16] == 0


def test_the_same_picture_gives_the_same_matte() -> None:
    picture, _ = drawn()
    assert np.array_equal(matte(picture), matte(picture))


def test_real_faces_keep_face_and_lose_the_corners(shared_face: Read) -> None:
    for name in ("pairs/092-smiling.jpg", "pairs/066-neutral.jpg", "photos/female-02.jpg"):
        photo = shared_face(name)
        face = max(detect_faces(photo), key=lambda face: face.box[2])
        alpha = matte(crop(photo, face_quad(face.landmarks), 256))
        assert alpha[80:220, 90:166].min() > 0.95, name
        assert alpha[:30, :20].max() < 0.1, name
        assert alpha[:30, -20:].max() < 0.1, name
        partial = np.mean((alpha > 0.05) & (alpha < 0.95))
        assert 0.005 < partial < 0.2, name

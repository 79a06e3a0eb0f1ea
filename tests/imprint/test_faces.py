"""True faces become small pictures, and go back into the cover."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import stylecrypt_protocol as protocol

from stylecrypt_msg import imprint
from stylecrypt_msg.errors import MessageError
from stylecrypt_msg.pictures import Pixels

from ..conftest import People


def psnr(one: Pixels, other: Pixels) -> float:
    return float(10 * np.log10(255**2 / np.mean((one.astype(float) - other) ** 2)))


@pytest.fixture(scope="module")
def photo(view: Pixels, people: People) -> Pixels:
    """Ann and Bea in front of a landscape."""
    made = view.copy()
    made[300:556, 500:756], made[100:356, 900:1156] = people.photo[20:276, 30:286], people.bea
    return made


@pytest.fixture(scope="module")
def cover(photo: Pixels) -> Pixels:
    """The photo with two blank ovals in place of their faces."""
    made = photo.copy()
    for centre in ((628, 428), (1028, 228)):
        cv2.ellipse(made, centre, (70, 95), 0, 0, 360, (0, 160, 0), -1)
    return made


def test_the_faces_come_back(photo: Pixels, cover: Pixels) -> None:
    faces, left_out = imprint.small_faces(photo, cover, 1400)
    assert (len(faces), left_out) == (2, 0)
    assert sum(len(face.to_bytes()) for face in faces) <= 1400
    back = imprint.paste_faces(cover, faces)
    for top, left in ((300, 500), (100, 900)):
        area = slice(top, top + 256), slice(left, left + 256)
        assert psnr(back[area], photo[area]) > 29
    # Whatever was not hidden stays as it is.
    assert np.array_equal(back[:, :400], cover[:, :400])


def test_more_room_brings_more(photo: Pixels, cover: Pixels) -> None:
    worth = []
    for room in (300, 800, 2400):
        faces, _ = imprint.small_faces(photo, cover, room)
        worth.append(psnr(imprint.paste_faces(cover, faces), photo))
    assert worth == sorted(worth) and worth[-1] > worth[0] + 3


def test_a_cover_of_another_size(photo: Pixels, cover: Pixels) -> None:
    faces, _ = imprint.small_faces(photo, cover, 1400)
    small, wanted = (np.asarray(cv2.resize(one, (800, 600)), np.uint8) for one in (cover, photo))
    assert psnr(imprint.paste_faces(small, faces), wanted) > psnr(small, wanted) + 8


def test_the_largest_come_first(photo: Pixels, cover: Pixels) -> None:
    crowd = cover.copy()
    for number in range(12):
        cv2.circle(crowd, (60 + 100 * number, 880), 20, (0, 160, 0), -1)
    faces, left_out = imprint.small_faces(photo, crowd, 3000)
    assert 2 <= len(faces) <= protocol.MAX_IMPRINT_FACES
    assert len(faces) + left_out == 14
    assert min(face.rows for face in faces[:2]) > 8


def test_no_face_rather_than_a_grimace(photo: Pixels, cover: Pixels) -> None:
    for room in (0, imprint.LEAST_BYTES - 1, imprint.LEAST_BYTES):
        assert imprint.small_faces(photo, cover, room) == ((), 2)


@pytest.mark.parametrize("damage", [b"", b"\x30\x01\x00\x9d\x01\x2a\xff\x3f\xff\x3f", b"garbage" * 9])
def test_what_is_no_picture_is_refused(cover: Pixels, damage: bytes) -> None:
    """The second one claims 16383 x 16383 pixels."""
    face = protocol.ImprintedFace(left=0, top=0, columns=8, rows=8, cells=b"\xff" * 8, picture=damage or b"\0")
    with pytest.raises(MessageError, match="cannot be read"):
        imprint.paste_faces(cover, [face])


def test_a_box_beyond_the_picture_does_nothing(cover: Pixels, photo: Pixels) -> None:
    """Its rows are those of a square picture."""
    faces, _ = imprint.small_faces(photo, cover, 1400)
    below = faces[0].model_copy(update={"top": 63 - faces[0].rows})
    assert np.array_equal(imprint.paste_faces(cover, [below])[:700], cover[:700])

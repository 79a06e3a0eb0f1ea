"""What a sealed photo's cover says of its sender."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from stylecrypt_lab.evaluation.looks import SIDE, Looks, looks_of, sixty_eight
from stylecrypt_protocol import Level

from stylecrypt_msg import codebook as module
from stylecrypt_msg.cipher import CoveredPhoto, cover, to_pixels
from stylecrypt_msg.codebook import BITS, ENTRIES, Codebook, Entry, codebook
from stylecrypt_msg.covering import CoverOrder, coverer
from stylecrypt_msg.errors import InputError
from stylecrypt_msg.models import FaceModel
from stylecrypt_msg.models.model_cache import ModelCache
from stylecrypt_msg.progress import silent
from stylecrypt_msg.recognisers import load_recogniser
from stylecrypt_msg.standins import stand_in
from stylecrypt_msg.stylemix import LayerMask

from .conftest import People

pytestmark = pytest.mark.model
SOMEBODY = "a stand-in"


@pytest.fixture(scope="module")
def book(default_model: FaceModel) -> Codebook:
    found = codebook(default_model.digest)
    assert found is not None
    return found


def made(people: People, model: FaceModel, which: str) -> CoveredPhoto:
    return cover(getattr(people, which), model, key_face=SOMEBODY, bounded=True)


def test_two_senders_with_one_entry_get_one_face(
    default_model: FaceModel, people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bit for bit: what else the face says of them is nothing, whoever looks at it, and with whatever network."""
    mine, theirs = made(people, default_model, "photo"), made(people, default_model, "bea")
    assert mine.entries != theirs.entries and not np.array_equal(mine.fakes[0], theirs.fakes[0])
    assert mine.entries is not None
    (entry,) = mine.entries
    monkeypatch.setattr(Codebook, "entry", lambda *_: entry)
    twin = made(people, default_model, "bea")
    np.testing.assert_array_equal(mine.fakes[0], twin.fakes[0])
    assert not np.array_equal(mine.pixels, twin.pixels), "the photos around it differ"


def test_an_entry_has_the_bits_that_the_documents_promise(book: Codebook) -> None:
    """Whatever comes in, a photo or noise."""
    rng = np.random.default_rng(0)
    assert ENTRIES**2 * len(module._STEPS) ** 2 == 2**BITS
    for size in (0.0, 1.0, 1000.0):
        codes = (size * rng.standard_normal((16, 512))).astype(np.float32)
        entry = book.entry(codes, rng.random((5, 2)).astype(np.float32))
        assert all(0 <= number < most for number, most in zip(entry, (ENTRIES, ENTRIES, 4, 4), strict=True))


def test_all_levels_use_it_but_the_one_that_needs_key_faces(default_model: FaceModel, people: People) -> None:
    seen = {}
    make = coverer(ModelCache(), lambda: [load_recogniser("sface")])
    for level in Level:
        order = CoverOrder(pixels=people.photo, level=level, key_faces=[SOMEBODY], force=True)
        seen[level] = make(order, silent).pixels
    bounded = made(people, default_model, "photo")
    for level, pixels in seen.items():
        assert np.array_equal(pixels, bounded.pixels) == (level is not Level.KEYFACE), level


@pytest.mark.parametrize("level", [Level.ORIGINAL, Level.IMPRINT])
def test_there_is_nothing_to_refine_in_them(level: Level, people: People) -> None:
    order = CoverOrder(pixels=people.photo, level=level, key_faces=[SOMEBODY], refine_steps=1)
    with pytest.raises(InputError, match=f"at level {level}"):
        coverer(ModelCache(), lambda: ())(order, silent)


def test_the_mouth_is_as_wide_and_as_open_as_the_entry_says(default_model: FaceModel, book: Codebook) -> None:
    pytest.importorskip("dlib", reason="the extra identity is not installed")
    landmarks, mask = sixty_eight(), LayerMask.photo(16)

    def looks(person: int, width: int, opening: int) -> Looks:
        entry = Entry(pose=person, colour=person, width=width, opening=opening)
        key = stand_in(default_model, person, book.content(entry)[None])[0]
        (square,) = to_pixels(default_model.glimpse(book.fake(entry, key, mask)[None]))
        return looks_of(landmarks(np.asarray(cv2.resize(square, (SIDE, SIDE)), np.uint8)))

    for person in range(10, 14):
        still, smiling, calling = looks(person, 0, 0), looks(person, 3, 1), looks(person, 0, 3)
        assert smiling.smile > still.smile + 0.05, "in lengths of the face"
        assert calling.opening > still.opening + 0.02


def test_people_are_of_all_kinds(book: Codebook) -> None:
    """Heads turned to both sides, seen with another face between pose and colours; women and men."""
    landmarks = book._arrays["landmarks"]
    eyes = landmarks[:, 1] - landmarks[:, 0]
    aside = ((landmarks[:, 2] - landmarks[:, :2].mean(1)) * eyes).sum(1) / np.square(eyes).sum(1)
    yaw = np.degrees(np.arctan2(aside, 0.5))  # as `Face.yaw`
    assert (yaw > 25).sum() > 10 and (yaw < -25).sum() > 10
    assert 0.3 < (book._arrays["men"] > 0).mean() < 0.7


def test_other_models_have_none() -> None:
    assert codebook("0" * 64) is None

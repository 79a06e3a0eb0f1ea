"""Which stand-in a face gets, and what becomes of a face that none of them hides."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest
from numpy.typing import NDArray

from stylecrypt_msg.cipher import CoveredPhoto, Unreplaced, cover, exchange, glimpse
from stylecrypt_msg.errors import LikenessError
from stylecrypt_msg.faces import Refusal
from stylecrypt_msg.models import FaceModel
from stylecrypt_msg.pictures import Pixels
from stylecrypt_msg.standin_choice import hide

from .conftest import People
from .test_cipher import apart, within

SEEDS = ["some stand-in", "another stand-in", "a third one"]


@dataclass
class Judge:
    """Recognises the people in ``familiar``, counted from 0 at the left, in whatever they show."""

    familiar: Collection[int]
    name: str = "the judge"
    threshold: float = 1.0
    strict: float = 0.5
    _first: list[Pixels] = field(default_factory=list)

    def describe(self, squares: Sequence[Pixels]) -> NDArray[np.float32]:
        if not self._first:
            self._first += squares
            return np.arange(len(squares), dtype=np.float32)[:, None] * 10
        at = [int(np.argmin([apart(square, one) for one in self._first])) for square in squares]
        return np.array([[10.0 * who + (0 if who in self.familiar else 5)] for who in at], np.float32)


@pytest.fixture(scope="module")
def group(default_model: FaceModel, people: People) -> CoveredPhoto:
    return cover(people.group, default_model, key_face=SEEDS[0])


def test_of_those_that_hide_the_least_visible_is_shown(group: CoveredPhoto, default_model: FaceModel) -> None:
    hidden = hide(group, default_model, SEEDS, [Judge(())])
    flaws = [[glimpse(group, default_model, face, seed).flaw for seed in SEEDS] for face in (0, 1)]
    assert hidden.shown == tuple(np.argmin(flaws, axis=1))
    shown = exchange(group, default_model, {face: SEEDS[number] for face, number in enumerate(hidden.shown)})
    assert apart(hidden.covered.pixels, shown.pixels) < 0.5


def test_a_chat_that_knows_the_first_keeps_it(group: CoveredPhoto, default_model: FaceModel) -> None:
    hidden = hide(group, default_model, SEEDS, [Judge(())], known=True)
    assert hidden.covered is group
    assert hidden.shown == (0, 0)


def test_one_of_two_whom_nothing_hides_is_blurred(
    group: CoveredPhoto, default_model: FaceModel, people: People
) -> None:
    hidden = hide(group, default_model, SEEDS, [Judge((1,))], known=True, blur=True)
    after = hidden.covered
    assert after.blurred == (Unreplaced(2, Refusal.ALIKE),)
    assert (len(after.quads), len(after.codes), len(after.fakes), len(after.landmarks)) == (1, 1, 1, 1)
    assert (hidden.shown, len(hidden.likenesses[0].distances)) == ((0,), 1)
    left, right = (within((quad,), people.group) for quad in group.quads)
    assert apart(after.pixels[left], group.pixels[left]) < 1  # as it was
    assert apart(after.pixels[right], people.group[right]) > 10
    assert apart(after.pixels[right], group.pixels[right]) > 5


def test_without_blur_it_is_refused_by_number(group: CoveredPhoto, default_model: FaceModel) -> None:
    with pytest.raises(LikenessError, match="The fake of face 2 of 2, from the left, still looks like the original"):
        hide(group, default_model, SEEDS, [Judge((1,))])
    assert hide(group, default_model, SEEDS, [Judge((1,))], force=True).covered is group


def test_nobody_is_left(group: CoveredPhoto, default_model: FaceModel) -> None:
    hidden = hide(group, default_model, SEEDS, [Judge((0, 1))], blur=True)
    assert [one.number for one in hidden.covered.blurred] == [1, 2]
    assert (hidden.covered.quads, hidden.shown, hidden.likenesses) == ((), (), ())

"""Hair in an aligned square, and hair of another's colour."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from stylecrypt_msg.faces.align import whole
from stylecrypt_msg.faces.hair import SIDE, Head
from stylecrypt_msg.faces.outline import Outline

from .test_paste import OTHER_WALL, SKIN, WALL, head, landmarks_at

BLACK, RED = (np.array(colour, np.uint8) for colour in ((35, 28, 26), (150, 70, 40)))
SQUARE = whole(512)
OUTLINE = Outline.of(landmarks_at(SQUARE), SQUARE)
CROWN, CHEEK = (slice(70, 110), slice(230, 280)), (slice(290, 310), slice(180, 200))


def haired(colour: NDArray[np.uint8], wall: NDArray[np.uint8] = WALL) -> NDArray[np.uint8]:
    """A head with hair down to the temples."""
    square = head(0.33, wall)
    skin = np.abs(square.astype(int) - SKIN).max(2) < 8
    rows = np.arange(512)[:, None] < 0.28 * 512
    square[skin & rows] = colour
    return square


def shares(square: NDArray[np.uint8]) -> tuple[float, float]:
    hair = Head.of(square, OUTLINE).hair
    crown, cheek = (
        hair[tuple(slice(s.start * SIDE // 512, s.stop * SIDE // 512) for s in at)] for at in (CROWN, CHEEK)
    )
    return float(crown.mean()), float(cheek.mean())


@pytest.mark.parametrize("colour", [BLACK, RED], ids=["black", "red"])
def test_hair_is_told_from_skin_and_wall(colour: NDArray[np.uint8]) -> None:
    crown, cheek = shares(haired(colour))
    assert crown > 0.9
    assert cheek < 0.1
    head_ = Head.of(haired(colour), OUTLINE)
    assert head_.hair[: SIDE // 8, : SIDE // 8].max() == 0  # the wall
    assert head_.dark == 1


def test_a_bare_head_has_none() -> None:
    assert shares(head(0.33, OTHER_WALL)) == (0, 0)
    bald = Head.of(head(0.33, OTHER_WALL), OUTLINE)
    assert bald.dark == 0
    square = haired(RED)
    assert Head.of(square, OUTLINE).dyed(square, bald) is square


def test_a_blue_cap_is_no_hair() -> None:
    cap = Head.of(haired(np.array((40, 70, 130), np.uint8)), OUTLINE)
    assert cap.hair.max() == cap.dark == 0


def test_hair_gets_the_colour_of_the_others_and_skin_keeps_its_own() -> None:
    red, black = haired(RED), haired(BLACK)
    dyed = Head.of(red, OUTLINE).dyed(red, Head.of(black, OUTLINE))
    assert np.abs(dyed[CROWN].mean((0, 1)) - BLACK).max() < 8
    assert np.abs(dyed[CHEEK].mean((0, 1)) - SKIN).max() < 3
    wall = dyed[20:60, 20:60]
    assert np.abs(wall.mean((0, 1)) - WALL).max() < 3

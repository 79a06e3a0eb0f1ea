"""Faces are chosen by number, or by another picture of the person; a doubt is an error."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from stylecrypt_msg.errors import FaceError
from stylecrypt_msg.recognisers import installed_recognisers
from stylecrypt_msg.whom import numbers_of

from .conftest import People


def test_people_are_found_by_their_pictures(people: People) -> None:
    assert numbers_of([people.ann], people.group, installed_recognisers) == (1,)
    assert numbers_of([people.bea, 1], people.group, installed_recognisers) == (2, 1)
    turned = np.ascontiguousarray(people.group[:, ::-1])
    assert numbers_of([people.ann, people.bea], turned, installed_recognisers) == (2, 1)


def test_numbers_need_no_recogniser(people: People) -> None:
    def none() -> tuple[()]:
        raise AssertionError

    assert numbers_of([3, 1], people.group, none) == (3, 1)
    assert numbers_of([], people.group, none) == ()


def test_doubts(people: People) -> None:
    wall = people.photo[:, 290:]
    with pytest.raises(FaceError, match="No face was found in the picture of the person"):
        numbers_of([wall], people.group, installed_recognisers)
    for photo in (people.photo, wall):
        with pytest.raises(FaceError, match="Nobody in the photo looks like"):
            numbers_of([people.bea], photo, installed_recognisers)
    twins = people.group.copy()
    twins[2:258, 290:546] = cv2.convertScaleAbs(people.group[2:258, 10:266], alpha=0.95)
    with pytest.raises(FaceError, match="could be face 1 or face 2"):
        numbers_of([people.ann], twins, installed_recognisers)

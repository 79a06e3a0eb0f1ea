"""The measure of naturalness: covers with one thing wrong score worse than the cover itself, for that reason."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import cv2
import numpy as np
import pytest
from stylecrypt_lab.evaluation.looks import Landmarks, sixty_eight
from stylecrypt_lab.evaluation.natural import Flaws, flaws_of

from stylecrypt_msg.cipher import cover
from stylecrypt_msg.faces import Quad
from stylecrypt_msg.models import FaceModel
from stylecrypt_msg.pictures import Pixels
from tests.conftest import People


class Shown(NamedTuple):
    """A cover, what it was pasted into, the photo, and where, with the five landmarks of the face."""

    cover: Pixels
    backdrop: Pixels
    photo: Pixels
    quad: Quad
    points: np.ndarray

    @property
    def inside(self) -> np.ndarray:
        """Where the fake is, (H, W, 1)."""
        return (self.cover != self.backdrop).any(2, keepdims=True)

    def looking(self, changed: np.ndarray) -> Shown:
        return self._replace(cover=np.clip(np.where(self.inside, changed, self.cover), 0, 255).astype(np.uint8))


@pytest.fixture(scope="module")
def landmarks() -> Landmarks:
    pytest.importorskip("dlib", reason="the extra identity is not installed")
    return sixty_eight()


@pytest.fixture(scope="module")
def shown(default_model: FaceModel, people: People) -> Shown:
    covered = cover(people.photo, default_model, key_face="somebody", bounded=True)
    return Shown(covered.pixels, covered.backdrop, covered.original, covered.quads[0], covered.landmarks[0])


def look(one: Shown, landmarks: Landmarks) -> Flaws:
    return flaws_of(one.cover, one.backdrop, one.photo, one.quad, landmarks)


def streaked(one: Shown) -> Shown:
    first, second = one.points[:2]
    x, y = (second + 0.42 * (second - first)).astype(int).tolist()
    return one.looking(cv2.line(one.cover.copy(), (x, y - 22), (x, y + 18), (40, 60, 150), 4, cv2.LINE_AA))


def with_a_smeared_eye(one: Shown) -> Shown:
    x, y = one.points[0].astype(int).tolist()
    smeared = one.cover.copy()
    smeared[y - 14 : y + 14, x - 22 : x + 22] = cv2.GaussianBlur(one.cover, (0, 0), 6)[y - 14 : y + 14, x - 22 : x + 22]
    return one._replace(cover=smeared)


def too_broad(one: Shown) -> Shown:
    """Wider by a fifth."""
    middle = float(one.points[2, 0])
    matrix = np.array([[1.2, 0, -0.2 * middle], [0, 1, 0]])
    broad = cv2.warpAffine(one.cover, matrix, one.cover.shape[1::-1], borderMode=cv2.BORDER_REPLICATE)
    return one._replace(cover=broad.astype(np.uint8))


def blurred(one: Shown) -> Shown:
    return one.looking(cv2.GaussianBlur(one.cover, (0, 0), 3))


def of_another_skin(one: Shown) -> Shown:
    weight = cv2.GaussianBlur(cv2.erode(one.inside.astype(np.float32), np.ones((9, 9))), (0, 0), 4)[..., None]
    return one.looking(one.cover + weight * np.array([20, -15, -30]))


def cut_out(one: Shown) -> Shown:
    """A lighter oval in the middle of the photo's own face, so that there is skin on both sides of its edge."""
    x, y = one.points[2].astype(int).tolist()
    oval = cv2.ellipse(np.zeros(one.photo.shape[:2], np.uint8), (x, y), (34, 48), 0, 0, 360, 1, -1)[..., None] > 0
    return one._replace(cover=np.where(oval, np.clip(one.photo * 1.25, 0, 255), one.photo).astype(np.uint8))


def lit_from_one_side(one: Shown) -> Shown:
    shade = np.where(np.arange(one.cover.shape[1]) < one.points[2, 0], 0.45, 1.0)
    return one.looking(one.cover * shade[None, :, None])


def coloured_in_a_grey_photo(one: Shown) -> Shown:
    grey = np.repeat(one.photo.mean(2, keepdims=True), 3, axis=2).astype(np.uint8)
    return one._replace(cover=np.where(one.inside, one.cover, grey).astype(np.uint8), backdrop=grey, photo=grey)


def with_the_own_brows(one: Shown) -> Shown:
    """Under which the same face begins again, lower."""
    eyes, mouth = float(one.points[:2, 1].mean()), float(one.points[3:, 1].mean())
    top, down = round(eyes) - 4, round(0.28 * (mouth - eyes))
    lower = one.photo.copy()
    lower[top:] = np.roll(one.photo, down, axis=0)[top:]
    return one._replace(cover=np.where(one.inside, lower, one.photo).astype(np.uint8), backdrop=one.photo)


def beside_a_bystander(one: Shown) -> Shown:
    hidden = [picture.copy() for picture in (one.cover, one.backdrop)]
    x, y = (one.points[0] - (30, 0)).astype(int).tolist()
    for picture in hidden:
        cv2.circle(picture, (x, y), 40, (120, 100, 90), -1)
    return one._replace(cover=hidden[0], backdrop=hidden[1])


@pytest.mark.parametrize(
    ("harm", "flaw"),
    [
        (streaked, "streaks"),
        (with_a_smeared_eye, "eyes"),
        (too_broad, "outline"),
        (blurred, "soft"),
        (of_another_skin, "tone"),
        (cut_out, "seam"),
        (coloured_in_a_grey_photo, "colour"),
        (with_the_own_brows, "brows"),
        (beside_a_bystander, "blurred"),
    ],
)
def test_what_is_wrong_is_named(harm: Callable[[Shown], Shown], flaw: str, shown: Shown, landmarks: Landmarks) -> None:
    clean, harmed = look(shown, landmarks), look(harm(shown), landmarks)
    more = {name: part - clean.reasons[name] for name, part in harmed.reasons.items()}
    assert harmed.score > clean.score
    assert more[flaw] > 0.3


def test_hard_light_on_half_a_face_scores_worse(shown: Shown, landmarks: Landmarks) -> None:
    assert look(lit_from_one_side(shown), landmarks).score > look(shown, landmarks).score + 0.5


def test_the_photo_itself_passes(shown: Shown, landmarks: Landmarks) -> None:
    assert look(shown._replace(cover=shown.backdrop), landmarks).score < -1

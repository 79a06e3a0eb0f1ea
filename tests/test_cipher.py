"""A photo to a fake photo and back, with the embedded model: what changes, what must not, and who comes out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import cv2
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from stylecrypt_msg import effort
from stylecrypt_msg.choices import Form, Others
from stylecrypt_msg.cipher import (
    CoveredPhoto,
    UncoveredPhoto,
    Unreplaced,
    cover,
    exchange,
    glimpse,
    invert,
    prepare_key,
    read,
    restore,
    to_images,
    to_pixels,
    uncover,
)
from stylecrypt_msg.errors import FaceError, InputError, LayerMaskError
from stylecrypt_msg.faces import Quad, Refusal, crop, detect_faces, face_quad
from stylecrypt_msg.models import FaceModel
from stylecrypt_msg.models import descent as models_descent
from stylecrypt_msg.models.face_model import Floats
from stylecrypt_msg.models.refine import refine
from stylecrypt_msg.models.torch_model import TorchModel
from stylecrypt_msg.pictures import Format, Pixels, encode_picture, read_picture
from stylecrypt_msg.standins import stand_in
from stylecrypt_msg.stylemix import LayerMask, mix

from .conftest import People

pytestmark = pytest.mark.usefixtures("short_descents")


def within(quads: tuple[Quad, ...], pixels: Pixels) -> NDArray[np.bool_]:
    """(H, W): which pixels lie in one of the quads, or on its edge."""
    inside = np.zeros(pixels.shape[:2], np.uint8)
    for quad in quads:
        cv2.fillConvexPoly(inside, np.rint(quad).astype(np.int32), 1)
    return cv2.dilate(inside, np.ones((5, 5))) > 0


def centre(pixels: Pixels) -> tuple[slice, slice]:
    """The area of eyes, nose and mouth of the only face."""
    (face,) = detect_faces(pixels)
    (left, top), (right, bottom) = face.landmarks.min(0).astype(int), face.landmarks.max(0).astype(int)
    return slice(top, bottom), slice(left, right)


def apart(a: Pixels, b: Pixels) -> float:
    """Mean distance of two pictures, in levels of 255."""
    return float(np.abs(a.astype(np.float32) - b).mean())


def codes_apart(a: Floats, b: Floats) -> float:
    return float(np.linalg.norm(a - b))


def tensors(*arrays: Floats) -> list[Tensor]:
    """Arrays as the refinement, which runs on PyTorch, takes them."""
    return [torch.from_numpy(array) for array in arrays]


def undo(pixels: Pixels, key_face: Pixels, model: FaceModel, **options: Any) -> UncoveredPhoto:
    return uncover(pixels, prepare_key([key_face], model), model, **options)


@pytest.fixture(scope="module")
def covered(default_model: FaceModel, people: People) -> CoveredPhoto:
    return cover(people.photo, default_model, key_face="some stand-in")


@pytest.fixture(scope="module")
def portrait(default_model: FaceModel, people: People) -> CoveredPhoto:
    return cover(people.photo, default_model, key_face="some stand-in", form="portrait", steps=effort.KEY_STEPS)


@pytest.fixture(scope="module")
def uncovered(
    default_model: FaceModel, people: People, covered: CoveredPhoto, portrait: CoveredPhoto
) -> dict[Form, tuple[UncoveredPhoto, UncoveredPhoto]]:
    """What the right key and a wrong one make of the pixels as they were sent."""
    sent: dict[Form, CoveredPhoto] = {"photo": covered, "portrait": portrait}
    return {
        form: (undo(one.pixels, people.ann, default_model), undo(one.pixels, people.bea, default_model))
        for form, one in sent.items()
    }


# ---- covering


def test_photo_changes_the_face_and_nothing_else(covered: CoveredPhoto, people: People) -> None:
    photo = people.photo
    assert covered.pixels.shape == photo.shape
    (face,) = detect_faces(photo)
    np.testing.assert_allclose(covered.quads[0], face_quad(face.landmarks))
    outside = ~within(covered.quads, photo)
    assert outside.mean() > 0.2
    np.testing.assert_array_equal(covered.pixels[outside], photo[outside])
    assert apart(covered.pixels[centre(photo)], photo[centre(photo)]) > 8
    assert covered.mask == LayerMask.photo(16)
    assert len(covered.found) == 1
    # There is still a face, in the place of the other one.
    (fake,) = detect_faces(covered.pixels)
    assert np.abs(fake.landmarks - face.landmarks).max() < face.eye_distance / 3


def test_codes_are_those_of_the_original(covered: CoveredPhoto, default_model: FaceModel, people: People) -> None:
    square = to_images([crop(people.photo, covered.quads[0], 256)])
    np.testing.assert_allclose(covered.codes, default_model.encode(square, steps=0), atol=1e-4)
    deeper = cover(people.photo, default_model, key_face="some stand-in", steps=effort.KEY_STEPS)
    np.testing.assert_allclose(deeper.codes, invert(people.photo, default_model), atol=1e-4)
    assert codes_apart(deeper.codes, covered.codes) > 0.01 * float(np.linalg.norm(covered.codes))


def test_fake_has_the_styles_of_the_stand_in(portrait: CoveredPhoto, default_model: FaceModel, people: People) -> None:
    codes = invert(people.photo, default_model)
    other = stand_in(default_model, "some stand-in", codes)
    mixed = mix(codes, other, LayerMask.paper(16))
    np.testing.assert_array_equal(mixed[:, [3, 6, 7]], codes[:, [3, 6, 7]])
    assert apart(portrait.pixels, to_pixels(default_model.synthesize(mixed))[0]) < 0.5
    assert portrait.pixels.shape == (1024, 1024, 3)
    assert portrait.mask == LayerMask.paper(16)
    assert portrait.quads[0].tolist() == [[0, 0], [1024, 0], [1024, 1024], [0, 1024]]


def test_a_seed_is_a_person(default_model: FaceModel, people: People, covered: CoveredPhoto) -> None:
    here = centre(people.photo)
    again = cover(people.photo, default_model, key_face="some stand-in")
    assert apart(again.pixels[here], covered.pixels[here]) < 1
    other = cover(people.photo, default_model, key_face="another stand-in")
    assert apart(other.pixels[here], covered.pixels[here]) > 4


def test_another_key_face_for_the_same_photo(
    default_model: FaceModel, people: People, covered: CoveredPhoto, portrait: CoveredPhoto
) -> None:
    for first in (covered, portrait):
        other = exchange(first, default_model, {0: "another stand-in"})
        back = exchange(other, default_model, {0: "some stand-in"})
        assert apart(back.pixels, first.pixels) < 0.5  # as it was, to rounding
        assert apart(other.pixels, first.pixels) > 2
        assert (other.codes is first.codes, other.mask, len(other.found)) == (True, first.mask, 1)
    matted = exchange(covered, default_model, {0: "some stand-in"}, matting=True)
    assert not np.array_equal(matted.pixels, covered.pixels)


def test_a_glimpse_shows_what_an_exchange_would_make(
    default_model: FaceModel, covered: CoveredPhoto, portrait: CoveredPhoto
) -> None:
    for one in (covered, portrait):
        seen = glimpse(one, default_model, 0, "another stand-in").square
        made, before = (
            crop(picture.pixels, one.quads[0], 256)
            for picture in (exchange(one, default_model, {0: "another stand-in"}), one)
        )
        assert apart(seen, made) < 0.5 * apart(before, made)


def test_a_fake_in_a_dark_photo_is_subdued_and_the_sender_is_not(
    default_model: FaceModel, people: People, covered: CoveredPhoto
) -> None:
    """A stand-in's light is not the photo's, but the sender's own contrast is what a friend wants back."""
    face = centre(people.photo)
    night = (0.4 * people.photo).astype(np.uint8)
    dark = replace(covered, original=night, backdrop=night)
    dull = (0.2 * covered.pixels + 120).astype(np.uint8)

    def contrast(pixels: Pixels, before: Pixels) -> float:
        return float(pixels[face].std() / before[face].std())

    fake = exchange(dark, default_model, {0: "some stand-in"}).pixels
    assert contrast(fake, dark.original) < 1.6
    own = restore(dull, covered.codes, covered.landmarks, covered.quads, default_model)
    assert contrast(own, dull) > 1.7


def test_key_face_may_be_a_photo(default_model: FaceModel, people: People, covered: CoveredPhoto) -> None:
    bea = cover(people.photo, default_model, key_face=people.bea)
    here = centre(people.photo)
    assert apart(bea.pixels[here], covered.pixels[here]) > 4
    with pytest.raises(FaceError, match="key face"):
        cover(people.photo, default_model, key_face=np.full((64, 64, 3), 128, np.uint8))


def test_all_faces_are_replaced(default_model: FaceModel, people: People) -> None:
    ann, bea = (face_quad(face.landmarks) for face in detect_faces(people.group))
    both = cover(people.group, default_model, key_face="some stand-in")
    assert (len(both.found), len(both.quads), both.codes.shape) == (2, 2, (2, 16, 512))
    changed = (both.pixels != people.group).any(2)
    for quad in (ann, bea):
        assert changed[within((quad,), people.group)].mean() > 0.2
    one = cover(people.group, default_model, key_face="some stand-in", only=[2])
    assert (len(one.found), len(one.quads), one.codes.shape) == (2, 1, (1, 16, 512))
    np.testing.assert_allclose(one.quads[0], bea)
    changed = (one.pixels != people.group).any(2)
    assert not changed[~within((bea,), people.group)].any()
    assert changed[within((bea,), people.group)].mean() > 0.2
    # Each face of a picture has a stand-in of its own: Bea alone has the one that Ann has when both are replaced.
    first, second = (crop(fake.pixels, bea, 256)[90:200, 70:186] for fake in (both, one))
    assert apart(first, second) > 4


def test_what_is_refused(default_model: FaceModel, people: People) -> None:
    def refused(
        pixels: Pixels, says: str, only: Sequence[int] | None = None, keep: Sequence[int] = (), form: Form = "photo"
    ) -> None:
        with pytest.raises(FaceError, match=says):
            cover(pixels, default_model, key_face="some stand-in", only=only, keep=keep, form=form)

    refused(people.group, "A portrait shows one face, but 2 were found", form="portrait")
    refused(people.group, "no face 3: 2 faces were found", only=[3])
    refused(people.photo, "no face 2: 1 face was found", only=[2])
    refused(people.group, "no face 0", keep=[0])
    refused(people.group, "Face 2 is both", only=[1, 2], keep=[2])
    refused(people.group, "Face 1 of 2, from the left, is to be kept", keep=[1, 2])
    refused(people.photo[:, 290:], "No face was found")
    refused(people.cut, "Face 2 of 2, from the left, cannot be replaced: the face is cut off by the border", only=[2])
    refused(people.cut[:, 290:], "The face cannot be replaced: the face is cut off by the border", form="portrait")
    with pytest.raises(LayerMaskError):
        cover(people.photo, default_model, key_face="some stand-in", mask=LayerMask.photo(14))


def test_what_becomes_of_the_others(default_model: FaceModel, people: People) -> None:
    ann, bea = np.s_[20:240, 40:240], np.s_[60:200, 340:420]

    def made(
        others: Others | None = None, only: Sequence[int] | None = None, keep: Sequence[int] = ()
    ) -> tuple[int, list[int], list[int], list[bool]]:
        one = cover(people.cut, default_model, key_face="some stand-in", only=only, keep=keep, others=others)
        changed = [not np.array_equal(one.pixels[part], people.cut[part]) for part in (ann, bea)]
        assert np.array_equal(one.original, people.cut)
        return len(one.quads), [other.number for other in one.blurred], [other.number for other in one.kept], changed

    assert made() == made("blur") == made("blur", only=[1]) == (1, [2], [], [True, True])
    assert made("keep") == made(only=[1]) == made(keep=[2]) == (1, [], [2], [True, False])
    assert made("refuse", keep=[2]) == (1, [], [2], [True, False])
    assert made(keep=[1]) == (0, [2], [1], [False, True])
    assert made("blur", only=[]) == (0, [1, 2], [], [True, True])
    for only_, says in (
        (None, "Face 2 of 2, from the left, cannot be replaced"),
        ((1,), "Face 2 of 2.*would still be seen"),
    ):
        with pytest.raises(FaceError, match=says):
            made("refuse", only_)
    only = people.cut[:, 290:]
    nobody = cover(only, default_model, key_face="some stand-in")
    assert (nobody.quads, nobody.blurred) == ((), (Unreplaced(1, Refusal.CUT),))
    assert apart(nobody.pixels[60:200, 50:], only[60:200, 50:]) > 5
    with pytest.raises(FaceError, match="cut off by the border"):
        cover(only, default_model, key_face="some stand-in", others="keep")


def test_a_face_that_was_missed_at_first_is_blurred(
    default_model: FaceModel, people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, bea = detect_faces(people.group)
    monkeypatch.setattr("stylecrypt_msg.cipher.detect_faces", lambda _: [bea])
    covered = cover(people.group, default_model, key_face="some stand-in")
    assert (len(covered.found), covered.blurred) == (2, (Unreplaced(1, Refusal.UNSURE),))
    there = np.s_[2:258, 10:266]
    assert apart(covered.pixels[there], people.group[there]) > 5
    with pytest.raises(FaceError, match="not found at first"):
        cover(people.group, default_model, key_face="some stand-in", others="refuse")


def test_more_faces_than_a_message_holds(
    default_model: FaceModel, people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stylecrypt_msg.cipher.MAX_FACES", 1)
    with pytest.raises(FaceError, match="2 faces can be replaced, but a message holds 1"):
        cover(people.group, default_model, key_face="some stand-in")


def test_mask_decides_what_is_replaced(default_model: FaceModel, people: People, portrait: CoveredPhoto) -> None:
    """Colours alone: the square keeps the face's features, and changes its light."""
    colours = cover(
        people.photo, default_model, key_face="some stand-in", form="portrait", mask=LayerMask.parse("8-", 16)
    )
    kept = to_pixels(default_model.synthesize(colours.codes))[0]
    assert str(colours.mask) == "8-15"

    def outlines(pixels: Pixels) -> NDArray[np.float32]:
        grey = cv2.GaussianBlur(pixels.mean(2).astype(np.float32), (0, 0), 8)[::8, ::8]
        return np.asarray(np.hypot(*np.gradient(grey)), np.float32)

    def alike(a: Pixels, b: Pixels) -> float:
        return float(np.corrcoef(outlines(a).ravel(), outlines(b).ravel())[0, 1])

    assert alike(colours.pixels, kept) > alike(portrait.pixels, kept)
    assert apart(colours.pixels, kept) > 4


def test_refinement_comes_closer_and_sees_finer_pictures_at_its_end(
    torch_model: TorchModel, people: People, covered: CoveredPhoto, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted, start = tensors(to_images([crop(people.photo, covered.quads[0], 256)]), covered.codes)
    sizes = []
    preview = torch_model.preview

    def spied(codes: Tensor, size: int) -> Tensor:
        sizes.append(size)
        return preview(codes, size)

    monkeypatch.setattr(torch_model, "preview", spied)
    heard: list[tuple[int, int]] = []
    refined = refine(torch_model, wanted, start, 5, lambda done, total: heard.append((done, total)))
    assert sizes == [128] * 3 + [256] * 2
    assert heard == [(step, 5) for step in range(1, 6)]

    def distance(codes: Tensor) -> float:
        made = F.interpolate(torch_model.synthesize(codes), (256, 256), mode="area")
        return float(F.mse_loss(made, wanted))

    assert distance(refined) < 0.9 * distance(start)
    assert not refined.requires_grad


@pytest.mark.parametrize("steps", [1, 10])
def test_any_number_of_steps(steps: int, default_model: FaceModel) -> None:
    """The schedule of the learning rate has no gap, such as a division by zero at ten steps."""
    grey = np.zeros((1, 3, 128, 128), np.float32)
    codes = default_model.encode(grey, steps=steps)
    assert np.isfinite(codes).all()
    assert not np.array_equal(codes, default_model.encode(grey, steps=0))


def test_one_step_of_refinement_is_one_and_none_is_refused(torch_model: TorchModel) -> None:
    grey = torch.zeros(1, 3, 128, 128)
    refined = refine(torch_model, grey, torch_model.average[None], 1)
    assert torch.isfinite(refined).all()
    assert not torch.equal(refined, torch_model.average[None])
    with pytest.raises(ValueError, match="at least 1"):
        refine(torch_model, grey, torch_model.average[None], 0)


def test_descent_is_not_misled_by_what_previews_lack(
    default_model: FaceModel, covered: CoveredPhoto, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A picture that the generator made has its codes already; those of its preview would be others."""
    start = covered.codes
    wanted = default_model.synthesize(start).clip(-1, 1)

    def off() -> float:
        made = default_model.synthesize(default_model._descend(wanted, start, 12, models_descent.LOOSE))
        ours, theirs = (F.interpolate(one, (128, 128), mode="area") for one in tensors(made, wanted))
        return float(F.mse_loss(ours, theirs))

    after = off()
    monkeypatch.setattr(models_descent, "_CHECKS", ())
    assert after < 0.75 * off()


def test_the_key_face_is_kept_in_mind_while_reading(
    default_model: FaceModel, people: People, portrait: CoveredPhoto
) -> None:
    """Styles that a picture leaves open are assumed to be like the key face's."""
    picture = to_images([crop(portrait.pixels, portrait.quads[0], 256)])
    mask = portrait.mask
    kept = [layer for layer in range(16) if layer not in mask.layers]
    wrong = invert(people.bea, default_model)

    def off(codes: Floats) -> float:
        return codes_apart(codes[:, kept], portrait.codes[:, kept])

    seen = default_model.encode(picture, steps=4)
    assert off(read(picture, portrait.codes, default_model, mask, steps=4)) < 0.6 * off(seen)
    # A wrong key misleads the search, but the picture counts as well.
    assert off(seen) < off(read(picture, wrong, default_model, mask, steps=4)) < 1.2 * off(wrong)


def test_a_model_without_descent_reads_as_it_encodes(
    default_model: FaceModel, portrait: CoveredPhoto, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Effort is only for models made for it; pSp's encoders are not."""
    picture, key = to_images([portrait.pixels]), np.zeros_like(portrait.codes)
    seen = default_model.encode(picture, steps=0)
    assert not np.array_equal(read(picture, key, default_model, portrait.mask), seen)
    monkeypatch.setattr(default_model, "steps", 0)
    np.testing.assert_array_equal(read(picture, key, default_model, portrait.mask), seen)


def test_refinement_reaches_the_photo(default_model: FaceModel, people: People, covered: CoveredPhoto) -> None:
    refined = cover(people.photo, default_model, key_face="some stand-in", refine_steps=2)
    assert 0 < codes_apart(refined.codes, covered.codes) < 0.5 * float(np.linalg.norm(covered.codes))
    assert not np.array_equal(refined.pixels, covered.pixels)
    outside = ~within(covered.quads, people.photo)
    np.testing.assert_array_equal(refined.pixels[outside], people.photo[outside])


def test_matting_takes_the_hair_in(default_model: FaceModel, people: People, covered: CoveredPhoto) -> None:
    matted = cover(people.photo, default_model, key_face="some stand-in", matting=True)
    outside = ~within(covered.quads, people.photo)
    np.testing.assert_array_equal(matted.pixels[outside], people.photo[outside])
    with_hair, without = ((one.pixels != people.photo).any(2) for one in (matted, covered))
    assert (with_hair & ~without).sum() > 0.02 * without.sum()


# ---- and back


def test_portrait_is_recovered_with_the_right_key_only(
    default_model: FaceModel, portrait: CoveredPhoto, uncovered: dict[Form, tuple[UncoveredPhoto, UncoveredPhoto]]
) -> None:
    right, wrong = uncovered["portrait"]
    assert right.form == wrong.form == "portrait"
    assert right.pixels.shape == portrait.pixels.shape
    sender = portrait.codes
    distance = {
        name: codes_apart(invert(pixels, default_model), sender)
        for name, pixels in (("right", right.pixels), ("wrong", wrong.pixels), ("fake", portrait.pixels))
    }
    assert distance["right"] < 0.8 * distance["wrong"]
    assert distance["right"] < 0.95 * distance["fake"]  # which looks ahead as the sender does
    here = centre(portrait.pixels)
    assert apart(right.pixels[here], wrong.pixels[here]) > 8


def test_photo_is_recovered_in_place(
    people: People, covered: CoveredPhoto, uncovered: dict[Form, tuple[UncoveredPhoto, UncoveredPhoto]]
) -> None:
    right, wrong = uncovered["photo"]
    assert right.form == wrong.form == "photo"
    assert right.mask == covered.mask
    assert right.warnings == ()
    outside = ~within(covered.quads, people.photo)
    here = centre(people.photo)
    for one in (right, wrong):
        # Landmarks of the fake differ a little from the original's, and the quad with them.
        assert (one.pixels[outside] == people.photo[outside]).all(1).mean() > 0.97
        assert apart(one.pixels[here], covered.pixels[here]) > 4
        assert len(detect_faces(one.pixels)) == 1
    assert apart(right.pixels[here], wrong.pixels[here]) > 4


@pytest.mark.parametrize("format", get_args(Format))
@pytest.mark.parametrize("form", get_args(Form))
def test_recovery_survives_files(
    format: Format,
    form: Form,
    default_model: FaceModel,
    people: People,
    covered: CoveredPhoto,
    portrait: CoveredPhoto,
    uncovered: dict[Form, tuple[UncoveredPhoto, UncoveredPhoto]],
) -> None:
    """A file's compression changes the result less than another key does."""
    sent = covered if form == "photo" else portrait
    arrived = read_picture(encode_picture(sent.pixels, format, quality=85, ai_made=True)).pixels
    recovered = undo(arrived, people.ann, default_model)
    assert recovered.form == form
    here = centre(sent.pixels)
    direct, wrong = (one.pixels[here] for one in uncovered[form])
    assert apart(recovered.pixels[here], direct) < apart(wrong, direct)


def test_portraits_of_any_size_are_recognised(default_model: FaceModel, people: People, portrait: CoveredPhoto) -> None:
    small = np.asarray(cv2.resize(portrait.pixels, (300, 300), interpolation=cv2.INTER_AREA), np.uint8)
    recovered = undo(small, people.ann, default_model)
    assert (recovered.form, recovered.pixels.shape) == ("portrait", (300, 300, 3))


def test_portraits_are_told_from_square_photos(default_model: FaceModel, people: People) -> None:
    for seed in range(2):
        made = to_pixels(default_model.synthesize(stand_in(default_model, seed, default_model.latent_avg[None])))[0]
        small = np.asarray(cv2.resize(made, (256, 256), interpolation=cv2.INTER_AREA), np.uint8)
        assert undo(small, people.ann, default_model).form == "portrait"
    square = people.photo[:280, :280]  # nearly an aligned square, but the face is off its centre
    assert undo(square, people.ann, default_model).form == "photo"


def test_the_largest_of_several_is_recovered_unless_one_is_picked(default_model: FaceModel, people: People) -> None:
    larger = cv2.resize(people.group[:, 280:], None, fx=1.3, fy=1.3, interpolation=cv2.INTER_CUBIC)
    picture = np.full((larger.shape[0], 280 + larger.shape[1], 3), 128, np.uint8)
    picture[:260, :280], picture[:, 280:] = people.group[:, :280], larger
    ann, bea = (face_quad(face.landmarks) for face in detect_faces(picture))
    for face, quad, warns in ((None, bea, True), (2, bea, False), (1, ann, False)):
        recovered = undo(picture, people.ann, default_model, face=face)
        changed = (recovered.pixels != picture).any(2)
        assert changed.any()
        assert not changed[~within((quad,), picture)].any()
        assert bool(recovered.warnings) == warns


def test_what_cannot_be_recovered(default_model: FaceModel, people: People) -> None:
    nobody = np.full((100, 100, 3), 128, np.uint8)
    with pytest.raises(FaceError, match="in the picture"):
        undo(nobody, people.ann, default_model)
    with pytest.raises(FaceError, match="in the key face photo"):
        prepare_key([nobody], default_model)
    with pytest.raises(FaceError, match="no face 2"):
        undo(people.photo, people.ann, default_model, face=2)
    with pytest.raises(InputError):
        undo(people.photo, people.ann, default_model, mask=LayerMask.photo(18))


# ---- photographs


def test_astronaut(default_model: FaceModel) -> None:
    """A photograph of a real person, surrounded by a helmet and a flag."""
    pixels: Pixels = pytest.importorskip("skimage.data").astronaut()
    fake = cover(pixels, default_model, key_face="some stand-in")
    assert len(fake.found) == len(fake.quads) == 1
    outside = ~within(fake.quads, pixels)
    np.testing.assert_array_equal(fake.pixels[outside], pixels[outside])
    assert apart(fake.pixels[centre(pixels)], pixels[centre(pixels)]) > 8
    assert len(detect_faces(fake.pixels)) == 1


@pytest.mark.parametrize("name", ["female-12", "male-07", "male-32"])
def test_photos_as_phones_take_them(name: str, shared: Path, default_model: FaceModel) -> None:
    pixels = read_picture(shared / "faces" / "photos" / f"{name}.jpg").pixels
    fake = cover(pixels, default_model, key_face="some stand-in")
    outside = ~within(fake.quads, pixels)
    np.testing.assert_array_equal(fake.pixels[outside], pixels[outside])
    here = centre(pixels)
    assert apart(fake.pixels[here], pixels[here]) > 8
    back = undo(fake.pixels, pixels, default_model)
    assert back.form == "photo"
    assert apart(back.pixels[here], fake.pixels[here]) > 4


def test_another_photo_of_the_sender_is_the_key(shared: Path, default_model: FaceModel) -> None:
    """Two photos each of two people: the result shows whose key was used."""
    names = ["001", "009"]
    read = [
        [read_picture(shared / "faces" / "pairs" / f"{name}-{look}.jpg").pixels for look in ("neutral", "smiling")]
        for name in names
    ]
    for i, (photo, key) in enumerate(read):
        sent = cover(photo, default_model, key_face="some stand-in", form="portrait", steps=effort.KEY_STEPS)
        right, wrong = (
            codes_apart(invert(undo(sent.pixels, one, default_model).pixels, default_model), sent.codes)
            for one in (key, read[i - 1][1])
        )
        assert right < wrong

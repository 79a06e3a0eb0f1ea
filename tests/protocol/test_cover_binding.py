"""Exact, changed or swapped: what the sketch tolerates and what it does not."""

from __future__ import annotations

import numpy as np
import pytest
import stylecrypt_protocol as sp
from PIL import Image
from stylecrypt_protocol.cover import judge_cover, make_sketch, sketch_bytes

from ..support.sealed_messages import COVER, COVER_IMAGE, FACE, decoded, encoded, painting, pixels


def judge(original: Image.Image, received: Image.Image, face: sp.WireQuad = FACE) -> sp.CoverVerdict:
    """The verdict about a received picture."""
    return judge_cover(
        pixels(received),
        digest=pixels(original).digest,
        sketch=make_sketch(pixels(original), [face]),
        faces=[face],
        width=original.width,
        height=original.height,
    )


REENCODINGS = [("JPEG", 60, 1.0), ("JPEG", 75, 0.5), ("JPEG", 60, 0.5), ("WEBP", 60, 1.0), ("WEBP", 60, 0.5)]


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize(("kind", "quality", "scale"), REENCODINGS)
def test_a_changed_copy_is_recognised(seed: int, kind: str, quality: int, scale: float) -> None:
    original = painting(seed)
    size = (round(original.width * scale), round(original.height * scale))
    copy = decoded(encoded(original.resize(size, Image.Resampling.LANCZOS), kind, quality=quality))
    assert judge(original, copy) is sp.CoverVerdict.CHANGED


def test_metadata_and_lossless_formats_do_not_matter() -> None:
    for kind, options in (("PNG", {}), ("WEBP", {"lossless": True, "exact": True})):
        assert judge(COVER_IMAGE, decoded(encoded(COVER_IMAGE, kind, **options))) is sp.CoverVerdict.EXACT


TONES = {
    "4 levels lighter": lambda rgb: rgb + 4,
    "4 levels darker": lambda rgb: rgb - 4,
    "2 % darker": lambda rgb: rgb * 0.98,
    "gamma 1.05": lambda rgb: 255 * (rgb / 255) ** (1 / 1.05),
}


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("tone", TONES)
def test_a_copy_that_is_a_little_lighter_or_darker_is_recognised(seed: int, tone: str) -> None:
    original = painting(seed)
    touched = np.rint(TONES[tone](np.asarray(original, np.float64))).clip(0, 255).astype(np.uint8)
    assert judge(original, Image.fromarray(touched)) is sp.CoverVerdict.CHANGED


def test_another_face_with_the_same_coarse_light_is_swapped() -> None:
    """A smooth shift matches the means of eight by eight areas, as a forger might who knows an earlier comparison."""
    original, left, top, side = COVER_IMAGE, 60, 40, 128
    for seed in range(2, 12):
        forged = np.asarray(original, np.float64).copy()
        face = np.asarray(painting(seed).crop((left, top, left + side, top + side)), np.float64)
        wanted = np.asarray(original.crop((left, top, left + side, top + side)), np.float64)
        for _ in range(60):
            off = (wanted - face).reshape(8, 16, 8, 16, 3).mean((1, 3))
            smooth = [
                Image.fromarray(off[..., c].astype(np.float32)).resize((side, side), Image.Resampling.BICUBIC)
                for c in range(3)
            ]
            face = (face + np.stack([np.asarray(one) for one in smooth], 2)).clip(0, 255)
        assert np.abs((wanted - face).reshape(8, 16, 8, 16, 3).mean((1, 3))).max() < 12
        forged[top : top + side, left : left + side] = face
        assert judge(original, Image.fromarray(np.rint(forged).astype(np.uint8))) is sp.CoverVerdict.SWAPPED


def test_other_pictures_are_swapped() -> None:
    for seed in range(2, 60):
        assert judge(COVER_IMAGE, painting(seed)) is sp.CoverVerdict.SWAPPED


def test_another_face_in_the_same_photo_is_swapped() -> None:
    for seed in range(2, 60):
        swapped = COVER_IMAGE.copy()
        swapped.paste(painting(seed).crop((60, 40, 188, 168)), (60, 40))
        assert judge(COVER_IMAGE, swapped) is sp.CoverVerdict.SWAPPED


def test_turned_mirrored_cropped_and_stretched_are_swapped() -> None:
    for changed in (
        COVER_IMAGE.transpose(Image.Transpose.ROTATE_180),
        COVER_IMAGE.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
        COVER_IMAGE.transpose(Image.Transpose.ROTATE_90),
        COVER_IMAGE.crop((40, 30, 320, 240)),
        COVER_IMAGE.resize((320, 120)),
        COVER_IMAGE.resize((1, 1)),
    ):
        assert judge(COVER_IMAGE, changed) is sp.CoverVerdict.SWAPPED


def test_even_pictures_are_only_accepted_exactly() -> None:
    grey, other = Image.new("RGB", (320, 240), (100, 100, 100)), Image.new("RGB", (320, 240), (104, 104, 104))
    assert judge(grey, grey) is sp.CoverVerdict.EXACT
    assert judge(grey, other) is sp.CoverVerdict.SWAPPED


def test_a_sketch_of_known_pixels() -> None:
    left_black = np.zeros((16, 16, 3), np.uint8)
    left_black[:, 8:] = 255
    face = sp.WireQuad.from_pixels([(8, 0), (8, 8), (16, 8), (16, 0)])
    sketch = make_sketch(pixels(Image.fromarray(left_black)), [face])
    assert sketch == bytes.fromhex("00000000ffffffff" * 8 + "ff" * 64)
    for side, cells in ((127, 8), (128, 16), (255, 16), (256, 32)):
        face = sp.WireQuad.from_pixels([(0, 0), (0, side), (side, side), (side, 0)])
        wide = pixels(COVER_IMAGE.resize((400, 300)))
        assert len(make_sketch(wide, [face])) == sketch_bytes([face], 400, 300) == 64 + cells**2
    outside = sp.WireQuad.from_pixels([(-300, 0), (-300, 300), (8, 300), (8, 0)])
    assert len(make_sketch(wide, [outside])) == 64 + 64


@pytest.mark.parametrize(
    "corners",
    [
        [(-500, -500), (-500, -400), (-400, -400), (-400, -500)],
        [(1000, 1000), (1000, 1400), (1400, 1400), (1400, 1000)],
        [(5, 5), (5, 5), (5, 5), (5, 5)],
        [(-100, -100), (-100, 900), (900, 900), (900, -100)],
    ],
)
def test_faces_outside_the_picture_and_of_no_size(corners: list[tuple[float, float]]) -> None:
    face = sp.WireQuad.from_pixels(corners)
    copy = decoded(encoded(COVER_IMAGE, "JPEG", quality=90))
    assert judge(COVER_IMAGE, copy, face) is sp.CoverVerdict.CHANGED
    tiny = Image.new("RGB", (1, 3), "red")
    assert judge(tiny, decoded(encoded(tiny, "PNG")), face) is sp.CoverVerdict.EXACT


def test_the_sketch_has_to_fit_the_faces() -> None:
    with pytest.raises(sp.LocalProtocolError, match="sketch"):
        judge_cover(COVER, digest=bytes(32), sketch=bytes(32), faces=[FACE], width=320, height=240)


def test_the_digest_depends_on_the_shape() -> None:
    assert sp.Pixels(width=2, height=1, rgb=bytes(6)).digest != sp.Pixels(width=1, height=2, rgb=bytes(6)).digest


def test_a_view_of_pixels_is_as_good_as_their_bytes() -> None:
    array = np.frombuffer(COVER_IMAGE.tobytes(), np.uint8).reshape(COVER.height, COVER.width, 3)
    view = sp.Pixels(width=COVER.width, height=COVER.height, rgb=memoryview(array))  # type: ignore[arg-type]
    assert view.digest == COVER.digest
    assert make_sketch(view, [FACE]) == make_sketch(COVER, [FACE])
    with pytest.raises(sp.LocalProtocolError, match="bytes of RGB"):
        sp.Pixels(width=COVER.width, height=COVER.height, rgb=memoryview(array[1:]))  # type: ignore[arg-type]

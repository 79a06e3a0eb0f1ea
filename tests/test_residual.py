"""Residuals: the original comes back whatever happens to the cover, at the size promised; hostile bytes get one sentence."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import ExifTags, Image

from stylecrypt_msg.errors import MessageError, ModelError
from stylecrypt_msg.pictures import Format, encode_picture, read_picture
from stylecrypt_msg.residual import MIN_PSNR, pack_faces, pack_styles, restore_faces, unpack_styles

from .support.photographs import as_jpeg, astronaut, psnr, with_fakes


def pieces(data: bytes, height: int, width: int) -> Iterator[tuple[slice, slice]]:
    """The area of each piece."""
    at = 2
    for _ in range(data[1]):
        left, top, columns, rows = (16 * value for value in struct.unpack_from(">4H", data, at))
        at += 8 + -(-columns * rows // 256 // 8)
        at += 4 + int.from_bytes(data[at : at + 4], "big")
        yield slice(top, min(top + rows, height)), slice(left, min(left + columns, width))
    assert at == len(data)


FACES = ((224, 100, 70), (400, 380, 60))


# What comes back


def test_a_jpeg_comes_back_as_it_was_for_what_the_faces_took_up_in_it() -> None:
    file = as_jpeg(astronaut(), quality=90)
    source = read_picture(file)
    covered = with_fakes(source.pixels, *FACES)
    touched = (covered != source.pixels).any(axis=2)
    data = pack_faces(source.pixels, covered, source.jpeg)
    restored = restore_faces(data, covered, 512, 512)
    assert data[1] == len(FACES)
    assert psnr(restored[touched], source.pixels[touched]) > 52
    assert psnr(restored, source.pixels) > 52
    # With whole blocks around small circles, and more detail in faces than in the rest.
    assert len(data) < 2 * touched.mean() * len(file)
    # Without the tables it takes more bytes to be worse.
    without = pack_faces(source.pixels, covered)
    assert len(data) < 0.9 * len(without)
    assert MIN_PSNR <= psnr(restore_faces(without, covered, 512, 512)[touched], source.pixels[touched]) < 52


@pytest.mark.parametrize(("orientation", "turns"), [(3, 2), (6, 1), (8, 3)])
def test_so_does_one_that_the_camera_turned(orientation: int, turns: int) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    stored = np.ascontiguousarray(np.rot90(astronaut()[:, :496], turns))
    source = read_picture(as_jpeg(stored, quality=90, exif=exif))
    assert source.pixels.shape == (512, 496, 3)
    covered = with_fakes(source.pixels, (200, 200, 100))
    touched = (covered != source.pixels).any(axis=2)
    data = pack_faces(source.pixels, covered, source.jpeg)
    assert psnr(restore_faces(data, covered, 496, 512)[touched], source.pixels[touched]) > 49


def test_what_was_not_touched_is_the_covers() -> None:
    original = astronaut()
    covered = with_fakes(original, *FACES)
    shown = 255 - covered
    restored = restore_faces(pack_faces(original, covered), shown, 512, 512)
    far = ~cv2.dilate((covered != original).any(axis=2).astype(np.uint8), np.ones((41, 41), np.uint8)).astype(bool)
    assert far.mean() > 0.5
    assert np.array_equal(restored[far], shown[far])


@pytest.mark.parametrize("way", ["JPEG", "WEBP", "half", "twice", "one pixel off"])
def test_the_faces_come_back_whatever_happened_to_the_cover(way: str) -> None:
    original = astronaut()
    covered = with_fakes(original, *FACES)
    sizes = {"half": (256, 256), "twice": (1024, 1024), "one pixel off": (511, 512)}
    shown = np.asarray(cv2.resize(covered, sizes.get(way, (512, 512)), interpolation=cv2.INTER_AREA), np.uint8)
    shown = read_picture(encode_picture(shown, "WEBP" if way == "WEBP" else "JPEG", quality=60)).pixels
    restored = restore_faces(pack_faces(original, covered), shown, 512, 512)
    touched = (covered != original).any(axis=2)
    assert restored.shape == original.shape
    assert psnr(restored[touched], original[touched]) >= MIN_PSNR
    assert psnr(restored, original) > 25


def test_there_is_no_seam_around_a_region() -> None:
    """JPEG lets colours run over the edge of a region, from what fills up the piece: on red, a line of 55 levels."""
    source = read_picture(as_jpeg(np.full((256, 256, 3), (200, 20, 30), np.uint8), quality=85))
    covered = source.pixels.copy()
    cv2.circle(covered, (128, 128), 50, (128, 128, 128), -1)
    shown = covered + np.uint8(6)  # it came a little lighter
    restored = restore_faces(pack_faces(source.pixels, covered, source.jpeg), shown, 256, 256).astype(int)
    for axis in (0, 1):
        assert np.abs(np.diff(restored, axis=axis)).max() <= 3


@given(st.data())
def test_pictures_of_any_size_and_shape(data: st.DataObject) -> None:
    height, width = data.draw(st.integers(1, 70)), data.draw(st.integers(1, 70))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    original = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    if data.draw(st.booleans()):
        original = np.asarray(cv2.GaussianBlur(original, (0, 0), 3), np.uint8).reshape(original.shape)
    covered = original.copy()
    for _ in range(data.draw(st.integers(0, 3))):
        left, top = data.draw(st.integers(0, width - 1)), data.draw(st.integers(0, height - 1))
        covered[top : top + data.draw(st.integers(1, 30)), left : left + data.draw(st.integers(1, 30))] ^= 255
    packed = pack_faces(original, covered)
    noise = rng.integers(0, 256, original.shape, dtype=np.uint8)  # not even the cover
    restored = restore_faces(packed, noise, width, height)
    touched = (covered != original).any(axis=2)
    for area in pieces(packed, height, width):
        assert psnr(restored[area][touched[area]], original[area][touched[area]]) >= MIN_PSNR
        touched[area] = False
    assert not touched.any()


def test_a_single_pixel_that_jpeg_cannot_hold_comes_back_too() -> None:
    original = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    file = read_picture(encode_picture(original, "JPEG", quality=100)).pixels
    y, x = np.unravel_index(np.abs(file.astype(int) - original).sum(axis=2).argmax(), (64, 64))
    covered = original.copy()
    covered[y, x] ^= 1
    assert psnr(restore_faces(pack_faces(original, covered), covered, 64, 64)[y, x], original[y, x]) >= MIN_PSNR


def test_nothing_changed_nothing_packed() -> None:
    pixels = astronaut()
    assert pack_faces(pixels, pixels) == b"\1\0"
    assert np.array_equal(restore_faces(b"\1\0", pixels, 512, 512), pixels)


def test_close_faces_share_a_piece_and_specks_do_not_run_out_of_them() -> None:
    original = astronaut()
    near = pack_faces(original, with_fakes(original, (200, 200, 60), (280, 280, 60), (60, 450, 40)))
    assert near[1] == 2
    specks = original.copy()
    specks[8::32, 8::32] ^= 64  # 256, where 128 pieces are the most
    data = pack_faces(original, specks)
    assert data[1] == 1
    assert psnr(restore_faces(data, specks, 512, 512), original) > MIN_PSNR


# The bytes, and hostile ones


def face_piece(box: tuple[int, ...], blocks: bytes, file: bytes) -> bytes:
    return struct.pack(">4H", *box) + blocks + struct.pack(">I", len(file)) + file


def test_as_the_annex_says() -> None:
    """A residual written by hand: SPEC.md, annex A.2."""
    rng = np.random.default_rng(0)
    cover, first, second = (
        rng.integers(0, 256, shape, dtype=np.uint8) for shape in ((40, 60, 3), (40, 32, 3), (16, 12, 3))
    )
    data = b"\1\2"
    data += face_piece((0, 0, 2, 3), bytes([0b10110100]), encode_picture(first, "PNG"))
    data += face_piece((3, 1, 1, 1), bytes([0b10000000]), encode_picture(second, "PNG"))

    expected = cover.astype(float)
    for piece, top, left, blocks in ((first, 0, 0, [(0, 0), (1, 0), (1, 1), (2, 1)]), (second, 16, 48, [(0, 0)])):
        inside = {
            (y, x)
            for row, column in blocks
            for y in range(top + 16 * row, min(top + 16 * row + 16, 40))
            for x in range(left + 16 * column, min(left + 16 * column + 16, 60))
        }
        outside = np.array([place for place in np.ndindex(40, 60) if place not in inside])
        for y, x in inside:
            weight = min(np.abs(outside - (y, x)).max(axis=1).min() / 5, 1)
            expected[y, x] = weight * piece[y - top, x - left] + (1 - weight) * cover[y, x]
    assert np.abs(restore_faces(data, cover, 60, 40) - expected).max() < 0.51


PIECE = encode_picture(np.full((16, 32, 3), 90, np.uint8), "PNG")
WHOLE = b"\1\1" + face_piece((1, 0, 2, 1), b"\xc0", PIECE)


def refusal(data: bytes) -> str:
    with pytest.raises(MessageError) as caught:
        restore_faces(data, np.zeros((40, 60, 3), np.uint8), 60, 40)
    message = str(caught.value)
    assert message.endswith(".")
    assert "\n" not in message
    assert caught.value.hint
    assert caught.value.exit_code == 1
    return message


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "too early"),
        (b"\2" + WHOLE[1:], "version 2"),
        (WHOLE[:-1], "too early"),
        (WHOLE[:5], "too early"),
        (b"\1", "too early"),
        (b"\1\2" + WHOLE[2:], "too early"),
        (WHOLE + b"\0", "too many"),
        (b"\1\0" + WHOLE[2:], "too many"),
        (b"\1\x81", "129 face regions"),
        (b"\1\2" + WHOLE[2:] * 2, "over another"),
        (b"\1\1" + face_piece((3, 0, 2, 1), b"\xc0", PIECE), "outside"),
        (b"\1\1" + face_piece((65535, 65535, 65535, 65535), b"\xc0", PIECE), "outside"),
        (b"\1\1" + face_piece((0, 0, 0, 1), b"", PIECE), "empty"),
        (b"\1\1" + face_piece((1, 0, 2, 1), b"\xc8", PIECE), "map"),
        (b"\1\1" + face_piece((1, 0, 1, 1), b"\x80", PIECE), "not a picture of its size"),
        (b"\1\1" + face_piece((1, 0, 2, 1), b"\xc0", b""), "not a picture of its size"),
        (b"\1\1" + face_piece((1, 0, 2, 1), b"\xc0", PIECE[:-40]), "not a picture of its size"),
    ],
)
def test_what_is_wrong_is_said(data: bytes, why: str) -> None:
    assert why in refusal(data)


def test_pieces_are_what_we_write() -> None:
    pixels = np.full((16, 32, 3), 90, np.uint8)
    formats: tuple[Format, ...] = ("JPEG", "PNG", "WEBP")
    for format in formats:
        file = encode_picture(pixels, format)
        restore_faces(b"\1\1" + face_piece((1, 0, 2, 1), b"\xc0", file), np.zeros((40, 60, 3), np.uint8), 60, 40)
    for other in ("GIF", "BMP", "TIFF"):
        stream = io.BytesIO()
        Image.fromarray(pixels).save(stream, other)
        assert "not a picture" in refusal(b"\1\1" + face_piece((1, 0, 2, 1), b"\xc0", stream.getvalue()))


@given(st.data())
def test_any_bytes_give_pixels_or_a_message_error(data: st.DataObject) -> None:
    jpeg = b"\1\1" + face_piece((1, 0, 2, 1), b"\xc0", encode_picture(np.full((16, 32, 3), 90, np.uint8), "JPEG"))
    damaged = bytearray(data.draw(st.one_of(st.binary(max_size=40), st.sampled_from([WHOLE, jpeg]))))
    for _ in range(data.draw(st.integers(0, 3)) if damaged else 0):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    del damaged[data.draw(st.integers(0, len(damaged))) :]
    try:
        restored = restore_faces(bytes(damaged), np.zeros((40, 60, 3), np.uint8), 60, 40)
    except MessageError:
        return
    assert restored.shape == (40, 60, 3)
    assert restored.dtype == np.uint8


# Style vectors


def test_styles_come_back_as_float16() -> None:
    rng = np.random.default_rng(0)
    codes = rng.normal(0, 2, (2, 18, 512)).astype(np.float32)
    landmarks = rng.uniform(-20, 4000, (2, 5, 2)).astype(np.float32)
    data = pack_styles(codes, landmarks)
    assert len(data) == 1 + 2 * (5 * 2 * 4 + 18 * 512 * 2)
    back, places = unpack_styles(data, 2, 18, 512)
    assert back.dtype == np.float16
    assert np.array_equal(back, codes.astype(np.float16))
    assert np.abs(places - landmarks).max() <= 1 / 128
    assert pack_styles(back, places) == data


def test_styles_as_the_annex_says() -> None:
    """SPEC.md, annex A.1: big-endian landmarks, little-endian numbers."""
    data = b"\1" + struct.pack(">10i", *range(-64, 576, 64)) + struct.pack("<6e", 0.5, -1, 2, 1.5, 0, 65504)
    codes, landmarks = unpack_styles(data, 1, 2, 3)
    assert codes.tolist() == [[[0.5, -1, 2], [1.5, 0, 65504]]]
    assert landmarks.tolist() == [[[-1, 0], [1, 2], [3, 4], [5, 6], [7, 8]]]
    assert pack_styles(codes, landmarks) == data


def test_styles_that_do_not_fit_are_refused() -> None:
    landmarks = np.zeros((1, 5, 2), np.float32)
    data = pack_styles(np.ones((1, 2, 3)), landmarks)
    for faces, styles, dim in ((2, 2, 3), (1, 3, 3), (1, 2, 4), (0, 2, 3)):
        with pytest.raises(MessageError, match="residual"):
            unpack_styles(data, faces, styles, dim)
    for bad in (b"", b"\2" + data[1:], data[:-1], data + b"\0"):
        with pytest.raises(MessageError):
            unpack_styles(bad, 1, 2, 3)
    for number in (np.inf, -np.inf, np.nan):
        with pytest.raises(MessageError, match="finite"):
            unpack_styles(data[:-2] + np.float16(number).tobytes(), 1, 2, 3)
    with pytest.raises(MessageError, match="greater than or equal"):
        unpack_styles(data[:1] + struct.pack(">i", -(2**31)) + data[5:], 1, 2, 3)
    for value in (1e6, np.nan):
        with pytest.raises(ModelError, match="16-bit"):
            pack_styles(np.full((1, 2, 3), value, np.float32), landmarks)


@given(st.binary(max_size=60))
def test_any_bytes_give_styles_or_a_message_error(data: bytes) -> None:
    try:
        codes, landmarks = unpack_styles(data, 1, 1, 2)
    except MessageError:
        return
    assert codes.shape == (1, 1, 2)
    assert np.isfinite(landmarks).all()

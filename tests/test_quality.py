"""The file of a cover: as large as the photo's and a tenth more, whatever travels with it, and without the camera's tables."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from stylecrypt_msg import quality as quality_module
from stylecrypt_msg.cipher import cover
from stylecrypt_msg.models import FaceModel
from stylecrypt_msg.pictures import Format, Pixels, encode_picture, read_picture
from stylecrypt_msg.quality import fit_cover
from stylecrypt_msg.residual import MIN_PSNR, pack_faces, restore_faces

from .support.photographs import as_jpeg, astronaut, psnr, source_of


def test_a_cover_is_written_as_its_source_where_that_fits() -> None:
    file = as_jpeg(astronaut(), quality=90)
    source, covered, residual = source_of(file)
    written = fit_cover(source, covered, "JPEG", source_bytes=len(file), extra_bytes=len(residual), ai_made=True)
    assert read_picture(written).jpeg == source.jpeg
    assert read_picture(written).dropped == ("XMP",)
    assert len(written) + len(residual) <= 1.1 * len(file)
    assert psnr(restore_faces(residual, read_picture(written).pixels, 512, 512), source.pixels) > 48


def quantised(file: bytes) -> list[list[int]]:
    with Image.open(io.BytesIO(file)) as image:
        return [list(table) for table in image.quantization.values()]  # type: ignore[attr-defined]


@pytest.mark.parametrize("extra", [0.05, 0.4])
@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:2", "4:2:0"])
def test_a_cover_does_not_tell_which_camera_took_it(subsampling: str, extra: float) -> None:
    """A camera's tables, which no program has, stay with what is sealed; so does its sampling of colours."""
    camera = [[1 + (i // 8 + i % 8) * 3 // (3 - table) + i % 3 for i in range(64)] for table in (0, 1)]
    file = as_jpeg(astronaut(), qtables=camera, subsampling=subsampling)
    source, covered, residual = source_of(file)
    assert source.jpeg is not None
    assert quantised(file) == camera
    written = fit_cover(source, covered, "JPEG", source_bytes=len(file), extra_bytes=int(extra * len(file)))
    standard = [quantised(as_jpeg(covered[:8, :8], quality=quality)) for quality in range(1, 101)]
    assert quantised(written) in standard
    shown = read_picture(written)
    assert shown.jpeg is not None
    assert shown.jpeg.subsampling == ("4:4:4" if subsampling == "4:4:4" else "4:2:0")
    assert len(written) <= (1.1 - extra) * len(file)
    # About as strong: what is left of the photo is as good, where there is room for it.
    if extra < 0.1:
        assert 0.8 * len(file) < len(written)
    # Not so the sealed part: with those tables, the face is as it was.
    touched = (covered != source.pixels).any(axis=2)
    assert psnr(restore_faces(residual, covered, 512, 512)[touched], source.pixels[touched]) > 52


def test_the_cover_of_a_camera_file_has_standard_tables(shared: Path) -> None:
    file = (shared / "files" / "camera-quantisation-tables.jpg").read_bytes()
    source, covered, residual = source_of(file)
    written = fit_cover(source, covered, "JPEG", source_bytes=len(file), extra_bytes=len(residual))
    assert quantised(written) in [quantised(as_jpeg(covered[:8, :8], quality=quality)) for quality in range(75, 101)]


@pytest.mark.parametrize("extra", [0.0, 0.2, 0.35])
def test_a_large_cover_is_written_twice_at_most(extra: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Samples tell how large it will be; they are as good for what lies between."""
    tiles = [np.hstack([astronaut()[:, ::flip] for flip in (1, -1, 1, 1)]) for _ in range(3)]
    file = as_jpeg(np.vstack([tile[::flip] for tile, flip in zip(tiles, (1, -1, 1), strict=True)]), quality=90)
    source = read_picture(file)
    encoded = []

    def counting(pixels: Pixels, *args: Any, **options: Any) -> bytes:
        encoded.append(pixels.shape == source.pixels.shape)
        return encode_picture(pixels, *args, **options)

    monkeypatch.setattr(quality_module, "encode_picture", counting)
    extra_bytes = int(extra * len(file))
    written = fit_cover(source, source.pixels, "JPEG", source_bytes=len(file), extra_bytes=extra_bytes)
    assert sum(encoded) <= 2
    assert 0.93 * min(1.1 - extra, 1) < len(written) / len(file) <= 1.1 - extra


@pytest.mark.parametrize("format", ["JPEG", "WEBP"])
def test_a_cover_makes_room_for_the_rest(format: Format) -> None:
    file = as_jpeg(astronaut(), quality=90)
    source, covered, _ = source_of(file)

    def written(extra: float) -> bytes:
        return fit_cover(source, covered, format, source_bytes=len(file), extra_bytes=int(extra * len(file)))

    # With more to carry the cover gets smaller, never much smaller than it must, and never worse than quality 75.
    for extra in (0.3, 0.4):
        assert 0.85 * (1.1 - extra) < len(written(extra)) / len(file) <= 1.1 - extra
    least = encode_picture(covered, format, quality=75, subsampling="4:2:0")
    assert written(0.9) == written(5) == least


def test_a_webp_comes_back_for_what_it_took_up_in_it() -> None:
    file = encode_picture(astronaut(), "WEBP", quality=85)
    source, covered, residual = source_of(file)
    written = fit_cover(source, covered, "WEBP", source_bytes=len(file), extra_bytes=len(residual))
    assert len(written) + len(residual) <= 1.1 * len(file)
    restored = restore_faces(residual, read_picture(written).pixels, 512, 512)
    touched = (covered != source.pixels).any(axis=2)
    assert psnr(restored[touched], source.pixels[touched]) >= MIN_PSNR
    assert len(residual) < 4 * touched.mean() * len(file)


def test_a_png_stays_exact() -> None:
    file = encode_picture(astronaut(), "PNG")
    source, covered, residual = source_of(file)
    written = fit_cover(source, covered, "PNG", source_bytes=len(file), extra_bytes=len(residual))
    assert np.array_equal(read_picture(written).pixels, covered)
    assert len(written) + len(residual) <= 1.1 * len(file)


@pytest.mark.parametrize("name", ["female-22", "male-22", "male-47"])
def test_ten_percent_more_than_the_photo(name: str, shared: Path, default_model: FaceModel) -> None:
    file = (shared / "faces" / "photos" / f"{name}.jpg").read_bytes()
    source = read_picture(file)
    covered = cover(source.pixels, default_model, key_face="somebody").pixels
    residual = pack_faces(source.pixels, covered, source.jpeg)
    written = fit_cover(source, covered, "JPEG", source_bytes=len(file), extra_bytes=len(residual), ai_made=True)
    assert len(written) + len(residual) <= 1.1 * len(file)
    restored = restore_faces(residual, read_picture(written).pixels, 1024, 1024)
    touched = (covered != source.pixels).any(axis=2)
    assert psnr(restored[touched], source.pixels[touched]) > 54
    assert psnr(restored, source.pixels) > 40

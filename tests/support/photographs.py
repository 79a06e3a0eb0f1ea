"""A photograph with other faces in it, as files, and how far pictures are apart."""

from __future__ import annotations

import io

import cv2
import numpy as np
import pytest
from PIL import Image

from stylecrypt_msg.pictures import Picture, Pixels, read_picture
from stylecrypt_msg.residual import pack_faces


def astronaut() -> Pixels:
    pixels: Pixels = pytest.importorskip("skimage.data").astronaut()
    return pixels


def as_jpeg(pixels: Pixels, **options: object) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", **options)
    return file.getvalue()


def with_fakes(pixels: Pixels, *faces: tuple[float, float, float]) -> Pixels:
    """``pixels`` with other faces, soft at their edge, at (x, y, radius) each."""
    y, x = np.mgrid[: pixels.shape[0], : pixels.shape[1]]
    fake = cv2.GaussianBlur(np.ascontiguousarray(pixels[::-1, ::-1]), (0, 0), 2).astype(float)
    weight = np.zeros(pixels.shape[:2])
    for left, top, radius in faces:
        weight = np.maximum(weight, np.clip(3 - 3 * np.hypot(x - left, y - top) / radius, 0, 1))
    return np.rint(pixels + weight[..., None] * (fake - pixels)).astype(np.uint8)


def psnr(a: Pixels, b: Pixels) -> float:
    return float(10 * np.log10(255**2 / max(1e-9, float(np.mean((a.astype(float) - b) ** 2)))))


def source_of(file: bytes) -> tuple[Picture, Pixels, bytes]:
    source = read_picture(file)
    covered = with_fakes(source.pixels, (224, 100, 70))
    return source, covered, pack_faces(source.pixels, covered, source.jpeg)

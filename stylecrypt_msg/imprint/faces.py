"""Turns the true faces of a photo into small pictures, and pastes them back into its cover. SPEC.md, annex B.4."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from stylecrypt_protocol import IMPRINT_CELLS, MAX_IMPRINT_FACES, ImprintedFace

from ..errors import MessageError
from ..pictures import Pixels

__all__ = ["LEAST_BYTES", "paste_faces", "small_faces"]


LEAST_BYTES = 300
"""The fewest bytes for a face: with less, nobody can be recognised."""

_LEAST_PSNR = 26.0  # dB of a small picture against the face: with less, faces are distorted, and smiles become grimaces
_SIDES = (64, 96, 128, 192, 256)  # px on the longer side of a small picture
_MAX_SIDE = 512  # of one that we read
_FEATHER = 0.6  # cells from the edge of a face within which it fades into the cover
_FINE = 8  # samples along a cell's side in which to look for changes
_HEAD = 20  # bytes of a WebP file before the frame


def small_faces(original: Pixels, cover: Pixels, room: int) -> tuple[tuple[ImprintedFace, ...], int]:
    """The regions where ``original`` and ``cover``, both (H, W, 3) uint8, differ, as pictures of ``room`` bytes together; and
    how many regions did not fit. Larger regions get more bytes."""
    cell = max(original.shape[:2]) / IMPRINT_CELLS
    boxes = _boxes(_changed_cells(original, cover, cell))
    boxes.sort(key=lambda box: int(box[1].sum()), reverse=True)
    used = min(len(boxes), MAX_IMPRINT_FACES, room // LEAST_BYTES)
    shares = np.sqrt([chosen.sum() for _, chosen in boxes[:used]])
    faces: list[ImprintedFace] = []
    for number, ((left, top, columns, rows), chosen) in enumerate(boxes[:used]):
        given = int(room * shares[number] / shares[number:].sum())
        head = ImprintedFace(
            left=left, top=top, columns=columns, rows=rows, cells=np.packbits(chosen).tobytes(), picture=b"\0"
        )
        area = _area(left, top, columns, rows, cell, original.shape)
        piece = _calmed(_reduced(original[area], _SIDES[-1]), chosen)
        picture = _closest(piece, given - len(head.to_bytes()) + 1)
        if picture is None:
            break
        faces.append(head.model_copy(update={"picture": picture}))
        room -= len(faces[-1].to_bytes())
    return tuple(faces), len(boxes) - len(faces)


def paste_faces(cover: Pixels, faces: Sequence[ImprintedFace]) -> Pixels:
    """Pastes the true faces seamlessly over the ``cover``, (H, W, 3) uint8 of any size.

    Raises:
        MessageError: a face is not a picture, or is too large.
    """
    result = cover.copy()
    cell = max(cover.shape[:2]) / IMPRINT_CELLS
    for face in faces:
        area = _area(face.left, face.top, face.columns, face.rows, cell, cover.shape)
        under = result[area]
        if not under.size:
            continue
        bits = np.unpackbits(np.frombuffer(face.cells, np.uint8), count=face.columns * face.rows)
        chosen = bits.reshape(face.rows, face.columns)
        size = under.shape[1], under.shape[0]
        picture = cv2.resize(_decoded(face.picture), size, interpolation=cv2.INTER_CUBIC)
        result[area] = cv2.blendLinear(picture, under, *_weights(chosen, size, cell))
    return result


def _weights(chosen: NDArray[np.uint8], size: tuple[int, int], cell: float) -> tuple[NDArray[np.float32], ...]:
    """The weights of the face and of the cover in each pixel of a box."""
    region = cv2.resize(chosen, size, interpolation=cv2.INTER_NEAREST)
    around = np.pad(region, 1)  # the box's border is an edge
    depth = cv2.distanceTransform(around, cv2.DIST_L2, 3)[1:-1, 1:-1]
    weight = np.minimum(depth / (_FEATHER * cell), 1).astype(np.float32)
    weight = np.asarray(weight * weight * (3 - 2 * weight), np.float32)
    return weight, 1 - weight


def _changed_cells(original: Pixels, cover: Pixels, cell: float) -> NDArray[np.uint8]:
    """(rows, columns): 1 in cells where the pictures differ, and next to them."""
    height, width = original.shape[:2]
    changed = cv2.transform(cv2.absdiff(original, cover), np.ones((1, 3), np.float32)).astype(np.float32)
    size = max(round(_FINE * width / cell), 1), max(round(_FINE * height / cell), 1)
    fine = (cv2.resize(changed, size, interpolation=cv2.INTER_AREA) > 0).astype(np.uint8)
    reach = 2 * math.ceil(_FEATHER * _FINE) + 1
    near = cv2.dilate(fine, np.ones((reach, reach), np.uint8))
    near = np.pad(near, ((0, -size[1] % _FINE), (0, -size[0] % _FINE)))
    blocks = near.reshape(near.shape[0] // _FINE, _FINE, near.shape[1] // _FINE, _FINE)
    return np.asarray(blocks.max((1, 3)), np.uint8)


def _boxes(cells: NDArray[np.uint8]) -> list[tuple[tuple[int, int, int, int], NDArray[np.uint8]]]:
    """Left, top, columns and rows of each region's box, and which cells of the box belong to the region."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(cells)
    found = []
    for label in range(1, count):
        left, top, columns, rows = (int(value) for value in stats[label, :4])
        found.append(
            (
                (left, top, columns, rows),
                (labels[top : top + rows, left : left + columns] == label).astype(np.uint8),
            )
        )
    return found


def _area(left: int, top: int, columns: int, rows: int, cell: float, shape: tuple[int, ...]) -> tuple[slice, slice]:
    """The pixels of a box of cells, clipped to the picture."""
    height, width = shape[:2]
    return (
        slice(min(round(top * cell), height), min(round((top + rows) * cell), height)),
        slice(min(round(left * cell), width), min(round((left + columns) * cell), width)),
    )


def _calmed(piece: Pixels, chosen: NDArray[np.uint8]) -> Pixels:
    """A piece of the original in which only the ``chosen`` cells cost bytes: the rest continues smoothly from them."""
    size = piece.shape[1], piece.shape[0]
    reach = max(round(0.75 * size[0] / chosen.shape[1]), 1)
    inside = cv2.resize(chosen.astype(np.float32), size, interpolation=cv2.INTER_NEAREST)
    inside = cv2.dilate(inside, np.ones((2 * reach + 1, 2 * reach + 1), np.uint8))  # the fade must be true as well
    blur = 0.08 * max(size)
    spread = cv2.GaussianBlur(piece.astype(np.float32) * inside[..., None], (0, 0), blur)
    weight = cv2.GaussianBlur(inside, (0, 0), blur)[..., None]
    smooth = np.where(weight > 1e-3, spread / np.maximum(weight, 1e-3), piece[inside > 0].mean(0))
    return np.where(inside[..., None] > 0, piece, smooth.clip(0, 255)).astype(np.uint8)


def _closest(piece: Pixels, room: int) -> bytes | None:
    """The frame of at most ``room`` bytes that comes closest to ``piece``; None: no frame comes close."""
    size = piece.shape[1], piece.shape[0]
    best: tuple[float, bytes] | None = None
    for side in _SIDES:
        frame = _within(_reduced(piece, side), room)
        if frame is None:
            break
        psnr = float(cv2.PSNR(cv2.resize(_decoded(frame), size, interpolation=cv2.INTER_CUBIC), piece))
        if best is not None and psnr <= best[0]:
            break
        best = psnr, frame
    return best[1] if best and best[0] >= _LEAST_PSNR else None


def _reduced(piece: Pixels, side: int) -> Pixels:
    """``piece``, scaled down to at most ``side`` pixels a side."""
    share = min(1.0, side / max(piece.shape[:2]))
    size = max(round(piece.shape[1] * share), 1), max(round(piece.shape[0] * share), 1)
    return np.asarray(cv2.resize(piece, size, interpolation=cv2.INTER_AREA), np.uint8)


def _within(small: Pixels, room: int) -> bytes | None:
    """The best frame of at most ``room`` bytes."""
    image = Image.fromarray(small)

    @cache
    def frame(quality: int) -> bytes:
        file = io.BytesIO()
        image.save(file, "WEBP", quality=quality, method=6)
        return file.getvalue()[_HEAD:]

    low, high = 0, 100
    if len(frame(low)) > room:
        return None
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if len(frame(middle)) <= room else (low, middle - 1)
    return frame(low)


def _decoded(frame: bytes) -> Pixels:
    """Raises MessageError."""
    chunk = b"VP8 " + len(frame).to_bytes(4, "little") + frame
    chunk += b"\0" * (len(frame) % 2)
    file = b"RIFF" + (4 + len(chunk)).to_bytes(4, "little") + b"WEBP" + chunk
    try:
        with Image.open(io.BytesIO(file), formats=("WEBP",)) as image:
            if max(image.size) <= _MAX_SIDE:
                return np.asarray(image.convert("RGB"))
    except Exception:  # noqa: S110 - whatever a decoder raises for damaged bytes
        pass
    raise MessageError("The faces in the picture's imprint cannot be read.", hint="Ask the sender to send it again.")

"""What happens to the faces in a folder of photos: how many are replaced, how many are blurred, and why.

    python scripts/figures/measure_detection.py FOLDER... [--sheet FILE.png]

Prints a table with a line for each folder, and the processor time per photo. With ``--sheet``, draws side by side what is not
replaced, to be judged by eye: no program knows whether it is a face at all.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from stylecrypt_msg.faces import Face, Refusal, check_face, detect_faces
from stylecrypt_msg.pictures import read_picture

TILE = 150  # px
SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--sheet", type=Path, help="where to draw what is not replaced")
    arguments = parser.parse_args()

    names = [
        "photos",
        "with none",
        "all blurred",
        "replaced",
        *(refusal.name.lower() for refusal in Refusal),
        "s a photo",
    ]
    print("| folder | " + " | ".join(names) + " |")
    print("|---" * (1 + len(names)) + "|")
    tiles = []
    for folder in arguments.folders:
        counts: Counter[str] = Counter()
        start = time.process_time()
        for path in sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES):
            pixels = read_picture(path.read_bytes()).pixels
            height, width = pixels.shape[:2]
            faces = detect_faces(pixels)
            refusals = [check_face(face, width, height) for face in faces]
            counts["photos"] += 1
            counts["with none"] += all(refusal is Refusal.UNSURE for refusal in refusals)
            counts["all blurred"] += bool(faces) and None not in refusals
            counts.update("replaced" if refusal is None else refusal.name.lower() for refusal in refusals)
            for face, refusal in zip(faces, refusals, strict=True):
                if refusal is not None:
                    tiles.append(drawn(pixels, face, f"{refusal.name.lower()} {face.score:.2f}"))
        seconds = (time.process_time() - start) / max(counts["photos"], 1)
        print(f"| {folder.name} | " + " | ".join(str(counts[name]) for name in names[:-1]) + f" | {seconds:.2f} |")
    if arguments.sheet and tiles:
        tiles += [np.zeros_like(tiles[0])] * (-len(tiles) % 10)
        rows = [np.hstack(tiles[at : at + 10]) for at in range(0, len(tiles), 10)]
        cv2.imwrite(str(arguments.sheet), np.vstack(rows)[..., ::-1])


def drawn(pixels: NDArray[np.uint8], face: Face, label: str) -> NDArray[np.uint8]:
    """The face, framed, with its surroundings: (150, 150, 3) uint8."""
    low = np.maximum(np.subtract(face.centre, 1.2 * face.size).astype(int), 0)
    high = np.add(face.centre, 1.2 * face.size).astype(int)
    part = pixels[low[1] : high[1], low[0] : high[0]]
    scale = TILE / max(part.shape[:2])
    tile = np.zeros((TILE, TILE, 3), np.uint8)
    small = cv2.resize(part, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    tile[: small.shape[0], : small.shape[1]] = small[:TILE, :TILE]
    left, top = ((np.array(face.box[:2]) - low) * scale).astype(int).tolist()
    right, bottom = ((np.add(face.box[:2], face.box[2:]) - low) * scale).astype(int).tolist()
    cv2.rectangle(tile, (left, top), (right, bottom), (0, 255, 0), 1)
    cv2.putText(tile, label, (2, TILE - 4), cv2.FONT_HERSHEY_PLAIN, 0.8, (255, 255, 0), 1)
    return tile


if __name__ == "__main__":
    main()

"""Draws sixty photos of people who do not exist beside their covers: `docs/covers.jpg`.

    python scripts/figures/draw_covers.py [OUT.jpg] [--seed 1]

Photos are the embedded model's, of whoever is no child to its judge: hats, glasses and turned heads are among them. Each is
covered as `stylecrypt encrypt` does at level original, with stand-ins chosen by SFace. None is left out; where no stand-in
hides a face, the photo is shown blurred, as it would be sent.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
from rich.progress import track

from stylecrypt_msg.cipher import cover, to_pixels
from stylecrypt_msg.models import load_model
from stylecrypt_msg.models.embedded import EmbeddedModel
from stylecrypt_msg.pictures import Pixels, encode_picture
from stylecrypt_msg.recognisers import load_recogniser
from stylecrypt_msg.standin_choice import hide
from stylecrypt_msg.standins import seeds

PEOPLE, ACROSS = 60, 6
SIDE = 160  # px of a picture on the sheet
GAP = 8
TRUNCATION = 0.8


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, nargs="?", default=Path("docs/covers.jpg"))
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    model, recogniser = load_model(), load_recogniser("sface")
    if not isinstance(model, EmbeddedModel):
        raise SystemExit("The embedded model is not the default.")
    weight, bias = model.judge
    z = np.random.default_rng(arguments.seed).standard_normal((8 * PEOPLE, model.style_dim)).astype(np.float32)
    people = model.map(z, TRUNCATION)
    adults = people[people[:, 0] @ weight[0] + bias[0] < 0][:PEOPLE]
    pairs = []
    for number, codes in enumerate(track(adults, "covering", transient=True)):
        edge = model.image_size // 16  # photos are not square: aligned squares are a form of their own
        photo = to_pixels(model.synthesize(codes[None]))[0][:, edge:-edge]
        key_faces = seeds(f"covers {arguments.seed} {number}")
        covered = cover(photo, model, key_face=key_faces[0], bounded=True)
        hidden = hide(covered, model, key_faces, [recogniser], blur=True)
        pairs.append(np.concatenate([small(photo), small(hidden.covered.pixels)], axis=1))
    arguments.out.write_bytes(encode_picture(sheet(pairs), "JPEG", quality=82, ai_made=True))


def small(picture: Pixels) -> Pixels:
    height = picture.shape[0] * SIDE // picture.shape[1]
    return np.asarray(cv2.resize(picture, (SIDE, height), interpolation=cv2.INTER_AREA), np.uint8)


def sheet(pairs: list[Pixels]) -> Pixels:
    padded = [np.pad(pair, ((GAP, 0), (GAP, 0), (0, 0)), constant_values=255) for pair in pairs]
    return np.concatenate([np.concatenate(padded[i : i + ACROSS], axis=1) for i in range(0, len(padded), ACROSS)])


if __name__ == "__main__":
    main()

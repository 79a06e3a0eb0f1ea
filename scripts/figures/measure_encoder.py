"""Measures how well a model inverts faces, and how well its styles survive mixing and a JPEG file.

    python scripts/figures/measure_encoder.py FACES [--model default] [--refine STEPS] [--recogniser FOLDER] [--sheet OUT.jpg]

FACES is a folder of photos with one face each; a folder named ``pairs`` holds two photos of each person, one after the other,
and the second is the key face. Faces are found, aligned and inverted as in `stylecrypt encrypt`. With --recogniser (the folder
`model` of the npm package @vladmandic/face-api), also prints the distance between dlib's descriptors of the inversion and of
the photo; two pictures of one person are closer than 0.6 (strict: 0.5).
"""

from __future__ import annotations

import argparse
import io
import statistics
from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np
import torch
from PIL import Image
from skimage.metrics import structural_similarity
from stylecrypt_lab.training.identity import DlibNetwork

from stylecrypt_msg.cipher import read, to_images, to_pixels
from stylecrypt_msg.faces import certain_faces, crop, face_quad
from stylecrypt_msg.models import load_model
from stylecrypt_msg.models.face_model import Floats
from stylecrypt_msg.pictures import read_picture
from stylecrypt_msg.standins import stand_in
from stylecrypt_msg.stylemix import LayerMask, mix

SIZE = 256


def through_jpeg(image: Floats, quality: int) -> Floats:
    file = io.BytesIO()
    Image.fromarray(to_pixels(image)[0]).save(file, "JPEG", quality=quality)
    return to_images([np.asarray(Image.open(file))])


def correlation(a: Floats, b: Floats) -> float:
    return float(np.corrcoef(a.ravel(), b.ravel())[0, 1])


def small(image: Floats) -> Floats:
    scaled = cv2.resize(image[0].transpose(1, 2, 0), (SIZE, SIZE), interpolation=cv2.INTER_AREA)
    return np.clip(scaled, -1, 1).transpose(2, 0, 1)[None]


def rates(distances: list[float]) -> str:
    verified, strict = (sum(d < t for d in distances) / len(distances) for t in (0.6, 0.5))
    return f"mean distance {statistics.mean(distances):.2f}, verified {verified:.0%}, strictly {strict:.0%}"


def apart(recogniser: DlibNetwork, made: Iterable[Floats], photos: list[Floats]) -> list[float]:
    def describe(image: Floats) -> torch.Tensor:
        return recogniser(torch.from_numpy(np.ascontiguousarray(image)))

    return [(describe(one) - describe(photo)).norm().item() for one, photo in zip(made, photos, strict=True)]


def aligned(path: Path) -> Floats | None:
    pixels = read_picture(path).pixels
    faces = certain_faces(pixels)
    return to_images([crop(pixels, face_quad(faces[0].landmarks), SIZE)]) if faces else None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("faces", type=Path)
    parser.add_argument("--model", default="default")
    parser.add_argument("--limit", type=int, default=51)
    parser.add_argument("--refine", type=int, default=0, metavar="STEPS")
    parser.add_argument("--recogniser", type=Path)
    parser.add_argument("--sheet", type=Path)
    arguments = parser.parse_args()
    model = load_model(arguments.model)
    recogniser = DlibNetwork(arguments.recogniser) if arguments.recogniser else None

    paths = sorted(arguments.faces.glob("*.jpg"))
    paired = arguments.faces.name == "pairs"
    photos: list[Floats] = []
    others: list[Floats] = []
    for path, other in zip(paths[::2], paths[1::2], strict=True) if paired else zip(paths, paths, strict=True):
        squares = [aligned(path), aligned(other)]
        if squares[0] is not None and squares[1] is not None and len(photos) < arguments.limit:
            photos.append(squares[0])
            others.append(squares[1])

    psnr, ssim, inversions, codes_of = [], [], [], []
    for photo in photos:
        codes = model.encode(photo)
        if arguments.refine:
            codes = model.refine(photo, codes, arguments.refine)
        made = small(model.synthesize(codes))
        codes_of.append(codes)
        inversions.append(made)
        psnr.append(10 * np.log10(4 / np.square(made - photo).mean()))
        ssim.append(structural_similarity(to_pixels(photo)[0], to_pixels(made)[0], channel_axis=2))
    print(f"{len(photos)} faces, model {model.name} ({model.digest[:12]}), {arguments.refine} steps of refinement")
    print(f"inversion: PSNR {statistics.mean(psnr):.2f} dB, SSIM {statistics.mean(ssim):.3f} at {SIZE} px")
    if recogniser is not None:
        print(f"identity: {rates(apart(recogniser, inversions, photos))}", flush=True)

    mask = LayerMask.paper(model.n_styles)
    stand_ins = [stand_in(model, f"measure {i}", codes) for i, codes in enumerate(codes_of)]
    sent = [mix(codes, fake, mask) for codes, fake in zip(codes_of, stand_ins, strict=True)]
    arrived = [through_jpeg(model.synthesize(mixed), 80) for mixed in sent]
    if recogniser is not None:
        print(f"portraits mixed with stand-ins, JPEG q80: {rates(apart(recogniser, map(small, arrived), photos))}")
    keys: dict[str, list[Floats] | None] = {}
    if paired:
        keys["key: another photo"] = [model.encode(other) for other in others]
    keys["key: somebody else"] = codes_of[1:] + codes_of[:1]
    keys["without a key"] = None
    print("their styles 3, 6, 7 read again, correlation with those put in; whom the portrait becomes:")
    for name, key in keys.items():
        seen = [
            model.encode(picture) if key is None else read(picture, key[i], model, mask)
            for i, picture in enumerate(arrived)
        ]
        a, b = (np.concatenate(codes) - model.latent_avg for codes in (sent, seen))
        line = f"  {name}: " + ", ".join(f"{correlation(a[:, layer], b[:, layer]):.2f}" for layer in (3, 6, 7))
        if key is not None and recogniser is not None:
            likenesses = [small(model.synthesize(mix(codes, key[i], mask))) for i, codes in enumerate(seen)]
            line += "; " + rates(apart(recogniser, likenesses, photos))
        print(line, flush=True)
    if arguments.sheet:
        rows = [np.hstack(to_pixels(np.concatenate(x[:12]))) for x in (photos, inversions)]
        Image.fromarray(np.vstack(rows)).save(arguments.sheet, quality=90)


if __name__ == "__main__":
    main()

"""Measures how well a model inverts faces, and how its styles survive mixing and the way through a JPEG file.

    python scripts/measure_encoder.py FACES [--model default] [--refine STEPS] [--recogniser FOLDER] [--sheet OUT.jpg]

FACES is a folder of photos with one face each. Photos are found, aligned and inverted as `stylecrypt encrypt` does. With
--recogniser (the folder `model` of the npm package @vladmandic/face-api) also says how far dlib's descriptor of the inversion
is from the photo's; two pictures of one person are closer than 0.6 (strict: 0.5).
"""

from __future__ import annotations

import argparse
import io
import statistics
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from skimage.metrics import structural_similarity
from torch import Tensor

from stylecrypt_msg.cipher import to_pixels
from stylecrypt_msg.faces import crop, detect_faces, face_quad
from stylecrypt_msg.models import load_model, refine
from stylecrypt_msg.pictures import read_picture
from stylecrypt_msg.stylemix import LayerMask, mix
from stylecrypt_msg.training.identity import Recogniser

SIZE = 256


def to_images(squares: list[np.ndarray]) -> Tensor:
    return torch.from_numpy(np.stack(squares)).permute(0, 3, 1, 2).float() / 127.5 - 1


def through_jpeg(image: Tensor, quality: int) -> Tensor:
    file = io.BytesIO()
    Image.fromarray(to_pixels(image)[0]).save(file, "JPEG", quality=quality)
    return to_images([np.asarray(Image.open(file))])


def correlation(a: Tensor, b: Tensor) -> float:
    return float(np.corrcoef(a.flatten().numpy(), b.flatten().numpy())[0, 1])


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
    recogniser = Recogniser(arguments.recogniser) if arguments.recogniser else None

    photos: list[Tensor] = []
    for path in sorted(arguments.faces.glob("*.jpg"))[:: 2 if "pairs" in arguments.faces.name else 1][
        : arguments.limit
    ]:
        pixels = read_picture(path).pixels
        faces = detect_faces(pixels)
        if faces:
            photos.append(to_images([crop(pixels, face_quad(faces[0].landmarks), SIZE)]))

    psnr, ssim, distances, inversions, codes_of = [], [], [], [], []
    for photo in photos:
        codes = model.encode(photo)
        if arguments.refine:
            codes = refine(model, photo, codes, arguments.refine)
        made = F.interpolate(model.synthesize(codes), (SIZE, SIZE), mode="area").clamp(-1, 1)
        codes_of.append(codes)
        inversions.append(made)
        psnr.append(10 * np.log10(4 / F.mse_loss(made, photo).item()))
        ssim.append(structural_similarity(to_pixels(photo)[0], to_pixels(made)[0], channel_axis=2))
        if recogniser is not None:
            distances.append((recogniser(made) - recogniser(photo)).norm().item())
    print(f"{len(photos)} faces, model {model.name} ({model.digest[:12]}), {arguments.refine} steps of refinement")
    print(f"inversion: PSNR {statistics.mean(psnr):.2f} dB, SSIM {statistics.mean(ssim):.3f} at {SIZE} px")
    if distances:
        verified, strict = (sum(d < t for d in distances) / len(distances) for t in (0.6, 0.5))
        print(
            f"identity: mean distance {statistics.mean(distances):.2f}, verified {verified:.0%}, strictly {strict:.0%}"
        )

    mask = LayerMask.paper(model.n_styles)
    sent, read = [], []
    for i, codes in enumerate(codes_of):
        mixed = mix(codes, codes_of[(i + 1) % len(codes_of)], mask)
        sent.append((mixed - model.latent_avg)[0])
        read.append((model.encode(through_jpeg(model.synthesize(mixed), 80)) - model.latent_avg)[0])
    a, b = torch.stack(sent), torch.stack(read)
    values = ", ".join(f"{layer}: {correlation(a[:, layer], b[:, layer]):.2f}" for layer in (3, 6, 7))
    print(f"styles after mix, JPEG q80 and encoding, correlation with those put in: {values}")
    if arguments.sheet:
        rows = [torch.cat(list(torch.cat(x)[:12]), 2)[None] for x in (photos, inversions)]
        Image.fromarray(to_pixels(torch.cat(rows, 2))[0]).save(arguments.sheet, quality=90)


if __name__ == "__main__":
    main()

"""Fits the directions that refinement follows: for each style, the principal axes of the gradients it meets.

    python scripts/model/fit_directions.py ENCODER FACES OUT.safetensors [--faces 768] [--descents 256]

ENCODER is a model file that `stylecrypt train encoder -o` wrote, or the checkpoint of a run; the generator is the embedded
one. FACES is a folder of aligned squares, as for training; half of the pictures are such faces, varied, and half are mixes
that went through a messenger. The script first takes gradients at the encoder's codes, then gradients along descents in the
axes found from the first ones. Each axis is scaled by the inverse fourth root of its share of the gradients' energy: a
compromise between plain Adam in rotated axes, and whitened axes, which lead codes far from where the generator is good. Writes
the model with these directions.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import torch
from pack_default import DATA, encoder_tensors
from stylecrypt_lab.training.codes import sample_codes
from stylecrypt_lab.training.pictures import degrade, face_batches, load_faces, vary
from torch import Tensor

from stylecrypt_msg.models import families, store
from stylecrypt_msg.models.mobile_encoder import MobileEncoder
from stylecrypt_msg.models.refine import Directions, distance, unit_features
from stylecrypt_msg.models.torch_model import TorchModel

BATCH = 4  # of each kind
STEPS, RATE = 12, 0.05
LENGTH = 4.0  # of a direction with an average share of the energy, in refinement steps
FLOOR = 0.1  # of the average share, so that barely visible directions are not followed further


def pictures(model: TorchModel, faces: Tensor, rng: torch.Generator) -> Iterator[Tensor]:
    people = None
    for batch in face_batches(faces, BATCH, rng):
        photos = vary(batch, rng)
        with torch.no_grad():
            mixes = degrade(model.preview(sample_codes(model.generator, BATCH, rng, people)).clamp(-1, 1), rng)  # type: ignore[arg-type]
            people = model.encode(photos, steps=0)
        yield torch.cat((photos, mixes))


def descend(model: TorchModel, images: Tensor, directions: Directions | None, steps: int) -> list[Tensor]:
    """Gradients (B, n_styles, style_dim) with respect to the codes in units of W's deviation, before each step."""
    codes = model.encode(images, steps=0)
    with torch.no_grad():
        features = unit_features(model, images)
    gradients = []
    size = sum(directions.counts) if directions is not None else 1
    coordinates = torch.zeros(len(images), size, requires_grad=True)
    optimiser = torch.optim.Adam([coordinates], RATE, betas=(0.9, 0.99))
    for _ in range(steps):
        offset = directions(coordinates) if directions is not None else torch.zeros_like(codes, requires_grad=True)
        offset.retain_grad()
        made = model.preview(codes + offset * model.deviation)
        loss = len(images) * distance(made, images, unit_features(model, made), features)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        gradients.append(torch.clone(offset.grad))  # type: ignore[arg-type]
        if directions is not None:
            optimiser.step()
    return gradients


def axes(covariance: Tensor, counts: list[int]) -> list[Tensor]:
    found = []
    for one, count in zip(covariance, counts, strict=True):
        energy, vectors = torch.linalg.eigh(one)
        share = (energy.clamp_min(0) / energy.mean() + FLOOR) ** -0.25
        found.append(LENGTH * (vectors * share).T.flip(0)[:count])
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("encoder", type=Path)
    parser.add_argument("pictures", type=Path, metavar="FACES")
    parser.add_argument("out", type=Path)
    parser.add_argument("--faces", type=int, default=768, help="pictures for the first axes")
    parser.add_argument("--descents", type=int, default=256, help="pictures for the second")
    arguments = parser.parse_args()
    torch.manual_seed(0)
    generator = store.load([DATA / "default.safetensors"])[1]
    tensors = encoder_tensors(arguments.encoder)
    fresh = {f"encoder.directions.{name}": value for name, value in MobileEncoder().directions.state_dict().items()}
    tensors = fresh | tensors
    model = families.assemble(generator | tensors, family="mobilestylegan", name="default")
    encoder: MobileEncoder = model.encoder  # type: ignore[assignment]
    rng = torch.Generator().manual_seed(0)
    source = pictures(model, load_faces(arguments.pictures, encoder.input_size), rng)
    for count, steps in ((arguments.faces, 1), (arguments.descents, STEPS)):
        covariance = torch.zeros(model.n_styles, model.style_dim, model.style_dim)
        for done in range(0, count, 2 * BATCH):
            known = encoder.directions if steps > 1 else None
            for gradient in descend(model, next(source), known, steps):
                covariance += torch.einsum("bld,ble->lde", gradient, gradient)
            print(f"\r{done + 2 * BATCH} of {count} pictures, {steps} steps each", end="", flush=True)
        print()
        encoder.directions.fill(axes(covariance, encoder.directions.counts))
    store.save(model, arguments.out)


if __name__ == "__main__":
    main()

"""Fits the judge of stand-ins: no children, no headgear, no glasses, no turned heads; and who can pass for whom.

    python scripts/model/fit_stand_ins.py GENERATOR.safetensors OUT.safetensors [--sheets FOLDER]

480 people were rendered (seed and truncation below; --sheets writes the sheets again) and labelled by eye: those who look like
children or teenagers, those with hats or sunglasses, those with any glasses, and, among the first 240, women and men. (A mask
that replaces some of the styles would keep half of a pair of glasses.) All of this is nearly linear in W: a logistic regression
on the 80 strongest principal directions. Each threshold refuses so large a share of all people that hardly any mistakes remain.
A stand-in of the other sex on somebody's neck and under their hair looks wrong, so a last score tells which of the two a person
looks like; there are more than two kinds of people, and the score only compares.
A turned stand-in gives the sender, whose face mostly is not turned, a nose or a jaw that does not fit. How far people are
turned is measured (by where the nose is between the eyes) and fitted by linear regression; those beyond the middle half are
refused.
Prints the results of ten-fold cross-validation. Writes the generator with the judge (``judge_weight``, ``judge_bias``).
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from safetensors.torch import load_file, save_file
from torch import Tensor

from stylecrypt_msg.faces import certain_faces
from stylecrypt_msg.models.mobilestylegan import MobileStyleGAN, build

PEOPLE, SEED, TRUNCATION = 480, 77, 0.75
DIRECTIONS, PENALTY = 80, 0.01
FEW = 20  # directions for women and men, of whom fewer were labelled, and for how far somebody is turned
RIDGE = 10.0
TURNED = 0.5  # the share of all people refused for it
CHILDREN = (
    2, 5, 15, 31, 50, 60, 65, 67, 73, 74, 80, 82, 84, 100, 109, 112, 114, 119, 126, 135, 142, 143, 154, 155, 156, 159,
    164, 168, 169, 173, 183, 185, 196, 215, 220, 228, 231, 240, 244, 248, 250, 252, 254, 257, 263, 272, 277, 289, 292,
    300, 302, 321, 327, 329, 330, 332, 347, 353, 356, 357, 360, 384, 386, 389, 401, 407, 430, 438, 440, 444, 446, 454,
    464, 470, 473,
)  # fmt: skip
HEADGEAR = (
    3, 5, 22, 24, 33, 48, 64, 76, 79, 81, 104, 113, 138, 141, 144, 154, 166, 171, 184, 195, 196, 216, 218, 229, 235,
    238, 242, 246, 254, 272, 274, 276, 281, 292, 295, 297, 308, 315, 322, 334, 339, 344, 369, 372, 383, 388, 392, 407,
    415, 438, 467, 469,
)  # fmt: skip
GLASSES = (
    4, 7, 11, 12, 16, 20, 22, 24, 38, 41, 51, 62, 64, 76, 95, 107, 123, 127, 130, 131, 138, 150, 180, 181, 187, 191, 197,
    201, 202, 205, 212, 225, 229, 236, 238, 243, 251, 266, 270, 271, 281, 284, 295, 296, 312, 313, 314, 315, 324, 333,
    348, 349, 350, 351, 361, 364, 365, 374, 379, 388, 396, 404, 405, 413, 416, 421, 424, 433, 450, 451, 456, 469, 472,
    478,
)  # fmt: skip
WOMEN = (
    0, 1, 4, 6, 8, 9, 10, 12, 13, 17, 21, 22, 26, 27, 28, 30, 39, 40, 43, 45, 46, 49, 54, 58, 59, 61, 70, 73, 74, 77,
    81, 83, 85, 87, 89, 95, 97, 98, 101, 105, 107, 113, 115, 116, 120, 121, 122, 124, 125, 130, 132, 133, 134, 136, 137,
    141, 142, 145, 146, 147, 148, 150, 152, 158, 161, 163, 165, 167, 172, 174, 175, 177, 178, 180, 181, 182, 184, 186,
    188, 198, 203, 204, 208, 212, 213, 214, 223, 226, 229, 234, 235, 237, 239,
)  # fmt: skip
MEN = (
    3, 7, 11, 14, 16, 18, 20, 23, 24, 29, 33, 34, 35, 37, 38, 41, 42, 44, 47, 48, 50, 51, 52, 53, 55, 56, 57, 63, 66, 68,
    71, 72, 75, 76, 79, 86, 88, 90, 92, 94, 96, 103, 106, 108, 110, 118, 123, 128, 129, 131, 138, 139, 140, 143, 144, 151,
    153, 154, 157, 160, 162, 166, 176, 179, 187, 189, 191, 193, 194, 195, 197, 199, 200, 201, 202, 205, 206, 207, 209,
    210, 216, 218, 219, 221, 222, 224, 230, 232, 236, 238,
)  # fmt: skip
REFUSED = {
    "children": (CHILDREN, 0.6),
    "headgear": (HEADGEAR, 0.6),
    "glasses": (GLASSES, 0.5),
}  # the share of all people refused


Fit: TypeAlias = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


def logistic(features: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    weight, bias = torch.zeros(features.shape[1], requires_grad=True), torch.zeros(1, requires_grad=True)
    optimiser = torch.optim.LBFGS([weight, bias], max_iter=200)

    def closure() -> Tensor:
        optimiser.zero_grad()
        loss = F.binary_cross_entropy_with_logits(features @ weight + bias, labels) + PENALTY * weight.square().sum()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    optimiser.step(closure)  # type: ignore[no-untyped-call]
    return weight.detach(), bias.detach()


def least_squares(features: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
    mean = values.mean()  # features have a mean of nearly 0
    penalised = features.T @ features + RIDGE * torch.eye(features.shape[1])
    return torch.linalg.solve(penalised, features.T @ (values - mean)), mean


def previews(generator: MobileStyleGAN, w: Tensor) -> list[NDArray[np.uint8]]:
    """Previews of people (B, 512), each (128, 128, 3)."""
    with torch.no_grad():
        images = [generator.preview(one.expand(1, generator.n_styles, -1))[0] for one in w]
    return [((image.clamp(-1, 1) + 1) * 127.5).byte().permute(1, 2, 0).numpy() for image in images]


def write_sheets(pictures: list[NDArray[np.uint8]], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for start in range(0, PEOPLE, 120):
        sheet = Image.new("RGB", (12 * 112, 10 * 124), "white")
        draw = ImageDraw.Draw(sheet)
        for i in range(start, start + 120):
            x, y = i % 12 * 112, (i - start) // 12 * 124
            sheet.paste(Image.fromarray(pictures[i]).resize((110, 110)), (x, y))
            draw.text((x + 2, y + 111), str(i), fill="black")
        sheet.save(folder / f"people-{start}.png")


def turned(picture: NDArray[np.uint8]) -> float:
    """How far the nose is right of the middle of the eyes, in distances between them: 0 from the front, 0.2 well turned."""
    large = cv2.resize(picture, None, fx=3, fy=3, interpolation=cv2.INTER_CUBIC)
    (face, *_) = certain_faces(np.asarray(large, np.uint8))
    left, right, nose = face.landmarks[:3]
    return float((nose - (left + right) / 2)[0] / np.linalg.norm(right - left))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("generator", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--sheets", type=Path)
    arguments = parser.parse_args()
    tensors = load_file(arguments.generator)
    scored = len(REFUSED) + 3
    tensors |= {"generator.judge_weight": torch.zeros(scored, 512), "generator.judge_bias": torch.zeros(scored)}
    generator = build(dict(tensors))[0].requires_grad_(False)
    mean = generator.w_mean
    w = generator.mapping(torch.randn(PEOPLE, 512, generator=torch.Generator().manual_seed(SEED)))
    pictures = previews(generator, mean.lerp(w, TRUNCATION))
    if arguments.sheets:
        write_sheets(pictures, arguments.sheets)

    samples = generator.mapping(torch.randn(20_000, 512, generator=torch.Generator().manual_seed(5))) - mean
    _, spread, directions = torch.linalg.svd(samples, full_matrices=False)
    whiten = directions[:DIRECTIONS].T / (spread[:DIRECTIONS] / len(samples) ** 0.5)
    features, everybody = (w - mean) @ whiten, samples @ whiten

    def scores(people: Tensor, labels: Tensor, fit: Fit = logistic) -> Tensor:
        """Scores by ten-fold cross-validation: each person's by a fit that did not see them."""
        folds = torch.randperm(len(people), generator=torch.Generator().manual_seed(1)) % 10
        out = torch.empty(len(people))
        for fold in range(10):
            weight, bias = fit(people[folds != fold], labels[folds != fold])
            out[folds == fold] = people[folds == fold] @ weight + bias
        return out

    def keep(row: int, weight: Tensor, bias: Tensor) -> None:
        """score = (w - mean) @ whiten @ weight + bias, as one linear map of w."""
        linear = whiten[:, : len(weight)] @ weight
        tensors["generator.judge_weight"][row] = linear
        tensors["generator.judge_bias"][row] = bias - mean @ linear

    for row, (name, (indices, share)) in enumerate(REFUSED.items()):
        labels = torch.zeros(PEOPLE)
        labels[list(indices)] = 1
        unseen = scores(features, labels)
        missed = int((unseen[labels == 1] < unseen.quantile(1 - share)).sum())
        print(f"{name}: {len(indices)} of {PEOPLE} people; refusing {share:.0%} of all misses {missed} of them")
        weight, bias = logistic(features, labels)
        keep(row, weight, bias - (everybody @ weight + bias).quantile(1 - share))
    to_the_right = torch.tensor([turned(picture) for picture in pictures])
    found = scores(features[:, :FEW], to_the_right, least_squares)
    r = torch.corrcoef(torch.stack((found, to_the_right)))[0, 1]
    print(f"turned: correlation {r:.2f}; refusing {TURNED:.0%} of all")
    weight, bias = least_squares(features[:, :FEW], to_the_right)
    said = everybody[:, :FEW] @ weight + bias
    for row, side in enumerate((1, -1), len(REFUSED)):
        keep(row, side * weight, side * bias - (side * said).quantile(1 - TURNED / 2))
    people = features[list(WOMEN + MEN), :FEW]
    labels = torch.cat([torch.zeros(len(WOMEN)), torch.ones(len(MEN))])
    right = ((scores(people, labels) > 0) == (labels > 0)).float().mean()
    print(f"women and men: {right:.0%} of {len(labels)} told apart")
    keep(scored - 1, *logistic(people, labels))
    save_file(tensors, arguments.out)


if __name__ == "__main__":
    main()

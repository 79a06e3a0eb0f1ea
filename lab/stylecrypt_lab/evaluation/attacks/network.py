"""(e) Networks that learn from people who do not exist to turn fakes back into originals."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from itertools import pairwise

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stylecrypt_msg.cipher import to_images, to_pixels
from stylecrypt_msg.models.face_model import Floats as Codes
from stylecrypt_msg.pictures import Pixels
from stylecrypt_msg.progress import Progress

from .faces import by_chance, same
from .material import Material, People, Pipeline, View, resized, show
from .odds import Figure, Finding, Ridge, by_strangers, distances

__all__ = ["Lessons", "lessons", "networks"]

_SIDE = 128  # px of the training pictures: the preview's
_SMALL = 64  # px of the convolutional network's output
_BATCH = 16
_TRUNCATION = 0.9


@dataclass(frozen=True, eq=False)
class Lessons:
    """Originals to learn from, the same for every mask. ``keys`` (N, n_styles, style_dim): a stand-in for each."""

    views: tuple[View, ...]
    keys: Codes


def lessons(people: People, count: int, pipeline: Pipeline, progress: Progress) -> Lessons:
    """``count`` people who do not exist. The encoder reads them from pictures, so a person's styles may all differ."""
    model = pipeline.model
    z = np.random.default_rng(5).standard_normal((2 * count, model.style_dim), np.float32)
    codes, keys = model.map(z[:count], _TRUNCATION), model.map(z[count:], 0.75)
    landmarks = np.mean([view.landmarks * (_SIDE / view.square.shape[0]) for view in people.sent], axis=0)
    progress("making people to learn from", 0, count)
    views = [pipeline.view(resized(square, _SIDE), landmarks) for square in pipeline.preview(codes)]
    progress("making people to learn from", count, count)
    return Lessons(tuple(views), keys)


def networks(material: Material, learnt: Lessons, steps: int) -> list[Finding | Figure]:
    """Ridge regression from the codes of a fake to those of the original, and a convolutional network from pixels to pixels,
    trained for ``steps`` steps. Both are judged on the real senders, whom neither has seen.
    """
    people, posted, pipeline, setting = material.people, material.posted, material.pipeline, material.setting
    n = len(learnt.views)
    originals = np.stack([view.sent[setting.level] for view in learnt.views])
    mixed = [pipeline.fakes(view, key[None], setting) for view, key in zip(learnt.views, learnt.keys, strict=True)]
    made = pipeline.preview(np.concatenate(mixed))
    fakes = [show(view, resized(face, _SIDE), setting.form) for view, face in zip(learnt.views, made, strict=True)]
    material.progress("learning", 0, steps + n)
    inverse = Ridge(pipeline.glance(fakes).reshape(n, -1), originals.reshape(n, -1))
    guessed = inverse(pipeline.glance(posted.squares).reshape(len(people), -1)).astype(np.float32)
    by_codes = pipeline.preview(guessed.reshape(posted.codes.shape))
    network = _train(fakes, [view.square for view in learnt.views], steps, material.progress)
    with torch.inference_mode():
        by_pixels = to_pixels(network(_images(posted.squares)).numpy())
    material.progress("learning", steps + n, steps + n)
    finding = partial(material.finding, "network")
    found: list[Finding | Figure] = []
    limit, count = pipeline.recogniser.threshold, len(people)
    for what, squares in (("regression of codes", by_codes), ("a convolutional network", by_pixels)):
        faces = pipeline.describe(squares)
        own = np.linalg.norm(faces - people.sent_faces, axis=1)
        within, chance = int((own < limit).sum()), by_strangers(material.strange.small_faces, people.sent_faces, limit)
        matched = same(distances(faces, people.other_faces))
        found += [
            finding(f"{what} finds the sender in the gallery", matched, count, by_chance(count)),
            finding(f"{what} gives the sender, by the threshold", within, count, chance),
            material.figure("network", f"distance after {what}", float(own.mean()), count),
        ]
    return found


class _Network(nn.Module):
    """(B, 3, 64, 64) -> the same shape. It learns what to add to the fake, and sees the whole face: its middle is 8 px wide."""

    def __init__(self, width: int = 24) -> None:
        super().__init__()
        sizes = [3, width, 2 * width, 4 * width]
        self.down = nn.ModuleList(nn.Conv2d(a, b, 4, 2, 1) for a, b in pairwise(sizes))
        self.middle = nn.Conv2d(sizes[-1], sizes[-1], 3, padding=1)
        self.up = nn.ModuleList(nn.Conv2d(2 * b, a if a > 3 else width, 3, padding=1) for a, b in pairwise(sizes))
        self.out = nn.Conv2d(width + 3, 3, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        kept, y = [], x
        for layer in self.down:
            y = F.leaky_relu(layer(y), 0.2)
            kept.append(y)
        y = F.leaky_relu(self.middle(y), 0.2)
        for layer, beside in zip(reversed(self.up), reversed(kept), strict=True):
            y = F.leaky_relu(layer(torch.cat([y, beside], 1)), 0.2)
            y = F.interpolate(y, scale_factor=2.0, mode="bilinear", align_corners=False)
        result: Tensor = x + self.out(torch.cat([y, x], 1))
        return result


def _train(fakes: list[Pixels], originals: list[Pixels], steps: int, progress: Progress) -> _Network:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        network = _Network()
    x, y = _images(fakes), _images(originals)
    rng = torch.Generator().manual_seed(5)
    adam = torch.optim.Adam(network.parameters(), lr=2e-3)
    for step in range(steps):
        some = torch.randint(len(x), (_BATCH,), generator=rng)
        turned = torch.rand((), generator=rng) < 0.5  # faces may be mirrored
        a, b = (part[some].flip(3) if turned else part[some] for part in (x, y))
        loss = (network(a) - b).abs().mean()
        adam.zero_grad()
        loss.backward()
        adam.step()
        progress("learning", len(x) + step, len(x) + steps)
    return network.eval()


def _images(squares: list[Pixels]) -> Tensor:
    return torch.from_numpy(to_images([resized(square, _SMALL) for square in squares]))

"""(e) What learns from pairs of originals and fakes: reversers, which give the original back, and recognisers of fakes.

They learn from other senders, in turn, and from people who do not exist, of whom the program makes as many as anybody likes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from stylecrypt_msg.cipher import to_images, to_pixels
from stylecrypt_msg.models.face_model import Floats as Codes
from stylecrypt_msg.pictures import Pixels, encode_picture
from stylecrypt_msg.progress import Progress
from stylecrypt_msg.standins import stand_in

from .judges import compared
from .material import Material, People, Pipeline, View, resized
from .odds import Figure, Finding, Floats, Ridge

__all__ = ["Lessons", "Pairs", "learn", "lessons", "reversers", "trained"]

_FOLDS = 3
_SMALL = 64  # px of the convolutional network's pictures
_TILE = 128  # px of the sheet's
_ROWS = 8
_BATCH = 16
_TRUNCATION = 0.9


@dataclass(frozen=True, eq=False)
class Lessons:
    """People who do not exist, to learn from, the same for every mask; ``faces`` are their descriptors, by each judge."""

    views: tuple[View, ...]
    faces: tuple[Floats, ...]


def lessons(people: People, count: int, pipeline: Pipeline, progress: Progress) -> Lessons:
    """``count`` people who do not exist. The encoder reads them from pictures, so a person's styles may all differ."""
    z = np.random.default_rng(5).standard_normal((count, pipeline.model.style_dim), np.float32)
    landmarks = np.mean([view.landmarks for view in people.sent], axis=0)
    views = []
    for i, square in enumerate(pipeline.preview(pipeline.model.map(z, _TRUNCATION))):
        progress("making people to learn from", i, count)
        views.append(pipeline.view(square, landmarks, deep=False))
    progress("making people to learn from", count, count)
    return Lessons(tuple(views), pipeline.describe([view.square for view in views]))


@dataclass(frozen=True, eq=False)
class Pairs:
    """L fakes of known people.

    Attributes:
        who: (L,) numbers of the senders; -1 for people who do not exist.
        squares, codes, faces: the fakes, as in `Posted`.
        originals: their photos.
        persons: descriptors (L, D), by each judge: the mean of the person's photos'.
    """

    who: NDArray[np.intp]
    squares: list[Pixels]
    codes: Codes
    faces: tuple[Floats, ...]
    originals: list[View]
    persons: tuple[Floats, ...]

    @property
    def groups(self) -> NDArray[np.intp]:
        """(L,) one number for each person, whether or not they exist."""
        return np.where(self.who < 0, -1 - np.arange(len(self.who)), self.who)


def learn(material: Material, learnt: Lessons, more: int) -> Pairs:
    """Everything posted, ``more`` fakes of each photo that was, with other stand-ins, and a fake of each of ``learnt``."""
    people, pipeline, setting = material.people, material.pipeline, material.setting
    posted = [(people.sent, material.here), (people.others, material.there)]
    views = [(i, views[i]) for views, rooms in posted for i in rooms.who]
    again = [*(views * more), *((-1, view) for view in learnt.views)]
    squares = []
    for number, (_, view) in enumerate(again):
        material.progress("making fakes to learn from", number, len(again))
        key = stand_in(pipeline.model, f"lesson {number}", view.codes(setting.level)[None])
        squares += pipeline.shown(view, key, setting)
    material.progress("making fakes to learn from", len(again), len(again))
    codes, faces = pipeline.encode(squares), pipeline.describe(squares)
    who = np.array([i for i, _ in (*views, *again)], np.intp)
    persons = []
    for judge, invented in zip(people.judges, learnt.faces, strict=True):
        real = (judge.mine + judge.others)[who[: len(who) - len(invented)]] / 2
        persons.append(np.concatenate([real, invented]))
    return Pairs(
        who,
        [*material.here.squares, *material.there.squares, *squares],
        np.concatenate([material.here.codes, material.there.codes, codes]),
        tuple(np.concatenate(parts) for parts in zip(material.here.faces, material.there.faces, faces, strict=True)),
        [view for _, view in (*views, *again)],
        tuple(persons),
    )


def reversers(material: Material, pairs: Pairs, steps: int) -> tuple[list[Finding | Figure], bytes]:
    """Ridge regression from the codes of a fake to those of the original, and a convolutional network from pixels to pixels,
    trained for ``steps`` steps. Nobody is reversed by what has seen them.

    Also a sheet, a JPEG file with rows of senders: the photo, the fake, and what either makes of the fake.
    """
    people, here, pipeline = material.people, material.here, material.pipeline
    originals = np.stack([view.looks for view in pairs.originals]).reshape(len(pairs.who), -1)
    read = pairs.codes.reshape(len(pairs.who), -1)
    by_codes: dict[int, Pixels] = {}
    by_pixels: dict[int, Pixels] = {}
    for fold, (known, held) in enumerate(_folds(material, pairs)):
        inverse = Ridge(read[known], originals[known], pairs.groups[known])
        guessed = inverse(here.codes[held].reshape(len(held), -1)).astype(np.float32)
        by_codes |= dict(zip(held, pipeline.preview(guessed.reshape(-1, *here.codes.shape[1:])), strict=True))
        fakes, squares = [pairs.squares[at] for at in known], [pairs.originals[at].square for at in known]
        network = _train(fakes, squares, steps, material.progress, fold)
        with torch.inference_mode():
            made = to_pixels(network(_images([here.squares[row] for row in held])).numpy())
        by_pixels |= dict(zip(held, made, strict=True))
    among = _unseen(material)
    # What the fakes themselves say in so small a gallery is reported, and judged elsewhere.
    plain = material.judged("reverser", "the fake itself", here.faces, among)
    found: list[Finding | Figure] = [replace(one, chance=None) for one in plain]
    for what, made_of in (("reversed by codes", by_codes), ("reversed by pixels", by_pixels)):
        faces = pipeline.describe([made_of[row] for row in range(len(here.who))])
        found += material.judged("reverser", what, faces, among)
    rows = [
        np.hstack(
            [resized(one, _TILE) for one in (people.sent[i].square, here.squares[row], by_codes[row], by_pixels[row])]
        )
        for row, i in material.victims(_ROWS)
    ]
    return found, encode_picture(np.vstack(rows), "JPEG", quality=85)


def trained(material: Material, pairs: Pairs) -> list[Finding | Figure]:
    """A layer on top of each judge, trained on fakes: it adds to their descriptors what regression says is missing from the
    person's own. To predict the person's own from nothing takes more people: it finds fewer than the judge alone.
    """
    people, here = material.people, material.here
    found: list[Finding | Figure] = []
    for judge, fakes, persons, posted in zip(people.judges, pairs.faces, pairs.persons, here.faces, strict=True):
        between = np.empty((len(here.who), len(people)))
        for known, held in _folds(material, pairs):
            middle = persons[known].mean(0)
            correct = Ridge(fakes[known], persons[known] - fakes[known], pairs.groups[known])
            guessed = posted[held] + correct(posted[held])
            a, b = (_length_1(these - middle) for these in (guessed, judge.others))
            between[held] = 1 - a @ b.T  # by the angle: regression shortens what it is unsure of
        name = material.setting.name
        layer, among = f"{judge.name} and a layer", _unseen(material)
        found += compared("trained recogniser", name, "the fake", between, here.who, layer, among=among)
    return found


def _folds(material: Material, pairs: Pairs) -> list[tuple[NDArray[np.intp], list[int]]]:
    """The pairs to learn from, and the places in `Material.here` to attack, none of whose people are among the former."""
    folds = []
    for fold in range(_FOLDS):
        held = [row for row, i in enumerate(material.here.who) if i % _FOLDS == fold]
        known = np.flatnonzero((pairs.who < 0) | (pairs.who % _FOLDS != fold))
        if held:
            folds.append((known, held))
    return folds


def _unseen(material: Material) -> NDArray[np.bool_]:
    """(M, N): whom a fake may be taken for. What learns makes everything look like the people that it learnt from, so these are
    left out of the gallery: an attacker does not learn from suspects.
    """
    fold = np.arange(len(material.people)) % _FOLDS
    return np.asarray(fold[list(material.here.who)][:, None] == fold)


def _length_1(faces: Floats) -> Floats:
    return np.asarray(faces / np.maximum(np.linalg.norm(faces, axis=1, keepdims=True), 1e-12))


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


def _train(fakes: Sequence[Pixels], originals: Sequence[Pixels], steps: int, progress: Progress, fold: int) -> _Network:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        network = _Network()
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # more bring so small a network nothing, and cost much on a busy machine
    x, y = _images(fakes), _images(originals)
    rng = torch.Generator().manual_seed(5)
    adam = torch.optim.Adam(network.parameters(), lr=2e-3)
    for step in range(steps):
        progress("learning to reverse", fold * steps + step, _FOLDS * steps)
        some = torch.randint(len(x), (_BATCH,), generator=rng)
        turned = torch.rand((), generator=rng) < 0.5  # faces may be mirrored
        a, b = (part[some].flip(3) if turned else part[some] for part in (x, y))
        loss = (network(a) - b).abs().mean()
        adam.zero_grad()
        loss.backward()
        adam.step()
    torch.set_num_threads(threads)
    return network.eval()


def _images(squares: Sequence[Pixels]) -> Tensor:
    return torch.from_numpy(to_images([resized(square, _SMALL) for square in squares]))

"""(d) Many fakes of one sender, each with another stand-in: what do they have in common?"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np

from stylecrypt_msg.pictures import Pixels, encode_picture

from .faces import by_chance, same
from .material import Material, resized, show, small
from .odds import Figure, Finding, Floats, by_strangers, distances

__all__ = ["Averages", "averaging"]

_SIDE = 128  # px: the preview's


@dataclass(frozen=True, eq=False)
class Averages:
    """The results of averaging.

    Attributes:
        counts: how many fakes were averaged.
        distances: mean distance to the sender for each of ``counts``, by what was averaged.
        sheet: a JPEG file with rows of senders: the photo, one fake, the mean of the pixels, the face of the mean code.
    """

    counts: tuple[int, ...]
    distances: dict[str, tuple[float, ...]]
    sheet: bytes


def averaging(material: Material, fakes: int, victims: int) -> tuple[list[Finding | Figure], Averages]:
    """Averages up to ``fakes`` fakes of each of ``victims`` senders at 128 px: their pixels, descriptors, and codes.

    Judged by whether the average finds the sender in the gallery of all.
    """
    people, strange, pipeline, setting = material.people, material.strange, material.pipeline, material.setting
    chosen = people.some(victims)
    counts = tuple(sorted({fakes, *(2**i for i in range(fakes.bit_length()) if 2**i <= fakes)}))
    averages: dict[str, list[list[Floats]]] = {
        what: [[] for _ in counts] for what in ("pixels", "descriptors", "codes")
    }
    rows = []
    for row, i in enumerate(chosen):
        material.progress("averaging", row, len(chosen))
        view = people.sent[i]
        made = pipeline.preview(pipeline.fakes(view, strange.codes[i, :fakes], setting))
        photo = small(view, _SIDE)
        seen = [show(photo, resized(face, _SIDE), setting.form) for face in made]
        codes, faces = pipeline.glance(seen), pipeline.describe(seen)
        blends = [_mean(seen[:count]) for count in counts]
        middles = pipeline.preview(np.stack([codes[:count].mean(0) for count in counts]))
        for at, (blend, middle, count) in enumerate(zip(blends, middles, counts, strict=True)):
            both = pipeline.describe([blend, middle])
            averages["pixels"][at].append(both[0])
            averages["codes"][at].append(both[1])
            averages["descriptors"][at].append(faces[:count].mean(0))
        rows.append(np.hstack([photo.square, seen[0], blends[-1], resized(middles[-1], _SIDE)]))
    material.progress("averaging", len(chosen), len(chosen))
    finding, figure, n = partial(material.finding, "averaging"), partial(material.figure, "averaging"), len(chosen)
    found: list[Finding | Figure] = []
    curves = {}
    # The mean of many is close to everybody: chance is the rate that the mean of as many strangers reaches.
    means = strange.small_faces[:, :fakes].mean(1, keepdims=True)
    for what, levels in averages.items():
        to_sender = [np.linalg.norm(np.stack(level) - people.sent_faces[chosen], axis=1) for level in levels]
        curves[what] = tuple(float(one.mean()) for one in to_sender)
        between = distances(np.stack(levels[-1]), people.other_faces)
        # The whole gallery, not just the victims; they come first, so that a person's row and column have one number.
        order = [*chosen, *sorted(set(range(len(people))) - set(chosen))]
        mean = f"the mean of {fakes} fakes' {what}"
        limit = pipeline.recogniser.threshold
        within, chance = int((to_sender[-1] < limit).sum()), by_strangers(means, people.sent_faces, limit)
        found += [
            finding(f"{mean} finds the sender in the gallery", same(between[:, order]), n, by_chance(len(people))),
            finding(f"{mean} is the sender, by the threshold", within, n, chance),
            figure(f"distance of {mean}", curves[what][-1], n),
        ]
    return found, Averages(counts, curves, encode_picture(np.vstack(rows), "JPEG", quality=85))


def _mean(squares: list[Pixels]) -> Pixels:
    return np.asarray(np.rint(np.mean(squares, axis=0)), np.uint8)

"""(d) Many fakes of one sender, each with another stand-in: what do they have in common?"""

from __future__ import annotations

import numpy as np

from stylecrypt_msg.pictures import Pixels
from stylecrypt_msg.standins import stand_in

from .judges import by_chance, nearest
from .material import Material
from .odds import Figure, Finding, Floats, distances

__all__ = ["averaging"]


def averaging(material: Material, fakes: int, victims: int) -> list[Finding | Figure]:
    """Averages ``fakes`` fakes of each of ``victims`` senders: their pixels, descriptors, and codes.

    Judged by whether the average finds the sender in the gallery of all.
    """
    people, pipeline, setting = material.people, material.pipeline, material.setting
    chosen = material.victims(victims)
    middles: dict[str, list[tuple[Floats, ...]]] = {what: [] for what in ("pixels", "descriptors", "codes")}
    for row, (_, i) in enumerate(chosen):
        material.progress("averaging", row, len(chosen))
        view = people.sent[i]
        start = view.codes(setting.level)[None]
        keys = np.concatenate([stand_in(pipeline.model, f"many {k}", start) for k in range(fakes)])
        seen = pipeline.shown(view, keys, setting)
        (middle,) = pipeline.preview(pipeline.encode(seen).mean(0)[None])
        middles["pixels"].append(pipeline.describe([_mean(seen)]))
        middles["codes"].append(pipeline.describe([middle]))
        middles["descriptors"].append(tuple(faces.mean(0)[None] for faces in pipeline.describe(seen)))
    material.progress("averaging", len(chosen), len(chosen))
    found: list[Finding | Figure] = []
    who = [i for _, i in chosen]
    for what, described in middles.items():
        for judge, faces in zip(people.judges, zip(*described, strict=True), strict=True):
            first = nearest(distances(np.concatenate(faces), judge.others), who)
            named = f"the mean of {fakes} fakes' {what}: found first"
            found.append(material.finding("averaging", named, first, len(who), by_chance(len(people)), judge.name))
    return found


def _mean(squares: list[Pixels]) -> Pixels:
    return np.asarray(np.rint(np.mean(squares, axis=0)), np.uint8)

"""Attacks with one or two fakes: who is the sender, what does another photo of them recover, do two fakes have one sender?"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np

from stylecrypt_msg.pictures import Pixels
from stylecrypt_msg.stylemix import mix

from .material import Material, Pipeline, Posted, resized, show
from .odds import Figure, Finding, Floats, by_strangers, distances, roc

__all__ = ["linking", "public_photo", "recognition", "same"]


def same(between: Floats) -> int:
    """The number of rows i of distances (N, M >= N) whose smallest value is in column i. Ties do not count."""
    n = np.arange(len(between))
    off = between.astype(np.float64)
    off[n, n] = np.inf
    return int((between[n, n] < off.min(axis=1)).sum())


def recognition(material: Material) -> list[Finding | Figure]:
    """(a) Searches for the fake in a gallery with one photo of each sender."""
    people, posted, pipeline = material.people, material.posted, material.pipeline
    n, gallery = len(people), people.other_faces
    to_others = distances(posted.faces, gallery)
    own = np.diag(to_others)
    codes = np.stack([view.codes for view in people.others])
    by_styles = same(pipeline.distance(posted.codes, codes, material.setting.kept))
    finding = partial(material.finding, "recognition")
    finds = f"{pipeline.recogniser.name} finds the sender in the gallery"
    return [
        finding(finds, same(to_others), n, by_chance(n)),
        *(
            finding(
                f"the sender, by the {name} {limit:.2f}",
                int((own < limit).sum()),
                n,
                by_strangers(material.strange.faces, gallery, limit),
            )
            for name, limit in _limits(pipeline)
        ),
        material.finding("styles", "the kept styles find the sender in the gallery", by_styles, n, by_chance(n)),
        material.figure("recognition", "distance to the sender", float(own.mean()), n),
    ]


def public_photo(material: Material) -> list[Finding | Figure]:
    """(b) The key face is another photo of the sender: what anybody with such a photo recovers, the sender's contact included.

    An envelope that the attacker cannot open changes nothing here: the picture is the same.
    """
    people, squares, pipeline = material.people, material.posted.squares, material.pipeline
    mask, form = material.setting.mask, material.setting.form
    n = len(people)
    recovered: list[Pixels] = []
    errors: list[float] = []
    for i, (sent, other) in enumerate(zip(people.sent, people.others, strict=True)):
        material.progress("another photo as the key", i, n)
        key = other.codes[None]
        (face,) = pipeline.render(mix(pipeline.read(squares[i], key, mask), key, mask))
        arrived = replace(sent, square=squares[i])
        recovered.append(resized(show(arrived, face, form), sent.square.shape[0]))
        errors.append(_psnr(recovered[-1], sent.square, squares[i]))
    material.progress("another photo as the key", n, n)
    faces = pipeline.describe(recovered)
    own = np.linalg.norm(faces - people.sent_faces, axis=1)
    figure = partial(material.figure, "public photo")
    return [
        *(
            material.finding(
                "public photo",
                f"the sender comes back, by the {name} {limit:.2f}",
                int((own < limit).sum()),
                n,
                by_strangers(material.strange.faces, people.sent_faces, limit),
            )
            for name, limit in _limits(pipeline)
        ),
        figure("distance to the sender", float(own.mean()), n),
        figure("PSNR of what comes back, in the face", float(np.mean(errors)), n, "dB"),
    ]


def linking(material: Material, there: Posted) -> list[Finding | Figure]:
    """(f) A fake in one room, one ``there`` with another stand-in: is it the same sender?"""
    here, pipeline, n = material.posted, material.pipeline, len(material.people)
    found: list[Finding | Figure] = []
    for how, between in (
        (pipeline.recogniser.name, distances(here.faces, there.faces)),
        ("the kept styles", pipeline.distance(here.codes, there.codes, material.setting.kept)),
    ):
        what = f"the sender's fake in the other room, by {how}"
        found.append(material.finding("linking", what, same(between), n, by_chance(n)))
        if n > 1:
            area, error = roc(np.diag(between), between[~np.eye(n, dtype=bool)])
            found.append(material.figure("linking", f"area under the ROC curve, by {how}", area, n))
            found.append(material.figure("linking", f"equal error rate, by {how}", error, n))
    return found


def _limits(pipeline: Pipeline) -> tuple[tuple[str, float], ...]:
    return ("threshold", pipeline.recogniser.threshold), ("strict threshold", pipeline.recogniser.strict)


def by_chance(n: int) -> float:
    """The chance of finding one in ``n``. Stand-ins deliberately have the sender's sex, which halves the choice."""
    return min(1.0, 2 / n)


def _psnr(made: Pixels, original: Pixels, cover: Pixels) -> float:
    """In dB, over the pixels that the sender changed."""
    changed = (original != cover).any(axis=2)
    error = (made[changed].astype(np.float64) - original[changed]) ** 2
    return float(10 * np.log10(255**2 / max(error.mean() if error.size else 0.0, 1e-4)))

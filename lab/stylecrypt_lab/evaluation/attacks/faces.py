"""Attacks with one or two fakes: who is it, what does another photo of them recover, and are these two the same person?"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from stylecrypt_msg.progress import Progress
from stylecrypt_msg.stylemix import mix

from .material import People, Pipeline, Pixels, Posted, Setting, Strangers, resized, show
from .odds import Figure, Finding, Floats, by_strangers, distances, roc

__all__ = ["linking", "public_photo", "recognition", "same"]


def same(between: Floats) -> int:
    """How many rows of distances (N, M >= N) are nearest to the column of their own number. Ties do not count."""
    n = np.arange(len(between))
    off = between.astype(np.float64)
    off[n, n] = np.inf
    return int((between[n, n] < off.min(axis=1)).sum())


def recognition(
    people: People, posted: Posted, strange: Strangers, setting: Setting, pipeline: Pipeline
) -> list[Finding | Figure]:
    """(a) Looks for the fake in a gallery with one photo of each sender."""
    n, gallery = len(people), people.other_faces
    to_others = distances(posted.faces, gallery)
    found: list[Finding | Figure] = [
        Finding(
            "recognition",
            setting.name,
            f"{pipeline.recogniser.name} finds the sender in the gallery",
            same(to_others),
            n,
            by_chance(n),
        ),
    ]
    for name, limit in (("threshold", pipeline.recogniser.threshold), ("strict threshold", pipeline.recogniser.strict)):
        found.append(
            Finding(
                "recognition",
                setting.name,
                f"the sender, by the {name} {limit:.2f}",
                int((np.diag(to_others) < limit).sum()),
                n,
                by_strangers(strange.faces, gallery, limit),
            )
        )
    codes = np.stack([view.codes for view in people.others])
    between = pipeline.distance(posted.codes, codes, setting.kept)
    found.append(
        Finding(
            "styles", setting.name, "the kept styles find the sender in the gallery", same(between), n, by_chance(n)
        )
    )
    found.append(_figure("recognition", setting, "distance to the sender", float(np.diag(to_others).mean()), "", n))
    return found


def public_photo(
    people: People, posted: Posted, strange: Strangers, setting: Setting, pipeline: Pipeline, progress: Progress
) -> list[Finding | Figure]:
    """(b) The key face is another photo of the sender: what anybody with such a photo gets, including the sender's contact.

    An envelope that the attacker cannot open changes nothing here: the picture is the same.
    """
    n = len(people)
    recovered: list[Pixels] = []
    errors: list[float] = []
    for i, (sent, other) in enumerate(zip(people.sent, people.others, strict=True)):
        progress("another photo as the key", i, n)
        key = other.codes[None]
        (face,) = pipeline.render(mix(pipeline.read(posted.squares[i], key, setting.mask), key, setting.mask))
        arrived = replace(sent, square=posted.squares[i])
        recovered.append(resized(show(arrived, face, setting.form), sent.square.shape[0]))
        errors.append(_psnr(recovered[-1], sent.square, posted.squares[i]))
    progress("another photo as the key", n, n)
    faces = pipeline.describe(recovered)
    own = np.linalg.norm(faces - people.sent_faces, axis=1)
    found: list[Finding | Figure] = [
        Finding(
            "public photo",
            setting.name,
            f"the sender comes back, by the {name} {limit:.2f}",
            int((own < limit).sum()),
            n,
            by_strangers(strange.faces, people.sent_faces, limit),
        )
        for name, limit in (
            ("threshold", pipeline.recogniser.threshold),
            ("strict threshold", pipeline.recogniser.strict),
        )
    ]
    found.append(_figure("public photo", setting, "distance to the sender", float(own.mean()), "", n))
    found.append(
        _figure("public photo", setting, "PSNR of what comes back, in the face", float(np.mean(errors)), "dB", n)
    )
    return found


def linking(
    people: People, here: Posted, there: Posted, setting: Setting, pipeline: Pipeline
) -> list[Finding | Figure]:
    """(f) A fake in one room, one in another with another stand-in: is it the same sender?"""
    n = len(people)
    found: list[Finding | Figure] = []
    for how, between in (
        (pipeline.recogniser.name, distances(here.faces, there.faces)),
        ("the kept styles", pipeline.distance(here.codes, there.codes, setting.kept)),
    ):
        found.append(
            Finding(
                "linking",
                setting.name,
                f"the sender's fake in the other room, by {how}",
                same(between),
                n,
                by_chance(n),
            )
        )
        if n > 1:
            area, error = roc(np.diag(between), between[~np.eye(n, dtype=bool)])
            found.append(_figure("linking", setting, f"area under the ROC curve, by {how}", area, "", n))
            found.append(_figure("linking", setting, f"equal error rate, by {how}", error, "", n))
    return found


def by_chance(n: int) -> float:
    """The chance of finding one in ``n``. Stand-ins have the sender's sex on purpose, which halves the choice."""
    return min(1.0, 2 / n)


def _psnr(made: Pixels, original: Pixels, cover: Pixels) -> float:
    """In dB, over the pixels that the sender changed."""
    changed = (original != cover).any(axis=2)
    error = (made[changed].astype(np.float64) - original[changed]) ** 2
    return float(10 * np.log10(255**2 / max(error.mean() if error.size else 0.0, 1e-4)))


def _figure(attack: str, setting: Setting, what: str, value: float, unit: str, trials: int) -> Figure:
    return Figure(attack, setting.name, what, value, unit, trials)

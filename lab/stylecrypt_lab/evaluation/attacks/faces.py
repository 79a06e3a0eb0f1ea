"""Attacks with one or two fakes: who is the sender, what does another photo of them recover, do two fakes have one sender?"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from stylecrypt_msg.pictures import Pixels
from stylecrypt_msg.stylemix import mix

from .judges import by_chance, compared, nearest
from .material import Material, show
from .odds import Figure, Finding, distances, linked

__all__ = ["STYLES", "linking", "public_photo", "recognition"]

STYLES = "kept styles"
"""The judge who compares the styles that the mask keeps, as the encoder reads them."""


def recognition(material: Material) -> list[Finding | Figure]:
    """(a) Compares the fake with another photo of each sender, by recognisers and by the kept styles."""
    people, posted = material.people, material.here
    codes = np.stack([view.looks for view in people.others])
    by_styles = material.pipeline.distance(posted.codes, codes, material.setting.kept)
    return [
        *material.judged("recognition", "the fake", posted.faces),
        *compared("styles", material.setting.name, "the fake", by_styles, posted.who, STYLES),
    ]


def public_photo(material: Material, victims: int) -> list[Finding | Figure]:
    """(b) The key face is another photo of the sender: what anybody with such a photo recovers, the sender's contact included.

    An envelope that the attacker cannot open changes nothing here: the picture is the same.
    """
    people, setting, pipeline = material.people, material.setting, material.pipeline
    chosen = material.victims(victims)
    recovered: list[Pixels] = []
    errors: list[float] = []
    for done, (row, i) in enumerate(chosen):
        material.progress("another photo as the key", done, len(chosen))
        square, key, sent = material.here.squares[row], people.others[i].key[None], people.sent[i]
        (face,) = pipeline.preview(mix(pipeline.read(square, key, setting.mask), key, setting.mask))
        recovered.append(show(replace(sent, square=square), face, setting.form))
        errors.append(_psnr(recovered[-1], sent.square, square))
    material.progress("another photo as the key", len(chosen), len(chosen))
    found: list[Finding | Figure] = []
    for judge, faces in zip(people.judges, pipeline.describe(recovered), strict=True):
        # Not with the other photos, of which they were made.
        between, who = distances(faces, judge.mine), [i for _, i in chosen]
        found += compared("public photo", setting.name, "what comes back", between, who, judge.name, judge.strangers)
    what = "PSNR of what comes back, in the face"
    return [*found, material.figure("public photo", what, float(np.mean(errors)), len(errors), "dB")]


def linking(material: Material) -> list[Finding | Figure]:
    """(f) A fake in one room, one in another with another stand-in: is it the same sender?"""
    here, there, people = material.here, material.there, material.people
    both = sorted({*here.who} & {*there.who})
    mine, theirs = ([posted.who.index(i) for i in both] for posted in (here, there))
    by_styles = material.pipeline.distance(here.codes, there.codes, material.setting.kept)
    seen = [(STYLES, by_styles)]
    for judge, a, b in zip(people.judges, here.faces, there.faces, strict=True):
        seen.append((judge.name, distances(a, b)))
    found: list[Finding | Figure] = []
    n = len(both)
    for name, distance in seen:
        between = distance[np.ix_(mine, theirs)]
        what = "the fake in the other room: found first"
        found.append(
            material.finding("linking", what, nearest(between, range(n)), n, by_chance(n) if n else None, name)
        )
        if n > 2:
            value, mean, luck = linked(between, people.kind[both])
            found.append(material.figure("linking", "D_sys", value, n, judge=name, luck=luck))
            found.append(material.figure("linking", "D_sys of shuffled mates", mean, n, judge=name))
    return found


def _psnr(made: Pixels, original: Pixels, cover: Pixels) -> float:
    """In dB, over the pixels that the sender changed."""
    changed = (original != cover).any(axis=2)
    error = (made[changed].astype(np.float64) - original[changed]) ** 2
    return float(10 * np.log10(255**2 / max(error.mean() if error.size else 0.0, 1e-4)))

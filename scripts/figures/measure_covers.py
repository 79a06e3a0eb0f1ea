"""Measures covers of level original: what recognisers that did not choose them see, and how natural they are in figures.

    python scripts/figures/measure_covers.py FACES [--limit N] [--json FILE]

FACES holds two photos of each person, `007-a.jpg` and `007-b.jpg`. Each first photo is covered three times: with a stand-in
chosen by SFace and dlib, by SFace alone, and by dlib alone. Photos in which no stand-in hides the face are counted, as refused,
and count no further.

Each recogniser's threshold is the distance below which one in a thousand pairs of photos of two people falls, as far as there
are so many. Verified: the share of covers closer than that to the sender's other photo, and to the photo itself. Found first:
the share whose nearest other photo, of everybody's, is the sender's.

Expression and pose are compared with the photo's by dlib's 68 landmarks, on covers chosen by both: correlations of how wide and
how far open mouths are, in lengths of the face, and differences in degrees by the pose of a generic head. Skin: the median
colours of cover and photo on the cheeks, where the mask has just reached its full weight, in CIELAB. Needs the extra
``identity``.
"""

from __future__ import annotations

import argparse
import json
import secrets
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from stylecrypt_lab.evaluation.attacks.judges import Judge, described, nearest, threshold
from stylecrypt_lab.evaluation.attacks.material import covered
from stylecrypt_lab.evaluation.attacks.odds import distances
from stylecrypt_lab.evaluation.looks import SIDE, Landmarks, looks_of, sixty_eight
from stylecrypt_lab.evaluation.subjects import read_subjects

from stylecrypt_msg.models import load_model
from stylecrypt_msg.pictures import Pixels
from stylecrypt_msg.recognisers import load_recogniser

FAR = 1e-3
DARK = 50.0  # CIELAB lightness of the cheeks, below which skin counts as dark
EDGE = (12, 24)  # px from the mask's edge: beyond the feather
CHEEKS = slice(122, 184)  # rows, from the eyes to the mouth


@dataclass(frozen=True)
class Sight:
    """What ``judge`` sees in covers that ``chosen_by`` chose: shares of ``sent``, of which ``refused`` more were not."""

    chosen_by: str
    judge: str
    sent: int
    refused: int
    other_photo: float
    photo: float
    found_first: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("faces", type=Path)
    parser.add_argument("--limit", type=int)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    console = Console()
    people, _ = read_subjects(arguments.faces, pairs=True, limit=arguments.limit)
    photos = zip(*((one.photo.square(SIDE), one.other.square(SIDE)) for one in people if one.other), strict=True)
    mine, others = (list(squares) for squares in photos)
    judges = [Judge(load_recogniser(name), mine, others) for name in ("sface", "dlib")]
    model, landmarks = load_model(), sixty_eight()
    names = [judge.recogniser.name for judge in judges]
    choices = {" and ".join(names): [judge.recogniser for judge in judges]}
    choices |= {name: [judge.recogniser] for name, judge in zip(names, judges, strict=True)}
    covers = [
        covered(one.photo, model, secrets.token_hex(4), list(choices.values()))
        for one in track(people, "covering", console=console, transient=True)
    ]
    sights = [sees(judge, mine, "nobody: no cover") for judge in judges]
    for chosen_by, squares in zip(choices, zip(*covers, strict=True), strict=True):
        sights += [sees(judge, squares, chosen_by) for judge in judges]
    console.print(f"{len(people)} people; thresholds at FAR {FAR:g}")
    for one in sights:
        console.print(
            f"chosen by {one.chosen_by}, judged by {one.judge}: {one.sent} sent, {one.refused} refused; verified "
            f"{one.other_photo:.1%} (by the photo itself {one.photo:.1%}), found first {one.found_first:.1%}",
            soft_wrap=True,
        )
    shown = [(photo, square) for photo, (square, *_) in zip(mine, covers, strict=True) if square is not None]
    looks = naturalness(shown, landmarks)
    for name, value in looks.items():
        console.print(f"{name}: {value:.2f}")
    if arguments.json:
        arguments.json.write_text(json.dumps({"sights": [asdict(one) for one in sights], "looks": looks}, indent=1))


def sees(judge: Judge, squares: Sequence[Pixels | None], chosen_by: str) -> Sight:
    """What ``judge`` sees in ``squares`` of everybody; None: none was sent."""
    sent = np.array([i for i, square in enumerate(squares) if square is not None])
    fakes = described(judge.recogniser, [square for square in squares if square is not None])
    apart, limit = distances(fakes, judge.others), threshold(judge.strangers, FAR)
    return Sight(
        chosen_by=chosen_by,
        judge=judge.name,
        sent=len(sent),
        refused=len(squares) - len(sent),
        other_photo=float((apart[np.arange(len(sent)), sent] < limit).mean()),
        photo=float((np.linalg.norm(fakes - judge.mine[sent], axis=1) < limit).mean()),
        found_first=nearest(apart, sent) / max(len(sent), 1),
    )


def naturalness(shown: Sequence[tuple[Pixels, Pixels]], landmarks: Landmarks) -> dict[str, float]:
    """Photos and their covers, (256, 256, 3) uint8 each."""
    before, after = ([looks_of(landmarks(square)) for square in squares] for squares in zip(*shown, strict=True))

    def values(name: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        first, second = (np.array([getattr(one, name) for one in looks]) for looks in (before, after))
        return first, second

    def turned(name: str) -> float:
        first, second = values(name)
        return float(np.median(abs((second - first + 180) % 360 - 180)))

    apart, light = np.array([skin(*pair) for pair in shown]).T
    found = {
        "smile, correlation": float(np.corrcoef(*values("smile"))[0, 1]),
        "open mouth, correlation": float(np.corrcoef(*values("opening"))[0, 1]),
        "yaw, median difference in degrees": turned("yaw"),
        "pitch, median difference in degrees": turned("pitch"),
    }
    for name, these in (("light", light >= DARK), ("dark", light < DARK)):
        found[f"{name} skin, people"] = float(these.sum())
        if these.any():
            found[f"{name} skin, median difference in CIELAB"] = float(np.nanmedian(apart[these]))
            found[f"{name} skin, share within 5"] = float((apart[these] <= 5).mean())
    return found


def skin(photo: Pixels, cover: Pixels) -> tuple[float, float]:
    """How far apart the two are at the mask's edge, and the photo's lightness there."""
    changed = (photo != cover).any(2)
    depth = cv2.distanceTransform(np.pad(changed, 1).astype(np.uint8), cv2.DIST_L2, 5)[1:-1, 1:-1]
    edge = (depth > EDGE[0]) & (depth < EDGE[1])
    lab = [cv2.cvtColor((picture / 255).astype(np.float32), cv2.COLOR_RGB2LAB) for picture in (photo, cover)]
    apart, light = [], []
    for side in (slice(None, SIDE // 2), slice(SIDE // 2, None)):
        here = edge[CHEEKS, side]
        if here.any():
            first, second = (np.median(one[CHEEKS, side][here], axis=0) for one in lab)
            apart.append(float(np.linalg.norm(first - second)))
            light.append(float(first[0]))
    return (float(np.mean(apart)), float(np.mean(light))) if apart else (np.nan, np.nan)


if __name__ == "__main__":
    main()

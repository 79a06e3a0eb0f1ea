"""Measures how natural covers of level original look, in figures that were fitted to what eyes said.

    python scripts/figures/measure_natural.py PHOTOS [--limit N] [--sheet PICTURE] [--json FILE]

Each photo is covered as `stylecrypt encrypt` does, with stand-ins chosen by SFace and dlib; of the faces in it, the largest
counts. Stand-ins depend on the files' names alone, so that two versions of the code are compared with the same people.

A cover's score is the logarithm of the odds that it does not pass for a photograph; `stylecrypt_lab.evaluation.natural` says
what its flaws are, and lab/LOG.md how far the score agrees with eyes. With ``--sheet``, photos and covers are drawn side by
side, the worst first: look there. Needs the extra ``identity``.
"""

from __future__ import annotations

import argparse
import json
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
from rich.console import Console
from rich.progress import track
from stylecrypt_lab.evaluation.looks import SIDE, Landmarks, sixty_eight
from stylecrypt_lab.evaluation.natural import Flaws, flaws_of, wide_square

from stylecrypt_msg.cipher import cover
from stylecrypt_msg.errors import FaceError, LikenessError
from stylecrypt_msg.models import FaceModel, load_model
from stylecrypt_msg.pictures import SUFFIXES, Pixels, read_photo
from stylecrypt_msg.recognisers import Recogniser, load_recogniser
from stylecrypt_msg.standin_choice import hide
from stylecrypt_msg.standins import seeds

LONGEST = 1200  # px of a photo: as much as a chat shows
COUNTS = 0.35  # what a flaw adds to the score, to be named
ACROSS = 4  # pairs side by side on the sheet


@dataclass(frozen=True)
class Judged:
    """A photo's name, its square and its cover's side by side, and what is wrong with the cover."""

    name: str
    pair: Pixels
    flaws: Flaws

    @property
    def fails(self) -> bool:
        return self.flaws.score > 0

    @property
    def reasons(self) -> list[str]:
        return [name for name, part in self.flaws.reasons.items() if part > COUNTS]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--limit", type=int)
    parser.add_argument("--sheet", type=Path)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    if not arguments.photos.is_dir():
        parser.error(f"there is no folder {arguments.photos}")
    console = Console()
    paths = sorted(path for path in arguments.photos.iterdir() if path.suffix.lower() in SUFFIXES)[: arguments.limit]
    model, landmarks = load_model(), sixty_eight()
    recognisers = [load_recogniser(name) for name in ("sface", "dlib")]
    found = [
        judged(path, model, recognisers, landmarks)
        for path in track(paths, "covering", console=console, transient=True)
    ]
    covers = sorted((one for one in found if one is not None), key=lambda one: -one.flaws.score)
    for one in covers:
        if one.fails:
            console.print(f"{one.name}: {one.flaws.score:.1f}, {', '.join(one.reasons)}", soft_wrap=True)
    console.print(f"{len(paths)} photos, {len(paths) - len(covers)} not covered")
    if covers:
        odds = [1 / (1 + math.exp(-one.flaws.score)) for one in covers]
        failed = [one for one in covers if one.fails]
        console.print(f"fail: {len(failed) / len(covers):.0%}; expected by the odds: {np.mean(odds):.0%}")
        for kind, count in Counter(reason for one in failed for reason in one.reasons).most_common():
            console.print(f"with {kind}: {count / len(covers):.0%}")
    if arguments.json:
        table = {one.name: {"score": one.flaws.score} | asdict(one.flaws) for one in covers}
        arguments.json.write_text(json.dumps(table, indent=1))
    if arguments.sheet and covers:
        cv2.imwrite(str(arguments.sheet), sheet(covers)[..., ::-1])


def judged(path: Path, model: FaceModel, recognisers: Sequence[Recogniser], landmarks: Landmarks) -> Judged | None:
    """None where no face can be replaced, or no stand-in hides one."""
    pixels = read_photo(path).pixels
    shrink = LONGEST / max(pixels.shape)
    if shrink < 1:
        pixels = np.asarray(cv2.resize(pixels, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA), np.uint8)
    key_faces = seeds(f"natural {path.stem}")
    try:
        covered = cover(pixels, model, key_face=key_faces[0], bounded=True)
        covered = hide(covered, model, key_faces, recognisers).covered
    except (FaceError, LikenessError):
        return None
    if not covered.quads:
        return None
    quad = max(covered.quads, key=lambda corners: math.dist(corners[0], corners[1]))
    flaws = flaws_of(covered.pixels, covered.backdrop, covered.original, quad, landmarks)
    pair = np.concatenate([wide_square(picture, quad) for picture in (covered.original, covered.pixels)], axis=1)
    return Judged(
        path.name, np.asarray(cv2.resize(pair, (2 * SIDE, SIDE), interpolation=cv2.INTER_AREA), np.uint8), flaws
    )


def sheet(covers: Sequence[Judged]) -> Pixels:
    rows = math.ceil(len(covers) / ACROSS)
    drawn = np.zeros((rows * (SIDE + 20), ACROSS * 2 * SIDE, 3), np.uint8)
    for number, one in enumerate(covers):
        top, left = number // ACROSS * (SIDE + 20), number % ACROSS * 2 * SIDE
        drawn[top + 20 : top + 20 + SIDE, left : left + 2 * SIDE] = one.pair
        text = f"{one.name} {one.flaws.score:.1f} {' '.join(one.reasons)}"
        cv2.putText(drawn, text, (left + 4, top + 15), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (255, 255, 255), 1, cv2.LINE_AA)
    return drawn


if __name__ == "__main__":
    main()

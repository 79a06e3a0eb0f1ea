"""Finds the distances at which recognisers take two people for one as often as they may, on photos of two days.

    python scripts/figures/measure_recognisers.py FACES [RECOGNISER...]

FACES holds two photos of each person, `007-a.jpg` and `007-b.jpg`. Every photo of a person is compared with every one of each
other person. Prints, for each recogniser (by default sface and dlib; or arcface:FILE, blendface:FILE), the distance that a
given share of these pairs falls below, its cosine for descriptors of length 1, and the share of pairs of one person that do.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from stylecrypt_lab.evaluation.subjects import read_subjects

from stylecrypt_msg.recognisers import load_recogniser

RATES = (1e-4, 1e-3, 1e-2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("faces", type=Path)
    parser.add_argument("recognisers", nargs="*", default=["sface", "dlib"])
    arguments = parser.parse_args()

    people, _ = read_subjects(arguments.faces, pairs=True)
    photos = [(number, photo) for number, one in enumerate(people) for photo in (one.photo, one.other) if photo]
    who = np.array([number for number, _ in photos])
    first, second = np.triu_indices(len(photos), 1)
    same = who[first] == who[second]
    print(f"{len(people)} people, {same.sum()} pairs of photos of one and {(~same).sum()} of two")
    for name in arguments.recognisers:
        recogniser = load_recogniser(name)
        found = np.concatenate([recogniser.describe([photo.square(256)]) for _, photo in photos])
        distances = np.linalg.norm(found[first] - found[second], axis=1)
        for rate in RATES:
            below = float(np.quantile(distances[~same], rate))
            passed = float((distances[same] < below).mean())
            print(
                f"{recogniser.name}: {rate:g} at {below:.3f} (cosine {1 - below**2 / 2:.3f}); one person {passed:.1%}"
            )


if __name__ == "__main__":
    main()

"""Measures how well key faces bring a sender back: photos of another day and pose as keys, one against several.

    python scripts/figures/measure_key_faces.py FACES [--form portrait] [--limit N] [--sheet FILE]
    python scripts/figures/measure_key_faces.py --made N [--form portrait] [--sheet FILE]

FACES holds two photos of each person, `007-a.jpg` and `007-b.jpg`, with any words after the number: the first is sent at level
`keyface`, as a JPEG, and the second is shared as the key face. With --made, the people are N who do not exist, whom the
embedded model shows turned, lit and coloured differently: the first photo is sent, and key faces are made from one, two and
four others. Everything goes through two profiles, as with real users.

Verified are the people whom the recogniser matches to the sender: at a distance below its threshold, its strict one, and the
one below which one in a thousand pairs of two people in the folder lies (FAR 1e-3). The sheet has a row for each person: the
photo sent, the key face's photo, the cover, and what came back; look there for broken faces.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from collections.abc import Iterator, Sequence
from itertools import combinations, groupby
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from PIL import Image
from rich.progress import track
from stylecrypt_lab.evaluation.metrics import FAR, threshold_at_far

from stylecrypt_msg import StyleCrypt
from stylecrypt_msg.choices import Form
from stylecrypt_msg.cipher import to_pixels
from stylecrypt_msg.errors import InputError, StyleCryptError
from stylecrypt_msg.faces import certain_faces, crop, face_quad
from stylecrypt_msg.models import load_model
from stylecrypt_msg.pictures import Pixels, encode_picture, read_picture
from stylecrypt_msg.recognisers import Recogniser, load_recogniser
from stylecrypt_msg.standins import stand_in

SIDE = 192  # px of a picture in the sheet
SEVERAL = (1, 2, 4)


class Person(NamedTuple):
    """A photo to send, and others to make key faces from."""

    photo: Path
    others: tuple[Path, ...]


def real_people(folder: Path) -> Iterator[Person]:
    paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in {".jpg", ".jpeg", ".png", ".webp"})
    for _, photos in groupby(paths, key=lambda path: path.name.split("-")[0]):
        first, *others = photos
        if others:
            yield Person(first, tuple(others[:1]))


def made_people(number: int, folder: Path) -> Iterator[Person]:
    """Photos of one person share the styles of shape and features, 3 to 7; the other styles are half the photo's own."""
    model = load_model()
    for person in range(number):
        codes = stand_in(model, f"person {person}", model.latent_avg[None])
        photos = []
        for photo in range(1 + max(SEVERAL)):
            day = stand_in(model, f"person {person}, day {photo}", codes)
            shown = codes.copy()
            for layers in (slice(0, 3), slice(8, None)):
                shown[:, layers] = (codes[:, layers] + day[:, layers]) / 2
            photos.append(folder / f"{person:03}-{photo}.jpg")
            photos[-1].write_bytes(encode_picture(to_pixels(model.synthesize(shown))[0], "JPEG"))
        yield Person(photos[0], tuple(photos[1:]))


def square(pixels: Pixels, quad: np.ndarray | None = None) -> Pixels:
    """The largest face, or the area of ``quad``, aligned. Raises InputError if there is no face."""
    if quad is None:
        found = certain_faces(pixels)
        if not found:
            raise InputError("No face was found.", hint="It is left out.")
        quad = face_quad(max(found, key=lambda one: one.eye_distance).landmarks)
    return crop(pixels, quad, 256)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("faces", type=Path, nargs="?")
    parser.add_argument("--made", type=int, metavar="N")
    parser.add_argument("--form", choices=("photo", "portrait"), default="photo")
    parser.add_argument("--limit", type=int, metavar="N")
    parser.add_argument("--sheet", type=Path, metavar="FILE")
    arguments = parser.parse_args()
    if (arguments.faces is None) == (arguments.made is None):
        parser.error("give either FACES or --made N")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        people = list(made_people(arguments.made, folder) if arguments.made else real_people(arguments.faces))
        measure(folder, people[: arguments.limit], arguments.form, arguments.sheet)


def measure(folder: Path, people: Sequence[Person], form: Form, sheet: Path | None) -> None:
    recogniser = load_recogniser("dlib")
    descriptors: list[np.ndarray] = []
    distances: dict[int, list[float]] = {}
    rows = []
    for person in track(people, "people"):
        try:
            row, found, descriptor = bring_back(folder / person.photo.stem, recogniser, person, form)
        except StyleCryptError as error:
            print(f"{person.photo.name} is left out: {error}")
            continue
        rows.append(row)
        descriptors.append(descriptor)
        for number, distance in found.items():
            distances.setdefault(number, []).append(distance)
    impostors = [float(np.linalg.norm(one - other)) for one, other in combinations(descriptors, 2)]
    bars = {
        "verified": recogniser.threshold,
        "strictly": recogniser.strict,
        f"at FAR {FAR:g}": threshold_at_far(impostors),
    }
    print(
        f"{len(rows)} of {len(people)} people, {form}, {recogniser.name}; share closer to the photo sent than each threshold"
    )
    names = {0: "another photo itself", -1: "the cover"}
    for number, measured in sorted(distances.items()):
        shares = ", ".join(
            f"{name} {sum(d < bar for d in measured) / len(measured):.0%}"
            for name, bar in bars.items()
            if bar is not None
        )
        name = names.get(number, f"key face of {number}")
        print(f"{name:>20}: median distance {statistics.median(measured):.2f}, {shares}")
    if sheet:
        Image.fromarray(np.vstack(rows)).save(sheet, quality=90)


def bring_back(
    folder: Path, recogniser: Recogniser, person: Person, form: Form
) -> tuple[Pixels, dict[int, float], np.ndarray]:
    """The sheet's row, distances to the photo sent by the number of photos behind the key face, and that photo's descriptor.

    Each key face goes to a different contact, after the message, so that none can be mistaken for another.
    """
    pixels = read_picture(person.photo).pixels
    original, key = square(pixels), square(read_picture(person.others[0]).pixels)
    quad = face_quad(max(certain_faces(pixels), key=lambda one: one.eye_distance).landmarks)
    alice = StyleCrypt.create(folder / "alice", name="Alice")
    friends = {n: StyleCrypt.create(folder / str(n), name=f"Friend {n}") for n in SEVERAL if n <= len(person.others)}
    for friend in friends.values():
        alice.add_contact(friend.profile.card, trust=True)
        friend.add_contact(alice.profile.card)
    sent = alice.encrypt(person.photo, [f"Friend {n}" for n in friends], level="keyface", form=form)
    where = quad if form == "photo" else None
    shown = [original, key, square(read_picture(sent.picture).pixels, where)]
    wanted, other, fake = recogniser.describe(shown)
    distances = {0: float(np.linalg.norm(other - wanted)), -1: float(np.linalg.norm(fake - wanted))}
    for number, friend in friends.items():
        alice.add_key_face(person.others[:number], f"of {number}")
        friend.receive_key_face(alice.share_key_face(f"of {number}", [f"Friend {number}"]))
        shown.append(square(friend.decrypt(sent).pixels, where))
        distances[number] = float(np.linalg.norm(recogniser.describe(shown[-1:])[0] - wanted))
    row = np.hstack([cv2.resize(one, (SIDE, SIDE), interpolation=cv2.INTER_AREA) for one in shown])
    return np.asarray(row, np.uint8), distances, wanted


if __name__ == "__main__":
    main()

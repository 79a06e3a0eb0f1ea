"""What a cover costs the service and its client, in processor time, for the table in docs/serve.md.

    python scripts/figures/measure_service.py FOLDER [--people 12]

FOLDER holds square photos, a person each. Each becomes a photo of 4:3, the head before a blurred wall, as large as phones make
it and as messengers scale it; and is sent twice: to a chat that is new, for which a stand-in is looked for, and once more.
Everything runs in this process, on one processor, form and answer included.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
from stylecrypt_serve import work
from stylecrypt_serve.wire import Answer, CoverRequest, cover_of, request_of

from stylecrypt_msg import StyleCrypt
from stylecrypt_msg.covering import Cover, CoverOrder
from stylecrypt_msg.errors import InputError
from stylecrypt_msg.pictures import Pixels, encode_picture, read_photo
from stylecrypt_msg.progress import Progress

SIDES = (1600, 4000)


class Service:
    """A `Coverer`; ``seconds`` of the service's processor time, ``sent`` and ``received`` bytes of the last cover."""

    def __call__(self, order: CoverOrder, _: Progress) -> Cover:
        fields = request_of(order)
        form = CoverRequest.model_validate(
            {name: values if name == "stand_in" else values[0] for name, values in fields.items() if values}
        )
        began = time.process_time()
        result = work.answer(form)
        self.seconds = time.process_time() - began
        self.sent, self.received = len(form.photo), len(result.body)
        if result.status != 200:
            raise InputError(result.body.decode())
        return cover_of(Answer.model_validate_json(result.body), order)


def taken(square: Pixels, width: int) -> Pixels:
    """(3/4 width, width, 3): a head at two thirds of the height, before a wall."""
    height = width * 3 // 4
    wall = cv2.GaussianBlur(cv2.resize(square, (width, height)), (0, 0), width / 20)
    photo = np.clip(wall + np.random.default_rng(0).normal(0, 4, (height, width, 1)), 0, 255).astype(np.uint8)
    side, left = height * 2 // 3, (width - height * 2 // 3) // 2
    photo[height - side :, left : left + side] = cv2.resize(square, (side, side), interpolation=cv2.INTER_AREA)
    return photo


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--people", type=int, default=12)
    options = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    cv2.setNumThreads(1)
    work.begin("default")
    work.load()
    squares = [read_photo(path).pixels for path in sorted(options.folder.glob("*.jpg"))[: options.people]]
    print("width | chat | service, s | client, s | sent, KB | received, KB | blurred")
    with tempfile.TemporaryDirectory() as name:
        folder, service = Path(name), Service()
        with StyleCrypt.create(folder / "bob", name="Bob") as bob:
            StyleCrypt.create(folder / "alice", name="Alice").close()
            with StyleCrypt(folder / "alice", covers=service) as alice:
                alice.add_contact(bob.profile.card, trust=True)
                alice.encrypt(encode_picture(taken(squares[0], 800), "JPEG"), ["Bob"], force=True)  # loads the rest
                for side in SIDES:
                    rows: dict[str, list[tuple[float, float, int, int]]] = {"new": [], "known": []}
                    blurred = 0
                    for number, square in enumerate(squares):
                        photo = encode_picture(taken(square, side), "JPEG", quality=90)
                        for chat, found in rows.items():
                            began = time.process_time()
                            sent = alice.encrypt(photo, ["Bob"], conversation=f"{side} {number}")
                            spent = time.process_time() - began - service.seconds
                            found.append((service.seconds, spent, service.sent, service.received))
                            blurred += chat == "new" and bool(sent.leaks.blurred)
                    for chat, found in rows.items():
                        here, there, out, back = (statistics.fmean(column) for column in zip(*found, strict=True))
                        print(
                            f"{side} | {chat} | {here:.1f} | {there:.1f} | {out / 1000:.0f} | {back / 1000:.0f} | "
                            f"{blurred} of {len(squares)}",
                            flush=True,
                        )
    print(f"memory: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000:.0f} MB")


if __name__ == "__main__":
    main()

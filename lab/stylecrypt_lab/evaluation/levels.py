"""What a contact gets back at each level through the SDK: encrypted, sealed, sent in one of several ways, and decrypted.

Photos have the photo form with its default mask. Levels ``latent`` and ``original`` go to a contact, with the envelope beside
the picture; ``keyface`` goes to nobody in particular, and the receiver has another photo of the sender, or failing that the
original.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeAlias

from stylecrypt_protocol import Level

from stylecrypt_msg.errors import FaceError, RefusedError
from stylecrypt_msg.faces import crop
from stylecrypt_msg.pictures import read_picture
from stylecrypt_msg.recognisers import Recogniser
from stylecrypt_msg.sdk import DecryptedPhoto, EncryptedPhoto, StyleCrypt

from .metrics import SIZE, Lpips
from .subjects import Subject
from .travel import WAYS
from .trial import Judge, Record, Score

__all__ = ["LEVELS", "LEVEL_WAYS", "Friends", "LevelTrial", "Recovery", "friends", "try_levels"]


LEVELS = tuple(level for level in Level if level.number)
"""Those that a sender can choose."""

AS_THE_FILE = "as sent"
LEVEL_WAYS = (AS_THE_FILE, "Matrix thumbnail")
"""The file itself, and one of `travel.WAYS`."""


class Recovery(Record):
    """What came back. ``reached`` and ``score`` are None when the message was refused or shows no face."""

    reached: str | None
    score: Score | None


class LevelTrial(Record):
    """One person's recoveries, by level, then by way."""

    recoveries: dict[str, dict[str, Recovery]]


Friends: TypeAlias = tuple[StyleCrypt, StyleCrypt]


@contextmanager
def friends(model: str) -> Iterator[Friends]:
    """Alice and Bob, who trust each other, in temporary profiles; ``model`` as for `StyleCrypt`."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        with (
            StyleCrypt.create(folder / "alice", name="Alice", model=model) as alice,
            StyleCrypt.create(folder / "bob", name="Bob", model=model) as bob,
        ):
            alice.profile.add_contact(bob.profile.card, trust=True)
            bob.profile.add_contact(alice.profile.card, trust=True)
            yield alice, bob


def try_levels(subject: Subject, pair: Friends, recogniser: Recogniser, lpips: Lpips | None) -> LevelTrial:
    """Raises what `StyleCrypt.encrypt` does for photos that cannot be sent, such as a photo with a second, hidden face."""
    alice, bob = pair
    photo, key_face = subject.photo, (subject.other or subject.photo).path
    judge = Judge(photo.square(SIZE), recogniser, lpips)
    recoveries: dict[str, dict[str, Recovery]] = {}
    for level in LEVELS:
        # Forced: table II tells whether the fake looks like the sender.
        sent = alice.encrypt(
            photo.path,
            [] if level == "keyface" else ["Bob"],
            level=level,
            stand_in=f"evaluate {subject.name}",
            force=True,
        )
        recoveries[level] = {}
        for way in LEVEL_WAYS:
            got = _decrypted(bob, sent, way, key_face if level == "keyface" else None)
            if got is None:
                recoveries[level][way] = Recovery(reached=None, score=None)
                continue
            # A picture that arrived smaller comes back at that size or at its own.
            quad = photo.quad * (got.pixels.shape[1] / photo.pixels.shape[1])
            recoveries[level][way] = Recovery(reached=got.level, score=judge.score(crop(got.pixels, quad, SIZE)))
    return LevelTrial(recoveries=recoveries)


def _decrypted(bob: StyleCrypt, sent: EncryptedPhoto, way: str, key_face: Path | None) -> DecryptedPhoto | None:
    try:
        if way == AS_THE_FILE:
            return bob.decrypt(sent, key_face=key_face)
        arrived = WAYS[way](read_picture(sent.picture).pixels)
        return bob.decrypt(arrived, key_face=key_face, envelope=sent.packed)
    except (FaceError, RefusedError):
        return None

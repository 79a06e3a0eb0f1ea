"""Table II for one person: what everybody sees of their portrait, and what each key recovers.

The portrait is the aligned square, encrypted with the paper's mask and the styles of a person who does not exist: the first one
whose fake the sender's program does not match to the sender. It travels each of `travel.WAYS`; what arrives is decrypted with
the original as the key (the paper's case), with another photo of the person if there is one, and with a photo of somebody else.
The photo form, pasted back, is measured as well. Everything is compared with the original.

As in the program (`effort`), the effort of reading a photo depends on the level: portraits are made as at level ``keyface``,
and read with a key face; photos are made as at level ``original``, the program's default.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import StrEnum
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict
from stylecrypt_protocol import Level

from stylecrypt_msg import effort
from stylecrypt_msg.cipher import read, to_images, to_pixels
from stylecrypt_msg.codebook import codebook
from stylecrypt_msg.effort import COVER_STEPS
from stylecrypt_msg.faces import crop, paste
from stylecrypt_msg.faces.align import quad_matrix, transform
from stylecrypt_msg.models import FaceModel
from stylecrypt_msg.models.face_model import Floats
from stylecrypt_msg.pictures import Pixels
from stylecrypt_msg.recognisers import Recogniser
from stylecrypt_msg.standin_choice import MARGIN, room
from stylecrypt_msg.standins import seeds, stand_in
from stylecrypt_msg.stylemix import LayerMask, mix

from .metrics import SIZE, Lpips, cosine, psnr, ssim
from .subjects import Photo, Subject
from .travel import AS_SENT, travelled

__all__ = [
    "NOT_SENT",
    "Column",
    "Inversions",
    "Judge",
    "Moments",
    "Record",
    "Score",
    "Trial",
    "correlation",
    "encode",
    "figure_titles",
    "first_that_hides",
    "scaled",
    "synthesize",
    "try_person",
]


NOT_SENT = "not sent"
"""In place of a way, for pictures that do not travel."""


class Column(StrEnum):
    """What is compared with the original; the letters are the paper's."""

    OTHER = "another photo"
    APPROXIMATED = "(a) approximated"
    ENCRYPTED = "(b) encrypted"
    IN_PHOTO = "(b) encrypted, in the photo"
    KEY_ORIGINAL = "(c) decrypted, key: the original"
    KEY_OTHER = "(c) decrypted, key: another photo"
    KEY_WRONG = "(d) decrypted, key: somebody else"


class Record(BaseModel):
    """A base for records that are written to report folders and read back."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Score(Record):
    """One picture against the original. ``distance`` and ``cosine`` (times 100) are the recogniser's; PSNR is in dB."""

    psnr: float
    ssim: float
    lpips: float | None
    cosine: float
    distance: float


class Moments(Record):
    """Sums over pairs of values, from which correlations over several people can be computed."""

    count: int
    a: float
    b: float
    aa: float
    bb: float
    ab: float


class Trial(Record):
    """One person's results.

    Attributes:
        scores: by column, then by way.
        descriptors: the recogniser's, for the photo and, if there is one, for the other photo.
        refused: for each kind of fake, how many stand-ins the sender's program passes over until one hides the sender.
        cycle: by reader (a key's holder or, as `Column.ENCRYPTED`, anybody), then by way, then by each layer that the paper's
            mask keeps: style vectors put in (a) and read back (b), both less the average.
    """

    scores: dict[Column, dict[str, Score]]
    descriptors: list[list[float]]
    refused: dict[Column, int]
    cycle: dict[Column, dict[str, dict[int, Moments]]]


class Inversions:
    """Codes of photos by ``model``, each inverted only once: encoders take seconds."""

    def __init__(self, model: FaceModel) -> None:
        self.model = model
        self._codes: dict[tuple[Path, int], Floats] = {}

    def of(self, photo: Photo, steps: int) -> Floats:
        """(1, n_styles, style_dim), with ``steps`` of descent."""
        if (photo.path, steps) not in self._codes:
            self._codes[photo.path, steps] = encode(self.model, photo.square(SIZE), steps)
        return self._codes[photo.path, steps]


class Judge:
    """Scores pictures against an original, all of them aligned squares of any size, (S, S, 3) uint8 RGB."""

    def __init__(self, original: Pixels, recogniser: Recogniser, lpips: Lpips | None) -> None:
        self._recogniser = recogniser
        self._lpips = lpips
        self._original = scaled(original)
        self.descriptor = self.describe(original)

    def describe(self, square: Pixels) -> NDArray[np.float32]:
        (descriptor,) = self._recogniser.describe([scaled(square)])
        return np.asarray(descriptor, np.float32)

    def score(self, square: Pixels) -> Score:
        made = scaled(square)
        descriptor = self.describe(made)
        return Score(
            psnr=psnr(self._original, made),
            ssim=ssim(self._original, made),
            lpips=None if self._lpips is None else self._lpips(self._original, made),
            cosine=cosine(self.descriptor, descriptor),
            distance=float(np.linalg.norm(self.descriptor - descriptor)),
        )


def try_person(
    subject: Subject,
    stranger: Subject,
    ways: Sequence[str],
    inversions: Inversions,
    recogniser: Recogniser,
    lpips: Lpips | None,
    guards: Sequence[Recogniser],
) -> tuple[Trial, list[Pixels]]:
    """The results, and the pictures of the paper's figures 8 and 9, (S, S, 3) uint8, which `figure_titles` names.

    ``stranger``'s photo is the wrong key; ``ways`` are names from `travel.WAYS`, `AS_SENT` first. ``guards`` are the
    recognisers of the sender's program, which takes another stand-in as long as the fake looks like the sender to one of
    them. Raises LayerMaskError for a model with fewer than 8 styles.
    """
    model = inversions.model
    mask = LayerMask.paper(model.n_styles)
    photo, other = subject.photo, subject.other
    original = photo.square(SIZE)
    judge = Judge(original, recogniser, lpips)
    scores: dict[Column, dict[str, Score]] = {column: {} for column in Column if other or column not in _WITH_OTHER}
    descriptors = [judge.descriptor.tolist()]

    codes, in_photos = (inversions.of(photo, COVER_STEPS[kind]) for kind in (Level.KEYFACE, Level.ORIGINAL))
    keys = {Column.KEY_ORIGINAL: inversions.of(photo, effort.KEY_STEPS)}
    if other is not None:
        square = other.square(SIZE)
        scores[Column.OTHER][NOT_SENT] = judge.score(square)
        descriptors.append(judge.describe(square).tolist())
        keys[Column.KEY_OTHER] = inversions.of(other, effort.KEY_STEPS)
    wrong = stranger.photo.square(SIZE)
    keys[Column.KEY_WRONG] = inversions.of(stranger.photo, effort.KEY_STEPS)

    approximated = synthesize(model, inversions.of(photo, COVER_STEPS[Level.LATENT]))
    scores[Column.APPROXIMATED][NOT_SENT] = judge.score(approximated)

    def portrait(somebody: Floats) -> Pixels:
        return synthesize(model, mix(codes, somebody, mask))

    book, photo_mask = codebook(model.digest), LayerMask.photo(model.n_styles)
    seat = transform(quad_matrix(photo.quad, 1), photo.face.landmarks).astype(np.float32)
    entry = None if book is None else book.entry(in_photos[0], seat)

    def in_the_photo(somebody: Floats) -> Pixels:
        if book is None or entry is None:
            fake = mix(in_photos, somebody, photo_mask)
        else:
            fake = book.fake(entry, somebody[0], photo_mask)[None]
        face = synthesize(model, fake)
        pasted = paste(photo.pixels, face, photo.quad, photo.face.landmarks, foreign=True)
        return crop(pasted, photo.quad, SIZE)

    def people(like: Floats) -> list[Floats]:
        return [stand_in(model, seed, like) for seed in seeds(f"evaluate {subject.name}")]

    somebody, encrypted, passed_over = first_that_hides(original, people(codes), portrait, guards)
    _, in_photo, passed_over_in_photo = first_that_hides(original, people(in_photos), in_the_photo, guards)
    refused = {Column.ENCRYPTED: passed_over, Column.IN_PHOTO: passed_over_in_photo}
    mixed = mix(codes, somebody, mask)
    scores[Column.IN_PHOTO][AS_SENT] = judge.score(in_photo)

    shown: dict[Column, Pixels] = {}
    cycle: dict[Column, dict[str, dict[int, Moments]]] = {column: {} for column in (Column.ENCRYPTED, *keys)}
    kept = [layer for layer in range(model.n_styles) if layer not in mask.layers]
    for way in ways:
        received = scaled(travelled(encrypted, way))
        scores[Column.ENCRYPTED][way] = judge.score(received)
        seen = {Column.ENCRYPTED: encode(model, received, effort.READING_STEPS)}
        for column, key in keys.items():
            seen[column] = read(to_images([received]), key, model, mask)
            made = synthesize(model, mix(seen[column], key, mask))
            scores[column][way] = judge.score(made)
            shown.setdefault(column, made)
        for column, styles in seen.items():
            a, b = (mixed - model.latent_avg)[0], (styles - model.latent_avg)[0]
            cycle[column][way] = {layer: _moments(a[layer], b[layer]) for layer in kept}
    pictures = [original, approximated, synthesize(model, somebody), encrypted, in_photo, shown[Column.KEY_ORIGINAL]]
    if other is not None:
        pictures += [square, shown[Column.KEY_OTHER]]
    pictures += [wrong, shown[Column.KEY_WRONG]]
    return Trial(scores=scores, descriptors=descriptors, refused=refused, cycle=cycle), pictures


def first_that_hides(
    original: Pixels, people: Sequence[Floats], fake: Callable[[Floats], Pixels], guards: Sequence[Recogniser]
) -> tuple[Floats, Pixels, int]:
    """The first stand-in that passes as `standin_choice.hide` judges, the fake, an aligned square, and how many came before.

    If all fakes look like the original to some guard, the best of them, and the number of ``people``: the program would
    blur the face.
    """
    described = [guard.describe([original])[0] for guard in guards]
    spare, tried = [], []
    for somebody in people:
        tried.append(fake(somebody))
        fakes = [guard.describe([scaled(tried[-1])])[0] for guard in guards]
        apart = np.array([[np.linalg.norm(one - other)] for one, other in zip(described, fakes, strict=True)])
        spare.append(float(room(apart, guards)[0]))
        if spare[-1] >= MARGIN:
            break
    best = int(np.argmax(spare))
    return people[best], tried[best], best if spare[best] >= 0 else len(people)


def figure_titles(pairs: bool) -> list[str]:
    """Titles for the pictures of `try_person`; ``pairs``: of people who have another photo."""
    titles = ["original", "(a) approximated", "stand-in", "(b) encrypted", "(b) in the photo", "(c) key: original"]
    if pairs:
        titles += ["another photo", "(c) key: that photo"]
    return [*titles, "somebody else", "(d) key: that person"]


_WITH_OTHER = (Column.OTHER, Column.KEY_OTHER)


def scaled(square: Pixels, size: int = SIZE) -> Pixels:
    """(S, S, 3) -> (size, size, 3), both uint8: area interpolation when shrinking, cubic when enlarging."""
    if square.shape[0] == size:
        return square
    how = cv2.INTER_AREA if square.shape[0] > size else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(square, (size, size), interpolation=how), np.uint8)


def encode(model: FaceModel, square: Pixels, steps: int) -> Floats:
    """Codes (1, n_styles, style_dim) of an aligned square, (S, S, 3) uint8."""
    return model.encode(to_images([square]), steps=steps)


def synthesize(model: FaceModel, codes: Floats) -> Pixels:
    """The picture, (S, S, 3) uint8, of codes (1, n_styles, style_dim)."""
    return to_pixels(model.synthesize(codes))[0]


def _moments(a: Floats, b: Floats) -> Moments:
    first, second = a.astype(np.float64), b.astype(np.float64)
    return Moments(
        count=len(first),
        a=float(first.sum()),
        b=float(second.sum()),
        aa=float(first @ first),
        bb=float(second @ second),
        ab=float(first @ second),
    )


def correlation(parts: Sequence[Moments]) -> float:
    """Pearson's correlation over all pairs of values that went into ``parts``."""
    n, a, b, aa, bb, ab = (sum(getattr(part, name) for part in parts) for name in ("count", "a", "b", "aa", "bb", "ab"))
    spread = (n * aa - a * a) * (n * bb - b * b)
    return float((n * ab - a * b) / spread**0.5) if spread > 0 else 0.0

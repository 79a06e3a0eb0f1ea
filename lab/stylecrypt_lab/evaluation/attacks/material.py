"""What attackers work with: people as the models see them, the settings to attack, and the fakes that senders post."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from stylecrypt_protocol import Level

from stylecrypt_msg import effort
from stylecrypt_msg.choices import Form
from stylecrypt_msg.cipher import cover, read, to_images, to_pixels
from stylecrypt_msg.codebook import Entry, codebook
from stylecrypt_msg.errors import FaceError, LikenessError
from stylecrypt_msg.faces import crop, paste
from stylecrypt_msg.faces.align import quad_matrix, transform, whole
from stylecrypt_msg.models import FaceModel
from stylecrypt_msg.models.face_model import Floats as Codes
from stylecrypt_msg.pictures import Pixels
from stylecrypt_msg.progress import Progress, silent
from stylecrypt_msg.recognisers import Recogniser
from stylecrypt_msg.standin_choice import hide
from stylecrypt_msg.standins import seeds, stand_in
from stylecrypt_msg.stylemix import LayerMask, mix

from ..subjects import Photo, Subject
from .judges import Judge, compared, described
from .odds import Figure, Finding, Floats, distances

__all__ = [
    "SIDE",
    "Material",
    "People",
    "Pipeline",
    "Posted",
    "Setting",
    "View",
    "covered",
    "gather",
    "post",
    "resized",
    "show",
]

SIDE = 256
"""Pixels a side of the squares that show faces: the encoder's and more than any recogniser's."""


@dataclass(frozen=True)
class Setting:
    """A mask, the form in which it can be used, and how the cover is made.

    At level ``original``, covers of a model that has a codebook keep its entries' styles; at ``keyface`` the sender's.

    Attributes:
        sent: the cover is the program's own, with the stand-in that the recognisers chose; otherwise any stand-in.
    """

    mask: LayerMask
    form: Form
    level: Level
    sent: bool = False

    @classmethod
    def of(cls, mask: LayerMask) -> Setting:
        """Photos need the sender's pose and colours (layers 0-2 and 8 on): masks that replace any of them make portraits."""
        if mask.layers <= LayerMask.photo(mask.n_styles).layers:
            return cls(mask, "photo", Level.ORIGINAL)
        return cls(mask, "portrait", Level.KEYFACE)

    @property
    def in_use(self) -> bool:
        """Whether the program makes such covers. They meet every attack; the others serve for comparison."""
        n = self.mask.n_styles
        return self.sent or (self.mask in (LayerMask.photo(n), LayerMask.paper(n)) and self.level is Level.KEYFACE)

    @property
    def name(self) -> str:
        if self.sent:
            return f"{self.mask} as sent"
        usual = self == Setting.of(self.mask)
        return str(self.mask) if usual else f"{self.mask} at {self.level}"

    @property
    def kept(self) -> list[int]:
        """The layers that are still the sender's; all layers if there are none, since nothing else can be compared."""
        every = range(self.mask.n_styles)
        return sorted(set(every) - self.mask.layers) or list(every)


@dataclass(frozen=True, eq=False)
class View:
    """A photo of somebody: the aligned ``square`` and ``landmarks`` (5, 2) in it.

    Attributes:
        looks: (n_styles, style_dim), as the encoder alone reads it: for covers of level ``original``.
        depth: the same after descent, for level ``keyface`` and as a key face; None where nobody needs it.
        entry: of the model's codebook, if it has one.
        photo: None for people who do not exist.
    """

    square: Pixels
    landmarks: NDArray[np.float32]
    looks: Codes
    depth: Codes | None
    entry: Entry | None
    photo: Photo | None = None

    def codes(self, level: Level) -> Codes:
        return self.looks if level is Level.ORIGINAL else self.key

    @property
    def key(self) -> Codes:
        return self.looks if self.depth is None else self.depth


@dataclass(frozen=True, eq=False)
class People:
    """N senders.

    Attributes:
        sent: the photos that they send.
        others: other, public photos of them; the sent ones if there are none (the paper's case).
        judges: who know both.
        deep: the numbers of those whose photos were inverted by descent, which takes seconds each.
        kind: (N,), equal for people who get the same stand-ins: those of one sex, as the encoder sees it.
    """

    names: tuple[str, ...]
    sent: tuple[View, ...]
    others: tuple[View, ...]
    judges: tuple[Judge, ...]
    deep: tuple[int, ...]
    kind: NDArray[np.intp]

    def __len__(self) -> int:
        return len(self.sent)


@dataclass(frozen=True, eq=False)
class Posted:
    """A fake of each of the people ``who``, as third parties see it.

    Attributes:
        squares: 256 px.
        codes: (M, n_styles, style_dim), as the encoder reads the fakes.
        faces: descriptors (M, D), by each judge.
    """

    who: tuple[int, ...]
    squares: list[Pixels]
    codes: Codes
    faces: tuple[Floats, ...]


class Pipeline:
    """A model and recognisers, with pixels in and out."""

    def __init__(self, model: FaceModel, recognisers: Sequence[Recogniser]) -> None:
        self.model = model
        self.recognisers = tuple(recognisers)
        self._book = codebook(model.digest)

    def preview(self, codes: Codes) -> list[Pixels]:
        """Squares of `SIDE` from pictures of 128 px, a quarter of the work of whole ones."""
        return [resized(square, SIDE) for one in codes for square in to_pixels(self.model.glimpse(one[None]))]

    def encode(self, squares: Sequence[Pixels], steps: int = 0) -> Codes:
        if not squares:
            return np.empty((0, self.model.n_styles, self.model.style_dim), np.float32)
        return np.concatenate([self.model.encode(to_images([square]), steps=steps) for square in squares])

    def read(self, square: Pixels, key: Codes, mask: LayerMask) -> Codes:
        """Inverts as the holder of a key face does, (1, n_styles, style_dim)."""
        return read(to_images([square]), key, self.model, mask)

    def view(self, square: Pixels, landmarks: NDArray[np.floating], *, deep: bool, photo: Photo | None = None) -> View:
        looks, points = self.encode([square])[0], landmarks.astype(np.float32)
        depth = self.encode([square], effort.KEY_STEPS)[0] if deep else None
        entry = None if self._book is None else self._book.entry(looks, points / square.shape[0])
        return View(square, points, looks, depth, entry, photo)

    def fakes(self, view: View, keys: Codes, setting: Setting) -> Codes:
        """What ``view``'s sender makes with each of ``keys`` (K, n_styles, style_dim), as `cipher.cover` does."""
        if setting.level is Level.ORIGINAL and self._book and view.entry:
            return np.array([self._book.fake(view.entry, key, setting.mask) for key in keys])
        return mix(view.codes(setting.level)[None], keys, setting.mask)

    def shown(self, view: View, keys: Codes, setting: Setting) -> list[Pixels]:
        """Those fakes as third parties see them."""
        return [show(view, face, setting.form) for face in self.preview(self.fakes(view, keys, setting))]

    def describe(self, squares: Sequence[Pixels]) -> tuple[Floats, ...]:
        return tuple(described(recogniser, squares) for recogniser in self.recognisers)

    def distance(self, one: Codes, two: Codes, layers: Sequence[int]) -> Floats:
        """(N, n_styles, D), (M, n_styles, D) -> (N, M): angles between styles, relative to the average, over ``layers``."""
        a, b = ((codes - self.model.latent_avg) / self.model.latent_std for codes in (one, two))
        a, b = (codes[:, list(layers)] for codes in (a, b))
        a, b = (codes / np.maximum(np.linalg.norm(codes, axis=2, keepdims=True), 1e-12) for codes in (a, b))
        return np.asarray(1 - np.einsum("nld,mld->nm", a, b, optimize=True) / len(layers))


@dataclass(frozen=True, eq=False)
class Material:
    """What the attacks on one mask work with: the senders, what they posted in two rooms, and the means.

    Attributes:
        here: of the photos that they send.
        there: of their other photos, with other stand-ins.
    """

    people: People
    here: Posted
    there: Posted
    setting: Setting
    pipeline: Pipeline
    progress: Progress = silent

    def victims(self, count: int) -> list[tuple[int, int]]:
        """``count`` senders, spread evenly, for attacks that take long: the place in ``here`` and the number of each."""
        both = [(row, i) for row, i in enumerate(self.here.who) if i in self.people.deep]
        return [both[at] for at in sorted({int(at) for at in np.linspace(0, len(both) - 1, min(count, len(both)))})]

    def finding(
        self, attack: str, what: str, successes: int, trials: int, chance: float | None = None, judge: str = ""
    ) -> Finding:
        return Finding(attack, self.setting.name, what, successes, trials, chance, judge)

    def figure(
        self,
        attack: str,
        what: str,
        value: float,
        trials: int,
        unit: str = "",
        judge: str = "",
        luck: float | None = None,
    ) -> Figure:
        return Figure(attack, self.setting.name, what, value, unit, trials, judge, luck)

    def judged(
        self, attack: str, what: str, faces: Sequence[Floats], among: NDArray[np.bool_] | None = None
    ) -> list[Finding]:
        """Whether each judge takes ``faces``, descriptors (M, D), for the senders in ``here``, whose other photos it has.

        ``among``: as `compared` takes it.
        """
        found: list[Finding] = []
        for judge, these in zip(self.people.judges, faces, strict=True):
            between = distances(these, judge.others)
            found += compared(
                attack, self.setting.name, what, between, self.here.who, judge.name, judge.strangers, among
            )
        return found


def show(view: View, square: Pixels, form: Form) -> Pixels:
    """What third parties see after the fake of ``view`` is pasted into its photo; a portrait is fake throughout."""
    if form == "portrait":
        return square
    return paste(view.square, square, whole(view.square.shape[0]), view.landmarks, foreign=True)


def resized(square: Pixels, side: int) -> Pixels:
    if square.shape[0] == side:
        return square
    how = cv2.INTER_AREA if square.shape[0] > side else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(square, (side, side), interpolation=how), np.uint8)


def gather(subjects: Sequence[Subject], deep: int, pipeline: Pipeline, progress: Progress) -> People:
    """Everybody, aligned, read and described; ``deep`` of them, spread evenly, inverted by descent as well."""
    n = len(subjects)
    chosen = tuple(sorted({int(i) for i in np.linspace(0, n - 1, min(deep, n))}))

    def views(photos: Sequence[Photo]) -> tuple[View, ...]:
        made = []
        for i, photo in enumerate(photos):
            progress("reading faces", i, n)
            points = transform(quad_matrix(photo.quad, SIDE), photo.face.landmarks)
            made.append(pipeline.view(photo.square(SIDE), points, deep=i in chosen, photo=photo))
        progress("reading faces", n, n)
        return tuple(made)

    sent = views([subject.photo for subject in subjects])
    others = [subject.other for subject in subjects if subject.other is not None]
    public = views(others) if len(others) == n else sent
    pictures = [[view.square for view in these] for these in (sent, public)]
    judges = tuple(Judge(recogniser, *pictures) for recogniser in pipeline.recognisers)
    # One seed gives each sex its own person.
    one = [stand_in(pipeline.model, "kind", view.looks[None]).tobytes() for view in sent]
    kind = np.unique(one, return_inverse=True)[1]
    return People(tuple(subject.name for subject in subjects), sent, public, judges, chosen, kind)


def covered(
    photo: Photo, model: FaceModel, seed: str, choices: Sequence[Sequence[Recogniser]], mask: LayerMask | None = None
) -> list[Pixels | None]:
    """The aligned square of the cover that the program sends, for each choice of recognisers; None where it refuses to."""
    key_faces = seeds(seed)
    try:
        first = cover(photo.pixels, model, key_face=key_faces[0], mask=mask, bounded=True)
    except FaceError:
        return [None] * len(choices)
    squares: list[Pixels | None] = []
    for chosen_by in choices:
        try:
            hidden = hide(first, model, key_faces, chosen_by)
        except LikenessError:
            squares.append(None)
        else:
            squares.append(crop(hidden.covered.pixels, photo.quad, SIDE))
    return squares


def post(
    people: People, views: Sequence[View], room: str, setting: Setting, pipeline: Pipeline, progress: Progress
) -> Posted:
    """A fake of each of ``views``, with the stand-ins of ``room``: of those that the program would send, if it is the program's
    own; otherwise of all, or at a level that needs descent of those who have it.
    """
    who, squares = [], []
    these = range(len(people)) if setting.level is Level.ORIGINAL else people.deep
    for done, i in enumerate(these):
        progress(f"posting to room {room}", done, len(these))
        view, seed = views[i], f"{room} {people.names[i]}"
        square: Pixels | None
        if setting.sent and view.photo is not None:
            (square,) = covered(view.photo, pipeline.model, seed, [pipeline.recognisers], setting.mask)
        else:
            key = stand_in(pipeline.model, seed, view.codes(setting.level)[None])
            (square,) = pipeline.shown(view, key, setting)
        if square is not None:
            who.append(i)
            squares.append(square)
    progress(f"posting to room {room}", len(these), len(these))
    return Posted(tuple(who), squares, pipeline.encode(squares), pipeline.describe(squares))

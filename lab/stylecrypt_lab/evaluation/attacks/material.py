"""What attackers work with: people as the models see them, the settings to attack, and the fakes that senders post."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray
from stylecrypt_protocol import Level

from stylecrypt_msg import effort
from stylecrypt_msg.choices import Form
from stylecrypt_msg.cipher import read, to_images, to_pixels
from stylecrypt_msg.codebook import Entry, codebook
from stylecrypt_msg.faces import paste
from stylecrypt_msg.faces.align import quad_matrix, transform, whole
from stylecrypt_msg.models import FaceModel
from stylecrypt_msg.models.face_model import Floats as Codes
from stylecrypt_msg.pictures import Pixels
from stylecrypt_msg.progress import Progress, silent
from stylecrypt_msg.recognisers import Recogniser
from stylecrypt_msg.standins import stand_in
from stylecrypt_msg.stylemix import LayerMask, mix

from ..subjects import Photo, Subject
from .odds import Figure, Finding, Floats

__all__ = [
    "Material",
    "People",
    "Pipeline",
    "Posted",
    "Setting",
    "Strangers",
    "View",
    "gather",
    "post",
    "resized",
    "show",
    "small",
    "strangers",
]


_SIDE = 512  # px of the squares that show the faces
_ENCODED = 256  # px of what the encoder gets, as in `cipher`
_BATCH = 4
_LEVELS = (Level.ORIGINAL, Level.KEYFACE)  # whose covers are attacked


@dataclass(frozen=True)
class Setting:
    """A mask, the form in which it can be used, and the level at which the cover is sent.

    At level ``original``, covers of a model that has a codebook keep its entries' styles; at ``keyface`` the sender's.
    """

    mask: LayerMask
    form: Form
    level: Level

    @classmethod
    def of(cls, mask: LayerMask) -> Setting:
        """Photos need the sender's pose and colours (layers 0-2 and 8 on): masks that replace any of them make portraits."""
        if mask.layers <= LayerMask.photo(mask.n_styles).layers:
            return cls(mask, "photo", Level.ORIGINAL)
        return cls(mask, "portrait", Level.KEYFACE)

    @property
    def in_use(self) -> bool:
        """Whether it is one of the program's own, which are attacked with full effort. The others serve for comparison."""
        n = self.mask.n_styles
        return self.mask == (LayerMask.photo(n) if self.form == "photo" else LayerMask.paper(n))

    @property
    def name(self) -> str:
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
        codes: (n_styles, style_dim), as a holder of the photo inverts it for use as a key face.
        sent: the same, by level, as its sender inverts it, with less effort (`effort`).
        entry: of the model's codebook, if it has one.
    """

    square: Pixels
    landmarks: NDArray[np.float32]
    codes: Codes
    sent: Mapping[Level, Codes]
    entry: Entry | None


@dataclass(frozen=True, eq=False)
class People:
    """N senders.

    Attributes:
        sent: the photos that they send.
        others: other, public photos of them; the sent ones if there are none (the paper's case).
        sent_faces, other_faces: descriptors (N, D).
        paired: whether ``others`` differ from ``sent``.
    """

    names: tuple[str, ...]
    sent: tuple[View, ...]
    others: tuple[View, ...]
    sent_faces: Floats
    other_faces: Floats
    paired: bool

    def __len__(self) -> int:
        return len(self.sent)

    def some(self, count: int) -> list[int]:
        """The numbers of ``count`` of them, spread evenly."""
        return sorted({int(i) for i in np.linspace(0, len(self) - 1, min(count, len(self)))})


@dataclass(frozen=True, eq=False)
class Posted:
    """One fake of everybody, as third parties see it: codes (N, n_styles, style_dim), descriptors ``faces`` (N, D)."""

    squares: list[Pixels]
    codes: Codes
    faces: Floats


@dataclass(frozen=True, eq=False)
class Strangers:
    """Stand-ins that nobody sent: what an attacker can make without any message.

    Attributes:
        codes: for each sender and each seed (N, K, n_styles, style_dim); a seed stands for a man and a woman.
        faces, small_faces: descriptors (N, K, D) of the whole people, at full size and at the preview's.
    """

    codes: Codes
    faces: Floats
    small_faces: Floats


class Pipeline:
    """A model and a recogniser, with pixels in and out."""

    def __init__(self, model: FaceModel, recogniser: Recogniser) -> None:
        self.model = model
        self.recogniser = recogniser
        self._book = codebook(model.digest)

    def render(self, codes: Codes) -> list[Pixels]:
        """Full size."""
        return [square for one in codes for square in to_pixels(self.model.synthesize(one[None]))]

    def preview(self, codes: Codes) -> list[Pixels]:
        """128 px, or less: a fraction of the work."""
        return [square for one in codes for square in to_pixels(self.model.glimpse(one[None]))]

    def encode(self, squares: Sequence[Pixels], steps: int | None = None) -> Codes:
        """By default with the effort of opening a picture with a key face."""
        steps = effort.READING_STEPS if steps is None else steps
        return self.model.encode(to_images([resized(square, _ENCODED) for square in squares]), steps=steps)

    def read(self, square: Pixels, key: Codes, mask: LayerMask) -> Codes:
        """Inverts as the holder of a key face does, (1, n_styles, style_dim)."""
        return read(to_images([resized(square, _ENCODED)]), key, self.model, mask)

    def glance(self, squares: Sequence[Pixels]) -> Codes:
        """The encoder's codes alone: for hundreds of pictures, in a tenth of the time."""
        return self.encode(squares, steps=0)

    def view(self, square: Pixels, landmarks: NDArray[np.floating]) -> View:
        efforts = {effort.KEY_STEPS, *(effort.COVER_STEPS[level] for level in _LEVELS)}
        codes = {steps: self.encode([square], steps)[0] for steps in efforts}
        sent = {level: codes[effort.COVER_STEPS[level]] for level in _LEVELS}
        points = landmarks.astype(np.float32)
        entry = None if self._book is None else self._book.entry(sent[Level.ORIGINAL], points / square.shape[0])
        return View(square, points, codes[effort.KEY_STEPS], sent, entry)

    def fakes(self, view: View, keys: Codes, setting: Setting) -> Codes:
        """What ``view``'s sender makes with each of ``keys`` (K, n_styles, style_dim), as `cipher.cover` does."""
        if setting.level is Level.ORIGINAL and self._book and view.entry:
            return np.array([self._book.fake(view.entry, key, setting.mask) for key in keys])
        return mix(view.sent[setting.level][None], keys, setting.mask)

    def describe(self, squares: Sequence[Pixels]) -> Floats:
        # A few at a time: dlib runs them through its network all at once, which takes memory.
        parts = [self.recogniser.describe(squares[i : i + _BATCH]) for i in range(0, len(squares), _BATCH)]
        return np.concatenate(parts)

    def distance(self, one: Codes, two: Codes, layers: Sequence[int]) -> Floats:
        """(N, n_styles, D), (M, n_styles, D) -> (N, M): angles between styles, relative to the average, over ``layers``."""
        a, b = ((codes - self.model.latent_avg) / self.model.latent_std for codes in (one, two))
        a, b = (codes[:, list(layers)] for codes in (a, b))
        a, b = (codes / np.maximum(np.linalg.norm(codes, axis=2, keepdims=True), 1e-12) for codes in (a, b))
        return np.asarray(1 - np.einsum("nld,mld->nm", a, b, optimize=True) / len(layers))


@dataclass(frozen=True, eq=False)
class Material:
    """What the attacks on one mask work with: the senders and what they posted, strangers to compare with, and the means."""

    people: People
    posted: Posted
    strange: Strangers
    setting: Setting
    pipeline: Pipeline
    progress: Progress = silent

    def finding(self, attack: str, what: str, successes: int, trials: int, chance: float | None = None) -> Finding:
        return Finding(attack, self.setting.name, what, successes, trials, chance)

    def figure(self, attack: str, what: str, value: float, trials: int, unit: str = "") -> Figure:
        return Figure(attack, self.setting.name, what, value, unit, trials)


def show(view: View, square: Pixels, form: Form) -> Pixels:
    """What third parties see after the fake of ``view`` is pasted into its photo; a portrait is fake throughout."""
    if form == "portrait":
        return square
    side = view.square.shape[0]
    return paste(view.square, square, whole(side), view.landmarks, subdue=True)


def small(view: View, side: int) -> View:
    """``view`` with a square of ``side``."""
    scale = side / view.square.shape[0]
    return replace(view, square=resized(view.square, side), landmarks=(view.landmarks * scale).astype(np.float32))


def resized(square: Pixels, side: int) -> Pixels:
    if square.shape[0] == side:
        return square
    how = cv2.INTER_AREA if square.shape[0] > side else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(square, (side, side), interpolation=how), np.uint8)


def gather(subjects: Sequence[Subject], pipeline: Pipeline, progress: Progress) -> People:
    """Everybody, aligned, inverted and described."""

    def views(photos: Sequence[Photo]) -> tuple[View, ...]:
        made = []
        for i, photo in enumerate(photos):
            progress("reading faces", i, len(photos))
            square = photo.square(_SIDE)
            made.append(
                pipeline.view(
                    square, transform(quad_matrix(photo.quad, _SIDE), photo.face.landmarks).astype(np.float32)
                )
            )
        progress("reading faces", len(photos), len(photos))
        return tuple(made)

    paired = all(subject.other is not None for subject in subjects)
    sent = views([subject.photo for subject in subjects])
    others = views([subject.other for subject in subjects if subject.other is not None]) if paired else sent
    sent_faces = pipeline.describe([view.square for view in sent])
    other_faces = pipeline.describe([view.square for view in others]) if paired else sent_faces
    return People(tuple(subject.name for subject in subjects), sent, others, sent_faces, other_faces, paired)


def post(
    people: People, views: Sequence[View], room: str, setting: Setting, pipeline: Pipeline, progress: Progress
) -> Posted:
    """A fake of each of ``views``, with the stand-ins of ``room``. Full size."""
    squares = []
    for i, (name, view) in enumerate(zip(people.names, views, strict=True)):
        progress(f"posting to room {room}", i, len(views))
        key = stand_in(pipeline.model, f"{room} {name}", view.sent[setting.level][None])
        (face,) = pipeline.render(pipeline.fakes(view, key, setting))
        squares.append(resized(show(view, face, setting.form), _SIDE))
    progress(f"posting to room {room}", len(views), len(views))
    return Posted(squares, pipeline.encode(squares), pipeline.describe(squares))


def strangers(people: People, count: int, pipeline: Pipeline, progress: Progress) -> Strangers:
    """``count`` stand-ins for each sender."""
    seen: dict[bytes, tuple[Floats, Floats]] = {}
    codes = np.stack(
        [
            np.concatenate([stand_in(pipeline.model, f"stranger {seed}", view.codes[None]) for seed in range(count)])
            for view in people.sent
        ]
    )
    faces, small_faces = [], []
    for i, one in enumerate(codes.reshape(-1, *codes.shape[2:])):
        key = one.tobytes()
        if key not in seen:
            progress("describing strangers", i, len(people) * count)
            (square,) = pipeline.render(one[None])
            seen[key] = pipeline.describe([square])[0], pipeline.describe(pipeline.preview(one[None]))[0]
        faces.append(seen[key][0])
        small_faces.append(seen[key][1])
    progress("describing strangers", len(people) * count, len(people) * count)
    shape = len(people), count, -1
    return Strangers(codes, np.stack(faces).reshape(shape), np.stack(small_faces).reshape(shape))

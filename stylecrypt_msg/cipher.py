"""From a photo to a fake, and back with a key face: the paper's method on whole photos.

The sender finds and aligns every face and inverts it to latent codes; the styles of the layer mask are replaced by those of
an encryption key face (equation 3); the picture that the generator makes of the mix is pasted back. The receiver takes the
same steps on the received picture, with the styles of a decryption key face, another photo of the sender. Nothing else
travels. The receiver's inversion starts from what that face shows (`read`).

No files here: pixels in, pixels out. Nothing is returned unless every face to be replaced was replaced.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray
from stylecrypt_protocol.limits import MAX_FACES

from . import effort
from .choices import Form, Others
from .codebook import Entry, codebook
from .errors import FaceError, Remedy
from .faces import (
    Face,
    Patch,
    Quad,
    Refusal,
    blur,
    certain_faces,
    check_face,
    crop,
    detect_faces,
    exposed_faces,
    face_quad,
    matte,
    paste,
)
from .faces.align import quad_matrix, transform, whole
from .models import FaceModel
from .models.face_model import Floats
from .pictures import Pixels
from .progress import Progress, silent
from .standins import stand_in
from .stylemix import LayerMask, mix

__all__ = [
    "CoveredPhoto",
    "EncryptionKeyFace",
    "UncoveredPhoto",
    "Unreplaced",
    "blur_alike",
    "cover",
    "exchange",
    "glimpse",
    "invert",
    "prepare_key",
    "read",
    "restore",
    "to_images",
    "to_pixels",
    "uncover",
]

EncryptionKeyFace: TypeAlias = int | str | Pixels
"""An encryption key face: the seed of a person who does not exist, or a photo."""


_READ = 256  # px of the squares that are encoded


class Unreplaced(NamedTuple):
    """A face that is not replaced: its number, counted from 1 at the left; the reason, or None if it was not chosen."""

    number: int
    reason: Refusal | None


@dataclass(frozen=True, eq=False)
class CoveredPhoto:
    """A photo whose faces are those of people who do not exist.

    Attributes:
        pixels: (H, W, 3) uint8; as large as the photo, or as the model's pictures in the portrait form.
        original: the photo before its faces were replaced, in the same form and size as ``pixels``. SECRET.
        backdrop: ``original`` with some faces blurred; the fakes are pasted into it.
        quads: where the fake faces sit in ``pixels``, left to right; none where every face is blurred.
        landmarks: (len(quads), 5, 2) float32, in ``pixels``; they decide how much of a face shows.
        codes: the original faces' codes (len(quads), n_styles, style_dim). SECRET: they are the sender's face.
        entries: of the model's `codebook`, one for each of ``quads``; None if the mask keeps the faces' own styles.
        mask: the layers that were replaced.
        fakes: len(quads) squares, as the model made them.
        found: the photo's faces, left to right.
        blurred, kept: the faces that are not replaced, either blurred or as they are. Faces outside a portrait are in
            neither.
    """

    pixels: Pixels
    original: Pixels
    backdrop: Pixels
    quads: tuple[Quad, ...]
    landmarks: NDArray[np.float32]
    codes: Floats
    mask: LayerMask
    fakes: tuple[Pixels, ...]
    found: tuple[Face, ...]
    blurred: tuple[Unreplaced, ...] = ()
    kept: tuple[Unreplaced, ...] = ()
    entries: tuple[Entry, ...] | None = None

    @property
    def numbers(self) -> list[int]:
        """Those of the faces at ``quads``, counted from 1 at the photo's left. Not for portraits."""
        others = {other.number for other in (*self.blurred, *self.kept)}
        return [number for number in range(1, len(self.found) + 1) if number not in others]


@dataclass(frozen=True, eq=False)
class UncoveredPhoto:
    """What a key face recovered from a received picture: ``pixels`` of the picture's size; ``form`` as recognised."""

    pixels: Pixels
    form: Form
    mask: LayerMask
    warnings: tuple[str, ...]


def cover(
    pixels: Pixels,
    model: FaceModel,
    *,
    key_face: EncryptionKeyFace,
    form: Form = "photo",
    mask: LayerMask | None = None,
    only: Collection[int] | None = None,
    keep: Collection[int] = (),
    others: Others | None = None,
    steps: int = 0,
    refine_steps: int = 0,
    bounded: bool = False,
    matting: bool = False,
    progress: Progress = silent,
) -> CoveredPhoto:
    """Replaces the faces of a photo, (H, W, 3) uint8 sRGB.

    Args:
        key_face: whose styles replace the sender's.
        form: "photo" pastes back into the photo; "portrait" returns the aligned square alone, and needs one face.
        mask: the layers replaced; by default `LayerMask.photo` or `LayerMask.paper`, as the form needs.
        only: which faces, counted from 1 at the left, perhaps none; by default all that can be replaced.
        keep: which ones stay as they are, whatever happens to the rest.
        others: what to do with the rest: "blur" hides them, "keep" leaves them as they are, "refuse" raises an error. By
            default "keep" with ``only``, otherwise "blur". A portrait does not show them.
        steps: of descent in the inversion (`effort`); 0: the encoder alone decides.
        refine_steps: of further descent, by `FaceModel.refine`.
        bounded: what the mask keeps is not the faces' own, but the nearest people's of the model's `codebook`, if it has one.
        matting: keep the hair of the fake, and cut it out with an alpha matte (the paper's preprocessing, step iii).

    Raises FaceError when there is no face, no such face, or one that can be neither replaced nor blurred nor kept;
    LayerMaskError for a mask of another model.
    """
    mask = mask or _default_mask(form, model)
    others = others or ("blur" if only is None else "keep")
    progress("finding faces", 0, 1)
    found = detect_faces(pixels)
    chosen, unreplaced = _chosen(found, only, keep, form, others, pixels)
    backdrop = pixels
    blurred: tuple[Unreplaced, ...] = ()
    kept: tuple[Unreplaced, ...] = ()
    if form == "photo":
        kept = tuple(other for other in unreplaced if others == "keep" or other.number in keep)
        blurred = tuple(other for other in unreplaced if other not in kept)
        hidden = [other.number for other in blurred]
        backdrop = _blurred(pixels, found, hidden, hidden)
    quads = tuple(face_quad(one.landmarks) for one in chosen)
    codes = _encode(model, pixels, quads, steps, progress)
    if refine_steps and quads:
        squares = to_images([crop(pixels, quad, model.image_size) for quad in quads])
        codes = model.refine(squares, codes, refine_steps, lambda done, total: progress("refining", done, total))
    landmarks = np.reshape([one.landmarks for one in chosen], (-1, 5, 2)).astype(np.float32)
    entries = None
    if bounded and (book := codebook(model.digest)) is not None:
        looks = _encode(model, pixels, quads, 0, silent) if steps or refine_steps else codes
        entries = tuple(
            book.entry(look, transform(quad_matrix(quad, 1), points).astype(np.float32))
            for look, quad, points in zip(looks, quads, landmarks, strict=True)
        )
    if form == "portrait":
        size = model.image_size
        landmarks = transform(quad_matrix(quads[0], size), landmarks[0])[None].astype(np.float32)
        pixels, quads = crop(pixels, quads[0], size), (whole(size),)
        backdrop = pixels
    bare = CoveredPhoto(
        backdrop, pixels, backdrop, quads, landmarks, codes, mask, (), tuple(found), blurred, kept, entries
    )
    key_faces = dict.fromkeys(range(len(quads)), key_face)
    covered = exchange(bare, model, key_faces, matting=matting, progress=progress)
    return covered if form == "portrait" else _looked_over(covered, others)


def _looked_over(covered: CoveredPhoto, others: Others) -> CoveredPhoto:
    """``covered``, with every face of the original that would still show blurred or reported."""
    found = covered.found
    missed = exposed_faces(covered.original, covered.pixels, list(found))
    if not missed:
        return covered
    if others == "refuse":
        raise FaceError("A face that was not found at first would still be seen.", hint="Use another photo.")
    numbered = sorted([*found, *missed], key=lambda one: one.centre[0])
    blurred, kept = (
        [Unreplaced(1 + numbered.index(found[other.number - 1]), other.reason) for other in those]
        for those in (covered.blurred, covered.kept)
    )
    pixels, backdrop = covered.pixels, covered.backdrop
    for one in missed:
        (kept if others == "keep" else blurred).append(Unreplaced(1 + numbered.index(one), Refusal.UNSURE))
        if others != "keep":
            pixels, backdrop = blur(pixels, one), blur(backdrop, one)
    return replace(
        covered,
        pixels=pixels,
        backdrop=backdrop,
        found=tuple(numbered),
        blurred=tuple(sorted(blurred)),
        kept=tuple(sorted(kept)),
    )


def exchange(
    covered: CoveredPhoto,
    model: FaceModel,
    key_faces: Mapping[int, EncryptionKeyFace],
    *,
    matting: bool = False,
    progress: Progress = silent,
) -> CoveredPhoto:
    """The same photo with the styles of other key faces, without finding and inverting its faces again.

    ``key_faces``: those of the faces that change, which are counted from 0 at the left. ``model`` and ``matting`` are those
    that `cover` was given. Raises FaceError for a key face photo that shows no face.
    """
    if not key_faces:
        return covered
    made = dict(zip(key_faces, _synthesise(model, _mixed(covered, model, key_faces), progress), strict=True))
    fakes = tuple(made[i] if i in made else covered.fakes[i] for i in range(len(covered.quads)))
    if _is_square(covered.quads, covered.original):
        return replace(covered, pixels=fakes[0], fakes=fakes)
    pasted = _paste_all(covered.backdrop, fakes, covered.landmarks, covered.quads, matting, foreign=True)
    return replace(covered, pixels=pasted, fakes=fakes)


def blur_alike(covered: CoveredPhoto, faces: Collection[int], *, matting: bool = False) -> CoveredPhoto:
    """The same photo with ``faces``, counted from 0 at the left, blurred: no stand-in hides them. ``matting`` as in `cover`."""
    numbers = covered.numbers
    alike = [numbers[face] for face in faces]
    before = [other.number for other in covered.blurred]
    backdrop = _blurred(covered.backdrop, covered.found, alike, (*before, *alike))
    left = [face for face in range(len(covered.quads)) if face not in faces]
    quads = tuple(covered.quads[face] for face in left)
    fakes = tuple(covered.fakes[face] for face in left)
    landmarks = covered.landmarks[left]
    return replace(
        covered,
        pixels=_paste_all(backdrop, fakes, landmarks, quads, matting, foreign=True),
        backdrop=backdrop,
        quads=quads,
        landmarks=landmarks,
        codes=covered.codes[left],
        entries=None if covered.entries is None else tuple(covered.entries[face] for face in left),
        fakes=fakes,
        blurred=tuple(sorted([*covered.blurred, *(Unreplaced(number, Refusal.ALIKE) for number in alike)])),
    )


class Glimpse(NamedTuple):
    """A face's aligned square, (256, 256, 3) uint8, and how visible it is that it was pasted; 0 for a portrait."""

    square: Pixels
    flaw: float


def glimpse(covered: CoveredPhoto, model: FaceModel, face: int, key_face: EncryptionKeyFace) -> Glimpse:
    """About what `exchange` would make of ``face``, for a fraction of the work."""
    square = to_pixels(model.glimpse(_mixed(covered, model, {face: key_face})))[0]
    square = crop(square, whole(square.shape[0]), _READ)
    if _is_square(covered.quads, covered.original):
        return Glimpse(square, 0.0)
    quad = covered.quads[face]
    landmarks = transform(quad_matrix(quad, _READ), covered.landmarks[face]).astype(np.float32)
    around = crop(covered.backdrop, quad, _READ)
    patch = Patch.cut(around, square, whole(_READ), landmarks, foreign=True)
    return Glimpse(patch.onto(around), patch.flaw)


def uncover(
    pixels: Pixels,
    key: Floats,
    model: FaceModel,
    *,
    mask: LayerMask | None = None,
    form: Form | None = None,
    face: int | None = None,
    progress: Progress = silent,
) -> UncoveredPhoto:
    """Recovers an approximation of the sender's face from a received picture, (H, W, 3) uint8 sRGB.

    ``key`` is a key face: the latent codes (n_styles, style_dim) that `prepare_key` makes of other photos of the sender. The
    form, unless given, is recognised by how the face fills the picture; it decides the mask, unless one is given. With
    several faces in the picture, ``face`` says which, counted from 1 at the left; by default the largest. A wrong key face
    gives another natural face, never the sender's (the paper, section III-A).

    Raises FaceError when there is no face in the picture, LayerMaskError for a mask of another model.
    """
    progress("finding faces", 0, 1)
    found = certain_faces(pixels)
    warnings: tuple[str, ...] = ()
    if face is None and len(found) > 1:
        face = 1 + max(range(len(found)), key=lambda i: found[i].eye_distance)
        warnings = (f"{len(found)} faces were found; the largest, number {face} from the left, was recovered",)
    _check_numbers(len(found), () if face is None else (face,))
    one = found[(face or 1) - 1]
    quad = face_quad(one.landmarks)
    form = form or ("portrait" if _fills(quad, pixels) else "photo")
    if form == "portrait":
        quad = whole(pixels.shape[0])
    mask = mask or _default_mask(form, model)
    codes = key[None]
    progress("reading faces", 0, 1)
    received = read(to_images([crop(pixels, quad, _READ)]), codes, model, mask)
    progress("reading faces", 1, 1)
    recovered = _synthesise(model, mix(received, codes, mask), progress)
    if form == "portrait":
        result = recovered[0]
        if result.shape != pixels.shape:
            result = crop(result, whole(result.shape[0]), pixels.shape[0])
        return UncoveredPhoto(result, form, mask, warnings)
    return UncoveredPhoto(_paste_all(pixels, recovered, [one.landmarks], (quad,)), form, mask, warnings)


def restore(
    pixels: Pixels,
    codes: Floats,
    landmarks: NDArray[np.float32],
    quads: Sequence[Quad],
    model: FaceModel,
    *,
    progress: Progress = silent,
) -> Pixels:
    """A cover, (H, W, 3) uint8, with the sender's own inversion in place of the fake faces.

    ``codes``, ``landmarks`` and ``quads`` are those of the `CoveredPhoto`. Raises ModelError for codes of another model.
    """
    squares = _synthesise(model, codes, progress)
    size = pixels.shape[0]
    if _is_square(quads, pixels):
        return squares[0] if squares[0].shape == pixels.shape else crop(squares[0], whole(squares[0].shape[0]), size)
    return _paste_all(pixels, squares, landmarks, quads)


def prepare_key(photos: Sequence[Pixels], model: FaceModel) -> Floats:
    """The key face of a person, from photos (H, W, 3) uint8 sRGB: codes (n_styles, style_dim).

    The largest face of each photo is inverted thoroughly (`effort.KEY_STEPS`); the result is the mean of the codes.

    Raises FaceError when a photo shows no face.
    """
    return np.asarray(np.mean([invert(photo, model)[0] for photo in photos], axis=0), np.float32)


def invert(pixels: Pixels, model: FaceModel) -> Floats:
    """Codes (1, n_styles, style_dim) of the largest face in a photo. Raises FaceError when it shows none."""
    found = certain_faces(pixels)
    if not found:
        raise FaceError(
            "No face was found in the key face photo.", hint="Use a photo that shows the face from the front."
        )
    largest = max(found, key=lambda one: one.eye_distance)
    return _encode(model, pixels, (face_quad(largest.landmarks),), effort.KEY_STEPS, silent)


def read(images: Floats, key: Floats, model: FaceModel, mask: LayerMask, *, steps: int | None = None) -> Floats:
    """Codes (B, n_styles, style_dim) of encrypted pictures, aligned, (B, 3, H, H), as the holder of a key face reads them.

    ``key``: that face's codes, (B, n_styles, style_dim). A picture does not determine all its styles, and what it leaves
    open is closer to the sender's other photos than to the average person's: for the styles that the mask keeps, the search
    starts from those of the key face. A wrong key face misleads the search, which harms nobody.
    """
    steps = effort.READING_STEPS if steps is None else steps
    return model.encode(images, steps=steps, start=lambda seen: mix(key, seen, mask))


def _blurred(pixels: Pixels, found: Sequence[Face], numbers: Collection[int], hidden: Collection[int]) -> Pixels:
    """``pixels`` with the faces of these numbers blurred. The heads of those that are not ``hidden`` stay clear."""
    spared = [one for number, one in enumerate(found, 1) if number not in hidden]
    for number in numbers:
        pixels = blur(pixels, found[number - 1], spared)
    return pixels


def _default_mask(form: Form, model: FaceModel) -> LayerMask:
    return LayerMask.paper(model.n_styles) if form == "portrait" else LayerMask.photo(model.n_styles)


def _chosen(
    found: list[Face], only: Collection[int] | None, keep: Collection[int], form: Form, others: Others, pixels: Pixels
) -> tuple[list[Face], tuple[Unreplaced, ...]]:
    """The faces to replace, and the others."""
    height, width = pixels.shape[:2]
    refusals = [check_face(one, width, height) for one in found]
    likely = any(refusal is not Refusal.UNSURE for refusal in refusals)
    _check_numbers(len(found) if likely else 0, (*(only or ()), *keep))
    if both := set(only or ()) & set(keep):
        raise FaceError(f"Face {min(both)} is both to be replaced and to be kept.", remedy=Remedy.CHOOSE_FACE)

    hint = "Use another photo."

    def named(number: int) -> str:
        return "The face" if len(found) == 1 else f"Face {number} of {len(found)}, from the left,"

    chosen, unreplaced = [], []
    for number, (one, refusal) in enumerate(zip(found, refusals, strict=True), 1):
        if number in keep or (only is not None and number not in only):
            if number not in keep and others == "refuse" and form == "photo":
                raise FaceError(f"{named(number)} would still be seen.", hint=hint, remedy=Remedy.CHOOSE_FACE)
            unreplaced.append(Unreplaced(number, None))
        elif refusal is None:
            chosen.append(one)
        elif only is not None or others == "refuse":
            raise FaceError(f"{named(number)} cannot be replaced: {refusal}.", hint=hint, remedy=Remedy.CHOOSE_FACE)
        else:
            unreplaced.append(Unreplaced(number, refusal))
    shown = [other for other in unreplaced if form == "portrait" or others == "keep" or other.number in keep]
    if not chosen and len(shown) == len(found):  # nothing of the picture would be hidden
        reason = next((f"cannot be replaced: {other.reason}" for other in shown if other.reason), "is to be kept")
        number = next((other.number for other in shown if other.reason), shown[0].number)
        raise FaceError(f"{named(number)} {reason}.", hint=hint, remedy=Remedy.CHOOSE_FACE)
    if len(chosen) > MAX_FACES:
        raise FaceError(
            f"{len(chosen)} faces can be replaced, but a message holds {MAX_FACES}.",
            hint="Use a part of the photo.",
            remedy=Remedy.CHOOSE_FACE,
        )
    if form == "portrait" and len(chosen) > 1:
        raise FaceError(
            f"A portrait shows one face, but {len(chosen)} were found.",
            remedy=Remedy.CHOOSE_FACE,
        )
    return chosen, tuple(unreplaced)


def _check_numbers(found: int, numbers: Collection[int]) -> None:
    if not found:
        raise FaceError(
            "No face was found in the picture.",
            hint="Use a photo in which the face is at least 40 px wide and not covered.",
        )
    for number in numbers:
        if not 1 <= number <= found:
            faces = "1 face was" if found == 1 else f"{found} faces were"
            raise FaceError(
                f"There is no face {number}: {faces} found.", hint="Faces are counted from 1, left to right."
            )


def _mixed(covered: CoveredPhoto, model: FaceModel, key_faces: Mapping[int, EncryptionKeyFace]) -> Floats:
    """The codes (len(key_faces), n_styles, style_dim) of the fakes for these faces."""
    book = None if covered.entries is None else codebook(model.digest)
    photos = {id(one): invert(one, model) for one in key_faces.values() if isinstance(one, np.ndarray)}
    mixed = []
    for face, one in key_faces.items():
        entry = covered.entries[face] if covered.entries else None
        content = covered.codes[face] if book is None or entry is None else book.content(entry)
        key = photos[id(one)] if isinstance(one, np.ndarray) else stand_in(model, one, content[None], face)
        if book is None or entry is None:
            mixed.append(mix(content, key[0], covered.mask))
        else:
            mixed.append(book.fake(entry, key[0], covered.mask))
    return np.array(mixed, np.float32)


def to_images(squares: Sequence[Pixels]) -> Floats:
    """B squares (H, H, 3) uint8 -> images (B, 3, H, H) float32 in [-1, 1]."""
    return np.stack(squares).transpose(0, 3, 1, 2).astype(np.float32) / np.float32(127.5) - 1


def to_pixels(images: Floats) -> list[Pixels]:
    """Images (B, 3, H, W) in [-1, 1] -> B times (H, W, 3) uint8."""
    scaled = (np.clip(images, -1, 1) + 1) * np.float32(127.5)
    return list(np.rint(scaled).astype(np.uint8).transpose(0, 2, 3, 1))


def _encode(model: FaceModel, pixels: Pixels, quads: Sequence[Quad], steps: int, progress: Progress) -> Floats:
    if not quads:  # all that were found are blurred
        return np.empty((0, model.n_styles, model.style_dim), np.float32)
    progress("reading faces", 0, len(quads))
    codes = model.encode(to_images([crop(pixels, quad, _READ) for quad in quads]), steps=steps)
    progress("reading faces", len(quads), len(quads))
    return codes


def _synthesise(model: FaceModel, codes: Floats, progress: Progress) -> list[Pixels]:
    squares = []
    for i, one in enumerate(codes):  # one by one: as numbers, a picture takes four times the memory
        progress("making faces", i, len(codes))
        squares += to_pixels(model.synthesize(one[None]))
    progress("making faces", len(codes), len(codes))
    return squares


def _paste_all(
    pixels: Pixels,
    squares: Sequence[Pixels],
    landmarks: Sequence[NDArray[np.float32]] | NDArray[np.float32],
    quads: Sequence[Quad],
    matting: bool = False,
    *,
    foreign: bool = False,
) -> Pixels:
    for square, points, quad in zip(squares, landmarks, quads, strict=True):
        alpha = matte(square) if matting else None
        pixels = paste(pixels, square, quad, points, alpha, foreign=foreign)
    return pixels


def _is_square(quads: Sequence[Quad], pixels: Pixels) -> bool:
    """Whether a picture is one aligned face and nothing else: the portrait form."""
    return len(quads) == 1 and np.array_equal(quads[0], whole(pixels.shape[0]))


def _fills(quad: Quad, pixels: Pixels) -> bool:
    """Whether a picture is an aligned square; a turned or smiling face makes that uncertain.

    In generated ones the face's quad has its centre within 0.025 of the side from the picture's, and its corners within
    0.16. A square head-and-shoulders photo may come near in one of the two.
    """
    height, width = pixels.shape[:2]
    off = (quad - whole(height)) / height
    return height == width and float(np.hypot(*off.mean(0))) < 0.04 and float(np.abs(off).max()) < 0.17

"""The part of sending that needs a model and no secret of a profile: from a photo's pixels to a cover that hides its faces.

It may run elsewhere: on a server (`stylecrypt_serve`), on a cluster (`cluster`). Whoever runs it sees the faces, but neither
keys nor contacts, and nothing that travels sealed. What is signed and sealed is made where the profile is, by `messenger`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias, get_args

from stylecrypt_protocol import Level

from .choices import Form, Others
from .cipher import EncryptionKeyFace, Unreplaced, cover
from .effort import COVER_STEPS
from .errors import FaceError, InputError
from .faces import Quad
from .models.model_cache import ModelCache
from .pictures import Pixels
from .progress import Progress
from .recognisers import Recogniser
from .residual import pack_styles
from .standin_choice import Likeness, hide
from .stylemix import LayerMask
from .whom import numbers_of

__all__ = ["Cover", "CoverOrder", "Coverer", "coverer"]

_SEALED_PIXELS = (Level.ORIGINAL, Level.IMPRINT)  # the levels at which blurred faces come back


@dataclass(frozen=True, kw_only=True, eq=False)
class CoverOrder:
    """What to cover, and how.

    Attributes:
        pixels: the photo, (H, W, 3) uint8 sRGB, upright, in the size that the app leaves alone. SECRET.
        model: a name or a file, as for `models.load_model`.
        level: decides the effort.
        key_faces: the conversation's key face first; the others are for faces that it does not hide.
        known: the chat knows the first from earlier photos (`standin_choice.hide`).
        only, keep: faces, each by its number, counted from 1 at the left, or by a picture of the person.
        mask: as text; None: the form's own.
        others, form, refine_steps, matting: as in `cipher.cover`.
        force: keep a fake that still looks like the sender.
    """

    pixels: Pixels = field(repr=False)
    model: str = "default"
    level: Level = Level.ORIGINAL
    key_faces: Sequence[EncryptionKeyFace] = field(repr=False)
    known: bool = False
    only: Sequence[int | Pixels] | None = None
    keep: Sequence[int | Pixels] = ()
    others: Others | None = None
    mask: str | None = None
    form: Form = "photo"
    refine_steps: int = 0
    matting: bool = False
    force: bool = False


@dataclass(frozen=True, kw_only=True, eq=False)
class Cover:
    """A photo whose faces are those of people who do not exist.

    Attributes:
        pixels: (H, W, 3) uint8; as large as the photo, or as the model's pictures in the portrait form.
        original: what ``pixels`` replace, of the same size: the photo, or its aligned square. SECRET.
        quads: where the fake faces sit, left to right; none where every face is blurred.
        mask: the layers that were replaced.
        styles: the original faces' style vectors (`residual.pack_styles`), at level ``latent`` only. SECRET.
        found: how many faces the photo holds.
        blurred, kept: the faces that are not replaced. Faces outside a portrait are in neither.
        shown: for each of ``quads``, the number of the key face that it got, counted from 0.
        likenesses: what each recogniser says about the covered faces; none if no face was covered.
        model, model_hash: the name and `FaceModel.digest` of the model that made the faces.
    """

    pixels: Pixels = field(repr=False)
    original: Pixels = field(repr=False)
    quads: tuple[Quad, ...]
    mask: LayerMask
    styles: bytes | None = field(default=None, repr=False)
    found: int
    blurred: tuple[Unreplaced, ...]
    kept: tuple[Unreplaced, ...]
    shown: tuple[int, ...]
    likenesses: tuple[Likeness, ...]
    model: str
    model_hash: str


Coverer: TypeAlias = Callable[[CoverOrder, Progress], Cover]
"""Makes covers. Threads may share one.

Raises FaceError when there is no face, no such face, or one that can be neither replaced nor blurred nor kept; LikenessError
for a fake that still looks like the sender; LayerMaskError and ModelError. Elsewhere than here also NetworkError.
"""


def _may_blur(order: CoverOrder) -> bool:
    """Whether a face that none of the key faces hides is blurred, as others are by default.

    Where it was named, or the only key face was, or what is blurred does not come back, the sender decides.
    """
    named = order.only is not None or len(order.key_faces) == 1
    blurs = order.form == "photo" and order.others in (None, "blur")
    return blurs and not named and order.level in _SEALED_PIXELS


def coverer(models: ModelCache, recognisers: Callable[[], Sequence[Recogniser]]) -> Coverer:
    """Makes covers in this process. ``recognisers`` is called when needed."""

    def make(order: CoverOrder, progress: Progress) -> Cover:
        if order.others not in (None, *get_args(Others)):
            raise InputError(
                f"Other faces cannot be treated as {order.others!r}.", hint=f"Others are {', '.join(get_args(Others))}."
            )
        if order.refine_steps and order.level in _SEALED_PIXELS:
            raise InputError(
                f"Nothing can be refined at level {order.level}: there, no cover shows how well a face was read.",
                hint="Refine at levels latent and keyface.",
            )
        progress("loading the model", 0, 1)
        model = models.named(order.model)
        progress("loading the model", 1, 1)
        only, keep = (numbers_of(chosen, order.pixels, recognisers) for chosen in (order.only or (), order.keep))
        covered = cover(
            order.pixels,
            model,
            key_face=order.key_faces[0],
            form=order.form,
            mask=None if order.mask is None else LayerMask.parse(order.mask, model.n_styles),
            only=None if order.only is None else only,
            keep=keep,
            others=order.others,
            steps=COVER_STEPS[order.level],
            refine_steps=order.refine_steps,
            bounded=order.level is not Level.KEYFACE,  # where a key face needs them
            matting=order.matting,
            progress=progress,
        )
        if not covered.quads and order.level not in _SEALED_PIXELS:
            raise FaceError(
                f"No face in the picture can be replaced: {covered.blurred[0].reason or 'all are to be blurred'}.",
                hint="Blurred faces come back at levels original and imprint: use one of them, or another photo.",
            )
        hidden = hide(
            covered,
            model,
            order.key_faces,
            recognisers() if covered.quads else (),
            known=order.known,
            matting=order.matting,
            blur=_may_blur(order),
            force=order.force,
            progress=progress,
        )
        covered = hidden.covered
        return Cover(
            pixels=covered.pixels,
            original=covered.original,
            quads=covered.quads,
            mask=covered.mask,
            styles=pack_styles(covered.codes, covered.landmarks) if order.level is Level.LATENT else None,
            found=len(covered.found),
            blurred=covered.blurred,
            kept=covered.kept,
            shown=hidden.shown,
            likenesses=hidden.likenesses,
            model=model.name,
            model_hash=model.digest,
        )

    return make

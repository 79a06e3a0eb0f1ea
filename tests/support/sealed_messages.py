"""People, pictures and messages for the protocol's tests. Everything is synthetic."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import stylecrypt_protocol as sp
from PIL import Image

NOW = 1_760_000_000
ALICE, BOB, CAROL, MALLORY = (sp.Identity.from_secret(sp.Secret(bytes([n]) * 64)) for n in range(1, 5))
CARDS = {
    who: sp.Card.create(identity, user_id=f"@{who}:example.org", display_name=who.title(), created=NOW)
    for who, identity in {"alice": ALICE, "bob": BOB, "carol": CAROL, "mallory": MALLORY}.items()
}
CONTACTS = {card.id: card for card in CARDS.values()}
FACE = sp.WireQuad.from_pixels([(60, 40), (60, 168), (188, 168), (188, 40)])
CHEAP = sp.Cost(operations=1, memory=8192)


def painting(seed: int, width: int = 320, height: int = 240) -> Image.Image:
    """A picture with smooth areas, edges and texture, different for every seed."""
    rng = np.random.default_rng(seed)
    base = Image.fromarray(rng.integers(0, 256, (7, 9, 3), dtype=np.uint8)).resize(
        (width, height), Image.Resampling.BICUBIC
    )
    fine = rng.normal(0, 12, (height, width, 3))
    for _ in range(6):
        x, y = rng.integers(0, width - 20), rng.integers(0, height - 20)
        fine[y : y + 40, x : x + 30] += rng.integers(-70, 70, 3)
    return Image.fromarray(np.clip(np.asarray(base, float) + fine, 0, 255).astype(np.uint8))


def pixels(image: Image.Image) -> sp.Pixels:
    """What the protocol needs to know about a decoded picture."""
    return sp.Pixels(width=image.width, height=image.height, rgb=image.convert("RGB").tobytes())


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    """A picture as a file."""
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def decoded(data: bytes) -> Image.Image:
    """A file as a picture."""
    return Image.open(io.BytesIO(data)).convert("RGB")


COVER_IMAGE = painting(1)
COVER = pixels(COVER_IMAGE)


def describe(cover: sp.Pixels = COVER, **changes: Any) -> sp.PublicPart:
    """A public part at level latent."""
    fields: dict[str, Any] = {
        "level": sp.Level.LATENT,
        "model_hash": b"\x11" * 32,
        "styles": 18,
        "replaced": range(3, 8),
        "faces": [FACE],
    }
    return sp.PublicPart.describe(cover, **{**fields, **changes})


def message(
    public: sp.PublicPart | None = None,
    sender: sp.Identity = ALICE,
    to: tuple[str, ...] = ("bob",),
    **changes: Any,
) -> sp.Envelope:
    """A message from Alice to Bob."""
    fields: dict[str, Any] = {
        "sent_at": NOW,
        "residual": sp.Residual(kind=sp.ResidualKind.STYLES, data=b"style vectors"),
        "caption": "hello",
        "file_name": "holiday.jpg",
    }
    return sp.seal_message(sender, [CARDS[who] for who in to], public or describe(), COVER, **{**fields, **changes})


def open_as(identity: sp.Identity, envelope: sp.Envelope, cover: sp.Pixels = COVER, **changes: Any) -> sp.OpenedMessage:
    """Opens with all four people as contacts."""
    fields: dict[str, Any] = {"now": NOW, "seen": None, "contacts": CONTACTS, **changes}
    return sp.open_message(envelope, identity, cover=cover, **fields)

"""Profiles with a cheap passphrase, and people to know. Everything is synthetic."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
import stylecrypt_protocol as sp

from stylecrypt_msg.profile import Profile, TheirKeyFace, store

NOW = 1_760_000_000


@pytest.fixture(autouse=True)
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    """Passphrases and words cost milliseconds."""
    monkeypatch.setattr("stylecrypt_protocol.words.MEMORY", 2**20)
    monkeypatch.setattr(store, "_COST", sp.Cost(operations=1, memory=8192))


@pytest.fixture
def profile(tmp_path: Path) -> Iterator[Profile]:
    """Ann's profile."""
    with Profile.create(tmp_path / "ann", name="Ann", passphrase=None, now=NOW) as made:
        yield made


def card(
    name: str = "Bob",
    user_id: str | None = None,
    *,
    keys: sp.Identity | None = None,
    created: int = NOW,
    previous: sp.Identity | None = None,
) -> sp.Card:
    """A card; with new keys if none are given."""
    user_id = user_id or f"@{name.lower()}:example.org"
    keys = keys or sp.Identity.generate()
    return sp.Card.create(keys, user_id=user_id, display_name=name, created=created, previous=previous)


def revocation(keys: sp.Identity) -> sp.Revocation:
    return sp.Revocation.create(keys, created=NOW, reason=sp.RevocationReason.COMPROMISED)


def pixels(shade: int = 0) -> sp.Pixels:
    return sp.Pixels(width=2, height=1, rgb=bytes([shade]) * 6)


def inversion(model: int, number: float = 0.5) -> sp.Inversion:
    codes = np.full((2, 3), number, "<f2").tobytes()
    return sp.Inversion(model_hash=bytes([model]) * 32, styles=2, dimensions=3, codes=codes)


def shared(
    owner: sp.Identity,
    to: Profile,
    picture: bytes,
    face: sp.KeyFace | None = None,
    prepared: Sequence[sp.Inversion] = (),
) -> TheirKeyFace:
    """A key face that went through the seal."""
    face = face or sp.KeyFace.new(pixels())
    data = sp.share_key_face(owner, [to.card], face, picture, sent_at=NOW, prepared=prepared)
    opened = sp.open_key_face(data, to.identity, to.cards(), now=NOW)
    return TheirKeyFace(
        owner=opened.sender, picture=opened.picture, key_face=opened.key_face, received=NOW, prepared=opened.prepared
    )

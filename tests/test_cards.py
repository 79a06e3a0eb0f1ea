"""Cards as people have them."""

from __future__ import annotations

import io

import pytest
from stylecrypt_protocol import Card, Identity, Secret

from stylecrypt_msg.cards import card_of


@pytest.mark.parametrize("seed", [36, 209, 210, 1])  # OpenCV's older detector reads the last one only
def test_a_code_is_read(seed: int) -> None:
    identity = Identity.from_secret(Secret(bytes([seed]) * 64))
    card = Card.create(identity, user_id="alice", display_name="Alice", created=1_700_000_000)
    file = io.BytesIO()
    card.to_qr().save(file, kind="png", scale=6)
    assert card_of(file.getvalue()) == card

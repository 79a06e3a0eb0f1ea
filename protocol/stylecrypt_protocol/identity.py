"""Your own keys: an Ed25519 key that signs and an X25519 key that messages are sealed to. SPEC.md section 6."""

from __future__ import annotations

import secrets
from typing import Self

from . import bech32, primitives
from .errors import MalformedError
from .secret import Secret
from .wire import CardId

__all__ = ["Identity", "card_id"]


def card_id(signing_key: bytes, sealing_key: bytes) -> CardId:
    """The first 16 bytes of SHA-256 over domain, Ed25519 and X25519 public key: they identify this pair of keys."""
    return CardId(primitives.sha256(primitives.CARD_ID, signing_key, sealing_key)[:16])


class Identity:
    """The secret keys of one person. Printing shows only the card id."""

    __slots__ = ("_sealing", "_signing", "id", "sealing_key", "signing_key")

    def __init__(self, signing: Secret, sealing: Secret) -> None:
        self._signing = signing
        self._sealing = sealing
        self.signing_key = primitives.ed25519_public(signing.reveal())
        self.sealing_key = primitives.x25519_public(sealing.reveal())
        self.id = card_id(self.signing_key, self.sealing_key)

    @classmethod
    def generate(cls) -> Self:
        """New keys: 32 bytes each from ``secrets``."""
        return cls(Secret(secrets.token_bytes(32)), Secret(secrets.token_bytes(32)))

    def to_secret(self) -> Secret:
        """Both secret keys, to lock and store: Ed25519 seed, X25519 key; 64 bytes."""
        return Secret(self._signing.reveal() + self._sealing.reveal())

    @classmethod
    def from_secret(cls, secret: Secret) -> Self:
        """The reverse of ``to_secret``. Raises MalformedError."""
        keys = secret.reveal()
        if len(keys) != 64:
            raise MalformedError(f"identity: {len(keys)} bytes instead of 64")
        return cls(Secret(keys[:32]), Secret(keys[32:]))

    def age_identity(self) -> Secret:
        """The sealing key as the stock ``age`` program reads it: ``AGE-SECRET-KEY-1...``, 74 characters."""
        text = bech32.encode("age-secret-key-", self._sealing.reveal(), bech32.BECH32)
        return Secret(text.upper().encode())

    def sign(self, domain: bytes, message: bytes) -> bytes:
        """The 64-byte Ed25519 signature over domain and message."""
        return primitives.ed25519_sign(self._signing.reveal(), domain, message)

    def open(self, domain: bytes, sealed: bytes) -> bytes | None:
        """What `primitives.hpke_seal` sealed to the sealing key, with ``domain`` as its info; None: it is not for us."""
        return primitives.hpke_open(self._sealing.reveal(), domain, sealed)

    def __repr__(self) -> str:
        return f"Identity({self.id.hex()})"

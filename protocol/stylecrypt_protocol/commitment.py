"""Committing to a key face without showing it. SPEC.md section 7 argues binding and hiding."""

from __future__ import annotations

import secrets
from typing import Self

from pydantic import Field, model_validator

from . import primitives
from .cover import Pixels
from .secret import Secret
from .wire import Bytes32, MessageId, WireModel

__all__ = ["KeyFace", "Opening"]


class KeyFace(WireModel):
    """A key face as commitments see it: the digest of its decoded pixels, and the 32-byte secret
    that its owner gives, together with the picture, to the contacts who may use it."""

    digest: Bytes32 = Field(repr=False)
    secret: Secret

    @model_validator(mode="after")
    def _check_secret(self) -> Self:
        if len(self.secret) != 32:
            raise ValueError("the secret of a key face has 32 bytes")
        return self

    @classmethod
    def new(cls, picture: Pixels) -> Self:
        """A key face of your own, with a new secret (``secrets``)."""
        return cls(digest=picture.digest, secret=Secret(secrets.token_bytes(32)))

    def open(self, message_id: MessageId) -> Opening:
        """Proves to the recipients of one message which key face its commitment means; reveals nothing of others."""
        key = primitives.hkdf_sha256(self.secret.reveal(), salt=message_id, info=primitives.COMMITMENT_KEY)
        return Opening(key=key, digest=self.digest)


class Opening(WireModel):
    """The key of one message's commitment and the digest of the key face."""

    key: Bytes32 = Field(repr=False)
    digest: Bytes32 = Field(repr=False)

    def commitment(self, committed: bytes) -> bytes:
        """The commitment that this opens: HMAC-SHA-256 under ``key`` of everything before it in the public part, and of
        the key face's digest; 32 bytes. It is not valid for another cover."""
        return primitives.hmac_sha256(self.key, primitives.COMMITMENT + committed + self.digest)

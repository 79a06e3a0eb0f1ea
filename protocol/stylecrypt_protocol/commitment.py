"""Committing to a key face without showing it. SPEC.md section 7 argues binding and hiding."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Sequence
from typing import Self

from pydantic import Field, model_validator

from . import primitives
from .cover import Pixels, pixel_digest
from .secret import Secret
from .wire import Bytes32, MessageId, WireModel

__all__ = ["KeyFace", "Opening", "pick_key_face"]


class KeyFace(WireModel):
    """A key face as far as commitments know it: the digest of its decoded pixels, and the 32-byte secret
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
        """A key face of one's own, with a new secret (``secrets``)."""
        return cls(digest=pixel_digest(picture), secret=Secret(secrets.token_bytes(32)))

    def commit(self, message_id: MessageId) -> bytes:
        """The commitment of one message to this key face: 32 bytes for the public part."""
        return self.open(message_id).commitment(message_id)

    def open(self, message_id: MessageId) -> Opening:
        """What proves to the recipients of one message which key face its commitment means; tells nothing
        of others."""
        key = primitives.hkdf_sha256(self.secret.reveal(), salt=message_id, info=primitives.COMMITMENT_KEY)
        return Opening(key=key, digest=self.digest)


class Opening(WireModel):
    """The key of one message's commitment and the digest of the key face."""

    key: Bytes32 = Field(repr=False)
    digest: Bytes32 = Field(repr=False)

    def commitment(self, message_id: MessageId) -> bytes:
        """The commitment that this opens: HMAC-SHA-256 under ``key``; 32 bytes."""
        return primitives.hmac_sha256(self.key, primitives.COMMITMENT + message_id + self.digest)

    def opens(self, commitment: bytes, message_id: MessageId) -> bool:
        """Whether it opens this commitment; in constant time."""
        return hmac.compare_digest(self.commitment(message_id), commitment)


def pick_key_face(commitment: bytes, message_id: MessageId, key_faces: Sequence[KeyFace]) -> KeyFace | None:
    """The one of ``key_faces`` that a message is committed to, or None: then none of them recovers its face.

    Compares in constant time and looks at all of them, so that the time does not tell which one it was.
    """
    matches = [face.open(message_id).opens(commitment, message_id) for face in key_faces]
    return next((face for face, match in zip(key_faces, matches, strict=True) if match), None)

"""Keys and files at rest: Argon2id and XChaCha20-Poly1305. SPEC.md section 10.

One passphrase locks one small secret (``lock``, ``unlock``); that may be the key of many files
(``StorageKey``), so that the passphrase costs its half second only once and can be changed without
touching the files.
"""

from __future__ import annotations

import secrets
import unicodedata
from typing import Annotated, Final, NamedTuple, Self

from pydantic import Field, model_validator

from . import primitives
from .errors import LocalProtocolError, MalformedError, TooLargeError, WrongPassphraseError
from .limits import MAX_ARGON2_MEMORY, MAX_ARGON2_OPERATIONS, MAX_AT_REST_BYTES, MAX_SECRET_BYTES
from .secret import Secret
from .wire import VERSION, Reader, WireModel, received

__all__ = ["Cost", "StorageKey", "Unlocked", "lock", "unlock"]

LOCKED_MAGIC: Final = b"SCK"
FILE_MAGIC: Final = b"SCF"
LOCKED_BYTES: Final = 68
"""The bytes of a locked secret beyond the secret itself."""


class Cost(WireModel):
    """The cost of one guess at a passphrase: passes over bytes of memory (a multiple of 1 KiB)."""

    operations: Annotated[int, Field(ge=1, le=MAX_ARGON2_OPERATIONS)] = 3
    memory: Annotated[int, Field(ge=8192, le=MAX_ARGON2_MEMORY, multiple_of=1024)] = 256 * 1024 * 1024
    """The default is libsodium's "moderate": 256 MiB, three passes; about half a second."""


DEFAULT_COST: Final = Cost()


class Unlocked(NamedTuple):
    """The result of ``unlock``."""

    secret: Secret
    upgraded: bytes | None
    """The secret locked again at today's cost, to store in place of the old bytes; None if those are fine."""


def lock(secret: Secret, passphrase: str, cost: Cost = DEFAULT_COST) -> bytes:
    """The secret, of at most MAX_SECRET_BYTES, under a passphrase: 68 bytes more. Salt and nonce are from ``secrets``. Raises
    LocalProtocolError if the passphrase is empty or the secret longer."""
    if len(secret) > MAX_SECRET_BYTES:
        raise LocalProtocolError(f"a secret of {len(secret)} bytes is not locked under a passphrase")
    header = (
        LOCKED_MAGIC
        + bytes([VERSION])
        + cost.operations.to_bytes(4, "big")
        + (cost.memory // 1024).to_bytes(4, "big")
        + secrets.token_bytes(16)
    )
    nonce = secrets.token_bytes(24)
    key = _passphrase_key(passphrase, header[12:28], cost)
    return (
        header
        + nonce
        + primitives.xchacha20poly1305_encrypt(key, nonce, secret.reveal(), primitives.PASSPHRASE + header)
    )


def unlock(locked: bytes, passphrase: str, cost: Cost = DEFAULT_COST) -> Unlocked:
    """The secret, and new bytes to store if the old ones cost less than ``cost``.

    Raises WrongPassphraseError, MalformedError, TooLargeError or UnsupportedError.
    """
    if len(locked) > LOCKED_BYTES + MAX_SECRET_BYTES:
        raise TooLargeError(f"locked secret: {len(locked)} bytes")
    reader = Reader(locked, "locked secret")
    reader.magic(LOCKED_MAGIC)
    with received("locked secret"):
        stored = Cost(operations=reader.uint(4), memory=reader.uint(4) * 1024)
    salt = reader.take(16)
    nonce = reader.take(24)
    ciphertext = reader.take(reader.remaining())
    if len(ciphertext) < primitives.TAG_BYTES:  # before the work
        raise MalformedError("locked secret: ends too early")
    try:
        key = _passphrase_key(passphrase, salt, stored)
    except MemoryError as error:
        raise TooLargeError(f"locked secret: {error}") from None
    plaintext = primitives.xchacha20poly1305_decrypt(key, nonce, ciphertext, primitives.PASSPHRASE + locked[:28])
    if plaintext is None:
        raise WrongPassphraseError
    secret = Secret(plaintext)
    better = Cost(operations=max(stored.operations, cost.operations), memory=max(stored.memory, cost.memory))
    return Unlocked(secret, None if better == stored else lock(secret, passphrase, better))


def _passphrase_key(passphrase: str, salt: bytes, cost: Cost) -> bytes:
    """The passphrase in Unicode form NFC (RFC 8265, section 4.2), so that it does not matter how an accent is typed."""
    if not passphrase:
        raise LocalProtocolError("the passphrase is empty")
    typed = _utf8(unicodedata.normalize("NFC", passphrase), "passphrase")
    return primitives.argon2id(typed, salt, operations=cost.operations, memory=cost.memory)


def _utf8(text: str, what: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise LocalProtocolError(f"the {what} is not text") from None


class StorageKey(WireModel):
    """The key of files at rest. Lock ``secret`` under the passphrase."""

    secret: Secret

    @model_validator(mode="after")
    def _check_secret(self) -> Self:
        if len(self.secret) != 32:
            raise ValueError("a storage key has 32 bytes")
        return self

    @classmethod
    def generate(cls) -> Self:
        """A new key from ``secrets``."""
        return cls(secret=Secret(secrets.token_bytes(32)))

    def encrypt(self, plaintext: bytes, name: str) -> bytes:
        """A file that only decrypts under the same name, so that files cannot be exchanged for each other:
        44 bytes more. The nonce is from ``secrets``; 24 random bytes do not repeat."""
        if len(plaintext) + 44 > MAX_AT_REST_BYTES:
            raise LocalProtocolError(f"{len(plaintext)} bytes are too many for one file")
        header = FILE_MAGIC + bytes([VERSION])
        nonce = secrets.token_bytes(24)
        associated = primitives.FILE_AT_REST + header + _utf8(name, "name")
        return header + nonce + primitives.xchacha20poly1305_encrypt(self.secret.reveal(), nonce, plaintext, associated)

    def decrypt(self, data: bytes, name: str) -> bytes:
        """The plaintext. Raises MalformedError if damaged, renamed, or of another key; TooLargeError;
        UnsupportedError."""
        if len(data) > MAX_AT_REST_BYTES:
            raise TooLargeError(f"file at rest: {len(data)} bytes")
        reader = Reader(data, "file at rest")
        reader.magic(FILE_MAGIC)
        nonce = reader.take(24)
        plaintext = primitives.xchacha20poly1305_decrypt(
            self.secret.reveal(),
            nonce,
            reader.take(reader.remaining()),
            primitives.FILE_AT_REST + data[:4] + _utf8(name, "name"),
        )
        if plaintext is None:
            raise MalformedError("file at rest: damaged, renamed, or encrypted with another key")
        return plaintext

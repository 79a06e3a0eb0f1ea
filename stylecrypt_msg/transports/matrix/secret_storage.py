"""Secret storage: secrets of an account that its server keeps, sealed with a key that their owner has on paper.

The Matrix specification, "Secrets": the algorithm m.secret_storage.v1.aes-hmac-sha2, and "Key representation".
"""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass, field
from typing import Self

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from ...errors import InputError
from .identities import Json, from_base64, to_base64

__all__ = ["KEY_BYTES", "RecoveryKey"]

KEY_BYTES = 32

_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_HEADER = b"\x8b\x01"
_LONGEST = 200  # letters of a recovery key, with spaces: more than anybody types
_MOST = 1024  # bytes of a secret: those here have 43


@dataclass(frozen=True)
class RecoveryKey:
    """The key of a secret storage, and how people write it down."""

    key: bytes = field(repr=False)

    @classmethod
    def new(cls) -> Self:
        return cls(secrets.token_bytes(KEY_BYTES))

    @classmethod
    def read(cls, text: str) -> Self:
        """From what somebody typed. Raises InputError."""
        number = 0
        try:
            for letter in "".join(text[:_LONGEST].split()):
                number = number * 58 + _BASE58.index(letter)
            data = number.to_bytes(len(_HEADER) + KEY_BYTES + 1, "big")
        except (ValueError, OverflowError):
            data = b""
        if not data.startswith(_HEADER) or _parity(data) != 0:
            raise InputError(
                "This is not a recovery key, or there is a slip in it.", hint="Compare it letter by letter."
            ) from None
        return cls(data[len(_HEADER) : -1])

    def text(self) -> str:
        """In base58, in groups of four."""
        data = _HEADER + self.key
        number, letters = int.from_bytes(data + bytes([_parity(data)]), "big"), ""
        while number:
            number, digit = divmod(number, 58)
            letters = _BASE58[digit] + letters
        return " ".join(letters[start : start + 4] for start in range(0, len(letters), 4))

    def description(self) -> Json:
        """What the server may know of it, by which apps notice a wrong key."""
        sealed = self._seal("", bytes(KEY_BYTES))
        return {"algorithm": "m.secret_storage.v1.aes-hmac-sha2", "iv": sealed["iv"], "mac": sealed["mac"]}

    def seal(self, name: str, secret: bytes) -> Json:
        """A secret, as the server keeps it under a name: in base64, encrypted and authenticated."""
        return self._seal(name, to_base64(secret).encode())

    def open(self, name: str, sealed: Json) -> bytes:
        """What `seal` sealed under this name. Raises ValueError if it is damaged, or another key's."""
        try:
            iv, ciphertext, mac = (from_base64(sealed[part]) for part in ("iv", "ciphertext", "mac"))
        except (KeyError, TypeError) as error:
            raise ValueError("not a sealed secret") from error
        aes, authentication = self._keys(name)
        if len(iv) != 16 or len(ciphertext) > _MOST or not hmac.compare_digest(_mac(authentication, ciphertext), mac):
            raise ValueError("not a secret of this key")
        return from_base64(_crypt(aes, iv, ciphertext).decode())

    def _seal(self, name: str, data: bytes) -> dict[str, str]:
        aes, authentication = self._keys(name)
        iv = bytearray(secrets.token_bytes(16))
        iv[8] &= 0x7F  # bit 63: not all implementations of AES-CTR carry beyond it
        ciphertext = _crypt(aes, bytes(iv), data)
        parts = {"iv": bytes(iv), "ciphertext": ciphertext, "mac": _mac(authentication, ciphertext)}
        return {part: to_base64(value) for part, value in parts.items()}

    def _keys(self, name: str) -> tuple[bytes, bytes]:
        """For AES and for HMAC."""
        both = HKDF(SHA256(), length=64, salt=bytes(32), info=name.encode()).derive(self.key)
        return both[:32], both[32:]


def _parity(data: bytes) -> int:
    parity = 0
    for byte in data:
        parity ^= byte
    return parity


def _mac(key: bytes, ciphertext: bytes) -> bytes:
    return hmac.digest(key, ciphertext, "sha256")


def _crypt(key: bytes, iv: bytes, data: bytes) -> bytes:
    """Encrypts and decrypts."""
    return Cipher(AES(key), CTR(iv)).encryptor().update(data)

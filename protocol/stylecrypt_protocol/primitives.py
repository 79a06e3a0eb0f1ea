"""Each cryptographic primitive, as this package calls it. The Wycheproof vectors run against these functions.

X25519, ChaCha20-Poly1305 and the rest of age are called inside ``pyrage`` (age.py).
"""

from __future__ import annotations

import hashlib
import hmac as _hmac
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite
from nacl import bindings
from nacl.exceptions import CryptoError

from .errors import BadSignatureError

# Domain separation: the first bytes of everything that is hashed, signed or used as a key. Each ends with a
# zero byte and holds no other, so none is a prefix of another.
_DOMAIN: Final = b"stylecrypt.org/v1/"
CARD: Final = _DOMAIN + b"card\0"
CARD_ID: Final = _DOMAIN + b"card-id\0"
COMMITMENT: Final = _DOMAIN + b"commitment\0"
COMMITMENT_KEY: Final = _DOMAIN + b"commitment-key\0"
CONTEXT: Final = _DOMAIN + b"context\0"
FILE_AT_REST: Final = _DOMAIN + b"file-at-rest\0"
IMPRINT: Final = _DOMAIN + b"imprint\0"
IMPRINT_DITHER: Final = _DOMAIN + b"imprint-dither\0"
KEY_FACE: Final = _DOMAIN + b"key-face\0"
MESSAGE: Final = _DOMAIN + b"message\0"
PASSPHRASE: Final = _DOMAIN + b"passphrase\0"
PIXELS: Final = _DOMAIN + b"pixels\0"
PUBLIC_PART: Final = _DOMAIN + b"public-part\0"
REVOCATION: Final = _DOMAIN + b"revocation\0"
ROTATION: Final = _DOMAIN + b"rotation\0"
WORDS: Final = _DOMAIN + b"words\0"

SIGNATURE_BYTES: Final = bindings.crypto_sign_BYTES
TAG_BYTES: Final = bindings.crypto_aead_xchacha20poly1305_ietf_ABYTES
HPKE_BYTES: Final = 32 + 16
"""That `hpke_seal` adds: the ephemeral public key, and the tag."""

_HPKE: Final = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.CHACHA20_POLY1305)


def sha256(domain: bytes, *parts: bytes | memoryview) -> bytes:
    """SHA-256 (FIPS 180-4) of the domain followed by the parts, which must not need delimiting: 32 bytes."""
    digest = hashlib.sha256(domain)
    for part in parts:
        digest.update(part)
    return digest.digest()


def hmac_sha256(key: bytes, message: bytes) -> bytes:
    """HMAC-SHA-256 (RFC 2104): 32 bytes."""
    return _hmac.digest(key, message, "sha256")


def hkdf_sha256(secret: bytes, *, salt: bytes, info: bytes, length: int = 32) -> bytes:
    """HKDF-SHA-256 (RFC 5869): ``length`` bytes, at most 8,160."""
    if length > 255 * 32:
        raise ValueError("HKDF-SHA-256 gives at most 8160 bytes")
    key = hmac_sha256(salt, secret)
    block, output = b"", b""
    for counter in range(1, -(-length // 32) + 1):
        block = hmac_sha256(key, block + info + bytes([counter]))
        output += block
    return output[:length]


def ed25519_public(seed: bytes) -> bytes:
    """The 32-byte Ed25519 public key of a 32-byte seed (RFC 8032, section 5.1.5)."""
    return bindings.crypto_sign_seed_keypair(seed)[0]


def ed25519_sign(seed: bytes, domain: bytes, message: bytes) -> bytes:
    """The 64-byte Ed25519 signature (RFC 8032) over domain and message."""
    secret_key = bindings.crypto_sign_seed_keypair(seed)[1]
    return bindings.crypto_sign(domain + message, secret_key)[:SIGNATURE_BYTES]


def ed25519_verify(public_key: bytes, domain: bytes, message: bytes, signature: bytes) -> None:
    """Raises BadSignatureError unless the signature over domain and message is by this key.

    libsodium refuses keys of small order and values of S that are not reduced.
    """
    try:
        bindings.crypto_sign_open(signature + domain + message, public_key)
    except (CryptoError, ValueError):
        raise BadSignatureError from None


def x25519_public(secret_key: bytes) -> bytes:
    """The 32-byte X25519 public key of a 32-byte secret key (RFC 7748, section 6.1)."""
    return bindings.crypto_scalarmult_base(secret_key)


def x25519_is_canonical(public_key: bytes) -> bool:
    """Whether a public key is the canonical encoding of its point: below the prime, without the ignored bit."""
    return int.from_bytes(public_key, "little") < 2**255 - 19


def x25519_is_usable(public_key: bytes) -> bool:
    """False for the points of small order, with which every shared secret is zero (RFC 7748, section 6.1)."""
    try:
        bindings.crypto_scalarmult(b"\1" * 32, public_key)
    except CryptoError:
        return False
    return True


def xchacha20poly1305_encrypt(key: bytes, nonce: bytes, plaintext: bytes, associated: bytes) -> bytes:
    """XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03): ciphertext and the 16-byte tag; key 32, nonce 24
    bytes."""
    return bindings.crypto_aead_xchacha20poly1305_ietf_encrypt(plaintext, associated, nonce, key)


def xchacha20poly1305_decrypt(key: bytes, nonce: bytes, ciphertext: bytes, associated: bytes) -> bytes | None:
    """The plaintext, or None if key, nonce, associated data or ciphertext do not match."""
    if len(ciphertext) < TAG_BYTES:
        return None
    try:
        return bindings.crypto_aead_xchacha20poly1305_ietf_decrypt(ciphertext, associated, nonce, key)
    except CryptoError:
        return None


def hpke_seal(public_key: bytes, info: bytes, plaintext: bytes) -> bytes:
    """HPKE in base mode (RFC 9180): DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, ChaCha20-Poly1305, no associated data. The
    encapsulated key, ciphertext and tag."""
    return _HPKE.encrypt(plaintext, X25519PublicKey.from_public_bytes(public_key), info)


def hpke_open(secret_key: bytes, info: bytes, sealed: bytes) -> bytes | None:
    """What `hpke_seal` sealed to this key's public one; None if it did not."""
    try:
        return _HPKE.decrypt(sealed, X25519PrivateKey.from_private_bytes(secret_key), info)
    except (InvalidTag, ValueError):  # ValueError: a point of small order
        return None


def argon2id(passphrase: bytes, salt: bytes, *, operations: int, memory: int) -> bytes:
    """Argon2id (RFC 9106), one lane: 32 bytes; salt 16 bytes, ``operations`` passes over ``memory`` bytes.

    Raises MemoryError if the machine does not have enough.
    """
    try:
        return bindings.crypto_pwhash_alg(
            32, passphrase, salt, operations, memory, bindings.crypto_pwhash_ALG_ARGON2ID13
        )
    except CryptoError:
        raise MemoryError(f"{memory} bytes for Argon2id") from None

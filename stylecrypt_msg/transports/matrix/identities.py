"""Cross-signing: the keys by which people vouch for their own devices, and for each other.

The Matrix specification, "Cross-signing": somebody's master key signs a self-signing key, which signs their devices, and a
user-signing key, which signs the master keys of people whom they verified. nio knows nothing of this.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self, TypeAlias

from nacl.exceptions import CryptoError
from nacl.signing import SigningKey, VerifyKey
from nio import Api

__all__ = [
    "SECRET_BYTES",
    "SECRET_NAMES",
    "CrossSigningIdentity",
    "Json",
    "OwnKeys",
    "canonical",
    "from_base64",
    "is_signed",
    "to_base64",
]

SECRET_BYTES = 96
"""Three Ed25519 seeds: master, self-signing, user-signing."""

Json: TypeAlias = Mapping[str, Any]

SECRET_NAMES = ("m.cross_signing.master", "m.cross_signing.self_signing", "m.cross_signing.user_signing")
"""Of the private keys in secret storage."""


class OwnKeys:
    """The private keys of ``user_id``, made of ``secret``: 96 random bytes."""

    def __init__(self, user_id: str, secret: bytes) -> None:
        if len(secret) != SECRET_BYTES:
            raise ValueError(f"the secret has {len(secret)} bytes instead of {SECRET_BYTES}")
        self._user_id = user_id
        self._master, self._self_signing, self._user_signing = (
            SigningKey(secret[start : start + 32]) for start in range(0, SECRET_BYTES, 32)
        )

    @classmethod
    def of_secrets(cls, user_id: str, secrets: Mapping[str, bytes]) -> Self:
        """Of what `secrets` gave; raises ValueError if it is not that."""
        return cls(user_id, b"".join(secrets[name] for name in SECRET_NAMES))

    def secrets(self) -> dict[str, bytes]:
        """The three seeds, of 32 bytes each, by their names in secret storage."""
        return dict(zip(SECRET_NAMES, map(bytes, (self._master, self._self_signing, self._user_signing)), strict=True))

    @property
    def master(self) -> str:
        """The public master key, in base64."""
        return _public(self._master)

    def published(self) -> dict[str, Json]:
        """The three public keys as the server takes them."""
        return {
            "master_key": self._described("master", self._master),
            "self_signing_key": self._sign(self._described("self_signing", self._self_signing), self._master),
            "user_signing_key": self._sign(self._described("user_signing", self._user_signing), self._master),
        }

    def sign_device(self, keys: Json) -> Json:
        """The published keys of a device of one's own, with this signature alone."""
        return self._sign(keys, self._self_signing)

    def sign_user(self, master_key: Json) -> Json:
        """Somebody's published master key, with this signature alone."""
        return self._sign(master_key, self._user_signing)

    def sign_backup(self, auth_data: Json) -> Json:
        """What a key backup says of its key, with this signature alone."""
        return self._sign(auth_data, self._master)

    def _described(self, usage: str, key: SigningKey) -> Json:
        public = _public(key)
        return {"user_id": self._user_id, "usage": [usage], "keys": {f"ed25519:{public}": public}}

    def _sign(self, value: Json, key: SigningKey) -> Json:
        signature = to_base64(key.sign(canonical(value)).signature)
        return {**_bare(value), "signatures": {self._user_id: {f"ed25519:{_public(key)}": signature}}}


@dataclass(frozen=True)
class CrossSigningIdentity:
    """Somebody's cross-signing keys as their server publishes them. What is not signed as it has to be is left out.

    Attributes:
        master: the public master key, in base64.
        master_key: the same as published.
        signed: ids and Ed25519 keys of the devices that the self-signing key signed.
        vouching: ids and Ed25519 keys of the devices that signed the master key.
    """

    master: str
    master_key: Json = field(repr=False)
    signed: frozenset[tuple[str, str]]
    vouching: frozenset[tuple[str, str]]

    @classmethod
    def read(cls, user_id: str, answer: Json) -> Self | None:
        """From the answer to a key query; None if there is no master key."""
        master_key = _of(answer, "master_keys", user_id)
        master = _key_in(master_key, user_id, "master")
        if master is None:
            return None
        self_signing_key = _of(answer, "self_signing_keys", user_id)
        self_signing = _key_in(self_signing_key, user_id, "self_signing")
        if self_signing is not None and not is_signed(self_signing_key, user_id, master, master):
            self_signing = None
        signed, vouching = set(), set()
        for device_id, device in _of(answer, "device_keys", user_id).items():
            key = _of(device, "keys").get(f"ed25519:{device_id}")
            if not isinstance(key, str) or (device.get("user_id"), device.get("device_id")) != (user_id, device_id):
                continue
            if self_signing is not None and is_signed(device, user_id, self_signing, self_signing):
                signed.add((device_id, key))
            if is_signed(master_key, user_id, device_id, key):
                vouching.add((device_id, key))
        return cls(master, master_key, frozenset(signed), frozenset(vouching))


def _of(value: Any, *names: str) -> Mapping[str, Any]:
    for name in names:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value if isinstance(value, Mapping) else {}


def _key_in(published: Json, user_id: str, usage: str) -> str | None:
    """The public key in a published cross-signing key."""
    keys, usages = _of(published, "keys"), published.get("usage")
    if published.get("user_id") != user_id or not isinstance(usages, list) or usage not in usages or len(keys) != 1:
        return None
    [(name, key)] = keys.items()
    return key if isinstance(key, str) and name == f"ed25519:{key}" else None


def is_signed(value: Json, user_id: str, name: str, key: str) -> bool:
    """Whether a user's Ed25519 ``key``, called ``name``, signed a value."""
    signature = _of(value, "signatures", user_id).get(f"ed25519:{name}")
    try:
        VerifyKey(from_base64(key)).verify(canonical(value), from_base64(signature))
    except (CryptoError, ValueError, TypeError, AttributeError):
        return False
    return True


def _bare(value: Json) -> dict[str, Any]:
    """What signatures are about."""
    return {name: part for name, part in value.items() if name not in ("signatures", "unsigned")}


def canonical(value: Json) -> bytes:
    """Canonical JSON, as it is signed: without signatures and ``unsigned``."""
    return str(Api.to_canonical_json(_bare(value))).encode()


def _public(key: SigningKey) -> str:
    return to_base64(bytes(key.verify_key))


def to_base64(data: bytes) -> str:
    """Base64 without padding, as everywhere in Matrix."""
    return b64encode(data).decode().rstrip("=")


def from_base64(text: Any) -> bytes:
    """Raises ValueError or TypeError."""
    return b64decode(text + "=" * (-len(text) % 4), validate=True)

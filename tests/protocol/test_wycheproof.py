"""Project Wycheproof's vectors against the primitives as this package calls them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import stylecrypt_protocol as sp
from nacl import bindings
from stylecrypt_protocol import age, primitives


def vectors(name: str) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """(group, test) of one file."""
    data = json.loads((Path(__file__).parent / "vectors" / "wycheproof" / f"{name}.json").read_text())
    return [(group, test) for group in data["testGroups"] for test in group["tests"]]


def test_ed25519() -> None:
    count = 0
    for group, test in vectors("ed25519"):
        key, message, signature = (bytes.fromhex(x) for x in (group["publicKey"]["pk"], test["msg"], test["sig"]))
        if test["result"] == "valid":
            primitives.ed25519_verify(key, b"", message, signature)
            primitives.ed25519_verify(key, message[:3], message[3:], signature)
        else:
            with pytest.raises(sp.BadSignatureError):
                primitives.ed25519_verify(key, b"", message, signature)
        count += 1
    assert count > 140


def test_ed25519_keys_of_small_order() -> None:
    """Under them, one signature would be valid for any message."""
    identity = b"\1" + bytes(31)
    for key in (identity, bytes(32), bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a")):
        for r in (identity, key):
            for message in (b"", b"a", b"b"):
                with pytest.raises(sp.BadSignatureError):
                    primitives.ed25519_verify(key, b"", message, r + bytes(32))


def age_file(share: bytes, shared: bytes, recipient: bytes) -> bytes:
    """An age file with the plaintext "ok", written from a given ephemeral share and shared secret."""
    file_key, nonce = b"YELLOW SUBMARINE", bytes(16)
    wrap = primitives.hkdf_sha256(shared, salt=share + recipient, info=b"age-encryption.org/v1/X25519")
    body = bindings.crypto_aead_chacha20poly1305_ietf_encrypt(file_key, None, bytes(12), wrap)
    header = age.INTRO + b"-> X25519 " + base64(share) + b"\n" + base64(body) + b"\n---"
    mac = primitives.hmac_sha256(primitives.hkdf_sha256(file_key, salt=b"", info=b"header"), header)
    key = primitives.hkdf_sha256(file_key, salt=nonce, info=b"payload")
    payload = bindings.crypto_aead_chacha20poly1305_ietf_encrypt(b"ok", None, bytes(11) + b"\1", key)
    return header + b" " + base64(mac) + b"\n" + nonce + payload


def base64(data: bytes) -> bytes:
    """Base64 without padding."""
    from base64 import b64encode

    return b64encode(data).rstrip(b"=")


def test_x25519() -> None:
    """Through age: the file opens if and only if the library computes the vector's shared secret."""
    zero = bytes(32)
    seen = set()
    for _, test in vectors("x25519"):
        public, private, shared = (bytes.fromhex(test[x]) for x in ("public", "private", "shared"))
        identity = sp.Identity(sp.Secret(zero), sp.Secret(private))
        sealed = age_file(public, shared, identity.sealing_key)
        assert primitives.x25519_is_usable(public) == (shared != zero)
        if shared == zero:  # age requires to refuse what Wycheproof calls acceptable
            with pytest.raises(sp.RemoteProtocolError):
                age.decrypt(sealed, identity)
        else:
            assert age.decrypt(sealed, identity) == b"ok", test["tcId"]
        wrong = age_file(public, bytes([shared[0] ^ 1]) + shared[1:], identity.sealing_key)
        with pytest.raises(sp.RemoteProtocolError):
            age.decrypt(wrong, identity)
        seen.add((test["result"], shared == zero))
    assert ("valid", False) in seen
    assert ("acceptable", True) in seen


def test_xchacha20_poly1305() -> None:
    count = 0
    for _, test in vectors("xchacha20_poly1305"):
        key, nonce, associated, plaintext, ciphertext, tag = (
            bytes.fromhex(test[x]) for x in ("key", "iv", "aad", "msg", "ct", "tag")
        )
        if len(nonce) != 24:
            continue  # a nonce of another length never reaches the function: at_rest.py takes 24 bytes
        opened = primitives.xchacha20poly1305_decrypt(key, nonce, ciphertext + tag, associated)
        if test["result"] == "valid":
            assert opened == plaintext
            assert primitives.xchacha20poly1305_encrypt(key, nonce, plaintext, associated) == ciphertext + tag
        else:
            assert opened is None
        count += 1
    assert count > 300


def test_hkdf_sha256() -> None:
    for _, test in vectors("hkdf_sha256"):
        ikm, salt, info = (bytes.fromhex(test[x]) for x in ("ikm", "salt", "info"))
        if test["result"] == "invalid":  # longer than HKDF gives
            with pytest.raises(ValueError, match="8160"):
                primitives.hkdf_sha256(ikm, salt=salt, info=info, length=test["size"])
        else:
            okm = primitives.hkdf_sha256(ikm, salt=salt, info=info, length=test["size"])
            assert okm == bytes.fromhex(test["okm"])


def test_hmac_sha256() -> None:
    """Commitments use whole tags: a truncated tag must be the start of ours."""
    for group, test in vectors("hmac_sha256"):
        tag = primitives.hmac_sha256(bytes.fromhex(test["key"]), bytes.fromhex(test["msg"]))
        matches = tag[: group["tagSize"] // 8] == bytes.fromhex(test["tag"])
        assert matches == (test["result"] == "valid")

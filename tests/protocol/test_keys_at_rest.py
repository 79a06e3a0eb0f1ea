"""Keys at rest: passphrases, upgrades, and limits on what a file may ask for."""

from __future__ import annotations

import pytest
import stylecrypt_protocol as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from nacl import bindings
from nacl.exceptions import CryptoError
from stylecrypt_protocol import limits

from ..support.sealed_messages import ALICE, CHEAP

KEY = sp.StorageKey(secret=sp.Secret(b"k" * 32))


@settings(max_examples=25, deadline=None)
@given(st.binary(max_size=300), st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_lock_round_trip(secret: bytes, passphrase: str) -> None:
    locked = sp.lock(sp.Secret(secret), passphrase, CHEAP)
    assert len(locked) == len(secret) + 68
    assert sp.unlock(locked, passphrase, CHEAP) == sp.Unlocked(sp.Secret(secret), None)


def test_the_default_cost_once() -> None:
    locked = sp.lock(ALICE.to_secret(), "correct horse")
    assert sp.Identity.from_secret(sp.unlock(locked, "correct horse").secret).id == ALICE.id
    with pytest.raises(sp.WrongPassphraseError):
        sp.unlock(locked, "correct house")


def test_a_cheap_file_is_upgraded_on_use() -> None:
    locked = sp.lock(sp.Secret(b"secret"), "pass", CHEAP)
    dearer = sp.Cost(operations=2, memory=16_384)
    secret, upgraded = sp.unlock(locked, "pass", dearer)
    assert secret == sp.Secret(b"secret")
    assert upgraded is not None
    assert sp.unlock(upgraded, "pass", dearer) == sp.Unlocked(secret, None)
    assert sp.unlock(upgraded, "pass", CHEAP).upgraded is None, "never downgraded"


def test_the_way_of_typing_an_accent_does_not_matter() -> None:
    locked = sp.lock(sp.Secret(b"x"), "caf\u00e9", CHEAP)
    assert sp.unlock(locked, "cafe\u0301", CHEAP).secret == sp.Secret(b"x")


def test_two_files_of_one_secret_share_nothing() -> None:
    one, other = (sp.lock(sp.Secret(b"x" * 32), "pass", CHEAP) for _ in range(2))
    assert one[12:52] != other[12:52]
    assert one[52:] != other[52:]


@pytest.mark.parametrize(
    ("at", "value", "error"),
    [
        (0, b"XXX", sp.MalformedError),
        (3, b"\2", sp.UnsupportedError),
        (4, b"\0\0\0\0", sp.MalformedError),
        (4, b"\xff\xff\xff\xff", sp.MalformedError),
        (4, b"\0\0\0\x11", sp.MalformedError),
        (8, b"\0\0\0\7", sp.MalformedError),
        (8, b"\xff\xff\xff\xff", sp.MalformedError),
        (8, b"\0\x10\0\1", sp.MalformedError),
        (4, b"\0\0\0\2", sp.WrongPassphraseError),
        (8, b"\0\0\0\x09", sp.WrongPassphraseError),
        (12, b"salt", sp.WrongPassphraseError),
        (28, b"nonce", sp.WrongPassphraseError),
        (52, b"ciphertext", sp.WrongPassphraseError),
    ],
)
def test_hostile_files(at: int, value: bytes, error: type[sp.ProtocolError]) -> None:
    locked = sp.lock(sp.Secret(b"secret"), "pass", CHEAP)
    with pytest.raises(error) as raised:
        sp.unlock(locked[:at] + value + locked[at + len(value) :], "pass", CHEAP)
    assert raised.type is error


@pytest.mark.parametrize("length", range(74))
def test_short_files(length: int) -> None:
    with pytest.raises(sp.RemoteProtocolError) as raised:
        sp.unlock(sp.lock(sp.Secret(b"secret"), "pass", CHEAP)[:length], "pass", CHEAP)
    assert raised.type is (sp.MalformedError if length < 68 else sp.WrongPassphraseError)


def test_a_machine_with_less_memory_than_the_file_asks_for(monkeypatch: pytest.MonkeyPatch) -> None:
    locked = sp.lock(sp.Secret(b"secret"), "pass", CHEAP)

    def refuse(*_: object) -> bytes:
        raise CryptoError

    monkeypatch.setattr(bindings, "crypto_pwhash_alg", refuse)
    with pytest.raises(sp.TooLargeError):
        sp.unlock(locked, "pass", CHEAP)


def test_misuse() -> None:
    for passphrase in ("", "\ud800"):
        with pytest.raises(sp.LocalProtocolError, match="passphrase"):
            sp.lock(sp.Secret(b"x"), passphrase, CHEAP)
    with pytest.raises(sp.LocalProtocolError):
        sp.Cost(operations=1, memory=8193)
    with pytest.raises(sp.LocalProtocolError):
        sp.StorageKey(secret=sp.Secret(b"short"))
    for use in (sp.StorageKey.generate().encrypt, sp.StorageKey.generate().decrypt):
        with pytest.raises(sp.LocalProtocolError, match="name"):
            use(b"SCF\1" + bytes(40), "\udcff")


@settings(max_examples=50, deadline=None)
@given(st.binary(max_size=2000), st.text(st.characters(exclude_categories=["Cs"])))
def test_file_round_trip(plaintext: bytes, name: str) -> None:
    data = KEY.encrypt(plaintext, name)
    assert KEY.decrypt(data, name) == plaintext
    for wrong in (
        lambda: KEY.decrypt(data, name + "x"),
        lambda: sp.StorageKey.generate().decrypt(data, name),
    ):
        with pytest.raises(sp.MalformedError):
            wrong()


def test_file_bit_flips() -> None:
    data = KEY.encrypt(b"plaintext", "name")
    for bit in range(len(data) * 8):
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        with pytest.raises(sp.RemoteProtocolError):
            KEY.decrypt(bytes(flipped), "name")


def test_a_locked_secret_is_not_a_file() -> None:
    with pytest.raises(sp.MalformedError):
        KEY.decrypt(sp.lock(sp.Secret(b"x"), "pass", CHEAP), "name")
    too_large = bytes(limits.MAX_AT_REST_BYTES + 1)
    for read in (lambda: KEY.decrypt(too_large, ""), lambda: sp.unlock(too_large, "x")):
        with pytest.raises(sp.TooLargeError):
            read()
    with pytest.raises(sp.LocalProtocolError):
        KEY.encrypt(too_large, "")

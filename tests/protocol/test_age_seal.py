"""Sealing: the age vectors of C2SP/CCTV, other implementations, limits on hostile headers, padding."""

from __future__ import annotations

import hashlib
import re
import secrets
import zlib
from pathlib import Path

import pytest
import stylecrypt_protocol as sp
from stylecrypt_protocol import age, bech32
from stylecrypt_protocol.signed import SignedPart

from tests.support.other_age import EVERY_AGE, Age

from ..support.sealed_messages import ALICE, BOB, CARDS, message

VECTORS = sorted((Path(__file__).parent / "vectors" / "age").iterdir())


@pytest.mark.parametrize("path", VECTORS, ids=lambda path: path.name)
def test_age_vector(path: Path) -> None:
    """Files that must open do; all others fail closed, including those we refuse (armor, other keys)."""
    head, _, file = path.read_bytes().partition(b"\n\n")
    lines = [line.partition(": ")[::2] for line in head.decode().splitlines()]
    fields = dict(lines)
    if fields.get("compressed") == "zlib":
        file = zlib.decompress(file)
    texts = [value for key, value in lines if key == "identity" and value.startswith("AGE-SECRET-KEY-1")]
    keys = [bech32.decode("age-secret-key-", text, bech32.BECH32) for text in texts] or [bytes([9] * 32)]
    identity = sp.Identity(sp.Secret(bytes(32)), sp.Secret(keys[0]))
    types = re.findall(rb"^-> ?([^ \n]*)", file.partition(b"\n---")[0], re.MULTILINE)
    refused = [kind for kind in types if kind != b"X25519" and not kind.endswith(b"grease")]
    if fields["expect"] == "success" and not refused and "armored" not in fields:
        assert hashlib.sha256(age.decrypt(file, identity)).hexdigest() == fields["payload"]
        return
    with pytest.raises(sp.RemoteProtocolError) as raised:
        age.decrypt(file, identity)
    if "armored" in fields:
        assert raised.type is sp.MalformedError
    elif any(refused) and file.startswith(age.INTRO) and b"\n---" in file:
        assert raised.type is sp.UnsupportedError
    elif fields["expect"] == "no match":
        assert raised.type is sp.NotForMeError
    elif fields["expect"] == "payload failure":
        assert raised.type is sp.MalformedError


every_age = pytest.mark.parametrize("other", EVERY_AGE)


@every_age
def test_others_open_what_we_seal(other: type[Age]) -> None:
    envelope = message(to=("bob", "carol"))
    plaintext = other.decrypt(envelope.sealed or b"", BOB.age_identity().reveal().decode())
    assert plaintext == age.decrypt(envelope.sealed or b"", BOB)
    assert SignedPart(plaintext).verify(sp.SealedPart, ALICE.signing_key).caption == "hello"


@every_age
def test_we_open_what_others_seal(other: type[Age]) -> None:
    """A message signed here and sealed by another program is a message like any other."""
    envelope = message(to=("bob", "carol"))
    plaintext = age.decrypt(envelope.sealed or b"", BOB)
    sealed = other.encrypt(plaintext, [CARDS[who].age_recipient for who in ("bob", "carol")])
    assert age.decrypt(sealed, BOB) == plaintext


@every_age
def test_others_agree_on_the_public_key(other: type[Age]) -> None:
    assert other.recipient(BOB.age_identity().reveal().decode()) == CARDS["bob"].age_recipient


STANZA = b"-> X25519 " + b"A" * 43 + b"\n" + b"A" * 43 + b"\n"


@pytest.mark.parametrize(
    ("sealed", "error"),
    [
        (b"", sp.MalformedError),
        (b"-----BEGIN AGE ENCRYPTED FILE-----\n", sp.MalformedError),
        (b"age-encryption.org/v2\n" + STANZA + b"--- x", sp.MalformedError),
        (age.INTRO + STANZA * 10_000 + b"--- x", sp.TooLargeError),
        (age.INTRO + b"-> X25519\n" * 131 + b"--- x", sp.TooLargeError),
        (age.INTRO + b"-> scrypt AAAA 30\nAAAA\n--- x", sp.UnsupportedError),
        (age.INTRO + b"-> ssh-ed25519 AAAA\nAAAA\n--- x", sp.UnsupportedError),
        (age.INTRO + b"->\n--- x", sp.MalformedError),
        (age.INTRO + STANZA, sp.TooLargeError),
        (age.INTRO + b"--- x", sp.MalformedError),
    ],
)
def test_hostile_headers(sealed: bytes, error: type[sp.ProtocolError]) -> None:
    with pytest.raises(error) as raised:
        age.decrypt(sealed, ALICE)
    assert raised.type is error


def test_header_of_the_most_recipients_is_accepted() -> None:
    keys = [sp.Identity(sp.Secret(bytes(32)), sp.Secret(secrets.token_bytes(32))).sealing_key for _ in range(127)]
    for _ in range(20):  # the unknown stanza that pyrage adds has a random length
        age.check_header(age.encrypt(b"x", [*keys, BOB.sealing_key]))
    assert age.decrypt(age.encrypt(b"x", [*keys, BOB.sealing_key]), BOB) == b"x"


def test_padme() -> None:
    # Nikitin et al. 2019: at most 12 % more.
    assert [age.padme(n) for n in (0, 1, 2, 7, 8, 9, 10, 100, 1000, 1023, 12_345)] == [
        0,
        1,
        2,
        7,
        8,
        10,
        10,
        104,
        1024,
        1024,
        12_800,
    ]
    for length in range(1, 70_000):
        padded = age.padme(length)
        assert length <= padded <= length * 1.12
        assert age.padme(padded) == padded


def test_padding_hides_the_length() -> None:
    lengths = {len(age.decrypt(message(caption="x" * n, file_name="").sealed or b"", BOB)) for n in range(200)}
    assert len(lengths) < 20

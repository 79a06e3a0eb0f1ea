"""Recovery keys, and what they seal. Another app reads both in `tests/bots/test_key_backup.py`."""

from __future__ import annotations

import pytest

from stylecrypt_msg.errors import InputError
from stylecrypt_msg.transports.matrix.identities import from_base64, to_base64
from stylecrypt_msg.transports.matrix.secret_storage import RecoveryKey

# Alice's private key of RFC 7748, section 6.1, as matrix-js-sdk writes it.
KEY = bytes.fromhex("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a")
TEXT = "EsTc LW2K PGiF wKEA 3As5 g5c4 BXwk qeeJ ZJV8 Q9fu gUMN UE4d"


def test_a_recovery_key_is_written_as_in_other_apps() -> None:
    assert RecoveryKey(KEY).text() == TEXT
    assert RecoveryKey.read(f" {TEXT.replace(' ', '')}\n").key == KEY
    assert KEY.hex() not in repr(RecoveryKey(KEY))


@pytest.mark.parametrize(
    "slip",
    [
        "",
        TEXT[:-1],
        TEXT + "d",
        TEXT.replace("L", "M"),
        TEXT.replace("wK", "Kw"),
        "0" + TEXT[1:],
        "x" * 10_000,
        "é" * 48,
    ],
)
def test_a_slip_is_noticed(slip: str) -> None:
    with pytest.raises(InputError, match="not a recovery key"):
        RecoveryKey.read(slip)


def test_a_secret_opens_under_its_name_and_key_alone() -> None:
    key = RecoveryKey.new()
    sealed = key.seal("m.megolm_backup.v1", KEY)
    assert key.open("m.megolm_backup.v1", sealed) == KEY
    flipped = bytearray(from_base64(sealed["ciphertext"]))
    flipped[0] ^= 1
    for name, opener, value in [
        ("m.cross_signing.master", key, sealed),
        ("m.megolm_backup.v1", RecoveryKey.new(), sealed),
        ("m.megolm_backup.v1", key, {**sealed, "ciphertext": to_base64(bytes(flipped))}),
        ("m.megolm_backup.v1", key, {**sealed, "iv": ""}),
        ("m.megolm_backup.v1", key, {}),
        ("m.megolm_backup.v1", key, {**sealed, "mac": 7}),
    ]:
        with pytest.raises(ValueError, match=r"secret"):
            opener.open(name, value)

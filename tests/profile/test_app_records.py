"""A program's own records in a profile: in order, sealed, and all or nothing."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import pytest
from pydantic import with_config

from stylecrypt_msg.errors import ProfileError
from stylecrypt_msg.profile import STORED, Profile


@with_config(STORED)
@dataclass(frozen=True)
class Letter:
    to: str
    text: bytes


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    Profile.create(tmp_path / "p", name="Ann", passphrase=None, now=int(time.time())).close()
    return tmp_path / "p"


def test_records_come_back_in_order_in_the_next_run(folder: Path) -> None:
    with Profile.open(folder) as profile:
        letters = profile.records("post office letter", Letter)
        assert letters.first() is None
        for number in range(3):
            letters.put(
                b"%d" % number, Letter(f"bob {number}", bytes([number, 255])), owner=b"odd" if number % 2 else b"even"
            )
        letters.put(b"0", Letter("bob 0", b"changed"), owner=b"even")
    with Profile.open(folder) as profile:
        letters = profile.records("post office letter", Letter)
        assert [letter.to for letter in letters.all()] == ["bob 0", "bob 1", "bob 2"]
        assert letters.first() == Letter("bob 0", b"changed") == letters.get(b"0")
        assert letters.first(b"odd") == Letter("bob 1", b"\x01\xff")
        assert [letter.to for letter in letters.all(b"even")] == ["bob 0", "bob 2"]
        letters.delete(b"0")
        assert (letters.get(b"0"), len(letters)) == (None, 2)
        assert len(profile.records("something else", Letter)) == 0


def test_a_transaction_is_all_or_nothing(folder: Path) -> None:
    with Profile.open(folder) as profile:
        letters = profile.records("letter", Letter)
        with pytest.raises(ZeroDivisionError), profile.transaction():
            letters.put(b"1", Letter("bob", b""))
            profile.set_setting("where", "here")
            profile.finish(bytes(32))
            raise ZeroDivisionError
        assert (len(letters), profile.setting("where"), profile.finished(bytes(32))) == (0, None, False)


def test_records_rest_sealed(folder: Path) -> None:
    with Profile.open(folder) as profile:
        profile.records("letter", Letter).put(b"a name", Letter("roberta", b"meet me"), owner=b"an owner")
    stored = b"".join(file.read_bytes() for file in folder.iterdir())
    assert b"letter" in stored
    for secret in (b"roberta", b"meet me", b"a name", b"an owner", b"bWVldCBtZQ"):
        assert secret not in stored


def test_a_record_of_another_type_is_refused(folder: Path) -> None:
    with Profile.open(folder) as profile:
        profile.records("letter", str).put(b"1", "text")
        with pytest.raises(ProfileError, match="damaged: a letter is not one"):
            profile.records("letter", Letter).get(b"1")

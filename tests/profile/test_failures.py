"""Damaged, newer or read-only files, and full disks: one sentence each, and nothing is lost."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import stylecrypt_protocol as sp

from stylecrypt_msg.errors import ProfileError, StyleCryptError
from stylecrypt_msg.profile import Profile, database

from .conftest import NOW, card, pixels, shared

posix = pytest.mark.skipif(os.name != "posix", reason="needs POSIX")


def one_sentence(error: StyleCryptError) -> bool:
    text = str(error)
    return text[:1].isupper() and text.endswith(".") and "\n" not in text and bool(error.hint or error.remedy)


# Damage.


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A profile's folder with something of everything in it."""
    folder = tmp_path_factory.mktemp("full") / "p"
    with Profile.create(folder, name="Ann", passphrase=None, now=NOW) as profile:
        for n in range(20):
            keys = sp.Identity.generate()
            profile.add_contact(card(f"Friend {n}", f"@f{n}:x", keys=keys))
            profile.keep_key_face(shared(keys, profile, b"%d" % n * 1000))
            profile.add_key_face(f"face {n}", b"%d" % n * 1000, pixels())
            profile.seen(b"%d" % n).check_and_remember(keys.id, sp.MessageId(bytes([n]) * 16), NOW, rank=3)
            profile.finish(b"%d" % n)
    assert [path.name for path in folder.iterdir()] == ["profile.db"]
    return folder


READS: list[Callable[[Profile], object]] = [
    lambda profile: {contact.card.to_bytes() for contact in profile.contacts()},
    lambda profile: {face.picture for face in profile.all_their_key_faces()},
    lambda profile: {face.picture for face in profile.key_faces()},
    lambda profile: {n for n in range(20) if profile.finished(b"%d" % n)},
]


@pytest.mark.parametrize("seed", range(3))
def test_a_damaged_file_is_told_and_never_believed(full: Path, tmp_path: Path, seed: int) -> None:
    """Any changed bytes end in an error, or else everything still readable is what was written."""
    whole = (full / "profile.db").read_bytes()
    with Profile.open(full) as profile:
        right = [read(profile) for read in READS]
    rng = random.Random(seed)
    folder = tmp_path / "p"
    folder.mkdir(mode=0o700)
    told = 0
    for _ in range(40):
        damaged = bytearray(whole)
        for at in rng.sample(range(len(whole)), rng.choice([1, 50])):
            damaged[at] ^= rng.randrange(1, 256)
        (folder / "profile.db").write_bytes(damaged)
        try:
            with Profile.open(folder) as profile:
                for read, expected in zip(READS, right, strict=True):
                    try:
                        assert read(profile) <= expected  # type: ignore[operator]
                    except StyleCryptError as error:
                        assert one_sentence(error)
                        told += 1
                try:
                    profile.set_setting("a", "b")
                    profile.finish(b"new")
                except StyleCryptError as error:
                    assert one_sentence(error)
        except StyleCryptError as error:
            assert one_sentence(error)
            told += 1
    assert told > 10


def test_a_file_that_is_cut_off_is_told(full: Path, tmp_path: Path) -> None:
    whole = (full / "profile.db").read_bytes()
    folder = tmp_path / "p"
    folder.mkdir(mode=0o700)
    for length in (512, 4096, 8192, len(whole) // 2, len(whole) - 4096):
        (folder / "profile.db").write_bytes(whole[:length])
        with pytest.raises(ProfileError) as told, Profile.open(folder) as profile:
            for read in READS:
                read(profile)
        assert one_sentence(told.value) and "damaged" in str(told.value)


@pytest.mark.parametrize("content", [b"not a database\n" * 1000, b"SQLite format 3\0" + bytes(4080)])
def test_what_is_no_database_is_told_and_left(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "profile.db").write_bytes(content)
    tmp_path.chmod(0o700)
    for attempt in (lambda: Profile.open(tmp_path), lambda: Profile.create(tmp_path, name="A", passphrase=None, now=0)):
        with pytest.raises(ProfileError, match="is damaged") as told:
            attempt()
        assert one_sentence(told.value)
    assert (tmp_path / "profile.db").read_bytes() == content


def test_rows_cannot_be_put_in_each_others_places(profile: Profile) -> None:
    """Write access to the disk does not suffice to unblock a contact with another's row, or to give away a key face."""
    for name in ("Bob", "Eve"):
        keys = sp.Identity.generate()
        profile.add_contact(card(name, keys=keys))
        profile.keep_key_face(shared(keys, profile, name.encode()))
    eve = profile.contact("Eve")
    with sqlite3.connect(profile.folder / "profile.db") as rows:
        rows.execute(
            "UPDATE records SET value = (SELECT value FROM records WHERE kind = 'contact' ORDER BY id LIMIT 1) "
            "WHERE kind = 'contact'"
        )
        rows.execute(
            "UPDATE records SET owner = (SELECT owner FROM records WHERE kind LIKE 'key face%' ORDER BY id DESC LIMIT 1) "
            "WHERE kind LIKE 'key face%'"
        )
    rows.close()
    with pytest.raises(ProfileError, match="a contact cannot be read"):
        profile.contacts()
    with pytest.raises(ProfileError, match="a key face of a contact cannot be read"):
        profile.key_faces_of(eve)


@pytest.mark.parametrize("value", ["7", "'text'", "1e300", "x'00'"])
def test_values_of_other_kinds_are_told(profile: Profile, value: str) -> None:
    """SQLite keeps anything in any column."""
    profile.add_contact(card())
    with sqlite3.connect(profile.folder / "profile.db") as rows:
        rows.execute(f"UPDATE records SET value = {value} WHERE kind = 'contact'")  # noqa: S608
    rows.close()
    with pytest.raises(ProfileError, match="is damaged") as told:
        profile.contacts()
    assert one_sentence(told.value)
    with sqlite3.connect(profile.folder / "profile.db") as rows:
        rows.execute(f"UPDATE key SET value = {value}")  # noqa: S608
    rows.close()
    with pytest.raises(ProfileError, match="is damaged") as told:
        Profile.open(profile.folder, lambda: "a passphrase")
    assert one_sentence(told.value)


def test_a_making_that_was_cut_off_is_no_profile_and_can_be_done_again(tmp_path: Path) -> None:
    (tmp_path / "profile.db").touch()
    with pytest.raises(ProfileError, match="no profile"):
        Profile.open(tmp_path)
    database.Database.create(tmp_path).close()  # the tables, and no key
    with pytest.raises(ProfileError, match="no profile"):
        Profile.open(tmp_path)
    Profile.create(tmp_path, name="Ann", passphrase=None, now=NOW).close()
    Profile.open(tmp_path).close()


# Versions.


def test_a_profile_of_a_later_version_is_left_alone(profile: Profile, monkeypatch: pytest.MonkeyPatch) -> None:
    profile.add_contact(card())
    steps = database._MIGRATIONS
    with monkeypatch.context() as later:
        later.setattr(database, "_MIGRATIONS", (*steps, ("ALTER TABLE records ADD COLUMN more BLOB",)))
        with Profile.open(profile.folder) as updated:  # the older one is brought up, with what is in it
            assert updated.contact("Bob").name == "Bob"
            assert updated._store.database.read("SELECT more FROM records LIMIT 1") == [(None,)]
    with pytest.raises(ProfileError, match="written by a later version") as told:
        Profile.open(profile.folder)
    assert one_sentence(told.value)
    with pytest.raises(ProfileError, match="written by a later version"):  # by one that was open all the time
        profile.trust("Bob")


def test_a_migration_happens_whole_or_not_at_all(profile: Profile, monkeypatch: pytest.MonkeyPatch) -> None:
    profile.add_contact(card())
    broken = ("CREATE TABLE another (id INTEGER)", "DROP TABLE records", "SELECT * FROM nowhere")
    with monkeypatch.context() as later:
        later.setattr(database, "_MIGRATIONS", (*database._MIGRATIONS, broken))
        with pytest.raises(ProfileError):
            Profile.open(profile.folder)
    with Profile.open(profile.folder) as again:
        assert again.contact("Bob").name == "Bob"
        assert again._store.database.read("SELECT name FROM sqlite_master WHERE name = 'another'") == []


# Disks.


@contextmanager
def ordinary_user(folder: Path) -> Iterator[None]:
    """To root nothing is read-only."""
    if os.geteuid() != 0:
        yield
        return
    for path in (folder, *folder.iterdir()):
        os.chown(path, 65534, 65534)
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@posix
def test_a_read_only_folder_is_told(full: Path) -> None:
    folder = Path(tempfile.mkdtemp())  # not pytest's, through which others may not pass
    try:
        shutil.copy(full / "profile.db", folder)
        (folder / "profile.db").chmod(0o600)
        folder.chmod(0o500)
        with ordinary_user(folder):
            with pytest.raises(ProfileError, match="cannot be opened for writing") as told:
                Profile.open(folder)
            assert one_sentence(told.value)
            with pytest.raises(ProfileError, match=r"cannot be made .*: permission denied") as told:
                Profile.create(folder / "new", name="Ann", passphrase=None, now=NOW)
            assert one_sentence(told.value)
        folder.chmod(0o700)
        (folder / "profile.db").chmod(0o400)
        with ordinary_user(folder), Profile.open(folder) as profile:
            assert len(profile.contacts()) == 20
            with pytest.raises(ProfileError, match="cannot be opened for writing"):
                profile.trust("Friend 1")
        folder.chmod(0o000)
        with ordinary_user(folder), pytest.raises(ProfileError, match="cannot be opened: permission denied"):
            Profile.open(folder)
    finally:
        folder.chmod(0o700)
        shutil.rmtree(folder)


@posix
def test_a_folder_that_is_none_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ProfileError, match="cannot be made"):
        Profile.create(tmp_path / "file", name="Ann", passphrase=None, now=NOW)
    with pytest.raises(ProfileError, match="no profile"):
        Profile.open(tmp_path / "file")


def test_a_full_database_loses_nothing(profile: Profile) -> None:
    pages = profile._store.database.read("PRAGMA page_count")[0][0]
    profile._store.database.read(f"PRAGMA max_page_count = {pages + 20}")
    kept = []
    with pytest.raises(ProfileError, match=r"^The disk is full: nothing was changed\.$"):
        for n in range(100):
            profile.add_key_face(f"{n}", bytes([n]) * 10_000, pixels())
            kept.append(f"{n}")
    assert 0 < len(kept) < 100
    assert [face.name for face in profile.key_faces()] == kept[::-1]
    profile._store.database.read("PRAGMA max_page_count = 1000000")
    profile.add_key_face("there is room again", bytes(10_000), pixels())
    with Profile.open(profile.folder) as again:
        assert [face.name for face in again.key_faces()][1:] == kept[::-1]


FILLING = """
import resource, sys
import stylecrypt_protocol as sp
from stylecrypt_msg.errors import ProfileError
from stylecrypt_msg.profile import Profile

pixels = sp.Pixels(width=1, height=1, rgb=bytes(3))
with Profile.open(sys.argv[1]) as profile:
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
    for n in range(200):
        try:
            profile.add_key_face(str(n), b"x" * 10_000, pixels)
        except ProfileError as error:
            print("refused", error, sep="\\n", flush=True)
            break
        print(n, flush=True)
    print([int(face.name) for face in profile.key_faces()] == list(range(n))[::-1])
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    profile.add_key_face("there is room again", b"", pixels)
"""


@posix
@pytest.mark.parametrize("limit", [100_000, 150_001, 1_000_000])
def test_a_write_that_the_disk_refuses_loses_nothing(profile: Profile, limit: int) -> None:
    """The system cuts writes off half way when a file would grow over the limit, as a quota does."""
    profile.add_contact(card())
    profile.close()
    done = subprocess.run(
        [sys.executable, "-c", FILLING, profile.folder, str(limit)], capture_output=True, text=True, check=True
    )
    *written, refused, said, consistent = done.stdout.splitlines()
    assert (refused, consistent) == ("refused", "True")
    assert said.startswith(("The disk refuses to read or write the profile in", "The disk is full"))
    assert said.endswith("nothing was changed.")
    with Profile.open(profile.folder) as again:
        assert [face.name for face in again.key_faces()] == ["there is room again", *written[::-1]]
        assert again.contact("Bob").name == "Bob"


MAKING = """
import resource, sys
from stylecrypt_msg.errors import ProfileError
from stylecrypt_msg.profile import Profile

def make():
    Profile.create(sys.argv[1], name="Ann", passphrase=None, now=1).close()

def limit(size):
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

for size in (0, 4096, 20_000, 40_000):
    limit(size)
    for attempt in (make, lambda: Profile.open(sys.argv[1])):
        try:
            attempt()
        except ProfileError as error:
            print(error)
        limit(resource.RLIM_INFINITY)
make()
Profile.open(sys.argv[1]).close()
"""


@posix
def test_a_making_that_the_disk_refuses_can_be_done_again(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", MAKING, tmp_path / "p"], capture_output=True, text=True, check=True)
    said = done.stdout.splitlines()
    assert len(said) == 8
    assert all(text.startswith("The disk ") for text in said[::2])
    assert all(text.startswith("There is no profile in ") for text in said[1::2])

"""Making, opening and closing a profile, and what its files tell."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import stylecrypt_protocol as sp

from stylecrypt_msg.errors import InputError, NotAuthorisedError, ProfileError, Remedy
from stylecrypt_msg.profile import Profile, default_folder, store

from .conftest import NOW, card, pixels, revocation, shared

posix = pytest.mark.skipif(os.name != "posix", reason="modes of files are POSIX's")


def contents(folder: Path) -> bytes:
    """Of all files."""
    return b"".join(path.read_bytes() for path in sorted(folder.iterdir()))


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


# Making and opening.


def test_a_profile_has_keys_and_a_card(tmp_path: Path) -> None:
    with Profile.create(tmp_path / "deep" / "down", name="Ann Bé", passphrase=None, now=NOW) as made:
        card = made.card
        assert (card.display_name, card.created, card.id) == ("Ann Bé", NOW, made.identity.id)
        assert card.user_id == f"ann-b-{card.id.hex()[:8]}"
        assert made.folder == tmp_path / "deep" / "down"
    with Profile.open(tmp_path / "deep" / "down") as opened:
        assert opened.card == card and not opened.locked
        assert opened.identity.to_secret() == made.identity.to_secret()
        assert opened.me.card == card and opened.me.trusted


@pytest.mark.parametrize(("name", "start"), [("", "user-"), ("李雷", "user-"), ("x" * 128, "x" * 64 + "-")])
def test_any_name_makes_a_user_id(tmp_path: Path, name: str, start: str) -> None:
    with Profile.create(tmp_path / "p", name=name, passphrase=None, now=NOW) as made:
        assert made.card.user_id.startswith(start)


def test_a_user_id_may_be_given(tmp_path: Path) -> None:
    with Profile.create(tmp_path / "p", name="Ann", user_id="@ann:x", passphrase=None, now=NOW) as made:
        assert made.card.user_id == "@ann:x"


@pytest.mark.parametrize(("name", "user_id"), [("a\nb", None), ("x" * 129, None), ("Ann", "@ann x"), ("\udcff", None)])
def test_what_cannot_stand_on_a_card_makes_no_profile(tmp_path: Path, name: str, user_id: str | None) -> None:
    with pytest.raises(InputError, match="A card cannot hold the name"):
        Profile.create(tmp_path / "p", name=name, user_id=user_id, passphrase=None, now=NOW)
    assert not (tmp_path / "p").exists()


def test_there_is_one_profile_in_a_folder(profile: Profile) -> None:
    with pytest.raises(ProfileError, match=r"profile in .* already"):
        Profile.create(profile.folder, name="Eve", passphrase=None, now=NOW)
    with Profile.open(profile.folder) as again:
        assert again.card == profile.card


def test_no_profile_is_said_with_the_way_to_one(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "none"):
        with pytest.raises(ProfileError, match=r"^There is no profile in .*\.$") as missing:
            Profile.open(folder)
        assert missing.value.remedy is Remedy.MAKE_PROFILE
    assert list(tmp_path.iterdir()) == []


def test_a_closed_profile_is_used_no_more(profile: Profile) -> None:
    profile.close()
    profile.close()
    with pytest.raises(Exception, match="closed database"):  # a bug of the caller's, not of the file
        profile.contacts()


def test_the_default_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("STYLECRYPT_PROFILE", "/else/where")
    monkeypatch.setenv("XDG_DATA_HOME", "/data")
    assert default_folder() == Path("/else/where")
    monkeypatch.setenv("STYLECRYPT_PROFILE", "")
    assert default_folder() == Path("/data/stylecrypt/profile")
    monkeypatch.setenv("XDG_DATA_HOME", "relative")  # the specification: to be ignored
    assert default_folder() == tmp_path / ".local/share/stylecrypt/profile"
    monkeypatch.delenv("XDG_DATA_HOME")
    assert default_folder() == tmp_path / ".local/share/stylecrypt/profile"


# Passphrases.


def test_a_passphrase_is_asked_for_and_needed(tmp_path: Path) -> None:
    Profile.create(tmp_path / "p", name="Ann", passphrase="corréct", now=NOW).close()
    with Profile.open(tmp_path / "p", lambda: "corre\u0301ct") as opened:  # the other way of typing the accent
        assert opened.locked and opened.card.display_name == "Ann"
    for wrong in ("correct", "", "\udcff"):
        with pytest.raises(NotAuthorisedError, match=r"^The passphrase is wrong\.$"):
            Profile.open(tmp_path / "p", lambda wrong=wrong: wrong)  # type: ignore[misc]
    with pytest.raises(NotAuthorisedError, match="no passphrase was given"):
        Profile.open(tmp_path / "p")


def test_no_passphrase_is_asked_for_where_there_is_none(profile: Profile) -> None:
    def never() -> str:
        raise AssertionError("asked")

    Profile.open(profile.folder, never).close()


def test_an_empty_passphrase_is_none(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="empty"):
        Profile.create(tmp_path / "p", name="Ann", passphrase="", now=NOW)
    assert not (tmp_path / "p").exists()
    made = Profile.create(tmp_path / "p", name="Ann", passphrase="old", now=NOW)
    with made, pytest.raises(InputError, match="empty"):
        made.change_passphrase("")
    Profile.open(tmp_path / "p", lambda: "old").close()


def test_a_passphrase_is_set_changed_and_removed(profile: Profile) -> None:
    profile.add_contact(card())
    profile.change_passphrase("first")
    profile.change_passphrase("second")
    assert profile.locked
    with pytest.raises(NotAuthorisedError):
        Profile.open(profile.folder, lambda: "first")
    with Profile.open(profile.folder, lambda: "second") as opened:
        assert opened.contact("Bob") and opened.locked
        opened.change_passphrase(None)
    with Profile.open(profile.folder) as opened:
        assert opened.contact("Bob") and not opened.locked


def test_a_passphrase_costs_a_quarter_of_a_gigabyte(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that cost less is upgraded when it is next typed."""
    folder = tmp_path / "p"
    Profile.create(folder, name="Ann", passphrase="x", now=NOW).close()
    monkeypatch.undo()
    Profile.open(folder, lambda: "x").close()
    cost = (3).to_bytes(4, "big") + (256 * 1024).to_bytes(4, "big")  # SPEC.md section 10: passes, KiB
    assert b"SCK\1" + cost in contents(folder)
    before = contents(folder)
    Profile.open(folder, lambda: "x").close()
    assert contents(folder) == before


def test_bringing_it_up_does_not_undo_another_process_s_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "p"
    Profile.create(folder, name="Ann", passphrase="old", now=NOW).close()
    other = Profile.open(folder, lambda: "old")
    monkeypatch.setattr(store, "_COST", sp.Cost(operations=2, memory=8192))

    def asked() -> str:
        other.change_passphrase("new")
        other.close()
        return "old"

    Profile.open(folder, asked).close()
    with pytest.raises(NotAuthorisedError):
        Profile.open(folder, lambda: "old")
    Profile.open(folder, lambda: "new").close()


# What the files tell.


@pytest.mark.parametrize("passphrase", [None, "secret"])
def test_the_files_do_not_tell_whom_one_knows(tmp_path: Path, passphrase: str | None) -> None:
    """Nor anything else: only the storage key is in them when there is no passphrase."""
    bob, new, eve = sp.Identity.generate(), card(), sp.Identity.generate()
    with Profile.create(tmp_path / "p", name="Ann Onymous", passphrase=passphrase, now=NOW) as profile:
        profile.add_contact(card(keys=bob), trust=True)
        profile.trust("Bob", conversation="!room:example.org")
        with pytest.raises(NotAuthorisedError):
            profile.add_contact(new)
        profile.revoke(revocation(eve))
        profile.add_key_face("holiday in Rome", b"a picture of mine", pixels(9))
        profile.mark_shared("holiday in Rome", [bob.id])
        face = sp.KeyFace.new(pixels(5))
        profile.keep_key_face(shared(bob, profile, b"a picture of Bob's", face))
        profile.choose_stand_in("!room:example.org", "a chosen seed")
        profile.seen(b"a reference").check_and_remember(bob.id, sp.MessageId(b"a message's id.."), NOW, rank=3)
        profile.finish(b"another reference")
        profile.set_setting("folder", "/home/ann/sync")
        mine = profile.identity.to_secret().reveal()
        secrets = [
            b"Bob",
            b"@bob:example.org",
            bob.id,
            bob.signing_key,
            bob.sealing_key,
            bob.id.hex().encode(),
            new.id,
            new.signing_key,
            eve.signing_key,
            b"stylecard1",
            b"!room:",
            b"holiday",
            b"a picture",
            b"a chosen seed",
            face.digest,
            face.secret.reveal(),
            pixels(9).digest,
            b"reference",
            b"a message's id",
            b"/home/ann",
            b"Onymous",
            b"ann-onymous",
            profile.card.id,
            mine[:32],
            mine[32:],
        ]
        texts = [secret.hex().encode() for secret in secrets] + secrets
        assert [text for text in texts if text in contents(tmp_path / "p")] == []
    assert [text for text in texts if text in contents(tmp_path / "p")] == []


def test_setting_a_passphrase_leaves_no_key_behind(profile: Profile) -> None:
    key = profile._store._key.secret.reveal()
    assert key in contents(profile.folder)
    profile.change_passphrase("secret")
    assert key not in contents(profile.folder)
    profile.close()
    assert key not in contents(profile.folder)


def test_stand_ins_are_of_this_profile_and_conversation_alone(profile: Profile, tmp_path: Path) -> None:
    room = profile.conversation("room")
    assert not room.chosen and len(bytes.fromhex(room.stand_in)) == 8
    with Profile.open(profile.folder) as again:
        assert again.conversation("room") == room
    with Profile.create(tmp_path / "eve", name="Ann", passphrase=None, now=NOW) as other:
        seeds = {other.conversation("room").stand_in, profile.conversation("hall").stand_in, room.stand_in}
    assert len(seeds) == 3


def test_a_stand_in_is_chosen_and_given_up(profile: Profile) -> None:
    derived = profile.conversation("room")
    profile.choose_stand_in("room", "grandmother")
    with Profile.open(profile.folder) as again:
        assert (again.conversation("room").stand_in, again.conversation("room").chosen) == ("grandmother", True)
    profile.choose_stand_in("room", None)
    assert profile.conversation("room") == derived


def test_settings(profile: Profile) -> None:
    assert profile.setting("folder") is None
    profile.set_setting("folder", "/a")
    profile.set_setting("folder", "/ü")
    with Profile.open(profile.folder) as again:
        assert again.setting("folder") == "/ü"


def test_what_is_too_large_is_refused(profile: Profile) -> None:
    with pytest.raises(InputError, match="too large to be kept"):
        profile.set_setting("folder", "x" * 2**26)
    assert profile.setting("folder") is None


def test_what_is_no_text_is_refused(profile: Profile) -> None:
    """A name on a command line that is not UTF-8."""
    profile.add_contact(card())
    for attempt in (
        lambda: profile.set_setting("folder", "/\udcff"),
        lambda: profile.choose_stand_in("room", "\udcff"),
        lambda: profile.conversation("\udcff"),
        lambda: profile.trust("Bob", conversation="\udcff"),
        lambda: profile.contact("\udcff"),
        lambda: profile.key_face("\udcff"),
    ):
        with pytest.raises(InputError):
            attempt()
    assert profile.contact("Bob").conversations == ()


def test_nothing_secret_is_shown_when_printed(profile: Profile) -> None:
    profile.add_key_face("me", b"a picture", pixels())
    face = profile.key_face("me")
    shown = f"{profile!r} {face!r} {profile.key_faces()}"
    assert "a picture" not in shown and str(face.key_face.secret.reveal()) not in shown


# Whose the files are.


@posix
@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_files_are_the_user_s_alone_whatever_the_umask(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        with Profile.create(tmp_path / "p", name="Ann", passphrase=None, now=NOW) as made:
            made.set_setting("a", "b")
            modes = {path.name: mode(path) for path in (tmp_path / "p").iterdir()}
    finally:
        os.umask(before)
    assert modes == dict.fromkeys(["profile.db", "profile.db-wal", "profile.db-shm"], 0o600)
    assert mode(tmp_path / "p") == 0o700


@posix
def test_an_empty_folder_is_closed_to_others(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    Profile.create(tmp_path, name="Ann", passphrase=None, now=NOW).close()
    assert mode(tmp_path) == 0o700


@posix
def test_an_open_folder_of_other_things_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "index.html").touch()
    tmp_path.chmod(0o755)
    with pytest.raises(ProfileError, match=r"Others may read .* more than a profile") as refused:
        Profile.create(tmp_path, name="Ann", passphrase=None, now=NOW)
    assert (refused.value.remedy, refused.value.facts) == (Remedy.CLOSE_FOLDER, {"folder": str(tmp_path)})
    assert mode(tmp_path) == 0o755 and len(list(tmp_path.iterdir())) == 1


@posix
def test_a_profile_that_was_copied_open_is_closed_again(profile: Profile) -> None:
    profile.set_setting("a", "b")
    profile.folder.chmod(0o755)
    for path in profile.folder.iterdir():
        path.chmod(0o644)
    with Profile.open(profile.folder) as again:
        assert again.setting("a") == "b"
        assert mode(profile.folder) == 0o700
        assert {mode(path) for path in profile.folder.iterdir()} == {0o600}


def test_it_takes_neither_torch_nor_opencv() -> None:
    code = "import sys, stylecrypt_msg.profile; print({'torch', 'cv2', 'PIL', 'scipy'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"

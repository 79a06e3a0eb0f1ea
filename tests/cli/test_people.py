"""Two people from their first command to a photo that only the other sees."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ..conftest import People
from ..support.command_line import Ended, Run, read, refused
from ..support.other_age import EVERY_AGE
from ..support.synapse import Homeserver

As = Callable[..., Ended]


@pytest.fixture
def as_(run: Run) -> As:
    """Runs a command with somebody's profile."""

    def command(who: str, *arguments: object, **options: Any) -> Ended:
        return run("--profile", who, *arguments, **options)

    return command


@pytest.fixture
def met(as_: As) -> As:
    """Alice and Bob have keys and each other's cards; Alice lets Bob see her photos."""
    for name in ("Alice", "Bob"):
        assert as_(name, "init", "--name", name, "--no-passphrase").code == 0
        assert as_(name, "card", "export", "-o", f"{name}.card").code == 0
    assert as_("Alice", "contact", "add", "Bob.card", "--trust").code == 0
    assert as_("Bob", "contact", "add", "Alice.card").code == 0
    return as_


def test_the_first_session(met: As, photo: Path) -> None:
    as_ = met
    Path("box").mkdir()
    sent = as_("Alice", "send", photo, "--to", "bob", "--folder", "box", "--caption", "Hello", "--json").json
    assert (sent["to"], sent["level"], sent["envelope"], sent["faces_replaced"]) == (["Bob"], "original", "inside", 1)
    assert sent["likeness"][0]["recogniser"] == "SFace"
    (got,) = as_("Bob", "receive", "--folder", "box", "-o", "got", "--json").json
    assert (got["sender"], got["level"], got["caption"], got["signed"], got["verified"]) == (
        "Alice",
        "original",
        "Hello",
        True,
        False,
    )
    assert got["file_name"] == "photo.png"
    restored, original = read(got["output"]), read(photo)
    cover = read(next(Path("box").iterdir()))
    assert np.abs(restored.astype(int) - original).mean() < 0.5 < np.abs(cover.astype(int) - original).mean()
    # Only once; the folder is remembered; your own messages are not received.
    assert as_("Bob", "receive").err == "Nothing new.\n"
    assert as_("Alice", "receive").err == "Nothing new.\n"


def test_a_contact_gets_another_name(met: As, photo: Path) -> None:
    as_ = met
    assert b"Bob from work (bob-" in as_("Alice", "contact", "rename", "Bob", "Bob from work").out
    assert as_("Alice", "contact", "list", "--json").json[0]["name"] == "Bob from work"
    sent = as_("Alice", "encrypt", photo, "-o", "fake.jpg", "--to", "bob from work", "--json").json
    assert sent["to"] == ["Bob from work"]
    assert b"from work" not in Path("fake.jpg").read_bytes()
    refused(as_("Alice", "contact", "rename", "Bob", "Robert"), "no contact 'Bob'")
    assert as_("Alice", "contact", "rename", "Bob from work", "").out.startswith(b"Bob (bob-")


def test_encrypt_decrypt_inspect(met: As, photo: Path) -> None:
    as_ = met
    assert as_("Alice", "encrypt", photo, "-o", "fake.jpg", "--to", "Bob").code == 0
    got = as_("Bob", "decrypt", "fake.jpg", "-o", "back.png", "--json").json
    assert (got["level"], got["sender"], got["verified"], got["warnings"]) == ("original", "Alice", False, [])
    refused(as_("Mallory", "decrypt", "fake.jpg", "-o", "out.png"), "There is no profile in Mallory")
    assert as_("Mallory", "init", "--name", "Mallory", "--no-passphrase").code == 0
    refused(as_("Mallory", "decrypt", "fake.jpg", "-o", "out.png"), "sealed to somebody else", 4)
    assert not Path("out.png").exists()

    shown = as_("nobody", "inspect", "fake.jpg", "--json", "--sealed", "sealed.age").json["message"]
    assert (shown["v"], shown["level"], shown["replaced"], shown["carried"]) == (
        1,
        "original",
        [3, 4, 5, 6, 7],
        "inside",
    )
    assert shown["cover_unchanged"]
    assert "Alice" not in json.dumps(shown)
    assert Path("sealed.age").read_bytes().startswith(b"age-encryption.org/v1\n")
    assert b"no message" in as_("nobody", "inspect", photo).out

    ended = as_("Bob", "key", "export", "--age", "-o", "bob.age")
    assert "reads your messages" in ended.err
    assert oct(Path("bob.age").stat().st_mode)[-3:] == "600" or os.name != "posix"
    refused(as_("Bob", "key", "export", "--age", "-o", "bob.age"), "already exists")
    for age in EVERY_AGE:
        assert b"photo.png" in age.decrypt(Path("sealed.age").read_bytes(), Path("bob.age").read_text())


@pytest.mark.parametrize(
    ("options", "level"),
    [(("--exact",), "original"), (("--level", "latent"), "latent"), (("--portrait", "--force"), "original")],
)
def test_levels(options: tuple[str, ...], level: str, met: As, photo: Path) -> None:
    sent = met("Alice", "encrypt", photo, "-o", "fake.webp", "--to", "Bob", *options, "--json").json
    got = met("Bob", "decrypt", "fake.webp", "-o", "back.png", "--json").json
    assert (sent["level"], got["level"], got["exact"]) == (level, level, "--exact" in options)
    if "--exact" in options:
        assert Path("back.png").read_bytes() == photo.read_bytes()


def test_through_pipes(met: As, photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sent = met("Alice", "encrypt", "-", "-o", "-", "--to", "Bob", stdin=photo.read_bytes())
    assert sent.code == 0
    got = met("Bob", "decrypt", "-", "-o", "-", stdin=sent.out)
    assert got.code == 0
    assert Image.open(io.BytesIO(got.out)).size == read(photo).shape[1::-1]


def test_words(met: As) -> None:
    as_ = met
    words = as_("Alice", "contact", "show", "Bob", "--json").json["words"]
    assert words == as_("Bob", "contact", "show", "Alice", "--json").json["words"]
    refused(as_("Alice", "contact", "verify", "Bob"), "no terminal")
    refused(as_("Alice", "contact", "verify", "Bob", "--words", "one two three"), "words do not match", 4)
    assert not as_("Alice", "contact", "list", "--json").json[0]["verified"]
    assert as_("Alice", "contact", "verify", "Bob", "--words", " ".join(words).upper()).code == 0
    assert as_("Alice", "contact", "list", "--json").json[0]["verified"]


def test_cards_travel_as_files_text_and_pictures(as_: As) -> None:
    assert as_("Bob", "init", "--name", "Bob Ümläut", "--user-id", "@bob:example.org", "--no-passphrase").code == 0
    text = as_("Bob", "card", "export", "-o", "-").out.decode().strip()
    for output in ("bob.card", "bob.txt"):
        assert as_("Bob", "card", "export", "-o", output).code == 0
    for output in ("bob.png", "bob.svg"):
        assert as_("Bob", "card", "qr", "-o", output).code == 0
    assert len(as_("Bob", "card", "qr").out) > 1000
    refused(as_("Bob", "card", "qr", "-o", "bob.gif"), "PNG or SVG")
    for i, source in enumerate(["bob.card", "bob.txt", "bob.png", text, text.upper()]):
        who = f"reader{i}"
        assert as_(who, "init", "--name", who, "--no-passphrase").code == 0
        added = as_(who, "contact", "add", source, "--json").json
        assert (added["name"], added["user_id"], added["change"], added["trusted"]) == (
            "Bob Ümläut",
            "@bob:example.org",
            "new",
            False,
        )
    assert as_("reader0", "contact", "add", "-", "--json", stdin=text.encode()).json["change"] == "same"


def test_cards_that_cannot_be_used(met: As, photo: Path) -> None:
    as_ = met
    card = Path("Bob.card").read_bytes()
    Path("broken.card").write_bytes(card[:-1] + bytes([card[-1] ^ 1]))
    Path("rubbish").write_bytes(b"rubbish")
    refused(as_("Alice", "contact", "add", "broken.card"), "damaged")
    refused(as_("Alice", "contact", "add", "rubbish"), "neither a card nor a picture of one")
    refused(as_("Alice", "contact", "add", photo), "No QR code was found")
    refused(as_("Alice", "contact", "add", "missing.card"), "There is no file")
    refused(as_("Alice", "contact", "add", "Alice.card"), "your own")
    refused(as_("Alice", "contact", "show", "Carol"), "no contact 'Carol'")


def test_a_changed_key_stops_everything_until_it_is_verified(met: As, photo: Path) -> None:
    as_ = met
    user_id = as_("Bob", "card", "show", "--json").json["user_id"]
    assert as_("Bob2", "init", "--name", "Bob", "--user-id", user_id, "--no-passphrase").code == 0
    assert as_("Bob2", "card", "export", "-o", "new.card").code == 0
    refused(as_("Alice", "contact", "add", "new.card"), "keys of Bob have changed", 4)
    refused(as_("Alice", "encrypt", photo, "-o", "out.png", "--to", "Bob"), "keys of Bob have changed", 4)
    assert not Path("out.png").exists()
    assert as_("Alice", "contact", "verify", "Bob", "--discard").code == 0
    assert as_("Alice", "encrypt", photo, "-o", "old.png", "--to", "Bob").code == 0
    refused(as_("Alice", "contact", "add", "new.card"), "keys of Bob have changed", 4)
    words = as_("Alice", "contact", "show", "Bob", "--json").json["words"]
    assert as_("Alice", "contact", "verify", "Bob", "--words", " ".join(words)).code == 0
    assert as_("Alice", "encrypt", photo, "-o", "new.png", "--to", "Bob").code == 0
    assert as_("Bob2", "contact", "add", "Alice.card").code == 0
    assert as_("Bob2", "decrypt", "new.png", "-o", "back.png").code == 0
    refused(as_("Bob", "decrypt", "new.png", "-o", "back2.png"), "sealed to somebody else", 4)


def test_who_may_see_photos(met: As, photo: Path) -> None:
    as_ = met
    encrypt = ("encrypt", photo, "-o", "out.png", "--to")
    refused(as_("Bob", *encrypt, "Alice"), "Alice is not authorised", 4)
    assert as_("Bob", "contact", "trust", "Alice", "--in", "family").code == 0
    refused(as_("Bob", *encrypt, "Alice"), "Alice is not authorised", 4)
    assert as_("Bob", *encrypt, "Alice", "--conversation", "family").code == 0
    assert as_("Bob", "contact", "trust", "Alice", "--undo").code == 0
    Path("out.png").unlink()
    refused(as_("Bob", *encrypt, "Alice", "--conversation", "family"), "not authorised", 4)
    assert as_("Alice", "contact", "block", "Bob").code == 0
    refused(as_("Alice", *encrypt, "Bob"), "blocked Bob", 4)
    assert as_("Alice", "contact", "block", "Bob", "--undo").code == 0
    assert as_("Alice", "contact", "remove", "Bob").code == 0
    refused(as_("Alice", *encrypt, "Bob"), "no contact 'Bob'")
    assert not Path("out.png").exists()
    assert as_("Alice", "contact", "list").out == b""


def test_withdrawn_keys(met: As, photo: Path) -> None:
    as_ = met
    assert as_("Alice", "encrypt", photo, "-o", "fake.png", "--to", "Bob").code == 0
    assert as_("Alice", "key", "revoke", "-o", "revoke.bin", "--yes").code == 0
    assert as_("Bob", "contact", "add", "revoke.bin", "--json").json == {"withdrawn": ["Alice"]}
    refused(as_("Bob", "decrypt", "fake.png", "-o", "back.png"), "withdrawn", 4)
    refused(as_("Bob", "contact", "add", "Alice.card"), "withdrawn", 4)


def test_key_faces(met: As, photo: Path, ann: Path, people: People) -> None:
    as_ = met
    Image.fromarray(people.group).save("group.png")
    Path("damaged.jpg").write_bytes(ann.read_bytes()[:2000])
    refused(as_("Alice", "key-face", "add", ann, "group.png"), "2 faces were found in group.png")
    refused(as_("Alice", "key-face", "add", ann, "damaged.jpg"), "damaged.jpg")
    Image.fromarray(people.photo).save("another.png")
    added = as_("Alice", "key-face", "add", ann, "another.png", "--name", "me", "--json").json
    model = as_("Alice", "model", "show", "--json").json["model_hash"]
    assert (added["name"], added["prepared"]) == ("me", [model])
    refused(as_("Alice", "key-face", "add", ann, "--name", "me"), "already")
    refused(as_("Alice", "key-face", "share", "you", "--to", "Bob", "-o", "me.sckey"), "no key face 'you'")
    refused(as_("Alice", "key-face", "share", "me", "--to", "Bob", "-o", "nowhere/me.sckey"), "cannot be written")
    assert as_("Alice", "key-face", "list", "--json").json["mine"][0]["shared_with"] == []
    encrypt = ("encrypt", photo, "-o", "fake.png", "--to", "Bob", "--level", "keyface")
    assert as_("Alice", *encrypt).code == 0
    refused(as_("Bob", "decrypt", "fake.png", "-o", "back.png"), "key face of Alice that this picture needs is missing")
    assert as_("Alice", "key-face", "share", "me", "--to", "Bob", "-o", "me.sckey").code == 0
    assert as_("Bob", "key-face", "receive", "me.sckey", "--json").json == {
        "owner": "Alice",
        "new": True,
        "warning": "",
    }
    assert as_("Bob", "key-face", "receive", "me.sckey", "--json").json == {
        "owner": "Alice",
        "new": False,
        "warning": "",
    }
    refused(as_("Alice", "key-face", "receive", "Bob.card"), "damaged")
    assert as_("Alice", *encrypt).code == 0
    got = as_("Bob", "decrypt", "fake.png", "-o", "back.png", "--json").json
    assert (got["level"], got["sender"], got["signed"], got["warnings"]) == ("keyface", "Alice", True, [])
    mine = as_("Alice", "key-face", "list", "--json").json
    assert [(face["name"], face["shared_with"]) for face in mine["mine"]] == [("me", ["Bob"])]
    (theirs,) = as_("Bob", "key-face", "list", "--json").json["theirs"]
    assert (theirs["owner"], theirs["prepared"]) == ("Alice", [model])
    assert f"prepared for the model {model[:16]}" in as_("Bob", "key-face", "list").out.decode()
    assert as_("Bob", "contact", "block", "Alice").code == 0
    refused(as_("Bob", "key-face", "receive", "me.sckey"), "This key face is from Alice, whom you have blocked.", 4)
    assert as_("Bob", "contact", "block", "Alice", "--undo").code == 0
    # Covert: nothing travels besides the pixels.
    assert as_("Alice", "encrypt", photo, "-o", "covert.png", "--to", "Bob", "--covert").code == 0
    refused(as_("Bob", "decrypt", "covert.png", "-o", "back.png"), "no message with this picture")
    covert = as_("Bob", "decrypt", "covert.png", "-o", "back.png", "--from", "Alice", "--json").json
    assert (covert["level"], covert["sender"], covert["signed"]) == ("keyface", "Alice", False)
    assert as_("Alice", "key-face", "remove", "me").code == 0
    assert as_("Alice", "key-face", "list", "--json").json["mine"] == []


# ---- passphrases


def test_passphrases(as_: As, photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refused(as_("Alice", "init", "--name", "Alice"), "no terminal to ask", 4)
    assert not Path("Alice").exists()
    monkeypatch.setenv("STYLECRYPT_PASSPHRASE", "")
    refused(as_("Alice", "init", "--name", "Alice"), "passphrase is empty")
    monkeypatch.setenv("STYLECRYPT_PASSPHRASE", "open sesame")
    assert as_("Alice", "init", "--name", "Alice").code == 0
    assert as_("Alice", "card", "show", "--json").json["name"] == "Alice"
    monkeypatch.setenv("STYLECRYPT_PASSPHRASE", "open pod bay door")
    refused(as_("Alice", "card", "show"), "passphrase is wrong", 4)
    monkeypatch.delenv("STYLECRYPT_PASSPHRASE")
    refused(as_("Alice", "card", "show"), "no terminal to ask", 4)
    # Commands that need no keys ask for no passphrase.
    assert as_("Alice", "encrypt", photo, "-o", "fake.png", "--level", "keyface").code == 0
    reading, writing = os.pipe()
    os.write(writing, b"open sesame\n")
    os.close(writing)
    assert as_("Alice", "--passphrase-fd", reading, "card", "show").code == 0
    os.close(reading)
    assert b"open sesame" not in b"".join(path.read_bytes() for path in Path("Alice").iterdir() if path.is_file())
    # The new passphrase must not come from the source of the current one.
    monkeypatch.setenv("STYLECRYPT_PASSPHRASE", "open sesame")
    refused(as_("Alice", "key", "passphrase"), "no terminal to ask", 4)
    monkeypatch.setenv("STYLECRYPT_NEW_PASSPHRASE", "shut sesame")
    assert as_("Alice", "key", "passphrase").code == 0
    refused(as_("Alice", "card", "show"), "passphrase is wrong", 4)
    monkeypatch.setenv("STYLECRYPT_PASSPHRASE", "shut sesame")
    assert as_("Alice", "key", "passphrase", "--no-passphrase").code == 0
    monkeypatch.delenv("STYLECRYPT_PASSPHRASE")
    assert as_("Alice", "card", "show").code == 0


def test_there_is_no_profile(run: Run, photo: Path) -> None:
    refused(run("card", "show"), "There is no profile in")
    refused(run("encrypt", photo, "-o", "out.png", "--to", "Bob"), "There is no profile")
    assert run("init", "--name", "Alice", "--no-passphrase").code == 0
    refused(run("init", "--name", "Alice", "--no-passphrase"), "already")
    refused(run("--profile", "x", "init", "--name", "Ali\nce", "--no-passphrase"), "A card cannot hold the name")
    assert not Path("x").exists()


# ---- receiving


def test_receiving_what_cannot_be_opened(met: As, photo: Path) -> None:
    as_ = met
    Path("box").mkdir()
    refused(as_("Bob", "receive"), "No shared folder")
    refused(as_("Bob", "receive", "--folder", "gone"), "does not exist", 3)
    refused(as_("Alice", "send", photo, "--to", "Bob", "--folder", "gone"), "does not exist", 3)
    assert as_("Alice", "send", photo, "--to", "Bob", "--folder", "box").code == 0
    assert as_("Bob", "contact", "remove", "Alice").code == 0
    ended = as_("Bob", "receive", "--folder", "box")
    assert ended.code == 4
    assert "not among your contacts" in ended.err
    assert list(Path("received").iterdir()) == []
    assert as_("Bob", "contact", "add", "Alice.card").code == 0
    assert as_("Bob", "receive").code == 0
    assert len(list(Path("received").iterdir())) == 1


@pytest.mark.skipif(os.name != "posix", reason="sets a limit on file sizes")
def test_a_disk_that_is_full_while_receiving(met: As, photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is lost: the message comes again."""
    as_ = met
    Path("box").mkdir()
    assert as_("Alice", "send", photo, "--to", "Bob", "--folder", "box").code == 0
    code = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "from stylecrypt_msg.cli import main; import stylecrypt_msg.sdk;"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (90_000, 90_000)); main()"
    )
    command = [sys.executable, "-c", code, "--profile", "Bob", "receive", "--folder", "box"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 1, ended.stderr
    assert "Traceback" not in ended.stderr
    assert list(Path("received").iterdir()) == []
    assert as_("Bob", "receive", "--folder", "box").code == 0
    assert len(list(Path("received").iterdir())) == 1


# ---- through Matrix


@pytest.mark.parametrize("encrypted", [False, True])
def test_through_a_matrix_room(
    encrypted: bool, met: As, photo: Path, homeserver: Homeserver, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice, bob = homeserver.register(f"alice{encrypted}".lower()), homeserver.register(f"bob{encrypted}".lower())
    room = homeserver.room(alice, bob, encrypted=encrypted)
    refused(met("Bob", "receive", "--homeserver", homeserver.url), "no room")
    refused(met("Bob", "receive", "--room", room), "No homeserver")
    there = ("--room", room, "--homeserver", homeserver.url)
    refused(met("Bob", "receive", *there), "No Matrix user")
    refused(met("Bob", "receive", *there, "--user", bob.id), "password is needed", 4)
    monkeypatch.setenv("STYLECRYPT_MATRIX_PASSWORD", "wrong")
    assert met("Bob", "receive", *there, "--user", bob.id).code in (3, 4)
    monkeypatch.setenv("STYLECRYPT_MATRIX_PASSWORD", bob.password)
    assert met("Bob", "receive", "--room", room).err == "Nothing new.\n"
    monkeypatch.setenv("STYLECRYPT_MATRIX_PASSWORD", alice.password)
    sent = met("Alice", "send", photo, "--to", "Bob", *there, "--user", alice.id, "--caption", "by Matrix", "--json")
    assert sent.json["sent"].startswith(room)
    monkeypatch.setenv("STYLECRYPT_MATRIX_PASSWORD", bob.password)
    (event,) = [one for one in homeserver.events(room, bob) if one["type"] in ("m.room.message", "m.room.encrypted")]
    assert ("org.stylecrypt.envelope" in event["content"]) == (not encrypted)
    (got,) = met("Bob", "receive", "--room", room, "--json").json
    assert (got["sender"], got["level"], got["caption"], got["cover"]) == ("Alice", "original", "by Matrix", "exact")
    assert got["warnings"] == []
    assert met("Bob", "receive", "--room", room).err == "Nothing new.\n"


def test_a_message_that_is_posted_again_in_another_room_says_so(
    met: As, photo: Path, homeserver: Homeserver, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice, bob = homeserver.register("alice"), homeserver.register("bob")
    family, work = homeserver.room(alice, bob), homeserver.room(alice, bob)
    server = ("--homeserver", homeserver.url)
    monkeypatch.setenv("STYLECRYPT_MATRIX_PASSWORD", alice.password)
    assert met("Alice", "send", photo, "--to", "Bob", "--room", family, *server, "--user", alice.id).code == 0
    (event,) = (one for one in homeserver.events(family, bob) if one["type"] == "m.room.message")
    homeserver.ask("PUT", f"/_matrix/client/v3/rooms/{work}/send/m.room.message/again", event["content"], alice)
    monkeypatch.setenv("STYLECRYPT_MATRIX_PASSWORD", bob.password)
    (got,) = met("Bob", "receive", "--room", work, *server, "--user", bob.id, "--json").json
    assert (got["sender"], got["level"]) == ("Alice", "original")
    assert got["warnings"] == ["It was sent to another chat: somebody posted it again in this one."]

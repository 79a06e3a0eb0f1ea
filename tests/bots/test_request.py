"""Parsing what the owner writes, and advising what to write instead."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from stylecrypt_bots import texts
from stylecrypt_bots.request import Request, contact_of, face_of, parse_command, parse_request
from stylecrypt_protocol import Level, Pixels

from stylecrypt_msg.apps import App
from stylecrypt_msg.errors import InputError
from stylecrypt_msg.profile import Profile, TheirKeyFace

SOURCES = Path(texts.__file__).parents[2] / "stylecrypt_msg"


@pytest.mark.parametrize(
    ("text", "request_"),
    [
        ("", Request(None, (), None, None, "")),
        ("#family @bob", Request("family", ("bob",), None, None, "")),
        ("@bob  #family\n@carol hello @dora", Request("family", ("bob", "carol"), None, None, "hello @dora")),
        (
            '#a @"Bob Smith" @c:x level=latent the  text',
            Request("a", ("Bob Smith", "@c:x"), Level.LATENT, None, "the  text"),
        ),
        ("#family:example.org @bob", Request("#family:example.org", ("bob",), None, None, "")),
        ('#"family" hello', Request("family", (), None, None, "hello")),
        ("#family @bob others=keep us", Request("family", ("bob",), None, "keep", "us")),
        ("#family for=whatsapp us", Request("family", (), None, None, "us", App.WHATSAPP)),
        (
            "#family only=1,3 keep=2 keep=bob us",
            Request("family", (), None, None, "us", only=("1", "3"), keep=("2", "bob")),
        ),
        ("hello #family", Request(None, (), None, None, "hello #family")),
        ("# @ x", Request(None, (), None, None, "# @ x")),
    ],
)
def test_requests(text: str, request_: Request) -> None:
    assert parse_request(text) == request_


@pytest.mark.parametrize("text", ["#a #b @c", "#a @b level=best", "#a @b others=hide", "#a @b for=icq"])
def test_requests_that_make_no_sense(text: str) -> None:
    with pytest.raises(InputError) as error:
        parse_request(text)
    assert error.value.hint


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("!help", ("help", [])),
        ("!Verify 'Bob Smith' yes", ("verify", ["Bob Smith", "yes"])),
        ('!trust "Bob Smith" #family', ("trust", ["Bob Smith", "#family"])),
        ("!", ("", [])),
        ('!verify "', ("verify", [""])),
    ],
)
def test_commands(text: str, command: tuple[str, list[str]]) -> None:
    assert parse_command(text) == command


def test_contacts_by_what_people_type(tmp_path: Path) -> None:
    now = int(time.time())
    me = Profile.create(tmp_path / "me", name="Me", passphrase=None, now=now)
    for name, user_id in (
        ("Bob", "@rob:here"),
        ("Carol", "@carol:here"),
        ("Dora", "@bob:there"),
        ("Eve", "@eve:a"),
        ("Ev", "@eve:b"),
    ):
        other = Profile.create(tmp_path / name, name=name, user_id=user_id, passphrase=None, now=now)
        me.add_contact(other.card)
        other.close()
    for typed, name in (
        ("bob", "Bob"),
        ("rob", "Bob"),
        ("@bob:there", "Dora"),
        ("CAROL", "Carol"),
        ("eve", "Eve"),
        ("ev", "Ev"),
    ):
        assert contact_of(me, typed).name == name
    for typed in ("nobody", "@nobody:here", ""):
        with pytest.raises(InputError):
            contact_of(me, typed)
    me.close()


def test_faces_by_number_and_by_key_face(tmp_path: Path) -> None:
    now = int(time.time())
    pixels = Pixels(width=16, height=16, rgb=bytes(768))
    me = Profile.create(tmp_path / "me", name="Me", passphrase=None, now=now)
    bob = Profile.create(tmp_path / "bob", name="Bob", user_id="@bob:here", passphrase=None, now=now)
    me.add_contact(bob.card)
    me.add_key_face("mine", b"a picture of me", pixels)
    assert face_of(me, "2") == 2
    assert face_of(me, "mine") == b"a picture of me"
    with pytest.raises(InputError, match="Bob gave you no key face"):
        face_of(me, "bob")
    shared = bob.add_key_face("his", b"a picture of Bob", pixels)
    me.keep_key_face(TheirKeyFace(bob.card.id, shared.picture, shared.key_face, now))
    assert face_of(me, "bob") == b"a picture of Bob"
    with pytest.raises(InputError, match="carol"):
        face_of(me, "carol")
    bob.close()
    me.close()

"""Key faces: mine and theirs."""

from __future__ import annotations

from dataclasses import replace

import pytest
import stylecrypt_protocol as sp

from stylecrypt_msg.errors import InputError
from stylecrypt_msg.profile import Profile

from .conftest import NOW, card, inversion, pixels, shared


def test_mine_are_kept_with_their_secret(profile: Profile) -> None:
    added = profile.add_key_face("holiday", b"picture", pixels(7))
    assert added.key_face.digest == pixels(7).digest
    with Profile.open(profile.folder) as again:
        assert again.key_face("holiday") == added == again.key_faces()[0]
        assert again.key_face("holiday").key_face.secret == added.key_face.secret


def test_mine_come_the_newest_first_and_go(profile: Profile) -> None:
    for name in ("one", "two", "three"):
        profile.add_key_face(name, name.encode(), pixels())
    profile.mark_shared("one", [])  # does not make it newer
    assert [face.name for face in profile.key_faces()] == ["three", "two", "one"]
    profile.remove_key_face("two")
    assert [face.name for face in profile.key_faces()] == ["three", "one"]
    with pytest.raises(InputError, match="no key face 'two' of yours") as unknown:
        profile.key_face("two")
    assert unknown.value.hint == "Yours: three, one."
    with pytest.raises(InputError):
        profile.remove_key_face("two")


def test_who_has_mine_is_remembered(profile: Profile) -> None:
    profile.add_key_face("me", b"picture", pixels())
    one, two = card("Bob"), card("Carol")
    profile.mark_shared("me", [one.id])
    profile.mark_shared("me", [one.id, two.id])
    assert profile.key_face("me").shared_with == {one.id, two.id}


@pytest.mark.parametrize("name", ["", " me", "me\n", "\x1b[31m", "me\udcff"])
def test_names_are_one_line_of_text(profile: Profile, name: str) -> None:
    with pytest.raises(InputError, match="cannot be the name"):
        profile.add_key_face(name, b"picture", pixels())


def test_a_name_is_taken_once_however_its_accents_are_written(profile: Profile) -> None:
    kept = profile.add_key_face("Zoë", b"picture", pixels())
    with pytest.raises(InputError, match="already"):
        profile.add_key_face("Zoe\u0308", b"another", pixels())
    assert profile.key_face("Zoe\u0308") == kept


def test_mine_are_no_larger_than_can_be_shared(profile: Profile) -> None:
    largest = bytes(4 * 2**20)
    profile.add_key_face("large", largest, pixels())
    with pytest.raises(InputError, match="at most 4 MB"):
        profile.add_key_face("larger", largest + b"1", pixels())
    assert profile.key_face("large").picture == largest
    sp.share_key_face(profile.identity, [card()], profile.key_face("large").key_face, largest, sent_at=NOW)


def test_theirs_are_kept_once_each(profile: Profile) -> None:
    bob, eve = sp.Identity.generate(), sp.Identity.generate()
    contact = profile.add_contact(card("Bob", keys=bob)).contact
    other = profile.add_contact(card("Eve", keys=eve)).contact
    first, second = shared(bob, profile, b"first"), shared(bob, profile, b"second")
    assert [profile.keep_key_face(face) for face in (first, replace(second, received=NOW + 1), first)] == [
        True,
        True,
        False,
    ]
    assert profile.keep_key_face(shared(eve, profile, b"third"))
    assert [(face.picture, face.owner, face.received) for face in profile.key_faces_of(contact)] == [
        (b"second", bob.id, NOW + 1),
        (b"first", bob.id, NOW),
    ]
    assert profile.key_faces_of(contact)[1].key_face == first.key_face
    assert [face.picture for face in profile.key_faces_of(other)] == [b"third"]
    assert [face.picture for face in profile.all_their_key_faces()] == [b"third", b"second", b"first"]


def test_a_photo_that_is_shared_anew_brings_its_new_secret(profile: Profile) -> None:
    bob = sp.Identity.generate()
    contact = profile.add_contact(card(keys=bob)).contact
    faces = [sp.KeyFace.new(pixels()), sp.KeyFace.new(pixels())]
    for face in faces:
        assert profile.keep_key_face(shared(bob, profile, b"the same picture", face))
    assert [kept.key_face for kept in profile.key_faces_of(contact)] == faces[::-1]


def test_of_too_many_the_oldest_of_that_contact_goes(profile: Profile) -> None:
    bob, eve = sp.Identity.generate(), sp.Identity.generate()
    contact = profile.add_contact(card("Bob", keys=bob)).contact
    other = profile.add_contact(card("Eve", keys=eve)).contact
    profile.keep_key_face(shared(eve, profile, b"eve's"))
    for n in range(34):
        profile.keep_key_face(shared(bob, profile, b"%d" % n))
    assert [face.picture for face in profile.key_faces_of(contact)] == [b"%d" % n for n in range(33, 1, -1)]
    assert len(profile.key_faces_of(other)) == 1


def test_codes_are_kept_for_each_model(profile: Profile) -> None:
    bob = sp.Identity.generate()
    contact = profile.add_contact(card("Bob", keys=bob)).contact
    added = profile.add_key_face("me", b"picture", pixels(), [inversion(1)])
    theirs = shared(bob, profile, b"bob's", prepared=[inversion(1), inversion(2)])
    profile.keep_key_face(theirs)
    for face in (added, theirs):
        profile.keep_prepared(face, [inversion(1, 7), inversion(3)])  # in place of the first one
    with Profile.open(profile.folder) as again:
        assert again.key_face("me").prepared == (inversion(1, 7), inversion(3))
        assert again.key_faces_of(contact)[0].prepared == (inversion(2), inversion(1, 7), inversion(3))
        assert (again.key_face("me").key_face, again.key_face("me").picture) == (added.key_face, b"picture")
    profile.keep_prepared(theirs, [inversion(4), inversion(5)])
    assert profile.key_faces_of(contact)[0].prepared == (inversion(1, 7), inversion(3), inversion(4), inversion(5))


def test_what_is_shared_again_with_codes_brings_them(profile: Profile) -> None:
    bob, face = sp.Identity.generate(), sp.KeyFace.new(pixels())
    contact = profile.add_contact(card("Bob", keys=bob)).contact
    assert profile.keep_key_face(shared(bob, profile, b"bob's", face))
    assert not profile.keep_key_face(shared(bob, profile, b"bob's", face, [inversion(1)]))
    (kept,) = profile.key_faces_of(contact)
    assert (kept.prepared, kept.received) == ((inversion(1),), NOW)


def test_codes_of_what_is_gone_are_not_kept(profile: Profile) -> None:
    bob = sp.Identity.generate()
    profile.add_contact(card("Bob", keys=bob))
    mine, theirs = profile.add_key_face("me", b"picture", pixels()), shared(bob, profile, b"bob's")
    profile.keep_key_face(theirs)
    profile.remove_key_face("me")
    profile.remove("Bob")
    another = profile.add_key_face("me", b"another", pixels(1))
    for face in (mine, theirs):
        profile.keep_prepared(face, [inversion(1)])
    assert (profile.key_faces(), profile.all_their_key_faces()) == ([another], [])

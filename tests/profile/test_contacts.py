"""The people a profile knows, and those it lets see photos (SPEC.md section 6.2)."""

from __future__ import annotations

from dataclasses import replace

import pytest
import stylecrypt_protocol as sp

from stylecrypt_msg.errors import InputError, NotAuthorisedError, Remedy
from stylecrypt_msg.profile import Profile

from .conftest import NOW, card, pixels, revocation, shared


def test_the_first_card_pins_its_keys(profile: Profile) -> None:
    bob = card()
    added = profile.add_contact(bob)
    assert added.change is None
    assert profile.contacts() == [added.contact] == [profile.contact("Bob")]
    assert added.contact.card == bob and not added.contact.trusted and not added.contact.verified
    assert str(added.contact) == "Bob"


def test_a_newer_card_of_the_same_keys_renames_and_an_older_one_does_not(profile: Profile) -> None:
    keys = sp.Identity.generate()
    profile.add_contact(card("Bob", "@b:x", keys=keys), trust=True)
    profile.verify("Bob")
    added = profile.add_contact(card("Robert", "@b:x", keys=keys, created=NOW + 1))
    assert added.change is sp.CardChange.RENAMED and added.contact.verified and added.contact.trusted
    assert [c.name for c in profile.contacts()] == ["Robert"]
    assert profile.add_contact(card("Bob", "@b:x", keys=keys)).change is sp.CardChange.SAME
    assert profile.contact("@b:x").name == "Robert"


def test_a_name_of_my_own_outlasts_new_cards_and_goes_before_what_others_call_themselves(profile: Profile) -> None:
    keys = sp.Identity.generate()
    profile.add_contact(card("Bob", "@b:x", keys=keys), trust=True)
    renamed = profile.rename("Bob", "  Cafe\N{COMBINING ACUTE ACCENT} Bob ")
    assert renamed == profile.contact("caf\N{LATIN SMALL LETTER E WITH ACUTE} bob") == profile.contact("@b:x")
    assert renamed.name == str(renamed) == "Caf\N{LATIN SMALL LETTER E WITH ACUTE} Bob" and renamed.trusted
    with pytest.raises(InputError, match="There is no contact 'Bob'"):
        profile.contact("Bob")
    profile.add_contact(card("Robert", "@b:x", keys=keys, created=NOW + 1))
    profile.add_contact(card("Caf\N{LATIN SMALL LETTER E WITH ACUTE} Bob", "@mallory:x"))
    assert profile.contact(renamed.name).user_id == "@b:x"
    assert profile.rename(renamed.name, "").name == "Robert"
    assert profile.contact(renamed.name).user_id == "@mallory:x"


@pytest.mark.parametrize("taken", ["CAROL", "@carol:x"])
def test_no_two_contacts_get_one_name(profile: Profile, taken: str) -> None:
    profile.add_contact(card("Bob", "@b:x"))
    profile.add_contact(card("Carol", "@carol:x"))
    with pytest.raises(InputError, match=f"Another contact is called '{taken}'"):
        profile.rename("Bob", taken)
    assert profile.rename("Bob", "bob").name == "bob"


@pytest.mark.parametrize("name", ["two\nlines", "\N{RIGHT-TO-LEFT OVERRIDE}bob", "\udcff", "x" * 129])
def test_what_no_card_could_hold_is_no_name_for_a_contact(profile: Profile, name: str) -> None:
    profile.add_contact(card())
    with pytest.raises(InputError, match="cannot be the name of a contact"):
        profile.rename("Bob", name)
    assert profile.contact("Bob").own_name == ""


def test_the_same_card_again_may_bring_trust(profile: Profile) -> None:
    bob = card()
    profile.add_contact(bob)
    assert profile.add_contact(bob, trust=True).contact.trusted
    assert profile.add_contact(bob).contact.trusted


def test_keys_that_the_old_ones_vouch_for_are_taken_over_and_verified_anew(profile: Profile) -> None:
    old, new = sp.Identity.generate(), sp.Identity.generate()
    first = card(keys=old)
    profile.add_contact(first, trust=True)
    profile.verify("Bob")
    profile.keep_key_face(shared(old, profile, b"bob's"))
    profile.add_key_face("mine", b"picture", pixels())
    profile.mark_shared("mine", [first.id])

    added = profile.add_contact(card(keys=new, created=NOW + 1, previous=old))

    assert added.change is sp.CardChange.ROTATED
    bob = profile.contact("Bob")
    assert bob == added.contact and bob.card.id == new.id and bob.trusted and not bob.verified
    assert [face.picture for face in profile.key_faces_of(bob)] == [b"bob's"]
    assert [face.owner for face in profile.all_their_key_faces()] == [new.id]
    assert new.id in profile.key_face("mine").shared_with


def test_changed_keys_stop_everything_until_they_are_verified(profile: Profile) -> None:
    keys, other = sp.Identity.generate(), card()
    profile.add_contact(card(keys=keys), trust=True)
    profile.verify("Bob")
    profile.keep_key_face(shared(keys, profile, b"of the old keys"))
    with pytest.raises(NotAuthorisedError, match="keys of Bob have changed") as stopped:
        profile.add_contact(other, trust=True)
    assert (stopped.value.remedy, stopped.value.facts) == (Remedy.COMPARE_WORDS, {"contact": "Bob"})

    with Profile.open(profile.folder) as again:  # the offered card was kept, the pinned one still counts
        bob = again.contact("Bob")
        assert bob.pending == other and bob.card.id == keys.id and bob.verified
        with pytest.raises(NotAuthorisedError, match="have changed"):
            again.authorised("Bob", None)
        assert keys.id in again.cards() and other.id not in again.cards()
        assert again.words("Bob") == sp.pair_words(again.card, other)

    verified = profile.verify("Bob", profile.words("Bob"))
    assert verified == profile.contact("Bob") == profile.authorised("Bob", None)
    assert verified.card == other and verified.pending is None and verified.verified
    assert profile.all_their_key_faces() == []  # who had the old keys may not have been Bob


def test_keys_that_are_vouched_for_after_all_wait_no_longer(profile: Profile) -> None:
    old, new = sp.Identity.generate(), sp.Identity.generate()
    profile.add_contact(card(keys=old), trust=True)
    with pytest.raises(NotAuthorisedError):
        profile.add_contact(card(keys=new))
    profile.add_contact(card(keys=new, created=NOW + 1, previous=old))
    assert profile.authorised("Bob", None).card.id == new.id
    with pytest.raises(NotAuthorisedError):  # but others do
        profile.add_contact(card())
    profile.add_contact(card("Robert", "@bob:example.org", keys=new, created=NOW + 2))
    with pytest.raises(NotAuthorisedError, match="keys of Robert have changed"):
        profile.authorised("Robert", None)


def test_a_changed_card_can_be_thrown_away(profile: Profile) -> None:
    bob = card()
    profile.add_contact(bob, trust=True)
    with pytest.raises(NotAuthorisedError):
        profile.add_contact(card())
    assert profile.discard_pending("Bob") == profile.authorised("Bob", None)
    assert profile.contact("Bob").card == bob


def test_a_changed_card_that_comes_again_stays_the_newest_of_its_keys(profile: Profile) -> None:
    new = sp.Identity.generate()
    profile.add_contact(card())
    newest, older, another = card(keys=new, created=NOW + 1), card(keys=new), card()
    for offered, kept in [(older, older), (newest, newest), (older, newest), (another, another)]:
        with pytest.raises(NotAuthorisedError):
            profile.add_contact(offered)
        assert profile.contact("Bob").pending == kept


def test_a_card_that_comes_while_words_are_compared_does_not_pass_for_verified(profile: Profile) -> None:
    profile.add_contact(card())
    words = profile.words("Bob")
    with pytest.raises(NotAuthorisedError):
        profile.add_contact(card())
    with pytest.raises(NotAuthorisedError, match="not the words of Bob"):
        profile.verify("Bob", words)
    assert not profile.contact("Bob").verified


def test_pinned_keys_under_another_user_id_have_to_be_verified(profile: Profile) -> None:
    keys = sp.Identity.generate()
    profile.add_contact(card("Bob", "@bob:old", keys=keys), trust=True)
    profile.keep_key_face(shared(keys, profile, b"bob's"))
    with pytest.raises(NotAuthorisedError):
        profile.add_contact(card("Bob", "@bob:new", keys=keys, created=NOW + 1))
    assert [c.user_id for c in profile.contacts()] == ["@bob:old"]
    profile.verify("Bob")
    assert [c.user_id for c in profile.contacts()] == ["@bob:new"]
    assert len(profile.key_faces_of(profile.contact("Bob"))) == 1  # the keys are the same, so is their owner


def test_another_sealing_key_beside_a_pinned_signing_key_is_no_new_contact(profile: Profile) -> None:
    secret = sp.Identity.generate().to_secret().reveal()
    beside = sp.Identity.from_secret(sp.Secret(secret[:32] + bytes(range(32))))
    profile.add_contact(card("Bob", keys=sp.Identity.from_secret(sp.Secret(secret))))
    with pytest.raises(NotAuthorisedError):
        profile.add_contact(card("Rob", keys=beside))
    assert [c.name for c in profile.contacts()] == ["Bob"]


def test_a_card_with_the_keys_of_one_contact_and_the_user_id_of_another_is_refused(profile: Profile) -> None:
    keys = sp.Identity.generate()
    profile.add_contact(card("Bob", keys=keys))
    profile.add_contact(card("Eve"))
    before = profile.contacts()
    with pytest.raises(NotAuthorisedError, match="Bob and Eve"):
        profile.add_contact(card("Eve", keys=keys, created=NOW + 1))
    assert profile.contacts() == before


def test_a_pending_card_whose_keys_are_somebody_elses_by_now_is_not_verified(profile: Profile) -> None:
    keys = sp.Identity.generate()
    profile.add_contact(card("Eve"))
    with pytest.raises(NotAuthorisedError):
        profile.add_contact(card("Eve", keys=keys))
    profile.add_contact(card("Bob", keys=keys))
    with pytest.raises(NotAuthorisedError, match="Eve and Bob"):
        profile.verify("Eve")
    assert {c.name: c.verified for c in profile.contacts()} == {"Bob": False, "Eve": False}


def test_ones_own_card_is_no_contact(profile: Profile) -> None:
    with pytest.raises(InputError, match="your own"):
        profile.add_contact(profile.card)
    with pytest.raises(InputError, match="your own user id, with other keys"):
        profile.add_contact(card("Ann", profile.card.user_id))
    assert profile.contacts() == []


def test_a_revocation_withdraws_every_contact_with_that_key(profile: Profile) -> None:
    keys = sp.Identity.generate()
    profile.add_contact(card(keys=keys), trust=True)
    profile.verify("Bob")
    profile.add_contact(card("Eve"), trust=True)

    hit = profile.revoke(revocation(keys))

    assert hit == [profile.contact("Bob")] and hit[0].withdrawn and not hit[0].verified
    with pytest.raises(NotAuthorisedError, match="keys of Bob were withdrawn"):
        profile.authorised("Bob", None)
    with pytest.raises(NotAuthorisedError, match="were withdrawn"):
        profile.verify("Bob")
    profile.authorised("Eve", None)
    assert isinstance(profile.cards()[keys.id], sp.Revocation)
    assert isinstance(profile.cards()[profile.contact("Eve").card.id], sp.Card)


def test_a_withdrawn_key_is_refused_later_too_beside_whatever_sealing_key(profile: Profile) -> None:
    secret = sp.Identity.generate().to_secret().reveal()
    keys = sp.Identity.from_secret(sp.Secret(secret))
    beside = sp.Identity.from_secret(sp.Secret(secret[:32] + bytes(range(32))))
    assert profile.revoke(revocation(keys)) == []
    for offered in (card(keys=keys), card(keys=beside), card("Other", keys=keys)):
        with pytest.raises(NotAuthorisedError, match="were withdrawn"):
            profile.add_contact(offered)
    assert profile.contacts() == []
    assert isinstance(profile.cards()[keys.id], sp.Revocation)  # so that its messages are told from a stranger's


def test_a_withdrawn_key_vouches_for_nothing(profile: Profile) -> None:
    old, new = sp.Identity.generate(), sp.Identity.generate()
    profile.add_contact(card(keys=old), trust=True)
    profile.revoke(revocation(old))
    with pytest.raises(NotAuthorisedError, match="nobody vouches"):
        profile.add_contact(card(keys=new, created=NOW + 1, previous=old))
    with pytest.raises(NotAuthorisedError, match="nobody vouches") as stopped:
        profile.authorised("Bob", None)
    assert stopped.value.remedy is Remedy.COMPARE_WORDS
    profile.verify("Bob")
    assert profile.authorised("Bob", None).card.id == new.id


def test_revoking_a_pending_card_leaves_the_pinned_one(profile: Profile) -> None:
    stolen = sp.Identity.generate()
    profile.add_contact(card(), trust=True)
    with pytest.raises(NotAuthorisedError):
        profile.add_contact(card(keys=stolen))
    assert profile.revoke(revocation(stolen)) == []
    assert profile.authorised("Bob", None).pending is None


def test_ones_own_key_can_be_withdrawn(profile: Profile) -> None:
    assert profile.revoke(revocation(profile.identity)) == []
    assert isinstance(profile.cards()[profile.card.id], sp.Revocation)


@pytest.mark.parametrize("name", ["Zoë", "zoË", "Zoe\u0308", "@z:x"])
def test_a_contact_is_found_by_any_of_its_names(profile: Profile, name: str) -> None:
    zoe = card("Zoë", "@z:x")
    profile.add_contact(zoe)
    profile.add_contact(card("Bob"))
    assert profile.contact(name).card == zoe
    assert profile.contact(zoe.id.hex()[:8].upper()).card == zoe
    assert profile.by_card(zoe.id) == profile.contact(name)
    with pytest.raises(InputError, match="no contact"):
        profile.contact(zoe.id.hex()[:7])


def test_of_several_contacts_with_one_name_none_is_guessed(profile: Profile) -> None:
    one, two = card("Bob", "@bob:x"), card("bob", "@bob:y")
    for each in (one, two):
        profile.add_contact(each, trust=True)
    with pytest.raises(InputError, match="2 contacts are called 'Bob'") as ambiguous:
        profile.authorised("Bob", None)
    assert "@bob:x" in (ambiguous.value.hint or "") and two.id.hex() in (ambiguous.value.hint or "")
    assert profile.contact("@bob:x").card == one
    assert profile.contact(two.id.hex()).card == two


def test_nobody_takes_a_name_over_by_their_user_id_or_name(profile: Profile) -> None:
    bob = card("Bob", "@bob:x")
    profile.add_contact(bob)
    profile.add_contact(card("Eve", "Bob"))
    profile.add_contact(card("@bob:x", "@eve:x"))
    profile.add_contact(card(bob.id.hex(), "@eve:y"))
    with pytest.raises(InputError, match="2 contacts"):  # a user id may be any word
        profile.contact("Bob")
    for whole in (bob.id.hex(), "@bob:x"):
        assert profile.contact(whole).card == bob


def test_an_unknown_name_is_answered_with_the_known_ones(profile: Profile) -> None:
    with pytest.raises(InputError) as none:
        profile.contact("Bob")
    assert "none yet" in (none.value.hint or "")
    for n in range(12):
        profile.add_contact(card(f"Friend {n:02}", f"@f{n}:x"))
    with pytest.raises(InputError, match="no contact 'Bob'") as unknown:
        profile.contact("Bob")
    assert "Friend 09 and 2 more" in (unknown.value.hint or "")


def test_trust_is_given_everywhere_or_in_one_conversation(profile: Profile) -> None:
    profile.add_contact(card())
    with pytest.raises(NotAuthorisedError, match="Bob is not authorised to see your photos in room") as refused:
        profile.authorised("Bob", "room")
    assert (refused.value.remedy, refused.value.facts) == (Remedy.TRUST_CONTACT, {"contact": "Bob"})

    profile.trust("Bob", conversation="room")
    profile.authorised("bob", "room")
    for elsewhere in ("hall", None):
        with pytest.raises(NotAuthorisedError):
            profile.authorised("Bob", elsewhere)
    profile.trust("Bob")
    assert profile.authorised("Bob", None) == profile.authorised("Bob", "hall")
    with pytest.raises(InputError, match="every conversation"):  # or one would think that it helped
        profile.trust("Bob", conversation="room", undo=True)

    profile.trust("Bob", undo=True)
    for conversation in ("room", None):
        with pytest.raises(NotAuthorisedError):
            profile.authorised("Bob", conversation)
    profile.trust("Bob", conversation="room")
    profile.trust("Bob", conversation="hall")
    assert profile.trust("Bob", conversation="room", undo=True).conversations == ("hall",)


def test_nothing_is_sent_to_who_is_blocked(profile: Profile) -> None:
    profile.add_contact(card("Bob B", "@bob:x"), trust=True)
    profile.block("Bob B")
    with pytest.raises(NotAuthorisedError, match=r"You have blocked Bob B") as refused:
        profile.authorised("Bob B", None)
    assert (refused.value.remedy, refused.value.facts) == (Remedy.UNBLOCK_CONTACT, {"contact": "Bob B"})
    assert profile.contact("Bob B").card.id in profile.cards()
    profile.block("Bob B", undo=True)
    profile.authorised("Bob B", None)


def test_a_removed_contact_is_forgotten(profile: Profile) -> None:
    keys = sp.Identity.generate()
    profile.add_contact(card(keys=keys), trust=True)
    profile.keep_key_face(shared(keys, profile, b"bob's"))
    profile.remove("Bob")
    assert profile.contacts() == [] and profile.all_their_key_faces() == []
    assert set(profile.cards()) == {profile.card.id}
    assert not profile.add_contact(card()).contact.trusted  # other keys: the first use again


def test_who_has_no_name_is_called_by_the_user_id(profile: Profile) -> None:
    profile.add_contact(card("", "@nameless:x"))
    assert profile.contact("@nameless:x").name == "@nameless:x"


def test_what_a_profile_knows_opens_messages(profile: Profile) -> None:
    """With the protocol's own checks: contacts, blocked ones, the removed, and the revoked."""
    bob = sp.Identity.generate()
    contact = profile.add_contact(card(keys=bob)).contact
    cover = sp.Pixels(width=64, height=64, rgb=bytes(range(256)) * 48)
    face = sp.WireQuad.from_pixels([(8, 8), (8, 56), (56, 56), (56, 8)])
    public = sp.PublicPart.describe(
        cover, level=sp.Level.LATENT, model_hash=bytes(32), styles=18, replaced=[3], faces=[face]
    )
    residual = sp.Residual(kind=sp.ResidualKind.STYLES, data=b"styles")
    envelope = sp.seal_message(bob, [profile.card], public, cover, sent_at=NOW, residual=residual)

    def opened(delivery: bytes) -> sp.OpenedMessage:
        return sp.open_message(envelope, profile.identity, profile.cards(), cover, now=NOW, seen=profile.seen(delivery))

    assert opened(b"first").sender == contact.card
    with pytest.raises(sp.ReplayedError):
        opened(b"second")
    profile.block("Bob")
    assert profile.by_card(opened(b"first").sender.id) == replace(contact, blocked=True)
    profile.remove("Bob")
    with pytest.raises(sp.StrangerError):
        opened(b"first")
    profile.revoke(revocation(bob))
    with pytest.raises(sp.RevokedKeyError):
        opened(b"first")

"""Contacts, key faces and oneself, in a browser."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from stylecrypt_protocol import Card, Identity

from stylecrypt_msg.pictures import encode_picture
from stylecrypt_msg.profile import Contact
from stylecrypt_msg.sdk import StyleCrypt

from ..conftest import People
from .conftest import Meet
from .people import PASSPHRASE, PATIENCE, Person


def look_up(person: Person, name: str) -> Contact:
    return person.served.session.profile.contact(name)


def visit(person: Person, name: str) -> None:
    person.go("contacts")
    person.page.get_by_role("link", name=name, exact=True).click()
    person.page.wait_for_selector("ol.words")


def add(person: Person, text: str) -> None:
    person.go("contacts")
    person.page.fill("#text", text)
    person.press("Add")


def test_words_are_the_same_on_both_pages_and_verify(couple: tuple[Person, Person]) -> None:
    alice, bob = couple
    visit(alice, "Bob")
    visit(bob, "Alice")
    words = alice.page.locator("ol.words li").all_inner_texts()
    assert len(words) == 12 and words == bob.page.locator("ol.words li").all_inner_texts()
    assert not look_up(alice, "Bob").verified
    alice.press("All of them match")
    alice.page.wait_for_selector("text=You have compared them.")
    assert look_up(alice, "Bob").verified and not look_up(bob, "Alice").verified


def test_trust_is_given_and_taken(couple: tuple[Person, Person]) -> None:
    alice, _ = couple
    visit(alice, "Bob")
    alice.press("No longer")
    alice.page.wait_for_selector("text=may not see your photos yet")
    assert not look_up(alice, "Bob").trusted
    alice.press("Let Bob see my photos")
    alice.page.wait_for_selector("text=Bob may see photos that you send.")
    assert look_up(alice, "Bob").trusted


def test_a_contact_is_blocked_unblocked_and_removed(meet: Meet, tmp_path: Path) -> None:
    alice = meet("Alice")
    other = StyleCrypt.create(tmp_path / "carol", name="Carol")
    add(alice, other.profile.card.to_text())
    alice.page.wait_for_selector("text=Added.")
    other.close()
    alice.press("Block")
    alice.page.wait_for_selector("text=Blocked.")
    assert look_up(alice, "Carol").blocked
    alice.press("Unblock")
    alice.page.wait_for_selector("text=Unblocked.")
    assert not look_up(alice, "Carol").blocked
    alice.page.click("summary:text('Remove')")
    alice.press("Remove")
    alice.page.wait_for_selector("text=Removed.")
    assert alice.served.session.profile.contacts() == []


def test_a_contact_is_renamed_and_nobody_else_learns_it(couple: tuple[Person, Person]) -> None:
    alice, bob = couple
    visit(alice, "Bob")
    alice.page.fill("#own-name", "Bob from <work>")
    alice.press("Rename")
    alice.page.wait_for_selector("text=Renamed.")
    assert alice.page.inner_text("h1") == "Bob from <work>" and "the name on the card: Bob." in alice.read()
    visit(alice, "Bob from <work>")
    alice.page.fill("#own-name", "two\u2066names")
    alice.press("Rename")
    alice.page.wait_for_selector("[role=alert]:has-text('Names have one line of up to 128 bytes.')")
    assert look_up(alice, "Bob from <work>").own_name == "Bob from <work>"
    alice.page.fill("#own-name", "")
    alice.press("Rename")
    alice.page.wait_for_selector("h1:text-is('Bob')")
    assert bob.served.session.profile.me.name == "Bob"


@pytest.mark.parametrize("text", ["stylecard1nonsense", "Hello, this is Bob", "<script>alert(1)</script>"])
def test_what_is_no_card_is_refused_in_words(couple: tuple[Person, Person], text: str) -> None:
    alice, _ = couple
    before = alice.served.session.profile.contacts()
    add(alice, text)
    alice.page.wait_for_selector("[role=alert]")
    assert alice.page.input_value("#text") == text
    assert alice.served.session.profile.contacts() == before


NAME = """<img src=x onerror=document.title='owned'>"'&amp;{{7*7}}"""


def test_a_name_with_markup_is_a_name(meet: Meet, photo: bytes) -> None:
    alice = meet("Alice")
    identity = Identity.generate()
    card = Card.create(identity, user_id="@eve:<b>x</b>", display_name=NAME, created=int(time.time()) - 60)
    add(alice, card.to_text())
    alice.page.wait_for_selector("text=Added.")
    assert alice.page.inner_text("h1") == NAME
    assert alice.page.title() == f"{NAME} · StyleCrypt"
    alice.page.get_by_role("button", name=f"Let {NAME} see my photos").click()
    alice.page.wait_for_selector("text=may see photos that you send")
    alice.choose("<script>.jpg", photo)
    assert NAME in alice.read()
    alice.hide()
    assert f"{NAME} can open it." in alice.read()
    alice.go("contacts")
    assert alice.page.locator("img[src=x]").count() == 0 and alice.page.locator("main script").count() == 0


def test_new_keys_are_compared_or_discarded(meet: Meet, tmp_path: Path) -> None:
    alice = meet("Alice")
    made = [
        Card.create(Identity.generate(), user_id="dave", display_name="Dave", created=int(time.time()) - 60)
        for _ in range(3)
    ]
    add(alice, made[0].to_text())
    alice.page.wait_for_selector("text=Added.")
    for card in made[1:]:
        add(alice, card.to_text())
        alice.page.wait_for_selector("[role=alert]")
        assert "The keys of Dave have changed" in alice.page.inner_text("[role=alert]")
        visit(alice, "Dave")
        assert "offers new keys" in alice.read()
        if card is made[1]:
            alice.press("Discard the new keys")
            alice.page.wait_for_selector("text=The new keys are discarded.")
            assert look_up(alice, "dave").card == made[0]
        else:
            alice.press("All of them match")
            alice.page.wait_for_selector("text=Verified.")
            assert look_up(alice, "dave").card == card


def test_a_covert_photo_is_opened_with_a_key_face(couple: tuple[Person, Person], photo: bytes, people: People) -> None:
    alice, bob = couple
    alice.go("keyfaces")
    alice.page.fill("#name", "holiday")
    alice.give("#photos", "ann.png", encode_picture(people.ann, "PNG"))
    alice.press("Add")
    alice.page.wait_for_selector("text=The key face is ready.", timeout=PATIENCE)
    name, sealed = alice.saved("Save a file for them")
    assert name.endswith(".sckey")
    bob.go("keyfaces")
    bob.give("#sealed", name, sealed)
    bob.page.wait_for_selector("text=The key face is taken in.", timeout=PATIENCE)
    assert "Alice: 1" in bob.read()
    alice.go("keyfaces")
    assert "Shared with Bob." in alice.read()

    alice.choose("photo.jpg", photo)
    alice.page.click("summary:text('More choices')")
    alice.page.locator("label:has(input[name=covert])").click()
    alice.hide()
    picture = alice.saved("Save")[1]
    bob.open("it.jpg", picture)
    assert bob.page.inner_text("h1") == "This is an ordinary picture"
    bob.page.select_option("#sender", label="Alice")
    bob.press("Try")
    bob.page.wait_for_selector("h1:text('A photo, perhaps from Alice')", timeout=PATIENCE)
    assert "A likeness, by a key face" in bob.read() and "Nobody signed it" in bob.read()

    alice.go("keyfaces")
    alice.page.click("summary:text('Remove')")
    alice.press("Remove")
    alice.page.wait_for_selector("text=The key face is removed.")
    assert alice.served.session.profile.key_faces() == []


def test_a_key_face_needs_a_face(couple: tuple[Person, Person], group: bytes) -> None:
    alice, _ = couple
    alice.go("keyfaces")
    alice.page.fill("#name", "both of us")
    alice.give("#photos", "group.png", group)
    alice.press("Add")
    alice.page.wait_for_selector("[role=alert]", timeout=PATIENCE)
    assert "2 faces were found in the photo." in alice.page.inner_text("[role=alert]")


def test_the_passphrase_is_changed_by_whoever_knows_it(meet: Meet) -> None:
    alice = meet("Alice")

    def change(present: str, new: str, again: str) -> None:
        alice.go("you")
        for field, text in (("#present", present), ("#passphrase", new), ("#again", again)):
            alice.page.fill(field, text)
        alice.press("Change")

    change("a guess", "five words are even better", "five words are even better")
    alice.page.wait_for_selector("[role=alert]:has-text('The passphrase is wrong.')")
    change(PASSPHRASE, "one", "another")
    alice.page.wait_for_selector("[role=alert]:has-text('The two passphrases differ.')")
    change(PASSPHRASE, "five words are even better", "five words are even better")
    alice.page.wait_for_selector("text=The passphrase is changed.")
    alice.press("Lock")
    alice.page.fill("#passphrase", PASSPHRASE)
    alice.press("Unlock")
    alice.page.wait_for_selector("[role=alert]:has-text('The passphrase is wrong.')")
    alice.page.fill("#passphrase", "five words are even better")
    alice.press("Unlock")
    alice.page.wait_for_selector("h1:text('Send a photo')")


def test_a_revocation_ends_trust(couple: tuple[Person, Person]) -> None:
    alice, bob = couple
    bob.go("you")
    name, data = bob.saved("Save the revocation")
    assert name.endswith(".revocation")
    alice.go("contacts")
    alice.give("#card", name, data)
    alice.press("Add")
    alice.page.wait_for_selector("text=The keys are withdrawn.")
    assert look_up(alice, "Bob").withdrawn and "keys withdrawn" in alice.read()

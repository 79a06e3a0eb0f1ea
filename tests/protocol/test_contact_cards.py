"""Contact cards: signatures, text that notices typos, QR codes, words, rotation and revocation."""

from __future__ import annotations

import hashlib
import random
from io import BytesIO

import cv2
import numpy as np
import pytest
import stylecrypt_protocol as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from stylecrypt_protocol import bech32, primitives
from stylecrypt_protocol.card import Rotation
from stylecrypt_protocol.wordlist import WORDS

from ..support.sealed_messages import ALICE, BOB, CARDS, MALLORY, NOW

NAMES = st.text(st.characters(categories=["L", "N", "P", "S"]), min_size=1, max_size=30)


def card(identity: sp.Identity = ALICE, name: str = "Alice", created: int = NOW, **more: object) -> sp.Card:
    """A card of Alice."""
    return sp.Card.create(identity, user_id="@alice:example.org", display_name=name, created=created, **more)  # type: ignore[arg-type]


@settings(max_examples=50, deadline=None)
@given(NAMES, NAMES, st.integers(0, NOW), st.booleans())
def test_round_trips(user_id: str, name: str, created: int, rotated: bool) -> None:
    one = sp.Card.create(ALICE, user_id=user_id, display_name=name, created=created, previous=BOB if rotated else None)
    assert sp.Card.from_bytes(one.to_bytes()) == one
    assert sp.Card.from_text(one.to_text()) == one
    assert sp.Card.from_text(f"  {one.to_text().upper()}\n") == one


def test_every_single_typing_error_is_noticed() -> None:
    text = CARDS["alice"].to_text()
    for at in range(len(text)):
        for wrong in "qpzry9x8gf2tvdw0s3jn54khce6mua7l1bio ":
            if wrong != text[at]:
                with pytest.raises(sp.MalformedError):
                    bech32.decode("stylecard", text[:at] + wrong + text[at + 1 :])
    for at in range(len(text) - 1):
        swapped = text[:at] + text[at + 1] + text[at] + text[at + 2 :]
        if swapped != text:
            with pytest.raises(sp.MalformedError):
                sp.Card.from_text(swapped)
        with pytest.raises(sp.MalformedError):
            sp.Card.from_text(text[:at] + text[at + 1 :])


def test_any_two_wrong_symbols_are_noticed() -> None:
    """What one wrong symbol adds to the checksum, which is linear, is different for every place and value."""
    seen = set()
    for value in range(1, 32):
        check = value
        for _ in range(1023):
            assert check not in seen
            seen.add(check)
            top = check >> 25
            check = (check & 0x1FFFFFF) << 5
            for i, generator in enumerate(bech32._GENERATOR):
                if top >> i & 1:
                    check ^= generator
    assert len(seen) == 31 * 1023


@pytest.mark.parametrize(
    # BIP-173 and BIP-350 publish these as valid.
    ("text", "constant"),
    [
        ("a12uel5l", bech32.BECH32),
        ("abcdef1qpzry9x8gf2tvdw0s3jn54khce6mua7lmqqqxw", bech32.BECH32),
        ("split1checkupstagehandshakeupstreamerranterredcaperred2y9e3w", bech32.BECH32),
        ("?1ezyfcl", bech32.BECH32),
        ("a1lqfn3a", bech32.BECH32M),
        ("abcdef1l7aum6echk45nj3s0wdvt2fg8x9yrzpqzd3ryx", bech32.BECH32M),
        ("split1checkupstagehandshakeupstreamerranterredcaperredlc445v", bech32.BECH32M),
        ("?1v759aa", bech32.BECH32M),
    ],
)
def test_published_bech32(text: str, constant: int) -> None:
    prefix, _, symbols = text.rpartition("1")
    values = [bech32.ALPHABET.index(character) for character in symbols]
    assert bech32._polymod([*bech32._expand(prefix), *values]) == constant


@pytest.mark.parametrize(
    "text", ["", "stylecard1", "stylecard1qqqqq", "x" * 2000, "age1qqqqqqqqqq", "Stylecard1QQQQQQQ"]
)
def test_texts_that_are_refused(text: str) -> None:
    with pytest.raises(sp.MalformedError):
        sp.Card.from_text(text)


def test_text_with_left_over_bits_is_refused() -> None:
    data = bech32._regroup(b"abc", 8, 5)
    for symbols in ([*data[:-1], data[-1] | 1], [*data, 0]):
        check = bech32._polymod([*bech32._expand("x"), *symbols, 0, 0, 0, 0, 0, 0]) ^ bech32.BECH32M
        full = symbols + [check >> 5 * (5 - i) & 31 for i in range(6)]
        with pytest.raises(sp.MalformedError, match="canonical"):
            bech32.decode("x", "x1" + "".join(bech32.ALPHABET[symbol] for symbol in full))


def test_qr_code_is_read_by_a_reader_that_nobody_here_wrote() -> None:
    for one in (CARDS["alice"], card(previous=BOB)):
        file = BytesIO()
        one.to_qr().save(file, kind="png", scale=5)
        picture = np.array(Image.open(file).convert("L"))
        text, _, _ = cv2.QRCodeDetector().detectAndDecode(picture)
        assert sp.Card.from_text(text) == one


def test_the_longest_card_fits_everything() -> None:
    longest = sp.Card.create(BOB, user_id="@" * 255, display_name="é" * 64, created=NOW, previous=ALICE)
    assert len(longest.to_bytes()) == 622
    text = longest.to_text()
    assert len(text) + len("stylecard") <= 1023
    assert sp.Card.from_text(text) == longest
    assert int(longest.to_qr().version) <= 40


@pytest.mark.parametrize(
    "changes",
    [
        {"user_id": "@mallory:example.org"},
        {"display_name": "Mallory"},
        {"created": NOW + 1},
        {"sealing_key": MALLORY.sealing_key},
        {"signing_key": MALLORY.signing_key},
        {"rotation": Rotation(previous=BOB.signing_key, signature=bytes(64))},
        {"signature": bytes(64)},
    ],
)
def test_a_changed_card_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(sp.LocalProtocolError, match="signature"):
        sp.Card(**{**dict(CARDS["alice"]), **changes})
    forged = CARDS["alice"].model_copy(update=changes)
    with pytest.raises(sp.MalformedError):
        sp.Card.from_bytes(forged.to_bytes())


def test_sealing_keys_of_small_order_are_refused() -> None:
    fields = {**dict(CARDS["alice"]), "sealing_key": bytes(32)}
    with pytest.raises(sp.LocalProtocolError, match="small order"):
        sp.Card(**fields)


@pytest.mark.parametrize(
    "names", [("", "x"), ("a b", "x"), ("x", "a\nb"), ("x", "a" * 129), ("x" * 256, "x"), ("x", " a")]
)
def test_names_that_are_refused(names: tuple[str, str]) -> None:
    with pytest.raises(sp.LocalProtocolError):
        sp.Card.create(ALICE, user_id=names[0], display_name=names[1], created=NOW)


def test_ids_name_keys() -> None:
    assert card(name="Alicia").id == CARDS["alice"].id == ALICE.id
    mixed = sp.Identity.from_secret(sp.Secret(bytes([1]) * 32 + bytes([2]) * 32))
    assert len({mixed.id, ALICE.id, BOB.id}) == 3


def test_words() -> None:
    alice, bob = sp.card_words(CARDS["alice"]), sp.card_words(CARDS["bob"])
    assert len(alice) == 6
    assert set(alice) <= set(WORDS)
    assert sp.card_words(card(name="Alicia", created=NOW + 5)) == alice, "a new name keeps the words"
    pair = sp.pair_words(CARDS["alice"], CARDS["bob"])
    assert pair == sp.pair_words(CARDS["bob"], CARDS["alice"])
    assert pair in (alice + bob, bob + alice)
    other = sp.Card.create(ALICE, user_id="@eve:example.org", display_name="Alice", created=NOW)
    assert sp.card_words(other) != alice, "the same keys under another user id have other words"


def test_word_list() -> None:
    assert len(WORDS) == len({word[:4] for word in WORDS}) == 2048
    assert list(WORDS) == sorted(WORDS)
    assert hashlib.sha256("".join(f"{word}\n" for word in WORDS).encode()).hexdigest() == (
        "2f5eed53a4727b4bf8880d8f3f199efc90e58503646d9ff8eff3a2ed3b24dbda"
    )


def test_rotation() -> None:
    old, new = card(), card(BOB, created=NOW + 1, previous=ALICE)
    change = sp.compare_cards
    assert change(old, new) is sp.CardChange.ROTATED
    assert change(old, card(BOB, created=NOW + 1)) is sp.CardChange.CHANGED
    assert change(old, card(BOB, created=NOW + 1, previous=MALLORY)) is sp.CardChange.CHANGED
    assert change(old, card(BOB, created=NOW, previous=ALICE)) is sp.CardChange.CHANGED, "not newer"
    assert change(old, card(name="Alicia", created=NOW + 1)) is sp.CardChange.RENAMED
    assert change(old, card(name="Alicia", created=NOW - 1)) is sp.CardChange.SAME, "an old name does not come back"
    assert change(old, old) is sp.CardChange.SAME
    renamed = sp.Card.create(ALICE, user_id="@eve:example.org", display_name="Alice", created=NOW + 1)
    assert change(old, renamed) is sp.CardChange.CHANGED, "another user id"
    taken_over = sp.Card.create(BOB, user_id="@eve:example.org", display_name="Eve", created=NOW + 1, previous=ALICE)
    assert change(old, taken_over) is sp.CardChange.CHANGED


def test_revocation() -> None:
    one = sp.Revocation.create(ALICE, created=NOW, reason=sp.RevocationReason.REPLACED)
    assert one.id == CARDS["alice"].id
    assert len(one.to_bytes()) == 141
    assert sp.Revocation.from_bytes(one.to_bytes()) == one
    assert sp.Revocation.from_text(one.to_text()) == one
    for changes in (
        {"created": NOW + 1},
        {"reason": sp.RevocationReason.COMPROMISED},
        {"sealing_key": bytes(32)},
    ):
        with pytest.raises(sp.MalformedError):
            sp.Revocation.from_bytes(one.model_copy(update=changes).to_bytes())
    with pytest.raises(sp.MalformedError):
        sp.Card.from_text(one.to_text())


def test_a_withdrawn_signing_key_does_not_come_back_beside_another_sealing_key() -> None:
    revocation = sp.Revocation.create(ALICE, created=NOW, reason=sp.RevocationReason.COMPROMISED)
    thief = sp.Identity(sp.Secret(ALICE.to_secret().reveal()[:32]), sp.Secret(bytes([9]) * 32))
    stolen = card(thief, created=NOW + 1)
    assert stolen.id != revocation.id
    assert sp.compare_cards(card(), stolen) is sp.CardChange.CHANGED
    assert sp.compare_cards(card(), stolen, [revocation]) is sp.CardChange.REVOKED
    assert sp.compare_cards(card(), card(), [revocation]) is sp.CardChange.REVOKED
    assert [revocation.withdraws(one) for one in (card(), stolen, card(BOB))] == [True, True, False]


def test_new_keys_are_a_new_pair_of_both() -> None:
    signing, sealing = (ALICE.to_secret().reveal()[part] for part in (slice(32), slice(32, None)))
    other = sp.Secret(bytes([9]) * 32)
    with pytest.raises(sp.LocalProtocolError, match="replaces itself"):
        card(sp.Identity(sp.Secret(signing), other), created=NOW + 1, previous=ALICE)
    half = card(sp.Identity(other, sp.Secret(sealing)), created=NOW + 1, previous=ALICE)
    assert sp.compare_cards(card(), half) is sp.CardChange.CHANGED


def test_a_card_is_not_taken_from_the_future() -> None:
    card(created=NOW + sp.MAX_CLOCK_SKEW).check_date(NOW)
    with pytest.raises(sp.FromFutureError):
        card(created=NOW + sp.MAX_CLOCK_SKEW + 1).check_date(NOW)


@pytest.mark.parametrize("unseen", ["\u034f", "\u3164", "\u200b", "\ufeff", "\U000e0041", "\u00ad"])
def test_names_hold_nothing_that_cannot_be_seen(unseen: str) -> None:
    for user_id, name in (("@erik:x", f"Erik{unseen}"), ("@erik:x", unseen), (f"@erik{unseen}:x", "Erik")):
        with pytest.raises(sp.LocalProtocolError, match="cannot be seen"):
            sp.Card.create(ALICE, user_id=user_id, display_name=name, created=NOW)


def test_names_may_hold_what_scripts_and_emoji_need() -> None:
    for name in ("می\u200cخواهم", "\N{FAMILY}\ufe0f", "\N{WOMAN}\u200d\N{GIRL}"):
        assert card(name=name).display_name == name
    with pytest.raises(sp.LocalProtocolError, match="cannot be seen"):
        card(name="\u200d\ufe0f")


def test_a_withdrawn_key_vouches_for_nothing() -> None:
    revocation = sp.Revocation.create(ALICE, created=NOW, reason=sp.RevocationReason.COMPROMISED)
    new = card(BOB, created=NOW + 1, previous=ALICE)
    assert sp.compare_cards(card(), new, [revocation]) is sp.CardChange.CHANGED


def test_a_random_line_is_not_a_card() -> None:
    rng = random.Random(1)
    for _ in range(300):
        with pytest.raises(sp.MalformedError):
            sp.Card.from_text("stylecard1" + "".join(rng.choices(bech32.ALPHABET, k=300)))


def test_cards_and_revocations_are_told_apart() -> None:
    one = card()
    revocation = sp.Revocation.create(ALICE, created=NOW, reason=sp.RevocationReason.REPLACED)
    for made in (one, revocation):
        for data in (made.to_bytes(), made.to_text().encode(), f" {made.to_text().upper()}\r\n".encode()):
            assert sp.is_card(data)
            assert sp.read_card(data) == made
    for data in (b"", b"\x89PNG", "Größe".encode(), b"S" * 700):
        assert not sp.is_card(data)
        with pytest.raises(sp.MalformedError):
            sp.read_card(data)
    assert sp.read_card(f"\u00a0{one.to_text()}\n".encode()) == one


def test_a_key_has_one_encoding() -> None:
    keys = ALICE.to_secret().reveal()
    made = card().to_bytes()
    sealing = bytes(made[36:67]) + bytes([made[67] | 0x80])
    forged = made[:36] + sealing + made[68:-64]
    with pytest.raises(sp.MalformedError, match="one encoding"):
        sp.Card.from_bytes(forged + sp.Identity.from_secret(sp.Secret(keys)).sign(primitives.CARD, forged))


def test_a_card_is_found_in_what_somebody_wrote() -> None:
    text = card().to_text()
    assert sp.find_card(f"Here it is:\n{text}\nBye") == text
    assert sp.find_card(f"これ{text}です, and stylecard1{'q' * 300}") == text
    assert sp.find_card(f"stylecard1{'q' * 300} {text}") == text
    assert sp.find_card("stylecard1 is how they begin") is None

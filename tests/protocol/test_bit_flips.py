"""Any single bit flipped anywhere fails closed: an error of the remote branch, never an attribution."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest
import stylecrypt_protocol as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from stylecrypt_protocol import age, primitives
from stylecrypt_protocol.signed import SignedPart

from ..support.sealed_messages import (
    ALICE,
    BOB,
    CARDS,
    CONTACTS,
    COVER,
    COVER_IMAGE,
    NOW,
    describe,
    encoded,
    message,
    open_as,
)


def flips(data: bytes) -> Iterator[bytes]:
    """``data`` with each of its bits flipped in turn."""
    for bit in range(len(data) * 8):
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        yield bytes(flipped)


def test_envelope() -> None:
    """Every bit of framing, public part and seal, its unknown stanza included."""
    key_face = sp.KeyFace.new(COVER)
    for flipped in flips(message(describe(key_face=key_face), key_face=key_face).pack()):
        with pytest.raises(sp.RemoteProtocolError):
            open_as(BOB, sp.Envelope.unpack(flipped))


def test_decrypted_part() -> None:
    """As if the seal did not protect it."""
    envelope = message()
    plaintext = age.decrypt(envelope.sealed or b"", BOB)
    for flipped in flips(plaintext):
        with pytest.raises(sp.RemoteProtocolError):
            SignedPart(flipped).verify(sp.SealedPart, ALICE.signing_key)


def test_decrypted_part_signed_again() -> None:
    """As if the sender's program had a bug: whatever parses encodes to the very same bytes."""
    fields = SignedPart(age.decrypt(message().sealed or b"", BOB)).fields
    for flipped in flips(fields):
        signed = SignedPart.__new__(SignedPart)
        signed.fields, signed.signature = flipped, ALICE.sign(primitives.MESSAGE, flipped)
        try:
            content = signed.verify(sp.SealedPart, ALICE.signing_key)
        except sp.RemoteProtocolError:
            continue
        assert content.to_fields() == flipped


def test_shared_key_face() -> None:
    shared = sp.share_key_face(ALICE, [CARDS["bob"]], sp.KeyFace.new(COVER), b"picture", sent_at=NOW)
    for flipped in flips(shared):
        with pytest.raises(sp.RemoteProtocolError):
            sp.open_key_face(flipped, BOB, CONTACTS, now=NOW)


def test_public_part_has_one_encoding() -> None:
    data = describe(key_face=sp.KeyFace.new(COVER)).to_bytes()
    for flipped in flips(data):
        try:
            public = sp.PublicPart.from_bytes(flipped)
        except sp.RemoteProtocolError:
            continue
        assert public.to_bytes() == flipped


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_carried_payload(kind: str) -> None:
    """In a picture, each flipped bit of our own chunk is noticed at the latest by the envelope."""
    envelope = message(residual=sp.Residual(kind=sp.ResidualKind.STYLES, data=b"x"))
    picture = encoded(COVER_IMAGE.resize((8, 8)), kind)
    full = sp.put(picture, envelope.pack())
    ours = next(i for i in range(len(full)) if full[i : i + 12] != picture[i : i + 12])
    for bit in range(ours * 8, min(len(full), ours + len(full) - len(picture)) * 8, 3):
        flipped = bytearray(full)
        flipped[bit // 8] ^= 1 << bit % 8
        try:
            packed = sp.take(bytes(flipped))
            if packed is not None:
                open_as(BOB, sp.Envelope.unpack(packed))
                assert packed == envelope.pack(), "attributed, so it has to be the very same"
        except sp.RemoteProtocolError:
            pass


def test_card_and_revocation() -> None:
    rotated = sp.Card.create(BOB, user_id="@b:x", display_name="B", created=1, previous=ALICE)
    for data in (CARDS["alice"].to_bytes(), rotated.to_bytes()):
        for flipped in flips(data):
            with pytest.raises(sp.RemoteProtocolError):
                sp.Card.from_bytes(flipped)
    revocation = sp.Revocation.create(ALICE, created=1, reason=sp.RevocationReason.COMPROMISED)
    for flipped in flips(revocation.to_bytes()):
        with pytest.raises(sp.RemoteProtocolError):
            sp.Revocation.from_bytes(flipped)


def test_cover() -> None:
    """A flipped bit of a pixel is a changed copy, or another picture; never the exact one."""
    envelope, rgb = message(), bytearray(COVER.rgb)
    for at in range(0, len(rgb), 7919):
        rgb[at] ^= 1
        verdict = open_as(BOB, envelope, sp.Pixels(width=COVER.width, height=COVER.height, rgb=bytes(rgb))).cover
        assert verdict is sp.CoverVerdict.CHANGED
        rgb[at] ^= 1


PUBLIC = describe()
PARSERS = {
    "envelope": sp.Envelope.unpack,
    "public part": sp.PublicPart.from_bytes,
    "card": sp.Card.from_bytes,
    "revocation": sp.Revocation.from_bytes,
    "picture": sp.take,
    "decrypted": lambda data: SignedPart(data).verify(sp.SealedPart, ALICE.signing_key),
    "key face": lambda data: sp.open_key_face(b"SCH\1" + data, BOB, CONTACTS, now=NOW),
    "seal": lambda data: age.decrypt(data, BOB),
    "file": lambda data: sp.StorageKey(secret=sp.Secret(bytes(32))).decrypt(data, ""),
}
STARTS = st.sampled_from(
    [
        b"",
        b"SCE\1",
        b"SCC\1",
        b"SCR\1",
        b"\1\2",
        age.INTRO,
        b"\x89PNG\r\n\x1a\n",
        b"\xff\xd8\xff\xe9",
        b"RIFF",
    ]
)


@pytest.mark.parametrize("name", PARSERS)
@settings(max_examples=150, deadline=None)
@given(start=STARTS, rest=st.binary(max_size=400))
def test_any_bytes_parse_or_raise_a_remote_error(name: str, start: bytes, rest: bytes) -> None:
    with contextlib.suppress(sp.RemoteProtocolError):
        PARSERS[name](start + rest)


@settings(max_examples=100, deadline=None)
@given(at=st.integers(0, 1000), cut=st.integers(0, 40), put=st.binary(max_size=40))
def test_any_edit_of_an_envelope_fails_closed(at: int, cut: int, put: bytes) -> None:
    packed = message(PUBLIC).pack()
    edited = packed[: at % len(packed)] + put + packed[at % len(packed) + cut :]
    if edited != packed:
        with pytest.raises(sp.RemoteProtocolError):
            open_as(BOB, sp.Envelope.unpack(edited))

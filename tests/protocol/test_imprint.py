"""The message in the pixels: who can read it, and what a reader refuses. SPEC.md annex B.3."""

from __future__ import annotations

from typing import Any

import pytest
import stylecrypt_protocol as sp
from stylecrypt_protocol import primitives

from ..support.sealed_messages import ALICE, BOB, CARDS, CAROL, CONTACTS, COVER, MALLORY, NOW, painting, pixels

FACE = sp.ImprintedFace(left=10, top=5, columns=9, rows=3, cells=b"\xff\xff\xff\xe0", picture=b"a picture")
ID = sp.MessageId(bytes(range(16)))
SIZE = 1020


def seal(
    to: tuple[str, ...] = ("bob",), sender: sp.Identity = ALICE, cover: sp.Pixels = COVER, **changes: Any
) -> bytes:
    fields: dict[str, Any] = {"size": SIZE, "message_id": ID, "sent_at": NOW, "caption": "Grüße", **changes}
    faces = fields.pop("faces", [FACE])
    return sp.seal_imprint(sender, [CARDS[name] for name in to], cover, faces, **fields)


def opened(imprint: bytes, who: sp.Identity = BOB, cover: sp.Pixels = COVER, **changes: Any) -> sp.OpenedImprint:
    fields: dict[str, Any] = {"now": NOW + 60, "seen": None, **changes}
    contacts = fields.pop("contacts", CONTACTS)
    return sp.open_imprint(imprint, who, contacts, cover, **fields)


def test_all_recipients_read_it_and_nobody_else() -> None:
    imprint = seal(("bob", "carol"), left_out=2)
    assert len(imprint) == SIZE
    for who in (BOB, CAROL):
        got = opened(imprint, who)
        assert got.sender == CARDS["alice"]
        assert (got.content.message_id, got.content.faces, got.content.caption) == (ID, (FACE,), "Grüße")
        assert (got.content.left_out, got.elsewhere) == (2, False)
    for stranger in (ALICE, MALLORY):
        with pytest.raises(sp.NotForMeError):
            opened(imprint, stranger)


def test_nothing_links_two_of_them() -> None:
    one, other = seal(), seal()
    assert sum(a == b for a, b in zip(one, other, strict=True)) < 30
    assert one.find(CARDS["alice"].id) < 0 and one.find(ID) < 0


def test_how_large_it_is_is_known_before() -> None:
    for to, caption in ((("bob",), ""), (("bob", "carol"), "Grüße")):
        size = sp.imprint_bytes(len(to), caption) + len(FACE.to_bytes())
        assert len(seal(to, size=size, caption=caption)) == size
        with pytest.raises(sp.LocalProtocolError, match="do not fit"):
            seal(to, size=size - 1, caption=caption)


@pytest.mark.parametrize("at", [0, 31, 40, 80, 81, 500, SIZE - 1])
def test_no_bit_may_be_changed(at: int) -> None:
    imprint = bytearray(seal())
    imprint[at] ^= 1
    with pytest.raises(sp.RemoteProtocolError):
        opened(bytes(imprint))


@pytest.mark.parametrize("length", [0, 1, 80, 81, 97, SIZE - 1])
def test_no_byte_may_be_missing(length: int) -> None:
    with pytest.raises(sp.RemoteProtocolError):
        opened(seal()[:length])


def test_a_contact_cannot_pass_it_on() -> None:
    """Bob takes what Alice signed for him, and seals it to Carol."""
    imprint = seal()
    opening = BOB.open(primitives.IMPRINT, imprint[:81])
    assert opening is not None
    inside = primitives.xchacha20poly1305_decrypt(
        opening[:32], bytes(24), imprint[81:], primitives.IMPRINT + imprint[:81]
    )
    assert inside is not None
    stanza = primitives.hpke_seal(CARDS["carol"].sealing_key, primitives.IMPRINT, opening[:32] + b"\1")
    forged = stanza + primitives.xchacha20poly1305_encrypt(opening[:32], bytes(24), inside, primitives.IMPRINT + stanza)
    with pytest.raises(sp.ForwardedError):
        opened(forged, CAROL)


def test_strangers_and_withdrawn_keys() -> None:
    with pytest.raises(sp.StrangerError):
        opened(seal(), contacts={})
    revocation = sp.Revocation.create(ALICE, created=NOW, reason=sp.RevocationReason.COMPROMISED)
    with pytest.raises(sp.RevokedKeyError):
        opened(seal(), contacts={ALICE.id: revocation})


def test_another_picture() -> None:
    imprint = seal()
    with pytest.raises(sp.CoverMismatchError):
        opened(imprint, cover=pixels(painting(2)))
    with pytest.raises(sp.CoverMismatchError):
        opened(imprint, cover=pixels(painting(1).crop((0, 0, 320, 200))))
    assert opened(imprint, cover=pixels(painting(1).resize((200, 150)))).sender == CARDS["alice"]


def test_even_covers_are_refused() -> None:
    even = sp.Pixels(width=64, height=64, rgb=bytes([128]) * (64 * 64 * 3))
    with pytest.raises(sp.LocalProtocolError, match="even"):
        seal(cover=even)


def test_time_and_chat() -> None:
    with pytest.raises(sp.FromFutureError):
        opened(seal(sent_at=NOW + 3600))
    seen = sp.MemorySeenStore()
    with pytest.raises(sp.TooOldError):
        opened(seal(), now=NOW + sp.MAX_AGE + 1, seen=seen)
    imprint = seal(chat="!family:example.org")
    assert opened(imprint, chat="!work:example.org").elsewhere
    assert not opened(imprint, chat="!family:example.org").elsewhere
    assert not opened(imprint).elsewhere


def test_it_is_one_message_with_its_envelope() -> None:
    """After the imprint, the envelope still opens, because it brings more; not the other way round."""
    public = sp.PublicPart.describe(
        COVER, level=sp.Level.ORIGINAL, model_hash=b"\x11" * 32, styles=18, replaced=[3], faces=[], message_id=ID
    )
    residual = sp.Residual(kind=sp.ResidualKind.FACES, data=b"pixels")
    envelope = sp.seal_message(ALICE, [CARDS["bob"]], public, COVER, sent_at=NOW, residual=residual)
    imprint = seal()

    def read(seen: sp.MemorySeenStore, *kinds: str) -> None:
        for kind in kinds:
            if kind == "imprint":
                opened(imprint, seen=seen)
            else:
                sp.open_message(envelope, BOB, CONTACTS, COVER, now=NOW + 60, seen=seen)

    read(sp.MemorySeenStore(), "imprint", "envelope")
    for kinds in (("imprint", "imprint"), ("envelope", "imprint")):
        with pytest.raises(sp.ReplayedError):
            read(sp.MemorySeenStore(), *kinds)


@pytest.mark.parametrize(
    "wrong",
    [
        {"left": 60},
        {"top": 63},
        {"columns": 0},
        {"cells": b"\xff\xff\xff"},
        {"cells": b"\xff\xff\xff\xff"},
        {"picture": b""},
    ],
)
def test_faces_outside_of_the_picture(wrong: dict[str, Any]) -> None:
    with pytest.raises(sp.LocalProtocolError):
        sp.ImprintedFace(**{**FACE.model_dump(), **wrong})


def test_limits() -> None:
    with pytest.raises(sp.LocalProtocolError, match="1 to 8 recipients"):
        sp.seal_imprint(ALICE, [CARDS["bob"]] * 9, COVER, [FACE], size=SIZE, message_id=ID, sent_at=NOW)
    with pytest.raises(sp.LocalProtocolError):
        seal(faces=[FACE] * (sp.MAX_IMPRINT_FACES + 1), size=4080)
    with pytest.raises(sp.LocalProtocolError):
        seal(size=5000)
    with pytest.raises(sp.MalformedError):
        opened(bytes(5000))

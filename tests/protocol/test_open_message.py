"""Making and opening messages: what is attributed, what is refused, and in which order."""

from __future__ import annotations

import numpy as np
import pytest
import stylecrypt_protocol as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from stylecrypt_protocol import age
from stylecrypt_protocol.sealed import SealedPart
from stylecrypt_protocol.signed import SignedPart

from ..support.sealed_messages import (
    ALICE,
    BOB,
    CARDS,
    CAROL,
    CONTACTS,
    COVER,
    COVER_IMAGE,
    FACE,
    MALLORY,
    NOW,
    decoded,
    describe,
    encoded,
    message,
    open_as,
    painting,
    pixels,
)

CAPTIONS = st.text(st.characters(categories=["L", "N", "P", "S", "Zs"]), max_size=300)


def content_of(envelope: sp.Envelope, identity: sp.Identity = BOB) -> SealedPart:
    """The sealed part of a message from Alice."""
    return SignedPart(age.decrypt(envelope.sealed or b"", identity)).verify(sp.SealedPart, ALICE.signing_key)


def sealed_again(envelope: sp.Envelope, plaintext: bytes, to: str = "bob") -> sp.Envelope:
    """The same public part with another plaintext sealed to somebody."""
    return sp.Envelope(public=envelope.public, sealed=age.encrypt(plaintext, [CARDS[to].sealing_key]))


def test_round_trip() -> None:
    opened = open_as(BOB, sp.Envelope.unpack(message(to=("bob", "carol", "alice")).pack()))
    assert opened.sender == CARDS["alice"]
    assert opened.cover is sp.CoverVerdict.EXACT
    assert opened.public.level is sp.Level.LATENT
    assert opened.content.residual.data == b"style vectors"
    assert (opened.content.caption, opened.content.file_name) == ("hello", "holiday.jpg")
    assert opened.content.sent_at == NOW
    assert set(opened.content.recipients) == {BOB.id, CAROL.id, ALICE.id}


@settings(max_examples=40, deadline=None)
@given(
    level=st.sampled_from([level for level in sp.Level if level.number]),
    whole_file=st.booleans(),
    data=st.binary(min_size=1, max_size=3000),
    replaced=st.sets(st.integers(0, 17), min_size=1),
    corners=st.lists(st.tuples(*[st.tuples(*[st.floats(-400, 400)] * 2)] * 4), min_size=1, max_size=32),
    sent_at=st.integers(0, NOW),
    caption=CAPTIONS,
    committed=st.booleans(),
    to=st.sets(st.sampled_from(["alice", "carol", "mallory"])),
)
def test_any_message_round_trips(
    level: sp.Level,
    whole_file: bool,
    data: bytes,
    replaced: set[int],
    corners: list[tuple[tuple[float, float], ...]],
    sent_at: int,
    caption: str,
    committed: bool,
    to: set[str],
) -> None:
    kinds = {
        sp.Level.KEYFACE: sp.ResidualKind.NONE,
        sp.Level.LATENT: sp.ResidualKind.STYLES,
        sp.Level.ORIGINAL: sp.ResidualKind.FILE if whole_file else sp.ResidualKind.FACES,
    }
    residual = sp.Residual(kind=kinds[level], data=b"" if level is sp.Level.KEYFACE else data)
    key_face = sp.KeyFace.new(COVER) if committed else None
    public = describe(
        level=level,
        replaced=replaced,
        faces=[sp.WireQuad.from_pixels(quad) for quad in corners[:8]],
        key_face=key_face,
    )
    envelope = message(
        public,
        to=("bob", *sorted(to)),
        residual=residual,
        sent_at=sent_at,
        caption=caption,
        key_face=key_face,
    )
    packed = envelope.pack()
    assert sp.Envelope.unpack(packed) == envelope
    assert sp.Envelope.unpack(packed).pack() == packed
    opened = open_as(BOB, sp.Envelope.unpack(packed))
    assert opened.content.residual == residual
    assert opened.content.caption == caption
    assert (opened.content.opening is not None) == committed


def test_not_a_recipient() -> None:
    with pytest.raises(sp.NotForMeError):
        open_as(CAROL, message())


def test_stranger_and_revoked() -> None:
    envelope = message()
    others = {id_: card for id_, card in CONTACTS.items() if id_ != ALICE.id}
    with pytest.raises(sp.StrangerError) as raised:
        open_as(BOB, envelope, contacts=others)
    assert raised.value.card_id == ALICE.id
    revocation = sp.Revocation.create(ALICE, created=NOW, reason=sp.RevocationReason.COMPROMISED)
    with pytest.raises(sp.RevokedKeyError):
        open_as(BOB, envelope, contacts={**CONTACTS, revocation.id: revocation})


def test_unsealed() -> None:
    envelope = sp.Envelope(public=describe(level=sp.Level.KEYFACE))
    assert sp.Envelope.unpack(envelope.pack()) == envelope
    with pytest.raises(sp.UnsealedError):
        open_as(BOB, envelope)


def test_forged_sender() -> None:
    """Mallory, whom Bob knows, writes in Alice's name."""
    honest = message(sender=MALLORY)
    plaintext = age.decrypt(honest.sealed or b"", BOB)
    forged = plaintext[:5] + ALICE.id + plaintext[21:]
    with pytest.raises(sp.BadSignatureError):
        open_as(BOB, sealed_again(honest, forged))


def test_forwarded() -> None:
    """Bob seals what Alice wrote to him again, to Carol."""
    envelope = message()
    with pytest.raises(sp.ForwardedError):
        open_as(CAROL, sealed_again(envelope, age.decrypt(envelope.sealed or b"", BOB), "carol"))


def test_moved_to_another_public_part() -> None:
    first, second = message(), message(describe(replaced=[1]))
    with pytest.raises(sp.MovedError):
        open_as(BOB, sp.Envelope(public=second.public, sealed=first.sealed))


def test_swapped_picture_is_not_attributed() -> None:
    """Neither with the original envelope, nor with a public part that describes the swapped picture."""
    envelope, other = message(), pixels(painting(2))
    with pytest.raises(sp.CoverMismatchError):
        open_as(BOB, envelope, other)
    with pytest.raises(sp.MovedError):
        open_as(BOB, sp.Envelope(public=describe(other), sealed=envelope.sealed), other)


def test_reencoded_picture_is_changed_and_not_forged() -> None:
    copy = pixels(decoded(encoded(COVER_IMAGE, "JPEG", quality=60)))
    assert open_as(BOB, message(), copy).cover is sp.CoverVerdict.CHANGED


def test_time() -> None:
    envelope = message()
    assert open_as(BOB, envelope, now=NOW - sp.MAX_CLOCK_SKEW)
    with pytest.raises(sp.FromFutureError):
        open_as(BOB, envelope, now=NOW - sp.MAX_CLOCK_SKEW - 1)
    store = sp.MemorySeenStore()
    with pytest.raises(sp.TooOldError):
        open_as(BOB, envelope, now=NOW + sp.MAX_AGE + 1, seen=store)
    assert open_as(BOB, envelope, now=NOW + sp.MAX_AGE, seen=store)
    assert open_as(BOB, envelope, now=NOW * 2), "an archive has no time window"


def test_replay() -> None:
    envelope, store = message(), sp.MemorySeenStore()
    assert open_as(BOB, envelope, seen=store)
    with pytest.raises(sp.ReplayedError):
        open_as(BOB, envelope, seen=store)
    assert open_as(BOB, message(), seen=store), "another message"
    # A contact who copies the public id of Alice's message cannot use it up.
    store = sp.MemorySeenStore()
    assert open_as(BOB, message(envelope.public, sender=MALLORY), seen=store)
    assert open_as(BOB, envelope, seen=store)
    # What fails is not remembered.
    store = sp.MemorySeenStore()
    with pytest.raises(sp.CoverMismatchError):
        open_as(BOB, envelope, pixels(painting(2)), seen=store)
    assert open_as(BOB, envelope, seen=store)


def test_an_exact_copy_is_new_after_changed_ones() -> None:
    """Otherwise, posting a doctored copy first would block the sender's own."""
    envelope, store = message(), sp.MemorySeenStore()
    copy = pixels(decoded(encoded(COVER_IMAGE, "JPEG", quality=70)))
    assert open_as(BOB, envelope, copy, seen=store).cover is sp.CoverVerdict.CHANGED
    with pytest.raises(sp.ReplayedError):
        open_as(BOB, envelope, copy, seen=store)
    assert open_as(BOB, envelope, seen=store).cover is sp.CoverVerdict.EXACT
    for again in (COVER, copy):
        with pytest.raises(sp.ReplayedError):
            open_as(BOB, envelope, again, seen=store)


def test_the_chat_is_signed() -> None:
    family, work = "!family:example.org", "!work:example.org"
    assert not open_as(BOB, message(chat=family), chat=family).elsewhere
    assert not open_as(BOB, message(chat=family)).elsewhere, "nobody knows where it was found"
    assert open_as(BOB, message(chat=family), chat=work).elsewhere
    assert not open_as(BOB, message(), chat=work).elsewhere, "no chat in particular"
    with pytest.raises(sp.LocalProtocolError, match="not text"):
        message(chat="\ud800")


def test_a_copy_in_another_chat_does_not_bar_the_one_where_it_was_meant() -> None:
    envelope, store = message(chat="!family:example.org"), sp.MemorySeenStore()
    assert open_as(BOB, envelope, seen=store, chat="!work:example.org").elsewhere
    assert not open_as(BOB, envelope, seen=store, chat="!family:example.org").elsewhere
    for chat in ("!work:example.org", "!family:example.org"):
        with pytest.raises(sp.ReplayedError):
            open_as(BOB, envelope, seen=store, chat=chat)


def test_memory_store_forgets_only_what_is_refused_anyway() -> None:
    envelope, store = message(), sp.MemorySeenStore()
    open_as(BOB, envelope, seen=store)
    store.forget(NOW + sp.MAX_AGE + sp.MAX_CLOCK_SKEW)
    with pytest.raises(sp.ReplayedError):
        open_as(BOB, envelope, seen=store)
    store.forget(NOW + sp.MAX_AGE + sp.MAX_CLOCK_SKEW + 1)
    with pytest.raises(sp.TooOldError):
        open_as(BOB, envelope, seen=store, now=NOW + sp.MAX_AGE + 1)


def test_misuse_seals_nothing() -> None:
    with pytest.raises(sp.LocalProtocolError, match="another cover"):
        message(describe(pixels(painting(2))))
    with pytest.raises(sp.LocalProtocolError, match="residual of kind none"):
        message(residual=sp.Residual())
    with pytest.raises(sp.LocalProtocolError, match="recipients"):
        message(to=())
    with pytest.raises(sp.LocalProtocolError, match="key face"):
        message(key_face=sp.KeyFace.new(COVER))
    with pytest.raises(sp.LocalProtocolError, match="key face"):
        message(describe(key_face=sp.KeyFace.new(COVER)), key_face=sp.KeyFace.new(COVER))
    with pytest.raises(sp.LocalProtocolError, match="sent_at"):
        message(sent_at=-1)


@pytest.mark.parametrize(
    "name",
    [
        "a/b",
        "a\\b",
        "..",
        ".hidden",
        "x.",
        "a\x00b",
        "a\nb",
        "C:x",
        " a",
        "a ",
        "\u202egpj.exe",
        "x" * 256,
        "é" * 128,
    ],
)
def test_file_names_that_are_refused(name: str) -> None:
    with pytest.raises(sp.LocalProtocolError, match="file_name"):
        message(file_name=name)


def test_captions() -> None:
    assert content_of(message(caption="two\nlines, 家族 👨‍👩‍👧")).caption.startswith("two\n")
    for caption in ("x" * 4097, "a\rb", "a\x1b[31mb", "\u2066x"):
        with pytest.raises(sp.LocalProtocolError, match="caption"):
            message(caption=caption)


@pytest.mark.parametrize("name", ["recipients", "sketch", "residual", "opening"])
def test_signed_nonsense_is_malformed(name: str) -> None:
    """Nonsense signed by a contact's broken or malicious program is refused as well."""
    key_face = sp.KeyFace.new(COVER)
    public = describe(key_face=key_face)
    content = content_of(message(public, key_face=key_face))
    wrong = {
        "recipients": (*content.recipients, *content.recipients),
        "sketch": content.sketch + bytes(32),
        "residual": sp.Residual(kind=sp.ResidualKind.FILE, data=b"x"),
        "opening": sp.KeyFace.new(COVER).open(public.message_id),
    }
    bad = content.model_copy(update={name: wrong[name]})
    envelope = sp.Envelope(public=public, sealed=age.encrypt(bad.sign(ALICE), [CARDS["bob"].sealing_key]))
    with pytest.raises(sp.MalformedError):
        open_as(BOB, envelope)


def test_only_the_sender_signs() -> None:
    with pytest.raises(sp.LocalProtocolError, match="another identity"):
        content_of(message()).sign(BOB)


def test_many_recipients_and_their_limit() -> None:
    cards = [
        sp.Card.create(sp.Identity.generate(), user_id=f"@{n}:x", display_name=str(n), created=NOW) for n in range(127)
    ]
    public = describe()
    residual = sp.Residual(kind=sp.ResidualKind.STYLES, data=b"x")
    envelope = sp.seal_message(ALICE, [*cards, CARDS["bob"]], public, COVER, sent_at=NOW, residual=residual)
    assert len(open_as(BOB, envelope).content.recipients) == 128
    with pytest.raises(sp.LocalProtocolError, match="recipients"):
        sp.seal_message(ALICE, [*cards, CARDS["bob"], CARDS["carol"]], public, COVER, sent_at=NOW, residual=residual)


def test_commitments() -> None:
    mine, other = sp.KeyFace.new(COVER), sp.KeyFace.new(pixels(painting(3)))
    public = describe(key_face=mine)
    assert sp.pick_key_face(public, [other, mine, other]) == mine
    assert sp.pick_key_face(public, [other]) is None
    assert sp.pick_key_face(public, []) is None
    assert sp.pick_key_face(describe(), [mine]) is None
    assert public.opened_by(mine.open(public.message_id))
    elsewhere = describe(key_face=mine)
    assert public.commitment != elsewhere.commitment, "two messages are not linked"
    assert not elsewhere.opened_by(mine.open(public.message_id))
    # Without the secret, the right photo is nothing to test a guess on.
    guess = sp.KeyFace(digest=mine.digest, secret=sp.Secret(bytes(32)))
    assert sp.pick_key_face(public, [guess]) is None
    # Copied into a public part that describes somebody else's picture, it holds no more.
    spliced = public.model_copy(update={"cover_digest": bytes(32)})
    assert sp.pick_key_face(spliced, [mine]) is None
    with pytest.raises(sp.LocalProtocolError, match="32 bytes"):
        sp.KeyFace(digest=bytes(32), secret=sp.Secret(b"short"))


def test_shared_key_face() -> None:
    key_face, picture = sp.KeyFace.new(COVER), encoded(COVER_IMAGE, "PNG")
    shared = sp.share_key_face(ALICE, [CARDS["bob"], CARDS["carol"]], key_face, picture, sent_at=NOW)
    for who in (BOB, CAROL):
        opened = sp.open_key_face(shared, who, CONTACTS, now=NOW)
        assert opened.sender == ALICE.id
        assert opened.key_face == key_face
        assert opened.picture == picture
        assert sp.pick_key_face(describe(key_face=key_face), [opened.key_face]) == key_face
    with pytest.raises(sp.NotForMeError):
        sp.open_key_face(shared, MALLORY, CONTACTS, now=NOW)
    with pytest.raises(sp.StrangerError):
        sp.open_key_face(shared, BOB, {}, now=NOW)
    passed_on = b"SCH\1" + age.encrypt(age.decrypt(shared[4:], BOB), [MALLORY.sealing_key])
    with pytest.raises(sp.ForwardedError):
        sp.open_key_face(passed_on, MALLORY, CONTACTS, now=NOW)
    with pytest.raises(sp.TooLargeError):
        sp.open_key_face(bytes(8 * 1024 * 1024 + 1), BOB, CONTACTS, now=NOW)
    with pytest.raises(sp.LocalProtocolError, match="picture"):
        sp.share_key_face(ALICE, [CARDS["bob"]], key_face, bytes(4 * 1024 * 1024 + 1), sent_at=NOW)
    # A message is no key face, although both are signed and sealed alike.
    with pytest.raises(sp.BadSignatureError):
        sp.open_key_face(b"SCH\1" + (message().sealed or b""), BOB, CONTACTS, now=NOW)


def inversion(numbers: NDArray[np.float16], model: int = 1) -> sp.Inversion:
    """Codes (n_styles, style_dim)."""
    styles, dimensions = numbers.shape
    return sp.Inversion(
        model_hash=bytes([model]) * 32, styles=styles, dimensions=dimensions, codes=numbers.astype("<f2").tobytes()
    )


def test_a_shared_key_face_brings_its_codes() -> None:
    numbers = np.random.default_rng(0).normal(size=(16, 512)).astype(np.float16)
    prepared = [inversion(numbers, model) for model in (4, 2, 3, 1)]
    shared = sp.share_key_face(ALICE, [CARDS["bob"]], sp.KeyFace.new(COVER), b"picture", sent_at=NOW, prepared=prepared)
    opened = sp.open_key_face(shared, BOB, CONTACTS, now=NOW)
    assert (list(opened.prepared), opened.picture) == (prepared, b"picture")
    assert sp.Inversion.from_bytes(prepared[0].to_bytes()) == prepared[0]
    for wrong in ([*prepared, inversion(numbers, 5)], [prepared[0]] * 2):
        with pytest.raises(sp.LocalProtocolError, match="prepared"):
            sp.share_key_face(ALICE, [CARDS["bob"]], sp.KeyFace.new(COVER), b"x", sent_at=NOW, prepared=wrong)
    for data in (b"", prepared[0].to_bytes()[:-1], prepared[0].to_bytes() + b"\0"):
        with pytest.raises(sp.MalformedError):
            sp.Inversion.from_bytes(data)


def test_codes_are_finite() -> None:
    every = np.arange(2**16, dtype=np.uint16).view(np.float16)
    for half in every[np.isfinite(every)].reshape(2, 31, 1024):
        inversion(half)
    for number in every[~np.isfinite(every)]:
        with pytest.raises(sp.LocalProtocolError, match="not all finite"):
            inversion(np.array([[1, number]], np.float16))


def test_the_public_part_names_nobody() -> None:
    packed = message(to=("bob", "carol")).pack()
    for card in CARDS.values():
        for secret in (
            card.id,
            card.signing_key,
            card.sealing_key,
            card.user_id.encode(),
            b"holiday",
            b"hello",
        ):
            assert secret not in packed
    assert FACE.corners[0] == (60 * 64, 40 * 64)

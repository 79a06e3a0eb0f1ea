"""Messages as users see them: who gets what back, and what is refused."""

from __future__ import annotations

import io
import time
from typing import Any

import cv2
import numpy as np
import pytest
import stylecrypt_protocol as protocol
from PIL import Image

from stylecrypt_msg import EncryptedPhoto, Level, StyleCrypt, standins
from stylecrypt_msg.cipher import cover, to_pixels
from stylecrypt_msg.effort import COVER_STEPS
from stylecrypt_msg.errors import (
    FaceError,
    InputError,
    LikenessError,
    MessageError,
    ModelError,
    NoMessageError,
    NotAuthorisedError,
    RefusedError,
    Remedy,
)
from stylecrypt_msg.faces import Refusal, certain_faces, crop, detect_faces, face_quad
from stylecrypt_msg.messenger import Arrival
from stylecrypt_msg.models import FaceModel
from stylecrypt_msg.pictures import AI_MADE, Pixels, encode_picture, read_picture
from stylecrypt_msg.recognisers import installed_recognisers
from stylecrypt_msg.standins import seeds

from ..conftest import People
from .conftest import MARKER, Parties, Send, reencoded, share_key_face

pytestmark = pytest.mark.usefixtures("short_descents")


def decibels(a: Pixels, b: Pixels, where: Any = ...) -> float:
    off = a[where].astype(float) - b[where]
    return float(10 * np.log10(255**2 / max(np.mean(off * off), 1e-9)))


def face_of(original: Pixels) -> Any:
    """The face, from brows to chin."""
    left, top, width, height = certain_faces(original)[0].box
    return slice(int(top), int(top + height)), slice(int(left), int(left + width))


def as_message(sent: EncryptedPhoto) -> protocol.Envelope:
    assert sent.packed is not None
    return protocol.Envelope.unpack(sent.packed)


# ---- the levels


def test_the_photo_as_it_was(together: Parties, send: Send, photo: bytes, original: Pixels) -> None:
    sent = send(caption="Grüße", file_name="a.jpg")
    assert (sent.level, sent.envelope, sent.media_type, sent.suffix) == (Level.ORIGINAL, None, "image/jpeg", ".jpg")
    assert len(sent.picture) <= 1.1 * len(photo)
    got = together.bob.decrypt(sent)
    assert (got.level, str(got.sender), got.signed, got.verified, got.cover) == (
        "original",
        "Alice",
        True,
        False,
        "exact",
    )
    assert (got.caption, got.file_name, got.warnings, got.message_id) == ("Grüße", "a.jpg", (), sent.message_id)
    assert got.sent_at is not None
    assert abs(got.sent_at - time.time()) < 60
    assert decibels(got.pixels, original, face_of(original)) >= 44
    assert got.image.size == original.shape[1::-1]
    # The sender can open it as well.
    own = together.alice.decrypt(sent)
    assert (str(own.sender), own.verified, own.level) == ("Alice", True, "original")


def test_everybody_else_sees_somebody_else(send: Send, original: Pixels) -> None:
    shown = read_picture(send().picture).pixels
    there, here = (face_quad(certain_faces(pixels)[0].landmarks) for pixels in (original, shown))
    assert decibels(crop(shown, here, 128), crop(original, there, 128)) < 25
    assert len(detect_faces(shown)) == 1


def test_a_blurred_face_comes_back(parties: Parties, people: People) -> None:
    only = np.ascontiguousarray(people.cut[:, 290:])
    file = encode_picture(only, "PNG")
    sent = parties.alice.encrypt(file, to=["Bob"])
    assert (sent.leaks.faces_covered, sent.leaks.likenesses, sent.leaks.looks_like_sender) == (0, (), False)
    assert sent.leaks.faces == "0 of 1 faces replaced, 1 blurred"
    assert sent.leaks.unreplaced == (
        "Face 1 of 1 from the left is blurred: the face is cut off by the border of the picture.",
    )
    shown = read_picture(sent.picture).pixels
    assert decibels(shown[60:200, 50:], only[60:200, 50:]) < 25
    got = parties.bob.decrypt(sent)
    assert (got.level, got.warnings) == ("original", ())
    assert decibels(got.pixels, only) >= 45
    with pytest.raises(FaceError, match="No face in the picture can be replaced: the face is cut"):
        parties.alice.encrypt(file, to=["Bob"], level="latent")
    with pytest.raises(InputError, match="cannot be treated as 'hide'"):
        parties.alice.encrypt(file, to=["Bob"], others="hide")  # type: ignore[arg-type]


def test_the_whole_file(together: Parties, send: Send, photo: bytes) -> None:
    sent = send(exact=True)
    got = together.bob.decrypt(sent)
    assert got.file == got.encoded() == photo
    assert read_picture(got.encoded("PNG")).pixels.shape == got.pixels.shape
    # The file's content is sealed, and nowhere else.
    assert MARKER in photo
    assert MARKER not in sent.picture


def test_the_senders_own_inversion(together: Parties, send: Send, original: Pixels, default_model: FaceModel) -> None:
    sent = send(level="latent")
    got = together.bob.decrypt(sent)
    assert (got.level, got.warnings) == ("latent", ())
    codes = cover(original, default_model, key_face="somebody", steps=COVER_STEPS[Level.LATENT]).codes
    (wanted,) = to_pixels(default_model.synthesize(codes.astype(np.float16).astype(np.float32)))
    here = face_quad(detect_faces(original)[0].landmarks)
    middle = slice(40, 88), slice(40, 88)
    assert decibels(crop(got.pixels, here, 128)[middle], cv2.resize(wanted, (128, 128))[middle]) > 25  # type: ignore[arg-type]
    assert AI_MADE in got.encoded()
    assert AI_MADE not in together.bob.decrypt(send()).encoded()


def test_a_likeness_from_a_key_face(parties: Parties, photo: bytes, key_face: bytes, people: People) -> None:
    share_key_face(parties.alice, parties.bob, encode_picture(people.bea, "JPEG"), "not this one")
    share_key_face(parties.alice, parties.bob, key_face, "me")
    sent = parties.alice.encrypt(photo, to=["Bob"], level=Level.KEYFACE, stand_in="somebody")
    assert as_message(sent).public.commitment is not None
    got = parties.bob.decrypt(sent)
    assert (got.level, str(got.sender), got.signed, got.warnings) == ("keyface", "Alice", True, ())
    # It is the key face that Alice meant: the result is the same as with only that one.
    meant = protocol.pick_key_face(
        as_message(sent).public, [face.key_face for face in parties.alice.profile.key_faces()]
    )
    picture = next(face.picture for face in parties.alice.profile.key_faces() if face.key_face == meant)
    alone = parties.bob.decrypt(reencoded(sent.picture, "PNG"), key_face=picture)
    assert (alone.level, alone.sender, alone.signed) == ("keyface", None, False)
    np.testing.assert_array_equal(got.pixels, alone.pixels)


def test_without_the_key_face(together: Parties, send: Send) -> None:
    with pytest.raises(InputError, match="key face of Alice that this picture needs is missing"):
        together.bob.decrypt(send(level="keyface"))


def test_portrait(together: Parties, send: Send, original: Pixels) -> None:
    sent = send(form="portrait", force=True)
    got = together.bob.decrypt(sent)
    assert (got.level, got.form, got.pixels.shape, str(got.mask)) == (
        "original",
        "portrait",
        (1024, 1024, 3),
        "0-2,4-5,8-15",
    )
    square = crop(original, face_quad(detect_faces(original)[0].landmarks), 1024)
    assert decibels(got.pixels, square) >= 45
    latent = together.bob.decrypt(send(form="portrait", level="latent", force=True))
    assert (latent.level, latent.form) == ("latent", "portrait")


# ---- falling back


@pytest.mark.parametrize(
    ("format", "scale", "quality"), [("JPEG", 1, 80), ("JPEG", 1, 60), ("WEBP", 1, 80), ("JPEG", 0.5, 85)]
)
def test_a_picture_that_was_changed_on_the_way(
    format: str, scale: float, quality: int, together: Parties, send: Send, original: Pixels
) -> None:
    sent = send()
    arrived = reencoded(sent.picture, format, scale, quality=quality)
    with pytest.raises(NoMessageError):  # the envelope inside was stripped
        together.bob.decrypt(arrived)
    got = together.bob.decrypt(arrived, envelope=sent.packed)
    assert (got.level, got.cover) == ("original", "changed")
    assert "changed on the way" in got.warnings[0]
    assert got.pixels.shape == original.shape
    assert decibels(got.pixels, original, face_of(original)) > 39


def test_a_message_posted_in_another_chat_is_shown_as_such(together: Parties, send: Send) -> None:
    sent = send(chat="!family:example.org")
    assert together.bob.decrypt(sent, chat="!family:example.org").warnings == ()
    assert together.bob.decrypt(sent).warnings == ()  # nobody knows where it was found
    (warning,) = together.bob.decrypt(sent, chat="!work:example.org").warnings
    assert "posted it again" in warning
    assert together.bob.decrypt(send(), chat="!work:example.org").warnings == ()


def test_an_envelope_without_a_seal_hides_no_sealed_one(together: Parties, send: Send) -> None:
    sent = send()
    public = as_message(sent).public
    bare = protocol.Envelope(public=public.model_copy(update={"level": protocol.Level.KEYFACE, "commitment": None}))
    other = protocol.Envelope(public=public, sealed=b"no age file")
    for beside in (bare.pack(), b"SCE\1 damaged", other.pack()):
        got = together.bob.decrypt(sent.picture, envelope=beside)
        assert (got.level, got.signed, str(got.sender)) == ("original", True, "Alice")
    with pytest.raises(MessageError):
        together.bob.decrypt(protocol.remove(sent.picture), envelope=b"SCE\1 damaged")


def sealed(alice: StyleCrypt, to: StyleCrypt, sent: EncryptedPhoto, **changes: Any) -> bytes:
    """A message signed by Alice's keys, for the picture of ``sent``, that her program would never make."""
    pixels = read_picture(sent.picture).pixels
    shown = protocol.Pixels(width=pixels.shape[1], height=pixels.shape[0], rgb=pixels.tobytes())
    known = as_message(sent).public
    residual = changes.pop("residual", protocol.Residual(kind=protocol.ResidualKind.FACES, data=b"\0" * 40))
    sent_at = changes.pop("sent_at", int(time.time()))
    mine = alice.profile.key_faces()
    key_face = mine[0].key_face if mine else None
    public = protocol.PublicPart.describe(
        shown,
        level=protocol.Level.ORIGINAL,
        model_hash=changes.pop("model_hash", known.model_hash),
        styles=known.styles,
        replaced=known.replaced,
        faces=known.faces,
        key_face=key_face,
    )
    if "message_id" in changes:
        public = public.model_copy(update={"message_id": changes.pop("message_id"), "commitment": None})
        public = public.commit(key_face) if key_face else public
    cards = [to.profile.card]
    return protocol.seal_message(
        alice.profile.identity, cards, public, shown, sent_at=sent_at, residual=residual, key_face=key_face
    ).pack()


def test_a_damaged_residual_starts_no_model_but_with_a_key_face_at_hand(
    parties: Parties, send: Send, key_face: bytes
) -> None:
    sent = send()
    share_key_face(parties.alice, parties.bob, key_face)
    damaged = sealed(parties.alice, parties.bob, sent)
    with pytest.raises(MessageError):
        parties.bob.decrypt(sent.picture, envelope=damaged)
    got = parties.bob.decrypt(sent.picture, envelope=damaged, key_face=key_face)
    assert (got.level, got.signed, str(got.sender)) == ("keyface", True, "Alice")
    assert "key face instead" in got.warnings[0]


def test_a_model_that_is_not_here_is_named(together: Parties, send: Send) -> None:
    styles = protocol.Residual(kind=protocol.ResidualKind.FACES, data=b"\0" * 40)
    message = sealed(together.alice, together.bob, send(), residual=styles, model_hash=bytes(range(32)))
    with pytest.raises(MessageError):
        together.bob.decrypt(send().picture, envelope=message)
    sent = send(level="latent")
    public = as_message(sent).public.model_copy(update={"model_hash": bytes(range(32))})
    pixels = read_picture(sent.picture).pixels
    shown = protocol.Pixels(width=pixels.shape[1], height=pixels.shape[0], rgb=pixels.tobytes())
    residual = protocol.Residual(kind=protocol.ResidualKind.STYLES, data=b"\1" * 40)
    latent = protocol.seal_message(
        together.alice.profile.identity,
        [together.bob.profile.card],
        public,
        shown,
        sent_at=int(time.time()),
        residual=residual,
    )
    with pytest.raises(ModelError, match=r"not on this machine \(hash 0001020304050607\)") as caught:
        together.bob.decrypt(sent.picture, envelope=latent.pack())
    assert caught.value.remedy is Remedy.IMPORT_MODEL


# ---- who may open


def test_others_cannot_open_it(together: Parties, send: Send, key_face: bytes) -> None:
    with pytest.raises(RefusedError, match="sealed to somebody else") as caught:
        together.mallory.decrypt(send())
    assert isinstance(caught.value.reason, protocol.NotForMeError)
    assert caught.value.exit_code == 4
    # With a photo of the sender she gets what anybody gets from the pixels, and a warning that nothing proves it.
    got = together.mallory.decrypt(send(), key_face=key_face)
    assert (got.level, got.sender, got.signed, got.verified) == ("keyface", None, False, False)
    assert "Nothing proves" in got.warnings[0]
    # A program without a profile is nobody.
    with pytest.raises(RefusedError):
        StyleCrypt().decrypt(send())


def test_a_stranger(parties: Parties, photo: bytes) -> None:
    sent = parties.alice.encrypt(photo, to=["Bob"], level="latent", stand_in="somebody")
    parties.bob.profile.remove("Alice")
    with pytest.raises(RefusedError, match="not among your contacts") as caught:
        parties.bob.decrypt(sent)
    assert isinstance(caught.value.reason, protocol.StrangerError)
    parties.bob.profile.add_contact(parties.alice.profile.card)
    parties.bob.profile.block("Alice")
    with pytest.raises(NotAuthorisedError, match="whom you have blocked"):
        parties.bob.decrypt(sent)
    parties.bob.profile.block("Alice", undo=True)
    parties.bob.profile.verify("Alice")
    assert parties.bob.decrypt(sent).verified
    revocation = protocol.Revocation.create(
        parties.alice.profile.identity, created=int(time.time()), reason=protocol.RevocationReason.COMPROMISED
    )
    assert [str(contact) for contact in parties.bob.profile.revoke(revocation)] == ["Alice"]
    with pytest.raises(RefusedError) as caught:
        parties.bob.decrypt(sent)
    assert isinstance(caught.value.reason, protocol.RevokedKeyError)


def test_another_picture_is_not_the_senders(together: Parties, send: Send, people: People, key_face: bytes) -> None:
    other = encode_picture(np.ascontiguousarray(people.photo[:, ::-1]), "PNG")
    with pytest.raises(RefusedError) as caught:
        together.bob.decrypt(other, envelope=send().packed, key_face=key_face)
    assert isinstance(caught.value.reason, protocol.CoverMismatchError)


def test_forgeries_are_refused_at_every_level(parties: Parties, send: Send, key_face: bytes) -> None:
    """Bob passes on what Alice wrote to him, as if she had written it to Mallory."""
    parties.alice.profile.add_contact(parties.mallory.profile.card, trust=True)
    share_key_face(parties.alice, parties.mallory, key_face)
    sent = send()
    plain = protocol.age.decrypt(
        protocol.Envelope.unpack(sealed(parties.alice, parties.bob, sent)).sealed or b"",
        parties.bob.profile.identity,
    )
    forwarded = protocol.Envelope(
        public=as_message(sent).public, sealed=protocol.age.encrypt(plain, {parties.mallory.profile.card.sealing_key})
    )
    with pytest.raises(RefusedError) as caught:
        parties.mallory.decrypt(sent.picture, envelope=forwarded.pack(), key_face=key_face)
    assert isinstance(caught.value.reason, protocol.ForgedError)


def test_damaged_envelopes(together: Parties, send: Send) -> None:
    sent = send()
    assert sent.packed is not None
    for packed in (b"", b"rubbish", sent.packed[:-1], b"SCE\2" + sent.packed[4:]):
        with pytest.raises(MessageError) as caught:
            together.bob.decrypt(protocol.remove(sent.picture), envelope=packed)
        assert caught.value.exit_code == 1


# ---- time and repetition


def open_(one: StyleCrypt, sent: EncryptedPhoto, reference: bytes, **options: Any) -> Any:
    seen = one.profile.seen(reference)
    now = options.pop("now", int(time.time()))
    arrival = Arrival(picture=sent.picture, envelope=options.pop("envelope", sent.packed), **options)
    return one.messenger.open(arrival, now=now, seen=seen)


def test_a_message_is_received_once(parties: Parties, send: Send, photo: bytes) -> None:
    sent = parties.alice.encrypt(photo, to=["Bob"], stand_in="somebody")
    assert open_(parties.bob, sent, b"first").level == "original"
    assert open_(parties.bob, sent, b"first").level == "original"  # cut off before it was dealt with
    with pytest.raises(RefusedError) as caught:
        open_(parties.bob, sent, b"second")
    assert isinstance(caught.value.reason, protocol.ReplayedError)
    # Another message under the same id.
    again = sealed(parties.alice, parties.bob, sent, message_id=sent.message_id)
    with pytest.raises(RefusedError) as caught:
        open_(parties.bob, sent, b"third", envelope=again)
    assert isinstance(caught.value.reason, protocol.ReplayedError)
    # By hand, it may be opened as often as you like.
    assert parties.bob.decrypt(sent).level == "original"


def test_time(parties: Parties, send: Send) -> None:
    sent, now = send(), int(time.time())
    with pytest.raises(RefusedError) as caught:
        open_(parties.bob, sent, b"1", envelope=sealed(parties.alice, parties.bob, sent, sent_at=now + 3600))
    assert isinstance(caught.value.reason, protocol.FromFutureError)
    old = sealed(parties.alice, parties.bob, sent, sent_at=now - 40 * 86400)
    with pytest.raises(RefusedError) as caught:
        open_(parties.bob, sent, b"2", envelope=old)
    assert isinstance(caught.value.reason, protocol.TooOldError)


# ---- what is sent


def test_only_whom_the_sender_authorised(parties: Parties, photo: bytes) -> None:
    alice = parties.alice
    for to, kind in (["Carol"], InputError), (["Bob", "Carol"], InputError), ([], InputError):
        with pytest.raises(kind):
            alice.encrypt(photo, to=to)
    alice.profile.add_contact(parties.mallory.profile.card)
    with pytest.raises(NotAuthorisedError, match="Mallory is not authorised"):
        alice.encrypt(photo, to=["Bob", "Mallory"])
    alice.profile.trust("Mallory", conversation="family")
    with pytest.raises(NotAuthorisedError, match="not authorised to see your photos in work"):
        alice.encrypt(photo, to=["Mallory"], conversation="work")
    sent = alice.encrypt(photo, to=["Bob", "Mallory"], conversation="family", stand_in="somebody", level="latent")
    assert [str(contact) for contact in sent.recipients] == ["Bob", "Mallory"]
    assert {one.decrypt(sent).level for one in (parties.bob, parties.mallory)} == {Level.LATENT}


def test_nothing_else_goes_out(send: Send) -> None:
    for sent in (send(), send(level="latent"), send(level="keyface"), send(covert=True)):
        assert MARKER not in sent.picture
        with Image.open(io.BytesIO(sent.picture)) as image:
            assert not image.getexif()
        assert {"EXIF", "comment"} <= set(sent.leaks.metadata_dropped)
        assert (sent.leaks.faces_found, sent.leaks.faces_covered) == (1, 1)


def test_covert(parties: Parties, send: Send, key_face: bytes) -> None:
    sent = send(covert=True)
    assert (sent.level, sent.packed, sent.envelope) == (Level.KEYFACE, None, None)
    assert protocol.take(sent.picture) is None
    assert AI_MADE not in sent.picture
    share_key_face(parties.alice, parties.bob, key_face)
    got = parties.bob.decrypt(sent, sender="Alice")
    assert (got.level, str(got.sender), got.signed) == ("keyface", "Alice", False)
    assert "nothing proves" in got.warnings[0]
    with pytest.raises(InputError, match="covert picture carries no seal"):
        parties.alice.encrypt(sent.picture, to=["Bob"], covert=True, level="original")


def test_a_conversation_keeps_its_stand_in(parties: Parties, photo: bytes) -> None:
    def stand_in(**options: Any) -> str | None:
        return parties.alice.encrypt(photo, to=["Bob"], level="latent", **options).stand_in

    alone, family = stand_in(), stand_in(conversation="family")
    assert alone != family
    assert (stand_in(), stand_in(conversation="family")) == (alone, family)
    assert stand_in(stand_in="another") == "another"
    assert stand_in() == alone


def test_a_fake_that_looks_like_the_sender_is_refused(together: Parties, photo: bytes, people: People) -> None:
    herself = encode_picture(people.ann, "JPEG")
    with pytest.raises(LikenessError, match="still looks like the original to") as caught:
        together.alice.encrypt(photo, to=["Bob"], stand_in=herself)
    assert caught.value.remedy is Remedy.OTHER_STAND_IN
    sent = together.alice.encrypt(photo, to=["Bob"], stand_in=herself, force=True, level="latent")
    assert sent.leaks.looks_like_sender
    assert sent.stand_in is None


def judged(monkeypatch: pytest.MonkeyPatch, *distances: float) -> None:
    """SFace sees fakes and glimpses at these distances, whoever they show, and then the sender; others see strangers."""
    left = iter((0.0, *distances))
    for judge in installed_recognisers():

        def describe(squares: list[Pixels], strange: bool = judge.name != "SFace", seen: list[int] = []) -> Any:  # noqa: B006
            seen.append(len(squares))
            values = [len(seen) > 1 if strange else next(left, 0.0) for _ in squares]
            return np.array(values, np.float32)[:, None]

        monkeypatch.setattr(judge, "describe", describe)


def test_a_stand_in_who_looks_like_the_sender_is_passed_over(
    parties: Parties, photo: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sender is described only once for each photo."""
    alice = parties.alice
    judged(monkeypatch, 0.0, 0.0, 2.0, 0.0, 0.0, 0.0, 2.0)  # six are glimpsed, of which the third is made
    expected = seeds(alice.profile.conversation("family").stand_in)[2]
    sent = alice.encrypt(photo, to=["Bob"], conversation="family")
    assert sent.stand_in == expected
    assert alice.profile.conversation("family").stand_in == expected  # as the chat saw it
    again = alice.encrypt(photo, to=["Bob"], conversation="family", force=True)
    assert again.leaks.looks_like_sender
    faces = [read_picture(one.picture).pixels[face_of(read_picture(photo).pixels)] for one in (sent, again)]
    assert decibels(*faces) > 35


def test_a_face_that_no_stand_in_hides_is_blurred_and_comes_back(
    together: Parties, photo: bytes, original: Pixels, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(standins, "SEEDS", 2)
    judged(monkeypatch, 0.0)
    sent = together.alice.encrypt(photo, to=["Bob"])
    assert (sent.leaks.faces_covered, sent.leaks.blurred, sent.leaks.likenesses) == (0, ((1, Refusal.ALIKE),), ())
    assert "with every stand-in that was tried" in " ".join(sent.leaks.unreplaced)
    here = face_of(original)
    assert decibels(read_picture(sent.picture).pixels[here], original[here]) < 22
    assert decibels(together.bob.decrypt(sent.picture).pixels[here], original[here]) > 35
    for options in ({"level": "latent"}, {"only": [1]}, {"others": "refuse"}, {"form": "portrait"}):
        judged(monkeypatch, 0.0)
        with pytest.raises(LikenessError):
            together.alice.encrypt(photo, to=["Bob"], **options)


def test_a_chat_keeps_a_stand_in_that_passes_without_the_margin(
    parties: Parties, photo: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    judged(monkeypatch, *[2.0] * 7)
    first = parties.alice.encrypt(photo, to=["Bob"], conversation="family")
    judged(monkeypatch, 1.13, 2.0)
    second = parties.alice.encrypt(photo, to=["Bob"], conversation="family")
    assert second.leaks.likenesses[0].distances == pytest.approx([1.13])
    assert second.stand_in == first.stand_in


def test_the_best_stand_in_is_taken_where_none_hides_by_the_margin(
    parties: Parties, photo: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(standins, "SEEDS", 4)
    glimpses = [1.13, 1.13, 1.13, 1.15]
    judged(monkeypatch, *glimpses, 1.15, 1.13, 1.14)
    expected = seeds(parties.alice.profile.conversation("family").stand_in)[3]
    sent = parties.alice.encrypt(photo, to=["Bob"], conversation="family")
    assert sent.stand_in == expected
    assert sent.leaks.likenesses[0].distances == pytest.approx([1.15])
    again = parties.alice.encrypt(photo, to=["Bob"], stand_in=expected, force=True)
    faces = [read_picture(one.picture).pixels[face_of(read_picture(photo).pixels)] for one in (sent, again)]
    assert decibels(*faces) > 35


def test_what_is_too_large_for_a_picture_travels_beside(together: Parties, original: Pixels, tmp_path: Any) -> None:
    large = np.asarray(Image.fromarray(original).resize((1680, 1200), Image.Resampling.BICUBIC))
    noise = np.random.default_rng(0).integers(-24, 25, large.shape)
    file = encode_picture(np.clip(large + noise, 0, 255).astype(np.uint8), "PNG")
    assert len(file) > protocol.MAX_CARRIED_BYTES
    sent = together.alice.encrypt(file, to=["Bob"], exact=True, stand_in="somebody", format="JPEG", force=True)
    assert sent.envelope is not None
    assert protocol.take(sent.picture) is None
    sent.save(tmp_path / "fake.jpg")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["fake.jpg", "fake.scenv"]
    assert together.bob.decrypt(tmp_path / "fake.jpg").file == file


def test_drafts_that_make_no_sense(together: Parties, photo: bytes) -> None:
    for options, says in (
        ({"level": "secret"}, "no level 'secret'"),
        ({"level": "latent", "exact": True}, "exact file goes with level original"),
        ({"mask": "nose"}, "'nose'"),
        ({"covert": True, "caption": "Hello"}, "caption travels sealed"),
        ({"caption": "x" * 5000}, "cannot be put into a message"),
    ):
        with pytest.raises(InputError, match=says):
            together.alice.encrypt(photo, to=["Bob"], stand_in="somebody", **options)
    with pytest.raises(InputError, match="16400 x 8 pixels; up to 16384 a side"):
        together.alice.encrypt(encode_picture(np.zeros((8, 16400, 3), np.uint8), "PNG"), to=["Bob"])

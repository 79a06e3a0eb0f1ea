"""Key faces: made from photos once, shared with their codes, prepared where codes are missing."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import stylecrypt_protocol as protocol
from numpy.typing import NDArray

from stylecrypt_msg import AsyncStyleCrypt, StyleCrypt
from stylecrypt_msg.cipher import prepare_key
from stylecrypt_msg.errors import InputError, MessageError, NotAuthorisedError, PictureError, ProfileError
from stylecrypt_msg.messenger import key_faces
from stylecrypt_msg.models import FaceModel
from stylecrypt_msg.pictures import Pixels, encode_picture, read_picture
from stylecrypt_msg.profile import Profile, TheirKeyFace

from ..conftest import People
from .conftest import Parties, Send, introduce

pytestmark = pytest.mark.usefixtures("short_descents")


@pytest.fixture(autouse=True)
def prepared(monkeypatch: pytest.MonkeyPatch) -> list[Sequence[Pixels]]:
    """The pictures inverted so far."""
    calls: list[Sequence[Pixels]] = []

    def counting(photos: Sequence[Pixels], model: FaceModel) -> NDArray[np.float32]:
        calls.append(photos)
        return prepare_key(photos, model)

    monkeypatch.setattr(key_faces, "prepare_key", counting)
    return calls


def theirs(parties: Parties) -> TheirKeyFace:
    """Alice's key face as Bob has it."""
    (face,) = parties.bob.profile.key_faces_of(parties.bob.profile.contact("Alice"))
    return face


def inversion(model_hash: str = "09" * 32) -> protocol.Inversion:
    """Codes with another shape than the embedded model's."""
    return protocol.Inversion(model_hash=bytes.fromhex(model_hash), styles=1, dimensions=1, codes=bytes(2))


def shared(parties: Parties, *prepared: protocol.Inversion, picture: bytes | None = None) -> bytes:
    """Alice's key face for Bob, with these codes in place of hers."""
    face = parties.alice.profile.key_face("me")
    return protocol.share_key_face(
        parties.alice.profile.identity,
        [parties.bob.profile.card],
        face.key_face,
        picture or face.picture,
        sent_at=face.added,
        prepared=prepared,
    )


def test_the_receiver_reads_only_the_picture_that_arrived(
    parties: Parties, send: Send, people: People, prepared: list[Sequence[Pixels]], default_model: FaceModel
) -> None:
    photos = [encode_picture(people.ann, "JPEG"), encode_picture(people.photo, "PNG")]
    added = parties.alice.add_key_face(photos, "me")
    ((first, second),) = prepared
    np.testing.assert_array_equal(first, read_picture(added.picture).pixels)
    assert max(second.shape) <= 1024
    assert parties.alice.key_faces() == [added]
    received = parties.bob.receive_key_face(parties.alice.share_key_face("me", ["Bob"]))
    assert (received.owner.name, received.new, received.warning) == ("Alice", True, "")
    assert theirs(parties) == received.face
    assert theirs(parties).prepared == added.prepared
    assert [one.model_hash.hex() for one in added.prepared] == [default_model.digest]
    assert not parties.bob.receive_key_face(parties.alice.share_key_face("me", ["Bob"])).new
    # From now on only received pictures are inverted.
    sent = send(covert=True)
    assert parties.bob.decrypt(sent.picture, sender="Alice").level == "keyface"
    parties.alice.remove_key_face("me")
    assert parties.alice.key_faces() == []
    assert len(prepared) == 1


def test_codes_that_are_missing_are_prepared_on_receipt(
    parties: Parties, key_face: bytes, prepared: list[Sequence[Pixels]]
) -> None:
    made = parties.alice.add_key_face(key_face, "me").prepared
    received = parties.bob.receive_key_face(shared(parties))
    assert (received.new, received.warning, len(prepared)) == (True, "", 2)
    assert theirs(parties).prepared == made  # of one photo, which both have
    again = parties.bob.receive_key_face(shared(parties, inversion()))
    assert (again.new, len(prepared)) == (False, 2)
    assert theirs(parties).prepared == (*made, inversion())


def test_codes_that_do_not_fit_are_not_used(
    parties: Parties, key_face: bytes, prepared: list[Sequence[Pixels]], default_model: FaceModel
) -> None:
    """They are for another model, or claim to be for this one but have another shape."""
    (made,) = parties.alice.add_key_face(key_face, "me").prepared
    parties.bob.receive_key_face(shared(parties, inversion(), inversion(default_model.digest)))
    assert set(theirs(parties).prepared) == {made, inversion()}
    assert len(prepared) == 2


def test_what_cannot_be_prepared_is_kept_until_it_is_used(
    parties: Parties, send: Send, key_face: bytes, monkeypatch: pytest.MonkeyPatch, prepared: list[Sequence[Pixels]]
) -> None:
    parties.alice.add_key_face(key_face, "me")
    elsewhere = StyleCrypt(parties.bob.profile, model="none-of-that-name")
    received = elsewhere.receive_key_face(shared(parties))
    assert received.warning.startswith("The key face is prepared when it is first used, not now. There is no model")
    assert theirs(parties).prepared == ()
    assert len(prepared) == 1
    for _ in range(2):
        parties.bob.decrypt(send(covert=True).picture, sender="Alice")
        assert len(prepared) == 2
    assert len(theirs(parties).prepared) == 1


def test_a_key_face_without_a_face_is_kept(parties: Parties, key_face: bytes) -> None:
    parties.alice.add_key_face(key_face, "me")
    nobody = encode_picture(np.full((64, 64, 3), 128, np.uint8), "PNG")
    received = parties.bob.receive_key_face(shared(parties, picture=nobody))
    assert "No face was found" in received.warning
    assert theirs(parties).picture == nobody
    with pytest.raises(MessageError, match="not a picture that can be read"):
        parties.bob.receive_key_face(shared(parties, picture=b"no picture"))


def test_a_full_disk_does_not_keep_a_picture_from_being_opened(
    parties: Parties, send: Send, key_face: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise ProfileError("The disk is full: nothing was changed.")

    parties.alice.add_key_face(key_face, "me")
    StyleCrypt(parties.bob.profile, model="none-of-that-name").receive_key_face(shared(parties))
    monkeypatch.setattr(Profile, "keep_prepared", full)
    assert parties.bob.decrypt(send(covert=True).picture, sender="Alice").level == "keyface"


def test_photos_that_make_no_key_face(
    parties: Parties, people: People, key_face: bytes, tmp_path: Path, prepared: list[Sequence[Pixels]]
) -> None:
    alice = parties.alice
    group = tmp_path / "group.png"
    group.write_bytes(encode_picture(people.group, "PNG"))
    for photos, says in (
        ([key_face, group], "2 faces were found in .*group.png"),
        ([key_face, people.group], "2 faces were found in photo 2"),
        (people.group, "2 faces were found in the photo"),
        (np.full((64, 64, 3), 128, np.uint8), "No face was found in the photo"),
        ([], "no photo"),
    ):
        with pytest.raises(InputError, match=says):
            alice.add_key_face(photos, "me")  # type: ignore[arg-type]
    with pytest.raises(PictureError, match="No key face is made of photo 2: this is not a picture"):
        alice.add_key_face([key_face, b"rubbish"], "me")
    with pytest.raises(InputError, match=r"There is no file .*gone\.jpg"):
        alice.add_key_face([key_face, tmp_path / "gone.jpg"], "me")
    with pytest.raises(InputError, match="cannot be the name"):
        alice.add_key_face(key_face, "")
    assert (prepared, alice.key_faces()) == ([], [])
    alice.add_key_face(key_face, "me")
    with pytest.raises(InputError, match="already"):  # refused before the work
        alice.add_key_face(key_face, "me")
    assert len(prepared) == 1


def test_who_may_have_it(parties: Parties, key_face: bytes) -> None:
    alice, bob = parties.alice, parties.bob
    alice.add_key_face(key_face, "me")
    alice.profile.add_contact(parties.mallory.profile.card)
    for to, error in ((["Mallory"], NotAuthorisedError), (["Bob", "Mallory"], NotAuthorisedError), ([], InputError)):
        with pytest.raises(error):
            alice.share_key_face("me", to)
    assert alice.profile.key_face("me").shared_with == frozenset()
    sealed = alice.share_key_face("me", ["Bob"])
    assert alice.profile.key_face("me").shared_with == {bob.profile.card.id}
    with pytest.raises(NotAuthorisedError, match="sealed to somebody else"):
        parties.mallory.receive_key_face(sealed)
    bob.profile.block("Alice")
    with pytest.raises(NotAuthorisedError, match="This key face is from Alice, whom you have blocked"):
        bob.receive_key_face(sealed)
    assert bob.profile.all_their_key_faces() == []


def test_the_same_in_an_event_loop(tmp_path: Path, key_face: bytes, prepared: list[Sequence[Pixels]]) -> None:
    async def exchange(alice: AsyncStyleCrypt, bob: AsyncStyleCrypt) -> None:
        added = await alice.add_key_face(key_face, "me")
        assert await alice.key_faces() == [added]
        received = await bob.receive_key_face(await alice.share_key_face("me", ["Bob"]))
        assert received.face.prepared == added.prepared
        await alice.remove_key_face("me")
        assert await alice.key_faces() == []

    parties = introduce(tmp_path)
    asyncio.run(exchange(AsyncStyleCrypt(parties.alice.profile), AsyncStyleCrypt(parties.bob.profile)))
    assert len(prepared) == 1
    for one in vars(parties).values():
        one.close()

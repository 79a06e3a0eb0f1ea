"""``StyleCrypt`` as programs use it: photos in all their forms, transports, threads, and the example."""

from __future__ import annotations

import asyncio
import io
import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import stylecrypt_protocol as protocol
from PIL import Image

import stylecrypt_msg
from stylecrypt_msg import AsyncStyleCrypt, StyleCrypt
from stylecrypt_msg.errors import InputError, NotAuthorisedError, PictureError, ProfileError, RefusedError
from stylecrypt_msg.pictures import Pixels, read_picture
from stylecrypt_msg.transports.folder import FolderTransport

from .conftest import Parties, Send

pytestmark = pytest.mark.usefixtures("short_descents")

REPOSITORY = Path(__file__).parents[2]


def test_importing_it_is_quick() -> None:
    code = "import sys, stylecrypt_msg as s; assert not {'cv2', 'numpy'} & set(sys.modules); s.StyleCrypt; "
    code += "assert 'cv2' in sys.modules and not {'onnxruntime', 'torch'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
    assert set(stylecrypt_msg.__all__) <= set(dir(stylecrypt_msg.sdk))
    with pytest.raises(AttributeError):
        stylecrypt_msg.nothing  # noqa: B018


def test_a_photo_may_be_given_in_many_forms(together: Parties, photo: bytes, original: Pixels, tmp_path: Path) -> None:
    path = tmp_path / "me.jpg"
    path.write_bytes(photo)
    covers = set()
    for given in (path, str(path), photo, Image.open(io.BytesIO(photo)), original):
        sent = together.alice.encrypt(given, stand_in="somebody", level="keyface", format="PNG")
        covers.add(read_picture(sent.picture).pixels.tobytes())
    assert len(covers) == 1


def test_saving(together: Parties, send: Send, photo: bytes, tmp_path: Path) -> None:
    sent = send(exact=True)
    with pytest.raises(PictureError, match="not a name for a JPEG"):
        sent.save(tmp_path / "fake.png")
    sent.save(tmp_path / "fake.jpg")
    got = together.bob.decrypt(tmp_path / "fake.jpg")
    got.save(tmp_path / "back.jpg")
    got.save(tmp_path / "back.png")
    assert (tmp_path / "back.jpg").read_bytes() == photo
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "back.png")), got.pixels)


def test_profiles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, photo: bytes) -> None:
    monkeypatch.setenv("STYLECRYPT_PROFILE", str(tmp_path / "none"))
    with StyleCrypt() as nobody:
        assert nobody.encrypt(photo, level="keyface", stand_in="somebody").packed is None
        with pytest.raises(ProfileError, match="no profile"):
            nobody.encrypt(photo, to=["Bob"])
        with pytest.raises(ProfileError):
            nobody.profile  # noqa: B018
    with pytest.raises(ProfileError):
        StyleCrypt(tmp_path / "missing").profile  # noqa: B018
    StyleCrypt.create(tmp_path / "none", name="Alice", passphrase="open sesame").close()
    with StyleCrypt(passphrase="open sesame") as alice:
        assert alice.profile.card.display_name == "Alice"
    with pytest.raises(NotAuthorisedError, match="passphrase is wrong"):
        StyleCrypt(passphrase="wrong").profile  # noqa: B018
    asked = []
    with StyleCrypt(passphrase=lambda: asked.append(1) or "open sesame") as lazy:  # type: ignore[func-returns-value]
        lazy.encrypt(photo, level="keyface", stand_in="somebody")
        assert asked == []


def test_through_a_folder_once(parties: Parties, send: Send, photo: bytes, tmp_path: Path) -> None:
    box = tmp_path / "box"
    box.mkdir()
    transport = FolderTransport(box)
    (box / "holiday.jpg").write_bytes(photo)  # an ordinary picture
    sent = parties.alice.encrypt(photo, to=["Bob"], stand_in="somebody", caption="one")
    where = parties.alice.send(sent, transport)
    assert Path(where).read_bytes() == sent.picture

    def received(one: StyleCrypt) -> list[str]:
        return [i.photo.caption if i.photo else type(i.error).__name__ for i in one.receive(transport)]

    # A program that stops before asking for the next one gets it again.
    stopped = parties.bob.receive(transport)
    assert next(stopped).photo is not None
    stopped.close()
    assert received(parties.bob) == ["one"]
    assert received(parties.bob) == []
    assert received(parties.alice) == []  # what she sent herself
    # The same bytes under another name are the same delivery; a changed copy is a repetition.
    (box / "copy.jpg").write_bytes(sent.picture)
    assert received(parties.bob) == []
    (box / "changed.jpg").write_bytes(sent.picture + b"\0")
    (incoming,) = parties.bob.receive(transport)
    assert isinstance(incoming.error, RefusedError)
    assert isinstance(incoming.error.reason, protocol.ReplayedError)
    assert received(parties.bob) == []
    # Somebody else's message is refused once and for all; a stranger's may be opened later.
    (incoming,) = (i for i in parties.mallory.receive(transport) if Path(where).name in i.delivery.origin)
    assert isinstance(incoming.error, RefusedError)
    assert received(parties.mallory) == []
    parties.bob.profile.remove("Alice")
    again = parties.alice.encrypt(photo, to=["Bob"], stand_in="somebody", caption="two")
    parties.alice.send(again, transport)
    assert [received(parties.bob) for _ in range(2)] == [["RefusedError"]] * 2
    parties.bob.profile.add_contact(parties.alice.profile.card)
    assert received(parties.bob) == ["two"]


def test_following(together: Parties, send: Send, tmp_path: Path) -> None:
    transport = FolderTransport(tmp_path)
    incoming = together.bob.receive(transport, follow=True)
    later = threading.Timer(0.5, lambda: together.alice.send(send(caption="later"), transport))
    later.start()
    got = next(incoming)
    assert got.photo is not None
    assert got.photo.caption == "later"
    incoming.close()
    later.join()


def test_a_program_with_an_event_loop(parties: Parties, photo: bytes, tmp_path: Path) -> None:
    transport = FolderTransport(tmp_path)

    async def main() -> list[str]:
        async with AsyncStyleCrypt(parties.alice.profile) as alice, AsyncStyleCrypt(parties.bob.profile) as bob:
            sent = await alice.encrypt(photo, ["Bob"], caption="async", stand_in="somebody")
            await alice.send(sent, transport)
            assert (await bob.decrypt(sent)).level == "original"
            return [i.photo.caption async for i in bob.receive(transport) if i.photo]

    assert asyncio.run(main()) == ["async"]


def test_several_threads(together: Parties, photo: bytes) -> None:
    sent: dict[int, bytes] = {}
    failed: list[BaseException] = []

    def work(i: int) -> None:
        try:
            made = together.alice.encrypt(photo, to=["Bob"], level="latent", stand_in="somebody", format="PNG")
            sent[i] = together.bob.decrypt(made).pixels.tobytes()
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert len(sent) == 4
    assert len(set(sent.values())) == 1


@pytest.mark.skipif(
    os.name != "posix" or (os.geteuid() == 0 and not Path("/dev/full").exists()), reason="needs /dev/full"
)
def test_a_folder_that_is_gone_or_full(parties: Parties, send: Send, tmp_path: Path) -> None:
    gone = FolderTransport(tmp_path / "gone")
    for job in (lambda: parties.alice.send(send(), gone), lambda: list(parties.bob.receive(gone))):
        with pytest.raises(stylecrypt_msg.errors.NetworkError, match="does not exist"):
            job()
    assert list(tmp_path.iterdir()) == [] or not (tmp_path / "gone").exists()


def test_levels_that_do_not_exist(together: Parties, photo: bytes) -> None:
    with pytest.raises(InputError, match="no level 'all'"):
        together.alice.encrypt(photo, ["Bob"], level="all")


def test_cards_come_in_any_form_and_are_verified(tmp_path: Path) -> None:
    with (
        StyleCrypt.create(tmp_path / "alice", name="Alice") as alice,
        StyleCrypt.create(tmp_path / "bob", name="Bob") as bob,
    ):
        card = bob.profile.card
        file, code = tmp_path / "bob.sccard", tmp_path / "bob.png"
        file.write_bytes(card.to_bytes())
        card.to_qr().save(str(code), scale=6)
        for form in (card, card.to_text(), card.to_bytes(), file, str(file), code):
            added = alice.add_contact(form)
            assert (added.name, added.card, added.standing) == ("Bob", card, "not verified, may not see your photos")
        bob.add_contact(alice.profile.card)
        assert alice.words("Bob") == bob.words("Alice")
        assert alice.verify("Bob", bob.words("Alice")).standing == "verified, may not see your photos"
        with pytest.raises(NotAuthorisedError, match="not the words"):
            bob.verify("Alice", ["other"] * 12)
        for wrong in (b"rubbish", tmp_path / "none", b"\x89PNG"):
            with pytest.raises(InputError):
                alice.add_contact(wrong)

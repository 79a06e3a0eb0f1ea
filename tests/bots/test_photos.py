"""The whole way: a photo in Alice's control room, a fake in the family room, the photo in Bob's control room."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import blurhash
import numpy as np
import pytest
from stylecrypt_bots.desk import YES

from stylecrypt_msg.pictures import read_picture
from stylecrypt_msg.transports.matrix_session import Post

from ..synapse import Homeserver
from .people import Household, Person

pytestmark = pytest.mark.usefixtures("one_model")


class Family:
    """Alice, Bob and Mallory, with a plain and an encrypted room that Mallory and both bots are in."""

    def __init__(self, alice: Household, bob: Household, mallory: Person, rooms: dict[str, str]) -> None:
        self.alice, self.bob, self.mallory, self.rooms = alice, bob, mallory, rooms


@pytest.fixture(scope="module")
def family(
    homeserver: Homeserver, runner: asyncio.Runner, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Family]:
    folder = tmp_path_factory.mktemp("family")
    alice, bob = Household(homeserver, folder, "Alice"), Household(homeserver, folder, "Bob")
    account = homeserver.register("mallory")
    rooms = {
        name: homeserver.room(alice.owner_account, alice.bot_account, bob.bot_account, account, encrypted=encrypted)
        for name, encrypted in (("plain", False), ("family", True))
    }
    for house in (alice, bob):
        house.configure(rooms={name: {"room": room} for name, room in rooms.items()})
    alice.profile.add_contact(bob.profile.card, trust=True)
    bob.profile.add_contact(alice.profile.card)

    async def begin() -> Family:
        await alice.set_up()
        await bob.set_up()
        mallory = await Person.log_in(homeserver, account, folder)
        await mallory.look()
        return Family(alice, bob, mallory, rooms)

    async def end() -> None:
        await alice.leave()
        await bob.leave()
        await made.mallory.session.close()

    made = runner.run(begin())
    yield made
    runner.run(end())


def is_picture(post: Post) -> bool:
    return post.is_picture


def near(one: bytes, other: np.ndarray) -> float:
    """How far two pictures of a size are apart, on average, in 0..255."""
    return float(np.abs(read_picture(one).pixels.astype(int) - other.astype(int)).mean())


@pytest.mark.parametrize("name", ["family", "plain"])
def test_the_family_sees_a_stranger_and_bob_the_photo(
    runner: asyncio.Runner, family: Family, photo: bytes, name: str
) -> None:
    async def test() -> None:
        alice, bob, mallory, room = family.alice, family.bob, family.mallory, family.rooms[name]
        original = read_picture(photo).pixels
        await alice.owner.show(alice.control, photo, f"#{name} @bob level=original On the beach")

        # What everybody would see, and what it tells, for Alice alone.
        preview = await alice.shown("the preview")
        said = str(preview.content["body"])
        assert f"For Bob in #{name}" in said
        assert "1 of 1 faces are replaced" in said
        await mallory.look()
        assert not any(post.is_picture for post in mallory.seen)
        await alice.owner.react(alice.control, preview.event_id, YES)
        assert f"Posted in #{name}: https://matrix.to/#/" in await alice.owner.text(alice.control, "Posted in")

        # Mallory: an ordinary picture of somebody else.
        post = await mallory.wait(is_picture, "the fake")
        assert (post.room_id, post.sender) == (room, alice.bot_account.id)
        fake = await mallory.picture(post)
        content = post.content
        assert content["body"] == content["filename"]
        assert str(content["body"]).startswith("IMG_")
        info = content["info"]
        assert (info["w"], info["h"], info["size"]) == (original.shape[1], original.shape[0], len(fake))
        assert near(fake, original) > 5
        where = "url" if name == "plain" else "file"
        thumbnail = await mallory.picture(Post(room, "", "", {where: info[f"thumbnail_{where}"]}))
        assert near(thumbnail, read_picture(fake).pixels) < 6
        assert ("url" in content) == (name == "plain")
        assert ("file" in content) == (name == "family")
        blurred = np.array(blurhash.decode(info["xyz.amorgan.blurhash"], 8, 8))
        mean = read_picture(fake).pixels.mean((0, 1))
        assert np.abs(blurred.mean((0, 1)) - mean).max() < 25
        everything = str(content)
        for secret in ("beach", "Bob", "Alice", alice.profile.card.id.hex()):
            assert secret not in everything
            assert secret.encode() not in fake

        # Bob: the photo, and what there is to know of it.
        shown = await bob.shown("the photo")
        assert near(await bob.owner.picture(shown), original) < 2
        said = str(shown.content["body"])
        assert f"Alice (not verified) in #{name}: the photo as it was." in said
        assert "On the beach" in said
        assert f"https://matrix.to/#/{room}/{post.event_id}" in said

        # Nothing of it is left on the desks.
        for house in (alice, bob):
            for kind in ("bot inbox", "bot outbox", "bot draft", "bot media"):
                assert len(house.profile.records(kind, str)) == 0, kind

    runner.run(test())

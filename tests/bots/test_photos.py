"""The whole way: a photo in Alice's control room, a fake in the family room, the photo in Bob's control room."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import blurhash
import numpy as np
import pytest
import stylecrypt_protocol as protocol
from stylecrypt_bots import working
from stylecrypt_bots.queues import NO, YES
from stylecrypt_bots.session import BotSession
from stylecrypt_bots.worker import PictureWorker
from stylecrypt_protocol import Level

from stylecrypt_msg import StyleCrypt
from stylecrypt_msg.errors import NotAuthorisedError
from stylecrypt_msg.messenger import EncryptedPhoto
from stylecrypt_msg.pictures import encode_picture, read_picture
from stylecrypt_msg.transports import Parcel
from stylecrypt_msg.transports.matrix import picture_content
from stylecrypt_msg.transports.matrix.server import Post

from ..conftest import People
from ..support.people import Family, Household, Person, answers, is_picture, reply_to, until

pytestmark = pytest.mark.usefixtures("short_descents", "default_model")


def replaces(post: Post) -> object:
    """The message that a post is an edit of."""
    relation = post.content.get("m.relates_to", {})
    return relation.get("event_id") if relation.get("rel_type") == "m.replace" else None


async def said_besides(house: Household) -> list[str]:
    """What the bot has said to its owner without a test waiting for it."""
    await house.owner.look()
    mine = [post for post in house.owner.seen if post.sender == house.bot_account.id and post.type == "m.room.message"]
    return [str(post.content["body"]) for post in mine if post.room_id == house.control]


def near(one: bytes, other: np.ndarray, where: Any = ...) -> float:
    """The mean difference between two pictures of the same size, in 0..255."""
    return float(np.abs(read_picture(one).pixels[where].astype(int) - other[where]).mean())


FACE = np.s_[100:240, 90:226]  # of the photo: eyes to chin


@pytest.mark.parametrize("name", ["family", "plain"])
def test_the_family_sees_a_stranger_and_bob_the_photo(
    runner: asyncio.Runner, family: Family, photo: bytes, people: People, tmp_path: Path, name: str
) -> None:
    async def test() -> None:
        alice, bob, mallory, room = family.alice, family.bob, family.mallory, family.rooms[name]
        original = read_picture(photo).pixels
        await alice.owner.show(alice.control, photo, f"#{name} @bob level=original On the beach")

        # What everybody would see and what it reveals, shown to Alice alone.
        preview = await alice.shown("the preview")
        said = str(preview.content["body"])
        assert f"For Bob in #{name}" in said
        assert "1 of 1 faces replaced" in said
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
        assert near(fake, original, FACE) > 8
        where = "url" if name == "plain" else "file"
        thumbnail = await mallory.picture(Post(room, "", "", {where: info[f"thumbnail_{where}"]}))
        assert near(thumbnail, read_picture(fake).pixels) < 6
        assert ("url" in content) == (name == "plain")
        assert ("file" in content) == (name == "family")
        blurred = np.array(blurhash.decode(info["xyz.amorgan.blurhash"], 8, 8))
        mean = read_picture(fake).pixels.mean((0, 1))
        assert np.abs(blurred.mean((0, 1)) - mean).max() < 25
        # Without the sealed part, whose base64 may spell any short name by chance.
        everything = str({key: value for key, value in content.items() if key != "org.stylecrypt.envelope"})
        for secret in ("beach", "Alice", alice.profile.card.id.hex()):
            assert secret not in everything
            assert secret.encode() not in fake

        # Nothing that she has opens it: neither her keys, nor their cards, nor a photo of somebody else.
        with StyleCrypt.create(tmp_path / "mallory", name="Mallory") as hers:
            for card in (None, alice.profile.card, bob.profile.card):
                if card is not None:
                    hers.profile.add_contact(card)
                with pytest.raises(NotAuthorisedError):
                    hers.decrypt(fake)
            guess = hers.decrypt(fake, key_face=people.bea)
            assert (guess.level, guess.sender, guess.caption) == (Level.KEYFACE, None, "")
            assert near(encode_picture(guess.pixels, "PNG"), original, FACE) > 8

        # Bob: the photo, and what there is to know about it.
        shown = await bob.shown("the photo")
        assert near(await bob.owner.picture(shown), original) < 2
        said = str(shown.content["body"])
        assert f"Alice (not verified) in #{name}: the photo as it was." in said
        assert "On the beach" in said
        assert f"https://matrix.to/#/{room}/{post.event_id}" in said

        # Nothing of it is left on the desks, once the bots know that the server has their last words.
        for house in (alice, bob):
            for kind in ("bot inbox", "bot outbox", "bot draft", "bot media"):
                records = house.profile.records(kind, str)
                await until(lambda records=records: len(records) == 0, f"{house.name} keeps a {kind}")  # type: ignore[misc]

    runner.run(test())


def test_nothing_waits_for_photos(
    runner: asyncio.Runner, family: Family, photo: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the bot works on photos it answers, posts, and shows in one message how far it is; the photos keep their order."""
    gate, prepare = asyncio.Event(), PictureWorker.prepare

    async def gated(worker: PictureWorker, *args: Any) -> EncryptedPhoto:
        args[1]("finding faces", 1, 2)
        await gate.wait()
        return await prepare(worker, *args)

    async def test() -> None:
        alice = family.alice
        await alice.owner.show(alice.control, photo, "#plain @bob level=latent")
        older = await alice.shown("the older photo")
        monkeypatch.setattr(PictureWorker, "prepare", gated)
        monkeypatch.setattr(working, "_PATIENCE", 0.1)
        monkeypatch.setattr(working, "_AGAIN", 0.1)
        asked = [await alice.owner.show(alice.control, photo, f"#{name} @bob level=latent") for name in family.rooms]
        await alice.owner.show(alice.control, photo, "#family @nobody")
        await alice.owner.text(alice.control, "There is no contact 'nobody'")
        assert "2 photos of yours to work on" in await alice.ask("!status", "To do: ")
        await alice.owner.react(alice.control, older.event_id, YES)
        await alice.owner.text(alice.control, "Posted in #plain")
        await family.mallory.wait(is_picture, "the fake")
        first = await alice.owner.wait(
            lambda post: answers(post) == asked[0] and "finding faces, 1 of 2" in str(post.content["body"]),
            "the progress",
        )
        if "1 more photo waits" not in str(first.content["body"]):  # it had not come yet
            await alice.owner.wait(
                lambda post: replaces(post) == first.event_id and "1 more photo waits" in str(post.content["body"]),
                "how many photos wait",
            )
        gate.set()
        previews = [await alice.shown("a preview") for _ in asked]
        assert [answers(post) for post in previews] == asked
        edits = [post.content for post in alice.owner.seen if replaces(post) == first.event_id]
        assert len(edits) > 1
        assert "I worked on this for" in edits[-1]["m.new_content"]["body"]
        await family.bob.shown("the older photo")
        for post in previews:
            await alice.owner.react(alice.control, post.event_id, NO)
            await alice.owner.text(alice.control, "Dropped.")

    runner.run(test())


def test_a_room_that_is_upgraded(runner: asyncio.Runner, family: Family, photo: bytes) -> None:
    """Both bots go into the new room, photos that wait are prepared again for it, and trust and stand-in come along."""

    async def test() -> None:
        alice, bob, mallory = family.alice, family.bob, family.mallory
        server, owner = alice.server, alice.owner_account
        for house in (alice, bob):
            await house.stop()  # else the bots would answer the invitations
        old = server.room(owner, alice.bot_account, bob.bot_account, mallory.user)
        await alice.restart(rooms={"club": {"room": old}})
        await bob.restart(rooms={})
        alice.profile.trust("Bob", undo=True)
        await alice.ask("!trust bob #club", "may see")
        await alice.owner.show(alice.control, photo, "#club @bob level=latent")
        before = await alice.shown("the preview")
        # Only now: the photo may have shown that another one is needed.
        stand_in = await alice.ask("!standin #club", "Who is shown")

        path = f"/_matrix/client/v3/rooms/{old}/upgrade"
        new = (await asyncio.to_thread(server.ask, "POST", path, {"new_version": "11"}, owner))["replacement_room"]
        for account in (alice.bot_account, bob.bot_account, mallory.user):  # as apps do
            path = f"/_matrix/client/v3/rooms/{new}/invite"
            await asyncio.to_thread(server.ask, "POST", path, {"user_id": account.id}, owner)
        await mallory.join(new)
        await alice.owner.text(alice.control, "#club was upgraded, and I follow")
        await bob.owner.text(bob.control, "was upgraded, and I follow")

        await alice.owner.react(alice.control, before.event_id, YES)
        preview = await alice.shown("the preview for the new room")
        await alice.owner.react(alice.control, preview.event_id, YES)
        await alice.owner.text(alice.control, "Posted in #club")
        assert (await mallory.wait(is_picture, "the fake")).room_id == new
        said = str((await bob.shown("the photo")).content["body"])
        assert "another chat" not in said
        assert await alice.ask("!standin #club", "Who is shown") == stand_in
        alice.profile.trust("Bob")
        for house in (alice, bob):
            await house.restart(rooms={name: {"room": room} for name, room in family.rooms.items()})

    runner.run(test())


def test_no_is_no(runner: asyncio.Runner, family: Family, photo: bytes) -> None:
    async def test() -> None:
        alice = family.alice
        asked = await alice.owner.show(alice.control, photo, "#family @bob level=latent")
        preview = await alice.shown("the preview")
        assert preview.content["m.relates_to"]["m.in_reply_to"]["event_id"] == asked
        await alice.owner.react(alice.control, preview.event_id, NO)
        await alice.owner.text(alice.control, "Dropped.")
        await alice.owner.react(alice.control, preview.event_id, YES)  # too late
        await alice.owner.say(alice.control, "!post", **reply_to(preview.event_id))
        assert "that wait for your" not in await alice.ask("!status", "To do: nothing.")
        assert len(alice.profile.records("bot media", str)) == 0
        await family.mallory.look()
        assert not any(post.is_picture for post in family.mallory.seen)

    runner.run(test())


def test_what_is_wrong_with_a_request_is_said_and_nothing_is_posted(
    runner: asyncio.Runner, family: Family, photo: bytes
) -> None:
    async def test() -> None:
        alice = family.alice
        await alice.restart(
            rooms={**alice.config.model_dump()["rooms"], "quiet": {"room": family.rooms["plain"], "send": False}}
        )
        wrong = {
            "": "Send a photo with a text such as",
            "#nowhere @bob": "I know no room #nowhere. There are: #plain, #family, #quiet.",
            "#family": "No recipients were given.",
            "@bob": "You did not say which room the photo is for.",
            "#family @carol": "There is no contact 'carol'.",
            "#family #plain @bob": "A photo goes into one room at a time.",
            "#family @bob level=best": "There is no level 'best'.",
            "#quiet @bob": "Nothing is sent into #quiet.",
        }
        for caption, said in wrong.items():
            await alice.owner.show(alice.control, photo, caption)
            await alice.owner.text(alice.control, said)
        await alice.owner.show(
            alice.control, encode_picture(np.zeros((64, 64, 3), np.uint8), "PNG"), "#family @bob", kind="image/png"
        )
        await alice.owner.text(alice.control, "No face was found")
        alice.profile.trust("Bob", undo=True)
        await alice.owner.show(alice.control, photo, "#family @bob")
        await alice.owner.text(alice.control, "Bob is not authorised to see your photos")
        assert "Bob may see your photos in #family" in await alice.ask("!trust bob #family", "may see")
        await alice.owner.show(alice.control, photo, "#plain @bob")
        await alice.owner.text(alice.control, "Bob is not authorised to see your photos in #plain")
        alice.profile.trust("Bob")
        assert len(alice.profile.records("bot draft", str)) == 0
        await family.mallory.look()
        assert not any(post.is_picture for post in family.mallory.seen)

    runner.run(test())


def test_a_photo_without_a_text_is_sent_by_a_reply_to_it(runner: asyncio.Runner, family: Family, photo: bytes) -> None:
    """If a recipient has meanwhile lost the right to see it, nothing is posted."""

    async def test() -> None:
        alice = family.alice
        asked = await alice.owner.show(alice.control, photo)
        await alice.owner.text(alice.control, "reply to one with `!send")
        await alice.owner.say(alice.control, "!send #family @bob level=latent hello", **reply_to(asked))
        preview = await alice.shown("the preview")
        alice.profile.trust("Bob", undo=True)
        await alice.owner.react(alice.control, preview.event_id, YES)
        await alice.owner.text(alice.control, "Not posted: Bob is not authorised")
        alice.profile.trust("Bob")
        await alice.owner.say(alice.control, "!drop", **reply_to(preview.event_id))
        await alice.owner.text(alice.control, "Dropped.")
        other = await alice.owner.say(alice.control, "a text")
        await alice.owner.say(alice.control, "!send #family @bob", **reply_to(other))
        await alice.owner.text(alice.control, "This is not a reply to a photo of yours.")

    runner.run(test())


def test_an_answer_goes_where_the_photo_came_from(runner: asyncio.Runner, family: Family, photo: bytes) -> None:
    """Bob replies with a photo to a picture from his bot: it goes to that room, event and thread, at once, as he asked.

    If somebody else posts Alice's message for her, the bot names them.
    """

    async def test() -> None:
        alice, bob, mallory, room = family.alice, family.bob, family.mallory, family.rooms["family"]
        await bob.restart(rooms={"family": {"room": room, "auto_send": True}})
        bob.profile.trust("Alice")

        sealed = StyleCrypt(alice.profile).encrypt(photo, to=["Bob"], level="latent", stand_in="somebody")
        root = await mallory.say(room, "a thread")
        relation = {
            "rel_type": "m.thread",
            "event_id": root,
            "is_falling_back": True,
            "m.in_reply_to": {"event_id": root},
        }
        posted = await mallory.show(room, sealed.picture, **{"m.relates_to": relation})  # type: ignore[arg-type]
        shown = await bob.shown("Alice's photo")
        said = str(shown.content["body"])
        assert f"Alice (not verified), posted by {mallory.id} in #family: the sender's own inversion." in said

        await bob.owner.show(bob.control, photo, "@alice level=latent", **reply_to(shown.event_id))
        answer = await mallory.wait(is_picture, "Bob's fake")
        assert answer.sender == bob.bot_account.id
        expected = {
            "rel_type": "m.thread",
            "event_id": root,
            "is_falling_back": False,
            "m.in_reply_to": {"event_id": posted},
        }
        assert answer.content["m.relates_to"] == expected
        assert "Bob (not verified) in #family" in str((await alice.shown("Bob's photo")).content["body"])
        await bob.restart(rooms={name: {"room": room} for name, room in family.rooms.items()})

    runner.run(test())


def test_strangers_and_blocked_contacts_are_named_and_not_opened(
    runner: asyncio.Runner, family: Family, photo: bytes, tmp_path: Path
) -> None:
    async def test() -> None:
        alice, bob, mallory, room = family.alice, family.bob, family.mallory, family.rooms["plain"]
        with StyleCrypt.create(tmp_path / "mallory", name="Mallory", user_id=mallory.id) as stranger:
            stranger.profile.add_contact(bob.profile.card, trust=True)
            sealed = stranger.encrypt(photo, to=["Bob"], level="latent", stand_in="somebody")
            await mallory.show(room, sealed.picture)
            notice = await bob.owner.wait(lambda post: "was not opened" in str(post.content.get("body")), "a notice")
            said = str(notice.content["body"])
            assert f"A message in #plain, posted by {mallory.id}, was not opened" in said
            assert "somebody who is not among your contacts" in said

            # Once she is a contact, her message can be shown again, but not while she is blocked.
            bob.profile.add_contact(stranger.profile.card)
            bob.profile.block("Mallory")
            await bob.owner.say(bob.control, "!open", **reply_to(notice.event_id))
            await bob.owner.text(bob.control, "This message is from Mallory, whom you have blocked.")
            bob.profile.block("Mallory", undo=True)
            await bob.owner.say(bob.control, "!open", **reply_to(notice.event_id))
            assert "Mallory (not verified) in #plain" in str((await bob.shown("the photo")).content["body"])
            bob.profile.remove("Mallory")

        # Damaged pictures are reported; those for others, ordinary ones and copies are not worth a word.
        for house in (alice, bob):
            await house.owner.look()
            house.owner.seen.clear()
        damaged = {protocol.EVENT_KEY: {"v": 1, "public": "garbage"}}
        await mallory.show(room, photo, **damaged)  # type: ignore[arg-type]
        for house in (alice, bob):
            await house.owner.text(house.control, "was not opened: These bytes are damaged")
        await mallory.show(room, photo)
        drawing = b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'
        for data, kind in ((photo[: len(photo) // 3], "image/jpeg"), (drawing, "image/svg+xml"), (b"\0", "image/tiff")):
            content = {"msgtype": "m.image", "body": "a picture"}
            await mallory.session.send_picture(room, data, content, media_type=kind, trust="first-use")
        await mallory.show(room, sealed.picture)  # a stranger's again, whom Bob does not know any more
        await bob.owner.text(bob.control, "somebody who is not among your contacts")
        for_alice = StyleCrypt(bob.profile).encrypt(photo, to=["Alice"], level="latent", stand_in="somebody")
        await mallory.show(room, for_alice.picture)  # Bob's own, posted by somebody else
        await alice.shown("Bob's photo")
        await mallory.show(room, for_alice.picture)  # and once more
        for house in (alice, bob):
            await house.looked()
            assert await said_besides(house) == []

    runner.run(test())


def test_key_faces_and_covert_pictures(runner: asyncio.Runner, family: Family, photo: bytes, people: People) -> None:
    """Alice gives Bob's bot a key face; from then on it recognises what she posts without any message."""

    async def test() -> None:
        alice, bob, mallory, room = family.alice, family.bob, family.mallory, family.rooms["plain"]
        await bob.owner.look()
        bob.owner.seen.clear()
        await bob.restart(
            invite_allow=[alice.bot_account.id], rooms={"plain": {"room": room, "covert_from": ["Alice"]}}
        )
        assert "no key faces yet" in await alice.ask("!keyface", "key face")
        await alice.owner.show(alice.control, encode_picture(people.photo, "JPEG"), "!keyface add me")
        await alice.owner.text(alice.control, "me is a key face of yours")
        await alice.ask("!keyface share me bob", "me goes to Bob")
        await bob.owner.text(bob.control, "Alice gave you a key face")
        assert "me: Bob has it" in (said := await alice.ask("!keyface", "has it"))
        assert "not prepared" not in said
        (kept,) = bob.profile.all_their_key_faces()
        assert kept.prepared == alice.profile.key_face("me").prepared != ()
        assert "Alice gave you 1" in await bob.ask("!keyface", "gave you")

        covert = StyleCrypt(alice.profile).encrypt(photo, covert=True, stand_in="somebody", level="keyface")
        await mallory.show(room, covert.picture)  # not by Alice: an ordinary picture
        app = await Person.log_in(family.alice.server, alice.bot_account, alice.folder / "another app", signed=False)
        await app.show(room, covert.picture)
        shown = await bob.shown("what was recognised")
        said = str(shown.content["body"])
        assert (
            f"Alice, as it seems; posted by {alice.bot_account.id}, and nobody signed it in #plain: a likeness" in said
        )
        await app.session.client.logout()  # later tests are not to meet this device
        await app.session.close()
        assert await said_besides(bob) == []

    runner.run(test())


def test_a_photo_that_the_server_does_not_take_becomes_smaller(
    runner: asyncio.Runner, family: Family, photo: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If even that does not help, the owner is told, and can still post a draft that was shown."""
    limit = BotSession.upload_limit

    def at_most(count: int) -> None:
        async def small(session: BotSession) -> int:
            return count

        monkeypatch.setattr(BotSession, "upload_limit", small)

    async def test() -> None:
        alice, bob = family.alice, family.bob
        at_most(len(photo))
        await alice.owner.show(alice.control, photo, "#family @bob level=latent")
        preview = await alice.shown("a smaller preview")
        assert preview.content["info"]["size"] <= len(photo)
        await alice.owner.react(alice.control, preview.event_id, YES)
        await alice.owner.text(alice.control, "Posted in #family")
        await bob.shown("the photo")
        monkeypatch.setattr(BotSession, "upload_limit", limit)
        await alice.owner.show(alice.control, photo, "#family @bob level=latent")
        preview = await alice.shown("the preview")
        at_most(1000)
        await alice.owner.react(alice.control, preview.event_id, YES)
        failed = await alice.owner.wait(
            lambda post: "Not posted in #family" in str(post.content.get("body")), "the failure"
        )
        assert "takes at most 1000" in str(failed.content["body"])
        monkeypatch.setattr(BotSession, "upload_limit", limit)
        await alice.owner.react(alice.control, failed.event_id, YES)
        await alice.owner.text(alice.control, "Posted in #family")
        await bob.shown("the photo")

    runner.run(test())


def test_a_device_that_is_new_in_a_room(runner: asyncio.Runner, family: Family, photo: bytes, tmp_path: Path) -> None:
    """If its owner did not sign it, it gets nothing, and stops nothing, until the bot's owner vouches for it."""

    async def test() -> None:
        alice, mallory = family.alice, family.mallory
        other = await Person.log_in(alice.server, mallory.user, tmp_path, signed=False)
        device, key = other.session.device_id, other.session.key

        async def post() -> None:
            await alice.owner.show(alice.control, photo, "#family @bob level=latent")
            preview = await alice.shown("the preview")
            await alice.owner.react(alice.control, preview.event_id, YES)
            await alice.owner.text(alice.control, "Posted in #family")
            await mallory.wait(is_picture, "the fake")
            await family.bob.shown("the photo")

        await post()
        await other.look()
        assert not any(is_picture(post) and post.room_id == family.rooms["family"] for post in other.seen)
        other.seen.clear()
        await alice.ask(f"!device {mallory.id} {device} AAAA", "has another key")
        await alice.ask(f"!device {mallory.id} {device} {key}", "is verified")
        await post()
        await other.wait(is_picture, "the fake, on the new device")
        await other.session.client.logout()
        await other.session.close()

    runner.run(test())


def test_a_picture_that_is_larger_than_allowed_is_not_fetched(
    runner: asyncio.Runner, family: Family, photo: bytes
) -> None:
    async def test() -> None:
        alice, bob, mallory, room = family.alice, family.bob, family.mallory, family.rooms["plain"]
        rooms = {name: {"room": room} for name, room in family.rooms.items()}
        await bob.restart(rooms=rooms, media={"max_bytes": 1000})
        sealed = StyleCrypt(alice.profile).encrypt(photo, to=["Bob"], level="latent", stand_in="somebody")
        parcel = Parcel(sealed.picture, sealed.media_type, inside=sealed.packed)
        content = picture_content(parcel)
        for size in ({}, {"size": 10}):  # whatever it says
            content["info"] = {**content["info"], **size}
            await mallory.session.send_picture(
                room, sealed.picture, content, media_type=sealed.media_type, trust="first-use"
            )
            await bob.owner.text(bob.control, "Its picture is gone, damaged, or larger than you allow.")
        await mallory.show(room, photo)  # an ordinary one is not worth a word
        await bob.looked()
        assert await said_besides(bob) == []
        await bob.restart(media={"max_bytes": 20_000_000})

    runner.run(test())

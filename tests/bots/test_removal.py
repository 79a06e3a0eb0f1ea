"""What its owner deletes: before it was posted, and after."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from stylecrypt_bots.queues import NO, YES
from stylecrypt_bots.worker import PictureWorker

from stylecrypt_msg.messenger import EncryptedPhoto

from ..support.people import Family, answers, is_picture, reply_to

pytestmark = pytest.mark.usefixtures("short_descents", "default_model")


async def is_gone(family: Family, room: str, event_id: str) -> bool:
    """Whether the server has removed a message."""
    post = await family.mallory.session.again(family.rooms[room], event_id)
    return post is None or not post.content


def test_what_is_deleted_before_it_was_posted_is_not_posted(
    runner: asyncio.Runner, family: Family, photo: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the bot posts without asking. A caption that is changed in time is sealed as it is then."""
    gate, prepare = asyncio.Event(), PictureWorker.prepare

    async def gated(worker: PictureWorker, *args: Any) -> EncryptedPhoto:
        await gate.wait()
        return await prepare(worker, *args)

    async def test() -> None:
        alice, bob, mallory = family.alice, family.bob, family.mallory
        rooms = {name: {"room": room, "auto_send": True} for name, room in family.rooms.items()}
        await alice.restart(rooms=rooms)
        monkeypatch.setattr(PictureWorker, "prepare", gated)
        captions = {"#plain @bob level=latent one": "", "#plain @bob level=latent two": "", "#plain @bob three": ""}
        asked = [await alice.owner.show(alice.control, photo, caption) for caption in captions]
        assert "3 photos of yours" in await alice.ask("!status", "To do: ")
        for event_id in asked[:2]:  # the one that is being worked on, and one that waits
            await alice.owner.delete(alice.control, event_id)
            await alice.owner.text(alice.control, "I stopped, since you deleted the message.")
        new = {"msgtype": "m.image", "body": "#plain @bob level=latent four"}
        await alice.owner.edit(alice.control, asked[2], new)
        assert "1 photo of yours" in await alice.ask("!status", "To do: ")
        gate.set()
        await alice.owner.text(alice.control, "Posted in #plain")
        fake = await mallory.wait(is_picture, "the fake")
        assert "four" in str((await bob.shown("the photo")).content["body"])
        await alice.looked()
        await mallory.look()
        assert not any(post.is_picture for post in mallory.seen)
        await alice.owner.edit(alice.control, asked[2], new)
        await alice.owner.text(alice.control, "I do not read changes of what I have dealt with")
        monkeypatch.setattr(PictureWorker, "prepare", prepare)

        # What was posted is removed, and Bob's bot removes what it showed him.
        await alice.owner.delete(alice.control, asked[2])
        await alice.owner.text(alice.control, "Removed from #plain.")
        await bob.owner.text(bob.control, f"{alice.bot_account.id} removed a photo in #plain that I had shown you")
        assert await is_gone(family, "plain", fake.event_id)
        copies = [
            event
            for event in bob.server.events(bob.control, bob.owner_account)
            if "redacted_because" in event["unsigned"]
        ]
        assert len(copies) == 1

        await alice.restart(rooms={name: {"room": room} for name, room in family.rooms.items()})

    runner.run(test())


def test_what_was_posted_is_removed_by_a_cross_or_a_command(
    runner: asyncio.Runner, family: Family, photo: bytes
) -> None:
    async def test() -> None:
        alice, bob, mallory = family.alice, family.bob, family.mallory
        for way in ("cross", "command"):
            await alice.owner.show(alice.control, photo, "#family @bob level=latent")
            preview = await alice.shown("the preview")
            await alice.owner.edit(
                alice.control, str(answers(preview)), {"msgtype": "m.image", "body": "#family @bob late"}
            )
            await alice.owner.text(alice.control, "The photo is ready, with the text that it had.")
            await alice.owner.react(alice.control, preview.event_id, YES)
            posted = await alice.owner.wait(lambda post: "Posted in" in str(post.content.get("body")), "the report")
            fake = await mallory.wait(is_picture, "the fake")
            await bob.shown("the photo")
            if way == "cross":
                await alice.owner.react(alice.control, posted.event_id, NO)
            else:
                await alice.owner.say(alice.control, "!remove", **reply_to(posted.event_id))
            await alice.owner.text(alice.control, "Removed from #family.")
            await bob.owner.text(bob.control, "I removed your copy as well.")
            assert await is_gone(family, "family", fake.event_id)
            await alice.owner.say(alice.control, "!remove", **reply_to(posted.event_id))
            await alice.owner.text(alice.control, "There is nothing to remove.")

    runner.run(test())

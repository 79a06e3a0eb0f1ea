"""Killed at any point and started again: every photo is there exactly once."""

from __future__ import annotations

import asyncio
import time
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest
from stylecrypt_bots.account import log_in
from stylecrypt_bots.queues import YES

from stylecrypt_msg.transports.matrix.server import Password, Post

from ..support import killed_bots
from ..support.killed_bots import POINTS
from ..support.people import PATIENCE, Household, Person
from ..support.synapse import Homeserver


async def run_until_killed(house: Household, point: str, count: int = 1) -> None:
    process = killed_bots.fork(house, point, count)
    await ended(process)
    assert process.exitcode == -9, (house.folder / "bot.log").read_text()


async def ended(process: BaseProcess) -> None:
    await asyncio.to_thread(process.join, PATIENCE)


async def settle(*people: Person, quiet: float = 2.0) -> None:
    """Waits until nobody gets anything new."""
    end = time.monotonic() + quiet
    while time.monotonic() < end:
        before = sum(len(person.seen) for person in people)
        for person in people:
            await person.look()
        if sum(len(person.seen) for person in people) != before:
            end = time.monotonic() + quiet
        await asyncio.sleep(0.2)


def pictures(person: Person, room: str, sender: str) -> list[Post]:
    return [post for post in person.seen if post.is_picture and post.room_id == room and post.sender == sender]


@pytest.mark.slow
def test_a_photo_on_its_way_past_all_kills(
    runner: asyncio.Runner, homeserver: Homeserver, tmp_path: Path, photo: bytes
) -> None:
    alice, bob = Household(homeserver, tmp_path, "Alice"), Household(homeserver, tmp_path, "Bob")
    account = homeserver.register("mallory")
    room = homeserver.room(alice.owner_account, alice.bot_account, bob.bot_account, account, encrypted=True)
    for house in (alice, bob):
        house.configure(rooms={"family": {"room": room}})
    alice.profile.add_contact(bob.profile.card, trust=True)
    bob.profile.add_contact(alice.profile.card)

    async def test() -> None:
        mallory = await Person.log_in(homeserver, account, tmp_path)
        await mallory.look()
        for house in (alice, bob):
            house.owner = await Person.log_in(homeserver, house.owner_account, house.folder)
            await log_in(house.config, house.profile, Password(house.bot_account.id, house.bot_account.password))
        # Making the control room.
        for house in (alice, bob):
            running = killed_bots.fork(house, "before posting")
            house.control = await house.accept_invitation()
            await ended(running)
            await run_until_killed(house, "accepted")
            await run_until_killed(house, "taken down")

        await alice.owner.show(alice.control, photo, "#family @bob level=latent hello")
        for point in POINTS:  # the preview, and its buttons
            await run_until_killed(alice, point)
        running = killed_bots.fork(alice)
        preview = await alice.shown("the preview")
        running.kill()
        await ended(running)
        await alice.owner.react(alice.control, preview.event_id, YES)
        for point in ("before moving on", "received", "before posting", "accepted", "taken down"):
            await run_until_killed(alice, point)
        running = killed_bots.fork(alice)
        await alice.owner.text(alice.control, "Posted in #family")

        # Bob's bot was not running meanwhile.
        for point in POINTS:
            await run_until_killed(bob, point)
        second = killed_bots.fork(bob)
        shown = await bob.shown("the photo")
        assert "hello" in str(shown.content["body"])
        await settle(alice.owner, bob.owner, mallory)
        for process in (running, second):
            process.terminate()
            await ended(process)

        # Exactly one of each: the preview and the photo shown were already removed.
        assert pictures(alice.owner, alice.control, alice.bot_account.id) == []
        assert pictures(bob.owner, bob.control, bob.bot_account.id) == []
        assert len(pictures(mallory, room, alice.bot_account.id)) == 1
        said = [
            str(post.content.get("body"))
            for house in (alice, bob)
            for post in house.owner.seen
            if post.sender == house.bot_account.id and post.type == "m.room.message" and not post.is_picture
        ]
        greetings = [text for text in said if text.startswith("This is your StyleCrypt bot")]
        assert len(greetings) == 2
        working = [text for text in said if "working on this" in text or "worked on this" in text]
        assert sum(not text.startswith("* ") for text in working) <= 1  # and its edits
        assert [text for text in said if text not in greetings + working] == []
        buttons = [
            post for post in alice.owner.seen if post.type == "m.reaction" and post.sender == alice.bot_account.id
        ]
        assert len(buttons) == 2
        for house in (alice, bob):
            await house.leave()
        await mallory.session.close()

    runner.run(test())

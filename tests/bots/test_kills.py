"""Killed at any point, and started again: every photo is there once."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from stylecrypt_bots.account import log_in
from stylecrypt_bots.desk import YES

from stylecrypt_msg.transports.matrix.server import Password, Post

from ..synapse import Homeserver
from .killing import POINTS
from .people import PATIENCE, Household, Person

REPOSITORY = Path(__file__).parents[2]


class Process:
    """A household whose bot is a process of its own."""

    def __init__(self, house: Household) -> None:
        self.house = house
        self.config = house.folder / "bot.yaml"
        self.config.write_text(yaml.safe_dump(house.config.model_dump(mode="json", exclude_defaults=True)))
        self.kills = 0

    async def run_until_killed(self, point: str, count: int = 1) -> None:
        process = self.start(point, count)
        await asyncio.wait_for(asyncio.to_thread(process.wait), PATIENCE)
        assert process.returncode == -9, (self.house.folder / "bot.log").read_text()
        self.kills += 1

    def start(self, point: str = "never", count: int = 1) -> subprocess.Popen[bytes]:
        with (self.house.folder / "bot.log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "tests.bots.killing", self.config, self.house.profile.folder, point, str(count)],
                cwd=REPOSITORY, stderr=log, stdout=log,
            )  # fmt: skip


async def settle(*people: Person, quiet: float = 2.0) -> None:
    """Until nobody hears anything new."""
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
        processes = []
        for house in (alice, bob):
            house.owner = await Person.log_in(homeserver, house.owner_account, house.folder)
            await log_in(house.config, house.profile, Password(house.bot_account.id, house.bot_account.password))
            processes.append(Process(house))
        hers, his = processes
        # Making the control room.
        for process in processes:
            running = process.start("before posting")
            process.house.control = await process.house.accept_invitation()
            await asyncio.wait_for(asyncio.to_thread(running.wait), PATIENCE)
            await process.run_until_killed("accepted")
            await process.run_until_killed("taken down")

        await alice.owner.show(alice.control, photo, "#family @bob level=latent hello")
        for point in POINTS:  # the preview, and its buttons
            await hers.run_until_killed(point)
        running = hers.start()
        preview = await alice.shown("the preview")
        running.kill()
        running.wait()
        await alice.owner.react(alice.control, preview.event_id, YES)
        for point in ("before moving on", "received", "before posting", "accepted", "taken down"):
            await hers.run_until_killed(point)
        running = hers.start()
        await alice.owner.text(alice.control, "Posted in #family")

        # Bob's bot was not there meanwhile.
        for point in POINTS:
            await his.run_until_killed(point)
        second = his.start()
        shown = await bob.shown("the photo")
        assert "hello" in str(shown.content["body"])
        await settle(alice.owner, bob.owner, mallory)
        for process in (running, second):  # type: ignore[assignment]
            process.terminate()  # type: ignore[attr-defined]
            process.wait()  # type: ignore[attr-defined]

        # One of each: the preview and the photo that were shown are taken away already.
        assert pictures(alice.owner, alice.control, alice.bot_account.id) == []
        assert pictures(bob.owner, bob.control, bob.bot_account.id) == []
        assert len(pictures(mallory, room, alice.bot_account.id)) == 1
        said = [str(post.content.get("body")) for house in (alice, bob) for post in house.owner.seen
                if post.sender == house.bot_account.id and post.type == "m.room.message" and not post.is_picture]  # fmt: skip
        greetings = [text for text in said if text.startswith("This is your StyleCrypt bot")]
        assert len(greetings) == 2
        assert [text for text in said if text not in greetings] == []
        buttons = [
            post for post in alice.owner.seen if post.type == "m.reaction" and post.sender == alice.bot_account.id
        ]
        assert len(buttons) == 2
        assert hers.kills + his.kills == 2 * len(POINTS) + 5 + 4
        for house in (alice, bob):
            await house.leave()
        await mallory.session.close()

    runner.run(test())

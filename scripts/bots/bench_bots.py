"""How fast bots pass on photos, compared with Matrix itself: against a real homeserver, in one run.

    python scripts/bots/bench_bots.py [--messages 20] [--rooms 200] [-o FILE]

A bare message is timed from when one nio client uploads a picture and posts it in an encrypted room until another client has
fetched and decrypted it. A photo takes three of these: from its owner to their bot, from bot to bot, and to the other owner.
All of them run in this process. The bots themselves measure their work on pictures (faces, seals, compression), which is
subtracted. Then the bots answer what was written while they were stopped; finally, a bot in a separate process is in many
rooms. Needs what the tests need.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from shared import a_face, report

from stylecrypt_msg.pictures import encode_picture
from stylecrypt_msg.transports.matrix.server import Post
from tests.support import killed_bots
from tests.support.people import Household, Person
from tests.support.synapse import Homeserver


class Listener:
    """Somebody whose app is open: it gets messages at once, and fetches pictures."""

    def __init__(self, person: Person) -> None:
        self.person = person
        self.heard: asyncio.Queue[tuple[float, Post]] = asyncio.Queue()
        self.task = asyncio.create_task(self._listen())

    async def _listen(self) -> None:
        async for post in self.person.session.posts(follow=True):
            if post.is_picture:
                await self.person.session.picture(post)
            self.heard.put_nowait((time.perf_counter(), post))

    async def next(self, wanted: Callable[[Post], bool]) -> float:
        while True:
            when, post = await asyncio.wait_for(self.heard.get(), 300)
            if wanted(post):
                return when


def spent(house: Household) -> float:
    """Seconds of work on pictures so far."""
    return sum(
        sample.value
        for metric in house.bot.health.work.collect()
        for sample in metric.samples
        if sample.name.endswith("_sum")
    )


async def bench(server: Homeserver, folder: Path, arguments: argparse.Namespace) -> dict[str, Any]:
    messages: int = arguments.messages
    photo = encode_picture(a_face("bench", 480), "JPEG")
    alice, bob = Household(server, folder, "Alice"), Household(server, folder, "Bob")
    account = server.register("mallory")
    room = server.room(alice.owner_account, alice.bot_account, bob.bot_account, account, encrypted=True)
    alice.profile.add_contact(bob.profile.card, trust=True)
    bob.profile.add_contact(alice.profile.card)
    for house in (alice, bob):
        house.configure(rooms={"family": {"room": room, "auto_send": True}})
        await house.set_up()
    mallory = await Person.log_in(server, account, folder)
    await mallory.look()
    outsider, his = Listener(mallory), Listener(bob.owner)

    bare = []
    for _ in range(messages + 2):
        started = time.perf_counter()
        await alice.owner.show(room, photo)
        bare.append(await outsider.next(lambda post: post.is_picture and post.sender == alice.owner.id) - started)
    whole, work = [], []
    for _ in range(messages + 2):
        before, started = spent(alice) + spent(bob), time.perf_counter()
        await alice.owner.show(alice.control, photo, "#family @bob")
        shown = await his.next(lambda post: post.is_picture and post.room_id == bob.control)
        whole.append(shown - started)
        work.append(spent(alice) + spent(bob) - before)
    bare, whole, work = bare[2:], whole[2:], work[2:]  # the first two load the model and share keys

    his.task.cancel()
    await asyncio.gather(his.task, return_exceptions=True)
    await bob.stop()
    started = time.perf_counter()
    for _ in range(5 * messages):
        await bob.owner.say(bob.control, "bare")
    texts = 5 * messages / (time.perf_counter() - started)
    await bob.owner.look()
    bob.owner.seen.clear()
    bob.start()
    started = time.perf_counter()
    answered = 0
    while answered < 5 * messages:
        await bob.owner.look()
        answered = sum("Send a photo" in str(post.content.get("body")) for post in bob.owner.seen)
    answers = 5 * messages / (time.perf_counter() - started)

    outsider.task.cancel()
    await asyncio.gather(outsider.task, return_exceptions=True)
    for house in (alice, bob):
        await house.leave()
    await mallory.session.close()
    rest = statistics.median(w - m for w, m in zip(whole, work, strict=True))
    return {
        "messages": messages,
        "bare_ms": round(1000 * statistics.median(bare), 1),
        "photo_ms": round(1000 * statistics.median(whole), 1),
        "of_which_work_ms": round(1000 * statistics.median(work), 1),
        "rest_ms": round(1000 * rest, 1),
        "rest_per_hop_to_bare": round(rest / 3 / statistics.median(bare), 2),
        "texts_posted_per_s": round(texts, 1),
        "commands_answered_per_s": round(answers, 1),
        **await in_many_rooms(server, folder, arguments.rooms),
    }


async def in_many_rooms(server: Homeserver, folder: Path, rooms: int) -> dict[str, Any]:
    """Measures the memory of a bot that only listens."""
    house = Household(server, folder, "Carol")
    friend = server.register("friend")
    for number in range(rooms):
        server.room(house.owner_account, house.bot_account, friend, encrypted=number % 2 == 0)
    await house.set_up()
    await house.stop()
    house.profile.close()
    process = killed_bots.start(house)
    try:
        await house.owner.say(house.control, "!help")
        await house.owner.text(house.control, "as a reply")
        status = Path(f"/proc/{process.pid}/status").read_text()
    finally:
        process.kill()
        process.wait()
        await house.owner.session.close()
    kilobytes = int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS")))
    return {"rooms": rooms, "listening_mb": round(kilobytes / 1024)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--messages", type=int, default=20)
    parser.add_argument("--rooms", type=int, default=200)
    report(parser, bench)


if __name__ == "__main__":
    main()

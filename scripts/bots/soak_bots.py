"""Two bots, a real homeserver, photos both ways, and SIGKILL at random moments: does every message arrive, and once?

    python scripts/bots/soak_bots.py --messages 250 --kills 50 --restarts 5 -o soak.json

Each owner posts that many photos in their control room, as fast as their bot takes them; the bots post them in an encrypted
room and show what the other one sent. Meanwhile, bots are killed and started again, and the homeserver is restarted. Arrivals
are counted by the sealed captions, in the control rooms and in the room. Needs what the tests need.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import re
import subprocess
import time
from collections import Counter
from pathlib import Path
from typing import Any

from shared import a_photo, report
from stylecrypt_bots.account import log_in

from stylecrypt_msg.transports.matrix.server import Password
from tests.support import killed_bots
from tests.support.people import Household, Person
from tests.support.synapse import Homeserver

AHEAD = 8  # photos that an owner has posted and the other has not yet seen


class Runner:
    """A household whose bot is a process that is killed and started again."""

    def __init__(self, house: Household) -> None:
        self.house = house
        self.process: subprocess.Popen[bytes]
        self.shown: Counter[str] = Counter()
        self.trouble: list[str] = []
        self.kills = self.deaths = 0

    def start(self) -> None:
        self.process = killed_bots.start(self.house)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        self.kills += 1
        self.start()

    def revive(self) -> None:
        """Starts the bot again if it ended by itself, which it should not."""
        if self.process.poll() is not None:
            self.deaths += 1
            self.start()

    async def look(self) -> None:
        """Counts what the bot shows."""
        owner = self.house.owner
        try:
            await owner.look()
        except Exception as error:  # the homeserver is being restarted
            print(f"  {self.house.name} cannot look: {type(error).__name__}")
            return
        for post in owner.seen:
            if post.sender != self.house.bot_account.id or post.room_id != self.house.control:
                continue
            text = str(post.content.get("body"))
            if post.is_picture and (number := re.search(r"“number (\d+)”", text)):
                self.shown[number[1]] += 1
            elif not text.startswith("Posted in"):
                self.trouble.append(text)
        owner.seen.clear()


async def soak(server: Homeserver, folder: Path, arguments: argparse.Namespace) -> dict[str, Any]:
    messages, kills, restarts = arguments.messages, arguments.kills, arguments.restarts
    rng = random.Random(arguments.seed)  # noqa: S311 - no secret
    photo = a_photo()
    alice, bob = Household(server, folder, "Alice"), Household(server, folder, "Bob")
    account = server.register("mallory")
    room = server.room(alice.owner_account, alice.bot_account, bob.bot_account, account, encrypted=True)
    alice.profile.add_contact(bob.profile.card, trust=True)
    bob.profile.add_contact(alice.profile.card, trust=True)
    runners = []
    mallory = await Person.log_in(server, account, folder)
    await mallory.look()
    for house in (alice, bob):
        house.configure(rooms={"family": {"room": room, "auto_send": True}})
        house.owner = await Person.log_in(server, house.owner_account, house.folder)
        await log_in(house.config, house.profile, Password(house.bot_account.id, house.bot_account.password))
        runner = Runner(house)
        runner.start()
        runners.append(runner)
        house.control = await house.accept_invitation()
        await house.owner.text(house.control, "This is your StyleCrypt bot.")
    hers, his = runners
    started = time.monotonic()
    posted = dict.fromkeys(runners, 0)
    pictures: set[str] = set()
    next_kill, done_restarts = time.monotonic() + rng.uniform(3, 15), 0
    last = ""
    quiet_since = time.monotonic()
    while True:
        for runner, other, to in ((hers, his, "bob"), (his, hers, "alice")):
            ahead = posted[runner] - len(other.shown)
            if posted[runner] < messages and ahead < AHEAD:
                caption = f"#family @{to} number {posted[runner]}"
                try:
                    await runner.house.owner.show(runner.house.control, photo, caption)
                    posted[runner] += 1
                except Exception as error:  # the homeserver is being restarted: retried in the next round
                    print(f"  {runner.house.name} cannot post: {type(error).__name__}")
            runner.revive()
            await runner.look()
        try:
            await mallory.look()
        except Exception as error:  # as above
            print(f"  mallory cannot look: {type(error).__name__}")
        pictures |= {post.event_id for post in mallory.seen if post.is_picture}
        mallory.seen.clear()
        so_far = sum(sum(runner.shown.values()) for runner in runners)
        done_kills = sum(runner.kills for runner in runners)
        state = f"{so_far} of {2 * messages} shown, {done_kills} kills, {done_restarts} restarts"
        if state != last:
            print(f"{time.monotonic() - started:7.0f} s  {state}", flush=True)
            last, quiet_since = state, time.monotonic()
        complete = all(len(runner.shown) >= messages for runner in runners)
        if complete and done_kills >= kills and done_restarts >= restarts:
            break
        if done_restarts < restarts and so_far >= 2 * messages * (done_restarts + 0.5) / restarts:
            await asyncio.to_thread(server.stop)
            await asyncio.sleep(rng.uniform(0, 3))
            await asyncio.to_thread(server.start)
            done_restarts += 1
        elif done_kills < kills and time.monotonic() > next_kill:
            await asyncio.to_thread(rng.choice(runners).kill)
            # Spread over the whole run, and never so fast that nothing gets done.
            left = max(1, 2 * messages - so_far) * (time.monotonic() - started) / max(1, so_far)
            next_kill = time.monotonic() + rng.uniform(0.3, 1.7) * max(4.0, left / (kills - done_kills + 1))
        if time.monotonic() - quiet_since > 600:
            print("nothing has happened for ten minutes")
            break
        await asyncio.sleep(0.1)
    seconds = time.monotonic() - started
    await asyncio.sleep(10)  # for messages that might arrive twice
    for runner in runners:
        await runner.look()
        runner.process.terminate()
        runner.process.wait()
    await mallory.look()
    pictures |= {post.event_id for post in mallory.seen if post.is_picture}
    expected = {str(number) for number in range(messages)}
    result = {
        "messages": 2 * messages,
        "seconds": round(seconds),
        "kills": sum(runner.kills for runner in runners),
        "homeserver_restarts": done_restarts,
        "ended_by_themselves": sum(runner.deaths for runner in runners),
        "shown": sum(sum(runner.shown.values()) for runner in runners),
        "lost": sum(len(expected - runner.shown.keys()) for runner in runners),
        "shown_twice": sum(count - 1 for runner in runners for count in runner.shown.values()),
        "posted_in_the_room": len(pictures),
        "other_words": [text for runner in runners for text in runner.trouble][:10],
    }
    for house in (alice, bob):
        await house.leave()
    await mallory.session.close()
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--messages", type=int, default=250, help="photos that each owner posts")
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--restarts", type=int, default=5, help="of the homeserver")
    parser.add_argument("--seed", type=int, default=0)
    report(parser, soak)


if __name__ == "__main__":
    main()

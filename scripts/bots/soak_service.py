"""The service with many owners, photos from each to the next, and SIGKILL at random moments: does every photo arrive, and once?

    python scripts/bots/soak_service.py --owners 20 --messages 25 --kills 20 -o soak.json
    python scripts/bots/soak_service.py --owners 2 --messages 2 --idle 200

With ``--idle``, so many more owners have bots that do nothing, and the memory of the service's process is measured before the
first photo. What is killed is the service or one of its processes for pictures, in turn. Needs what the tests need.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import yaml
from shared import a_photo, report
from stylecrypt_bots.config import QuotaSettings, ServiceConfig
from stylecrypt_bots.owners import Owners
from stylecrypt_bots.registration import ACCOUNT

from stylecrypt_msg.profile import Profile
from tests.support.quickly import PROGRAM
from tests.support.synapse import Homeserver
from tests.support.tenants import PASSPHRASE, SERVICE_ID, Tenant

AHEAD = 3  # photos that an owner has posted and the next has not yet seen
COMMAND = [sys.executable, "-c", f"{PROGRAM}\nfrom stylecrypt_msg.cli import main\nmain()"]


class Process:
    """The service, which is killed and started again."""

    def __init__(self, config: Path) -> None:
        self._config = config
        self.deaths = 0
        self.start()

    def start(self) -> None:
        with self._config.with_name("service.log").open("ab") as output:
            self._process = subprocess.Popen(
                [*COMMAND, "bot", "serve", "-c", str(self._config)],
                stdout=output,
                stderr=output,
                env={**os.environ, "STYLECRYPT_PASSPHRASE": PASSPHRASE},
            )

    def revive(self) -> None:
        """Starts it again if it ended by itself, which it should not."""
        if self._process.poll() is not None:
            self.deaths += 1
            self.start()

    def workers(self) -> list[int]:
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split()
        return [int(pid) for pid in children if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()]

    def kill(self, *, worker: bool) -> None:
        if worker and (workers := self.workers()):
            os.kill(workers[0], signal.SIGKILL)
            return
        self._process.kill()
        self._process.wait()
        self.start()

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait()

    @property
    def megabytes(self) -> int:
        """Of memory, without the processes for pictures."""
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0]) // 1024

    @property
    def seconds(self) -> float:
        """Of the processor, without the processes for pictures."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def idle(server: Homeserver, config: ServiceConfig, profile: Profile, number: int) -> list[str]:
    """Owners who have a bot, and are not there."""
    owners = Owners(profile, config.folder)
    accounts = [await asyncio.to_thread(server.register, f"idle{count}") for count in range(number)]
    for account in accounts:
        owners.add(account.id)
    return [account.id for account in accounts]


async def soak(server: Homeserver, folder: Path, arguments: argparse.Namespace) -> dict[str, Any]:
    rng = random.Random(arguments.seed)  # noqa: S311 - no secret
    config = ServiceConfig(
        homeserver=server.url,
        server_name=server.name,
        registration=server.registration,
        folder=folder / "place",
        most_owners=arguments.owners + arguments.idle,
        quota=QuotaSettings(photos=10_000, bytes=10**12),
    )
    path = folder / "service.yaml"
    path.write_text(yaml.safe_dump(config.model_dump(mode="json", exclude_defaults=True)))
    result: dict[str, Any] = {"owners": arguments.owners, "messages": arguments.owners * arguments.messages}
    with Profile.create(
        config.folder / "service", name="StyleCrypt", user_id=SERVICE_ID, passphrase=PASSPHRASE, now=1
    ) as profile:
        await idle(server, config, profile, arguments.idle)
    process = Process(path)
    try:
        if arguments.idle:
            result |= await measured_idle(process, path, arguments.idle)
        result |= await photos(server, folder, process, rng, arguments)
    finally:
        process.stop()
    return result


async def measured_idle(process: Process, path: Path, number: int) -> dict[str, Any]:
    started = time.monotonic()
    log = path.with_name("service.log")
    while len(set(re.findall(f'@{ACCOUNT}_[^"]*', log.read_text()))) < number:
        await asyncio.sleep(1)
    starting, busy = time.monotonic() - started, process.seconds
    await asyncio.sleep(60)
    before = process.seconds
    await asyncio.sleep(60)
    return {
        "idle_owners": number,
        "seconds_to_start": round(starting),
        "processor_seconds_to_start": round(busy),
        "megabytes_idle": process.megabytes,
        "processor_seconds_in_a_minute_idle": round(process.seconds - before, 1),
    }


async def photos(
    server: Homeserver, folder: Path, process: Process, rng: random.Random, arguments: argparse.Namespace
) -> dict[str, Any]:
    """Each owner sends to the next one, in the room of the two."""
    messages, kills = arguments.messages, arguments.kills
    tenants = [Tenant(server, folder, f"Owner{number}", lambda: None) for number in range(arguments.owners)]
    nexts = dict(zip(tenants, [*tenants[1:], tenants[0]], strict=True))
    shown: dict[Tenant, Counter[str]] = {tenant: Counter() for tenant in tenants}
    posted = dict.fromkeys(tenants, 0)
    trouble: list[str] = []
    for tenant in tenants:
        await tenant.set_up()
        await tenant.ask("!card publish", "in my profile")
    for one, other in nexts.items():
        room = await asyncio.to_thread(server.room, one.owner_account, other.owner_account, encrypted=True)
        for tenant in (one, other):
            await tenant.bring_bot(room)
            if arguments.owners > 2 or tenant is one:
                await tenant.ask(f"!add {(other if tenant is one else one).bot_account.id}", "contact")
        await one.ask(f"!room next {room} auto_send=yes", "is a room of yours")
        await one.ask(f"!trust {other.bot_account.id}", "may see")
    print("all owners are ready", flush=True)
    photo, started, done = a_photo(), time.monotonic(), 0
    quiet_since, last, next_kill = time.monotonic(), "", 1.0  # kills are spread over the photos

    async def look(tenant: Tenant) -> None:
        await tenant.owner.look()
        for post in tenant.owner.seen:
            if post.room_id == tenant.control and post.sender == tenant.bot_account.id:
                text = str(post.content.get("body"))
                if post.is_picture and (number := re.search(r"“number (\d+)”", text)):
                    shown[tenant][number[1]] += 1
                elif not text.startswith("Posted in") and "worked on this" not in text and "working on" not in text:
                    trouble.append(text)
                    print(f"  {tenant.name} is told: {text}", flush=True)
        tenant.owner.seen.clear()

    while True:
        for one, other in nexts.items():
            if posted[one] < messages and posted[one] - len(shown[other]) < AHEAD:
                caption = f"#next {other.bot_account.id} number {posted[one]}"
                await one.owner.show(one.control, photo, caption)
                posted[one] += 1
            await look(one)
        process.revive()
        so_far = sum(len(counter) for counter in shown.values())
        state = f"{so_far} of {len(tenants) * messages} shown, {done} kills"
        if state != last:
            print(f"{time.monotonic() - started:7.0f} s  {state}", flush=True)
            last, quiet_since = state, time.monotonic()
        if all(len(counter) >= messages for counter in shown.values()) and done >= kills:
            break
        if done < kills and so_far >= next_kill:
            await asyncio.to_thread(process.kill, worker=done % 2 == 1)
            done += 1
            next_kill = len(tenants) * messages * (done + rng.uniform(0.1, 0.9)) / kills
        if time.monotonic() - quiet_since > 600:
            print("nothing has happened for ten minutes")
            break
        await asyncio.sleep(0.1)
    seconds = time.monotonic() - started
    await asyncio.sleep(10)  # for messages that might arrive twice
    for tenant in tenants:
        await look(tenant)
        await tenant.leave()
    expected = {str(number) for number in range(messages)}
    return {
        "seconds": round(seconds),
        "kills": done,
        "ended_by_itself": process.deaths,
        "shown": sum(sum(counter.values()) for counter in shown.values()),
        "lost": sum(len(expected - counter.keys()) for counter in shown.values()),
        "shown_twice": sum(count - 1 for counter in shown.values() for count in counter.values()),
        "megabytes_at_the_end": process.megabytes,
        "other_words": trouble[:10],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--owners", type=int, default=4)
    parser.add_argument("--messages", type=int, default=3, help="photos that each owner posts")
    parser.add_argument("--kills", type=int, default=2)
    parser.add_argument("--idle", type=int, default=0, help="more owners, who do nothing")
    parser.add_argument("--seed", type=int, default=0)
    report(parser, soak)


if __name__ == "__main__":
    main()

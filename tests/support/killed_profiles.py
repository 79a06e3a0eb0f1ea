"""Kills a process that writes to a profile, many times, and checks each time that everything it acknowledged is there.

Run as ``python -m tests.support.killed_profiles FOLDER ROUNDS SEED``; prints one line of JSON. It is a separate program so that
it can fork: it imports little, has one thread, and holds no profile open while it forks.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
import traceback
from pathlib import Path

import stylecrypt_protocol as sp

from stylecrypt_msg.errors import ProfileError
from stylecrypt_msg.profile import Profile, store

store._COST = sp.Cost(operations=1, memory=8192)  # type: ignore[misc]  # milliseconds

NOW = 1_760_000_000
PASSPHRASE = "correct"
KINDS = 7


def passphrase() -> str:
    return PASSPHRASE


def card(n: int) -> sp.Card:
    return sp.Card.create(sp.Identity.generate(), user_id=f"@{n}:x", display_name=f"{n}", created=NOW)


def message_id(n: int) -> sp.MessageId:
    return sp.MessageId(n.to_bytes(16, "big"))


def write(profile: Profile, n: int) -> None:
    """Makes the n-th write; the writes go through all kinds in turn."""
    name = f"{n}"
    match n % KINDS:
        case 0:
            profile.set_setting(name, name)
        case 1:
            profile.add_contact(card(n))
        case 2:
            profile.add_key_face(name, name.encode() * 5000, sp.Pixels(width=1, height=1, rgb=bytes(3)))
        case 3:
            profile.finish(name.encode())
        case 4:
            profile.seen(name.encode()).check_and_remember(sp.CardId(bytes(16)), message_id(n), NOW, rank=3)
        case 5:
            profile.change_passphrase(None if profile.locked else PASSPHRASE)
        case _:
            profile.choose_stand_in(name, name)


def is_there(profile: Profile, n: int) -> bool:
    name = f"{n}"
    match n % KINDS:
        case 0:
            return profile.setting(name) == name
        case 1:
            return profile.contact(f"@{n}:x").name == name
        case 2:
            return profile.key_face(name).picture == name.encode() * 5000
        case 3:
            return profile.finished(name.encode())
        case 4:
            other = profile.seen(b"another delivery")
            return other.check_and_remember(sp.CardId(bytes(16)), message_id(n), NOW, rank=3) is sp.Seen.BEFORE
        case 5:
            return True  # that it opens at all
        case _:
            return profile.conversation(name).stand_in == name


def writer(folder: Path, first: int, acknowledge: int) -> None:
    """Runs in the child until it is killed: makes the profile if there is none, and says after each write that it is done."""
    try:
        profile = Profile.open(folder, passphrase)
    except ProfileError:
        profile = Profile.create(folder, name="Ann", passphrase=None, now=NOW)
    os.write(acknowledge, b"open\n")
    for n in range(first, sys.maxsize):
        write(profile, n)
        os.write(acknowledge, b"%d\n" % n)


def killed(folder: Path, first: int, rng: random.Random) -> list[bytes]:
    """What a child acknowledged before it was killed."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(reading)
            writer(folder, first, writing)
        finally:  # it went wrong before it was killed
            traceback.print_exc()
            os._exit(1)
    os.close(writing)
    with os.fdopen(reading, "rb") as lines:
        wanted = rng.randrange(-1, 12)  # -1: killed while it opens or makes the profile
        acknowledged = [lines.readline() for _ in range(wanted)]
        time.sleep(rng.uniform(0, 0.004))  # somewhere within the next write, or some later one
        os.kill(child, signal.SIGKILL)
        acknowledged += lines.readlines()
    _, status = os.waitpid(child, 0)
    if not os.WIFSIGNALED(status):
        raise SystemExit(f"a writer ended by itself after {acknowledged}")
    return [line for line in acknowledged if line.endswith(b"\n")]


def main(folder: Path, rounds: int, seed: int) -> None:
    rng = random.Random(seed)
    done: list[int] = []
    lost: list[int] = []
    early = unmade = 0
    place, first = folder / "0", 0
    for n in range(rounds):
        if n % 20 == 0:  # from the beginning again, for the making is killed too
            place, done, first = folder / f"{n}", [], 0
        lines = killed(place, first, rng)
        new = [int(line) for line in lines[1:]]
        done += new
        first = (new[-1] if new else first - 1) + 2  # the one after the last acknowledged may be there or not
        early += len(lines) <= 1
        if not done and not lines:
            try:
                Profile.open(place, passphrase).close()
            except ProfileError as error:
                if "There is no profile" not in str(error):
                    raise
                unmade += 1
            continue
        with Profile.open(place, passphrase) as profile:
            checked = done if n % 20 == 19 else new
            lost += [n for n in checked if not is_there(profile, n)]
            profile.contacts(), profile.key_faces()  # what was not acknowledged is whole, or not there
            if profile._store.database.read("PRAGMA integrity_check") != [("ok",)]:
                raise SystemExit("the file is damaged")
    result = {"rounds": rounds, "lost": lost, "early": early, "unmade": unmade, "last": done[-1] if done else 0}
    print(json.dumps(result))  # noqa: T201


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))

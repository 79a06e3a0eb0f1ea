"""Several processes and threads with one profile, and processes that are killed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from stylecrypt_protocol import CardId, MessageId, Seen

from stylecrypt_msg.errors import ProfileError
from stylecrypt_msg.profile import Profile

from .conftest import NOW, card

REPOSITORY = Path(__file__).parents[2]
PROCESSES = 3

START = """
import json, sys
import stylecrypt_protocol as sp
from stylecrypt_msg.errors import ProfileError
from stylecrypt_msg.profile import Profile
folder, me = sys.argv[1], int(sys.argv[2])
print("ready", flush=True)
sys.stdin.readline()
"""

USING = """
new = []
with Profile.open(folder) as profile:
    for n in range(25):
        profile.trust("Bob", conversation=f"{me}-{n}")
        profile.finish(f"{me}-{n}".encode())
        seen = profile.seen(f"{me}".encode())
        message_id = sp.MessageId(bytes([n]) * 16)
        if seen.check_and_remember(sp.CardId(bytes(16)), message_id, 1_760_000_000, rank=3) is sp.Seen.NEW:
            new.append(n)
print(json.dumps(new))
"""

MAKING = """
said = []
for n in range(5):
    try:
        Profile.create(f"{folder}/{n}", name=f"Ann {me}", passphrase=None, now=1).close()
        said.append("made")
    except ProfileError as error:
        said.append(str(error))
print(json.dumps(said))
"""


def at_once(code: str, folder: Path) -> Sequence[Any]:
    """What processes print that start the work at one time."""
    running = [
        subprocess.Popen(
            [sys.executable, "-c", START + code, folder, str(n)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for n in range(PROCESSES)
    ]
    for process in running:
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
    for process in running:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    said = [process.communicate()[0] for process in running]
    assert [process.returncode for process in running] == [0] * PROCESSES
    return [json.loads(text) for text in said]


def test_processes_do_not_undo_what_others_do(profile: Profile) -> None:
    profile.add_contact(card())
    new = at_once(USING, profile.folder)
    everything = {f"{who}-{n}" for who in range(PROCESSES) for n in range(25)}
    assert set(profile.contact("Bob").conversations) == everything
    assert all(profile.finished(reference.encode()) for reference in everything)
    assert sorted(chain(*new)) == list(range(25))  # each message was new to one of them


def test_of_those_that_make_a_profile_at_once_one_succeeds(tmp_path: Path) -> None:
    for n, said in enumerate(zip(*at_once(MAKING, tmp_path), strict=True)):
        with Profile.open(tmp_path / f"{n}") as profile:
            assert profile.card.display_name == f"Ann {said.index('made')}"
        assert sorted(text.endswith(" already.") for text in said) == [False, True, True]


def test_threads_do_not_undo_what_others_do(profile: Profile) -> None:
    profile.add_contact(card())

    def work(me: int) -> list[int]:
        new = []
        for n in range(25):
            profile.trust("Bob", conversation=f"{me}-{n}")
            seen = profile.seen(f"{me}".encode())
            if seen.check_and_remember(CardId(bytes(16)), MessageId(bytes([n]) * 16), NOW, rank=3) is Seen.NEW:
                new.append(n)
            profile.contacts()
        return new

    with ThreadPoolExecutor(4) as threads:
        new = list(threads.map(work, range(4)))
    assert set(profile.contact("Bob").conversations) == {f"{who}-{n}" for who in range(4) for n in range(25)}
    assert sorted(chain(*new)) == list(range(25))


def test_a_profile_that_another_keeps_busy_is_told(profile: Profile, monkeypatch: pytest.MonkeyPatch) -> None:
    with Profile.open(profile.folder) as other, profile._store.transaction():
        other._store.database.read("PRAGMA busy_timeout = 10")
        with pytest.raises(
            ProfileError, match=r"^Another program keeps the profile in .* busy: nothing was changed\.$"
        ):
            other.set_setting("a", "b")
        assert other.contacts() == []  # reading goes on


def test_what_is_written_is_on_the_disk(profile: Profile) -> None:
    """SQLite's word for it: FULL syncs the log at the end of each transaction (sqlite.org/pragma.html)."""
    assert profile._store.database.read("PRAGMA synchronous") == [(2,)]
    assert profile._store.database.read("PRAGMA journal_mode") == [("wal",)]


@pytest.mark.skipif(os.name != "posix", reason="needs fork and SIGKILL")
def test_what_was_acknowledged_is_there_after_a_kill() -> None:
    """200 times, at random points of opening, making and writing. In memory, if possible: a kill does not ask for the disk."""
    memory = Path("/dev/shm")  # noqa: S108
    with tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None) as folder:
        done = subprocess.run(
            [sys.executable, "-m", "tests.support.killed_profiles", folder, "200", "1"],
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["rounds"] == 200 and result["lost"] == []
    assert result["early"] > 0 and result["last"] > 50  # it was killed early, and late

"""Folders by a Ray cluster, and a worker that is killed."""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from stylecrypt_msg import StyleCrypt

from ..conftest import People
from ..support.command_line import saved

pytest.importorskip("ray", reason="the extra ray is not installed")

pytestmark = [pytest.mark.model, pytest.mark.slow]
PROGRAM = Path(sys.executable).with_name("stylecrypt")
CLUSTER = """
import ray
made = ray.init("local", num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
print("at", made.address_info["gcs_address"], flush=True)
input()
"""


@dataclass(frozen=True)
class Running:
    address: str
    process: subprocess.Popen[str]

    def workers(self, kind: str) -> list[int]:
        """The ids of its processes of a kind: those that work on a job, or serve."""
        shown = subprocess.run(["ps", "-eo", "pid,ppid,args"], capture_output=True, text=True, check=True).stdout
        rows = [line.split(maxsplit=2) for line in shown.splitlines()[1:]]
        mine = {str(self.process.pid)}
        while more := {pid for pid, parent, _ in rows if parent in mine} - mine:
            mine |= more
        return [int(pid) for pid, _, said in rows if pid in mine and said.startswith(f"ray::{kind}")]


@pytest.fixture(scope="module")
def cluster() -> Iterator[Running]:
    """Two workers of this machine."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (("MODE", "token"), ("TOKEN", secrets.token_hex(32))):
            patch.setenv(f"RAY_AUTH_{name}", value)
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        command = [sys.executable, "-c", CLUSTER]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            address = next(line.split()[1] for line in process.stdout if line.startswith("at "))
            yield Running(address, process)
            process.communicate("\n")


def test_a_killed_command_and_a_killed_worker_lose_nothing(cluster: Running, people: People, tmp_path: Path) -> None:
    with (
        StyleCrypt.create(tmp_path / "alice", name="Alice", passphrase="correct horse") as alice,
        StyleCrypt.create(tmp_path / "bob", name="Bob") as bob,
    ):
        alice.add_contact(bob.profile.card, trust=True)
        bob.add_contact(alice.profile.card)
    photos, fakes, journal = tmp_path / "photos", tmp_path / "fakes", tmp_path / "fakes-report" / "journal.jsonl"
    photos.mkdir()
    for number in range(6):
        pixels = people.photo.copy()
        pixels[0, 0] = number
        (photos / f"{number}.png").write_bytes(saved(pixels, "PNG"))
    (photos / "none.png").write_bytes(saved(people.photo[:, 300:], "PNG"))

    def lines() -> list[str]:
        return journal.read_text().splitlines() if journal.exists() else []

    options = ["--profile", "alice", "encrypt", "photos", "-o", "fakes", "--to", "Bob", "--ray", cluster.address]
    environment = {**os.environ, "STYLECRYPT_PASSPHRASE": "correct horse"}

    def run_until_killed(enough: int, find: Callable[[int], list[int]]) -> tuple[int, str]:
        """Runs the command; kills what ``find`` finds, given its process, once the journal has ``enough`` lines."""
        killed: list[int] = []
        command: list[str | Path] = [PROGRAM, *options]
        with subprocess.Popen(command, cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True) as running:
            while running.poll() is None and not killed:
                if len(lines()) >= enough and (killed := find(running.pid)):
                    os.kill(killed[0], signal.SIGKILL)
                time.sleep(0.02)  # the journal is all that it shows
            _, said = running.communicate()
        assert killed, said
        return running.returncode, said

    run_until_killed(3, lambda command: [command])
    before = {photo.name: photo.read_bytes() for photo in fakes.iterdir()}
    code, said = run_until_killed(len(lines()), lambda _: cluster.workers("MapWorker(Map(_Worker)).submit"))
    assert code == 1, said
    done = [json.loads(line)["output"] for line in lines()[1:3]]
    assert [before[name] for name in done] == [(fakes / name).read_bytes() for name in done]  # not made again
    assert "none.png: No face was found in the picture." in said  # an error of a worker, with what to do
    assert "hint: Use a photo in which the face" in said
    told = [json.loads(line)["photo"] for line in lines()[1:]]
    assert sorted(told) == [*(f"{number}.png" for number in range(6)), "none.png"]
    with StyleCrypt(tmp_path / "bob") as bob:
        opened = [bob.decrypt(fakes / f"{number}.png") for number in range(6)]
    assert [photo.pixels[0, 0].tolist() for photo in opened] == [[number] * 3 for number in range(6)]
    assert {(photo.level, photo.cover, photo.warnings) for photo in opened} == {("original", "exact", ())}


def test_a_service_on_a_cluster_whose_workers_are_killed(cluster: Running, people: People, tmp_path: Path) -> None:
    httpx2 = pytest.importorskip("httpx2", reason="the extra remote is not installed")
    token, tokens = secrets.token_hex(32), tmp_path / "tokens"
    tokens.touch(0o600)
    tokens.write_text(token)
    # All replicas die, and a busy machine takes more than the usual minute to start one.
    given: list[str | Path] = ["--tokens", tokens, "--port", "0", "--timeout", "300", "--ray", cluster.address]
    command = [PROGRAM, "serve", *given]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        address = next(line.split()[2] for line in process.stdout if line.startswith("Covers at "))
        url, headers = address.rstrip(","), {"Authorization": f"Bearer {token}"}

        def post() -> Any:
            form = {"force": "true", "picture": "PNG"}
            files = {"photo": saved(people.photo, "PNG")}
            return httpx2.post(f"{url}/v1/covers", files=files, data=form, headers=headers, timeout=330)

        with ThreadPoolExecutor(1) as elsewhere:
            answering = elsewhere.submit(post)
            while "stylecrypt_serve_busy 1.0" not in httpx2.get(f"{url}/metrics", headers=headers).text:
                assert not answering.done()
            for worker in cluster.workers("ServeReplica:stylecrypt:covers"):  # one of them has it
                os.kill(worker, signal.SIGKILL)
            answer = answering.result()
        process.terminate()
    assert (answer.status_code, process.returncode) == (200, 0), answer.text
    assert len(answer.json()["quads"]) == 1
    assert not cluster.workers("ServeReplica")


def test_a_cluster_that_is_not_there(tmp_path: Path, people: People) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "one.png").write_bytes(saved(people.photo, "PNG"))
    StyleCrypt.create(tmp_path / "me", name="Me").close()
    command: list[str | Path] = [
        PROGRAM,
        "--profile",
        "me",
        "encrypt",
        "photos",
        "-o",
        "fakes",
        "--level",
        "keyface",
        "--ray",
        "127.0.0.1:9",
    ]
    environment = {**os.environ, "RAY_AUTH_TOKEN": "x" * 64}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 3 and "Cannot join a Ray cluster at 127.0.0.1:9." in done.stderr

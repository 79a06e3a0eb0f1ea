"""From bucket to bucket, on a real S3 server: what is killed goes on, what changed is noticed, what goes wrong is said."""

from __future__ import annotations

import secrets
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from stylecrypt_msg import StyleCrypt

from ..conftest import People
from ..support.command_line import Run, read, refused, saved

pytest.importorskip("ray", reason="the extra ray is not installed")
boto3 = pytest.importorskip("boto3", reason="moto is not installed")

pytestmark = [pytest.mark.model, pytest.mark.slow]
PROGRAM = Path(sys.executable).with_name("stylecrypt")


@dataclass(frozen=True)
class Store:
    """A server with a bucket, "pool"; `ours` is another client's."""

    address: str
    process: subprocess.Popen[str]
    ours: Any

    def put(self, name: str, data: bytes) -> None:
        self.ours.put_object(Bucket="pool", Key=name, Body=data)

    def get(self, name: str) -> bytes:
        data: bytes = self.ours.get_object(Bucket="pool", Key=name)["Body"].read()
        return data

    def names(self, folder: str) -> list[str]:
        return [found["Key"] for found in self.ours.list_objects_v2(Bucket="pool", Prefix=folder).get("Contents", [])]

    def let_in(self, everybody: bool) -> None:
        data, kind = b"inf" if everybody else b"0", {"Content-Type": "text/plain"}
        request = urllib.request.Request(f"{self.address}/moto-api/reset-auth", data, kind)  # noqa: S310 - our own
        urllib.request.urlopen(request).close()  # noqa: S310


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    for name, value in (("ACCESS_KEY_ID", "somebody"), ("SECRET_ACCESS_KEY", "x"), ("REGION", "us-east-1")):
        monkeypatch.setenv(f"AWS_{name}", value)
    command: list[str | Path] = [PROGRAM.with_name("moto_server"), "-H", "127.0.0.1", "-p", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as process:
        assert process.stderr is not None
        address = next(line.split()[-1] for line in process.stderr if "Running on" in line)
        monkeypatch.setenv("AWS_ENDPOINT_URL", address)
        ours = boto3.client("s3", endpoint_url=address, region_name="us-east-1")
        ours.create_bucket(Bucket="pool")
        yield Store(address, process, ours)
        process.kill()


def test_from_bucket_to_bucket(store: Store, people: People, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (
        StyleCrypt.create(tmp_path / "alice", name="Alice") as alice,
        StyleCrypt.create(tmp_path / "bob", name="Bob") as bob,
    ):
        alice.add_contact(bob.profile.card, trust=True)
        bob.add_contact(alice.profile.card)
    monkeypatch.setenv("RAY_AUTH_TOKEN", secrets.token_hex(32))

    def photo(tone: int) -> bytes:
        pixels = people.photo.copy()
        pixels[0, 0] = tone
        return saved(pixels, "PNG")

    sent = {"one.png": 1, "same.png": 1, "ein Süden/three.png": 3, "ein Süden/four.png": 4}
    for name, tone in sent.items():
        store.put(f"holiday/{name}", photo(tone))
    store.put("holiday/.hidden/five.png", photo(5))
    journal = tmp_path / "fakes-report" / "journal.jsonl"

    def lines() -> list[str]:
        return [line for line in journal.read_text().splitlines(True) if line[-1] == "\n"] if journal.exists() else []

    def command(*options: str) -> subprocess.Popen[str]:
        fixed = ["--profile", "alice", "encrypt", "s3://pool/holiday", "-o", "s3://pool/fakes/", "--to", "Bob"]
        return subprocess.Popen([PROGRAM, *fixed, *options], cwd=tmp_path, stderr=subprocess.PIPE, text=True)

    def wait_for(count: int, running: subprocess.Popen[str]) -> None:
        while len(lines()) < count:
            assert running.poll() is None, running.communicate()
            time.sleep(0.02)  # the journal is all that a running command shows

    with command("--ray", "local") as running:
        wait_for(3, running)
        running.kill()  # it seals what a worker has covered: the first was covered here
    done = [name for name in sent if f'"photo":"{name}"' in "".join(lines()[1:])]
    changed, removed, *_ = done
    before = {name: store.get(f"fakes/{name}") for name in done}
    sent[changed] = 6
    store.put(f"holiday/{changed}", photo(6))
    store.ours.delete_object(Bucket="pool", Key=f"fakes/{removed}")
    with command() as running:  # by itself
        wait_for(len(lines()) + 1, running)
        store.let_in(everybody=False)
        _, said = running.communicate()
        store.let_in(everybody=True)
    assert running.returncode == 3
    assert said.startswith("stylecrypt: You may not use s3://pool/") and said.count("\n") == 2, said
    with command() as running:
        assert (running.wait(), running.communicate()[1]) == (0, "")
    assert sorted(store.names("fakes")) == sorted(f"fakes/{name}" for name in sent)
    assert all(store.get(f"fakes/{name}") == before[name] for name in done[2:])
    assert (tmp_path / "fakes-report" / "report.html").read_text().count("<img ") == len(sent)
    opened = subprocess.run(
        [PROGRAM, "--profile", "bob", "decrypt", "s3://pool/fakes", "-o", "back"], cwd=tmp_path, capture_output=True
    )
    assert opened.returncode == 0, opened.stderr
    assert {name: read(tmp_path / "back" / name)[0, 0].tolist() for name in sent} == {
        name: [tone] * 3 for name, tone in sent.items()
    }
    assert '"original"' in (tmp_path / "back-report" / "report.json").read_text()


def test_what_goes_wrong(store: Store, run: Run, people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("--profile", "alice", "init", "--name", "Alice", "--no-passphrase").code == 0
    Path("photos").mkdir()
    Path("photos", "one.png").write_bytes(saved(people.photo, "PNG"))

    def encrypt(source: str, output: str, says: str, code: int = 1) -> None:
        refused(run("--profile", "alice", "encrypt", source, "-o", output, "--level", "keyface"), says, code)

    encrypt("s3://nope/photos", "fakes", "There is no s3://nope/photos.")
    encrypt("photos", "s3://nope/fakes", "There is no s3://nope/fakes.")
    encrypt("s3://pool/photos", "fakes", "No picture is in s3://pool/photos.")
    encrypt("s3://pool/photos", "s3://pool/photos/fakes", "No picture is in s3://pool/photos.")
    store.put("photos/one.png", b"not looked at")
    encrypt("s3://pool/photos", "s3://pool/photos/fakes", "must not contain each other")
    encrypt("s3://me:secret@pool/photos", "fakes", "must not have a password in it")
    encrypt("s3://pool:photos", "fakes", "s3://pool:photos is not the address of a bucket.")
    store.let_in(everybody=False)
    encrypt("s3://pool/photos", "fakes", "You may not use s3://pool/photos, or there are no credentials for it.", 3)
    encrypt("photos", "s3://pool/fakes", "You may not use s3://pool/fakes, or there are no credentials for it.", 3)
    store.process.kill()
    encrypt("s3://pool/photos", "fakes", "s3://pool/photos cannot be used now.", 3)
    monkeypatch.setitem(sys.modules, "pyarrow.fs", None)
    encrypt("s3://pool/photos", "fakes", "Buckets need PyArrow, which is not installed.")
    assert not Path("fakes").exists()

"""The product without PyTorch, which is an extra: commands and the bot's work on pictures, in processes without it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from .conftest import People
from .support import quickly
from .support.command_line import saved

# Each line of the script's own: how a command ended, and what it wrote.
PROGRAM = f"""
import contextlib, io, json, sys
sys.modules["torch"] = None
{quickly.PROGRAM}
from stylecrypt_msg.cli import main
for line in json.loads(sys.argv[1]):
    sys.argv = ["stylecrypt", *line]
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main()
        except SystemExit as end:
            code = end.code or 0
    print(json.dumps([code, out.getvalue(), err.getvalue()]))
"""

BOT = """
import asyncio, sys
from pathlib import Path
sys.modules["torch"] = None
from stylecrypt_bots.health import Health
from stylecrypt_bots.media import cover_of, original_of
from stylecrypt_bots.worker import PictureWorker
from stylecrypt_msg.messenger import Arrival, Draft
from stylecrypt_msg.profile import Profile

async def work():
    alice, bob = (PictureWorker(Profile.open(Path(name), lambda: ""), "default", Health()) for name in ("alice", "bob"))
    sent = await alice.prepare(Draft(photo=Path("photo.png").read_bytes(), to=("Bob",), stand_in="somebody", force=True))
    content, media = cover_of(sent)
    opened = await bob.open(Arrival(picture=media.picture, envelope=sent.packed))
    print(opened.level, opened.sender, content["msgtype"], original_of(opened, most_bytes=10**7)[1].media_type)
    alice.close(), bob.close()

asyncio.run(work())
"""


def python(folder: Path, program: str, *arguments: str) -> list[str]:
    """The lines that a program prints, which must succeed without warnings."""
    command = [sys.executable, "-W", "error", "-c", program, *arguments]
    ended = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.splitlines()


@pytest.fixture(scope="module")
def folder(people: People, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ann's photo, her key face, and profiles of Alice and Bob, who trust each other."""
    folder = tmp_path_factory.mktemp("without")
    (folder / "photo.png").write_bytes(saved(people.photo, "PNG"))
    (folder / "ann.png").write_bytes(saved(people.ann, "PNG"))
    (folder / "shared").mkdir()
    lines = []
    for name in ("alice", "bob"):
        lines.append(["--profile", name, "init", "--name", name.title(), "--no-passphrase"])
        lines.append(["--profile", name, "card", "export", "-o", f"{name}.sccard"])
    for name, other in (("alice", "bob"), ("bob", "alice")):
        lines.append(["--profile", name, "contact", "add", f"{other}.sccard", "--trust"])
    for code, _, err in run(folder, *lines):
        assert code == 0, err
    return folder


def run(folder: Path, *lines: list[str]) -> list[tuple[int, str, str]]:
    """Exit code, output and errors of each command, all in one process."""
    ended: list[Any] = [json.loads(line) for line in python(folder, PROGRAM, json.dumps(lines))]
    return [(code, out, err) for code, out, err in ended]


def test_commands(folder: Path) -> None:
    alice, bob = ["--profile", "alice"], ["--profile", "bob"]
    somebody = ["--stand-in", "somebody", "--force"]
    lines = {
        "encrypt": [*alice, "encrypt", "photo.png", "--to", "Bob", "-o", "fake.png", *somebody],
        "decrypt": [*bob, "decrypt", "fake.png", "-o", "back.png", "--json"],
        "inspect": [*bob, "inspect", "fake.png"],
        "latent": [*alice, "encrypt", "photo.png", "--to", "Bob", "-o", "own.png", "--level", "latent", *somebody],
        "decrypt latent": [*bob, "decrypt", "own.png", "-o", "own-back.png", "--json"],
        "key face": [*alice, "encrypt", "photo.png", "-o", "bare.png", "--level", "keyface", *somebody],
        "decrypt with it": [*bob, "decrypt", "bare.png", "-o", "likely.png", "--key-face", "ann.png", "--json"],
        "send": [*alice, "send", "photo.png", "--to", "Bob", "--folder", "shared", *somebody],
        "receive": [*bob, "receive", "--folder", "shared"],
        "doctor": ["doctor", "--json"],
        "models": ["model", "list"],
    }
    ended = dict(zip(lines, run(folder, *lines.values()), strict=True))
    assert {name: (code, err) for name, (code, _, err) in ended.items() if code} == {}
    levels = [json.loads(ended[name][1])["level"] for name in ("decrypt", "decrypt latent", "decrypt with it")]
    assert levels == ["original", "latent", "keyface"]
    assert "the photo as it was, from Alice" in ended["receive"][1]
    findings = {one["what"]: one["state"] for one in json.loads(ended["doctor"][1])}
    assert findings["torch"] == "missing"
    assert [what for what, state in findings.items() if state == "broken"] == []


def test_what_needs_it_says_so(folder: Path) -> None:
    (folder / "model.pt").write_bytes(b"PK\x03\x04")
    lines = [
        ["encrypt", "photo.png", "-o", "x.png", "--level", "keyface", "--refine", "1", "--force"],
        ["encrypt", "photo.png", "-o", "x.png", "--level", "keyface", "--model", "model.pt", "--force"],
        ["train", "encoder", "--run", "run"],
        ["bench", "model"],
    ]
    for line, (code, out, err) in zip(lines, run(folder, *lines), strict=True):
        assert (code, out) == (1, ""), line
        assert "needs PyTorch, which is not installed" in err, line
        assert "hint: Run `pip install 'stylecrypt-msg[torch]'`." in err, line
    assert not (folder / "x.png").exists()


def test_the_bots_work_on_pictures(folder: Path) -> None:
    assert python(folder, BOT) == ["original Alice m.image image/png"]

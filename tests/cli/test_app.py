"""The command line itself: help, wrong usage, bugs, and being stopped."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import cv2
import pytest

from ..support.command_line import KEYFACE, SOMEBODY, Run, refused


@pytest.mark.parametrize("argument", ["--help", "--version"])
def test_help_and_version_come_without_torch(argument: str) -> None:
    command = [sys.executable, "-X", "importtime", "-c", "from stylecrypt_msg.cli import main; main()", argument]
    ended = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "stylecrypt" in ended.stdout
    imported = {
        line.rpartition("|")[2].strip() for line in ended.stderr.splitlines() if line.startswith("import time:")
    }
    assert "typer" in imported
    assert not imported & {"torch", "cv2", "numpy", "PIL", "onnxruntime"}


def test_the_program_alone_says_the_three_things_that_one_can_do(run: Run) -> None:
    ended = run()
    assert (ended.code, ended.err) == (0, "")
    shown = re.findall(r"^     stylecrypt (\w+)", ended.out.decode(), re.MULTILINE)
    assert shown == ["init", "card", "contact", "encrypt", "decrypt"]
    for command in (*shown, "demo"):
        assert f"Usage: stylecrypt {command}" in run(command, "--help").out.decode()


@pytest.mark.parametrize("command", [("model",), ("train",)])
def test_a_group_alone_shows_its_help(command: tuple[str, ...], run: Run) -> None:
    ended = run(*command)
    assert b"Usage: stylecrypt" in ended.out
    assert ended.err == ""


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("foo",), "'foo'"),
        (("--bogus",), "--bogus"),
        (("model", "bogus"), "'bogus'"),
        (("encrypt",), "photo"),
        (("encrypt", "photo.png"), "--output"),
        (("encrypt", "photo.png", "-o", "out.png"), "No recipients were given"),
        (("encrypt", "photo.png", "-o", "out.png", "--level"), "--level"),
        (("encrypt", "photo.png", "-o", "out.png", "--level", "latent"), "level latent needs at least one"),
        (("encrypt", "photo.png", "-o", "out.png", *KEYFACE, "--only", "0"), "--only"),
        (("encrypt", "photo.png", "-o", "out.png", *KEYFACE, "--keep-face", "left"), "--keep-face"),
        (("encrypt", "photo.png", "-o", "out.png", *KEYFACE, "--refine", "-1"), "--refine"),
        (("encrypt", "photo.png", "another.png", "-o", "out.png", *KEYFACE), "another.png"),
        (("decrypt", "photo.png", "-o", "out.png"), "no message with this picture"),
        (("demo", "--key-face", "photo.png"), "--photo"),
    ],
)
def test_wrong_usage(arguments: tuple[str, ...], says: str, run: Run, photo: Path) -> None:
    refused(run(*arguments), says)
    assert [path.name for path in Path.cwd().iterdir()] == ["photo.png"]


def test_a_bug_says_where_and_nothing_else(run: Run, photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: object) -> None:
        raise RuntimeError("secret: the style vectors are 0.1, 0.2")

    monkeypatch.setattr(cv2.FaceDetectorYN, "create", fail)
    ended = run("encrypt", photo, "-o", "out.png", *SOMEBODY)
    refused(ended, "This is a bug: RuntimeError in test_app.py line", code=2)
    assert "secret" not in ended.err
    assert not Path("out.png").exists()


def test_being_stopped_leaves_nothing(run: Run, photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cv2.FaceDetectorYN, "create", stop)
    ended = run("encrypt", photo, "-o", "out.png", *SOMEBODY)
    assert (ended.code, ended.out, ended.err) == (130, b"", "")
    assert [path.name for path in Path.cwd().iterdir()] == ["photo.png"]


def test_training_refuses_what_it_cannot_use_at_once(run: Run, photo: Path) -> None:
    Path("trunk.pth").write_bytes(b"garbage")
    refused(run("train", "encoder", "--trunk", "trunk.pth"), "trunk.pth cannot be read")
    assert not Path("runs").exists()

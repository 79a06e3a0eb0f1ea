"""Where pictures are read and written: no existing file is lost, and no name is too strange."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from ..support.command_line import KEYFACE, SOMEBODY, Run, refused, refused_without_trace, stylecrypt


def test_places_that_cannot_be_written(run: Run, photo: Path) -> None:
    Path("folder.png").mkdir()
    long = "x" * 300 + ".png"
    for output, says in (
        ("out.gif", "PNG, JPEG or WebP"),
        ("out", "no suffix"),
        (".png", "no suffix"),
        ("nowhere/out.png", "the folder does not exist"),
        ("photo.png/out.png", "the folder does not exist"),
        ("folder.png", "not a file"),
        (long, "too long"),
    ):
        refused(run("encrypt", photo, "-o", output, *SOMEBODY), says)
    assert sorted(path.name for path in Path.cwd().iterdir()) == ["folder.png", "photo.png"]


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write everywhere")
def test_read_only_folder(run: Run, photo: Path) -> None:
    Path("locked").mkdir(mode=0o500)
    refused(run("encrypt", photo, "-o", "locked/out.png", *SOMEBODY), "the folder is read-only")
    assert list(Path("locked").iterdir()) == []


def test_no_picture_that_was_given_is_overwritten(run: Run, photo: Path, ann: Path) -> None:
    Path("link.png").symlink_to(photo)
    Path("folder").mkdir()
    before = photo.read_bytes()
    for same in (photo, "./photo.png", "folder/../photo.png", photo.absolute(), "link.png"):
        refused(run("encrypt", photo, "-o", same, *SOMEBODY), "would be lost")
        refused(run("encrypt", same, "-o", photo, *SOMEBODY), "would be lost")
        refused(run("encrypt", ann, "-o", same, *KEYFACE, "--stand-in", photo), "would be lost")
        refused(run("decrypt", photo, "-o", same, "--key-face", ann), "would be lost")
        refused(run("decrypt", ann, "-o", same, "--key-face", photo), "would be lost")
    assert photo.read_bytes() == before
    assert Path("link.png").is_symlink()


def test_pictures_that_are_not_there(run: Run, photo: Path) -> None:
    refused_without_trace(run, "There is no file missing.jpg", "encrypt", "missing.jpg", "-o", "OUT", *SOMEBODY)
    refused_without_trace(
        run, "There is no file missing.jpg", "decrypt", photo, "-o", "OUT", "--key-face", "missing.jpg"
    )
    Path("folder").mkdir()
    refused_without_trace(run, "No picture is in folder", "encrypt", "folder", "-o", "OUT", *SOMEBODY)
    refused_without_trace(run, "too long", "encrypt", "x" * 300 + ".png", "-o", "OUT", *SOMEBODY)


@pytest.mark.skipif(os.name != "posix", reason="such names are no names elsewhere")
def test_hostile_names(run: Run, photo: Path) -> None:
    """A name is quoted on one line, and cannot affect the terminal that shows it."""
    hostile = "a\x1b[31m\r\n[bold]b\udcff\u202e.png"
    ended = run("encrypt", hostile, "-o", "out.png", *SOMEBODY)
    refused(ended, "[bold]b")
    assert all(character.isprintable() for line in ended.err.split("\n") for character in line)
    ended = run("encrypt", photo, "-o", hostile, *SOMEBODY)
    assert ended.code == 0
    first, *likenesses = ended.out.splitlines()
    assert b"[bold]b" in first and first.endswith(b"stand-in somebody")
    assert all(b"sees a different person" in line for line in likenesses)
    assert run("encrypt", photo, "-o", hostile, *SOMEBODY, "--json").json["output"] == hostile
    # In a locale that cannot write the name, it is shown with a ?, instead of failing after the work.
    environment = os.environ | {"PYTHONIOENCODING": "ascii:strict"}
    there = stylecrypt("encrypt", photo, "-o", "é.png", *SOMEBODY, stdout=subprocess.PIPE, env=environment)
    assert (there.returncode, there.stderr) == (0, b"")
    assert there.stdout.startswith(b"?.png: 1 of 1 faces")

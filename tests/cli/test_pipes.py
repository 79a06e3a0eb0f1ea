"""Pictures through standard input and output."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from stylecrypt_msg.pictures import read_picture

from ..conftest import People
from ..support.command_line import SOMEBODY, Ended, Run, refused, refused_without_trace, saved, stylecrypt


def test_through_pipes(people: People) -> None:
    ended = stylecrypt(
        "encrypt", "-", "-o", "-", *SOMEBODY, input=saved(people.photo, "JPEG", quality=95), stdout=subprocess.PIPE
    )
    assert ended.returncode == 0
    said = ended.stderr.decode().splitlines()
    assert said[0] == "standard output: 1 of 1 faces replaced, layers 3-7, stand-in somebody"
    arrived = read_picture(ended.stdout)
    assert (arrived.format, arrived.pixels.shape) == ("JPEG", people.photo.shape)


@pytest.mark.parametrize(("format", "becomes"), [("PNG", "PNG"), ("GIF", "PNG"), ("WEBP", "WEBP"), ("JPEG", "JPEG")])
def test_a_pipe_keeps_the_format_where_it_can(format: str, becomes: str, run: Run, people: People) -> None:
    ended = run("encrypt", "-", "-o", "-", *SOMEBODY, stdin=saved(people.photo, format))
    assert ended.code == 0
    assert read_picture(ended.out).format == becomes


def test_json_and_picture_do_not_share_standard_output(run: Run, photo: Path) -> None:
    refused(run("encrypt", photo, "-o", "-", *SOMEBODY, "--json"), "cannot both go to standard output")


def test_nothing_on_standard_input(run: Run) -> None:
    refused_without_trace(run, "0 bytes", "encrypt", "-", "-o", "OUT", *SOMEBODY)


@pytest.mark.skipif(os.name != "posix", reason="POSIX pipes")
@pytest.mark.parametrize("command", ["picture", "text"])
def test_a_reader_that_goes_away(command: str, run: Run, photo: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    arguments = ("encrypt", photo, "-o", "-", *SOMEBODY) if command == "picture" else ("model", "list", "--json")
    try:
        ended = stylecrypt(*arguments, stdout=writing)
    finally:
        os.close(writing)
    assert (ended.returncode, ended.stderr) == (1, b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
def test_a_full_disk_behind_the_pipe(run: Run, photo: Path) -> None:
    with Path("/dev/full").open("wb") as full:
        ended = stylecrypt("encrypt", photo, "-o", "-", *SOMEBODY, stdout=full)
    assert ended.returncode == 1
    assert ended.stderr.decode().splitlines() == [
        "stylecrypt: Standard output cannot be written: no space left on device."
    ]


@pytest.mark.skipif(os.name != "posix", reason="standard input can be closed on POSIX")
def test_closed_standard_input(run: Run) -> None:
    command = f"exec {Path(sys.executable).with_name('stylecrypt')} encrypt - -o out.png --level keyface <&-"
    ended = subprocess.run(["/bin/sh", "-c", command], capture_output=True, text=True, timeout=300)
    refused(Ended(ended.returncode, ended.stdout.encode(), ended.stderr), "0 bytes")

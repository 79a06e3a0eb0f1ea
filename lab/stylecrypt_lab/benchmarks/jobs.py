"""Whole jobs that a user waits for: in a running program, and as a separate command, with its memory.

The embedded model makes the people. Machines differ, and a busy machine varies: every time is also given as a multiple of a
yardstick that is measured between the jobs.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from importlib import util
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np

from stylecrypt_msg.cipher import to_pixels
from stylecrypt_msg.errors import InputError
from stylecrypt_msg.models import FaceModel, load_model
from stylecrypt_msg.pictures import Pixels, encode_picture
from stylecrypt_msg.progress import Progress
from stylecrypt_msg.sdk import StyleCrypt
from stylecrypt_msg.standins import stand_in

__all__ = ["Job", "Jobs", "measure"]

_TORCH = "import torch"
_HASHES = "import hashlib; hashlib.pbkdf2_hmac('sha256', b'', b'', 4_000_000)"
_COMMAND = "from stylecrypt_msg.cli import main; main()"
_REPEATS = 3
_ENOUGH = 3.0  # seconds, after which a call is not repeated


@dataclass(frozen=True)
class Job:
    """Seconds ``warm``, by the SDK, and ``fresh``, as a command, which takes ``cpu`` seconds of processor time and at most
    ``memory`` MB."""

    name: str
    warm: float
    fresh: float
    cpu: float
    memory: float


@dataclass(frozen=True)
class Jobs:
    """``yardstick`` is the Python code that ran, ``unit`` the seconds it took."""

    yardstick: str
    unit: float
    jobs: tuple[Job, ...]


def measure(progress: Progress) -> Jobs:
    """``progress`` is called with what is measured, and how much of it is done. Raises InputError when a command fails."""
    yardstick = _HASHES if util.find_spec("torch") is None else _TORCH
    model = load_model()
    # Linux counts a parent's memory as the command's, so a parent that holds no model starts the commands.
    with tempfile.TemporaryDirectory() as name, ProcessPoolExecutor(1, get_context("spawn")) as commander:
        folder = Path(name)
        with (
            StyleCrypt.create(folder / "alice", name="Alice") as alice,
            StyleCrypt.create(folder / "bob", name="Bob") as bob,
        ):
            alice.profile.add_contact(bob.profile.card, trust=True)
            bob.profile.add_contact(alice.profile.card, trust=True)
        person, group = folder / "person.jpg", folder / "group.jpg"
        person.write_bytes(encode_picture(_photo([_face(model, "somebody")], 3000, 4000, 1400), "JPEG", quality=92))
        everybody = [_face(model, f"somebody {number}") for number in range(12)]
        group.write_bytes(encode_picture(_photo(everybody, 1800, 2400, 520), "JPEG", quality=92))
        key = folder / "key.jpg"
        key.write_bytes(encode_picture(_face(model, "somebody"), "JPEG", quality=92))
        with StyleCrypt(folder / "alice") as alice, StyleCrypt(folder / "bob") as bob:
            alice.add_key_face(key, "me")
            bob.receive_key_face(alice.share_key_face("me", ["Bob"]))

        def encrypt(photo: Path, output: str, *options: str) -> tuple[str, ...]:
            return ("alice", "encrypt", str(photo), "-o", output, "--stand-in", "bench", "--force", *options)

        to, opening = ("--to", "Bob"), ("bob", "decrypt", "likeness.jpg")
        commands: dict[str, tuple[str, ...]] = {
            "encrypt, original, 12 megapixels": encrypt(person, "original.jpg", *to),
            "decrypt it": ("bob", "decrypt", "original.jpg", "-o", "restored.jpg"),
            "encrypt, latent": encrypt(person, "latent.jpg", *to, "--level", "latent"),
            "encrypt, key face": encrypt(person, "likeness.jpg", "--level", "keyface"),
            "open it with a key face": (*opening, "-o", "likely.jpg", "--key-face", str(key)),
            "open it with a prepared key face": (*opening, "-o", "prepared.jpg", "--from", "Alice"),
            "encrypt, original, 12 faces": encrypt(group, "group-original.jpg", *to),
        }
        units, found = [], []
        with StyleCrypt(folder / "alice") as alice, StyleCrypt(folder / "bob") as bob:
            calls: list[Callable[[], object]] = [
                lambda: alice.encrypt(person, ["Bob"], stand_in="bench", force=True),
                lambda: bob.decrypt(folder / "original.jpg"),
                lambda: alice.encrypt(person, ["Bob"], stand_in="bench", force=True, level="latent"),
                lambda: alice.encrypt(person, [], stand_in="bench", force=True, level="keyface"),
                lambda: bob.decrypt(folder / "likeness.jpg", key_face=key),
                lambda: bob.decrypt(folder / "likeness.jpg", sender="Alice"),
                lambda: alice.encrypt(group, ["Bob"], stand_in="bench", force=True),
            ]
            for done, ((job, (who, *arguments)), call) in enumerate(zip(commands.items(), calls, strict=True)):
                progress("measuring", done, len(calls))
                units.append(commander.submit(_run, ["-c", yardstick], folder).result()[0])
                command = ["-c", _COMMAND, "--profile", who, *arguments]
                fresh, cpu, memory = commander.submit(_run, command, folder).result()
                found.append(Job(job, _seconds(call), fresh, cpu, memory))
        progress("measuring", len(calls), len(calls))
    return Jobs(yardstick, statistics.median(units), tuple(found))


def _face(model: FaceModel, name: str) -> Pixels:
    """Somebody who does not exist, (1024, 1024, 3)."""
    return to_pixels(model.synthesize(stand_in(model, f"bench {name}", model.latent_avg[None])))[0]


def _photo(faces: Sequence[Pixels], height: int, width: int, side: int) -> Pixels:
    """(height, width, 3): the faces, ``side`` px each, in rows of four, in front of a wall with camera noise."""
    columns, rows = min(len(faces), 4), -(-len(faces) // 4)
    light = np.linspace(90, 170, width)[None, :, None] + np.array([10, 0, -10])
    photo: Pixels = np.clip(light + np.random.default_rng(0).normal(0, 3, (height, width, 1)), 0, 255).astype(np.uint8)
    for number, face in enumerate(faces):
        top = (number // 4 * 2 + 1) * height // (2 * rows) - side // 2
        left = (number % 4 * 2 + 1) * width // (2 * columns) - side // 2
        how = cv2.INTER_AREA if side < face.shape[0] else cv2.INTER_CUBIC
        photo[top : top + side, left : left + side] = cv2.resize(face, (side, side), interpolation=how)
    return photo


def _seconds(call: Callable[[], object]) -> float:
    """The shortest of several calls, after one that loads what the job needs."""
    call()
    times: list[float] = []
    while len(times) < _REPEATS and sum(times) < _ENOUGH:
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return min(times)


def _run(arguments: Sequence[str], folder: Path) -> tuple[float, float, float]:
    """Seconds, seconds of processor time, and peak memory in MB of Python with these arguments."""
    with tempfile.TemporaryFile() as said:
        start = time.perf_counter()
        process = subprocess.Popen(  # noqa: S603
            [sys.executable, *arguments], cwd=folder, stdout=subprocess.DEVNULL, stderr=said
        )
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            said.seek(0)
            first = said.read().decode(errors="replace").strip().partition("\n")[0]
            raise InputError(f"A measured command failed: {first}.", hint="Run it by itself to see why.")
    memory = usage.ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)
    return seconds, usage.ru_utime + usage.ru_stime, memory

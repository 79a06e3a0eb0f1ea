"""Runs commands and checks how they end."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from stylecrypt_msg.pictures import Pixels

from . import quickly

DATA = Path(__file__).parents[1] / "models" / "data"
TINY = DATA / "psp_tiny.pt"  # StyleGAN2 and pSp, 64 px, 10 styles, random weights: not much of a face
KEYFACE = ("--level", "keyface", "--force")  # the people in the tests look alike to recognisers
SOMEBODY = (*KEYFACE, "--stand-in", "somebody")

AI_MADE = b"compositeWithTrainedAlgorithmicMedia"


@dataclass(frozen=True)
class Ended:
    """How a command ended: its exit code and output."""

    code: int
    out: bytes
    err: str

    @property
    def json(self) -> Any:
        assert (self.code, self.err) == (0, ""), self.err
        return json.loads(self.out)


Run = Callable[..., Ended]


def saved(pixels: Pixels, format: str, **options: Any) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, format, **options)
    return file.getvalue()


def refused(ended: Ended, says: str, code: int = 1) -> None:
    """One sentence, perhaps a hint, nothing on standard output, no traceback."""
    lines = ended.err.splitlines()
    assert ended.code == code, ended.err
    assert ended.out == b""
    assert lines[0].startswith("stylecrypt: ")
    assert says in lines[0]
    assert len(lines) == 1 or (len(lines) == 2 and lines[1].startswith("hint: ")), ended.err
    assert "Traceback" not in ended.err


def refused_without_trace(run: Run, says: str, *arguments: object, stdin: bytes = b"") -> None:
    """Refused, with OUT among the arguments: a new OUT is not made, and an existing OUT is not touched."""
    for before in (None, b"what was there before"):
        out = Path("out.png")
        if before is not None:
            out.write_bytes(before)
        folder = sorted(path.name for path in Path.cwd().iterdir())
        refused(run(*(out if one == "OUT" else one for one in arguments), stdin=stdin), says)
        assert sorted(path.name for path in Path.cwd().iterdir()) == folder
        assert before is None or out.read_bytes() == before


def read(path: str | Path) -> Pixels:
    with Image.open(path) as image:
        assert image.mode == "RGB"
        return np.array(image)


def stylecrypt(*arguments: object, **options: Any) -> subprocess.CompletedProcess[bytes]:
    """Runs the command in a separate process."""
    command = [sys.executable, "-c", f"{quickly.PROGRAM}\nfrom stylecrypt_msg.cli import main; main()"]
    return subprocess.run([*command, *map(str, arguments)], stderr=subprocess.PIPE, timeout=300, **options)

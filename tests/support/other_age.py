"""Other implementations of age: they open what we seal, and we open what they seal.

pyrage is always available, used here as anybody would use it. The protocol uses it as well, so it shows that reading a message
needs nothing of ours. The stock program, where it is installed, and its author's vectors, everywhere, show that the format is
that of the specification.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import pyrage

__all__ = ["EVERY_AGE", "Age"]


class Age(Protocol):
    """``identity``: the text of a file of one secret key, perhaps with comments."""

    __name__: str

    @staticmethod
    def decrypt(sealed: bytes, identity: str) -> bytes: ...

    @staticmethod
    def encrypt(plaintext: bytes, recipients: Sequence[str]) -> bytes: ...

    @staticmethod
    def recipient(identity: str) -> str: ...


def _key(identity: str) -> str:
    [line] = [line for line in identity.splitlines() if line and not line.startswith("#")]
    return line


class PyRage:
    @staticmethod
    def decrypt(sealed: bytes, identity: str) -> bytes:
        return bytes(pyrage.decrypt(sealed, [pyrage.x25519.Identity.from_str(_key(identity))]))

    @staticmethod
    def encrypt(plaintext: bytes, recipients: Sequence[str]) -> bytes:
        return bytes(pyrage.encrypt(plaintext, [pyrage.x25519.Recipient.from_str(one) for one in recipients]))

    @staticmethod
    def recipient(identity: str) -> str:
        return str(pyrage.x25519.Identity.from_str(_key(identity)).to_public())


class StockProgram:
    @staticmethod
    def decrypt(sealed: bytes, identity: str) -> bytes:
        with tempfile.TemporaryDirectory() as folder:
            (file := Path(folder) / "key.txt").write_text(identity)
            return StockProgram._run("age", "--decrypt", "-i", str(file), given=sealed)

    @staticmethod
    def encrypt(plaintext: bytes, recipients: Sequence[str]) -> bytes:
        return StockProgram._run("age", *(word for one in recipients for word in ("-r", one)), given=plaintext)

    @staticmethod
    def recipient(identity: str) -> str:
        return StockProgram._run("age-keygen", "-y", given=identity.encode()).decode().strip()

    @staticmethod
    def _run(*command: str, given: bytes) -> bytes:
        return subprocess.run(command, input=given, capture_output=True, check=True).stdout


EVERY_AGE: list[type[Age]] = [PyRage, *([StockProgram] if shutil.which("age") else [])]  # type: ignore[list-item]

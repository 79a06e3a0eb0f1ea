"""Writes the test vectors beside this file: ``python protocol/vectors/make.py``.

Everything is computed from fixed keys, so that the files only change when the format does. Sealing is random: what was
sealed once is kept in sealed.json for as long as it opens to the same plaintext.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from bad import malformed
from cast import Seals
from edges import replays
from good import carriers, messages, values
from imprints import imprints

HERE = Path(__file__).parent


def build(kept: dict[str, str]) -> dict[str, Any]:
    """The content of every file, by name; ``kept`` is sealed.json as it was."""
    seals = Seals(kept)
    files: dict[str, Any] = {
        "values.json": values(seals),
        "messages.json": messages(seals),
        "replays.json": replays(seals),
        "carriers.json": carriers(),
        "imprint.json": imprints(seals),
        "malformed.json": malformed(seals),
    }
    return {**files, "sealed.json": seals.used}


def main() -> None:
    """Writes the files."""
    path = HERE / "sealed.json"
    for name, value in build(json.loads(path.read_text()) if path.exists() else {}).items():
        (HERE / name).write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()

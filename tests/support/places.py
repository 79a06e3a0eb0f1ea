"""Where things are."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["REPOSITORY", "SHARED"]

REPOSITORY = Path(__file__).resolve().parents[2]
SHARED = Path(os.environ.get("STYLECRYPT_SHARED", REPOSITORY.parent / "shared"))
"""Pictures and fixtures beside the repository; tests that need them are skipped without."""

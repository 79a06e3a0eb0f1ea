"""A profile's folder: where it is, and keeping others out of it."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from ..errors import ProfileError, Remedy, os_reason

__all__ = ["FILE", "default_folder", "make_private"]

FILE = "profile.db"
_FILES = (FILE, f"{FILE}-wal", f"{FILE}-shm", f"{FILE}-journal")  # SQLite's files for it


def default_folder() -> Path:
    """``$STYLECRYPT_PROFILE``, or ``$XDG_DATA_HOME/stylecrypt/profile``, by default under ``~/.local/share``.

    Raises ProfileError when there is no home folder.
    """
    if given := os.environ.get("STYLECRYPT_PROFILE"):
        return Path(given)
    base = Path(os.environ.get("XDG_DATA_HOME", ""))
    if not base.is_absolute():  # the XDG Base Directory Specification: ignore relative ones
        try:
            base = Path.home() / ".local" / "share"
        except RuntimeError as error:
            raise ProfileError(
                "There is no home folder to keep a profile in.", remedy=Remedy.CHOOSE_PROFILE_FOLDER
            ) from error
    return base / "stylecrypt" / "profile"


def make_private(folder: Path) -> None:
    """Closes a folder and a profile's files in it to everybody else.

    Raises ProfileError when that is refused, and when the folder is open and holds other things too: others may have
    reason to read those.
    """
    if os.name != "posix":  # elsewhere mode bits mean nothing, and users' own folders are private
        return
    try:
        if folder.stat().st_mode & 0o077:
            if any(entry.name not in _FILES for entry in folder.iterdir()):
                raise ProfileError(
                    f"Others may read {folder}, which holds more than a profile.",
                    remedy=Remedy.CLOSE_FOLDER,
                    folder=str(folder),
                )
            folder.chmod(0o700)
        for name in _FILES:
            with suppress(FileNotFoundError):
                if (folder / name).stat().st_mode & 0o077:
                    (folder / name).chmod(0o600)
    except OSError as error:
        raise ProfileError(
            f"{folder} cannot be closed to others: {os_reason(error)}.",
            remedy=Remedy.CLOSE_FOLDER,
            folder=str(folder),
        ) from error

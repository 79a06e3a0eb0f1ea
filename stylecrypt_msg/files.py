"""Files: read within limits, written whole or not at all."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from stylecrypt_protocol.limits import MAX_PICTURE_BYTES

from .errors import InputError, Remedy, os_reason

__all__ = ["MAX_FILE_BYTES", "read_file", "same_file", "write_atomically"]

MAX_FILE_BYTES = MAX_PICTURE_BYTES
"""A 108 MP JPEG straight from a phone has 20 to 40 MB; anything larger is not a chat photo."""


def write_atomically(path: str | os.PathLike[str], data: bytes) -> None:
    """Write ``data`` to ``path`` whole or not at all: a file of that name appears, or is replaced, at once.

    Raises InputError when it cannot be written there; nothing is left behind.
    """
    path = Path(path)
    temporary = path.with_name(f".{secrets.token_hex(8)}.tmp")
    try:
        if path.exists() and not path.is_file():
            raise InputError(f"{path} is not a file that can be written.", hint="Give the name of a file.")
        # Not with tempfile, whose files only the owner can read: this one follows the umask.
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(handle)
            temporary.replace(path)
        except BaseException:  # Ctrl-C, too, leaves nothing behind
            temporary.unlink(missing_ok=True)
            raise
    except OSError as error:
        reason = {
            FileNotFoundError: "the folder does not exist",
            NotADirectoryError: "the folder does not exist",
            PermissionError: "the folder is read-only",
        }.get(type(error), os_reason(error))
        raise InputError(f"{path} cannot be written: {reason}.", remedy=Remedy.CHOOSE_OUTPUT) from error


def same_file(a: str | os.PathLike[str], b: str | os.PathLike[str]) -> bool:
    """Whether two paths lead to one file, whatever they are called: links, ``..``, another letter case."""
    try:
        return Path(a).samefile(b)
    except OSError:  # one of them does not exist (yet)
        return Path(a).resolve() == Path(b).resolve()


def read_file(path: str | os.PathLike[str]) -> bytes:
    """The bytes of a file; reads at most `MAX_FILE_BYTES` + 1. Raises InputError."""
    path = Path(path)
    try:
        if path.is_dir():
            raise InputError(f"{path} is a folder, not a file.", hint="Give the name of a file.")
        with path.open("rb") as file:
            return file.read(MAX_FILE_BYTES + 1)  # do not ask for the file's size: a pipe or device has none
    except FileNotFoundError:
        raise InputError(f"There is no file {path}.", hint="Check the name and the folder.") from None
    except PermissionError:
        raise InputError(f"You may not read {path}.", hint="Check the file's permissions.") from None
    except (OSError, ValueError) as error:  # ValueError: a name with a null byte
        raise InputError(f"{path} cannot be read: {os_reason(error)}.") from error

"""Pictures through a shared folder, which any sync tool carries from machine to machine.

A parcel is a picture file with a name as cameras give them, and where its envelope is too large to be inside, a ``.scenv`` file
of the same name. Files are written under a hidden name and renamed, so that nobody reads a half; they are never
overwritten, changed or removed. Names, times and sizes are all that the folder adds for others to see.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import secrets
import stat
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple

from ..errors import InputError, NetworkError
from ..pictures import MAX_FILE_BYTES
from . import Delivery, Parcel

__all__ = ["FolderTransport"]

_SUFFIXES = {"image/jpeg": ".jpg", "image/png": ".png", "image/webp": ".webp"}
_PICTURES = {".jpg", ".jpeg", ".png", ".webp"}
_ENVELOPE = ".scenv"
_MOST_FILES = 100_000  # looked at in one folder
_POLL = 1.0  # seconds; folders of sync tools, and those on a network, tell nobody of changes


class _Stamp(NamedTuple):
    """What changes when a file does."""

    size: int
    modified: int
    inode: int


class FolderTransport:
    """A `Transport`. The folder has to exist: one that is gone, such as a drive that was taken out, is an error."""

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Path(folder)

    async def send(self, parcel: Parcel) -> str:
        """Raises NetworkError when the folder is gone or full, InputError when it may not be written to."""
        return await asyncio.to_thread(self._send, parcel)

    async def deliveries(self, *, follow: bool) -> AsyncIterator[Delivery]:
        """Pictures by the time of their files. Each is read once by one transport, unless it changes.

        Links are not followed: one that somebody put there would show files of this machine.
        """
        known: dict[str, tuple[_Stamp, _Stamp | None]] = {}
        while True:
            found = await asyncio.to_thread(self._look)
            pictures = sorted(
                (name for name in found if Path(name).suffix.lower() in _PICTURES),
                key=lambda name: found[name].modified,
            )
            for name in pictures:
                beside = Path(name).with_suffix(_ENVELOPE).name
                stamps = found[name], found.get(beside)
                if known.get(name) == stamps:
                    continue
                picture = await asyncio.to_thread(self._read, name)
                envelope = await asyncio.to_thread(self._read, beside) if beside in found else None
                if picture is not None:
                    known[name] = stamps
                    yield Delivery(_reference(picture, envelope), picture, envelope, None, str(self.folder / name))
            if not follow:
                return
            await asyncio.sleep(_POLL)

    async def close(self) -> None:
        """Nothing is open."""

    def _send(self, parcel: Parcel) -> str:
        stem = f"IMG_{secrets.randbelow(10**12):012}"
        picture = self.folder / (stem + _SUFFIXES[parcel.media_type])
        try:
            if not self.folder.is_dir():
                raise _gone(self.folder)
            if parcel.envelope is not None:
                self._place(picture.with_suffix(_ENVELOPE), parcel.envelope)
            self._place(picture, parcel.picture)
            _settle(self.folder)
        except PermissionError as error:
            raise InputError(
                f"The folder {self.folder} may not be written to.", hint="Check its permissions."
            ) from error
        except OSError as error:
            said = (error.strerror or "the system refused").lower()
            raise NetworkError(
                f"Nothing was sent through {self.folder}: {said}.", hint="Make room, or try again."
            ) from error
        return str(picture)

    def _place(self, path: Path, data: bytes) -> None:
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
        try:
            handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            temporary.rename(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise

    def _look(self) -> dict[str, _Stamp]:
        """Pictures and envelopes in the folder."""
        found = {}
        try:
            with os.scandir(self.folder) as entries:
                for entry in entries:
                    suffix = Path(entry.name).suffix.lower()
                    if entry.name.startswith((".", "~")) or suffix not in _PICTURES | {_ENVELOPE}:
                        continue  # sync tools hide what they are still writing
                    try:
                        status = entry.stat(follow_symlinks=False)
                    except FileNotFoundError:
                        continue
                    if stat.S_ISREG(status.st_mode) and 0 < status.st_size <= MAX_FILE_BYTES:
                        found[entry.name] = _Stamp(status.st_size, status.st_mtime_ns, status.st_ino)
                    if len(found) > _MOST_FILES:
                        raise InputError(
                            f"There are more than {_MOST_FILES} pictures in {self.folder}.",
                            hint="Move old ones elsewhere, or use a folder for messages only.",
                        )
        except (FileNotFoundError, NotADirectoryError):
            raise _gone(self.folder) from None
        except OSError as error:
            said = (error.strerror or "the system refused").lower()
            raise NetworkError(
                f"The folder {self.folder} cannot be read: {said}.", hint="Check that it is there."
            ) from error
        return found

    def _read(self, name: str) -> bytes | None:
        """A file's bytes; None if it is gone, or became a link."""
        try:
            handle = os.open(
                self.folder / name, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
            )
            with os.fdopen(handle, "rb") as file:
                return file.read(MAX_FILE_BYTES + 1)
        except OSError:
            return None


def _reference(picture: bytes, envelope: bytes | None) -> bytes:
    sha = hashlib.sha256(len(picture).to_bytes(8, "big") + picture)
    sha.update(b"" if envelope is None else envelope)
    return sha.digest()


def _settle(folder: Path) -> None:
    """Makes the new names durable, where folders can be synced."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _gone(folder: Path) -> NetworkError:
    return NetworkError(
        f"The folder {folder}, through which messages travel, is not there.",
        hint="Plug the drive in, start the sync tool, or name another with --folder DIR.",
    )

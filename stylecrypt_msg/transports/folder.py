"""Pictures through a shared folder, which any sync tool carries from machine to machine.

A parcel is a picture file with a name in the style of cameras and, if its envelope does not fit inside, a ``.scenv`` file
of the same name. Files are written under a hidden name and renamed, so that nobody reads half of one; they are never
overwritten, changed or removed. Names, times and sizes are all that the folder adds for others to see.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import hashlib
import os
import secrets
import stat
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import NamedTuple

from stylecrypt_protocol import ENVELOPE_SUFFIX

from ..errors import InputError, NetworkError, os_reason
from ..files import MAX_FILE_BYTES
from ..pictures import SUFFIXES
from . import Delivery, Parcel, ordinary_name

__all__ = ["FolderTransport"]

_MOST_FILES = 100_000  # looked at in one folder
_POLL = 1.0  # seconds; folders of sync tools, and those on a network, notify nobody of changes


class _Stamp(NamedTuple):
    """Changes whenever the file does."""

    size: int
    modified: int
    inode: int


class FolderTransport:
    """A `Transport`. The folder has to exist: a missing one, such as an unplugged drive, is an error."""

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Path(folder)

    async def chat(self) -> None:
        """None: each who shares the folder has a path of their own to it."""

    async def send(self, parcel: Parcel) -> str:
        """Raises NetworkError when the folder is gone or full, InputError when you may not write to it."""
        return await asyncio.to_thread(self._send, parcel)

    async def deliveries(self, *, follow: bool) -> AsyncGenerator[Delivery, None]:
        """Pictures by the time of their files. Each is read once by one transport, unless it changes.

        Links are not followed: somebody could plant one to expose files of this machine.
        """
        known: dict[str, tuple[_Stamp, _Stamp | None]] = {}
        while True:
            found = await asyncio.to_thread(self._look)
            known = {name: stamps for name, stamps in known.items() if name in found}
            pictures = [name for name in found if _is_picture(name)]
            for name in sorted(pictures, key=lambda name: (found[name].modified, name)):
                beside = Path(name).with_suffix(ENVELOPE_SUFFIX).name
                stamps = found[name], found.get(beside)
                if known.get(name) == stamps:
                    continue
                picture = await asyncio.to_thread(self._read, name)
                envelope = await asyncio.to_thread(self._read, beside) if beside in found else None
                if picture is None or (envelope is None and beside in found):
                    continue  # it is being moved or synced: the next look will tell
                known[name] = stamps
                yield Delivery(_reference(picture, envelope), picture, envelope, None, str(self.folder / name))
            if not follow:
                return
            await asyncio.sleep(_POLL)

    async def close(self) -> None:
        """Nothing is open."""

    def _send(self, parcel: Parcel) -> str:
        placed: list[Path] = []
        try:
            if not self.folder.is_dir():
                raise _gone(self.folder)
            picture = self._new_path(parcel.media_type)
            if parcel.envelope is not None:  # first, so that whoever sees the picture has it already
                self._place(picture.with_suffix(ENVELOPE_SUFFIX), parcel.envelope)
                placed.append(picture.with_suffix(ENVELOPE_SUFFIX))
            self._place(picture, parcel.picture)
        except BaseException as error:
            for path in placed:
                path.unlink(missing_ok=True)
            if isinstance(error, PermissionError) or (isinstance(error, OSError) and error.errno == errno.EROFS):
                raise InputError(
                    f"Nothing can be written to {self.folder}: you lack permission.", hint="Check its permissions."
                ) from error
            if isinstance(error, OSError):
                raise NetworkError(
                    f"Nothing was sent through {self.folder}: {os_reason(error)}.", hint="Make room, or try again."
                ) from error
            raise
        _settle(self.folder)
        return str(picture)

    def _new_path(self, media_type: str) -> Path:
        """A name that no picture and no envelope has."""
        while True:
            path = self.folder / ordinary_name(media_type)
            if not any(path.with_suffix(suffix).exists() for suffix in (*SUFFIXES, ENVELOPE_SUFFIX)):
                return path

    def _place(self, path: Path, data: bytes) -> None:
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
        try:
            handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)
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
        found: dict[str, _Stamp] = {}
        try:
            with os.scandir(self.folder) as entries:
                for entry in entries:
                    name = entry.name
                    # Sync tools hide what they are still writing: by a dot, by "~", or by a suffix of their own.
                    if name.startswith((".", "~")) or not (_is_picture(name) or name.endswith(ENVELOPE_SUFFIX)):
                        continue
                    try:
                        status = entry.stat(follow_symlinks=False)
                    except FileNotFoundError:
                        continue
                    if stat.S_ISREG(status.st_mode) and 0 < status.st_size <= MAX_FILE_BYTES:
                        found[name] = _Stamp(status.st_size, status.st_mtime_ns, status.st_ino)
                    if len(found) > _MOST_FILES:
                        raise InputError(
                            f"There are more than {_MOST_FILES} pictures in {self.folder}.",
                            hint="Move old ones elsewhere, or use a folder for messages only.",
                        )
        except (FileNotFoundError, NotADirectoryError):
            raise _gone(self.folder) from None
        except OSError as error:
            raise NetworkError(
                f"The folder {self.folder} cannot be read: {os_reason(error)}.",
                hint="Check its permissions and its drive.",
            ) from error
        return found

    def _read(self, name: str) -> bytes | None:
        """A file's bytes; None if it cannot be read now, is gone, or is no longer a file of acceptable size."""
        flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
        try:
            with os.fdopen(os.open(self.folder / name, flags), "rb") as file:
                data = file.read(MAX_FILE_BYTES + 1) if stat.S_ISREG(os.fstat(file.fileno()).st_mode) else b""
        except OSError:
            return None
        return data if 0 < len(data) <= MAX_FILE_BYTES else None


def _is_picture(name: str) -> bool:
    return Path(name).suffix.lower() in SUFFIXES


def _reference(picture: bytes, envelope: bytes | None) -> bytes:
    sha = hashlib.sha256(len(picture).to_bytes(8, "big") + picture)
    sha.update(envelope or b"")
    return sha.digest()


def _settle(folder: Path) -> None:
    """Makes new names durable where folders can be synced. Where they cannot, the names exist all the same."""
    if os.name == "posix":
        with contextlib.suppress(OSError):
            handle = os.open(folder, os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)


def _gone(folder: Path) -> NetworkError:
    what = "is not a folder" if folder.exists() else "does not exist"
    return NetworkError(
        f"The shared folder {folder} {what}.",
        hint="Plug the drive in, start the sync tool, or name another folder.",
    )

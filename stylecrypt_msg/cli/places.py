"""Where folders of pictures are: on this machine, or in a bucket of an object store."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from ..errors import InputError, NetworkError, Remedy, os_reason
from ..files import MAX_FILE_BYTES, read_file, write_atomically

__all__ = ["Bucket", "Folder", "Place", "is_folder", "place_of"]

_STORES = re.compile(r"((?:s3|gcs|gs|abfss?)://[^/?]+)([^?]*)(.*)", re.S)
_DENIED = re.compile(r"denied|forbidden|auth|access_key|signature|credential|token|permission|status 40[13]", re.I)
_MISSING = re.compile(r"no_such_bucket|not.?found", re.I)


class Place(Protocol):
    """A folder. Names in it are relative, with slashes. Everything raises InputError, or NetworkError when nothing works."""

    @property
    def parts(self) -> tuple[str, ...]:
        """Of its path: those of the folder that contains it come first."""

    @property
    def report(self) -> Path:
        """Where one looks for a report on it, if nothing else was said."""

    def make(self) -> None:
        """Makes sure that it can be written to."""

    def files(self) -> list[str]:
        """What is in it and below; hidden files and folders are left out."""

    def has(self, name: str) -> bool: ...

    def digest(self, name: str) -> str:
        """Another one when the file has changed; "" if it cannot be read: then the work says why."""

    def read(self, name: str) -> bytes:
        """At most `MAX_FILE_BYTES` + 1."""

    def write(self, name: str, data: bytes) -> None:
        """Whole, or not at all."""


def is_folder(text: str) -> bool:
    return bool(_STORES.match(text)) or os.path.isdir(text)  # noqa: PTH112 - which takes names of any length


def place_of(text: str) -> Place:
    return Bucket(text) if _STORES.match(text) else Folder(Path(text))


@dataclass(frozen=True)
class Folder:
    """On this machine. A digest is the SHA-256 of the file, in hexadecimal."""

    path: Path

    def __str__(self) -> str:
        return str(self.path)

    @property
    def parts(self) -> tuple[str, ...]:
        return self.path.resolve().parts

    @property
    def report(self) -> Path:
        whole = self.path.absolute()
        return whole.with_name(f"{whole.name}-report")

    def make(self, mode: int = 0o777) -> None:
        try:
            self.path.mkdir(mode, parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"The folder {self} cannot be made: {os_reason(error)}.") from error

    def files(self) -> list[str]:
        found = []
        for folder, folders, files in os.walk(self.path):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            here = Path(folder).relative_to(self.path)
            found += [(here / name).as_posix() for name in sorted(files) if not name.startswith(".")]
        return found

    def has(self, name: str) -> bool:
        return (self.path / name).is_file()

    def digest(self, name: str) -> str:
        try:
            with (self.path / name).open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
        except OSError:
            return ""

    def read(self, name: str) -> bytes:
        return read_file(self.path / name)

    def write(self, name: str, data: bytes) -> None:
        target = self.path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(target, data)


class Bucket:
    """A folder in a bucket, by ``pyarrow.fs``. A digest is the name, size and time of the object, as listed."""

    def __init__(self, uri: str) -> None:
        """Raises InputError when a secret is in ``uri``, which others can see."""
        if re.match(r"\w+://[^/]*:[^/]*@", uri):
            raise InputError(
                "A bucket's address must not have a password in it.", hint="Put it into the environment instead."
            )
        self._uri = uri
        self._opened: tuple[Any, str] | None = None
        self._listed: dict[str, str] | None = None

    def __reduce__(self) -> tuple[type[Bucket], tuple[str]]:
        """Every process connects by itself, with what its own environment says."""
        return Bucket, (self._uri,)

    def __str__(self) -> str:
        return self._uri.partition("?")[0].rstrip("/")

    @property
    def parts(self) -> tuple[str, ...]:
        return tuple(filter(None, str(self).split("/")))

    @property
    def report(self) -> Path:
        return Path(f"{self.parts[-1]}-report")

    def make(self) -> None:
        self.files()

    def files(self) -> list[str]:
        with self._explained(str(self)):
            from pyarrow.fs import FileSelector, FileType

            system, path = self._open()
            if system.get_file_info(path.split("/")[0]).type == FileType.NotFound:
                raise FileNotFoundError
            found = system.get_file_info(FileSelector(path, allow_not_found=True, recursive=True))
        infos = {info.path.removeprefix(path).strip("/"): info for info in found if info.is_file}
        self._listed = {
            name: _digest(name, infos[name])
            for name in sorted(infos)
            if not any(part.startswith(".") for part in name.split("/"))
        }
        return [*self._listed]

    def has(self, name: str) -> bool:
        return bool(self.digest(name))

    def digest(self, name: str) -> str:
        if self._listed is not None:
            return self._listed.get(name, "")
        with self._explained(f"{self}/{name}"):
            system, path = self._open()
            info = system.get_file_info(f"{path}/{name}")
            return _digest(name, info) if info.is_file else ""

    def read(self, name: str) -> bytes:
        with self._explained(f"{self}/{name}"):
            system, path = self._open()
            with system.open_input_stream(f"{path}/{name}") as stream:
                data: bytes = stream.read(MAX_FILE_BYTES + 1)
                return data

    def write(self, name: str, data: bytes) -> None:
        with self._explained(f"{self}/{name}"):
            system, path = self._open()
            stream = system.open_output_stream(f"{path}/{name}")
            stream.write(data)
            stream.close()  # now it appears (on Azure, an empty one is there already), so not after an error

    def _open(self) -> tuple[Any, str]:
        if self._opened is None:
            from pyarrow.fs import FileSystem

            root, path, query = _STORES.fullmatch(self._uri).groups()  # type: ignore[union-attr]
            system, bucket = FileSystem.from_uri(root + query)  # the rest may have spaces in it, and any letters
            self._opened = system, "/".join(filter(None, (bucket, *path.split("/"))))
        return self._opened

    @contextmanager
    def _explained(self, what: str) -> Iterator[None]:
        try:
            yield
        except ImportError as error:
            raise InputError(
                "Buckets need PyArrow, which is not installed.", remedy=Remedy.INSTALL_EXTRA, extra="ray"
            ) from error
        except (ValueError, NotImplementedError) as error:  # which Arrow raises for what it was built without
            raise InputError(f"{self} is not the address of a bucket.", hint="Such as s3://bucket/holiday.") from error
        except OSError as error:
            # Names of objects and of requests say nothing about the reason.
            said = re.sub(r"'[^']*'|\(Request ID.*", "", str(error))
            if _DENIED.search(said):
                raise NetworkError(
                    f"You may not use {what}, or there are no credentials for it.",
                    hint="Set credentials in the environment, as for the store's own tools, on every machine that works on it.",
                ) from error
            if isinstance(error, FileNotFoundError) or _MISSING.search(said):
                raise InputError(
                    f"There is no {what}.", hint="Check the name of the bucket, and what is in it."
                ) from error
            raise NetworkError(
                f"{what} cannot be used now.",
                hint="Is the network there? Run the same command again: it goes on where it stopped.",
            ) from error


def _digest(name: str, info: Any) -> str:
    return f"{name} {info.size} {info.mtime_ns}"

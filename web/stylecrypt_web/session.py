"""The session of the person at the page: the open profile, and the pictures they work with, in memory only."""

from __future__ import annotations

import secrets
import time
from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from stylecrypt_msg.errors import NotAuthorisedError, ProfileError, Remedy
from stylecrypt_msg.faces import Refusal
from stylecrypt_msg.messenger import DecryptedPhoto, EncryptedPhoto
from stylecrypt_msg.profile import Profile
from stylecrypt_msg.sdk import StyleCrypt

from .work import Work

__all__ = ["Found", "IncomingPhoto", "OutgoingPhoto", "WebSession"]

_MOST = 4  # pictures at a time, of up to 64 MB each

Held = TypeVar("Held", bound="OutgoingPhoto | IncomingPhoto")


def _new_id() -> str:
    return secrets.token_urlsafe(9)


@dataclass(frozen=True)
class Found:
    """A face.

    Attributes:
        number: from 1 at the left.
        box: left, top, width and height, as shares of the picture's width and height, 0 to 1.
        refusal: why it cannot be replaced; None if it can be.
        picture: a JPEG of it.
    """

    number: int
    box: tuple[float, float, float, float]
    refusal: Refusal | None
    picture: bytes = field(repr=False)


@dataclass(eq=False)
class OutgoingPhoto:
    """A photo to send.

    Attributes:
        photo: the file.
        name: the file's.
        preview: a JPEG of it that every browser shows.
        found: its faces, left to right, and their pictures.
        chosen: what the form said last, by field.
        sent: the result.
    """

    photo: bytes = field(repr=False)
    name: str = field(repr=False)
    id: str = field(default_factory=_new_id)
    preview: bytes = field(default=b"", repr=False)
    size: tuple[int, int] = (0, 0)
    found: tuple[Found, ...] = ()
    chosen: dict[str, list[str]] = field(default_factory=dict, repr=False)
    sent: EncryptedPhoto | None = field(default=None, repr=False)
    shown: bytes = field(default=b"", repr=False)
    file_name: str = ""


@dataclass(eq=False)
class IncomingPhoto:
    """A picture that arrived, and the photo behind it."""

    picture: bytes = field(repr=False)
    envelope: bytes | None = field(repr=False)
    id: str = field(default_factory=_new_id)
    photo: DecryptedPhoto | None = field(default=None, repr=False)
    before: bytes = field(default=b"", repr=False)
    after: bytes = field(default=b"", repr=False)


class WebSession:
    """For one person.

    Attributes:
        folder: the profile's.
        idle: the profile locks after so many seconds without use.
        language: the one chosen; "" leaves it to the browser.
    """

    def __init__(self, folder: Path, idle: float) -> None:
        self.folder, self.idle = folder, idle
        self.language = ""
        self.work = Work()
        self._open: StyleCrypt | None = None
        self._used = time.monotonic()
        self._held: OrderedDict[str, OutgoingPhoto | IncomingPhoto] = OrderedDict()

    @property
    def is_open(self) -> bool:
        return self._open is not None

    @property
    def stylecrypt(self) -> StyleCrypt:
        """Raises NotAuthorisedError while the profile is locked."""
        if self._open is None:
            raise NotAuthorisedError("The profile is locked.", hint="Give its passphrase.")
        return self._open

    @property
    def profile(self) -> Profile:
        return self.stylecrypt.profile

    def found(self) -> str:
        """What there is in the folder: "none", "locked", or "plain", a profile without passphrase. Raises ProfileError."""
        try:
            Profile.open(self.folder).close()
        except NotAuthorisedError:
            return "locked"
        except ProfileError as error:
            if error.remedy is Remedy.MAKE_PROFILE:
                return "none"
            raise
        return "plain"

    def create(self, name: str, passphrase: str) -> None:
        """Raises what `StyleCrypt.create` does."""
        self._take(StyleCrypt.create(self.folder, name=name, passphrase=passphrase))

    def unlock(self, passphrase: str) -> None:
        """Raises what `Profile.open` does. A wrong passphrase takes as long as a right one."""
        self._take(StyleCrypt(Profile.open(self.folder, lambda: passphrase)))

    def _take(self, opened: StyleCrypt) -> None:
        if self._open is not None:  # a second tab was quicker
            opened.close()
            return
        self._open = opened
        self.use()

    def use(self) -> None:
        """Somebody is at the page."""
        self._used = time.monotonic()

    def lock(self) -> None:
        """Closes the profile and drops all pictures. Work in progress is thrown away."""
        opened, self._open = self._open, None
        self._held.clear()
        self.work.drop(opened.close if opened else lambda: None)

    def lock_if_idle(self) -> None:
        if self.work.busy:
            self.use()
        elif self.is_open and time.monotonic() - self._used > self.idle:
            self.lock()

    def put(self, held: Held) -> Held:
        """The oldest picture makes room for it."""
        self._held[held.id] = held
        while len(self._held) > _MOST:
            self._held.popitem(last=False)
        return held

    def held(self, kind: type[Held], id: str) -> Held | None:
        held = self._held.get(id)
        return held if isinstance(held, kind) else None

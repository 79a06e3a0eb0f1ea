"""Errors of the protocol. The type says whose fault it is, ``message`` and ``hint`` what a person reads.

::

    ProtocolError                   abstract: cannot be raised
    ├── LocalProtocolError          this program called the protocol wrongly; nothing was sent
    └── RemoteProtocolError         abstract: received data cannot be used
        ├── MalformedError          bytes that do not parse
        │   └── TooLargeError       ... because they are over a limit of limits.py
        ├── UnsupportedError        a later version, or a kind that this version does not know
        ├── UnsealedError           no sealed part, so the sender is unknown
        ├── NotForMeError           sealed to other people's keys
        ├── StrangerError           signed by somebody who is not a contact
        ├── RevokedKeyError         names a key that its owner withdrew
        ├── ForgedError             abstract: somebody put this together to deceive
        │   ├── BadSignatureError   the signature is not the named sender's
        │   ├── ForwardedError      sealed again to somebody whom the sender did not address
        │   └── MovedError          the sealed part belongs to another message
        ├── CoverMismatchError      the picture is not the one that the sender sent
        ├── FromFutureError         dated later than now
        ├── TooOldError             dated before the time that the replay store remembers
        ├── ReplayedError           opened before
        └── WrongPassphraseError    wrong passphrase, or a damaged file: the two cannot be told apart

Every function that reads bytes raises these and nothing else: any bytes either parse or raise
RemoteProtocolError.
"""

from __future__ import annotations

from typing import ClassVar

__all__ = [
    "BadSignatureError",
    "CoverMismatchError",
    "ForgedError",
    "ForwardedError",
    "FromFutureError",
    "LocalProtocolError",
    "MalformedError",
    "MovedError",
    "NotForMeError",
    "ProtocolError",
    "RemoteProtocolError",
    "ReplayedError",
    "RevokedKeyError",
    "StrangerError",
    "TooLargeError",
    "TooOldError",
    "UnsealedError",
    "UnsupportedError",
    "WrongPassphraseError",
]


class ProtocolError(Exception):
    """Base of all. ``message`` says what happened, ``hint`` what to do about it; both hold on every surface.

    ``detail`` says what this one is about, for the end of the message.
    """

    message: ClassVar[str]
    hint: ClassVar[str | None] = None
    abstract: ClassVar[bool] = True

    def __init_subclass__(cls, *, abstract: bool = False) -> None:
        cls.abstract = abstract

    def __init__(self, detail: str = "") -> None:
        if self.abstract:
            raise TypeError(f"{type(self).__name__} is abstract: raise one of its subclasses")
        super().__init__(detail)
        self.detail = detail

    def __str__(self) -> str:
        return f"{self.message.removesuffix('.')} ({self.detail})." if self.detail else self.message


class LocalProtocolError(ProtocolError):
    """This program called the protocol wrongly; nothing was sent."""

    message = "This cannot be put into a message."


class RemoteProtocolError(ProtocolError, abstract=True):
    """Received data cannot be used."""


class MalformedError(RemoteProtocolError):
    """Bytes that do not parse."""

    message = "These bytes are damaged, or were never made by StyleCrypt."


class TooLargeError(MalformedError):
    """Over a limit of `limits`."""

    message = "This is larger than any honest message, so it was not read."


class UnsupportedError(RemoteProtocolError):
    """A later version, or a kind that this version does not know."""

    message = "This was made by a version of StyleCrypt that is newer than this one, or of a kind that it cannot read."
    hint = "Update StyleCrypt."


class UnsealedError(RemoteProtocolError):
    """No sealed part, so the sender is unknown."""

    message = "This message has no sealed part: it does not say who sent it, and nobody signed it."


class NotForMeError(RemoteProtocolError):
    """Sealed to other people's keys."""

    message = "This message was sealed to somebody else."


class StrangerError(RemoteProtocolError):
    """Signed by somebody who is not a contact."""

    message = "This message is from somebody who is not among your contacts."
    hint = "Add their card, verify it with them, then open the message again."

    def __init__(self, card_id: bytes) -> None:
        super().__init__(f"card {card_id.hex()}")
        self.card_id = card_id


class RevokedKeyError(RemoteProtocolError):
    """Names a key that its owner withdrew."""

    message = "This message names a key that its owner has withdrawn."
    hint = "Do not trust it; ask them for their new card."


class ForgedError(RemoteProtocolError, abstract=True):
    """Somebody put this together to deceive."""


class BadSignatureError(ForgedError):
    """The signature is not the named sender's."""

    message = "The signature is not the named sender's: somebody made or changed this to deceive you."


class ForwardedError(ForgedError):
    """Sealed again to somebody whom the sender did not address."""

    message = (
        "The sender wrote this to other people, not to you: somebody sealed it again as if you had been addressed."
    )


class MovedError(ForgedError):
    """The sealed part belongs to another message."""

    message = "The sealed part belongs to another message: somebody put it beside a picture that it was not made for."


class CoverMismatchError(RemoteProtocolError):
    """The picture is not the one that the sender sent."""

    message = "The message is the sender's, but the picture beside it is not the one that they sent."


class FromFutureError(RemoteProtocolError):
    """Dated later than now."""

    message = "This is dated in the future."
    hint = "Check your clock; if it is right, the sender's is fast."


class TooOldError(RemoteProtocolError):
    """Dated before the time that the replay store remembers."""

    message = "This message is too old to tell whether it is being sent to you a second time."


class ReplayedError(RemoteProtocolError):
    """Opened before."""

    message = "You have received this message before: somebody sent it again."


class WrongPassphraseError(RemoteProtocolError):
    """Wrong passphrase, or a damaged file: the two cannot be told apart."""

    message = "The passphrase is wrong, or the file is damaged."

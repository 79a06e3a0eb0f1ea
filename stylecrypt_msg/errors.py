"""Errors of the SDK. The text says what happened, and why; ``hint`` and ``remedy`` what to do about it.

::

    StyleCryptError            abstract; has .hint, .remedy and .exit_code
    ├── InputError             exit 1: the caller's input cannot be used
    │   ├── PictureError       not a picture, truncated, too large, of a kind we cannot read
    │   ├── FaceError          no face, or a face that cannot be replaced
    │   │   └── LikenessError  a fake that still looks like the sender
    │   ├── LayerMaskError     a mask that does not parse or does not fit the model
    │   ├── ModelError         a model that is missing, broken or of the wrong kind
    │   ├── ProfileError       a profile that is missing, broken, or of a later version
    │   ├── MessageError       a received message is damaged, or of a later version
    │   └── NoMessageError     a picture without a message, and nothing to recover its face with
    ├── NetworkError           exit 3: network or server
    └── NotAuthorisedError     exit 4: not authorised, untrusted, failed verification
        └── RefusedError       a received message must not be opened; .reason says why
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import Enum
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from stylecrypt_protocol import RemoteProtocolError

__all__ = [
    "FaceError",
    "InputError",
    "LayerMaskError",
    "LikenessError",
    "MessageError",
    "ModelError",
    "NetworkError",
    "NoMessageError",
    "NotAuthorisedError",
    "PictureError",
    "ProfileError",
    "RefusedError",
    "Remedy",
    "StyleCryptError",
    "explaining",
    "os_reason",
]


class Remedy(Enum):
    """What a person can do about an error, for steps that differ between surfaces.

    The command line, the bot and the page each have a table of words for them, with the ``facts`` filled in: `cli.remedies`,
    `stylecrypt_bots.remedies` and `stylecrypt_web.remedies`.
    """

    ADD_CONTACT = ()
    ASK_FOR_KEY_FACE = ()
    CHOOSE_FACE = ()
    CHOOSE_OUTPUT = ()
    CHOOSE_PROFILE_FOLDER = ()
    CLOSE_FOLDER = ("folder",)
    COMPARE_WORDS = ("contact",)
    DISTRUST_CONTACT = ("contact",)
    DROP_COVERT = ()
    DROP_EXACT = ()
    IMPORT_MODEL = ()
    INSTALL_EXTRA = ("extra",)
    LIST_MODELS = ()
    MAKE_BACKUP = ()
    MAKE_IDENTITY = ()
    MAKE_PROFILE = ()
    NAME_KEY_FACE = ()
    NAME_RECIPIENTS = ()
    NAME_SENDER = ()
    OTHER_STAND_IN = ()
    REINSTALL = ("package",)
    REMOVE_CONTACT = ()
    REPLACE_IDENTITY = ()
    SEND_LESS = ()
    TRUST_CONTACT = ("contact",)
    UNBLOCK_CONTACT = ("contact",)
    VERIFY_DEVICE = ()

    facts: tuple[str, ...]

    def __new__(cls, *facts: str) -> Remedy:
        member = object.__new__(cls)
        member._value_ = len(cls.__members__)
        member.facts = facts
        return member


class StyleCryptError(Exception):
    """Base of all errors that a caller may show as they are. Raise one of the subclasses.

    Args:
        message: one sentence that says what happened, and why.
        hint: what to do about it, in words that fit every surface.
        remedy: what to do about it, for which each surface has its own words; with the ``facts`` that they need.

    ``exit_code`` is what the command line ends with: 1 for input, 3 for the network, 4 for a lack of authorisation.
    """

    exit_code: ClassVar[int]

    def __init__(self, message: str, *, hint: str | None = None, remedy: Remedy | None = None, **facts: str) -> None:
        if not hasattr(self, "exit_code"):
            raise TypeError(f"{type(self).__name__} is abstract")
        if facts.keys() != set(remedy.facts if remedy else ()):
            raise TypeError(f"{remedy} does not go with {sorted(facts)}")
        super().__init__(message)
        self.hint = hint
        self.remedy = remedy
        self.facts = facts

    def __reduce__(self) -> tuple[Callable[..., StyleCryptError], tuple[object, ...], dict[str, object]]:
        """So that errors reach other processes whole, whatever their constructors take."""
        return type(self).__new__, (type(self), *self.args), self.__dict__


class InputError(StyleCryptError):
    """The caller's input cannot be used."""

    exit_code = 1


class PictureError(InputError):
    """Not a picture, truncated, too large, or of a kind that we cannot read or write."""


class FaceError(InputError):
    """No face was found, or a face cannot be replaced."""


class LikenessError(FaceError):
    """A fake face still looks like the sender's."""


class LayerMaskError(InputError, ValueError):
    """A layer mask does not parse, or names layers that the model does not have."""


class ModelError(InputError):
    """A model is missing, broken, or of the wrong kind for the task."""


class ProfileError(InputError):
    """There is no profile, or it is damaged or of a later version."""


class MessageError(InputError):
    """A received message is damaged, or was made by a later version."""


class NoMessageError(InputError):
    """A picture carries no message, and there is no key face to recover it with."""


class NetworkError(StyleCryptError):
    """The network or a server failed."""

    exit_code = 3


class NotAuthorisedError(StyleCryptError):
    """Not a recipient, not trusted, or a verification failed."""

    exit_code = 4


class RefusedError(NotAuthorisedError):
    """A received message must not be opened. ``reason`` is the protocol's error, whose type says why."""

    def __init__(self, message: str, reason: RemoteProtocolError, *, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.reason = reason


@contextmanager
def explaining() -> Iterator[None]:
    """Turns the protocol's errors about received data into those of this tree, with their text."""
    from stylecrypt_protocol import MalformedError, RemoteProtocolError, UnsupportedError  # takes a while to import

    try:
        yield
    except RemoteProtocolError as error:
        if isinstance(error, MalformedError | UnsupportedError):
            raise MessageError(str(error), hint=error.hint or "Ask the sender to send it again.") from error
        raise RefusedError(str(error), error, hint=error.hint) from error


def os_reason(error: OSError | ValueError) -> str:
    """Why the system refused, as the end of a sentence: "permission denied"."""
    return (getattr(error, "strerror", None) or str(error) or "the system refused").lower()

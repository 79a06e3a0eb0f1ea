"""Errors of the SDK. The text is what the person reads: what happened, why; ``hint`` is what to do.

::

    StyleCryptError            abstract; has .hint and .exit_code
    ├── InputError             exit 1: what the caller gave cannot be used
    │   ├── PictureError       not a picture, truncated, too large, of a kind we cannot read
    │   ├── FaceError          no face, or a face that cannot be replaced
    │   ├── LayerMaskError     a mask that does not parse or does not fit the model
    │   └── ModelError         a model that is missing, broken or of the wrong kind
    ├── NetworkError           exit 3: network or server
    └── NotAuthorisedError     exit 4: not authorised, untrusted, failed verification
"""

from __future__ import annotations

from typing import ClassVar

__all__ = [
    "FaceError",
    "InputError",
    "LayerMaskError",
    "ModelError",
    "NetworkError",
    "NotAuthorisedError",
    "PictureError",
    "StyleCryptError",
]


class StyleCryptError(Exception):
    """Base of all errors that a caller may show as they are. Raise one of the subclasses.

    ``message`` is one sentence that says what happened and why; ``hint`` says what to do about it.
    ``exit_code`` is what the command line ends with (DESIGN.md: 1 input, 3 network, 4 not authorised).
    """

    exit_code: ClassVar[int]

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        if not hasattr(self, "exit_code"):
            raise TypeError(f"{type(self).__name__} is abstract")
        super().__init__(message)
        self.hint = hint


class InputError(StyleCryptError):
    """What the caller gave cannot be used."""

    exit_code = 1


class PictureError(InputError):
    """Not a picture, truncated, too large, or of a kind that we cannot read or write."""


class FaceError(InputError):
    """No face was found, or a face cannot be replaced."""


class LayerMaskError(InputError, ValueError):
    """A layer mask does not parse, or names layers that the model does not have."""


class ModelError(InputError):
    """A model is missing, broken, or of the wrong kind for what is asked of it."""


class NetworkError(StyleCryptError):
    """The network or a server failed."""

    exit_code = 3


class NotAuthorisedError(StyleCryptError):
    """Not a recipient, not trusted, or a verification failed."""

    exit_code = 4

"""Matrix rooms: a transport for programs that end, and the session that it and bots build on.

Bottom up: `server` (requests, answers, errors), `identities` (cross-signing keys), `state` and
`client`, `devices` (who may read), `account` (the own identity), `secret_storage` and `backup` (of the
keys, on the server), `session` (rooms and messages), `transport`.
"""

from ...errors import InputError, Remedy

try:
    import nio.crypto  # noqa: F401  # what nio needs for encryption, without which nothing is sent
    import vodozemac  # noqa: F401
except ImportError as error:
    raise InputError(
        "Matrix needs packages that are not installed.", remedy=Remedy.INSTALL_EXTRA, extra="matrix"
    ) from error

from .devices import Trust
from .server import AccessToken, Login, Password
from .transport import MatrixTransport, envelope_of, is_message, picture_content

__all__ = [
    "AccessToken",
    "Login",
    "MatrixTransport",
    "Password",
    "Trust",
    "envelope_of",
    "is_message",
    "picture_content",
]

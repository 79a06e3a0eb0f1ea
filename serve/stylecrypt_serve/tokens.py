"""Who may use the server: one bearer token (RFC 6750) a line, in a file that only its owner reads."""

from __future__ import annotations

import hashlib
import hmac
import stat
from pathlib import Path

from stylecrypt_msg.errors import InputError, os_reason

__all__ = ["Tokens"]

_LEAST = 32  # characters: 128 bits in hexadecimal
_MAKE = "Make it: umask 077; openssl rand -hex 32 > FILE"


class Tokens:
    """Keeps their hashes alone."""

    def __init__(self, path: Path) -> None:
        """Raises InputError for a file that cannot be read, that others may read, or without a token."""
        try:
            if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
                raise InputError(f"Others may read the tokens in {path}.", hint=f"chmod 600 {path}")
            lines = [line.strip() for line in path.read_text("ascii").splitlines()]
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"{path} cannot be read: {os_reason(error)}.", hint=_MAKE) from error
        tokens = [line for line in lines if line and not line.startswith("#")]
        if not tokens or min(map(len, tokens)) < _LEAST:
            raise InputError(f"{path} needs a token of {_LEAST} characters or more on each line.", hint=_MAKE)
        self._digests = [_digest(token) for token in tokens]

    def client(self, authorization: str) -> str | None:
        """Whose token the header of a request has, as a number; None: nobody's."""
        kind, _, token = authorization.partition(" ")
        # Hashes, all of them: neither how much of a token is right nor which one shows in the time it takes.
        same = [hmac.compare_digest(_digest(token.strip()), one) for one in self._digests]
        return str(same.index(True)) if kind.lower() == "bearer" and any(same) else None


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()

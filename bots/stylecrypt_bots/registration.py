"""The registration file, which makes the homeserver know the service (Matrix specification, "Application Service API")."""

from __future__ import annotations

import re
import secrets
from pathlib import Path

import yaml

from stylecrypt_msg.errors import os_reason

from .config import ConfigError

__all__ = ["ACCOUNT", "bot_of", "is_bot", "new_registration", "read_token"]

ACCOUNT = "stylecrypt"
"""The local part of the account that everybody talks to first."""


def bot_of(owner: str) -> str:
    """The user id of somebody's bot."""
    return f"@{ACCOUNT}_{owner[1:]}"


def is_bot(user_id: str) -> bool:
    """Whether an account is one of the service's own."""
    return user_id.startswith((f"@{ACCOUNT}:", f"@{ACCOUNT}_"))


def new_registration(server_name: str) -> str:
    """The text of the file, with new tokens."""
    values = {
        "id": ACCOUNT,
        "url": None,  # the service asks for what is new, as apps do
        "as_token": secrets.token_hex(32),
        "hs_token": secrets.token_hex(32),
        "sender_localpart": f"_{ACCOUNT}",  # nobody: Synapse lets all others ask for news, but not this one
        "rate_limited": False,
        "io.element.msc4190": True,  # devices without logins
        "namespaces": {"users": [{"exclusive": True, "regex": f"@{ACCOUNT}(_.*)?:{re.escape(server_name)}"}]},
    }
    return str(yaml.safe_dump(values, sort_keys=False))


def read_token(path: Path) -> str:
    """The token by which the homeserver knows the service. Raises ConfigError."""
    try:
        values = yaml.safe_load(path.read_text())
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        why = os_reason(error) if isinstance(error, OSError) else "it is not YAML"
        raise ConfigError(f"The registration {path} cannot be read: {why}.", hint=_HINT) from None
    token = values.get("as_token") if isinstance(values, dict) else None
    if not isinstance(token, str):
        raise ConfigError(f"The registration {path} has no as_token.", hint=_HINT)
    return token


_HINT = "Registering the service makes one, which the homeserver needs as well."

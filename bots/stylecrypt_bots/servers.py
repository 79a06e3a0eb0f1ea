"""What a homeserver says of itself before anybody logs in."""

from __future__ import annotations

import json
from typing import Any

from aiohttp import ClientError, ClientSession, ClientTimeout
from yarl import URL

from stylecrypt_msg.errors import InputError, NetworkError

from .config import Config

__all__ = ["check_accounts", "login_flows"]

_PATIENCE = 15  # seconds


async def login_flows(homeserver: str) -> frozenset[str]:
    """The ways to log in that a homeserver offers, such as "m.login.password".

    Raises NetworkError if nothing answers; InputError if it is no homeserver.
    """
    other = "http" if homeserver.startswith("https") else "https"
    scheme = f"Check the address: is it {other}:// ?"
    try:
        _, versions = await _get(homeserver, "/_matrix/client/versions")
        _, flows = await _get(homeserver, "/_matrix/client/v3/login")
        _, elsewhere = await _get(homeserver, "/.well-known/matrix/client")
    except TimeoutError as error:
        raise NetworkError(f"{homeserver} does not answer within {_PATIENCE} s.", hint=scheme) from error
    except (ClientError, OSError) as error:
        raise NetworkError(f"{homeserver} does not answer.", hint=scheme) from error
    if not isinstance(versions.get("versions"), list):
        found = elsewhere.get("m.homeserver")
        address = found.get("base_url") if isinstance(found, dict) else None
        hint = f"Its homeserver is {address}" if address else "Ask whoever runs it, or look into your app's settings."
        raise InputError(f"{homeserver} is a web server, but no Matrix homeserver.", hint=hint)
    listed = flows.get("flows")
    return frozenset(str(flow.get("type")) for flow in (listed or ()) if isinstance(flow, dict))


async def check_accounts(config: Config) -> None:
    """Raises InputError if the bot's account and the owner's are the same, or the server knows no such owner; NetworkError."""
    if config.owner == config.user_id:
        raise InputError(
            f"{config.owner} cannot be both the bot and its owner.",
            hint="The bot needs an account of its own: make one with any Matrix app.",
        )
    try:
        status, _ = await _get(config.homeserver, f"/_matrix/client/v3/profile/{config.owner}")
    except (ClientError, OSError) as error:
        raise NetworkError(f"{config.homeserver} does not answer.", hint="Try again.") from error
    if status == 404:  # not 403: some servers show profiles only to those who are logged in
        raise InputError(f"{config.homeserver} knows no {config.owner}.", hint="Check the id of your own account.")


async def _get(homeserver: str, path: str) -> tuple[int, dict[str, Any]]:
    """The status of the answer, and its JSON; {} if it is none."""
    timeout = ClientTimeout(total=_PATIENCE)
    async with ClientSession(timeout=timeout) as http, http.get(URL(homeserver.rstrip("/") + path)) as answer:
        try:
            found = json.loads(await answer.read())
        except ValueError:
            found = None
        return answer.status, found if isinstance(found, dict) else {}

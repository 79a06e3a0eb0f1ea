"""The bot's login: made once by `stylecrypt bot setup`, and kept in the profile, sealed like everything there."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlencode

import nio
from aiohttp import web

from stylecrypt_msg.errors import InputError, NetworkError, StyleCryptError
from stylecrypt_msg.profile import Profile
from stylecrypt_msg.transports.matrix.backup import BackupKey
from stylecrypt_msg.transports.matrix.identities import SECRET_BYTES, OwnKeys
from stylecrypt_msg.transports.matrix.secret_storage import KEY_BYTES, RecoveryKey
from stylecrypt_msg.transports.matrix.server import AccessToken, Login, LoginToken, Masquerade, Password
from stylecrypt_msg.transports.matrix.state import State, is_in_use

from .config import Config, ConfigError
from .queues import Queues
from .session import HEARD, BotSession

__all__ = ["LoggedIn", "act_for", "is_set_up", "log_in", "open_session", "session_beside", "single_sign_on"]

_PATIENCE = 600.0  # seconds for somebody to log in with a browser


def is_set_up(config: Config, profile: Profile) -> bool:
    """Whether the bot was logged in."""
    return profile.setting(_setting(config)) is not None


async def open_session(config: Config, profile: Profile) -> BotSession:
    """The bot's session. Raises InputError if it was not set up, NetworkError, LoggedOutError."""
    token = profile.setting(_setting(config))
    if token is None:
        raise ConfigError(f"The bot {config.user_id} is not set up.", hint="Run `stylecrypt bot setup` once.")
    return await _signed(await _opened(config, profile, AccessToken(token)), profile)


async def act_for(config: Config, profile: Profile, token: str) -> BotSession:
    """The session of an application service's user, which needs no set-up. Raises as `open_session`."""
    return await _signed(await _opened(config, profile, Masquerade(config.user_id, token)), profile)


@asynccontextmanager
async def session_beside(config: Config, profile: Profile) -> AsyncIterator[BotSession]:
    """A session for questions about rooms. If the bot is running, it has the keys: then it is one without any.

    Raises as `open_session`.
    """
    if not is_in_use(profile.folder / "bot"):
        session = await open_session(config, profile)
        try:
            yield session
        finally:
            await session.close()
        return
    client = nio.AsyncClient(config.homeserver, config.user_id)
    client.access_token = profile.setting(_setting(config)) or ""
    with TemporaryDirectory() as nothing:
        beside = BotSession(client, State(Path(nothing)))
        try:
            me = await beside.answer(client.whoami(), nio.WhoamiResponse, "say whose access token this is")
            client.user_id, client.device_id = me.user_id, me.device_id
            yield beside
        finally:
            await beside.close()


@dataclass(frozen=True)
class LoggedIn:
    """``unsigned``: why the device could not be signed. ``recovery``: a new recovery key, if one was wanted."""

    device: str
    unsigned: StyleCryptError | None
    recovery: RecoveryKey | None


async def log_in(
    config: Config,
    profile: Profile,
    login: Login,
    *,
    replace_identity: bool = False,
    restore: RecoveryKey | None = None,
    key_backup: bool = False,
) -> LoggedIn:
    """Logs in, keeps the access token, and signs the device. Earlier messages in the rooms count as read.

    Args:
        replace_identity: even if the account has cross-signing keys that are not in the profile.
        restore: take those and the key of the backup over from the server's secret storage, which this opens.
        key_backup: make a backup, and a new recovery key for it and for the cross-signing keys.

    Raises InputError for somebody else's login, or a profile that another bot uses; NetworkError; NotAuthorisedError for a
    wrong recovery key, or if a device that is not signed should have a backup.
    """
    session = await _opened(config, profile, login)
    # The profile stays from here on: the server is about to get keys that nobody else has.
    profile.set_setting(_setting(config), session.client.access_token)
    if restore is not None:
        await _restore(session, profile, restore)
    password = login if isinstance(login, Password) else None
    await _signed(session, profile, password=password, replace=replace_identity)
    try:
        recovery = await _make_backup(session, profile) if key_backup else None
        queues = Queues(profile, "")
        session.on_invitation = lambda post: queues.invite(post, welcome=config.may_invite(post.sender))
        await session.skip(HEARD)
        return LoggedIn(session.device_id, session.identity_error, recovery)
    finally:
        await session.close()


async def single_sign_on(homeserver: str, show: Callable[[str], None]) -> LoginToken:
    """Logs in with a browser on this machine: shows the address to visit, and waits up to ten minutes for the result.

    Raises NetworkError if none comes.
    """
    came: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    path = f"/{secrets.token_urlsafe(16)}"  # so that no other page can slip in a login of its own

    async def back(request: web.Request) -> web.Response:
        token = request.query.get("loginToken")
        if token and not came.done():
            came.set_result(token)
        return web.Response(text="You are logged in; go back to the terminal." if token else "This is no login.")

    app = web.Application()
    app.add_routes([web.get(path, back)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]
        query = urlencode({"redirectUrl": f"http://127.0.0.1:{port}{path}"})
        show(f"{homeserver.rstrip('/')}/_matrix/client/v3/login/sso/redirect?{query}")
        async with asyncio.timeout(_PATIENCE):
            return LoginToken(await came)
    except TimeoutError as error:
        raise NetworkError("Nobody logged in with the browser.", hint="Run the command again.") from error
    finally:
        await runner.cleanup()


async def _opened(config: Config, profile: Profile, login: Login) -> BotSession:
    session = await BotSession.open(
        config.homeserver, login, store=profile.folder / "bot", pickle_key=_secret(profile, "bot key", 32)
    )
    if session.user_id != config.user_id:
        await session.close()
        raise InputError(
            f"This is the login of {session.user_id}, and the configuration says {config.user_id}.",
            hint="Log in as the bot, or correct `user_id`.",
        )
    session.blocked = [(device.user, device.device) for device in config.blacklist]
    return session


async def _signed(
    session: BotSession, profile: Profile, *, password: Password | None = None, replace: bool = False
) -> BotSession:
    """The session, with its device signed by the account's cross-signing keys, and its backup, if there is one; closed if that
    fails."""
    own = OwnKeys(session.user_id, bytes.fromhex(_secret(profile, _identity(session), SECRET_BYTES)))
    try:
        await session.publish_identity(own, password=password, replace=replace)
    except BaseException:
        await session.close()
        raise
    if (secret := profile.setting(_backup(session))) is not None:
        session.keep_backup(BackupKey(bytes.fromhex(secret)))
    return session


async def _restore(session: BotSession, profile: Profile, recovery: RecoveryKey) -> None:
    """Takes over what the secret storage has; closes the session if that fails."""
    try:
        own, backup = await session.stored_secrets(recovery)
    except BaseException:  # a Ctrl-C, too, must not leave it open
        await session.close()
        raise
    with profile.transaction():
        profile.set_setting(_identity(session), b"".join(own.secrets().values()).hex())
        if backup is not None:
            profile.set_setting(_backup(session), backup.secret.hex())


async def _make_backup(session: BotSession, profile: Profile) -> RecoveryKey:
    if session.identity_error is not None:
        raise session.identity_error
    await session.make_backup(BackupKey(bytes.fromhex(_secret(profile, _backup(session), KEY_BYTES))))
    recovery = RecoveryKey.new()
    await session.store_secrets(recovery)
    return recovery


def _secret(profile: Profile, name: str, size: int) -> str:
    """A secret of so many bytes, in hex; kept before anything is made with it."""
    if (secret := profile.setting(name)) is None:
        secret = secrets.token_hex(size)
        profile.set_setting(name, secret)
    return secret


def _identity(session: BotSession) -> str:
    return f"bot identity {session.user_id}"


def _backup(session: BotSession) -> str:
    return f"bot key backup {session.user_id}"


def _setting(config: Config) -> str:
    return f"bot token {config.user_id}"

"""``stylecrypt bot``: set up, run, check."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import typer
import yaml

from stylecrypt_msg.cli import console
from stylecrypt_msg.cli.checks import show_checks
from stylecrypt_msg.cli.remedies import advice
from stylecrypt_msg.cli.session import Session, read_secret
from stylecrypt_msg.cli.transport import MATRIX_PASSWORD, MATRIX_TOKEN
from stylecrypt_msg.errors import InputError, NotAuthorisedError
from stylecrypt_msg.files import write_atomically
from stylecrypt_msg.profile import Profile
from stylecrypt_msg.transports.matrix.secret_storage import RecoveryKey
from stylecrypt_msg.transports.matrix.server import AccessToken, Login, Password

from . import logs
from .account import LoggedIn, is_set_up, log_in, single_sign_on
from .bot import Bot
from .checks import check_bot
from .config import Config
from .servers import check_accounts, login_flows

__all__ = ["ask", "check", "compare", "need_terminal", "run", "setup", "until_told_to_stop", "verify"]

_log = logging.getLogger(__name__)
_RECOVERY = "STYLECRYPT_RECOVERY_KEY"  # an environment variable


def run(session: Session, path: Path) -> None:
    config = Config.load(path)
    logs.set_up(config.log_level)
    with _profile(session, config) as profile:
        bot = Bot(config, profile, reread=partial(Config.load, path))
        asyncio.run(until_told_to_stop(bot.run(), reload=bot.reload))


def verify(session: Session, path: Path) -> None:
    config = Config.load(path)
    logs.set_up("ERROR")  # the terminal is for the emoji
    need_terminal()
    with _profile(session, config) as profile:
        asyncio.run(_until_verified(config, profile))


def need_terminal() -> None:
    """To look at emoji. Raises InputError."""
    if not (sys.stdin and sys.stdin.isatty()):
        raise InputError("You cannot confirm the emoji: this is not a terminal.", hint="Run the command in a terminal.")


async def _until_verified(config: Config, profile: Profile) -> None:
    """Runs the bot meanwhile, so that no message is lost."""
    done, devices = asyncio.Event(), []

    def verified(device_id: str) -> None:
        devices.append(device_id)
        done.set()

    console.note(
        f"In the app of {config.owner}, ask to verify the session of {config.user_id} by emoji. Ctrl-C ends this."
    )
    await until_told_to_stop(Bot(config, profile, compare=lambda: compare, verified=verified).run(), done)
    for device_id in devices:
        console.say(f"The device {device_id} of {config.owner} is verified.")


async def compare(device_id: str, emoji: Sequence[tuple[str, str]]) -> bool:
    """A `Compare`, at the terminal."""
    console.note(f"The device {device_id} should show these:")
    for symbol, name in emoji:
        console.note(f"  {symbol}  {name}")
    typer.echo("Does it show the same? [y/N]: ", nl=False, err=True)
    if (await _typed()).strip().lower() in ("y", "yes"):
        return True
    console.note("Then it is not verified. Ask once more in the app, or end this with Ctrl-C.")
    return False


async def _typed() -> str:
    """A line from the terminal. A thread that waits for one would keep Ctrl-C from ending the program."""
    loop, typed = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(sys.stdin, typed.set)
    try:
        await typed.wait()
    finally:
        loop.remove_reader(sys.stdin)
    return sys.stdin.readline()


async def until_told_to_stop(
    work: Coroutine[Any, Any, None], told: asyncio.Event | None = None, *, reload: Callable[[], None] = lambda: None
) -> None:
    """Until SIGTERM, Ctrl-C, or ``told``; ``reload`` is called at SIGHUP."""
    task = asyncio.create_task(work)
    told = told or asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, told.set)
    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, reload)
    stopping = asyncio.create_task(told.wait())
    await asyncio.wait({task, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        _log.info("stopped")


def setup(
    session: Session,
    path: Path,
    *,
    homeserver: str | None,
    user: str | None,
    owner: str | None,
    name: str | None,
    no_passphrase: bool,
    sso: bool,
    password_fd: int | None,
    replace_identity: bool,
    key_backup: bool,
    restore: bool,
    as_json: bool,
) -> None:
    new = not path.exists()
    if not new and (homeserver or user or owner):
        raise InputError(f"{path} is there already.", hint="Edit it, or name another one: --config FILE.")
    text = _answers(homeserver, user, owner) if new else ""
    config = Config.read(text, "what was answered") if new else Config.load(path)
    _check_server(config, sso=sso, password=MATRIX_TOKEN not in os.environ)
    recovery = RecoveryKey.read(os.environ.get(_RECOVERY) or _ask_recovery(config.user_id)) if restore else None
    with _profile_or_new(session, config, name, no_passphrase) as profile:
        made = asyncio.run(
            _logged_in(
                config,
                profile,
                sso,
                password_fd,
                replace_identity=replace_identity,
                key_backup=key_backup,
                restore=recovery,
            )
        )
        if new:
            write_atomically(path, text.encode())
        result = {
            "config": str(path),
            "profile": str(profile.folder),
            "user": config.user_id,
            "device": made.device,
            "signed": made.unsigned is None,
        }
        if made.recovery is not None:
            result["recovery_key"] = made.recovery.text()
    if made.unsigned is not None:
        console.fail(str(made.unsigned), advice(made.unsigned))
    if as_json:
        console.print_json(result)
        return
    console.say(f"{config.user_id} is logged in, on the device {made.device}.")
    if made.recovery is not None:
        console.say(f"Recovery key: {made.recovery.text()}")
        console.note(
            "Write it down: it is shown this once, and takes the place of an earlier one. With it, `stylecrypt bot setup "
            "--restore` sets the bot up on another machine; and whoever has it and the bot's password can pose as the bot."
        )
    console.note(f"Start it: `stylecrypt bot run --config {path}`. It invites {config.owner} to a room.")
    console.note(
        "You, and each of those who are to see your photos, invite your own bot to a room. Then each writes to their own bot:"
    )
    console.note("  !room NAME #address:server")
    console.note(
        f"  !card send @their-bot:server   (they: !card send {config.user_id}); answer what the bots ask with a tick"
    )
    console.note("  !trust NAME")


def check(session: Session, path: Path, as_json: bool) -> None:
    config = Config.load(path)
    with _profile(session, config) as profile:
        checks = asyncio.run(check_bot(config, profile))
    show_checks(checks, as_json)
    if any(check.state != "ok" for check in checks):  # the bot needs all of it
        raise SystemExit(1)


def _profile(session: Session, config: Config) -> Profile:
    """The profile of the option or the environment, else of the configuration, else the usual one."""
    return replace(session, folder=session.folder or config.profile).open()


def _check_server(config: Config, *, sso: bool, password: bool) -> None:
    """Before anything is written. Raises InputError, NetworkError."""
    flows = asyncio.run(login_flows(config.homeserver))
    asyncio.run(check_accounts(config))
    if sso and "m.login.sso" not in flows:
        raise InputError(f"{config.homeserver} offers no login with a browser.", hint="Leave out --sso.")
    if password and not sso and "m.login.password" not in flows:
        raise InputError(f"{config.homeserver} takes no passwords.", hint="Use --sso, or an access token.")


@contextmanager
def _profile_or_new(session: Session, config: Config, name: str | None, no_passphrase: bool) -> Iterator[Profile]:
    """A new one stays only if the bot was logged in with it."""
    session = replace(session, folder=session.folder or config.profile)
    folder = session.where
    if (folder / "profile.db").exists():
        with session.open() as profile:
            yield profile
        return
    name = name or ask("Your name, as contacts will see it", "--name NAME")
    passphrase = None if no_passphrase else session.first_passphrase()
    before = set(folder.iterdir()) if folder.exists() else None
    profile = Profile.create(folder, name=name, user_id=config.user_id, passphrase=passphrase, now=int(time.time()))
    try:
        yield profile
    finally:
        keep = is_set_up(config, profile)
        profile.close()
        if not keep:
            _remove_new(folder, before)


def _remove_new(folder: Path, before: set[Path] | None) -> None:
    """Removes what a folder did not have ``before``; all of it if it was not there."""
    for path in set(folder.iterdir()) - (before or set()):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    if before is None:
        folder.rmdir()


async def _logged_in(config: Config, profile: Profile, sso: bool, password_fd: int | None, **how: Any) -> LoggedIn:
    if sso:
        login: Login = await single_sign_on(config.homeserver, lambda url: console.note(f"Go to {url}"))
    elif token := os.environ.get(MATRIX_TOKEN):
        login = AccessToken(token)
    elif password_fd is not None:
        login = Password(config.user_id, read_secret(password_fd, "password"))
    else:
        login = Password(config.user_id, os.environ.get(MATRIX_PASSWORD) or _ask_password(config.user_id))
    return await log_in(config, profile, login, **how)


def _answers(homeserver: str | None, user: str | None, owner: str | None) -> str:
    """The text of a new configuration."""
    values = {
        "homeserver": homeserver or ask("The bot's homeserver, such as https://matrix.example.org", "--homeserver URL"),
        "user_id": user or ask("The bot's account, such as @alice-bot:example.org", "--user @bot:server"),
        "owner": owner or ask("Your own account, such as @alice:example.org", "--owner @you:server"),
    }
    more = "# Rooms to send to, and all else: bots/config.sample.yaml explains every key.\n"
    return str(yaml.safe_dump(values, sort_keys=False)) + more


def ask(question: str, option: str) -> str:
    """Raises InputError without a terminal; ``option`` is what to use then."""
    if not (sys.stdin and sys.stdin.isatty()):
        raise InputError(f"{question}: there is no terminal to ask on.", hint=f"Use {option}.")
    return str(typer.prompt(question, err=True))


def _ask_recovery(user: str) -> str:
    if not (sys.stdin and sys.stdin.isatty()):
        raise NotAuthorisedError(
            f"The recovery key of {user} is needed, and there is no terminal to ask for it.", hint=f"Set {_RECOVERY}."
        )
    return str(typer.prompt(f"Recovery key of {user}", hide_input=True, err=True, default="", show_default=False))


def _ask_password(user: str) -> str:
    if not (sys.stdin and sys.stdin.isatty()):
        raise NotAuthorisedError(
            f"The password of {user} is needed, and there is no terminal to ask for it.",
            hint=f"Set {MATRIX_PASSWORD} or {MATRIX_TOKEN}, or give a file descriptor with --password-fd N.",
        )
    return str(typer.prompt(f"Matrix password of {user}", hide_input=True, err=True))

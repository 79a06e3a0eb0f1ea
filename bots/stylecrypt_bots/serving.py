"""``stylecrypt bot register`` and ``serve``, and what else whoever runs the service does."""

from __future__ import annotations

import asyncio
import os
import resource
import shutil
import time
from dataclasses import replace
from pathlib import Path

import yaml

from stylecrypt_msg.cli import console
from stylecrypt_msg.cli.session import Session
from stylecrypt_msg.errors import InputError
from stylecrypt_msg.files import write_atomically
from stylecrypt_msg.profile import Profile
from stylecrypt_msg.transports.matrix.state import is_in_use

from . import logs
from .config import ServiceConfig
from .operating import ask, compare, need_terminal, until_told_to_stop
from .owners import Owners
from .registration import ACCOUNT, bot_of, new_registration, read_token
from .service import Service
from .terminals import verified_at_terminal

__all__ = ["bring", "export", "register", "remove", "serve", "verify"]

_FILES_AN_OWNER = 24  # databases, their journals, and connections


def register(session: Session, path: Path, *, homeserver: str | None, server_name: str | None) -> None:
    registration = path.with_name("registration.yaml")
    for written in (path, registration):
        if written.exists():
            raise InputError(f"{written} is there already.", hint="Edit it, or choose another folder: --config FILE.")
    values = {
        "homeserver": homeserver
        or ask("The homeserver, as seen from here, such as http://127.0.0.1:8008", "--homeserver URL"),
        "server_name": server_name or ask("Its name, the end of its user ids", "--server-name NAME"),
    }
    text = str(yaml.safe_dump(values, sort_keys=False)) + "# docs/bot-service.md explains every key.\n"
    config = ServiceConfig.read(text, "what was answered")
    config = config.model_copy(update={"folder": path.absolute().parent / config.folder})
    profile = Profile.create(
        _folder(config),
        name="StyleCrypt",
        user_id=f"@{ACCOUNT}:{config.server_name}",
        passphrase=session.first_passphrase(),
        now=int(time.time()),
    )
    try:
        with open(registration, "x", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
            file.write(new_registration(config.server_name))
        write_atomically(path, text.encode())
    except BaseException:  # so that it can be repeated
        registration.unlink(missing_ok=True)
        shutil.rmtree(profile.folder)
        raise
    finally:
        profile.close()
    console.say(f"{path} and {registration} are written.")
    console.note(f"Let the homeserver read {registration}, name it in homeserver.yaml, and restart it:")
    console.note(f"  app_service_config_files: [{registration.absolute()}]")
    console.note(
        f"Then `stylecrypt bot serve --config {path}`; people begin by a chat with @{ACCOUNT}:{config.server_name}."
    )


def serve(session: Session, path: Path) -> None:
    config = ServiceConfig.load(path)
    logs.set_up(config.log_level)
    token = read_token(config.registration)
    _allow_files(config.most_owners * _FILES_AN_OWNER)
    with _profile(session, config) as profile:
        asyncio.run(until_told_to_stop(Service(config, token, profile).run()))


def verify(session: Session, path: Path, owner: str) -> None:
    config = ServiceConfig.load(path)
    if not is_in_use(_folder(config) / "bot"):
        raise InputError("The service is not running.", hint="Start it first.")
    with _profile(session, config) as profile:
        Owners(profile, config.folder).known(owner)
        need_terminal()
        console.note(f"In the app of {owner}, ask to verify {bot_of(owner)} by emoji. Ctrl-C ends this.")
        asyncio.run(until_told_to_stop(_until_verified(profile, owner)))


async def _until_verified(profile: Profile, owner: str) -> None:
    device_id = await verified_at_terminal(profile, owner, compare)
    console.say(f"The device {device_id} of {owner} is verified.")


def export(session: Session, path: Path, owner: str, folder: Path) -> None:
    config = ServiceConfig.load(path)
    with _profile(session, config) as profile:
        Owners(profile, config.folder).export(owner, folder, session.next_passphrase())
    console.say(f"{folder} is a copy of the profile of {owner}, locked with that passphrase.")


def bring(session: Session, path: Path, owner: str, folder: Path) -> None:
    config = ServiceConfig.load(path)
    if not config.may_own(owner):
        raise InputError(f"{owner} may not have a bot here.", hint="Check the id, and `allow` in the configuration.")
    with _stopped(session, config) as profile:
        Owners(profile, config.folder).bring(owner, folder, session.next_passphrase)
    console.say(f"{owner} has the bot {bot_of(owner)} from the next start on.")


def remove(session: Session, path: Path, owner: str) -> None:
    config = ServiceConfig.load(path)
    with _stopped(session, config) as profile:
        Owners(profile, config.folder).remove(owner)
    console.say(f"The keys of {owner}, and all else that their bot kept, are deleted.")


def _folder(config: ServiceConfig) -> Path:
    return config.folder / "service"


def _profile(session: Session, config: ServiceConfig) -> Profile:
    return replace(session, folder=_folder(config)).open()


def _stopped(session: Session, config: ServiceConfig) -> Profile:
    if is_in_use(_folder(config) / "bot"):
        raise InputError("The service is running.", hint="Stop it first.")
    return _profile(session, config)


def _allow_files(number: int) -> None:
    """More than the 1024 open files that most systems begin with."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = number if hard == resource.RLIM_INFINITY else min(number, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))

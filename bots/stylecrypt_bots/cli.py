"""``stylecrypt bot``, which plugs into the command line. The commands' work is imported when they run."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Annotated

import typer

from stylecrypt_msg.cli.options import Json, session_of
from stylecrypt_msg.errors import InputError, Remedy

__all__ = ["app"]

BotConfig = Annotated[Path, typer.Option("--config", "-c", help="The bot's configuration.")]

ServiceFile = Annotated[Path, typer.Option("--config", "-c", help="The service's configuration.")]
OwnerId = Annotated[str, typer.Argument(help="Somebody's own account, such as @alice:example.org.")]

app = typer.Typer()
bot_app = typer.Typer(help="The Matrix bot, which you talk to in a private room.", no_args_is_help=True)
app.add_typer(bot_app, name="bot")


def _commands() -> ModuleType:
    with _installed():
        from . import operating

        return operating


def _service() -> ModuleType:
    with _installed():
        from . import serving

        return serving


@contextmanager
def _installed() -> Iterator[None]:
    try:
        yield
    except ImportError as error:
        raise InputError(
            "The bot needs packages that are not installed.", remedy=Remedy.INSTALL_EXTRA, extra="bot"
        ) from error


@bot_app.command("setup")
def bot_setup(
    context: typer.Context,
    config: BotConfig = Path("bot.yaml"),
    homeserver: Annotated[str | None, typer.Option(help="URL of the bot's server, for a new configuration.")] = None,
    user: Annotated[str | None, typer.Option(help="The bot's account, such as @alice-bot:example.org.")] = None,
    owner: Annotated[str | None, typer.Option(help="Your own account, such as @alice:example.org.")] = None,
    name: Annotated[str | None, typer.Option(help="Your name, for a new profile.")] = None,
    no_passphrase: Annotated[
        bool, typer.Option("--no-passphrase", help="Leave the keys of a new profile unprotected.")
    ] = False,
    sso: Annotated[bool, typer.Option("--sso", help="Log in with a browser on this machine.")] = False,
    password_fd: Annotated[
        int | None, typer.Option(min=0, help="File descriptor to read the bot's password from.", show_default=False)
    ] = None,
    replace_identity: Annotated[
        bool,
        typer.Option(
            "--replace-identity", help="Make the account's cross-signing keys, even if it has some of another program."
        ),
    ] = False,
    key_backup: Annotated[
        bool,
        typer.Option(
            "--key-backup",
            help="Keep the bot's message and cross-signing keys on its server, sealed with a recovery key, which is printed.",
        ),
    ] = False,
    restore: Annotated[
        bool, typer.Option("--restore", help="Take over the keys that are kept there; needs the recovery key.")
    ] = False,
    json: Json = False,
) -> None:
    """Log the bot in, once; makes the configuration and the profile if they are missing.

    The password is asked for, or comes from STYLECRYPT_MATRIX_PASSWORD; or give an access token of a session of its own in
    STYLECRYPT_MATRIX_TOKEN. The recovery key is asked for, or comes from STYLECRYPT_RECOVERY_KEY.
    """
    _commands().setup(
        session_of(context),
        config,
        homeserver=homeserver,
        user=user,
        owner=owner,
        name=name,
        no_passphrase=no_passphrase,
        sso=sso,
        password_fd=password_fd,
        replace_identity=replace_identity,
        key_backup=key_backup,
        restore=restore,
        as_json=json,
    )


@bot_app.command("run")
def bot_run(context: typer.Context, config: BotConfig = Path("bot.yaml")) -> None:
    """Run the bot until it is told to stop."""
    _commands().run(session_of(context), config)


@bot_app.command("verify")
def bot_verify(
    context: typer.Context,
    owner: Annotated[
        str | None, typer.Argument(help="With a service: whose bot, such as @alice:example.org.", show_default=False)
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option("--config", "-c", help="By default bot.yaml; with a service, service.yaml.", show_default=False),
    ] = None,
) -> None:
    """Let a device of the owner's verify the bot, and the bot the device, by comparing emoji.

    Stop `bot run` before; `bot serve` has to run.
    """
    if owner is None:
        _commands().verify(session_of(context), config or Path("bot.yaml"))
    else:
        _service().verify(session_of(context), config or Path("service.yaml"), owner)


@bot_app.command("check")
def bot_check(context: typer.Context, config: BotConfig = Path("bot.yaml"), json: Json = False) -> None:
    """Try everything that the bot needs, without posting: configuration, login, rooms, devices."""
    _commands().check(session_of(context), config, json)


@bot_app.command("register")
def bot_register(
    context: typer.Context,
    config: ServiceFile = Path("service.yaml"),
    homeserver: Annotated[str | None, typer.Option(help="URL of the homeserver.")] = None,
    server_name: Annotated[str | None, typer.Option(help="Its name, the end of its user ids.")] = None,
) -> None:
    """Prepare a homeserver to offer bots to its users; writes a configuration, and a registration for the homeserver."""
    _service().register(session_of(context), config, homeserver=homeserver, server_name=server_name)


@bot_app.command("serve")
def bot_serve(context: typer.Context, config: ServiceFile = Path("service.yaml")) -> None:
    """Run bots for the users of a homeserver until told to stop."""
    _service().serve(session_of(context), config)


@bot_app.command("export")
def bot_export(
    context: typer.Context,
    owner: OwnerId,
    folder: Annotated[Path, typer.Argument(help="A new folder.")],
    config: ServiceFile = Path("service.yaml"),
) -> None:
    """Copy an owner's profile, for a bot of their own: keys, contacts, key faces.

    It gets a passphrase of the owner's, which is asked for, or comes from STYLECRYPT_NEW_PASSPHRASE.
    """
    _service().export(session_of(context), config, owner, folder)


@bot_app.command("import")
def bot_import(
    context: typer.Context,
    owner: OwnerId,
    folder: Annotated[Path, typer.Argument(help="The owner's profile.")],
    config: ServiceFile = Path("service.yaml"),
) -> None:
    """Give somebody a bot with the profile that they have. Stop `bot serve` before.

    The profile's passphrase is asked for, or comes from STYLECRYPT_NEW_PASSPHRASE.
    """
    _service().bring(session_of(context), config, owner, folder)


@bot_app.command("remove")
def bot_remove(context: typer.Context, owner: OwnerId, config: ServiceFile = Path("service.yaml")) -> None:
    """Delete an owner's bot, with keys, contacts and key faces. Stop `bot serve` before."""
    _service().remove(session_of(context), config, owner)

"""The program: its commands, including those of plug-ins, and how it exits."""

import io
import os
import sys
import traceback
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import Annotated, Any

import typer

from ..errors import InputError, Remedy, StyleCryptError
from . import console
from .commands import contacts, identity, key_faces, models, photos
from .remedies import WORDS, advice

__all__ = ["PLUG_INS", "main", "program"]

PLUG_INS = "stylecrypt.commands"
"""Entry points of this group are `typer.Typer` objects, whose commands become commands of the program."""


_WELCOME = """\
StyleCrypt replaces the faces in a photo. Contacts you choose get the photo back; everybody else sees strangers.

1. Exchange cards with a contact, once:
     stylecrypt init --name Alice
     stylecrypt card export -o alice.sccard
     stylecrypt contact add bob.sccard --trust
2. Hide the faces in a photo:
     stylecrypt encrypt me.jpg -o fake.jpg --to Bob
3. See the photo behind a picture that you received:
     stylecrypt decrypt fake.jpg -o back.jpg

`stylecrypt web` does the same in your browser, `stylecrypt demo` shows all of it with made-up people, and
`stylecrypt --help` lists the commands."""
"""The three things to do, for somebody who runs the program without a command."""


def _version(show: bool) -> None:
    if show:
        from importlib import metadata

        console.say(f"stylecrypt {metadata.version('stylecrypt-msg')}")
        raise typer.Exit


def _root(
    context: typer.Context,
    profile: Annotated[
        Path | None,
        typer.Option(envvar="STYLECRYPT_PROFILE", help="Folder of keys and contacts.", show_default=False),
    ] = None,
    passphrase_fd: Annotated[
        int | None, typer.Option(min=0, help="File descriptor to read the passphrase from.", show_default=False)
    ] = None,
    version: Annotated[  # noqa: ARG001 - its callback does it
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    context.obj = (profile, passphrase_fd)
    if context.invoked_subcommand is None:
        for line in _WELCOME.splitlines():
            console.say(line)


# The parser's error for wrong usage; typer has it from click, or in later versions from its own copy of click.
_UsageError: type[Exception] = typer.BadParameter.__bases__[0]


def main() -> None:
    """The entry point: runs a command, prints errors for people, exits as documented."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # no command fails because the locale cannot write a file name
    # Other packages' plugins would see every value of a message, and searching for them takes a tenth of a second.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    try:
        code = program()(prog_name="stylecrypt", standalone_mode=False)
        sys.stdout.flush()
        sys.exit(code)
    except StyleCryptError as error:
        console.fail(str(error), advice(error))
        sys.exit(error.exit_code)
    except _UsageError as error:
        _wrong_usage(error)
        sys.exit(InputError.exit_code)
    except BrokenPipeError:
        console.drop_output()  # the reader is gone
        sys.exit(1)
    except (KeyboardInterrupt, typer.Abort):
        sys.exit(130)
    except Exception as error:
        if isinstance(error, ModuleNotFoundError) and error.name == "torch":
            console.fail(
                "This needs PyTorch, which is not installed.", WORDS[Remedy.INSTALL_EXTRA].format(extra="torch")
            )
            sys.exit(InputError.exit_code)
        console.fail(f"This is a bug: {type(error).__name__} in {_place(error)}.", "Report it with what you ran.")
        if os.environ.get("STYLECRYPT_DEBUG"):
            traceback.print_exc()
        sys.exit(2)


@cache
def program() -> typer.Typer:
    """The program with all commands, in the order in which --help shows them."""
    whole = typer.Typer(
        help="Send a natural-looking fake face; contacts you authorised see the real photo.",
        callback=_root,
        invoke_without_command=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    for part in (photos, identity, contacts, key_faces, models):
        whole.add_typer(part.app)
    for plug_in in sorted(entry_points(group=PLUG_INS)):
        whole.add_typer(plug_in.load())
    return whole


def _wrong_usage(error: Any) -> None:
    """Prints it in our form; a command without arguments has already printed its help, and has no message."""
    if message := error.format_message():
        command = error.ctx.command_path if error.ctx else "stylecrypt"
        console.fail(message.rstrip(".") + ".", f"`{command} --help` shows how it is used.")


def _place(error: Exception) -> str:
    """File and line of the fault; not the message, which may hold secrets."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{Path(frame.filename).name} line {frame.lineno}"

"""``init``, ``key`` and ``card``: who I am."""

from pathlib import Path
from typing import Annotated

import typer

from ..options import Json, session_of

app = typer.Typer()
key_app = typer.Typer(help="Your own keys.", no_args_is_help=True)
card_app = typer.Typer(help="Your contact card: who you are and which keys are yours.", no_args_is_help=True)
app.add_typer(key_app, name="key")
app.add_typer(card_app, name="card")


@app.command()
def init(
    context: typer.Context,
    name: Annotated[str, typer.Option(help="Your name, as contacts will see it.")],
    user_id: Annotated[
        str | None, typer.Option(help="Such as @alice:example.org; default: made from the name and your keys.")
    ] = None,
    no_passphrase: Annotated[bool, typer.Option("--no-passphrase", help="Leave the keys unprotected.")] = False,
    json: Json = False,
) -> None:
    """Make your keys, your card, and the folder that holds them."""
    from .. import people as command

    command.init(session_of(context), name, user_id, no_passphrase, json)


@key_app.command("export")
def key_export(
    context: typer.Context,
    output: Annotated[Path, typer.Option("--output", "-o", help="The file to make.")],
    age: Annotated[  # noqa: ARG001 - there is no other form
        bool, typer.Option("--age", help="As an identity file of the age program; the only format.")
    ],
) -> None:
    """Write the secret key that opens messages sealed to you. Whoever has it can read them."""
    from .. import people as command

    command.export_age_key(session_of(context), output)


@key_app.command("passphrase")
def key_passphrase(
    context: typer.Context,
    no_passphrase: Annotated[bool, typer.Option("--no-passphrase", help="Leave the keys unprotected.")] = False,
) -> None:
    """Set, change or remove the passphrase of your profile."""
    from .. import people as command

    command.change_passphrase(session_of(context), no_passphrase)


@key_app.command("revoke")
def key_revoke(
    context: typer.Context,
    output: Annotated[Path, typer.Option("--output", "-o", help="The file to make.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Write a file that withdraws your keys; contacts read it with `contact add`. Make one in time."""
    from .. import people as command

    command.revoke(session_of(context), output, yes)


@card_app.command("show")
def card_show(context: typer.Context, json: Json = False) -> None:
    """Your card, its words, and its text."""
    from .. import people as command

    command.card_show(session_of(context), json)


@card_app.command("export")
def card_export(
    context: typer.Context,
    output: Annotated[str, typer.Option("--output", "-o", help="A file; .txt writes text; - prints the text.")],
) -> None:
    """Write your card, for your contacts."""
    from .. import people as command

    command.card_export(session_of(context), output)


@card_app.command("qr")
def card_qr(
    context: typer.Context,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="A .png or .svg file.")] = None,
) -> None:
    """Your card as a QR code, on the terminal or in a file."""
    from .. import people as command

    command.card_qr(session_of(context), output)

"""``contact``: whom I know, and who may see my photos."""

from typing import Annotated

import typer

from ..options import Json, Name, session_of

app = typer.Typer()
contact_app = typer.Typer(help="Whom you know, and who may see your photos.", no_args_is_help=True)
app.add_typer(contact_app, name="contact")


@contact_app.command("add")
def contact_add(
    context: typer.Context,
    card: Annotated[str, typer.Argument(help="A card: file, text, picture of its QR code, or - for standard input.")],
    trust: Annotated[bool, typer.Option("--trust", help="They may see your photos.")] = False,
    json: Json = False,
) -> None:
    """Remember somebody's card, or accept a newer one or a revocation."""
    from .. import people as command

    command.contact_add(session_of(context), card, trust, json)


@contact_app.command("list")
def contact_list(context: typer.Context, json: Json = False) -> None:
    """All contacts."""
    from .. import people as command

    command.contact_list(session_of(context), json)


@contact_app.command("show")
def contact_show(context: typer.Context, name: Name, json: Json = False) -> None:
    """A contact, and the words to compare."""
    from .. import people as command

    command.contact_show(session_of(context), name, json)


@contact_app.command("verify")
def contact_verify(
    context: typer.Context,
    name: Name,
    words: Annotated[str | None, typer.Option(help="The twelve words that they read to you.")] = None,
    discard: Annotated[bool, typer.Option("--discard", help="Discard a changed card, and keep the old one.")] = False,
    json: Json = False,
) -> None:
    """Compare words with a contact, so that nobody can stand between you."""
    from .. import people as command

    command.contact_verify(session_of(context), name, words, discard, json)


@contact_app.command("trust")
def contact_trust(
    context: typer.Context,
    name: Name,
    conversation: Annotated[str | None, typer.Option("--in", help="Only in this conversation.")] = None,
    undo: Annotated[bool, typer.Option("--undo", help="Revoke this.")] = False,
) -> None:
    """Let a contact see your photos."""
    from .. import people as command

    command.contact_trust(session_of(context), name, conversation, undo)


@contact_app.command("block")
def contact_block(
    context: typer.Context,
    name: Name,
    undo: Annotated[bool, typer.Option("--undo", help="Unblock them.")] = False,
) -> None:
    """Neither send to a contact nor open what they send."""
    from .. import people as command

    command.contact_block(session_of(context), name, undo)


@contact_app.command("rename")
def contact_rename(
    context: typer.Context,
    name: Name,
    own_name: Annotated[str, typer.Argument(help='What you call them; "" goes back to the name on their card.')],
) -> None:
    """Give a contact a name of your own, which nobody else learns."""
    from .. import people as command

    command.contact_rename(session_of(context), name, own_name)


@contact_app.command("remove")
def contact_remove(context: typer.Context, name: Name) -> None:
    """Forget a contact, and their key faces."""
    from .. import people as command

    command.contact_remove(session_of(context), name)

"""``key-face``: photos that undo fakes without a seal."""

from pathlib import Path
from typing import Annotated

import typer

from ..options import Json, session_of

app = typer.Typer()
key_face_app = typer.Typer(
    help="Photos that undo fakes without a seal: yours, and your contacts'.", no_args_is_help=True
)
app.add_typer(key_face_app, name="key-face")


@key_face_app.command("add")
def key_face_add(
    context: typer.Context,
    photos: Annotated[
        list[Path],
        typer.Argument(
            metavar="PHOTO...",
            help="Photos that show your face alone, from the front. The first is shared; all make the likeness better.",
        ),
    ],
    name: Annotated[str | None, typer.Option(help="Name for it; default: that of the first file.")] = None,
    json: Json = False,
) -> None:
    """Keep a key face of yours, made of one or several photos."""
    from .. import people as command

    command.key_face_add(session_of(context), photos, name, json)


@key_face_app.command("list")
def key_face_list(context: typer.Context, json: Json = False) -> None:
    """Your key faces and those that contacts shared."""
    from .. import people as command

    command.key_face_list(session_of(context), json)


@key_face_app.command("share")
def key_face_share(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="A key face of yours.")],
    to: Annotated[list[str], typer.Option("--to", help="A contact; repeat it for more.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The file to make, for these contacts only.")],
) -> None:
    """Seal a key face for contacts."""
    from .. import people as command

    command.key_face_share(session_of(context), name, to, output)


@key_face_app.command("receive")
def key_face_receive(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="The file that a contact shared.")],
    json: Json = False,
) -> None:
    """Keep a key face that a contact shared with you."""
    from .. import people as command

    command.key_face_receive(session_of(context), file, json)


@key_face_app.command("remove")
def key_face_remove(context: typer.Context, name: Annotated[str, typer.Argument(help="A key face of yours.")]) -> None:
    """Forget a key face of yours."""
    from .. import people as command

    command.key_face_remove(session_of(context), name)

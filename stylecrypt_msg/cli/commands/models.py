"""``model`` and ``doctor``: what is on this machine."""

from pathlib import Path
from typing import Annotated

import typer

from ..options import Json

app = typer.Typer()
model_app = typer.Typer(help="Face models: the embedded one, and your own checkpoints.", no_args_is_help=True)
app.add_typer(model_app, name="model")


@model_app.command("list")
def model_list(json: Json = False) -> None:
    """Models on this machine."""
    from .. import models as command

    command.list_all(json)


@model_app.command("show")
def model_show(name: Annotated[str, typer.Argument(help="A name or a file.")] = "default", json: Json = False) -> None:
    """What a model is, and its hash."""
    from .. import models as command

    command.show(name, json)


@model_app.command("import")
def model_import(
    file: Annotated[Path, typer.Argument(help="A StyleGAN2 (rosinality), pSp or e4e checkpoint.")],
    name: Annotated[str | None, typer.Option(help="Name to give it; default: the file's.")] = None,
    json: Json = False,
) -> None:
    """Convert a checkpoint into a safe file in our own format, and keep it."""
    from .. import models as command

    command.import_file(file, name, json)


@app.command()
def doctor(json: Json = False) -> None:
    """What works here, what is missing, and the remedy."""
    from .. import doctor as command

    command.run(json)

"""The commands and their options. What they do is imported when they run, so that --help answers at once."""

from __future__ import annotations

import io
import os
import sys
import traceback
from enum import StrEnum
from importlib import metadata
from pathlib import Path
from typing import Annotated, Any

import typer

from ..errors import InputError, StyleCryptError
from . import console

app = typer.Typer(
    help="Send a natural-looking fake face; contacts you authorised see the real photo.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
model_app = typer.Typer(help="Face models: the embedded one, and your own checkpoints.", no_args_is_help=True)
train_app = typer.Typer(help="Train models.", no_args_is_help=True)
app.add_typer(model_app, name="model")
app.add_typer(train_app, name="train")

Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Model = Annotated[str, typer.Option("--model", "-m", help="A model's name or file; see `model list`.")]
Mask = Annotated[
    str | None,
    typer.Option(help="Layers to replace: 3-7, 0-2,8-, all-but:3,6,7, paper, photo, or regions such as eyes."),
]
FaceNumber = Annotated[int | None, typer.Option("--face", min=1, help="Only this face, counted from the left.")]


class Bench(StrEnum):
    """What `bench` measures."""

    MODEL = "model"
    PROTOCOL = "protocol"


def _version(show: bool) -> None:
    if show:
        console.say(f"stylecrypt {metadata.version('stylecrypt-msg')}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None: ...


@app.command()
def demo(
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the pictures.")] = Path("demo"),
    photo: Annotated[Path | None, typer.Option(help="Your own photo instead of people who do not exist.")] = None,
    key_face: Annotated[Path | None, typer.Option(help="With --photo: another photo of the same person.")] = None,
    refine: Annotated[int, typer.Option(min=0, max=1000, help="Steps of refinement for each face.")] = 40,
    json: Json = False,
) -> None:
    """Run everything once and write a contact sheet: who sees what."""
    from . import demo as command

    command.run(output, photo, key_face, refine, json)


@app.command()
def encrypt(
    photo: Annotated[str, typer.Argument(help="The photo; - reads standard input.")],
    output: Annotated[str, typer.Option("--output", "-o", help="Where the fake photo goes; - is standard output.")],
    level: Annotated[str, typer.Option(help="What travels besides the fake face: keyface (nothing).")],
    mask: Mask = None,
    stand_in: Annotated[
        str | None,
        typer.Option(help="Whose face is shown: a seed (any text) or a photo. Default: a random seed."),
    ] = None,
    face: FaceNumber = None,
    portrait: Annotated[bool, typer.Option("--portrait", help="Only the aligned square of one face.")] = False,
    refine: Annotated[int, typer.Option(min=0, max=1000, help="Steps of refinement; 0.1 to 0.3 s each.")] = 0,
    matting: Annotated[bool, typer.Option("--matting", help="Cut the fake's hair out with an alpha matte.")] = False,
    covert: Annotated[bool, typer.Option("--covert", help="Do not mark the picture as made by AI.")] = False,
    model: Model = "default",
    json: Json = False,
) -> None:
    """Replace the faces in a photo by faces of people who do not exist."""
    from . import pictures as command

    command.encrypt(
        photo, output, level=level, mask=mask, stand_in=stand_in, face=face, portrait=portrait, refine=refine,
        matting=matting, covert=covert, model_name=model, as_json=json,
    )  # fmt: skip


@app.command()
def decrypt(
    picture: Annotated[str, typer.Argument(help="The picture that arrived; - reads standard input.")],
    output: Annotated[str, typer.Option("--output", "-o", help="Where the result goes; - is standard output.")],
    key_face: Annotated[Path, typer.Option(help="Another photo of the sender.")],
    mask: Mask = None,
    face: FaceNumber = None,
    model: Model = "default",
    json: Json = False,
) -> None:
    """Recover the sender's face from a fake photo."""
    from . import pictures as command

    command.decrypt(picture, output, key_face=key_face, mask=mask, face=face, model_name=model, as_json=json)


@model_app.command("list")
def model_list(json: Json = False) -> None:
    """Models on this machine."""
    from . import models as command

    command.list_all(json)


@model_app.command("show")
def model_show(name: Annotated[str, typer.Argument(help="A name or a file.")] = "default", json: Json = False) -> None:
    """What a model is, and its hash."""
    from . import models as command

    command.show(name, json)


@model_app.command("import")
def model_import(
    file: Annotated[Path, typer.Argument(help="A StyleGAN2 (rosinality), pSp or e4e checkpoint.")],
    name: Annotated[str | None, typer.Option(help="Name to give it; default: the file's.")] = None,
    json: Json = False,
) -> None:
    """Convert a checkpoint into a safe file of our own format, and keep it."""
    from . import models as command

    command.import_file(file, name, json)


@train_app.command("encoder")
def train_encoder(
    run: Annotated[Path, typer.Option(help="Folder for checkpoint, losses and plot; go on there if it exists.")] = Path(
        "runs/encoder"
    ),
    faces: Annotated[Path | None, typer.Option(help="Folder of aligned square faces for the second stage.")] = None,
    pairs: Annotated[int, typer.Option(min=0, help="Synthetic pairs of the first stage.")] = 200_000,
    face_steps: Annotated[int, typer.Option(min=0, help="Steps of the second stage.")] = 4_000,
    trunk: Annotated[
        Path | None, typer.Option(help="Start from MobileNetV2's ImageNet weights, not from the embedded encoder.")
    ] = None,
    recogniser: Annotated[
        Path | None,
        typer.Option(help="Folder `model` of the npm package @vladmandic/face-api: identity loss."),
    ] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write the model here when done.")] = None,
) -> None:
    """Train the embedded model's encoder. Days on a CPU; can be stopped at any time and goes on where it was."""
    from . import train as command

    command.encoder(run, faces, pairs, face_steps, trunk, recogniser, output)


@app.command()
def bench(
    part: Annotated[Bench, typer.Argument(help="A model, or the protocol's messages.")] = Bench.MODEL,
    model: Model = "default",
    json: Json = False,
) -> None:
    """Speed and memory of a model, or cost of the protocol, on this machine."""
    from . import bench as command

    if part is Bench.PROTOCOL:
        command.protocol(json)
    else:
        command.model(model, json)


@app.command()
def doctor(json: Json = False) -> None:
    """What works here, what is missing, and the remedy."""
    from . import doctor as command

    command.run(json)


# The parser's error for wrong usage; typer has it from click, or in later versions from its own copy of click.
_UsageError: type[Exception] = typer.BadParameter.__bases__[0]


def main() -> None:
    """The entry point: runs a command, prints errors as they are for people, exits as documented."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a file name that the locale cannot write fails no command
    try:
        code = app(prog_name="stylecrypt", standalone_mode=False)
        sys.stdout.flush()
        sys.exit(code)
    except StyleCryptError as error:
        console.fail(str(error), error.hint)
        sys.exit(error.exit_code)
    except _UsageError as error:
        _wrong_usage(error)
        sys.exit(InputError.exit_code)
    except BrokenPipeError:
        console.drop_output()  # whoever read it went away
        sys.exit(1)
    except (KeyboardInterrupt, typer.Abort):
        sys.exit(130)
    except Exception as error:
        console.fail(f"This is a bug: {type(error).__name__} in {_place(error)}.", "Report it with what you ran.")
        if os.environ.get("STYLECRYPT_DEBUG"):
            traceback.print_exc()
        sys.exit(2)


def _wrong_usage(error: Any) -> None:
    """In our form; a command without arguments has printed its help, and has no message."""
    if message := error.format_message():
        command = error.ctx.command_path if error.ctx else "stylecrypt"
        console.fail(message.rstrip(".") + ".", f"`{command} --help` shows how it is used.")


def _place(error: Exception) -> str:
    """File and line of the fault; not the message, which may hold what must not be shown."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{Path(frame.filename).name} line {frame.lineno}"

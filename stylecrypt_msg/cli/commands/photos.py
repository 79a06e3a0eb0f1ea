"""``encrypt``, ``decrypt``, ``send``, ``receive``, ``inspect`` and ``demo``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..options import FaceNumber, Json, Mask, Model, To, photo_options, session_of, takes, transport_options

if TYPE_CHECKING:
    from ...sdk import DecryptOptions, Options
    from ..transport import OpenTransport

app = typer.Typer()

Report = Annotated[
    Path | None,
    typer.Option(
        help="For a folder: where its report goes, which resumes it. Default: FOLDER-report; for a bucket, here."
    ),
]


@app.command()
def demo(
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the pictures.")] = Path("demo"),
    photo: Annotated[Path | None, typer.Option(help="Your own photo instead of people who do not exist.")] = None,
    key_face: Annotated[Path | None, typer.Option(help="With --photo: another photo of the same person.")] = None,
    json: Json = False,
) -> None:
    """Run everything once and write a contact sheet: who sees what."""
    from .. import demo as command

    command.run(output, photo, key_face, json)


@app.command()
@takes(options=photo_options)
def encrypt(
    context: typer.Context,
    photo: Annotated[
        str, typer.Argument(help="The photo, or a folder of photos, perhaps s3://...; - reads standard input.")
    ],
    options: "Options",
    output: Annotated[
        str | None,
        typer.Option("--output", "-o", help="Where the fake photo, or a folder of them, goes; - is standard output."),
    ] = None,
    to: To = [],  # noqa: B006 - typer's own way; it is not changed
    covert: Annotated[
        bool, typer.Option("--covert", help="No envelope, and no mark that the picture was made by AI.")
    ] = False,
    report: Report = None,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="For a folder: only show who would be hidden; with --json as a plan to edit."),
    ] = False,
    plan: Annotated[
        Path | None, typer.Option(help="For a folder: a plan from --dry-run --json, perhaps edited.")
    ] = None,
    ray: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="For a folder: a Ray cluster makes the covers; they are sealed here."),
    ] = None,
    model: Model = "default",
    json: Json = False,
) -> None:
    """Replace the faces in a photo by faces of people who do not exist; contacts can undo it."""
    from ..places import is_folder, place_of

    options["covert"] = covert
    if is_folder(photo):
        from .. import folders

        if dry_run:
            folders.plan(place_of(photo), as_json=json, options=options)
            return
        folders.encrypt(
            session_of(context),
            place_of(photo),
            place_of(_given(output)),
            to,
            planned=None if plan is None else folders.read_plan(plan),
            report=report,
            ray=ray,
            model=model,
            as_json=json,
            options=options,
        )
        return
    _only_for_folders(("--dry-run", dry_run), ("--plan", plan), ("--report", report), ("--ray", ray))
    from .. import messages as command

    command.encrypt(session_of(context), photo, _given(output), to, model=model, as_json=json, options=options)


@app.command()
@takes(transport=transport_options, options=photo_options)
def send(
    context: typer.Context,
    photo: Annotated[str, typer.Argument(help="The photo; - reads standard input.")],
    to: To,
    options: "Options",
    transport: "OpenTransport",
    device: Annotated[
        str | None,
        typer.Option("--verify-device", help='A new device in the room whose key you compared: "USER DEVICE KEY".'),
    ] = None,
    model: Model = "default",
    json: Json = False,
) -> None:
    """Encrypt a photo and send it."""
    from .. import messages as command

    command.send(session_of(context), photo, to, transport, device=device, model=model, as_json=json, options=options)


@app.command()
@takes(transport=transport_options)
def receive(
    context: typer.Context,
    transport: "OpenTransport",
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the photos.")] = Path("received"),
    follow: Annotated[bool, typer.Option("--follow", help="Keep waiting for more.")] = False,
    model: Model = "default",
    json: Json = False,
) -> None:
    """Open what was sent to you, each message once."""
    from .. import messages as command

    command.receive(session_of(context), transport, output, follow, model, json)


@app.command()
def decrypt(
    context: typer.Context,
    picture: Annotated[
        str, typer.Argument(help="The picture that arrived, or a folder of them; - reads standard input.")
    ],
    output: Annotated[
        str,
        typer.Option("--output", "-o", help="Where the result, or the folder of results, goes; - is standard output."),
    ],
    key_face: Annotated[
        Path | None, typer.Option(help="Another photo of the sender, when there is no message for you.")
    ] = None,
    envelope: Annotated[
        Path | None, typer.Option(help="The envelope beside the picture; default: the .scenv file of its name.")
    ] = None,
    sender: Annotated[
        str | None, typer.Option("--from", help="The contact whose key faces to try, when there is no message.")
    ] = None,
    mask: Mask = None,
    face: FaceNumber = None,
    report: Report = None,
    model: Model = "default",
    json: Json = False,
) -> None:
    """Recover the photo that a fake stands for."""
    options: DecryptOptions = {"key_face": key_face, "sender": sender, "mask": mask, "face": face}
    from ..places import is_folder, place_of

    if is_folder(picture):
        from .. import folders

        if envelope is not None:
            raise typer.BadParameter("In a folder, each picture has an envelope of its own name.")
        folders.decrypt(
            session_of(context),
            place_of(picture),
            place_of(output),
            report=report,
            model=model,
            as_json=json,
            options=options,
        )
        return
    _only_for_folders(("--report", report))
    from .. import messages as command

    command.decrypt(session_of(context), picture, output, envelope, model=model, as_json=json, options=options)


@app.command()
def inspect(
    picture: Annotated[str, typer.Argument(help="The picture; - reads standard input.")],
    sealed: Annotated[Path | None, typer.Option(help="Write the sealed part here: an age file.")] = None,
    envelope: Annotated[
        Path | None, typer.Option(help="The envelope beside the picture; default: the .scenv file of its name.")
    ] = None,
    json: Json = False,
) -> None:
    """Show what anybody can see of the message in a picture."""
    from .. import messages as command

    command.inspect(picture, sealed, envelope, json)


def _given(output: str | None) -> str:
    if output is None:
        raise typer.BadParameter("Say where the result goes: --output, -o.")
    return output


def _only_for_folders(*options: tuple[str, object]) -> None:
    for name, value in options:
        if value:
            raise typer.BadParameter(f"{name} is for folders of photos.")

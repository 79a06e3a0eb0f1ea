"""``encrypt``, ``decrypt``, ``send``, ``receive``, ``inspect`` and ``demo``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..options import FaceNumber, Json, Mask, Model, To, photo_options, session_of, takes, transport_options

if TYPE_CHECKING:
    from ...sdk import DecryptOptions, Options
    from ..transport import OpenTransport

app = typer.Typer()


@app.command()
def demo(
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the pictures.")] = Path("demo"),
    photo: Annotated[Path | None, typer.Option(help="Your own photo instead of people who do not exist.")] = None,
    key_face: Annotated[Path | None, typer.Option(help="With --photo: another photo of the same person.")] = None,
    refine: Annotated[int, typer.Option(min=0, max=1000, help="Steps of refinement for each face.")] = 0,
    json: Json = False,
) -> None:
    """Run everything once and write a contact sheet: who sees what."""
    from .. import demo as command

    command.run(output, photo, key_face, refine, json)


@app.command()
@takes(options=photo_options)
def encrypt(
    context: typer.Context,
    photo: Annotated[str, typer.Argument(help="The photo; - reads standard input.")],
    output: Annotated[str, typer.Option("--output", "-o", help="Where the fake photo goes; - is standard output.")],
    options: "Options",
    to: To = [],  # noqa: B006 - typer's own way; it is not changed
    covert: Annotated[
        bool, typer.Option("--covert", help="No envelope, and no mark that the picture was made by AI.")
    ] = False,
    model: Model = "default",
    json: Json = False,
) -> None:
    """Replace the faces in a photo by faces of people who do not exist; contacts can undo it."""
    from .. import messages as command

    options["covert"] = covert
    command.encrypt(session_of(context), photo, output, to, model=model, as_json=json, options=options)


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
    picture: Annotated[str, typer.Argument(help="The picture that arrived; - reads standard input.")],
    output: Annotated[str, typer.Option("--output", "-o", help="Where the result goes; - is standard output.")],
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
    model: Model = "default",
    json: Json = False,
) -> None:
    """Recover the photo that a fake stands for."""
    from .. import messages as command

    options: DecryptOptions = {"key_face": key_face, "sender": sender, "mask": mask, "face": face}
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

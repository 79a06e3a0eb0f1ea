"""Options that several commands share, and what groups of them mean to the SDK."""

import inspect
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from ..apps import App
from ..choices import Others, named

if TYPE_CHECKING:
    from stylecrypt_protocol import Level

    from ..sdk import Options
    from .session import Session
    from .transport import OpenTransport

__all__ = [
    "FaceNumber",
    "Json",
    "Mask",
    "Model",
    "Name",
    "To",
    "photo_options",
    "session_of",
    "takes",
    "transport_options",
]

Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Model = Annotated[str, typer.Option("--model", "-m", help="A model's name or file; see `model list`.")]
Name = Annotated[str, typer.Argument(help="A contact's name, user id, or the beginning of the id of their card.")]
To = Annotated[list[str], typer.Option("--to", help="A contact who may see the photo; repeat it for more.")]
Mask = Annotated[
    str | None,
    typer.Option(help="Layers to replace: 3-7, 0-2,8-, all-but:3,6,7, paper, photo, or regions such as eyes."),
]
FaceNumber = Annotated[int | None, typer.Option("--face", min=1, help="Only this face, counted from the left.")]


def session_of(context: typer.Context) -> "Session":
    """The profile that the command uses."""
    from .session import Session

    return Session(*context.obj)


def _level(word: str) -> "Level":
    from stylecrypt_protocol import Level  # takes a while to import

    return named(Level, "level", word)


def _face(word: str) -> int | Path:
    """A face's number, or the file of a picture of the person."""
    if word.isdecimal() and int(word) > 0:
        return int(word)
    if Path(word).is_file():
        return Path(word)
    raise typer.BadParameter(f"{word} is neither a face's number, from 1 at the left, nor a picture file.")


def _levels() -> list[str]:
    from stylecrypt_protocol import Level

    return list(Level)


def photo_options(
    level: Annotated[
        str | None,
        typer.Option(
            parser=_level,
            metavar="LEVEL",
            autocompletion=_levels,
            help="What recipients get: original (default), imprint, latent or keyface.",
        ),
    ] = None,
    exact: Annotated[bool, typer.Option("--exact", help="Seal the whole file, to be restored bit by bit.")] = False,
    mask: Mask = None,
    stand_in: Annotated[
        str | None,
        typer.Option(help="Whose face is shown: a seed (any text) or a photo. Default: the conversation's own."),
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option(
            parser=_face,
            metavar="N|PHOTO",
            help="Replace this face alone, by its number from the left or a photo of the person; repeat it for more.",
        ),
    ] = None,
    keep_face: Annotated[
        list[str] | None,
        typer.Option(parser=_face, metavar="N|PHOTO", help="Leave this face as it is; repeat it for more."),
    ] = None,
    others: Annotated[
        Others | None,
        typer.Option(help="Faces that are not replaced: blurred (default; with --only: kept), or an error."),
    ] = None,
    portrait: Annotated[bool, typer.Option("--portrait", help="Only the aligned square of one face.")] = False,
    refine: Annotated[int, typer.Option(min=0, max=1000, help="Steps of refinement; 0.1 to 0.3 s each.")] = 0,
    matting: Annotated[bool, typer.Option("--matting", help="Cut the fake's hair out with an alpha matte.")] = False,
    conversation: Annotated[
        str | None, typer.Option(help="The chat this is for: it keeps its stand-in. Default: one per group.")
    ] = None,
    no_imprint: Annotated[
        bool, typer.Option("--no-imprint", help="Leave the pixels as they are: an app that re-encodes drops it all.")
    ] = False,
    app: Annotated[
        App | None, typer.Option("--for", help="The app that it will travel by; default: any, as well as can be.")
    ] = None,
    caption: Annotated[str, typer.Option(help="Text for the recipients, sealed with the photo.")] = "",
    force: Annotated[bool, typer.Option("--force", help="Send a fake that still looks like you.")] = False,
) -> "Options":
    return {
        "level": level,
        "exact": exact,
        "mask": mask,
        "stand_in": None if stand_in is None else _seed_or_photo(stand_in),
        "only": cast("list[int | Path] | None", only or None),
        "keep": cast("list[int | Path]", keep_face or ()),
        "others": others,
        "form": "portrait" if portrait else "photo",
        "refine_steps": refine,
        "matting": matting,
        "conversation": conversation,
        "imprint": not no_imprint,
        "app": app,
        "caption": caption,
        "force": force,
    }


def _seed_or_photo(stand_in: str) -> str | Path:
    """A path that exists, or looks like a file name, is a photo; other text is a seed."""
    path = Path(stand_in)
    if path.suffix or path.name != stand_in:
        return path
    try:
        return path if path.exists() else stand_in
    except OSError:  # longer than any file name
        return stand_in


def transport_options(
    folder: Annotated[
        Path | None, typer.Option("--folder", help="Shared folder that messages travel by; remembered.")
    ] = None,
    room: Annotated[
        str | None, typer.Option("--room", help="Matrix room that messages travel by, instead of a folder.")
    ] = None,
    homeserver: Annotated[
        str | None, typer.Option("--homeserver", help="URL of your Matrix server; remembered.")
    ] = None,
    user: Annotated[
        str | None,
        typer.Option(
            "--user", help="Your Matrix id; remembered. Token or password come from the environment or a prompt."
        ),
    ] = None,
) -> "OpenTransport":
    from .transport import choose_transport

    return choose_transport(folder, room, homeserver, user)


def takes(**groups: Callable[..., object]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """A command with the options of some groups. It gets each group's value as the argument that is named here."""

    def decorated(command: Callable[..., None]) -> Callable[..., None]:
        own = [one for name, one in inspect.signature(command).parameters.items() if name not in groups]
        shared = {name: inspect.signature(group).parameters for name, group in groups.items()}

        @wraps(command)
        def run(**given: Any) -> None:
            values = {
                name: groups[name](**{option: given.pop(option) for option in options})
                for name, options in shared.items()
            }
            command(**given, **values)

        every = (*own, *(one for options in shared.values() for one in options.values()))
        by_name = [one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in every]
        run.__signature__ = inspect.Signature(by_name)  # type: ignore[attr-defined]
        run.__annotations__ = {one.name: one.annotation for one in by_name}
        return run

    return decorated

"""``stylecrypt web``, which plugs into the command line. The server is imported when it runs."""

from typing import Annotated

import typer

from stylecrypt_msg.cli.options import session_of
from stylecrypt_msg.errors import InputError, Remedy

__all__ = ["app"]

app = typer.Typer()


@app.command()
def web(
    context: typer.Context,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port of this machine; by default a free one.")] = 0,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Only print the address.")] = False,
    lock_after: Annotated[
        float, typer.Option(min=0.05, metavar="MINUTES", help="Lock the profile after so long without use.")
    ] = 15,
) -> None:
    """Open StyleCrypt as a page in your browser. Nobody else can: it stays on this machine."""
    try:
        from . import serving
    except ImportError as error:
        raise InputError(
            "The page needs packages that are not installed.", remedy=Remedy.INSTALL_EXTRA, extra="web"
        ) from error
    serving.run(session_of(context).where, port=port, browser=not no_browser, idle=60 * lock_after)

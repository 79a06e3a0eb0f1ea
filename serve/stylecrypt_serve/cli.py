"""``stylecrypt serve``, which plugs into the command line. The server is imported when it runs."""

from pathlib import Path
from typing import Annotated

import typer

from stylecrypt_msg.cli.options import Model
from stylecrypt_msg.errors import InputError, Remedy

from .limits import Limits

__all__ = ["app"]

app = typer.Typer()


@app.command()
def serve(
    tokens: Annotated[Path, typer.Option(help="File with the clients' bearer tokens, one a line.")],
    host: Annotated[str, typer.Option(help="Address to listen at.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0: a free one.")] = 8450,
    certificate: Annotated[Path | None, typer.Option(help="TLS certificate, with its chain, as PEM.")] = None,
    key: Annotated[Path | None, typer.Option(help="The certificate's private key, as PEM.")] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Photos at once; by default one for each processor.", show_default=False)
    ] = None,
    waiting: Annotated[int, typer.Option(min=0, help="Further requests that may wait.")] = Limits.waiting,
    each: Annotated[int, typer.Option(min=1, help="Requests of one client at a time.")] = Limits.each,
    timeout: Annotated[
        float, typer.Option(min=1, metavar="SECONDS", help="Longest time for a request.")
    ] = Limits.seconds,
    ray: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="A Ray cluster does the work, instead of this machine.")
    ] = None,
    model: Model = "default",
) -> None:
    """Make covers for others over HTTP. The server sees their photos, but neither keys nor messages."""
    try:
        from . import serving
        from .tokens import Tokens
        from .workers import Processes, Replicas
    except ImportError as error:
        raise InputError(
            "The server needs packages that are not installed.", remedy=Remedy.INSTALL_EXTRA, extra="serve"
        ) from error
    if (certificate is None) != (key is None):
        raise InputError("--certificate and --key go together.")
    if workers is not None and ray is not None:
        raise InputError("--workers is for this machine: a cluster has one for each processor.")
    known = Tokens(tokens)
    made = Processes(model, workers) if ray is None else Replicas(ray, model)
    limits = Limits(waiting=waiting, each=each, seconds=timeout)
    serving.run(known, made, limits, host=host, port=port, certificate=certificate, key=key)

"""The command line: ``stylecrypt``. Exit codes: 0 done, 1 your input, 2 a bug, 3 network, 4 not authorised."""

from .app import main

__all__ = ["main"]

"""StyleCrypt: natural-looking fake faces in place of real ones, and the real ones back for people you trust.

Choose by what you are building:

* a program that sends and receives photos: ``StyleCrypt``, or ``AsyncStyleCrypt`` in an event loop. ``StyleCrypt.profile``
  has cards and contacts; ``transports`` says how messages get from here to there.
* a chat application or a bot with a life of its own: ``messenger.Messenger``, which does no I/O.
* something with faces and no keys: ``cipher.cover`` and ``cipher.uncover``, ``models.load_model``, ``faces``, ``stylemix``.

Failures raise an error of ``errors``: its text is for the user, its hint and remedy say what to do about it.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stylecrypt_protocol import Level

    from .messenger import DecryptedPhoto, EncryptedPhoto, LeakReport
    from .sdk import AsyncStyleCrypt, Incoming, StyleCrypt

__all__ = [
    "AsyncStyleCrypt",
    "DecryptedPhoto",
    "EncryptedPhoto",
    "Incoming",
    "LeakReport",
    "Level",
    "StyleCrypt",
]


# ONNX Runtime's wheels would report to their maker, and keep an identifier of the machine. They look when they are imported.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"


def __getattr__(name: str) -> Any:
    # Only when asked for: they import NumPy and OpenCV, which `stylecrypt --help` does without.
    if name in __all__:
        from . import sdk

        return getattr(sdk, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

"""Carrying an envelope inside a picture or inside the JSON of a chat event. SPEC.md section 3.

The picture is neither decoded nor encoded: its coded data are copied unchanged. ``put`` replaces an existing envelope;
``take`` finds it; ``remove`` returns the picture without it. The payload is opaque bytes here.
"""

from __future__ import annotations

from types import ModuleType
from typing import Final

from ..errors import LocalProtocolError, MalformedError, RemoteProtocolError, TooLargeError, UnsupportedError
from ..limits import MAX_CARRIED_BYTES, MAX_PICTURE_BYTES
from . import jpeg, png, webp

__all__ = ["ENVELOPE_SUFFIX", "put", "remove", "take"]

ENVELOPE_SUFFIX: Final = ".scenv"
"""The suffix of an envelope as a file beside its picture (SPEC.md section 3.2)."""

_FORMATS: Final = (png, jpeg, webp)


def put(picture: bytes, payload: bytes) -> bytes:
    """The picture (PNG, JPEG or WebP file) with the payload inside, in place of an earlier one.

    Raises LocalProtocolError if it is not such a picture, the payload is empty or over MAX_CARRIED_BYTES (4 MiB), or the
    picture with it would exceed a limit.
    """
    if not 0 < len(payload) <= MAX_CARRIED_BYTES:
        raise LocalProtocolError(
            f"{len(payload)} bytes do not fit into a picture (1 to {MAX_CARRIED_BYTES}): "
            "send the envelope as a file beside it"
        )
    try:
        carried: bytes = _format(picture).put(picture, payload)
        take(carried)  # the result must be within the limits
    except RemoteProtocolError as error:
        raise LocalProtocolError(f"the picture cannot carry an envelope: {error.detail}") from None
    return carried


def take(picture: bytes) -> bytes | None:
    """The payload, or None if the picture carries none. Raises MalformedError, TooLargeError or
    UnsupportedError."""
    payload: bytes | None = _format(picture).take(picture)
    if payload == b"":
        raise MalformedError("picture: an empty envelope")
    return payload


def remove(picture: bytes) -> bytes:
    """The picture without a payload. Raises as ``take`` does."""
    bare: bytes = _format(picture).remove(picture)
    return bare


def _format(picture: bytes) -> ModuleType:
    if len(picture) > MAX_PICTURE_BYTES:
        raise TooLargeError(f"picture: {len(picture)} bytes")
    for module in _FORMATS:
        if module.is_format(picture):
            return module
    raise UnsupportedError("picture: neither PNG nor JPEG nor WebP")

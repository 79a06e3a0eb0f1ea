"""JSON: the envelope in the content of a chat event, under one key. SPEC.md section 3.5.

Bytes are in base64 (RFC 4648, section 4) without padding, as in Matrix. There are no floats, so Matrix servers
accept it; the order of keys does not matter, since the signature covers the bytes inside.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Final

from ..envelope import Envelope, PublicPart
from ..errors import LocalProtocolError, MalformedError, TooLargeError, UnsupportedError
from ..limits import MAX_EVENT_BYTES
from ..wire import VERSION

EVENT_KEY: Final = "org.stylecrypt.envelope"
"""The key in an event's content for the envelope of its picture."""

KEY_FACE_KEY: Final = "org.stylecrypt.key_face"
"""The key in an event's content that marks its file as a shared key face (SPEC.md section 7.2)."""

CARD_KEY: Final = "org.stylecrypt.card"
"""The key in a user's profile for the text of their card (SPEC.md section 6.3)."""

_FRAME: Final = len(f'{{"{EVENT_KEY}":{{"public":"","sealed":"","v":{VERSION}}}}}')

__all__ = [
    "CARD_KEY",
    "EVENT_KEY",
    "KEY_FACE_KEY",
    "fits_event",
    "from_event",
    "has_key_face",
    "key_face_event",
    "to_event",
]


def fits_event(envelope: Envelope) -> bool:
    """Whether the envelope can go into an event: its canonical JSON has at most 40 KB, so the sealed part
    29.9 KB."""
    return _size(_encode(envelope.public.to_bytes()), _encode(envelope.sealed or b"")) <= MAX_EVENT_BYTES


def to_event(envelope: Envelope) -> dict[str, object]:
    """What to merge into the content of an event. Raises LocalProtocolError if it is over MAX_EVENT_BYTES."""
    if not fits_event(envelope):
        raise LocalProtocolError(f"over {MAX_EVENT_BYTES} bytes of JSON: carry the envelope inside the picture")
    inner: dict[str, object] = {"v": VERSION, "public": _encode(envelope.public.to_bytes())}
    if envelope.sealed is not None:
        inner["sealed"] = _encode(envelope.sealed)
    return {EVENT_KEY: inner}


def from_event(content: Mapping[str, object]) -> Envelope | None:
    """The envelope in the content of an event, as parsed from JSON; None if there is none.

    Raises MalformedError, TooLargeError or UnsupportedError.
    """
    if EVENT_KEY not in content:
        return None
    inner = content[EVENT_KEY]
    if not isinstance(inner, Mapping):
        raise MalformedError("event: the envelope is not an object")
    version = inner.get("v")
    if type(version) is not int:
        raise MalformedError("event: v is not an integer")
    if version != VERSION:
        raise UnsupportedError("event: another version")
    if set(inner) - {"v", "public", "sealed"}:
        raise UnsupportedError("event: an unknown key")
    public, sealed = inner.get("public"), inner.get("sealed", "")
    if not isinstance(public, str) or not isinstance(sealed, str) or (not sealed and "sealed" in inner):
        raise MalformedError("event: public or sealed is not text")
    if _size(public, sealed) > MAX_EVENT_BYTES:
        raise TooLargeError(f"event: {_size(public, sealed)} bytes of JSON")
    return Envelope.from_parts(PublicPart.from_bytes(_decode(public)), _decode(sealed))


def key_face_event() -> dict[str, object]:
    """What to merge into the content of an event whose file is a shared key face."""
    return {KEY_FACE_KEY: {"v": VERSION}}


def has_key_face(content: Mapping[str, object]) -> bool:
    """Whether the file of an event is a shared key face of this version."""
    return content.get(KEY_FACE_KEY) == {"v": VERSION} and type(content[KEY_FACE_KEY]["v"]) is int  # type: ignore[index]


def _size(public: str, sealed: str) -> int:
    return _FRAME + len(public) + len(sealed)


def _encode(data: bytes) -> str:
    return base64.b64encode(data).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise MalformedError("event: not base64") from None
    if _encode(data) != text:
        raise MalformedError("event: base64 that is not canonical")
    return data

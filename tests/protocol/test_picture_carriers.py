"""Carriers: pictures keep their pixels and other bytes; hostile files are refused without decoding them."""

from __future__ import annotations

import json
import os
import time
import zlib
from io import BytesIO
from typing import Any

import cv2
import numpy as np
import pytest
import stylecrypt_protocol as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from stylecrypt_protocol.carriers import jpeg, png, webp
from stylecrypt_protocol.limits import MAX_CARRIED_BYTES, MAX_EVENT_BYTES

from ..support.sealed_messages import COVER_IMAGE, describe, encoded, message, painting


def _png_text() -> PngInfo:
    text = PngInfo()
    text.add_text("Title", "a title")
    return text


SMALL = painting(5, 64, 48)
TRANSPARENT = Image.fromarray(np.dstack([np.asarray(SMALL), np.arange(64 * 48).reshape(48, 64) % 256]).astype("uint8"))
PICTURES: dict[str, bytes] = {
    "png": encoded(SMALL, "PNG"),
    "png-text": encoded(SMALL, "PNG", pnginfo=_png_text()),
    "png-palette": encoded(SMALL.quantize(16), "PNG"),
    "png-trailing": encoded(SMALL, "PNG") + b"trailing",
    "jpeg": encoded(SMALL, "JPEG"),
    "jpeg-progressive": encoded(SMALL, "JPEG", progressive=True),
    "jpeg-icc": encoded(SMALL, "JPEG", icc_profile=b"x" * 70_000, comment=b"comment"),
    "jpeg-trailing": encoded(SMALL, "JPEG") + b"\xff\xe9trailing",
    "webp": encoded(SMALL, "WEBP"),
    "webp-lossless": encoded(SMALL, "WEBP", lossless=True),
    "webp-alpha": encoded(TRANSPARENT, "WEBP"),
    "webp-lossless-alpha": encoded(TRANSPARENT, "WEBP", lossless=True),
    "webp-extended": encoded(SMALL, "WEBP", exif=b"Exif\0\0MM\0*\0\0\0\x08\0\0\0\0\0\0"),
    "webp-animated": encoded(SMALL, "WEBP", save_all=True, append_images=[painting(7, 64, 48)]),
    "webp-odd": encoded(painting(6, 33, 31), "WEBP"),
}


def same_pixels(one: bytes, other: bytes) -> bool:
    """Whether both decode to the same in two decoders, alpha included."""
    first, second = Image.open(BytesIO(one)), Image.open(BytesIO(other))
    if first.mode != second.mode or first.convert("RGBA").tobytes() != second.convert("RGBA").tobytes():
        return False
    again = [cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED) for data in (one, other)]
    return bool(np.array_equal(*again))  # type: ignore[arg-type]


def blocks(picture: bytes) -> list[bytes]:
    """The coded parts of a file, without ours, and the rest of a JPEG from its first scan on."""
    if picture.startswith(b"\x89PNG"):
        return [picture[c.start : c.end] for c in png.chunks(picture) if c.type != png.TYPE]
    if picture.startswith(b"RIFF"):
        return [picture[c.start : c.next] for c in webp.chunks(picture) if c.type not in (webp.TYPE, b"VP8X")]
    found = list(jpeg.segments(picture))
    ours = [s for s in found if s.marker == jpeg.APP9]
    return [picture[s.start : s.end] for s in found if s not in ours] + [picture[found[-1].end :]]


@pytest.mark.parametrize("name", PICTURES)
@pytest.mark.parametrize("size", [1, 2, 999, 65_520, 65_521, 200_001])
def test_put_take_remove(name: str, size: int) -> None:
    picture, payload = PICTURES[name], os.urandom(size)
    assert sp.take(picture) is None
    assert sp.remove(picture) == picture
    full = sp.put(picture, payload)
    assert sp.take(full) == payload
    assert same_pixels(full, picture)
    assert blocks(full) == blocks(picture)
    assert sp.put(full, b"another") == sp.put(picture, b"another"), "an earlier envelope is replaced"
    bare = sp.remove(full)
    assert sp.take(bare) is None
    assert same_pixels(bare, picture)
    if not picture.startswith(b"RIFF") or name in ("webp-extended", "webp-animated") or "webp-alpha" in name:
        assert bare == picture
    assert sp.remove(sp.put(bare, payload)) == bare


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_large_payloads(kind: str) -> None:
    picture = encoded(COVER_IMAGE, kind)
    for size in (2_000_000, 2 * 1024 * 1024, MAX_CARRIED_BYTES):
        payload = os.urandom(size)
        full = sp.put(picture, payload)
        assert sp.take(full) == payload
        assert same_pixels(full, picture)
    with pytest.raises(sp.LocalProtocolError, match="as a file beside it"):
        sp.put(picture, bytes(MAX_CARRIED_BYTES + 1))


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(sorted(PICTURES)), st.binary(min_size=1, max_size=3000))
def test_any_payload(name: str, payload: bytes) -> None:
    assert sp.take(sp.put(PICTURES[name], payload)) == payload


def test_misuse() -> None:
    with pytest.raises(sp.LocalProtocolError):
        sp.put(PICTURES["png"], b"")
    with pytest.raises(sp.LocalProtocolError, match="neither PNG"):
        sp.put(b"GIF89a", b"x")
    with pytest.raises(sp.LocalProtocolError, match="ends inside"):
        sp.put(PICTURES["png"][:-5], b"x")


def chunk(kind: bytes, data: bytes, crc: int | None = None) -> bytes:
    """One PNG chunk."""
    value = zlib.crc32(kind + data) if crc is None else crc
    return len(data).to_bytes(4, "big") + kind + data + value.to_bytes(4, "big")


def segment(data: bytes, marker: int = 0xE9) -> bytes:
    """One JPEG segment."""
    return bytes([0xFF, marker]) + (len(data) + 2).to_bytes(2, "big") + data


def riff(*chunks: bytes, size: int | None = None) -> bytes:
    """A WebP file."""
    body = b"WEBP" + b"".join(chunks)
    return b"RIFF" + (len(body) if size is None else size).to_bytes(4, "little") + body


PNG, END = png.SIGNATURE, chunk(b"IEND", b"")
TAG, SCAN = jpeg.TAG, b"\xff\xda\0\x02"
X = b"SCRY\x01\0\0\0x\0"
HOSTILE: dict[str, tuple[bytes, type[sp.ProtocolError]]] = {
    "nothing": (b"", sp.UnsupportedError),
    "gif": (b"GIF89a", sp.UnsupportedError),
    "png without chunks": (PNG, sp.MalformedError),
    "png without end": (PNG + chunk(b"scRy", b"x"), sp.MalformedError),
    "png length over the end": (PNG + b"\xff\xff\xff\xffscRy" + END, sp.MalformedError),
    "png two envelopes": (PNG + chunk(b"scRy", b"x") * 2 + END, sp.MalformedError),
    "png empty envelope": (PNG + chunk(b"scRy", b"") + END, sp.MalformedError),
    "png wrong crc": (PNG + chunk(b"scRy", b"x", 1) + END, sp.MalformedError),
    "png envelope too large": (PNG + chunk(b"scRy", bytes(MAX_CARRIED_BYTES + 1)) + END, sp.TooLargeError),
    "png too many chunks": (PNG + chunk(b"abCd", b"") * 65_536 + END, sp.TooLargeError),
    "jpeg without segments": (b"\xff\xd8\xff", sp.MalformedError),
    "jpeg not a marker": (b"\xff\xd8\xff\xe9\0\x02xx\xff\xda", sp.MalformedError),
    "jpeg length 0": (b"\xff\xd8\xff\xe9\0\0\0\0\0\0", sp.MalformedError),
    "jpeg end before scan": (b"\xff\xd8\xff\xd9\0\0\0\0", sp.MalformedError),
    "jpeg segment over the end": (b"\xff\xd8\xff\xe9\xff\xff" + TAG, sp.MalformedError),
    "jpeg only fill": (b"\xff\xd8" + b"\xff" * 70_000, sp.MalformedError),
    "jpeg tag alone": (b"\xff\xd8" + segment(TAG) + SCAN, sp.MalformedError),
    "jpeg too many segments": (b"\xff\xd8" + segment(b"") * 65_536 + SCAN, sp.TooLargeError),
    "jpeg piece missing": (b"\xff\xd8" + segment(TAG + b"\1\2x") + SCAN, sp.MalformedError),
    "jpeg piece twice": (b"\xff\xd8" + segment(TAG + b"\1\2x") * 2 + SCAN, sp.MalformedError),
    "jpeg wrong order": (
        b"\xff\xd8" + segment(TAG + b"\2\2x") + segment(TAG + b"\1\2x") + SCAN,
        sp.MalformedError,
    ),
    "jpeg short piece": (
        b"\xff\xd8" + segment(TAG + b"\1\2x") + segment(TAG + b"\2\2x") + SCAN,
        sp.MalformedError,
    ),
    "jpeg empty piece": (b"\xff\xd8" + segment(TAG + b"\1\1") + SCAN, sp.MalformedError),
    "jpeg number 0": (b"\xff\xd8" + segment(TAG + b"\0\1x") + SCAN, sp.MalformedError),
    "jpeg too large": (b"\xff\xd8" + segment(TAG + b"\1\1" + bytes(65_520)) * 65 + SCAN, sp.TooLargeError),
    "webp empty": (riff(), sp.MalformedError),
    "webp size over the end": (riff(X, size=100), sp.MalformedError),
    "webp chunk over the end": (riff(b"SCRY\xff\xff\xff\x7f"), sp.MalformedError),
    "webp size inside a chunk": (riff(X, size=10), sp.MalformedError),
    "webp no padding": (riff(b"SCRY\x01\0\0\0x"), sp.MalformedError),
    "webp two envelopes": (riff(X, X), sp.MalformedError),
    "webp empty envelope": (riff(b"SCRY\0\0\0\0"), sp.MalformedError),
    "webp too many chunks": (riff(b"ABCD\0\0\0\0" * 65_537), sp.TooLargeError),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile(name: str) -> None:
    picture, error = HOSTILE[name]
    with pytest.raises(error) as raised:
        sp.take(picture)
    assert raised.type is error


def test_a_huge_file_is_not_walked() -> None:
    with pytest.raises(sp.TooLargeError):
        sp.take(b"\xff\xd8\xff" + bytes(64 * 1024 * 1024))


def test_fill_bytes_are_skipped_at_once() -> None:
    fill = b"\xff" * 65_000 + b"\xff\xe1\0\2"
    started = time.process_time()
    assert sp.take(b"\xff\xd8" + fill * 1000 + SCAN) is None
    assert time.process_time() - started < 1, "64 MB"


@pytest.mark.parametrize(
    "full",
    [PNG + chunk(b"abCd", b"") * 65_535 + END, b"\xff\xd8" + segment(b"", 0xE1) * 65_535 + SCAN],
    ids=["png", "jpeg"],
)
def test_what_is_put_in_comes_out(full: bytes) -> None:
    assert sp.take(full) is None
    with pytest.raises(sp.LocalProtocolError, match="too many"):
        sp.put(full, b"x")


def test_webp_of_an_unknown_kind() -> None:
    with pytest.raises(sp.LocalProtocolError, match="begins with neither"):
        sp.put(riff(b"ABCD\0\0\0\0"), b"x")
    with pytest.raises(sp.LocalProtocolError, match="without pixels"):
        sp.put(riff(b"VP8 \x0a\0\0\0\0\0\0\x9d\x01\x2a\0\0\0\0"), b"x")


# The JSON form


def test_event_round_trip_with_keys_in_any_order() -> None:
    envelope = message()
    content = {"msgtype": "m.image", "body": "a.jpg", **sp.to_event(envelope)}
    sent = json.loads(json.dumps(content, sort_keys=True))
    inner = sent[sp.EVENT_KEY]
    assert sp.from_event({**sent, sp.EVENT_KEY: dict(reversed(inner.items()))}) == envelope
    assert inner["v"] == 1
    assert not any(isinstance(value, float) for value in inner.values())
    assert sp.from_event({"body": "a.jpg"}) is None
    bare = sp.Envelope(public=describe(level=sp.Level.KEYFACE))
    assert sp.from_event(sp.to_event(bare)) == bare


def test_event_size() -> None:
    def of_size(size: int) -> sp.Envelope:
        return sp.Envelope(public=describe(), sealed=bytes(size))

    largest = max(size for size in range(29_000, 31_000) if sp.fits_event(of_size(size)))
    canonical = json.dumps(sp.to_event(of_size(largest)), separators=(",", ":"), sort_keys=True)
    assert MAX_EVENT_BYTES - 4 < len(canonical) <= MAX_EVENT_BYTES
    with pytest.raises(sp.LocalProtocolError, match="inside the picture"):
        sp.to_event(of_size(largest + 1))
    residual = sp.Residual(kind=sp.ResidualKind.STYLES, data=bytes(18 * 512 * 2))
    assert sp.fits_event(message(residual=residual, to=("alice", "bob", "carol")))


def _inner(**changes: Any) -> dict[str, object]:
    inner = dict(sp.to_event(message())[sp.EVENT_KEY])  # type: ignore[call-overload]
    return {sp.EVENT_KEY: {key: value for key, value in {**inner, **changes}.items() if value is not ...}}


@pytest.mark.parametrize(
    ("content", "error"),
    [
        ({sp.EVENT_KEY: []}, sp.MalformedError),
        ({sp.EVENT_KEY: None}, sp.MalformedError),
        ({sp.EVENT_KEY: {}}, sp.MalformedError),
        (_inner(v=True), sp.MalformedError),
        (_inner(v=1.0), sp.MalformedError),
        (_inner(v="1"), sp.MalformedError),
        (_inner(v=2), sp.UnsupportedError),
        (_inner(v=10**5000), sp.UnsupportedError),
        (_inner(more=1), sp.UnsupportedError),
        (_inner(public=...), sp.MalformedError),
        (_inner(public=1), sp.MalformedError),
        (_inner(public="*"), sp.MalformedError),
        (_inner(public="ü"), sp.MalformedError),
        (_inner(public=""), sp.MalformedError),
        (_inner(public="AR"), sp.MalformedError),
        (_inner(public="AQ=="), sp.MalformedError),
        (_inner(public="A"), sp.MalformedError),
        (_inner(sealed=""), sp.MalformedError),
        (_inner(sealed=None), sp.MalformedError),
        (_inner(sealed=...), sp.MalformedError),
        (_inner(sealed="A" * 41_000), sp.TooLargeError),
    ],
)
def test_hostile_events(content: dict[str, object], error: type[sp.ProtocolError]) -> None:
    with pytest.raises(error) as raised:
        sp.from_event(content)
    assert raised.type is error


def test_the_event_of_a_key_face_is_told_from_others() -> None:
    assert sp.has_key_face({"msgtype": "m.file", **sp.key_face_event()})
    others: list[object] = [{}, {"v": 2}, {"v": True}, {"v": 1, "x": 1}, [], None, 1]
    for other in others:
        assert not sp.has_key_face({sp.KEY_FACE_KEY: other})
    assert not sp.has_key_face({})

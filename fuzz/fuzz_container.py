"""Fuzzes the carriers: PNG, JPEG, WebP, the JSON form, and the envelope's own framing.

Run (atheris is not a dependency of the project): ``pip install atheris``, ``python fuzz/seeds.py /tmp/seeds``, then
``python fuzz/fuzz_container.py -max_total_time=1200 -max_len=4096 /tmp/seeds/container``.
An input that breaks the invariant becomes a test in tests/protocol/.
"""

# Invariant: any bytes either give an envelope, give none, or raise RemoteProtocolError. A picture that can be
# walked keeps every byte of its own through put and remove, and gives back exactly what was put. An envelope
# that parses packs to the very bytes it was parsed from.

import json
import sys

import atheris

with atheris.instrument_imports(include=["stylecrypt_protocol"]):
    import stylecrypt_protocol as sp

PAYLOAD = b"payload" * 3


def check_picture(data: bytes) -> None:
    """Any bytes as a picture."""
    try:
        before = sp.take(data)
        bare = sp.remove(data)
    except sp.RemoteProtocolError:
        return
    if sp.take(bare) is not None or (before is None and bare != data):
        raise AssertionError("remove")
    try:
        full = sp.put(data, PAYLOAD)
    except sp.LocalProtocolError:  # a WebP file whose picture does not begin with a picture
        return
    if sp.take(full) != PAYLOAD or sp.put(full, PAYLOAD) != full:
        raise AssertionError("put")
    if data[:4] != b"RIFF" and sp.remove(full) != bare:
        raise AssertionError("put and remove")


def check_envelope(data: bytes) -> None:
    """Any bytes as a packed envelope."""
    try:
        envelope = sp.Envelope.unpack(data)
    except sp.RemoteProtocolError:
        return
    if envelope.pack() != data:
        raise AssertionError("a second encoding")
    if sp.fits_event(envelope) and sp.from_event(sp.to_event(envelope)) != envelope:
        raise AssertionError("event")


def check_event(data: bytes) -> None:
    """Any JSON object as the content of an event."""
    try:
        content = json.loads(data)
    except (ValueError, RecursionError):
        return
    if isinstance(content, dict):
        try:
            envelope = sp.from_event(content)
        except sp.RemoteProtocolError:
            return
        if envelope is not None and sp.to_event(envelope)[sp.EVENT_KEY] != content[sp.EVENT_KEY]:
            raise AssertionError("a second encoding")


def test_one_input(data: bytes) -> None:
    """One input of the fuzzer, read in each way."""
    check_picture(data)
    check_envelope(data)
    check_event(data)


if __name__ == "__main__":
    atheris.Setup(sys.argv, test_one_input)
    atheris.Fuzz()

"""Fuzzes what comes out of a picture's pixels: the sealed imprint, what is inside, its faces, and the error correction.

Run (atheris is not a dependency of the project): ``pip install atheris``, ``python fuzz/seeds.py /tmp/seeds``, then
``python fuzz/fuzz_imprint.py -max_total_time=1200 -max_len=4096 /tmp/seeds/imprint``.
An input that breaks the invariant becomes a test in tests/protocol/ or tests/imprint/.
"""

# Invariant: any bytes raise RemoteProtocolError; those that the sender signed raise it, too, or parse, and encode to the very
# bytes that they were parsed from; any faces are pasted, or raise MessageError; and damaged bits never become another payload.

import contextlib
import sys

import atheris
import numpy as np

with atheris.instrument_imports(include=["stylecrypt_protocol", "stylecrypt_msg.imprint"]):
    import stylecrypt_protocol as sp
    from stylecrypt_protocol import error_correction as code
    from stylecrypt_protocol import primitives
    from stylecrypt_protocol.signed import SignedPart
    from stylecrypt_protocol.wire import Reader, received

    from stylecrypt_msg import imprint
    from stylecrypt_msg.errors import MessageError

ME = sp.Identity.from_secret(sp.Secret(bytes(range(64))))
CARD = sp.Card.create(ME, user_id="@me:example.org", display_name="Me", created=0)
COVER = sp.Pixels(width=16, height=16, rgb=bytes(768))
SHOWN = np.zeros((48, 64, 3), np.uint8)
PAYLOAD = bytes(range(code.WORD_BYTES))
UNITS = code.protect(PAYLOAD)


def sealed(data: bytes) -> None:
    """Any bytes as an imprint."""
    raise AssertionError(sp.open_imprint(data, ME, {CARD.id: CARD}, COVER, now=0, seen=None))


def decrypted(data: bytes) -> None:
    """Any bytes as what is sealed, their signature replaced by a good one."""
    part = SignedPart(data, len(data))
    part.signature = ME.sign(primitives.IMPRINT, part.fields)
    if part.verify(sp.ImprintContent, ME.signing_key).to_fields() != part.fields:
        raise AssertionError("a second encoding")


def faces(data: bytes) -> None:
    """Any bytes as a face, which is pasted."""
    reader = Reader(data, "face")
    with received("face"):
        face = sp.ImprintedFace.read(reader)
    shown = imprint.paste_faces(SHOWN, [face])
    if shown.shape != SHOWN.shape:
        raise AssertionError("another size")


def damaged(data: bytes) -> None:
    """A payload with errors at any bits."""
    wrong = np.unpackbits(np.resize(np.frombuffer(data + b"\0", np.uint8), UNITS.size // 8)).reshape(UNITS.shape)
    got = code.correct(1 - 2 * (UNITS ^ wrong).astype(np.float32))
    if got.payload not in (PAYLOAD, None) and wrong.mean() < 0.2:
        raise AssertionError("another payload")


CHECKS = (sealed, decrypted, faces, damaged)


def test_one_input(data: bytes) -> None:
    """The first byte of the input says what the rest is read as."""
    with contextlib.suppress(sp.RemoteProtocolError, MessageError):
        CHECKS[data[0] % len(CHECKS) if data else 0](data[1:])


if __name__ == "__main__":
    atheris.Setup(sys.argv, test_one_input)
    atheris.Fuzz()

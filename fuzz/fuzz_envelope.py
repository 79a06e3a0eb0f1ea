"""Fuzzes everything behind the carriers: public part, seal, decrypted part, cards, texts, keys at rest.

Run (atheris is not a dependency of the project): ``pip install atheris``, ``python fuzz/seeds.py /tmp/seeds``, then
``python fuzz/fuzz_envelope.py -max_total_time=1200 -max_len=4096 /tmp/seeds/envelope``.
An input that breaks the invariant becomes a test in tests/protocol/.
"""

# Invariant: any bytes either parse or raise RemoteProtocolError; what parses encodes to the very bytes it was
# parsed from; and no bytes that the sender did not sign are ever attributed to anybody.

import contextlib
import sys

import atheris

with atheris.instrument_imports(include=["stylecrypt_protocol"]):
    import stylecrypt_protocol as sp
    from stylecrypt_protocol import age, primitives
    from stylecrypt_protocol.signed import SignedPart

ME = sp.Identity.from_secret(sp.Secret(bytes(range(64))))
CARD = sp.Card.create(ME, user_id="@me:example.org", display_name="Me", created=0)
CHEAP = sp.Cost(operations=1, memory=8192)
KEY = sp.StorageKey(secret=sp.Secret(bytes(32)))
COVER = sp.Pixels(width=16, height=16, rgb=bytes(768))
PUBLIC = sp.PublicPart.describe(
    COVER,
    level=sp.Level.LATENT,
    model_hash=bytes(32),
    styles=18,
    replaced=range(3, 8),
    faces=[sp.WireQuad.from_pixels([(1, 1), (1, 9), (9, 9), (9, 1)])],
)


def same(encoded: bytes, data: bytes) -> None:
    """Whether what was parsed encodes to what it was parsed from."""
    if encoded != data:
        raise AssertionError("a second encoding")


def public_part(data: bytes) -> None:
    """Any bytes as a public part."""
    same(sp.PublicPart.from_bytes(data).to_bytes(), data)


def seal(data: bytes) -> None:
    """Any bytes as an age file beside a valid public part."""
    opened = sp.open_message(
        sp.Envelope.from_parts(PUBLIC, data), ME, {CARD.id: CARD}, COVER, now=0, seen=sp.MemorySeenStore()
    )
    raise AssertionError(opened)


def decrypted(data: bytes) -> None:
    """Any bytes as what comes out of the age file, their signature replaced by a good one."""
    part = SignedPart(data)
    part.signature = ME.sign(primitives.MESSAGE, part.fields)
    content = part.verify(sp.SealedPart, ME.signing_key)
    same(content.to_fields(), part.fields)


def key_face(data: bytes) -> None:
    """Any bytes as what comes out of the age file of a shared key face, their signature replaced by a good one."""
    part = SignedPart(data)
    part.signature = ME.sign(primitives.KEY_FACE, part.fields)
    same(part.verify(sp.SharedKeyFace, ME.signing_key).to_fields(), part.fields)


def header(data: bytes) -> None:
    """Any bytes behind the first line of an age file."""
    age.check_header(age.INTRO + data)


def card(data: bytes) -> None:
    """Any bytes as a card."""
    same(sp.Card.from_bytes(data).to_bytes(), data)


def revocation(data: bytes) -> None:
    """Any bytes as a revocation."""
    same(sp.Revocation.from_bytes(data).to_bytes(), data)


def text(data: bytes) -> None:
    """Any text as a card."""
    line = data.decode("utf-8", "surrogateescape")
    same(sp.Card.from_text(line).to_text().encode(), line.strip().lower().encode())


def locked(data: bytes) -> None:
    """Any bytes as a locked secret, unless they ask for much work."""
    if int.from_bytes(data[4:8], "big") < 3 and int.from_bytes(data[8:12], "big") < 64:
        sp.unlock(data, "passphrase", CHEAP)


def at_rest(data: bytes) -> None:
    """Any bytes as a file at rest."""
    KEY.decrypt(data, "name")


CHECKS = (public_part, seal, decrypted, header, card, revocation, text, locked, at_rest, key_face)


def test_one_input(data: bytes) -> None:
    """The first byte of the input says what the rest is read as."""
    with contextlib.suppress(sp.RemoteProtocolError):
        CHECKS[data[0] % len(CHECKS) if data else 0](data[1:])


if __name__ == "__main__":
    atheris.Setup(sys.argv, test_one_input)
    atheris.Fuzz()

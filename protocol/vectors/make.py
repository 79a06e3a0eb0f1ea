"""Writes the test vectors beside this file: ``python protocol/vectors/make.py``.

Everything is computed from fixed keys, so that the files only change when the format does. Sealing is random: what was
sealed once is kept in sealed.json for as long as it opens to the same plaintext.
"""

from __future__ import annotations

import json
import unicodedata
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import stylecrypt_protocol as sp
from stylecrypt_protocol import age, primitives
from stylecrypt_protocol.cover import make_sketch
from stylecrypt_protocol.sealed import SealedPart
from stylecrypt_protocol.signed import SignedPart

HERE = Path(__file__).parent
NOW = 1_760_000_000
PEOPLE = {
    name: sp.Identity.from_secret(sp.Secret(bytes([n]) * 32 + bytes([n + 16]) * 32))
    for n, name in enumerate(("alice", "bob", "carol"), start=1)
}
CARDS = {
    name: sp.Card.create(who, user_id=f"@{name}:example.org", display_name=name.title(), created=NOW)
    for name, who in PEOPLE.items()
}
WIDTH, HEIGHT = 24, 16
RGB = bytes((x * 9 + y * 5 + c * 40) % 256 for y in range(HEIGHT) for x in range(WIDTH) for c in range(3))
COVER = sp.Pixels(width=WIDTH, height=HEIGHT, rgb=RGB)
FACE = sp.Quad.from_pixels([(4, 2), (4, 14.5), (16.25, 14.5), (16.25, 2)])
# Two style vectors of three numbers: 1, -2, 0.5; 65504, the smallest above 0, and -0.
INVERSION = sp.Inversion(
    model_hash=b"\x11" * 32, styles=2, dimensions=3, codes=bytes.fromhex("003c00c00038ff7b01000080")
)
KEY_FACE = sp.KeyFace(digest=COVER.digest, secret=sp.Secret(b"\x5e" * 32))
ID = sp.MessageId(bytes(range(16)))
ARGON = sp.Cost(operations=1, memory=8192)
STORAGE_KEY = bytes(range(32))
CHAT = "!family:example.org"
TYPED = "Gru\N{COMBINING DIAERESIS}ße"  # a passphrase; NFC makes one character of u and the dots


def locked_secret(passphrase: str) -> bytes:
    """A secret under a passphrase: salt and nonce are fixed here and random in practice."""
    header = b"SCK\1" + (1).to_bytes(4, "big") + (8).to_bytes(4, "big") + b"s" * 16
    typed = unicodedata.normalize("NFC", passphrase).encode()
    key = primitives.argon2id(typed, b"s" * 16, operations=1, memory=8192)
    sealed = primitives.xchacha20poly1305_encrypt(key, b"n" * 24, b"secret", primitives.PASSPHRASE + header)
    return header + b"n" * 24 + sealed


def file_at_rest(name: str) -> bytes:
    """A file under STORAGE_KEY; its nonce is fixed here and random in practice."""
    associated = primitives.FILE_AT_REST + b"SCF\1" + name.encode()
    sealed = primitives.xchacha20poly1305_encrypt(STORAGE_KEY, b"n" * 24, b"content", associated)
    return b"SCF\1" + b"n" * 24 + sealed


def public_part(committed: bool = True, **changes: Any) -> sp.PublicPart:
    """The public part that the messages here have."""
    fields: dict[str, Any] = {
        "message_id": ID,
        "level": sp.Level.LATENT,
        "model_hash": b"\x11" * 32,
        "styles": 18,
        "replaced": (3, 4, 5, 6, 7),
        "faces": (FACE,),
        "width": WIDTH,
        "height": HEIGHT,
        "cover_digest": COVER.digest,
    }
    public = sp.PublicPart(**{**fields, **changes})
    return public.commit(KEY_FACE) if committed else public


def content(public: sp.PublicPart, **changes: Any) -> SealedPart:
    """What Alice writes to Bob."""
    fields: dict[str, Any] = {
        "sender": PEOPLE["alice"].id,
        "recipients": (PEOPLE["bob"].id,),
        "public_digest": public.digest(),
        "sent_at": NOW,
        "sketch": make_sketch(COVER, public.faces),
        "opening": KEY_FACE.open(public.message_id) if public.commitment else None,
        "caption": "Grüße",
        "file_name": "a.jpg",
        "residual": sp.Residual(kind=sp.ResidualKind.STYLES, data=b"style vectors"),
    }
    return SealedPart(**{**fields, **changes})


class Seals:
    """Age files, kept from one run to the next."""

    def __init__(self, kept: dict[str, str]) -> None:
        self.kept = kept
        self.used: dict[str, str] = {}

    def seal(self, name: str, plaintext: bytes, *to: str) -> bytes:
        """An age file of the plaintext to Bob, or to others, under a name of its own."""
        to = to or ("bob",)
        sealed = bytes.fromhex(self.kept.get(name, ""))
        try:
            fresh = age.decrypt(sealed, PEOPLE[to[0]]) != plaintext or age.check_header(sealed) != len(to)
        except sp.RemoteProtocolError:
            fresh = True
        if fresh:
            sealed = age.encrypt(plaintext, [PEOPLE[one].sealing_key for one in to])
        self.used[name] = self.kept[name] = sealed.hex()
        return sealed


def values(seals: Seals) -> dict[str, Any]:
    """Keys, cards, digests: inputs and the bytes that must come out."""
    rotated = sp.Card.create(
        PEOPLE["carol"], user_id="@alice:example.org", display_name="Alice", created=NOW + 1, previous=PEOPLE["alice"]
    )
    revocation = sp.Revocation.create(PEOPLE["alice"], created=NOW, reason=sp.RevocationReason.COMPROMISED)
    return {
        "identities": {
            name: {
                "ed25519_seed": who.to_secret().reveal()[:32].hex(),
                "x25519_secret": who.to_secret().reveal()[32:].hex(),
                "ed25519_public": who.signing_key.hex(),
                "x25519_public": who.sealing_key.hex(),
                "age_identity": who.age_identity().reveal().decode(),
                "age_recipient": CARDS[name].age_recipient,
                "card_id": who.id.hex(),
            }
            for name, who in PEOPLE.items()
        },
        "cards": [
            {
                "signed_by": name,
                "replaces": replaces,
                "user_id": card.user_id,
                "display_name": card.display_name,
                "created": card.created,
                "bytes": card.to_bytes().hex(),
                "text": card.to_text(),
                "words": " ".join(sp.card_words(card)),
            }
            for name, replaces, card in [
                *((name, None, card) for name, card in CARDS.items()),
                ("carol", "alice", rotated),
            ]
        ],
        "pair_words": {"of": ["alice", "bob"], "words": " ".join(sp.pair_words(CARDS["alice"], CARDS["bob"]))},
        "revocation": {
            "signed_by": "alice",
            "created": NOW,
            "reason": int(revocation.reason),
            "bytes": revocation.to_bytes().hex(),
            "text": revocation.to_text(),
        },
        "cover": {
            "width": WIDTH,
            "height": HEIGHT,
            "rgb": RGB.hex(),
            "digest": COVER.digest.hex(),
            "face_in_64th_px": FACE.corners,
            "sketch": make_sketch(COVER, [FACE]).hex(),
        },
        "key_face": {
            "digest": KEY_FACE.digest.hex(),
            "secret": KEY_FACE.secret.reveal().hex(),
            "public": public_part().to_bytes().hex(),
            "commitment_key": KEY_FACE.open(ID).key.hex(),
            "picture": pictures()["png"].hex(),
            "shared": shared(seals),
        },
        "received": received(),
        "locked": {"passphrase": TYPED, "secret": b"secret".hex(), "bytes": locked_secret(TYPED).hex()},
        "file_at_rest": {
            "key": STORAGE_KEY.hex(),
            "name": "größe.bin",
            "content": b"content".hex(),
            "bytes": file_at_rest("größe.bin").hex(),
        },
        "padme": {str(n): age.padme(n) for n in (1, 2, 8, 9, 100, 1000, 12_345, 100_000, 2_000_000)},
    }


def shared(seals: Seals) -> list[dict[str, Any]]:
    """The key face as Alice gives it to Bob."""
    rows = []
    for name, prepared in (("key face", ()), ("key face with codes", (INVERSION,))):
        file = key_face_file(seals, name, prepared=prepared)
        rows.append(
            {
                "prepared": [
                    {
                        "model_hash": inversion.model_hash.hex(),
                        "styles": inversion.styles,
                        "dimensions": inversion.dimensions,
                        "codes": inversion.codes.hex(),
                    }
                    for inversion in prepared
                ],
                "plaintext": age.decrypt(file[4:], PEOPLE["bob"]).hex(),
                "bytes": file.hex(),
            }
        )
    return rows


def received() -> list[dict[str, Any]]:
    """Pictures that come with a message about COVER, and what must be said of them."""
    pixels = np.frombuffer(RGB, np.uint8).reshape(HEIGHT, WIDTH, 3)
    made = {
        "the same": (pixels, sp.CoverVerdict.EXACT),
        "without the lowest bit": (pixels & 0xFE, sp.CoverVerdict.CHANGED),
        "twice the size": (pixels.repeat(2, 0).repeat(2, 1), sp.CoverVerdict.CHANGED),
        "turned": (pixels[::-1, ::-1], sp.CoverVerdict.SWAPPED),
        "cut off by three rows": (pixels[:-3], sp.CoverVerdict.SWAPPED),
    }
    return [
        {
            "name": name,
            "width": picture.shape[1],
            "height": picture.shape[0],
            "rgb": picture.tobytes().hex(),
            "verdict": verdict.value,
        }
        for name, (picture, verdict) in made.items()
    ]


def messages(seals: Seals) -> list[dict[str, Any]]:
    """Messages that open."""
    nothing = sp.Residual()
    made = {
        "latent, with a commitment": (public_part(), {}),
        "original, faces, two faces": (
            public_part(level=sp.Level.ORIGINAL, faces=(FACE, FACE), committed=False),
            {
                "residual": sp.Residual(kind=sp.ResidualKind.FACES, data=b"pixels"),
                "context": sp.context_of(CHAT),
                "caption": "",
                "file_name": "",
            },
        ),
        "original, the file": (
            public_part(level=sp.Level.ORIGINAL, committed=False),
            {"residual": sp.Residual(kind=sp.ResidualKind.FILE, data=b"file"), "caption": "two\nlines"},
        ),
        "key face, sealed, to two": (
            public_part(level=sp.Level.KEYFACE, replaced=tuple(range(18))),
            {"residual": nothing, "recipients": tuple(sorted((PEOPLE["bob"].id, PEOPLE["carol"].id)))},
        ),
    }
    rows = []
    for name, (public, changes) in made.items():
        part = content(public, **changes)
        plaintext = part.sign(PEOPLE["alice"])
        to = [one for one, who in PEOPLE.items() if who.id in part.recipients]
        envelope = sp.Envelope(public=public, sealed=seals.seal(name, plaintext, *to))
        rows.append(
            {
                "name": name,
                "public": public.to_bytes().hex(),
                "public_digest": public.digest().hex(),
                "plaintext": plaintext.hex(),
                "envelope": envelope.pack().hex(),
                "event": sp.to_event(envelope),
                "opened_by": "bob",
                "sender": "alice",
                "level": public.level.name.lower(),
                "residual": part.residual.data.hex(),
                "caption": part.caption,
                "file_name": part.file_name,
                "chat": CHAT if part.context == sp.context_of(CHAT) else None,
            }
        )
    return rows


def png(*chunks: tuple[bytes, bytes]) -> bytes:
    """A PNG file of these chunks."""
    parts = [len(d).to_bytes(4, "big") + t + d + zlib.crc32(t + d).to_bytes(4, "big") for t, d in chunks]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def pictures() -> dict[str, bytes]:
    """One small picture of each format; 1 x 1 px."""
    header = (b"IHDR", (1).to_bytes(4, "big") * 2 + b"\x08\0\0\0\0")
    return {
        "png": png(header, (b"IDAT", zlib.compress(b"\0\x80")), (b"IEND", b"")),
        "jpeg": bytes.fromhex(
            "ffd8ffe000104a46494600010100000100010000ffdb004300a06e788c7864a08c828cb4aaa0bef0fffff0dcdcf0ffffffff"
            "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffc0000b08000100010101"
            "1100ffc4001f0000010501010101010100000000000000000102030405060708090a0bffc400b51000020103030204030505"
            "04040000017d01020300041105122131410613516107227114328191a1082342b1c11552d1f02433627282090a161718191a"
            "25262728292a3435363738393a434445464748494a535455565758595a636465666768696a737475767778797a8384858687"
            "88898a92939495969798999aa2a3a4a5a6a7a8a9aab2b3b4b5b6b7b8b9bac2c3c4c5c6c7c8c9cad2d3d4d5d6d7d8d9dae1e2"
            "e3e4e5e6e7e8e9eaf1f2f3f4f5f6f7f8f9faffda0008010100003f002bffd9"
        ),
        "webp": bytes.fromhex("524946461c000000574542505650384c0f0000002f000000000710058cfe0722a2ff0100"),
    }


def key_face_file(seals: Seals, name: str = "key face", **changes: Any) -> bytes:
    """What Alice gives to Bob."""
    fields: dict[str, Any] = {
        "sender": PEOPLE["alice"].id,
        "recipients": (PEOPLE["bob"].id,),
        "sent_at": NOW,
        "key_face": KEY_FACE,
        "picture": pictures()["png"],
    }
    part = sp.SharedKeyFace(**{**fields, **changes})
    return b"SCH\1" + seals.seal(name, part.sign(PEOPLE["alice"]))


def carriers() -> list[dict[str, str]]:
    """Pictures before and after a payload is put in."""
    rows = []
    for name, picture in pictures().items():
        for payload in (b"payload", b"odd"):
            full = sp.put(picture, payload)
            rows.append({"format": name, "picture": picture.hex(), "payload": payload.hex(), "carried": full.hex()})
    return rows


def malformed(seals: Seals) -> list[dict[str, Any]]:
    """Inputs that must be refused, each with the error that must be raised and how it is read."""
    rows: list[dict[str, Any]] = []

    def add(read: str, name: str, error: type[sp.RemoteProtocolError], data: bytes | str | dict[str, Any]) -> None:
        rows.append(
            {
                "read": read,
                "name": name,
                "error": error.__name__,
                "input": data.hex() if isinstance(data, bytes) else data,
            }
        )

    public = public_part().to_bytes()
    _public(add, public)
    plaintext = content(public_part()).sign(PEOPLE["alice"])
    packed = sp.Envelope(public=public_part(), sealed=seals.seal("latent, with a commitment", plaintext)).pack()
    _envelopes(add, packed, public)
    _plaintexts(add)
    _messages(add, seals, packed)
    _key_faces(add, seals, packed)
    _cards(add)
    _carriers(add)
    _events(add, sp.to_event(sp.Envelope.unpack(packed))[sp.EVENT_KEY])
    _at_rest(add)
    return rows


Add = Callable[[str, str, type[sp.RemoteProtocolError], Any], None]


def patch(data: bytes, at: int, value: bytes) -> bytes:
    """``data`` with the bytes at one place replaced."""
    return data[:at] + value + data[at + len(value) :]


def _public(add: Add, good: bytes) -> None:
    bad, new, large = sp.MalformedError, sp.UnsupportedError, sp.TooLargeError
    for name, error, data in (
        ("empty", bad, b""),
        ("version 0", new, patch(good, 0, b"\0")),
        ("version 2", new, patch(good, 0, b"\2")),
        ("level 0", new, patch(good, 1, b"\0")),
        ("level 4", new, patch(good, 1, b"\4")),
        ("no styles", bad, patch(good, 50, b"\0")),
        ("33 styles", bad, patch(good, 50, b"\x21")),
        ("no layer replaced", bad, patch(good, 51, bytes(4))),
        ("a layer that the model does not have", bad, patch(good, 51, b"\0\4\0\0")),
        ("width 0", bad, patch(good, 55, b"\0\0")),
        ("height 16385", bad, patch(good, 57, b"\x40\1")),
        ("16384 x 4097 pixels", bad, patch(good, 55, b"\x40\0\x10\1")),
        ("129 faces", large, patch(good, 91, b"\x81")),
        ("a face too few", bad, patch(good, 91, b"\2")),
        ("a corner too far away", bad, patch(good, 92, b"\0\x40\0\1")),
        ("commitment flag 2", bad, patch(good, 124, b"\2")),
        ("commitment flag 0 and a commitment", bad, patch(good, 124, b"\0")),
        ("a byte too few", bad, good[:-1]),
        ("a byte too many", bad, good + b"\0"),
        ("8193 bytes", large, good + bytes(8193 - len(good))),
    ):
        add("public", f"public part: {name}", error, data)


def _envelopes(add: Add, good: bytes, public: bytes) -> None:
    bad, new = sp.MalformedError, sp.UnsupportedError
    keyface = patch(public, 1, b"\1")
    for name, error, data in (
        ("empty", bad, b""),
        ("other magic", bad, b"SCC" + good[3:]),
        ("version 2", new, patch(good, 3, b"\2")),
        ("no public part", bad, b"SCE\1\0\0\0\0\0\0"),
        ("a byte too few", bad, good[:-1]),
        ("a byte too many", bad, good + b"\0"),
        ("a sealed length over the end", bad, good[: 6 + len(public)] + b"\xff\xff\xff\xff" + good[10 + len(public) :]),
        ("level latent without a seal", bad, good[: 6 + len(public)] + bytes(4)),
        ("cut after the public part", bad, b"SCE\1" + len(keyface).to_bytes(2, "big") + keyface),
    ):
        add("envelope", f"envelope: {name}", error, data)


def _signed(fields: bytes, domain: bytes = primitives.MESSAGE) -> bytes:
    body = fields + PEOPLE["alice"].sign(domain, fields)
    body = len(body).to_bytes(4, "big") + body
    return body + bytes(age.padme(len(body)) - len(body))


def _plaintexts(add: Add) -> None:
    """Plaintexts read with Alice's key: all but the first few are correctly signed."""
    bad, new, large = sp.MalformedError, sp.UnsupportedError, sp.TooLargeError
    part = content(public_part())
    good, fields = part.sign(PEOPLE["alice"]), part.to_fields()
    padded = content(public_part(), caption="Grüße!").sign(PEOPLE["alice"])
    names = len(fields) - len(b"style vectors") - 1 - len("\5a.jpg") - 2 - len("Grüße".encode())
    kind = len(fields) - len(b"style vectors") - 1
    twice = fields[:17] + b"\2" + fields[18:34] * 2 + fields[34:]
    for name, error, data in (
        ("empty", bad, b""),
        ("too short for a signature", bad, b"\0\0\0\1x"),
        ("length over the end", bad, patch(good, 0, b"\0\1")),
        ("padding that is not zero", bad, padded[:-1] + b"\1"),
        ("no padding", bad, padded[: 4 + int.from_bytes(padded[:4], "big")]),
        ("too much padding", bad, good + bytes(64)),
        (
            "one bit of the signature",
            sp.BadSignatureError,
            patch(good, 4 + len(fields), bytes([good[4 + len(fields)] ^ 1])),
        ),
        (
            "one bit of the residual",
            sp.BadSignatureError,
            patch(good, 3 + len(fields), bytes([good[3 + len(fields)] ^ 1])),
        ),
        ("version 2", new, _signed(patch(fields, 0, b"\2"))),
        ("no recipients", bad, _signed(fields[:17] + b"\0" + fields[34:])),
        ("129 recipients", large, _signed(patch(fields, 17, b"\x81"))),
        ("a recipient twice", bad, _signed(twice)),
        ("the time after the year 9999", bad, _signed(patch(fields, 34, b"\0\0\0\x3a\xff\xf4\x41\x80"))),
        ("a sketch longer than the rest", bad, _signed(patch(fields, 106, b"\0\0\xff\xff"))),
        ("a sketch of 131137 bytes", large, _signed(patch(fields, 106, b"\0\2\0\x41"))),
        ("opening flag 2", bad, _signed(patch(fields, 238, b"\2"))),
        ("a caption that is not UTF-8", bad, _signed(patch(fields, names + 2, b"\xff"))),
        ("a caption with an escape character", bad, _signed(patch(fields, names + 2, b"\x1b"))),
        ("a caption longer than the rest", bad, _signed(patch(fields, names, b"\xff\xff"))),
        ("a caption of 4097 bytes", bad, _signed(fields[:names] + b"\x10\1" + b"x" * 4097 + fields[names + 9 :])),
        ("a file name with a slash", bad, _signed(patch(fields, kind - 5, b"a/jpg"))),
        ("a file name that begins with a dot", bad, _signed(patch(fields, kind - 5, b".ajpg"))),
        ("residual of kind 4", new, _signed(patch(fields, kind, b"\4"))),
        ("residual of kind 0 with data", bad, _signed(patch(fields, kind, b"\0"))),
        ("residual of kind 1 without data", bad, _signed(fields[: kind + 1])),
    ):
        add("plaintext", f"sealed part: {name}", error, data)


def _messages(add: Add, seals: Seals, good: bytes) -> None:
    """Envelopes that Bob opens at NOW, knowing Alice, beside the cover of values.json."""
    public = public_part()
    split = 10 + len(public.to_bytes())
    age_file = good[split:]

    def envelope(name: str, part: SealedPart, public: sp.PublicPart = public, signer: str = "alice") -> bytes:
        return sp.Envelope(public=public, sealed=seals.seal(name, part.sign(PEOPLE[signer]))).pack()

    def with_seal(sealed: bytes) -> bytes:
        return sp.Envelope(public=public, sealed=sealed).pack()

    elsewhere = public_part(cover_digest=bytes(32))
    other_sketch = bytes(b ^ 0xFF for b in make_sketch(COVER, [FACE]))
    unsealed = sp.Envelope(public=public_part(level=sp.Level.KEYFACE)).pack()
    to_carol = seals.seal("sealed to carol", content(public).sign(PEOPLE["alice"]), "carol")
    header_end = age_file.index(b"\n---")
    for name, error, data in (
        ("no sealed part", sp.UnsealedError, unsealed),
        ("sealed to Carol", sp.NotForMeError, with_seal(to_carol)),
        (
            "from a stranger",
            sp.StrangerError,
            envelope("stranger", content(public, sender=PEOPLE["carol"].id), signer="carol"),
        ),
        (
            "addressed to Carol, sealed again to Bob",
            sp.ForwardedError,
            envelope("forwarded", content(public, recipients=(PEOPLE["carol"].id,))),
        ),
        (
            "sealed to Carol as well, addressed to Bob",
            sp.MalformedError,
            with_seal(seals.seal("copied in", content(public).sign(PEOPLE["alice"]), "bob", "carol")),
        ),
        ("beside another public part", sp.MovedError, sp.Envelope(public=elsewhere, sealed=age_file).pack()),
        (
            "another level than the residual",
            sp.MalformedError,
            envelope("level", content(public, residual=sp.Residual(kind=sp.ResidualKind.FILE, data=b"x"))),
        ),
        ("an opening missing", sp.MalformedError, envelope("no opening", content(public, opening=None))),
        (
            "an opening of another commitment",
            sp.MalformedError,
            envelope("opening", content(public, opening=KEY_FACE.open(sp.MessageId(bytes(16))))),
        ),
        (
            "a sketch for two faces",
            sp.MalformedError,
            envelope("sketch", content(public, sketch=make_sketch(COVER, [FACE, FACE]))),
        ),
        (
            "another picture than the sender's",
            sp.CoverMismatchError,
            envelope("swapped", content(elsewhere, sketch=other_sketch), elsewhere),
        ),
        ("601 seconds in the future", sp.FromFutureError, envelope("future", content(public, sent_at=NOW + 601))),
        ("30 days and a second old", sp.TooOldError, envelope("old", content(public, sent_at=NOW - 30 * 86_400 - 1))),
        ("a bit of the payload", sp.MalformedError, with_seal(age_file[:-1] + bytes([age_file[-1] ^ 1]))),
        ("a chunk cut off", sp.MalformedError, with_seal(age_file[:-1])),
        (
            "the MAC of the header",
            sp.MalformedError,
            with_seal(patch(age_file, header_end + 8, bytes([age_file[header_end + 8] ^ 1]))),
        ),
        ("a passphrase stanza", sp.UnsupportedError, with_seal(age.INTRO + b"-> scrypt AAAA 30\nAAAA\n--- x")),
        ("armored", sp.MalformedError, with_seal(b"-----BEGIN AGE ENCRYPTED FILE-----\n")),
        ("131 stanzas", sp.TooLargeError, with_seal(age.INTRO + b"-> X25519 A\n" * 131 + b"--- x")),
        ("a header without end", sp.TooLargeError, with_seal(age.INTRO + b"-> X25519 A\n" * 3)),
    ):
        add("message", f"message: {name}", error, data)
    add("revoked", "message: by a key that was withdrawn", sp.RevokedKeyError, good)
    add("again", "message: a second time", sp.ReplayedError, good)


def _key_faces(add: Add, seals: Seals, message: bytes) -> None:
    """Shared key faces that Bob opens at NOW, knowing Alice."""
    good = key_face_file(seals)
    age_file = message[message.index(b"age-encryption") :]
    head = SignedPart(age.decrypt(good[4:], PEOPLE["bob"])).fields[: 42 + 64]  # then come the inversions
    one, picture = INVERSION.to_bytes(), pictures()["png"]

    def made(name: str, rest: bytes) -> bytes:
        return b"SCH\1" + seals.seal(f"key face, {name}", _signed(head + rest, primitives.KEY_FACE))

    for name, error, data in (
        ("empty", sp.MalformedError, b""),
        ("version 2", sp.UnsupportedError, patch(good, 3, b"\2")),
        ("a bit of the payload", sp.MalformedError, good[:-1] + bytes([good[-1] ^ 1])),
        ("the sealed part of a message", sp.BadSignatureError, b"SCH\1" + age_file),
        *(
            (name, error, made(name, rest))
            for name, error, rest in (
                ("no picture", sp.MalformedError, b"\0"),
                ("codes and no picture", sp.MalformedError, b"\1" + one),
                ("codes that are cut off", sp.MalformedError, b"\1" + one[:-1]),
                ("no style vectors", sp.MalformedError, b"\1" + patch(one, 32, b"\0")[:35] + picture),
                ("33 style vectors", sp.MalformedError, b"\1" + patch(one, 32, b"\x21")[:35] + bytes(198) + picture),
                ("style vectors of no numbers", sp.MalformedError, b"\1" + patch(one, 33, b"\0\0")[:35] + picture),
                (
                    "style vectors of 1025 numbers",
                    sp.MalformedError,
                    b"\1" + patch(one, 32, b"\1\4\1")[:35] + bytes(2050) + picture,
                ),
                ("an infinity", sp.MalformedError, b"\1" + one[:-2] + b"\0\xfc" + picture),
                ("no number", sp.MalformedError, b"\1" + one[:-2] + b"\1\x7c" + picture),
                ("codes twice for one model", sp.MalformedError, b"\2" + one + one + picture),
                (
                    "codes for 5 models",
                    sp.TooLargeError,
                    b"\5" + b"".join(patch(one, 0, bytes([n])) for n in range(5)) + picture,
                ),
            )
        ),
        (
            "addressed to Carol, sealed again to Bob",
            sp.ForwardedError,
            key_face_file(seals, "key face for carol", recipients=(PEOPLE["carol"].id,)),
        ),
        (
            "601 seconds in the future",
            sp.FromFutureError,
            key_face_file(seals, "key face in the future", sent_at=NOW + 601),
        ),
    ):
        add("key-face", f"key face: {name}", error, data)


def _cards(add: Add) -> None:
    bad, new, large = sp.MalformedError, sp.UnsupportedError, sp.TooLargeError
    card = CARDS["alice"]
    good, text = card.to_bytes(), card.to_text()
    for name, error, data in (
        ("empty", bad, b""),
        ("version 2", new, patch(good, 3, b"\2")),
        ("another name", bad, good.replace(b"Alice", b"Alicf")),
        ("another sealing key", bad, patch(good, 36, PEOPLE["bob"].sealing_key)),
        ("a sealing key of small order", bad, patch(good, 36, bytes(32))),
        ("flag 2", bad, patch(good, len(good) - 65, b"\2")),
        ("a byte too many", bad, good + b"\0"),
        ("641 bytes", large, good + bytes(641 - len(good))),
    ):
        add("card", f"card: {name}", error, data)
    for name, line in (
        ("a typing error", text[:30] + ("q" if text[30] != "q" else "p") + text[31:]),
        ("a character missing", text[:30] + text[31:]),
        ("mixed case", text[:-1] + text[-1].upper() if text[-1].isalpha() else text[:20] + text[20:].upper()),
        ("another prefix", "age" + text[9:]),
    ):
        add("card-text", f"card text: {name}", bad, line)
    revocation = sp.Revocation.create(PEOPLE["alice"], created=NOW, reason=sp.RevocationReason.COMPROMISED).to_bytes()
    add("revocation", "revocation: reason 3", new, patch(revocation, 76, b"\3"))
    add("revocation", "revocation: another time", bad, patch(revocation, 75, b"\1"))


def _carriers(add: Add) -> None:
    bad, new = sp.MalformedError, sp.UnsupportedError
    end, ours = (b"IEND", b""), (b"scRy", b"x")
    tag = b"StyleCrypt\0"

    def jpeg(*bodies: bytes) -> bytes:
        return (
            b"\xff\xd8" + b"".join(b"\xff\xe9" + (len(b) + 2).to_bytes(2, "big") + b for b in bodies) + b"\xff\xda\0\2"
        )

    def webp(body: bytes) -> bytes:
        return b"RIFF" + (len(body) + 4).to_bytes(4, "little") + b"WEBP" + body

    for name, error, data in (
        ("GIF", new, b"GIF89a"),
        ("PNG without IEND", bad, png(ours)),
        ("PNG with two envelopes", bad, png(ours, ours, end)),
        ("PNG, an empty envelope", bad, png((b"scRy", b""), end)),
        ("PNG with a wrong CRC", bad, png(ours, end)[:-13] + b"\0" + png(end)[8:]),
        ("JPEG, piece 2 missing", bad, jpeg(tag + b"\1\2x")),
        ("JPEG, pieces in the wrong order", bad, jpeg(tag + b"\2\2x", tag + b"\1\2x")),
        ("JPEG, a tag alone", bad, jpeg(tag)),
        ("JPEG, an empty piece", bad, jpeg(tag + b"\1\1")),
        ("JPEG, a segment over the end", bad, b"\xff\xd8\xff\xe9\xff\xff" + tag),
        ("WebP with two envelopes", bad, webp(b"SCRY\1\0\0\0x\0" * 2)),
        ("WebP without padding", bad, webp(b"SCRY\1\0\0\0x")),
        ("WebP, RIFF over the end", bad, b"RIFF\xff\0\0\0WEBP"),
    ):
        add("picture", f"picture: {name}", error, data)


def _events(add: Add, good: Any) -> None:
    bad, new = sp.MalformedError, sp.UnsupportedError
    for name, error, inner in (
        ("not an object", bad, "x"),
        ("null", bad, None),
        ("no version", bad, {k: v for k, v in good.items() if k != "v"}),
        ("version as text", bad, {**good, "v": "1"}),
        ("version true", bad, {**good, "v": True}),
        ("version 2", new, {**good, "v": 2}),
        ("an unknown key", new, {**good, "x": 1}),
        ("base64 with padding", bad, {**good, "public": good["public"] + "="}),
        ("not base64", bad, {**good, "public": "***"}),
        ("no public part", bad, {k: v for k, v in good.items() if k != "public"}),
        ("no sealed part", bad, {k: v for k, v in good.items() if k != "sealed"}),
        ("an empty sealed part", bad, {**good, "sealed": ""}),
        ("over 40 KB", sp.TooLargeError, {**good, "sealed": "A" * 40_960}),
    ):
        add("event", f"event: {name}", error, {sp.EVENT_KEY: inner})


def _at_rest(add: Add) -> None:
    """Locked with the passphrase "passphrase", and a file as in values.json."""
    good = locked_secret("passphrase")
    for name, error, data in (
        ("version 2", sp.UnsupportedError, patch(good, 3, b"\2")),
        ("no passes", sp.MalformedError, patch(good, 4, bytes(4))),
        ("4 TiB of memory", sp.MalformedError, patch(good, 8, b"\xff\xff\xff\xff")),
        ("cut off", sp.MalformedError, good[:51]),
        ("less than a tag", sp.MalformedError, good[:67]),
        ("another salt", sp.WrongPassphraseError, patch(good, 12, b"S")),
        ("a bit of the tag", sp.WrongPassphraseError, good[:-1] + bytes([good[-1] ^ 1])),
    ):
        add("locked", f"locked secret: {name}", error, data)
    good = file_at_rest("größe.bin")
    for name, error, data in (
        ("version 2", sp.UnsupportedError, patch(good, 3, b"\2")),
        ("cut off", sp.MalformedError, good[:40]),
        ("another name", sp.MalformedError, file_at_rest("grösse.bin")),
        ("a bit of the tag", sp.MalformedError, good[:-1] + bytes([good[-1] ^ 1])),
    ):
        add("file", f"file at rest: {name}", error, data)


def build(kept: dict[str, str]) -> dict[str, Any]:
    """The content of every file, by name; ``kept`` is sealed.json as it was."""
    seals = Seals(kept)
    files: dict[str, Any] = {
        "values.json": values(seals),
        "messages.json": messages(seals),
        "carriers.json": carriers(),
        "malformed.json": malformed(seals),
    }
    return {**files, "sealed.json": seals.used}


def main() -> None:
    """Writes the files."""
    path = HERE / "sealed.json"
    for name, value in build(json.loads(path.read_text()) if path.exists() else {}).items():
        (HERE / name).write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()

"""Who and what is in the vectors, from fixed keys; and how it is sealed."""

from __future__ import annotations

import unicodedata
import zlib
from typing import Any

import stylecrypt_protocol as sp
from stylecrypt_protocol import age, primitives
from stylecrypt_protocol.cover import make_sketch
from stylecrypt_protocol.imprint import ImprintContent
from stylecrypt_protocol.residuals import FacePiece, FacesResidual, StylesResidual
from stylecrypt_protocol.sealed import SealedPart

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
VP8L = bytes.fromhex("2f000000000710058cfe0722a2ff01")  # 1 x 1 px
FACE = sp.WireQuad.from_pixels([(4, 2), (4, 14.5), (16.25, 14.5), (16.25, 2)])
BEYOND = sp.WireQuad.from_pixels([(-40, -40), (-40, 56), (64, 56), (64, -40)])  # cut to the cover, all of it
BESIDE = sp.WireQuad.from_pixels([(30, 2), (30, 14.5), (42.25, 14.5), (42.25, 2)])
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


def locked_secret(passphrase: str, secret: bytes = bytes(range(64))) -> bytes:
    """A secret under a passphrase: salt and nonce are fixed here and random in practice."""
    header = b"SCK\1" + (1).to_bytes(4, "big") + (8).to_bytes(4, "big") + b"s" * 16
    typed = unicodedata.normalize("NFC", passphrase).encode()
    key = primitives.argon2id(typed, b"s" * 16, operations=1, memory=8192)
    sealed = primitives.xchacha20poly1305_encrypt(key, b"n" * 24, secret, primitives.PASSPHRASE + header)
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


# A face and two layers of three numbers; a piece of one block, and one of three in a box of four.
STYLES = StylesResidual(
    landmarks=(tuple(64 * n for n in range(10)),), codes=bytes.fromhex("003c00c00038ff7b01000080")
).to_bytes()
FACES = FacesResidual(
    pieces=(
        FacePiece(left=0, top=0, columns=1, rows=1, blocks=b"\x80", picture=b"a picture of 16 x 16 px"),
        FacePiece(left=1, top=1, columns=2, rows=2, blocks=b"\xe0", picture=b"a picture of 32 x 32 px"),
    )
).to_bytes()


# Two faces in cells: one of 27, and one of 3 in a box of 4 in the last corner.
IMPRINTED = sp.ImprintedFace(left=10, top=5, columns=9, rows=3, cells=b"\xff\xff\xff\xe0", picture=b"a picture")
CORNER = sp.ImprintedFace(left=62, top=62, columns=2, rows=2, cells=b"\xe0", picture=b"a picture")
IMPRINT_KEY = b"\x1e" * 32  # random in practice
_STANZA = primitives.HPKE_BYTES + 33


def imprint_content(**changes: Any) -> ImprintContent:
    """What Alice writes to Bob in the pixels."""
    fields: dict[str, Any] = {
        "sender": PEOPLE["alice"].id,
        "recipients": (PEOPLE["bob"].id,),
        "sent_at": NOW,
        "message_id": ID,
        "context": bytes(16),
        "width": WIDTH,
        "height": HEIGHT,
        "sketch": make_sketch(COVER, ()),
        "faces": (IMPRINTED,),
        "caption": "Grüße",
    }
    return ImprintContent(**{**fields, **changes})


def room(size: int = 408, keys: int = 1) -> int:
    """Bytes of the plaintext of an imprint of ``size`` bytes, sealed to so many keys."""
    return size - keys * _STANZA - primitives.TAG_BYTES


class Seals:
    """Age files, and the stanzas of imprints, kept from one run to the next."""

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

    def imprint(self, name: str, plaintext: bytes, *to: str, count: int | None = None) -> bytes:
        """An imprint to Bob, or to others, under a name of its own; ``count``: of stanzas, as they say themselves."""
        to = to or ("bob",)
        inside = IMPRINT_KEY + bytes([len(to) if count is None else count])
        stanzas = bytes.fromhex(self.kept.get(name, ""))
        pieces = [stanzas[at : at + _STANZA] for at in range(0, len(stanzas), _STANZA)]
        if len(pieces) != len(to) or any(
            PEOPLE[one].open(primitives.IMPRINT, piece) != inside for one, piece in zip(to, pieces, strict=True)
        ):
            pieces = [primitives.hpke_seal(PEOPLE[one].sealing_key, primitives.IMPRINT, inside) for one in to]
        stanzas = b"".join(pieces)
        self.used[name] = self.kept[name] = stanzas.hex()
        associated = primitives.IMPRINT + stanzas
        return stanzas + primitives.xchacha20poly1305_encrypt(IMPRINT_KEY, bytes(24), plaintext, associated)


def png(*chunks: tuple[bytes, bytes]) -> bytes:
    """A PNG file of these chunks."""
    parts = [len(d).to_bytes(4, "big") + t + d + zlib.crc32(t + d).to_bytes(4, "big") for t, d in chunks]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def webp(*chunks: tuple[bytes, bytes]) -> bytes:
    """A WebP file of these chunks."""
    body = b"".join(t + len(d).to_bytes(4, "little") + d + bytes(len(d) % 2) for t, d in chunks)
    return b"RIFF" + (len(body) + 4).to_bytes(4, "little") + b"WEBP" + body


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
        "webp": webp((b"VP8L", VP8L)),
    }


def doubled(kind: str, full: bytes) -> bytes:
    """A picture that has a payload, with all of it once more behind."""
    if kind == "png":
        at = full.index(b"scRy") - 4
        return full[:-12] + full[at:]
    if kind == "jpeg":
        at = full.index(b"\xff\xe9")
        end = at + 2 + int.from_bytes(full[at + 2 : at + 4], "big")
        return full[:end] + full[at:]
    both = full + full[full.index(b"SCRY") :]
    return both[:4] + (len(both) - 8).to_bytes(4, "little") + both[8:]


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

"""Vectors of what has to be refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import stylecrypt_protocol as sp
from cast import (
    BEYOND,
    CARDS,
    COVER,
    FACE,
    FACES,
    IMPRINTED,
    INVERSION,
    KEY_FACE,
    NOW,
    PEOPLE,
    STYLES,
    Seals,
    content,
    file_at_rest,
    imprint_content,
    key_face_file,
    locked_secret,
    pictures,
    png,
    public_part,
    room,
    webp,
)
from edges import EIGHTH, ONE, PRIME_AND_ONE, ZERO, larger_s, satisfying
from stylecrypt_protocol import age, bech32, primitives
from stylecrypt_protocol.cover import make_sketch
from stylecrypt_protocol.sealed import SealedPart
from stylecrypt_protocol.signed import SignedPart


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
    _imprints(add, seals)
    _cards(add)
    _carriers(add)
    _events(add, sp.to_event(sp.Envelope.unpack(packed))[sp.EVENT_KEY])
    _at_rest(add)
    _residuals(add)
    return rows


Add = Callable[[str, str, type[sp.RemoteProtocolError], Any], None]


def patch(data: bytes, at: int, value: bytes) -> bytes:
    """``data`` with the bytes at one place replaced."""
    return data[:at] + value + data[at + len(value) :]


def _public(add: Add, good: bytes) -> None:
    bad, new, large = sp.MalformedError, sp.UnsupportedError, sp.TooLargeError
    beyond = b"".join(value.to_bytes(4, "big", signed=True) for xy in BEYOND.corners for value in xy)
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
        ("faces over 8 times the cover and more", bad, good[:91] + b"\x09" + beyond * 8 + good[92:]),
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


def _signed(fields: bytes, domain: bytes = primitives.MESSAGE, size: int | None = None) -> bytes:
    body = fields + PEOPLE["alice"].sign(domain, fields)
    body = len(body).to_bytes(4, "big") + body
    return body + bytes((age.padme(len(body)) if size is None else size) - len(body))


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
            "S of the signature larger by the order of the group",
            sp.BadSignatureError,
            patch(good, 4 + len(fields), larger_s(good[4 + len(fields) :][:64])),
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
        ("a stanza without a type", sp.MalformedError, with_seal(age.INTRO + b"->\nAAAA\n--- x")),
        ("a stanza of an empty type", sp.MalformedError, with_seal(age.INTRO + b"-> \nAAAA\n--- x")),
        ("no X25519 stanza", sp.MalformedError, with_seal(age.INTRO + b"-> x-grease A\nAAAA\n--- x")),
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


def _imprints(add: Add, seals: Seals) -> None:
    """Imprints that Bob opens at NOW, knowing Alice, from the cover of values.json."""
    bad, large = sp.MalformedError, sp.TooLargeError
    part, for_carol = imprint_content(), imprint_content(recipients=(PEOPLE["carol"].id,))
    plaintext, fields, one = part.sign(PEOPLE["alice"], room()), part.to_fields(), IMPRINTED.to_bytes()
    signature = 4 + len(fields)
    faces = fields.index(one)
    before, after = fields[: faces - 1], fields[faces + len(one) :]

    def seal(name: str, plaintext: bytes, *to: str, count: int | None = None) -> bytes:
        return seals.imprint(f"imprint, {name}", plaintext, *to, count=count)

    def flipped(data: bytes, at: int) -> bytes:
        return patch(data, at, bytes([data[at] ^ 1]))

    good = seal("good", plaintext)
    two = part.sign(PEOPLE["alice"], room(612, keys=2))
    to_two = seal("to two", two, "bob", "carol")
    stranger = imprint_content(sender=PEOPLE["carol"].id).sign(PEOPLE["carol"], room())
    nine = imprint_content(
        recipients=tuple(sorted([PEOPLE["bob"].id, *(sp.CardId(bytes([n]) * 16) for n in range(8))]))
    )
    rows: list[tuple[str, type[sp.RemoteProtocolError], bytes]] = [
        ("empty", sp.NotForMeError, b""),
        ("cut off within the stanza", sp.NotForMeError, good[:80]),
        ("the stanza alone", bad, good[:81]),
        ("a byte too few", bad, good[:-1]),
        ("a byte too many", bad, good + b"\0"),
        ("4081 bytes", large, good + bytes(4081 - len(good))),
        ("a bit of the encapsulated key", sp.NotForMeError, flipped(good, 0)),
        ("a bit of the stanza", sp.NotForMeError, flipped(good, 80)),
        ("a bit of the ciphertext", bad, flipped(good, 81)),
        ("a bit of the tag", bad, flipped(good, len(good) - 1)),
        ("a bit of another's stanza", bad, flipped(to_two, 81)),
        ("sealed to Carol", sp.NotForMeError, seal("Carol's", for_carol.sign(PEOPLE["alice"], room()), "carol")),
        ("a stanza that counts none", bad, seal("none", plaintext, count=0)),
        ("a stanza that counts two", bad, seal("two", plaintext, count=2)),
        ("nine recipients", bad, seal("nine", nine.sign(PEOPLE["alice"], room(1224, keys=9)), *["bob"] * 9)),
        ("the second stanza, which counts one", bad, seal("second of one", two, "carol", "bob", count=1)),
        ("sealed to Carol as well, addressed to Bob", bad, to_two),
        ("from a stranger", sp.StrangerError, seal("stranger", stranger)),
        ("padding that is not zero", bad, seal("padding", plaintext[:-1] + b"\1")),
        ("a length over the end", bad, seal("length", patch(plaintext, 2, b"\xff"))),
        ("a bit of the signature", sp.BadSignatureError, seal("signature", flipped(plaintext, signature))),
        ("signed as a message", sp.BadSignatureError, seal("domain", _signed(fields, size=room()))),
    ]
    rows += [
        (name, error, seal(name, _signed(wrong, primitives.IMPRINT, room(612))))
        for name, error, wrong in (
            ("version 2", sp.UnsupportedError, patch(fields, 0, b"\2")),
            ("width 0", bad, patch(fields, 74, b"\0\0")),
            ("no faces", bad, before + b"\0" + after),
            ("nine faces", large, before + b"\x09" + one * 9 + after),
            ("a face too few", bad, before + b"\2" + one + after),
            ("a face over the right border", bad, patch(fields, faces, b"\x38")),
            ("a face over the lower border", bad, patch(fields, faces + 1, b"\x3e")),
            ("a face of no columns", bad, patch(fields, faces + 2, b"\0")),
            ("a bit beyond the map", bad, patch(fields, faces + 7, b"\xe1")),
            ("a face without a picture", bad, before + b"\1" + one[:8] + b"\0\0" + after),
            ("a caption with an escape character", bad, patch(fields, len(fields) - 1, b"\x1b")),
            ("a byte after the caption", bad, fields + b"\0"),
        )
    ]
    rows += [
        (name, error, seal(name, other.sign(PEOPLE["alice"], room())))
        for name, error, other in (
            ("addressed to Carol, sealed again to Bob", sp.ForwardedError, for_carol),
            ("another picture", sp.CoverMismatchError, imprint_content(sketch=bytes(b ^ 0xFF for b in part.sketch))),
            ("a picture of other proportions", sp.CoverMismatchError, imprint_content(height=20)),
            ("an even picture", sp.CoverMismatchError, imprint_content(sketch=b"\x80" * 64)),
            ("601 seconds in the future", sp.FromFutureError, imprint_content(sent_at=NOW + 601)),
            ("30 days and a second old", sp.TooOldError, imprint_content(sent_at=NOW - 30 * 86_400 - 1)),
        )
    ]
    for name, error, data in rows:
        add("imprint", f"imprint: {name}", error, data)


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
    for name, user_id, display in (
        ("a user id that holds U+200D", "@al\u200dice:x", "Alice"),
        ("a display name that holds U+200B", "@alice:x", "Ali\u200bce"),
        ("a display name of U+200D alone", "@alice:x", "\u200d"),
    ):
        fields = (
            good[:76] + b"".join(len(t.encode()).to_bytes(1, "big") + t.encode() for t in (user_id, display)) + b"\0"
        )
        add("card", f"card: {name}", bad, fields + PEOPLE["alice"].sign(primitives.CARD, fields))
    sealing = good[36:67] + bytes([good[67] | 0x80])
    fields = good[:36] + sealing + good[68:-64]
    add(
        "card",
        "card: a sealing key with the bit that is ignored",
        bad,
        fields + PEOPLE["alice"].sign(primitives.CARD, fields),
    )
    for name, key in (
        ("of zeros", ZERO),
        ("of order 1", ONE),
        ("of order 8", EIGHTH),
        ("not canonical", PRIME_AND_ONE),
    ):
        fields = patch(good[:-64], 4, key)
        add("card", f"card: a signing key {name}", bad, fields + satisfying(key, primitives.CARD + fields))
    bound = good[: len(good) - 65]  # all before the flag
    rotation = b"\1" + ONE + satisfying(ONE, primitives.ROTATION + bound)
    add(
        "card",
        "card: it replaces one with a signing key of order 1",
        bad,
        bound + rotation + PEOPLE["alice"].sign(primitives.CARD, bound + rotation),
    )
    own = b"\1" + PEOPLE["alice"].signing_key + PEOPLE["alice"].sign(primitives.ROTATION, bound)
    own = bound + own + PEOPLE["alice"].sign(primitives.CARD, bound + own)
    add("card", "card: it replaces one with its own signing key", bad, own)
    late = sp.Card.create(PEOPLE["carol"], user_id="@carol:x", display_name="", created=NOW + 601)
    add("new-card", "card: 601 seconds in the future", sp.FromFutureError, late.to_bytes())
    for name, error, line in (
        ("a typing error", bad, text[:30] + ("q" if text[30] != "q" else "p") + text[31:]),
        ("a character missing", bad, text[:30] + text[31:]),
        ("mixed case", bad, text[:-1] + text[-1].upper() if text[-1].isalpha() else text[:20] + text[20:].upper()),
        ("another prefix", bad, "age" + text[9:]),
        *((f"U+{ord(mark):04X} around it", bad, mark + text + mark) for mark in "\x0b\x1f\x85\u2028"),
        *((f"{size} bytes", large, bech32.encode("stylecard", good + bytes(size - len(good)))) for size in (641, 6400)),
    ):
        add("card-text", f"card text: {name}", error, line)
    withdrawn = b"SCR\1" + ONE + PEOPLE["alice"].sealing_key + NOW.to_bytes(8, "big") + b"\1"
    forged = withdrawn + satisfying(ONE, primitives.REVOCATION + withdrawn)
    add("revocation", "revocation: a signing key of order 1", bad, forged)
    revocation = sp.Revocation.create(PEOPLE["alice"], created=NOW, reason=sp.RevocationReason.COMPROMISED).to_bytes()
    add("revocation", "revocation: reason 3", new, patch(revocation, 76, b"\3"))
    add("revocation", "revocation: another time", bad, patch(revocation, 75, b"\1"))


def _carriers(add: Add) -> None:
    bad, new = sp.MalformedError, sp.UnsupportedError
    end, ours, held = (b"IEND", b""), (b"scRy", b"x"), (b"SCRY", b"x")
    tag = b"StyleCrypt\0"

    def jpeg(*bodies: bytes) -> bytes:
        return (
            b"\xff\xd8" + b"".join(b"\xff\xe9" + (len(b) + 2).to_bytes(2, "big") + b for b in bodies) + b"\xff\xda\0\2"
        )

    for name, error, data in (
        ("GIF", new, b"GIF89a"),
        ("PNG without IEND", bad, png(ours)),
        ("PNG with two envelopes", bad, png(ours, ours, end)),
        ("PNG, an empty envelope", bad, png((b"scRy", b""), end)),
        ("PNG with a wrong CRC", bad, png(ours, end)[:-13] + b"\0" + png(end)[8:]),
        ("JPEG with two envelopes", bad, jpeg(tag + b"\1\1x", tag + b"\1\1x")),
        ("JPEG, piece 2 missing", bad, jpeg(tag + b"\1\2x")),
        ("JPEG, pieces in the wrong order", bad, jpeg(tag + b"\2\2x", tag + b"\1\2x")),
        ("JPEG, a tag alone", bad, jpeg(tag)),
        ("JPEG, an empty piece", bad, jpeg(tag + b"\1\1")),
        ("JPEG, a segment over the end", bad, b"\xff\xd8\xff\xe9\xff\xff" + tag),
        ("JPEG that ends behind the SOS marker", bad, jpeg(tag + b"\1\1x")[:-2]),
        ("JPEG that ends within the length of SOS", bad, jpeg(tag + b"\1\1x")[:-1]),
        ("WebP with two envelopes", bad, webp(held, held)),
        ("WebP without padding", bad, patch(webp(held)[:-1], 4, b"\x0d")),
        ("WebP without a chunk", bad, webp()),
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
        ("a secret of 65 bytes", sp.TooLargeError, locked_secret("passphrase", bytes(65))),
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


def _residuals(add: Add) -> None:
    """For the sizes of those in values.json."""
    bad, new = sp.MalformedError, sp.UnsupportedError
    for name, error, data in (
        ("empty", bad, b""),
        ("version 2", new, patch(STYLES, 0, b"\2")),
        ("cut off", bad, STYLES[:-1]),
        ("a byte too many", bad, STYLES + b"\0"),
        ("an infinite number", bad, STYLES[:-2] + b"\x00\x7c"),
        ("a landmark far away", bad, patch(STYLES, 1, b"\x7f\0\0\0")),
    ):
        add("styles", f"style vectors: {name}", error, data)
    for name, error, data in (
        ("version 2", new, patch(FACES, 0, b"\2")),
        ("129 pieces", bad, patch(FACES, 1, b"\x81")),
        ("a piece too many", bad, patch(FACES, 1, b"\3")),
        ("a piece outside", bad, patch(FACES, 2, b"\0\3")),
        ("an empty piece", bad, patch(FACES, 6, b"\0\0")),
        ("two pieces over each other", bad, patch(FACES, 2, b"\0\1\0\1")),
        ("a bit beyond the map", bad, patch(FACES, 10, b"\x81")),
        ("a byte too many", bad, FACES + b"\0"),
    ):
        add("faces", f"face regions: {name}", error, data)

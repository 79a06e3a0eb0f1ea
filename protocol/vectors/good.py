"""Vectors of what is accepted."""

from __future__ import annotations

from typing import Any

import numpy as np
import stylecrypt_protocol as sp
from cast import (
    BESIDE,
    BEYOND,
    CARDS,
    CHAT,
    COVER,
    FACE,
    FACES,
    HEIGHT,
    ID,
    INVERSION,
    KEY_FACE,
    NOW,
    PEOPLE,
    RGB,
    STORAGE_KEY,
    STYLES,
    TYPED,
    VP8L,
    WIDTH,
    Seals,
    content,
    doubled,
    file_at_rest,
    key_face_file,
    locked_secret,
    pictures,
    public_part,
    webp,
)
from edges import signatures, verdicts
from stylecrypt_protocol import age
from stylecrypt_protocol.cover import make_sketch


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
        "verdicts": verdicts(),
        "signatures": signatures(),
        "locked": {"passphrase": TYPED, "secret": bytes(range(64)).hex(), "bytes": locked_secret(TYPED).hex()},
        "several": several(seals),
        "sketches": sketches(),
        "comparisons": comparisons(),
        "residuals": {
            "styles": {"faces": 1, "styles": 2, "dimensions": 3, "bytes": STYLES.hex()},
            "faces": {"width": 48, "height": 40, "bytes": FACES.hex()},
        },
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
    other = pixels.copy()
    other[4:12, 6:14] = 255 - other[4:12, 6:14]
    made = {
        "the same": (pixels, sp.CoverVerdict.EXACT),
        "without the lowest bit": (pixels & 0xFE, sp.CoverVerdict.CHANGED),
        "three quarters as light, and a shift": (pixels // 4 * 3 + 40, sp.CoverVerdict.SWAPPED),
        "another face": (other, sp.CoverVerdict.SWAPPED),
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


def sketches() -> list[dict[str, Any]]:
    """Of a picture of 280 x 270 px; README.md says what is in it."""
    x, y = np.meshgrid(np.arange(280), np.arange(270))
    grey = ((x // 3 * 7 + y // 5 * 11) % 256).astype(np.uint8)
    cover = sp.Pixels(width=280, height=270, rgb=np.repeat(grey[..., None], 3, axis=2).tobytes())
    boxes = {f"{side} px": (5, 5, 5 + side, 5 + side) for side in (127, 128, 255, 256)}
    boxes |= {"over the border": (200, 100, 500, 400), "outside": (-90, -90, -10, -10), "a line": (10, 20, 10, 220)}
    rows = []
    for name, (left, top, right, bottom) in boxes.items():
        face = sp.WireQuad.from_pixels([(left, top), (left, bottom), (right, bottom), (right, top)])
        rows.append({"face": name, "face_in_64th_px": face.corners, "sketch": make_sketch(cover, [face]).hex()})
    return rows


def comparisons() -> list[dict[str, Any]]:
    """A card that is offered where another is pinned, and what that is."""
    alice, bob = PEOPLE["alice"], PEOPLE["bob"]
    half, other = (
        sp.Identity(sp.Secret(one.to_secret().reveal()[:32]), sp.Secret(two.to_secret().reveal()[32:]))
        for one, two in ((bob, alice), (alice, bob))
    )
    names: dict[str, Any] = {"user_id": "@alice:example.org", "display_name": "Alice"}
    made = {
        "the same again": sp.Card.create(alice, created=NOW, **names),
        "an older name": sp.Card.create(alice, created=NOW - 1, user_id=names["user_id"], display_name="Al"),
        "a newer name": sp.Card.create(alice, created=NOW + 1, user_id=names["user_id"], display_name="Al"),
        "a newer name, 600 seconds in the future": sp.Card.create(
            alice, created=NOW + 600, user_id=names["user_id"], display_name="Al"
        ),
        "the same keys under another user id": sp.Card.create(
            alice, created=NOW + 1, user_id="@al:example.org", display_name="Alice"
        ),
        "new keys, vouched for": sp.Card.create(bob, created=NOW + 1, previous=alice, **names),
        "new keys, vouched for, not newer": sp.Card.create(bob, created=NOW, previous=alice, **names),
        "new keys": sp.Card.create(bob, created=NOW + 1, **names),
        "a new signing key beside the old sealing key": sp.Card.create(half, created=NOW + 1, previous=alice, **names),
        "the old signing key beside a new sealing key": sp.Card.create(other, created=NOW + 1, **names),
    }
    pinned = made["the same again"]
    return [
        {"name": name, "offered": card.to_bytes().hex(), "change": sp.compare_cards(pinned, card).value}
        for name, card in made.items()
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
        "latent, eight faces over the cover's borders, and one outside": (
            public_part(faces=(BEYOND,) * 8 + (BESIDE,)),
            {},
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
                "level": public.level,
                "residual": part.residual.data.hex(),
                "caption": part.caption,
                "file_name": part.file_name,
                "chat": CHAT if part.context == sp.context_of(CHAT) else None,
            }
        )
    return rows


def several(seals: Seals) -> list[dict[str, Any]]:
    """Envelopes that came with one picture: in its event, in a file beside it, inside; and what comes of them."""
    latent, _, file, *_ = (bytes.fromhex(row["envelope"]) for row in messages(seals))
    first, third = "latent, with a commitment", "original, the file"
    public = public_part()
    to_carol = seals.seal("sealed to carol", content(public).sign(PEOPLE["alice"]), "carol")
    carols = sp.Envelope(public=public, sealed=to_carol).pack()
    bare = sp.Envelope(public=public_part(level=sp.Level.KEYFACE)).pack()
    cut, later = latent[:-1], latent[:3] + b"\2" + latent[4:]
    made: dict[str, tuple[bytes | None, bytes | None, bytes | None, str]] = {
        "event before file": (latent, file, None, first),
        "event before picture": (file, None, latent, third),
        "file before picture": (None, latent, file, first),
        "an unsealed one before a sealed one": (bare, None, latent, first),
        "a damaged one before a whole one": (None, cut, latent, first),
        "a damaged one behind a whole one": (None, latent, cut, first),
        "one to Carol before one to Bob": (carols, None, latent, first),
        "an unsealed one before one to Carol": (bare, carols, None, "NotForMeError"),
        "an unsealed one and a damaged one": (cut, None, bare, "UnsealedError"),
        "all damaged": (None, later, cut, "UnsupportedError"),
    }
    rows = []
    for name, (event, beside, inside, outcome) in made.items():
        picture = pictures()["png"] if inside is None else sp.put(pictures()["png"], inside)
        found = {"event": event and event.hex(), "beside": beside and beside.hex(), "picture": picture.hex()}
        rows.append({"name": name, **found, "outcome": outcome})
    return rows


def carriers() -> list[dict[str, str | None]]:
    """Pictures before and after a payload is put in, and after it is removed: plain ones, some that held several, and some
    that take none."""
    rows: list[dict[str, str | None]] = []
    for name, picture in pictures().items():
        for payload in (b"payload", b"odd"):
            full = sp.put(picture, payload)
            texts = {"payload": payload.hex(), "carried": full.hex(), "removed": sp.remove(full).hex()}
            rows += [
                {"format": name, "held": held, "picture": given.hex(), **texts}
                for held, given in (("none", picture), ("two", doubled(name, full)))
            ]
    empty = bytes(3) + b"\x9d\x01\x2a" + bytes(2) + b"\1\0"  # width 0, height 1
    for chunks in ([(b"EXIF", b"MM"), (b"VP8L", VP8L)], [(b"VP8 ", empty)]):
        plain = webp(*chunks).hex()
        row = {"format": "webp", "held": "none", "picture": plain, "payload": b"payload".hex()}
        rows.append({**row, "carried": None, "removed": plain})
    return rows

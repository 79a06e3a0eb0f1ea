"""Vectors of what lies just on either side of a limit: verdicts on covers, signatures, messages that come again."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import numpy as np
import stylecrypt_protocol as sp
from cast import CHAT, COVER, NOW, PEOPLE, RGB, Seals, content, imprint_content, public_part, room
from nacl import bindings

SIDE = 16
"""Tiles of a picture; two for a cell of the cover."""


def verdicts() -> list[dict[str, Any]]:
    """Pictures at the limits of section 5.3, and what must be said of them; README.md says how they are written down."""
    across, down = np.meshgrid(np.arange(SIDE), np.arange(SIDE))
    sent = 100 + 4 * across + 2 * down  # whole numbers, in tiles and in cells
    some, one = np.zeros((SIDE, SIDE), int), np.zeros((SIDE, SIDE), int)
    some[:2, :2] = one[5, 6] = 1  # a cell of the cover beside the face, and one of the face
    left = (across < SIDE // 2).astype(int)
    rows = []

    def add(
        name: str,
        verdict: str,
        hundredths: Any,
        *,
        face: int | None = 40,
        tile: int = 10,
        height: int = 160,
        tiles: Any = sent,
    ) -> None:
        """A picture whose tiles differ from those sent by so many hundredths; the face is so far from each border."""
        grids, quads = [tiles.reshape(8, 2, 8, 2).mean((1, 3))], []
        if face is not None:
            end = 160 - face
            quads.append(sp.WireQuad.from_pixels([(face, face), (face, end), (end, end), (end, face)]))
            grids.append(tiles[face // 10 : end // 10, face // 10 : end // 10])
        rows.append(
            {
                "name": name,
                "width": 160,
                "height": height,
                "faces_in_64th_px": [quad.corners for quad in quads],
                "sketch": b"".join(grid.astype(np.uint8).tobytes() for grid in grids).hex(),
                "tile": tile,
                "sums": ((tiles * 100 + hundredths) * tile**2 // 100).astype(">u2").tobytes().hex(),
                "verdict": verdict,
            }
        )

    for off, verdict in ((795, "changed"), (805, "swapped")):
        add(f"a cell of the cover {off / 100} lighter", verdict, some * off)
        add(f"a cell of the cover {off / 100} darker", verdict, some * -off)
        add(f"a cell of the face {off / 100} lighter", verdict, one * off)
        add(f"one half twice {off / 100} lighter, which makes {off / 100} the shift", verdict, left * 2 * off)
    for off, verdict in ((1195, "changed"), (1205, "swapped")):
        add(f"all {off / 100} lighter", verdict, off)
        add(f"all {off / 100} darker", verdict, -off)
    add("all 11.95 lighter, and a cell of the face 7.95 more", "changed", 1195 + one * 795)
    for span, verdict in ((32, "changed"), (31, "swapped")):
        ramp = 100 + np.minimum(6 * (across // 2), span)
        add(f"{span} between the darkest and the lightest cell", verdict, 100, tiles=ramp)
    for height, verdict in ((162, "changed"), (163, "swapped")):
        add(f"sent with {height} rows", verdict, 100, face=None, height=height)
    for tile, verdict in ((5, "swapped"), (4, "changed")):
        add(f"a face in cells of {tile} px, one of them 12 lighter", verdict, one * 1200, face=0, tile=tile)
    return rows


ONE, ZERO = (1).to_bytes(32, "little"), bytes(32)
"""As points, of order 1 and of order 4; as scalars, 1 and 0."""
EIGHTH = bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a")  # a point of order 8
PRIME_AND_ONE = (2**255 - 19 + 1).to_bytes(32, "little")  # the point of order 1 once more, not canonical
ORDER = 2**252 + 27742317777372353535851937790883648493


def signatures() -> list[dict[str, Any]]:
    """Ed25519 on the edges of section 2.4. All but "a wrong bit" satisfy one form of the equation or another."""
    key, message = PEOPLE["alice"].signing_key, b"signed on the edge"
    secret = _scalar(PEOPLE["alice"].to_secret().reveal()[:32])
    good = PEOPLE["alice"].sign(b"", message)
    mixed = bindings.crypto_core_ed25519_add(key, EIGHTH)
    short = bindings.crypto_core_ed25519_scalar_mul(_challenge(ONE, key, message), secret)
    rows = (
        ("good", key, good, True),
        ("a wrong bit", key, good[:-1] + bytes([good[-1] ^ 1]), False),
        ("S larger by the order of the group", key, larger_s(good), False),
        ("R of order 1", key, ONE + short, False),
        ("R with a part of order 8", key, satisfying(key, message, secret, part=EIGHTH), False),
        ("a key of zeros, which is of order 4", ZERO, satisfying(ZERO, message), False),
        ("a key of order 1", ONE, satisfying(ONE, message), False),
        ("a key of order 8", EIGHTH, satisfying(EIGHTH, message), False),
        ("a key of order 1, written as the prime and 1", PRIME_AND_ONE, satisfying(PRIME_AND_ONE, message), False),
        ("a key with a part of order 8 that cancels", mixed, satisfying(mixed, message, secret), True),
        (
            "a key with a part of order 8 that does not",
            mixed,
            satisfying(mixed, message, secret, lambda k: k % 8 == 1),
            False,
        ),
    )
    return [
        {"name": name, "key": key.hex(), "message": message.hex(), "signature": signature.hex(), "good": good}
        for name, key, signature, good in rows
    ]


def larger_s(signature: bytes) -> bytes:
    """The signature with S not reduced, which satisfies the equation all the same."""
    return signature[:32] + (int.from_bytes(signature[32:], "little") + ORDER).to_bytes(32, "little")


def satisfying(
    key: bytes,
    message: bytes,
    secret: bytes = ZERO,
    wanted: Callable[[int], bool] = lambda k: k % 8 == 0,
    part: bytes = ONE,
) -> bytes:
    """A signature R, S with R = [r]B + part and S = r + k a, for the first r from 1 on whose k is as wanted.

    With k a multiple of 8 whatever the key has of small order cancels: the equation without the cofactor holds.
    """
    for r in range(1, 1000):
        scalar = r.to_bytes(32, "little")
        point = bindings.crypto_core_ed25519_add(bindings.crypto_scalarmult_ed25519_base_noclamp(scalar), part)
        k = _challenge(point, key, message)
        if wanted(int.from_bytes(k, "little")):
            return point + bindings.crypto_core_ed25519_scalar_add(
                scalar, bindings.crypto_core_ed25519_scalar_mul(k, secret)
            )
    raise AssertionError


def _scalar(seed: bytes) -> bytes:
    """RFC 8032, section 5.1.5, steps 1 and 2."""
    hashed = hashlib.sha512(seed).digest()
    return _reduced(bytes([hashed[0] & 248]) + hashed[1:31] + bytes([hashed[31] & 63 | 64]))


def _challenge(point: bytes, key: bytes, message: bytes) -> bytes:
    return _reduced(hashlib.sha512(point + key + message).digest())


def _reduced(number: bytes) -> bytes:
    return bindings.crypto_core_ed25519_scalar_reduce(number.ljust(64, b"\0"))


def replays(seals: Seals) -> dict[str, Any]:
    """Messages that Bob, who knows Alice and Carol, opens one after the other with one store."""
    old, day = 30 * 86_400, 86_400
    public = public_part()

    def sealed(name: str, public: sp.PublicPart, sender: str = "alice", **changes: Any) -> str:
        part = content(public, sender=PEOPLE[sender].id, **changes)
        return sp.Envelope(public=public, sealed=seals.seal(f"replay, {name}", part.sign(PEOPLE[sender]))).pack().hex()

    envelopes = {
        "plain": sealed("plain", public),
        "to a chat": sealed("to a chat", public, context=sp.context_of(CHAT)),
        "a day older": sealed("a day older", public_part(message_id=sp.MessageId(b"o" * 16)), sent_at=NOW - day),
        "with the same id, by Carol": sealed("by Carol", public, "carol"),
    }
    pixels = imprint_content(context=sp.context_of(CHAT)[:16]).sign(PEOPLE["alice"], room())
    imprints = {"pixels to a chat": seals.imprint("replay, pixels to a chat", pixels).hex()}
    pictures = {"exact": RGB, "changed": bytes(b & 0xFE for b in RGB), "swapped": RGB[::-1]}

    def step(of: str, outcome: str, picture: str = "exact", chat: str | None = None, now: int = NOW) -> dict[str, Any]:
        return {"of": of, "picture": picture, "chat": chat, "now": now, "outcome": outcome}

    again, here, there = "ReplayedError", CHAT, "!elsewhere:example.org"
    sequences = {
        "twice": [step("plain", "opens"), step("plain", again)],
        "a changed copy, then the picture itself": [
            step("plain", "opens", "changed"),
            step("plain", again, "changed"),
            step("plain", "opens"),
            step("plain", again),
            step("plain", again, "changed"),
        ],
        "elsewhere, then where it belongs": [
            step("to a chat", "opens elsewhere", chat=there),
            step("to a chat", "opens", chat=here),
            step("to a chat", again, chat=there),
        ],
        "six times, each time better": [
            step("pixels to a chat", "opens elsewhere", "exact", there),
            step("to a chat", "opens elsewhere", "changed", there),
            step("to a chat", "opens elsewhere", "exact", there),
            step("pixels to a chat", "opens", "changed", here),
            step("pixels to a chat", again, "exact", here),
            step("to a chat", "opens", "changed", here),
            step("to a chat", "opens", "exact", here),
            step("to a chat", again, "exact", here),
            step("pixels to a chat", again, "exact", here),
        ],
        "in a chat that the receiver does not know": [step("to a chat", "opens"), step("to a chat", again, chat=here)],
        "a copy elsewhere of a message to no chat": [
            step("plain", "opens", chat=there),
            step("plain", again, chat=here),
        ],
        "older after newer": [step("plain", "opens"), step("a day older", "opens"), step("a day older", again)],
        "by two senders with one id": [
            step("with the same id, by Carol", "opens"),
            step("plain", "opens"),
            step("plain", again),
        ],
        "another picture first": [step("plain", "CoverMismatchError", "swapped"), step("plain", "opens")],
        "too early first": [step("plain", "FromFutureError", now=NOW - 601), step("plain", "opens", now=NOW - 600)],
        "30 days later": [step("plain", "opens", now=NOW + old)],
        "30 days and a second later": [step("plain", "TooOldError", now=NOW + old + 1)],
    }
    assert COVER.rgb == RGB  # noqa: S101
    return {
        "pictures": {name: rgb.hex() for name, rgb in pictures.items()},
        "envelopes": envelopes,
        "imprints": imprints,
        "sequences": [{"name": name, "steps": steps} for name, steps in sequences.items()],
    }

"""Vectors of annex B. Code and pixels are made as the text of SPEC.md says, and not as the library does it."""

from __future__ import annotations

from functools import cache
from hashlib import shake_256
from typing import Any

import numpy as np
import stylecrypt_protocol as sp
from cast import CHAT, CORNER, IMPRINT_KEY, IMPRINTED, PEOPLE, Seals, imprint_content, room
from numpy.typing import NDArray

STEP = 34
FREQUENCIES = ((0, 1), (1, 0), (1, 1), (0, 2), (2, 0), (1, 2), (2, 1))  # down, across
DITHER = np.frombuffer(shake_256(b"stylecrypt.org/v1/imprint-dither\0").digest(180 * 448 * 2), ">u2").reshape(180, 448)


def imprints(seals: Seals) -> dict[str, Any]:
    """What annex B makes of given bytes, and imprints that open."""
    return {
        "code": [
            {"payload": payload.hex(), "units": [np.packbits(unit).tobytes().hex() for unit in protected(payload)]}
            for payload in (_payload(1), _payload(3))
        ],
        "dither": {str(unit): DITHER[unit, :16].tolist() for unit in (0, 179)},
        "pictures": [_described(1, 768, 64), _described(20, 1024, 768)],
        "messages": _messages(seals),
    }


def _payload(words: int) -> bytes:
    return shake_256(b"imprint").digest(204 * words)


# Annex B.2.


@cache
def _times(a: int, b: int) -> int:
    """In GF(256) by 0x11d."""
    product = 0
    while b:
        product ^= a * (b & 1)
        a, b = a << 1 ^ (a >> 7) * 0x11D, b >> 1
    return product


def _parity(message: bytes) -> bytes:
    """48 bytes: the remainder of the message, times x^48, by the product of x - 2^i for i from 0 to 47."""
    generator, root = [1], 1
    for _ in range(48):
        generator = [high ^ _times(low, root) for high, low in zip([*generator, 0], [0, *generator], strict=True)]
        root = _times(root, 2)
    rest = list(message) + [0] * 48
    for at in range(len(message)):
        for number, factor in enumerate(generator):
            rest[at + number] ^= _times(factor, rest[at]) if number else 0
    return bytes(rest[-48:])


def _golay(symbol: int) -> str:
    """24 bits for 12."""
    rest = symbol << 11
    for bit in range(22, 10, -1):
        rest ^= (rest >> bit & 1) * (0b101011100011 << bit - 11)
    word = f"{symbol << 11 | rest:023b}"
    return word + str(word.count("1") % 2)


def protected(payload: bytes) -> NDArray[np.uint8]:
    """(units, 448): their bits."""
    texts = [payload[at : at + 204] for at in range(0, len(payload), 204)]
    words = [text + _parity(text) for text in texts]
    bits = "".join(f"{word[at]:08b}" for at in range(252) for word in words)
    symbols = [_golay(int(bits[at : at + 12], 2)) for at in range(0, len(bits), 12)]
    count = len(symbols)
    stream = np.zeros(24 * count, np.uint8)
    for number, symbol in enumerate(symbols):
        for bit in range(24):
            stream[bit * count + (number + 37 * bit) % count] = int(symbol[bit])
    return stream.reshape(-1, 448)


# Annex B.1.


def _described(words: int, width: int, height: int) -> dict[str, Any]:
    payload = _payload(words)
    units = [cell * 7 % (9 * words) for cell in range(width * height // 64**2)]
    grey = picture(payload, units, width, height)
    return {
        "width": width,
        "height": height,
        "payload": payload.hex(),
        "units": units,
        "first_block": grey[:8, :8].tolist(),
    }


def picture(payload: bytes, units: list[int], width: int, height: int) -> NDArray[np.uint8]:
    """(height, width): a grey picture whose coefficients are the places nearest to 0. ``units``: what each cell holds."""
    bits = protected(payload)
    grey = np.zeros((height, width), np.uint8)
    for cell, unit in enumerate(units):
        down, across = divmod(cell, width // 64)
        grey[64 * down :, 64 * across :][:64, :64] = _cell(DITHER[unit] / 65536 + bits[unit] / 2)
    return grey


def _cell(shift: NDArray[np.float64]) -> NDArray[np.uint8]:
    places = STEP * (shift - np.round(shift)).reshape(8, 8, 7)
    at = np.arange(8)
    wave = [np.cos((2 * at + 1) * k * np.pi / 16) / np.sqrt(4 if k else 8) for k in range(3)]
    waves = np.array([np.outer(wave[down], wave[across]) for down, across in FREQUENCIES])
    return np.asarray(np.round(128 + np.einsum("ruf,fyx->ryux", places, waves)).reshape(64, 64), np.uint8)


# Annex B.3.


def _messages(seals: Seals) -> list[dict[str, Any]]:
    """Imprints that open."""
    made: dict[str, tuple[tuple[str, ...], int, dict[str, Any]]] = {
        "to one": (("bob",), 408, {}),
        "to two, in a chat": (
            ("carol", "bob"),
            612,
            {"context": sp.context_of(CHAT)[:16], "left_out": 2, "caption": "", "faces": (IMPRINTED, CORNER)},
        ),
    }
    rows = []
    for name, (to, size, changes) in made.items():
        part = imprint_content(recipients=tuple(sorted(PEOPLE[one].id for one in to)), **changes)
        plaintext = part.sign(PEOPLE["alice"], room(size, len(to)))
        rows.append(
            {
                "name": name,
                "imprint": seals.imprint(f"imprint {name}", plaintext, *to).hex(),
                "stanzas": to,
                "key": IMPRINT_KEY.hex(),
                "plaintext": plaintext.hex(),
                "sender": "alice",
                "sent_at": part.sent_at,
                "message_id": part.message_id.hex(),
                "chat": CHAT if part.context.strip(b"\0") else None,
                "left_out": part.left_out,
                "faces": [
                    {
                        "box": [face.left, face.top, face.columns, face.rows],
                        "map": face.cells.hex(),
                        "picture": face.picture.hex(),
                    }
                    for face in part.faces
                ],
                "caption": part.caption,
            }
        )
    return rows

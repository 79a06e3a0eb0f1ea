"""What the protocol costs in time and bytes, without encoding and decoding the picture itself.

``python -m stylecrypt_lab.benchmarks.protocol`` prints the rows.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import stylecrypt_protocol as sp

__all__ = ["ProtocolRow", "bench_protocol"]

PAYLOAD_BYTES = 12_000
NOW = 1_760_000_000


@dataclass(frozen=True)
class ProtocolRow:
    """The results for one number of recipients."""

    recipients: int
    contacts: int
    """The receiver's contacts, one of whom is the sender."""
    seal_ms: float
    """Median of: digest and sketch of the cover, sign, pad, seal, pack."""
    open_ms: float
    """Median of: unpack, unseal, verify, digest of the cover; as the recipient whose stanza comes last on average."""
    overhead_bytes: float
    """Mean length of the packed envelope less the payload. It includes the zeros that hide the payload's length (Padmé,
    SPEC.md section 4.1) and the 16 to 175 random bytes that the age library adds to each message ("grease")."""


def bench_protocol(
    recipients: tuple[int, ...] = (1, 10, 100), contacts: tuple[int, ...] = (100, 10_000), repeats: int = 50
) -> list[ProtocolRow]:
    """Seals and opens 12 KB (style vectors at level ``latent``) with a cover of 256 x 256 px and one face."""
    side = 256
    cover = sp.Pixels(width=side, height=side, rgb=bytes(range(256)) * (side * side * 3 // 256))
    face = sp.WireQuad.from_pixels([(64, 64), (64, 192), (192, 192), (192, 64)])
    residual = sp.Residual(kind=sp.ResidualKind.STYLES, data=bytes(PAYLOAD_BYTES))
    sender, me = sp.Identity.generate(), sp.Identity.generate()
    others = [_card(sp.Identity.generate(), n) for n in range(max(*recipients, max(contacts)) - 1)]
    mine, senders = _card(me, -1), _card(sender, -2)

    rows = []
    for known in contacts:
        book = {card.id: card for card in (senders, *others[: known - 1])}
        for count in recipients:
            to = [mine, *others[: count - 1]]

            def seal(to: list[sp.Card] = to) -> bytes:
                public = sp.PublicPart.describe(
                    cover,
                    level=sp.Level.LATENT,
                    model_hash=bytes(32),
                    styles=16,
                    replaced=range(3, 8),
                    faces=[face],
                )
                return sp.seal_message(sender, to, public, cover, sent_at=NOW, residual=residual).pack()

            def open_(book: dict[sp.CardId, sp.Card] = book, packed: bytes = seal()) -> None:
                sp.open_message(sp.Envelope.unpack(packed), me, book, cover, now=NOW, seen=sp.MemorySeenStore())

            lengths = [len(seal()) for _ in range(max(repeats, 200 // count))]
            rows.append(
                ProtocolRow(
                    recipients=count,
                    contacts=known,
                    seal_ms=_median_ms(seal, repeats),
                    open_ms=_median_ms(open_, repeats),
                    overhead_bytes=statistics.mean(lengths) - PAYLOAD_BYTES,
                )
            )
    return rows


def _card(identity: sp.Identity, number: int) -> sp.Card:
    return sp.Card.create(identity, user_id=f"@{number}:example.org", display_name=str(number), created=NOW)


def _median_ms(run: Callable[[], object], repeats: int) -> float:
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return statistics.median(times) * 1000


if __name__ == "__main__":
    for row in bench_protocol():
        print(row)  # noqa: T201

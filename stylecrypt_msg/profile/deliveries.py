"""Receiving each message once (SPEC.md section 8), even if a delivery is interrupted."""

from __future__ import annotations

from stylecrypt_protocol import MAX_AGE, MAX_CLOCK_SKEW, CardId, MessageId, Seen, SeenStore

from .store import Store

__all__ = ["Deliveries"]

_DAY = 86400


class Deliveries:
    """Deliveries by their references from the transport: always the same for the same delivery."""

    _store: Store

    def seen(self, reference: bytes) -> SeenStore:
        """Tells `open_message` whether a message of this delivery is new.

        It is still new if this same delivery brought it before, since opening it was interrupted. In another delivery it is
        a replay.
        """
        return _Seen(self._store, self._store.tag("delivery", reference))

    def finished(self, reference: bytes) -> bool:
        """Whether a delivery is finished for good."""
        query = "SELECT 1 FROM finished WHERE tag = ?"
        return bool(self._store.database.read(query, self._store.tag("delivery", reference)))

    def finish(self, reference: bytes) -> None:
        """Remembers that it is."""
        statement = "INSERT OR IGNORE INTO finished VALUES (?)"
        self._store.database.write(statement, self._store.tag("delivery", reference))


class _Seen:
    """The `SeenStore` of one delivery."""

    def __init__(self, store: Store, delivery: bytes) -> None:
        self._store = store
        self._delivery = delivery

    def check_and_remember(self, sender: CardId, message_id: MessageId, sent_at: int, rank: int) -> Seen:
        """See `SeenStore`. Times are kept to the day: to the second, they would tell anybody with a server's log who
        wrote."""
        database, tag = self._store.database, self._store.tag("message", sender + message_id)
        with self._store.transaction():
            for delivery, before in database.read("SELECT delivery, rank FROM seen WHERE tag = ?", tag):
                if rank > before:
                    database.write("UPDATE seen SET delivery = ?, rank = ? WHERE tag = ?", self._delivery, rank, tag)
                elif delivery != self._delivery:
                    return Seen.BEFORE
                return Seen.NEW
            # This message was not from the future, so its time comes from a clock that is right, or slow by the allowed
            # skew.
            database.write("DELETE FROM seen WHERE last_day < ?", (sent_at - MAX_CLOCK_SKEW) // _DAY)
            last_day = (sent_at + MAX_AGE + MAX_CLOCK_SKEW) // _DAY
            database.write("INSERT INTO seen VALUES (?, ?, ?, ?)", tag, self._delivery, rank, last_day)
        return Seen.NEW

"""Emoji verification: one of the owner's devices and the bot prove their keys to each other, the cross-signing keys included.

The Matrix specification, "Short Authentication String (SAS) verification", by to-device messages or in a room; the device
begins, the bot answers. vodozemac does the cryptography. (nio's own deviates from the specification: it shows other emoji, and
commits to its key and proves it in ways that current apps reject.)
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import nio
import vodozemac
from nio.crypto.sas import Sas as NioSas

from stylecrypt_msg.errors import NotAuthorisedError
from stylecrypt_msg.transports.matrix.server import Post

from .session import BotSession

__all__ = ["VERIFICATION", "Compare", "Verifier", "is_verification"]

Compare: TypeAlias = Callable[[str, Sequence[tuple[str, str]]], Awaitable[bool]]
"""Shows a device's id and seven emoji with their names where nobody else can have written them. Returns whether the device
shows the same."""

_log = logging.getLogger(__name__)
_PREFIX = "m.key.verification."
VERIFICATION = tuple(f"{_PREFIX}{kind}" for kind in ("start", "key", "mac", "cancel", "done"))
"""The types of events in rooms that belong to a verification, besides the request, which is a message."""

_SAS, _AGREEMENT, _HASH = "m.sas.v1", "curve25519-hkdf-sha256", "sha256"
_MAC = "hkdf-hmac-sha256.v2"


@dataclass
class _Run:
    """One attempt. ``room_id``: where it takes place; None if by to-device messages."""

    device_id: str
    room_id: str | None
    start: Mapping[str, Any]
    sas: Any = field(default_factory=vodozemac.Sas)
    shared: Any = None
    agreed: bool = False
    their_mac: Mapping[str, Any] | None = None

    @property
    def key(self) -> str:
        return str(self.sas.public_key.to_base64())


class Verifier:
    """Handles requests of the owner's devices. While ``compare`` gives None, since nobody is there to look at emoji, it
    declines them and calls ``declined``; ``verified`` is called for verified devices."""

    def __init__(
        self,
        session: BotSession,
        owner: str,
        compare: Callable[[], Compare | None],
        verified: Callable[[str], None],
        declined: Callable[[], None],
    ) -> None:
        self._session, self._owner, self._compare = session, owner, compare
        self._verified, self._declined = verified, declined
        self._runs: dict[str, _Run] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        session.client.olm.handle_key_verification = lambda _: None  # nio would answer as well
        session.client.add_to_device_callback(self._heard, (nio.KeyVerificationEvent, nio.UnknownToDeviceEvent))

    async def _heard(self, event: Any) -> None:
        """A to-device message."""
        source = event.source
        content, kind = source.get("content"), str(source.get("type"))
        if source.get("sender") == self._owner and isinstance(content, dict) and kind.startswith(_PREFIX):
            await self._handle(kind.removeprefix(_PREFIX), content.get("transaction_id"), content, None)

    async def handle(self, post: Post) -> None:
        """A message in a room that `is_verification`. Raises NetworkError."""
        if post.sender != self._owner:
            return
        if post.type == "m.room.message":
            if post.content.get("to") == self._session.user_id:
                await self._handle("request", post.event_id, post.content, post.room_id)
            return
        relation = post.content.get("m.relates_to")
        transaction = relation.get("event_id") if isinstance(relation, dict) else None
        await self._handle(post.type.removeprefix(_PREFIX), transaction, post.content, post.room_id)

    async def _handle(self, kind: str, transaction: object, content: Mapping[str, Any], room_id: str | None) -> None:
        if not isinstance(transaction, str):
            return
        known = self._runs.get(transaction)
        if known is not None and known.room_id != room_id:
            return
        if known is None and room_id is not None and kind != "request":
            return  # of a verification that ended, or between others
        try:
            match kind:
                case "request" | "start":
                    await self._begin(transaction, kind, content, room_id)
                case "key" if transaction in self._runs:
                    await self._agree(transaction, content)
                case "mac" if transaction in self._runs:
                    self._runs[transaction].their_mac = content
                    await self._finish(transaction)
                case "cancel":
                    self._runs.pop(transaction, None)
        except (KeyError, TypeError, ValueError, AttributeError):  # vodozemac's are ValueErrors
            await self._cancel(transaction, "m.invalid_message", "This is not a message of a verification.")

    async def _begin(self, transaction: str, kind: str, content: Mapping[str, Any], room_id: str | None) -> None:
        device_id = str(content["from_device"])
        run = self._runs[transaction] = _Run(device_id, room_id, content)
        if self._compare() is None:
            _log.info("a device asks to be verified", extra={"device": device_id})
            self._declined()
            await self._cancel(
                transaction, "m.user", "Run `stylecrypt bot verify` on the bot's machine, and ask again."
            )
            return
        if kind == "request":
            if _SAS not in content["methods"]:
                await self._cancel(transaction, "m.unknown_method", "Only emoji can be compared.")
                return
            await self._send(transaction, "ready", {"from_device": self._session.device_id, "methods": [_SAS]})
            return
        offered = (content["key_agreement_protocols"], content["hashes"], content["message_authentication_codes"])
        wanted = (_AGREEMENT, _HASH, _MAC)
        emoji = "emoji" in content["short_authentication_string"]
        if (
            content["method"] != _SAS
            or not emoji
            or any(one not in many for one, many in zip(wanted, offered, strict=True))
        ):
            await self._cancel(transaction, "m.unknown_method", "This device knows other ways to verify than the bot.")
            return
        commitment = hashlib.sha256((run.key + nio.Api.to_canonical_json(content)).encode()).digest()
        accept = {
            "method": _SAS,
            "key_agreement_protocol": _AGREEMENT,
            "hash": _HASH,
            "message_authentication_code": _MAC,
            "short_authentication_string": ["decimal", "emoji"],
            "commitment": base64.b64encode(commitment).decode().rstrip("="),
        }
        await self._send(transaction, "accept", accept)

    async def _agree(self, transaction: str, content: Mapping[str, Any]) -> None:
        run, session = self._runs[transaction], self._session
        if run.shared is not None or "method" not in run.start:
            await self._cancel(transaction, "m.unexpected_message", "This comes out of turn.")
            return
        theirs = str(content["key"])
        await self._send(transaction, "key", {"key": run.key})
        run.shared = run.sas.diffie_hellman(vodozemac.Curve25519PublicKey.from_base64(theirs))
        info = "|".join(
            [
                "MATRIX_KEY_VERIFICATION_SAS",
                self._owner,
                run.device_id,
                theirs,
                session.user_id,
                session.device_id,
                run.key,
                transaction,
            ]
        )
        emoji = [NioSas.emoji[index] for index in run.shared.bytes(info).emoji_indices]
        # The owner takes their time; meanwhile the bot keeps listening to the server.
        task = asyncio.create_task(self._ask(transaction, emoji))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _ask(self, transaction: str, emoji: Sequence[tuple[str, str]]) -> None:
        run, session, compare = self._runs[transaction], self._session, self._compare()
        if compare is None or not await compare(run.device_id, emoji):
            await self._cancel(transaction, "m.mismatched_sas", "The emoji do not match.")
            return
        info = self._info(session.user_id, session.device_id, self._owner, run.device_id, transaction)
        keys = {f"ed25519:{session.device_id}": session.key}
        if session.master is not None:
            keys[f"ed25519:{session.master}"] = session.master
        mac = {
            "mac": {name: run.shared.calculate_mac(key, info + name) for name, key in keys.items()},
            "keys": run.shared.calculate_mac(",".join(sorted(keys)), info + "KEY_IDS"),
        }
        await self._send(transaction, "mac", mac)
        run.agreed = True
        await self._finish(transaction)

    async def _finish(self, transaction: str) -> None:
        """Finishes once both sides have agreed and proved their keys."""
        run, session = self._runs[transaction], self._session
        if not run.agreed or run.their_mac is None:
            return
        device = await session.device(self._owner, run.device_id)
        info = self._info(self._owner, run.device_id, session.user_id, session.device_id, transaction)
        macs, master = dict(run.their_mac["mac"]), session.published(self._owner)
        proved = master is not None and f"ed25519:{master}" in macs  # older apps prove the device's key alone
        keys = {f"ed25519:{run.device_id}": device.ed25519} | ({f"ed25519:{master}": master} if proved else {})
        try:
            run.shared.verify_mac(",".join(sorted(macs)), info + "KEY_IDS", run.their_mac["keys"])
            for name, key in keys.items():
                run.shared.verify_mac(key, info + name, macs[name])
        except (ValueError, KeyError, AttributeError):
            await self._cancel(transaction, "m.key_mismatch", "The device does not have the keys that the server says.")
            return
        session.client.verify_device(device)
        if master is not None and proved:
            try:
                await session.accept_identity(self._owner, master, verified=True)
            except NotAuthorisedError as error:  # they changed meanwhile, or the server refuses the signature
                await self._cancel(transaction, "m.key_mismatch", str(error))
                return
        await self._send(transaction, "done", {})
        del self._runs[transaction]
        _log.info("a device is verified", extra={"device": run.device_id, "owner": proved})
        self._verified(run.device_id)

    @staticmethod
    def _info(user_id: str, device_id: str, other_user: str, other_device: str, transaction: str) -> str:
        return f"MATRIX_KEY_VERIFICATION_MAC{user_id}{device_id}{other_user}{other_device}{transaction}"

    async def _cancel(self, transaction: str, code: str, reason: str) -> None:
        if transaction in self._runs:
            await self._send(transaction, "cancel", {"code": code, "reason": reason})
            self._runs.pop(transaction, None)

    async def _send(self, transaction: str, kind: str, content: Mapping[str, Any]) -> None:
        run = self._runs[transaction]
        if run.room_id is not None:
            relation = {"m.relates_to": {"rel_type": "m.reference", "event_id": transaction}}
            await self._session.send_openly(run.room_id, f"{_PREFIX}{kind}", {**content, **relation})
            return
        message = nio.ToDeviceMessage(
            f"{_PREFIX}{kind}", self._owner, run.device_id, {**content, "transaction_id": transaction}
        )
        await self._session.client.to_device(message)


def is_verification(post: Post) -> bool:
    """Whether a message in a room is part of a verification."""
    return post.type in VERIFICATION or (
        post.type == "m.room.message" and post.content.get("msgtype") == f"{_PREFIX}request"
    )

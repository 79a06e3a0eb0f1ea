"""The key backup: a server keeps the keys of an account's messages, so that a new device can read older ones.

The Matrix specification, "Server-side key backups", m.megolm_backup.v1.curve25519-aes-sha2, for which vodozemac has the
cryptography. Anybody who knows the public key of a backup, and the server does, can add keys to it, under which it could then
pass off messages as anybody's. So what this module adds is authenticated under the private key, in a field of the encrypted
part that other apps ignore; and a message whose key is not, is nobody's in particular, as if it were not encrypted.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import secrets
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import nio
import vodozemac
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from nio.crypto.sessions import InboundGroupSession

from ...errors import InputError, NetworkError, NotAuthorisedError, Remedy, StyleCryptError
from .account import Account
from .identities import SECRET_NAMES, Json, OwnKeys, canonical, from_base64, is_signed, to_base64
from .secret_storage import RecoveryKey
from .server import LoggedOutError, Post, ServerRefusalError

__all__ = ["Backup", "BackupKey"]

_log = logging.getLogger(__name__)
_ALGORITHM, _MEGOLM = "m.megolm_backup.v1.curve25519-aes-sha2", "m.megolm.v1.aes-sha2"
_SECRET = "m.megolm_backup.v1"  # noqa: S105 - its name in secret storage
_MAC = "org.stylecrypt.mac"
_AT_ONCE = 100  # sessions in a request
_MOST = 16_384  # letters of a session's ciphertext, which has about 900


@dataclass(frozen=True)
class StoredSession:
    """A Megolm session from a backup. ``sender_key`` is the Curve25519 key of the device whose messages it decrypts; None if
    nobody vouches for that."""

    session: vodozemac.InboundGroupSession = field(repr=False)
    sender_key: str | None


class BackupKey:
    """The private key of a backup, made of ``secret``: 32 random bytes. Raises ValueError for any other number."""

    def __init__(self, secret: bytes) -> None:
        self.secret = secret
        self._private = vodozemac.PkDecryption.from_key(vodozemac.Curve25519SecretKey.from_bytes(secret))
        self._mac_key = HKDF(SHA256(), length=32, salt=None, info=_MAC.encode()).derive(secret)

    @property
    def public(self) -> str:
        """In base64."""
        return str(self._private.public_key.to_base64())

    def seal(self, session: InboundGroupSession) -> Json:
        """A session as the server keeps it."""
        first = session.first_known_index
        keys = {
            "algorithm": _MEGOLM,
            "sender_key": session.sender_key,
            "sender_claimed_keys": {"ed25519": session.ed25519},
            "forwarding_curve25519_key_chain": session.forwarding_chain,
            "session_key": session.export_session(first),
        }
        if not session.forwarding_chain:  # the device itself sent it
            keys[_MAC] = to_base64(self._mac(keys))
        sealed = vodozemac.PkEncryption.from_key(self._private.public_key).encrypt(json.dumps(keys).encode())
        return {
            "first_message_index": first,
            "forwarded_count": len(session.forwarding_chain),
            "is_verified": False,
            "session_data": {
                "ephemeral": to_base64(sealed.ephemeral_key),
                "ciphertext": to_base64(sealed.ciphertext),
                "mac": to_base64(sealed.mac),
            },
        }

    def open(self, data: Any) -> StoredSession:
        """What `seal`, or another app, sealed. Raises ValueError, TypeError or KeyError if it is not that."""
        parts = data["session_data"]
        if len(parts["ciphertext"]) > _MOST:
            raise ValueError("too long for a session")
        sealed = vodozemac.Message(*(from_base64(parts[name]) for name in ("ciphertext", "mac", "ephemeral")))
        keys = json.loads(self._private.decrypt(sealed))
        mac = keys.pop(_MAC, None)
        genuine = isinstance(mac, str) and hmac.compare_digest(self._mac(keys), from_base64(mac))
        exported = vodozemac.ExportedSessionKey(keys["session_key"])
        return StoredSession(
            vodozemac.InboundGroupSession.import_session(exported), str(keys["sender_key"]) if genuine else None
        )

    def _mac(self, keys: Json) -> bytes:
        return hmac.digest(self._mac_key, canonical(keys), "sha256")


class Backup(Account):
    """The account's key backup, if `keep_backup` says so, and its secret storage."""

    _backup: BackupKey | None = None
    _version: str | None = None
    _backed_up: frozenset[str]
    backup_error: StyleCryptError | None = None
    """Why nothing is added to the backup any more."""

    @property
    def has_backup(self) -> bool:
        """Whether `keep_backup` was called."""
        return self._backup is not None

    def keep_backup(self, key: BackupKey) -> None:
        """From now on, message keys are added to the backup with this key, and older messages read with its help."""
        self._backup, self._version, self.backup_error = key, None, None

    async def make_backup(self, key: BackupKey) -> None:
        """Makes a backup with this key, in place of any other, unless it is there; and keeps it. The device has to be signed.

        Raises NetworkError.
        """
        self.keep_backup(key)
        if self._ours(await self._published_backup()) is None:
            content = {"algorithm": _ALGORITHM, "auth_data": self._described(key)}
            await self.ask("POST", "/room_keys/version", content, "make a key backup")

    async def back_up(self) -> None:
        """Adds the keys that are not in the backup yet. What fails is tried again with the next call, unless
        `backup_error` says why not. Raises LoggedOutError."""
        if self._backup is None or self.backup_error is not None:
            return
        try:
            version = await self._checked_version()
            new = [one for one in self.client.olm.inbound_group_store if one.id not in self._backed_up]
            for start in range(0, len(new), _AT_ONCE):
                await self._add(self._backup, version, new[start : start + _AT_ONCE])
        except LoggedOutError:
            raise
        except NotAuthorisedError as error:
            self.backup_error = error
        except NetworkError as error:
            _log.warning("not backed up", extra={"error": str(error)})
            if isinstance(error, ServerRefusalError) and error.final:
                self.backup_error = error

    async def _add(self, key: BackupKey, version: str, sessions: list[InboundGroupSession]) -> None:
        rooms: dict[str, dict[str, Any]] = {}
        for one in sessions:
            rooms.setdefault(one.room_id, {"sessions": {}})["sessions"][one.id] = key.seal(one)
        answer = await self.raw("PUT", f"/room_keys/keys?version={quote(version)}", {"rooms": rooms})
        if answer.status_code in ("M_WRONG_ROOM_KEYS_VERSION", "M_NOT_FOUND"):
            raise self._not_ours()  # any more
        if answer.transport_response.status != 200:
            raise self.refused(answer, "keep message keys")
        names = {one.id for one in sessions}
        self._state.add_backed_up(version, names)
        self._backed_up |= names

    async def _checked_version(self) -> str:
        if self._version is None:
            self._version = self._ours(await self._published_backup())
            if self._version is None:
                raise self._not_ours()
            self._backed_up = self._state.backed_up(self._version)
        return self._version

    def _not_ours(self) -> NotAuthorisedError:
        return NotAuthorisedError(
            f"The key backup of {self.user_id} on {self.server} is gone, or another one is in its place: nothing is added.",
            remedy=Remedy.MAKE_BACKUP,
        )

    async def _published_backup(self) -> Json:
        answer = await self.raw("GET", "/room_keys/version", None)
        if answer.transport_response.status == 200:
            return dict(answer.content)
        if answer.transport_response.status == 404:
            return {}
        raise self.refused(answer, "say which key backup there is")

    def _ours(self, published: Json) -> str | None:
        """The version of a backup; None if it has another key, or the account's master key did not sign it."""
        data, version = published.get("auth_data"), published.get("version")
        if (
            self._backup is None
            or self._own is None
            or published.get("algorithm") != _ALGORITHM
            or not isinstance(data, Mapping)
            or data.get("public_key") != self._backup.public
            or not is_signed(data, self.user_id, self._own.master, self._own.master)
        ):
            return None
        return str(version)

    def _described(self, key: BackupKey) -> Json:
        """Signed by the master key, and by this device."""
        assert self._own is not None  # noqa: S101 - `make_backup` says so
        signed = dict(self._own.sign_backup({"public_key": key.public}))
        device = {f"ed25519:{self.device_id}": self.client.olm.sign_json({"public_key": key.public})}
        signed["signatures"] = {self.user_id: {**signed["signatures"][self.user_id], **device}}
        return signed

    async def from_backup(self, room_id: str, event: nio.MegolmEvent, types: Collection[str]) -> Post | None:
        """A message, by a key from the backup; None if it is of none of these types, or its key is not there.

        Its ``device_key`` is None if the key is not one that was added from here. Raises NetworkError.
        """
        if self._backup is None or self.backup_error is not None:
            return None
        try:
            version = await self._checked_version()
        except NotAuthorisedError as error:
            self.backup_error = error
            return None
        path = f"/room_keys/keys/{quote(room_id, safe='')}/{quote(event.session_id, safe='')}?version={quote(version)}"
        answer = await self.raw("GET", path, None)
        if answer.transport_response.status == 404:
            return None
        if answer.transport_response.status != 200:
            raise self.refused(answer, "return a message key")
        try:
            stored = self._backup.open(answer.content)
            decrypted = stored.session.decrypt(vodozemac.MegolmMessage.from_base64(event.ciphertext))
            said = json.loads(decrypted.plaintext)
            kind, content = said["type"], said["content"]
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            _log.warning("not decrypted", extra={"event": event.event_id, "error": type(error).__name__})
            return None
        if said.get("room_id") != room_id or kind not in types or not isinstance(content, dict):
            return None
        outside = event.source["content"]
        if "m.relates_to" in outside:  # it is not encrypted
            content = {"m.relates_to": outside["m.relates_to"], **content}
        digest = hashlib.sha256(event.ciphertext.encode()).hexdigest()
        return Post(room_id, event.event_id, event.sender, content, kind, stored.sender_key, digest)

    # Secret storage

    async def store_secrets(self, recovery: RecoveryKey) -> None:
        """Puts the cross-signing keys and the key of the backup into the server's secret storage, sealed with a new key. An
        earlier one opens nothing any more. There has to be a backup. Raises NetworkError."""
        assert self._own is not None and self._backup is not None  # noqa: S101 - as it says
        name = secrets.token_hex(16)
        await self._put_data(f"m.secret_storage.key.{name}", recovery.description())
        for what, secret in {**self._own.secrets(), _SECRET: self._backup.secret}.items():
            await self._put_data(what, {"encrypted": {name: recovery.seal(what, secret)}})
        await self._put_data("m.secret_storage.default_key", {"key": name})

    async def stored_secrets(self, recovery: RecoveryKey) -> tuple[OwnKeys, BackupKey | None]:
        """The cross-signing keys and the key of the backup, if there is one, from the server's secret storage.

        Raises NetworkError; InputError if there is no storage; NotAuthorisedError for a wrong recovery key, or if the account
        has other cross-signing keys by now.
        """
        name = str((await self._data("m.secret_storage.default_key")).get("key"))
        found = {what: (await self._data(what)).get("encrypted") for what in (*SECRET_NAMES, _SECRET)}
        sealed = {what: keys[name] for what, keys in found.items() if isinstance(keys, Mapping) and name in keys}
        if not sealed.keys() >= {*SECRET_NAMES}:
            raise InputError(
                f"{self.server} keeps no cross-signing keys of {self.user_id}.",
                hint="Set it up without the recovery key.",
            )
        try:
            opened = {what: recovery.open(what, one) for what, one in sealed.items()}
            own = OwnKeys.of_secrets(self.user_id, opened)
            backup = BackupKey(opened[_SECRET]) if _SECRET in opened else None
        except (ValueError, TypeError) as error:
            raise NotAuthorisedError(
                f"This is not the recovery key of {self.user_id}.", hint="Use the one that was made last."
            ) from error
        if await self.identity_of(self.user_id) != own.master:
            raise NotAuthorisedError(
                f"{self.user_id} has other cross-signing keys than those in the secret storage: another program made them, or "
                "somebody else did.",
                remedy=Remedy.REPLACE_IDENTITY,
            )
        return own, backup

    def _path(self, type: str) -> str:
        return f"/user/{quote(self.user_id, safe='')}/account_data/{type}"

    async def _put_data(self, type: str, content: Json) -> None:
        await self.ask("PUT", self._path(type), content, "keep a sealed secret")

    async def _data(self, type: str) -> Json:
        answer = await self.raw("GET", self._path(type), None)
        if answer.transport_response.status == 200:
            return dict(answer.content)
        if answer.transport_response.status == 404:
            return {}
        raise self.refused(answer, "return a sealed secret")

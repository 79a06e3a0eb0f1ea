"""The account's own cross-signing identity: it vouches for this device, and for people who were verified."""

from __future__ import annotations

from typing import Any

from ...errors import NotAuthorisedError, Remedy, StyleCryptError
from .devices import Devices
from .identities import OwnKeys
from .server import LoggedOutError, Password, ServerRefusalError
from .state import PinnedIdentity, Pins

__all__ = ["Account"]


class Account(Devices):
    """This device, and the keys that sign it."""

    _own: OwnKeys | None = None
    _refusal: StyleCryptError | None = None

    @property
    def key(self) -> str:
        """The Ed25519 key of this device, which apps show when one looks at it."""
        return str(self.client.olm.account.identity_keys["ed25519"])

    @property
    def master(self) -> str | None:
        """The public master key, in base64, if this device is signed."""
        return None if self._own is None or self.identity_error is not None else self._own.master

    @property
    def identity_error(self) -> StyleCryptError | None:
        """Why apps that want signed devices neither show this one's messages nor send it theirs, as the server had it last.
        None if it is signed, or was not to be."""
        if self._own is None:
            return None
        identity = self._identities.get(self.user_id)
        ours = identity is not None and identity.master == self._own.master
        if identity is not None and ours and (self.device_id, self.key) in identity.signed:
            return None
        return self._refusal or NotAuthorisedError(
            f"The server publishes no signature of the device {self.device_id} of {self.user_id}."
            if ours or identity is None
            else f"{self.user_id} has cross-signing keys that are not the ones kept here: another program made them, or "
            "somebody else did. Apps that want signed devices do not show what is sent from here.",
            remedy=Remedy.MAKE_IDENTITY if ours or identity is None else Remedy.REPLACE_IDENTITY,
        )

    async def publish_identity(self, own: OwnKeys, *, password: Password | None = None, replace: bool = False) -> None:
        """Publishes the cross-signing keys, unless the account has other ones already, and signs this device with them.

        Afterwards `identity_error` says what did not work. Raises NetworkError if the server does not answer, and
        LoggedOutError.

        Args:
            password: servers may ask for it.
            replace: also if the account has other keys.
        """
        self._own = own
        try:
            await self._publish(own, password, replace)
        except NotAuthorisedError as error:
            self._refusal = error
        except ServerRefusalError as error:
            if isinstance(error, LoggedOutError) or not error.final:
                raise
            self._refusal = error

    async def _publish(self, own: OwnKeys, password: Password | None, replace: bool) -> None:
        me, device = self.user_id, self.device_id
        answer = await self.query_keys([me])
        identity = self._identities.get(me)
        if identity is not None and identity.master != own.master and not replace:
            return
        if identity is None or identity.master != own.master:
            await self._upload_keys(own, password)
            answer = await self.query_keys([me])
            identity = self._identities.get(me)
        if identity is None:
            raise NotAuthorisedError(f"{self.server} does not publish the cross-signing keys.", hint="See its log.")
        pins = Pins.read(self._state)
        pins.identities[me] = PinnedIdentity(own.master, verified=True)
        pins.write(self._state)
        if (device, self.key) not in identity.signed:
            # The server's description, but never its idea of the keys: it refuses what it does not know.
            mine = self.client.olm.account.identity_keys
            keys = {f"{kind}:{device}": mine[kind] for kind in ("ed25519", "curve25519")}
            described = {**answer.device_keys[me][device], "keys": keys}
            await self._sign({me: {device: own.sign_device(described)}})

    async def _upload_keys(self, own: OwnKeys, password: Password | None) -> None:
        path, keys = "/keys/device_signing/upload", own.published()
        # The device's word that the keys are its user's, for those who knew the device before.
        word = {f"ed25519:{self.device_id}": self.client.olm.sign_json(keys["master_key"])}
        keys["master_key"] = {**keys["master_key"], "signatures": {self.user_id: word}}
        answer = await self.raw("POST", path, keys)
        if answer.transport_response.status == 401 and "session" in answer.content:  # user-interactive authentication
            if password is None:
                raise NotAuthorisedError(
                    f"{self.server} wants the password of {self.user_id} before it takes cross-signing keys. Until then, apps "
                    "that want signed devices do not show what is sent from here.",
                    remedy=Remedy.MAKE_IDENTITY,
                )
            proof = {
                "type": "m.login.password",
                "identifier": {"type": "m.id.user", "user": self.user_id},
                "password": password.password,
                "session": answer.content["session"],
            }
            answer = await self.raw("POST", path, {**keys, "auth": proof})
        if answer.transport_response.status != 200:
            raise self.refused(answer, "take the cross-signing keys")

    async def _sign(self, signatures: dict[str, Any]) -> None:
        what = "take a signature"
        answer = await self.ask("POST", "/keys/signatures/upload", signatures, what)
        if answer.get("failures"):
            raise NotAuthorisedError(f"{self.server} refused to {what}.", hint="Try again; see the server's log.")
        await self.query_keys([self.user_id])

    async def identity_of(self, user_id: str) -> str | None:
        """As `published`, and as the server has it now. Raises NetworkError."""
        await self.query_keys([user_id])
        return self.published(user_id)

    async def accept_identity(self, user_id: str, master: str, *, verified: bool) -> None:
        """Pins somebody's public master key, in place of any other. ``verified``: it was compared with the one that their app
        shows; then their other apps are told that this account verified them.

        Raises NetworkError; NotAuthorisedError if they have another one now.
        """
        await self.query_keys([user_id])
        identity = self._identities.get(user_id)
        if identity is None or identity.master != master:
            raise NotAuthorisedError(f"The cross-signing keys of {user_id} have just changed.", hint="Try again.")
        pins = Pins.read(self._state)
        pins.identities[user_id] = PinnedIdentity(master, verified=verified)
        pins.write(self._state)
        if verified and self._own is not None and self.identity_error is None:
            await self._sign({user_id: {master: self._own.sign_user(identity.master_key)}})

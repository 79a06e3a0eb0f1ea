"""Work on pictures, in a thread, one at a time: each takes the whole processor and much memory."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Concatenate, ParamSpec, TypeVar

from stylecrypt_msg.covering import coverer
from stylecrypt_msg.messenger import (
    Arrival,
    DecryptedPhoto,
    Draft,
    EncryptedPhoto,
    Messenger,
    NewKeyFace,
    ReceivedKeyFace,
)
from stylecrypt_msg.models.graphs import give_back_memory
from stylecrypt_msg.models.model_cache import ModelCache
from stylecrypt_msg.profile import Profile
from stylecrypt_msg.progress import Progress, silent
from stylecrypt_msg.recognisers import installed_recognisers

from .health import Health

__all__ = ["OpenProfile", "PictureWorker"]

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True)
class OpenProfile:
    """An owner's profile, and the messenger that works with it."""

    profile: Profile
    messenger: Messenger

    @classmethod
    def of(cls, profile: Profile, models: ModelCache) -> OpenProfile:
        return cls(profile, Messenger(lambda: profile, models, coverer(models, installed_recognisers)))


class PictureWorker:
    """The messenger for a program with an event loop. Quick jobs go to ``messenger`` directly."""

    def __init__(self, profile: Profile, model: str, health: Health) -> None:
        self._open = OpenProfile.of(profile, ModelCache())
        self._model, self._health = model, health
        self._one = ThreadPoolExecutor(1, "pictures")

    @property
    def messenger(self) -> Messenger:
        return self._open.messenger

    async def prepare(self, draft: Draft, progress: Progress = silent) -> EncryptedPhoto:
        """As `Messenger.prepare`."""
        with self._health.work.labels("prepare").time():
            return await self.with_profile(_prepare, draft, now=int(time.time()), model=self._model, progress=progress)

    async def open(self, arrival: Arrival, *, delivery: bytes | None = None) -> DecryptedPhoto:
        """As `Messenger.open`; a ``delivery`` has to be new, by its `Profile.seen`."""
        with self._health.work.labels("open").time():
            return await self.with_profile(_open, arrival, delivery, now=int(time.time()), model=self._model)

    async def prepare_key_face(self, photo: bytes) -> NewKeyFace:
        """As `Messenger.prepare_key_face`."""
        return await self.with_profile(_prepare_key_face, photo, model=self._model)

    async def open_key_face(self, data: bytes) -> ReceivedKeyFace:
        """As `Messenger.open_key_face`."""
        return await self.with_profile(_open_key_face, data, now=int(time.time()), model=self._model)

    async def run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Runs another slow job, a function of a module."""

        def job() -> T:
            try:
                return work(*args, **kwargs)
            finally:
                give_back_memory()  # a bot mostly waits

        return await asyncio.get_running_loop().run_in_executor(self._one, job)

    async def with_profile(
        self, work: Callable[Concatenate[OpenProfile, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Runs one for the owner."""
        return await self.run(work, self._open, *args, **kwargs)

    def close(self) -> None:
        """Returns when the current job is done."""
        self._one.shutdown(cancel_futures=True)


def _prepare(opened: OpenProfile, draft: Draft, *, now: int, model: str, progress: Progress) -> EncryptedPhoto:
    return opened.messenger.prepare(draft, now=now, model=model, progress=progress)


def _open(opened: OpenProfile, arrival: Arrival, delivery: bytes | None, *, now: int, model: str) -> DecryptedPhoto:
    seen = None if delivery is None else opened.profile.seen(delivery)
    return opened.messenger.open(arrival, seen=seen, now=now, model=model)


def _prepare_key_face(opened: OpenProfile, photo: bytes, *, model: str) -> NewKeyFace:
    return opened.messenger.prepare_key_face([photo], model=model)


def _open_key_face(opened: OpenProfile, data: bytes, *, now: int, model: str) -> ReceivedKeyFace:
    return opened.messenger.open_key_face(data, now=now, model=model)

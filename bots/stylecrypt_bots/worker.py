"""Work on pictures, in a thread, one at a time: each takes the whole processor and much memory."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from stylecrypt_protocol import SeenStore

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

__all__ = ["PictureWorker"]

P = ParamSpec("P")
T = TypeVar("T")


class PictureWorker:
    """The messenger for a program with an event loop. Quick jobs go to ``messenger`` directly."""

    def __init__(self, profile: Profile, model: str, health: Health) -> None:
        models = ModelCache()
        self.messenger = Messenger(lambda: profile, models, coverer(models, installed_recognisers))
        self._model, self._health = model, health
        self._one = ThreadPoolExecutor(1, "pictures")

    async def prepare(self, draft: Draft, progress: Progress = silent) -> EncryptedPhoto:
        """As `Messenger.prepare`."""
        with self._health.work.labels("prepare").time():
            return await self.run(
                self.messenger.prepare, draft, now=int(time.time()), model=self._model, progress=progress
            )

    async def open(self, arrival: Arrival, *, seen: SeenStore | None = None) -> DecryptedPhoto:
        """As `Messenger.open`."""
        with self._health.work.labels("open").time():
            return await self.run(self.messenger.open, arrival, seen=seen, now=int(time.time()), model=self._model)

    async def prepare_key_face(self, photo: bytes) -> NewKeyFace:
        """As `Messenger.prepare_key_face`."""
        return await self.run(self.messenger.prepare_key_face, [photo], model=self._model)

    async def open_key_face(self, data: bytes) -> ReceivedKeyFace:
        """As `Messenger.open_key_face`."""
        return await self.run(self.messenger.open_key_face, data, now=int(time.time()), model=self._model)

    async def run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Runs another slow job."""

        def job() -> T:
            try:
                return work(*args, **kwargs)
            finally:
                give_back_memory()  # a bot mostly waits

        return await asyncio.get_running_loop().run_in_executor(self._one, job)

    def close(self) -> None:
        """Returns when the current job is done."""
        self._one.shutdown(cancel_futures=True)

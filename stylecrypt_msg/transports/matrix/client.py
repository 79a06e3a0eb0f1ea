"""nio's client, with additions."""

from __future__ import annotations

import asyncio
import hashlib
import json
from typing import Any
from urllib.parse import urlencode

import nio
import vodozemac
from peewee import DatabaseError  # type: ignore[import-untyped]

from ...errors import InputError
from ...files import MAX_FILE_BYTES
from .server import JsonAnswer
from .state import damaged

__all__ = ["Client"]

_LARGEST_ANSWER = 1 << 20
"""Bytes of a `JsonAnswer`; a sealed message key has two thousand."""


class Client(nio.AsyncClient):  # type: ignore[misc]  # nio has no types
    """nio's client, with these differences: while ``sending`` is held, news of rooms and devices waits; a
    download is cut off at the size limit of pictures, and a `JsonAnswer` counts as empty above one megabyte; keys locked with
    another pickle key raise an InputError; the answer to a key query has a ``whole``, with the cross-signing keys that nio
    drops; and every request says for whom it is, if ``acting_for`` has the ``user_id`` and ``device_id`` of an application
    service's user."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.sending = asyncio.Lock()
        self.largest = MAX_FILE_BYTES
        self.acting_for: dict[str, str] = {}

    async def send(self, method: str, path: str, *args: Any, **kwargs: Any) -> Any:
        if self.acting_for:
            path = f"{path}{'&' if '?' in path else '?'}{urlencode(self.acting_for)}"
        return await super().send(method, path, *args, **kwargs)

    def load_store(self) -> None:
        try:
            super().load_store()
        except (vodozemac.PickleException, vodozemac.LibolmPickleException) as error:
            raise InputError(
                f"The Matrix keys in {self.store_path} are locked with another key.",
                hint="Use the profile that they were made with, or another folder.",
            ) from error
        except DatabaseError as error:
            raise damaged(self.store_path) from error
        decrypt = self.olm.decrypt_megolm_event

        def with_digest(event: nio.MegolmEvent, *room_id: str) -> Any:
            decrypted = decrypt(event, *room_id)
            decrypted.digest = hashlib.sha256(event.ciphertext.encode()).hexdigest()
            return decrypted

        self.olm.decrypt_megolm_event = with_digest

    async def receive_response(self, response: Any) -> None:
        if isinstance(response, nio.SyncResponse):
            async with self.sending:
                await super().receive_response(response)
        else:
            await super().receive_response(response)

    async def create_matrix_response(
        self, response_class: Any, transport_response: Any, data: Any = None, save_to: Any = None
    ) -> Any:
        if issubclass(response_class, JsonAnswer):
            body = await _read(transport_response, _LARGEST_ANSWER)
            try:
                response = response_class.from_dict(json.loads(body) if len(body) <= _LARGEST_ANSWER else {})
            except (ValueError, RecursionError):
                response = response_class.from_dict({})
            response.transport_response = transport_response
            return response
        if not issubclass(response_class, nio.MemoryDownloadResponse) or transport_response.status != 200:
            response = await super().create_matrix_response(response_class, transport_response, data, save_to)
            if isinstance(response, nio.KeysQueryResponse):
                response.whole = await self.parse_body(transport_response)
            return response
        body = await _read(transport_response, self.largest)
        response = response_class.from_data(body, transport_response.content_type)
        response.transport_response = transport_response
        return response


async def _read(transport_response: Any, most: int) -> bytes:
    """The body of a response, cut off somewhere after ``most`` bytes."""
    body = bytearray()
    async for chunk in transport_response.content.iter_chunked(2**16):
        body += chunk
        if len(body) > most:
            transport_response.close()
            break
    return bytes(body)

"""``CoverService``: covers made by a server, for `StyleCrypt`. Seals are made here, by keys that never leave."""

from __future__ import annotations

import time
from collections.abc import Iterable
from ipaddress import ip_address
from types import TracebackType
from typing import Self

import httpx2
from pydantic import ValidationError

from stylecrypt_msg.covering import Cover, CoverOrder
from stylecrypt_msg.errors import InputError, NetworkError, NotAuthorisedError, StyleCryptError
from stylecrypt_msg.progress import Progress, silent

from .wire import COVERS, Answer, Fields, Problem, cover_of, error_of, request_of

__all__ = ["CoverService"]

_MAX_ANSWER = 256 * 2**20  # bytes
_BUSY = (429, 503)


class CoverService:
    """Asks a server for covers: ``StyleCrypt(profile, covers=CoverService(url, token))``. Threads may share one.

    The server sees the pixels of photos, the pictures of people by whom faces are chosen, and the stand-ins' seeds; neither
    keys, contacts, captions and file names, nor what else the photo's file holds. Its model makes the faces. It decides what is
    covered: use one that you would show the photos to.
    """

    def __init__(self, url: str, token: str, *, seconds: float = 120) -> None:
        """``seconds``: for a cover, with waiting for a busy server.

        Raises InputError for a URL that is not HTTPS, unless it is of this machine.
        """
        try:
            where = httpx2.URL(url)
        except httpx2.InvalidURL:
            raise InputError(f"{url} is not a URL.") from None
        if where.scheme != "https" and not (where.scheme == "http" and _is_here(where.host)):
            raise InputError(
                "Photos are not sent to a server without TLS.", hint="Use an address that begins with https://."
            )
        self._seconds = seconds
        self._http = httpx2.Client(base_url=where, headers={"Authorization": f"Bearer {token}"}, timeout=seconds)

    def __call__(self, order: CoverOrder, progress: Progress = silent) -> Cover:
        """A `Coverer`. Raises NetworkError when there is no good answer in time, NotAuthorisedError for a wrong token."""
        form = request_of(order)
        progress("making faces", 0, 1)
        until = time.monotonic() + self._seconds
        try:
            status, body, after = self._post(form)
            while status in _BUSY and time.monotonic() + after < until:
                time.sleep(after)
                status, body, after = self._post(form)
        except (httpx2.HTTPError, ValueError) as error:
            raise NetworkError(
                f"The service does not answer: {type(error).__name__}.", hint="Check its address, or try again later."
            ) from error
        cover = _cover(status, body, order)
        progress("making faces", 1, 1)
        return cover

    def close(self) -> None:
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _post(self, form: Fields) -> tuple[int, bytes, float]:
        """Status, body, and seconds to wait where the server is busy. Raises ValueError for an endless answer."""
        files = [(name, (None if isinstance(value, str) else name, value)) for name, value in _parts(form)]
        with self._http.stream("POST", COVERS.lstrip("/"), files=files) as response:
            body = bytearray()
            for chunk in response.iter_bytes():
                body += chunk
                if len(body) > _MAX_ANSWER:
                    raise ValueError("endless")
            after = response.headers.get("Retry-After", "")
            return response.status_code, bytes(body), float(after) if after.isdecimal() else 1.0


def _parts(form: Fields) -> Iterable[tuple[str, str | bytes]]:
    return ((name, value) for name, values in form.items() for value in values)


def _cover(status: int, body: bytes, order: CoverOrder) -> Cover:
    try:
        if status == 200:
            return cover_of(Answer.model_validate_json(body), order)
        problem = Problem.model_validate_json(body)
        raised: StyleCryptError
        if status == 401:
            raised = NotAuthorisedError("The service rejected the token.", hint="Ask its operator for one.")
        elif status == 422:
            raised = error_of(problem)
        else:
            raised = NetworkError(f"The service cannot help now: {problem.message}", hint=problem.hint)
    except (ValidationError, ValueError, InputError) as error:
        raise NetworkError(
            "The service sent an unexpected answer.",
            hint="Check the address; both sides need the same version.",
        ) from error
    raise raised


def _is_here(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False

"""The server's paths: an ASGI application."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from time import perf_counter

from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from . import openapi
from .admission import Admission, BusyError
from .health import Health
from .limits import Limits
from .tokens import Tokens
from .wire import COVERS, CoverRequest, Problem
from .workers import Workers

__all__ = ["ABOUT", "make_app"]

_log = logging.getLogger(__name__)

ABOUT = """\
StyleCrypt covers: replaces the faces in photos by those of people who do not exist.

This server sees the photos that it covers, with the faces, and the seeds of the stand-ins, by which it can tell which photos go
to the same chat. It keeps them in memory for as long as it works on them, and writes none of it anywhere. It never sees keys,
contacts, captions or file names: its clients seal what they send, and nobody can open anything here.

/openapi.json describes how to use it.
"""

_MAX_FIELD = 1024  # bytes of a field without a file
_MAX_PARTS = 300
_LISTS = {name for name, one in CoverRequest.model_fields.items() if "list" in str(one.annotation)}
_HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


class _RefusedError(Exception):
    """A request that is not for the workers."""

    def __init__(self, status: int, message: str, hint: str | None = None, **headers: str) -> None:
        super().__init__(message)
        self._status, self._headers = status, {name.replace("_", "-"): value for name, value in headers.items()}
        self._problem = Problem(kind="InputError", message=message, hint=hint)

    @property
    def response(self) -> Response:
        body = self._problem.model_dump_json()
        return Response(body, self._status, self._headers, media_type="application/json")


def make_app(tokens: Tokens, workers: Workers, limits: Limits) -> Starlette:
    """Closes ``workers`` when it ends."""
    health = Health()
    admission = Admission(workers, limits, health)

    def client(request: Request) -> str:
        name = tokens.client(request.headers.get("authorization", ""))
        if name is None:
            raise _RefusedError(401, "The token is missing or wrong.", WWW_Authenticate="Bearer")
        return name

    async def covers(request: Request) -> Response:
        began = perf_counter()
        response = await _answer(covered(request))
        health.answered(response.status_code, perf_counter() - began)
        return response

    async def covered(request: Request) -> Response:
        who = client(request)
        try:
            async with admission.admitted(who), asyncio.timeout(limits.seconds):
                form = await _form(request, limits.size)
                result = await admission.answer(form, request.is_disconnected)
        except BusyError as error:
            yours = error.status == 429
            raise _RefusedError(
                error.status,
                f"{'You have' if yours else 'The server has'} too many requests under way.",
                f"Try again in {error.after} seconds.",
                Retry_After=str(error.after),
            ) from None
        except TimeoutError:
            raise _RefusedError(504, "It took too long.", "Use a smaller photo, or try later.") from None
        if result is None:
            return Response(status_code=499)  # for the numbers: nobody reads it
        return Response(result.body, result.status, media_type="application/json")

    async def metrics(request: Request) -> Response:
        async def numbers() -> Response:
            client(request)
            return Response(health.text(), media_type=health.media_type)

        return await _answer(numbers())

    async def about(_: Request) -> Response:
        return PlainTextResponse(ABOUT)

    async def health_check(_: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def description(_: Request) -> Response:
        return JSONResponse(openapi.document())

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        try:
            yield
        finally:
            workers.close()

    routes = [
        Route(COVERS, covers, methods=["POST"]),
        Route("/", about),
        Route("/health", health_check),
        Route("/metrics", metrics),
        Route("/openapi.json", description),
    ]
    return Starlette(routes=routes, lifespan=lifespan)


async def _answer(work: Awaitable[Response]) -> Response:
    """What ``work`` answers, or why it does not."""
    try:
        response = await work
    except _RefusedError as refused:
        response = refused.response
    except Exception as error:  # its text may hold a photo
        _log.error("this is a bug: %s", type(error).__name__)
        response = _RefusedError(500, "The server failed.", "Try again.").response
    response.headers.update(_HEADERS)
    return response


class _InMemory(MultiPartParser):
    """Never writes to the disk what people upload."""

    def __init__(self, request: Request, body: AsyncGenerator[bytes, None], size: int) -> None:
        super().__init__(request.headers, body, max_files=_MAX_PARTS, max_fields=_MAX_PARTS, max_part_size=_MAX_FIELD)
        self.spool_max_size = size + 1


async def _form(request: Request, size: int) -> CoverRequest:
    """The form that a request holds, in at most ``size`` bytes. Raises _RefusedError."""
    unreadable = _RefusedError(400, "The form cannot be read.", "/openapi.json describes it.")
    try:
        parts = await _InMemory(request, _limited(request.stream(), size), size).parse()
        given: dict[str, list[str | bytes]] = {}
        for name, value in parts.multi_items():
            given.setdefault(name, []).append(await value.read() if isinstance(value, UploadFile) else value)
        await parts.close()
        return CoverRequest.model_validate(
            {name: values if name in _LISTS or len(values) > 1 else values[0] for name, values in given.items()}
        )
    except ClientDisconnect:
        raise unreadable from None
    except ValidationError as error:
        field = ".".join(map(str, error.errors(include_input=False)[0]["loc"]))
        raise _RefusedError(400, f"The field {field} cannot be read.", "/openapi.json describes it.") from None
    except (MultiPartException, KeyError, ValueError):
        raise unreadable from None


async def _limited(body: AsyncGenerator[bytes, None], size: int) -> AsyncGenerator[bytes, None]:
    left = size
    async for chunk in body:
        left -= len(chunk)
        if left < 0:
            raise _RefusedError(413, f"The request is larger than {size // 2**20} MB.", "Use a smaller copy.")
        yield chunk

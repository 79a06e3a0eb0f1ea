"""Forms and what is uploaded with them, in memory only."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass

from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import FormParser, MultiPartException, MultiPartParser
from starlette.requests import Request

from stylecrypt_msg.errors import InputError, PictureError
from stylecrypt_msg.files import MAX_FILE_BYTES

__all__ = ["MAX_FILES", "Form", "Upload", "read_form"]

MAX_FILES = 12
_MAX_TEXT = 64 * 2**10  # bytes of a field; a card as text has some hundred
_MAX_FORM = 3 * MAX_FILE_BYTES + 2**20  # bytes: several photos for a key face
_MAX_IGNORED = 2**31  # bytes that are read and dropped, so that the browser gets to show why


@dataclass(frozen=True)
class Upload:
    name: str
    data: bytes


@dataclass(frozen=True)
class Form:
    """What somebody filled in."""

    fields: FormData
    files: tuple[Upload, ...]

    def text(self, name: str) -> str:
        """A field's value; "" if it is missing."""
        value = self.fields.get(name)
        return value if isinstance(value, str) else ""

    def texts(self, name: str) -> list[str]:
        return [value for value in self.fields.getlist(name) if isinstance(value, str)]


class _InMemory(MultiPartParser):
    """Never writes to the disk what people upload, however large it is."""

    spool_max_size = _MAX_FORM + 1


async def read_form(request: Request) -> Form:
    """Raises InputError for what is no form, PictureError for one that is too large."""
    kind = request.headers.get("content-type", "").partition(";")[0]
    body = _limited(request.stream())
    try:
        if kind == "multipart/form-data":
            parser = _InMemory(request.headers, body, max_files=MAX_FILES, max_fields=500, max_part_size=_MAX_TEXT)
            fields = await parser.parse()
        else:
            fields = await FormParser(request.headers, body).parse()
    except (MultiPartException, ValueError) as error:
        raise InputError("The form cannot be read.", hint="Load the page again.") from error
    files = []
    for value in fields.getlist("file"):
        if isinstance(value, UploadFile):
            data = await value.read(MAX_FILE_BYTES + 1)
            await value.close()
            if data or value.filename:  # an empty one stands for no choice
                files.append(Upload(value.filename or "", data))
    return Form(fields, tuple(files))


async def _limited(body: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    size = 0
    async for chunk in body:
        size += len(chunk)
        if size <= _MAX_FORM:
            yield chunk
        elif size > _MAX_IGNORED:
            break
    if size > _MAX_FORM:
        raise PictureError(
            f"The picture file is larger than {MAX_FILE_BYTES // 2**20} MB.", hint="Save a smaller copy and use that."
        )

"""A message board on the web, in one file: everybody sees the pictures that were posted, and only contacts see the photos.

    pip install 'stylecrypt-msg[web]'
    python examples/board.py            # http://127.0.0.1:8000

The board neither needs StyleCrypt nor knows keys: it must only keep each file as it came, byte by byte. Post what `stylecrypt
encrypt` wrote; whoever saves a picture from the board opens it with `stylecrypt decrypt`. Pictures are kept in memory.
"""

from __future__ import annotations

import html
from dataclasses import dataclass

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

LARGEST = 32 * 2**20  # bytes of a post
TYPES = {"image/jpeg", "image/png", "image/webp"}
PAGE = """<!doctype html><html lang="en"><title>Board</title><style>img {{ max-width: 40em; display: block }}</style>
<form method="post" enctype="multipart/form-data">
<label>Picture <input type="file" name="picture" required></label>
<label>Text <input name="text" maxlength="200"></label> <button>Post</button></form>{posts}</html>"""
POST = '<article><p>{text}</p><a href="/{number}" download><img src="/{number}" alt=""></a></article>'


@dataclass(frozen=True)
class Post:
    text: str
    picture: bytes
    media_type: str


def make_board() -> Starlette:
    posts: list[Post] = []

    async def show(_: Request) -> Response:
        shown = [POST.format(text=html.escape(post.text), number=number) for number, post in enumerate(posts)]
        return HTMLResponse(PAGE.format(posts="".join(reversed(shown))))

    async def post(request: Request) -> Response:
        if int(request.headers.get("content-length", LARGEST + 1)) > LARGEST:
            raise HTTPException(413, "The picture is too large.")
        async with request.form(max_files=1, max_fields=1) as form:
            file, text = form.get("picture"), form.get("text", "")
            if file is None or isinstance(file, str) or file.content_type not in TYPES or not isinstance(text, str):
                raise HTTPException(400, "Post a JPEG, PNG or WebP picture.")
            posts.append(Post(text, await file.read(), file.content_type))
        return RedirectResponse("/", 303)

    async def picture(request: Request) -> Response:
        number = request.path_params["number"]
        if number >= len(posts):
            raise HTTPException(404)
        one = posts[number]
        return Response(one.picture, media_type=one.media_type, headers={"x-content-type-options": "nosniff"})

    return Starlette(routes=[Route("/", show), Route("/", post, methods=["POST"]), Route("/{number:int}", picture)])


if __name__ == "__main__":
    uvicorn.run(make_board(), host="127.0.0.1", port=8000)

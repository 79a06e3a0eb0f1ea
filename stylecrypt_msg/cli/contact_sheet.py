"""The report on a folder as a page: one file, without scripts, with a small picture of each result."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path

from ..apps import reduced
from ..errors import InputError
from ..files import write_atomically
from ..pictures import encode_picture, read_photo
from .places import Place

__all__ = ["write"]

_SIDE = 240  # px
_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem; color-scheme: light dark }
ul { display: grid; grid-template-columns: repeat(auto-fill, minmax(240px, 1fr)); gap: 1.5rem; list-style: none; padding: 0 }
li { overflow-wrap: anywhere } img { max-width: 100%; height: auto; border-radius: 4px }
.refused { color: light-dark(#a00, #f99) }
p { margin: .2rem 0 } .said { font-size: .85rem }
"""


def write(path: Path, output: Place, rows: Sequence[tuple[str, str | None, Sequence[str]]]) -> None:
    """``rows``: a photo's name, that of its result below ``output`` (None: there is none), and what is to be said about it."""
    done = sum(result is not None for _, result, _ in rows)
    page = (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>Report</title>'
        '<meta name="viewport" content="width=device-width">'
        f"<style>{_STYLE}</style></head><body><h1>{done} of {len(rows)} pictures done</h1><ul>"
    )
    write_atomically(path, "\n".join([page, *_items(output, rows), "</ul></body></html>\n"]).encode())


def _items(output: Place, rows: Sequence[tuple[str, str | None, Sequence[str]]]) -> Iterator[str]:
    for photo, result, said in rows:
        words = "".join(f'<p class="said">{escape(line)}</p>' for line in said)
        if result is None:
            yield f'<li class="refused"><p><b>{escape(photo)}</b></p>{words}</li>'
        else:
            yield f"<li>{_picture(output, result)}<p><b>{escape(photo)}</b></p>{words}</li>"


def _picture(output: Place, result: str) -> str:
    try:
        small = reduced(read_photo(output.read(result)).pixels, _SIDE)
    except InputError:  # removed meanwhile, or of a kind that only its sender's program writes
        return ""
    data = base64.b64encode(encode_picture(small, "JPEG", quality=75)).decode()
    height, width = small.shape[:2]
    return f'<img alt="" loading="lazy" width="{width}" height="{height}" src="data:image/jpeg;base64,{data}">'

"""The report's folder: a page, sheets of pictures, and ``report.json``. The page loads nothing from elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from stylecrypt_msg.files import write_atomically
from stylecrypt_msg.pictures import Pixels, encode_picture, read_picture

from .run import TILE, Strips
from .summary import Summary
from .tables import Table, summary_tables
from .trial import figure_titles

__all__ = ["write_report"]


_ON_A_SHEET = 10  # people
_HEAD = 26  # px above a sheet's pictures
_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 1200px; margin: 2em auto; padding: 0 1em; color: #222; }
table { border-collapse: collapse; font-size: 13px; }
th, td { padding: 2px 9px; text-align: right; border-bottom: 1px solid #ddd; white-space: nowrap; }
th:first-child, td:first-child { text-align: left; }
.wide { overflow-x: auto; }
img { max-width: 100%; }
"""


def write_report(folder: Path, summary: Summary, *, lpips_note: str | None) -> Path:
    """Writes ``index.html``, whose path it returns, the sheets, and the summary as ``report.json``.

    ``lpips_note`` says why there is no LPIPS. Raises PictureError when the folder cannot be written.
    """
    strips = Strips(folder)
    titles = figure_titles(summary.pairs)
    sheets: list[tuple[str, str]] = []
    for start in range(0, len(summary.people), _ON_A_SHEET):
        people = summary.people[start : start + _ON_A_SHEET]
        name = f"sheet-{start // _ON_A_SHEET + 1:02}.jpg"
        _write_sheet(folder / name, titles, [strips.path("trial", person) for person in people])
        sheets.append((name, "From top to bottom: " + ", ".join(people) + "."))
    shown = [person for person in summary.people if strips.path("layers", person).exists()][: summary.layers_people]
    if shown and summary.table1:
        titles = ["inversion", *(f"layer {layer}" for layer in range(len(summary.table1)))]
        _write_sheet(folder / "layers.jpg", titles, [strips.path("layers", person) for person in shown])

    facts = [
        f"Model {summary.model}, {summary.image_size} px, hash {summary.model_hash}.",
        f"{len(summary.people)} people; {'two photos each' if summary.pairs else 'one photo each'}.",
    ]
    if lpips_note:
        facts.append(lpips_note)
    if summary.passed_over:
        left_out = "; ".join(f"{name}: {why}" for name, why in summary.passed_over.items())
        facts.append(f"Passed over: {left_out}")
    parts = ["<h1>Evaluation</h1>", *(f"<p>{escape(fact)}</p>" for fact in facts)]
    parts += [_html(table) for table in summary_tables(summary)]
    if shown and summary.table1:
        parts.append("<h2>One layer at a time (the paper's figure 7)</h2>" + _image("layers.jpg", ", ".join(shown)))
    parts.append("<h2>Sheets (the paper's figures 8 and 9)</h2>")
    parts += [_image(name, caption) for name, caption in sheets]
    page = (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>Evaluation</title>'
        f"<style>{_STYLE}</style></head><body>\n" + "\n".join(parts) + "\n</body></html>\n"
    )
    write_atomically(folder / "index.html", page.encode())
    write_atomically(folder / "report.json", summary.model_dump_json(indent=1).encode() + b"\n")
    return folder / "index.html"


def _html(table: Table) -> str:
    head = "".join(f"<th>{escape(cell)}</th>" for cell in table.head)
    rows = "\n".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in table.rows)
    return (
        f"<h2>{escape(table.title)}</h2>\n<p>{escape(table.note)}</p>\n"
        f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>\n{rows}\n</tbody></table></div>'
    )


def _image(name: str, caption: str) -> str:
    return (
        f'<figure><a href="{escape(name)}"><img src="{escape(name)}" alt="{escape(caption)}"></a>'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
    )


def _write_sheet(path: Path, titles: Sequence[str], strips: Sequence[Path]) -> None:
    rows = [read_picture(strip).pixels for strip in strips]
    width = TILE * len(titles)
    head = Image.new("RGB", (width, _HEAD), "white")
    draw, font = ImageDraw.Draw(head), ImageFont.load_default(size=14)
    for i, title in enumerate(titles):
        draw.text((i * TILE + 4, 5), title, "black", font)
    sheet: Pixels = np.concatenate([np.asarray(head), *rows])
    write_atomically(path, encode_picture(sheet, "JPEG", quality=88, ai_made=True))

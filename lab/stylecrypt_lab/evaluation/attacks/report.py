"""The attacks' report: ``attacks.json`` for programs, ``attacks.html`` for people, ``attacks.md`` for documents.

The page's sheets of averages begin with the senders' own photos.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path

from stylecrypt_msg.errors import PictureError, os_reason
from stylecrypt_msg.files import write_atomically

from .bench import ATTACKS, AttackResult
from .many import Averages
from .odds import Figure, Finding

__all__ = ["NOTE", "table", "write_report"]

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 72rem; padding: 0 1rem; color: #1c2733; }
table { border-collapse: collapse; margin: 1rem 0; } th, td { border-bottom: 1px solid #d6dce2; padding: .25rem .7rem; }
th { text-align: left; } td.n { text-align: right; font-variant-numeric: tabular-nums; }
.leaks { color: #a61b1b; font-weight: 600; } .holds { color: #1b6b3a; } svg text { font: 12px system-ui, sans-serif; }
"""
_FINDING = ("attack", "mask", "what", "count", "95 %", "by chance", "verdict")
_FIGURE = ("attack", "mask", "what", "value", "unit")
_COLUMNS = (
    "mask",
    "form",
    ">recognised",
    ">verified",
    ">by kept styles",
    ">linked",
    ">opened by a photo",
    ">comes back",
    "verdict",
)
_COLOURS = ("#31688e", "#d9722e", "#35b779")


NOTE = (
    "Counts of senders. A mask leaks if an attack succeeds so often that luck alone would do so less than once in 200 times; "
    "it holds if that could not be shown with this many people."
)


def write_report(result: AttackResult, folder: Path) -> Path:
    """Writes ``attacks.json``, ``attacks.md`` and ``attacks.html``, which it returns, into a folder, which it makes if needed.

    Raises PictureError when they cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise PictureError(
            f"{folder} cannot be made: {os_reason(error)}.", hint="Use another folder for the report."
        ) from error
    page = folder / "attacks.html"
    write_atomically(folder / "attacks.json", json.dumps(result.to_json(), indent=2).encode())
    write_atomically(folder / "attacks.md", _markdown(result).encode())
    write_atomically(page, _page(result).encode())
    return page


def table(result: AttackResult) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Masks and their odds: column names, with a leading ``>`` over numbers, and rows."""
    rows = []
    for odds in result.masks:
        counts = (odds.recognised, odds.verified, odds.kept_styles, odds.linked, odds.opened)
        verdict = f"leaks: {', '.join(odds.leaks)}" if odds.leaks else "holds"
        rows.append((odds.mask, odds.form, *(f"{n}/{odds.people}" for n in counts), f"{odds.psnr:.1f} dB", verdict))
    return _COLUMNS, rows


def _page(result: AttackResult) -> str:
    seen = result.conditions
    pairs = "the gallery and the key faces are other photos" if seen["pairs"] else "there is one photo of each"
    parts = [
        "<!doctype html><html lang=en><meta charset=utf-8><title>Attacks</title>",
        f"<style>{_STYLE}</style><h1>Attacks on the fakes</h1>",
        f"<p>{seen['people']} senders; {pairs}. Model {escape(seen['model'])}, recogniser {escape(seen['recogniser'])}.</p>",
        f"<p>{escape(NOTE)}</p>",
        "<h2>Masks</h2>",
        _table(*table(result)),
        _bars(result),
    ]
    for attack, does in ATTACKS.items():
        rows = [finding for finding in result.findings if finding.attack == attack]
        figures = [figure for figure in result.figures if figure.attack == attack]
        if not rows and not figures:
            continue
        parts.append(f"<h2>{attack.capitalize()}</h2><p>{escape(does)}</p>")
        if rows:
            parts.append(_table(_FINDING, _rows(rows)))
        if figures:
            parts.append(_table(_FIGURE, _values(figures)))
        if attack == "averaging":
            parts += [_curve(mask, averages) for mask, averages in result.averages.items()]
    return "\n".join(parts)


def _rows(findings: Iterable[Finding]) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for one in findings:
        low, high = one.interval
        chance = "" if one.chance is None else f"{one.chance:.1%}"
        odds = f"{one.successes} of {one.trials}", f"{low:.0%} to {high:.0%}", chance, one.verdict
        rows.append((one.attack, one.mask or "any", one.what, *odds))
    return rows


def _values(figures: Iterable[Figure]) -> list[tuple[str, ...]]:
    return [
        (
            one.attack,
            one.mask or "any",
            one.what,
            f"{one.value:,.0f}" if one.value > 99 else f"{one.value:.2f}",
            one.unit,
        )
        for one in figures
    ]


def _markdown(result: AttackResult) -> str:
    """The table of masks, then all results for the masks in use and for messages."""
    mine = {"", *(setting.name for setting in result.settings if setting.in_use)}
    head, rows = table(result)
    tables: tuple[tuple[Sequence[str], Sequence[Sequence[str]]], ...] = (
        (tuple(name.removeprefix(">") for name in head), rows),
        (_FINDING, _rows(one for one in result.findings if one.mask in mine)),
        (_FIGURE, _values(one for one in result.figures if one.mask in mine)),
    )
    return "\n\n".join(
        "\n".join(f"| {' | '.join(row)} |" for row in (head, ("---",) * len(head), *rows)) for head, rows in tables
    )


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    def cell(value: str) -> str:
        text = escape(value)
        verdict = text.split(":")[0]
        return f"<td class={verdict}>{text}</td>" if verdict in ("leaks", "holds") else f"<td>{text}</td>"

    body = "".join("<tr>" + "".join(map(cell, row)) + "</tr>" for row in rows)
    return f"<table><tr>{''.join(f'<th>{escape(name.removeprefix(chr(62)))}</th>' for name in head)}</tr>{body}</table>"


def _bars(result: AttackResult) -> str:
    """The price of each mask: how often the sender is found, beside what a contact with a key face recovers."""
    parts, y = [], 20
    for odds in result.masks:
        found = max(odds.recognised, odds.kept_styles) / odds.people
        back = min(max(odds.psnr, 0) / 40, 1)
        parts.append(f"<text x=0 y={y + 18}>{odds.mask}</text>")
        for at, (share, label) in enumerate(((found, f"{found:.0%} found"), (back, f"{odds.psnr:.1f} dB back"))):
            top = y + 14 * at
            parts.append(f"<rect x=110 y={top} width={max(share * 400, 1):.0f} height=12 fill='{_COLOURS[at]}'/>")
            parts.append(f"<text x={116 + share * 400:.0f} y={top + 10}>{label}</text>")
        y += 42
    return f"<svg width=640 height={y} role=img>{''.join(parts)}</svg>"


def _curve(mask: str, averages: Averages) -> str:
    counts, parts = averages.counts, []
    top = max(max(line) for line in averages.distances.values()) * 1.1
    at = [50 + 360 * i / max(len(counts) - 1, 1) for i in range(len(counts))]
    for colour, (what, line) in zip(_COLOURS, averages.distances.items(), strict=True):
        points = " ".join(f"{x:.0f},{200 - 180 * value / top:.0f}" for x, value in zip(at, line, strict=True))
        parts.append(f"<polyline points='{points}' fill=none stroke='{colour}' stroke-width=2 />")
        parts.append(f"<text x=420 y={204 - 180 * line[-1] / top:.0f} fill='{colour}'>{what} {line[-1]:.2f}</text>")
    parts += [f"<text x={x - 4:.0f} y=218>{count}</text>" for x, count in zip(at, counts, strict=True)]
    parts.append("<line x1=50 y1=200 x2=410 y2=200 stroke='#889' />")
    sheet = base64.b64encode(averages.sheet).decode()
    return (
        f"<h3>Mask {mask}</h3><p>Distance from the mean of this many fakes to the sender.</p>"
        f"<svg width=560 height=224 role=img>{''.join(parts)}</svg>"
        "<p>The photo; one fake; the mean of the pixels; the face of the mean code.</p>"
        f"<img alt='averaged faces' src='data:image/jpeg;base64,{sheet}'>"
    )

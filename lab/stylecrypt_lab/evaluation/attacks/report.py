"""The attacks' report: ``attacks.json`` for programs, ``attacks.html`` for people, ``attacks.md`` for documents.

The page's sheets begin with the senders' own photos.
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
from .odds import Figure, Finding

__all__ = ["NOTE", "costs", "sights", "write_report"]

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 72rem; padding: 0 1rem; color: #1c2733; }
table { border-collapse: collapse; margin: 1rem 0; } th, td { border-bottom: 1px solid #d6dce2; padding: .25rem .7rem; }
th { text-align: left; } td.n { text-align: right; font-variant-numeric: tabular-nums; }
.leaks { color: #a61b1b; font-weight: 600; } .holds { color: #1b6b3a; }
"""
_FINDING = ("attack", "mask", "judge", "what", "count", "95 %", "by chance", "verdict")
_FIGURE = ("attack", "mask", "judge", "what", "value", "unit", "luck", "verdict")
_SIGHTS = ("mask", "judge", ">of", ">FAR 0.001", ">FAR 0.0001", ">found first", ">linked", ">D_sys", ">luck")
_COSTS = ("mask", "form", ">sent", ">opened by a photo", ">comes back", "verdict")

NOTE = (
    "A mask leaks if an attack succeeds so often that luck alone would do so less than once in 200 times; it holds if that "
    "could not be shown with this many people."
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


def sights(result: AttackResult) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """What judges see: column names, with a leading ``>`` over numbers, and rows."""

    def decimal(value: float | None) -> str:
        return "" if value is None else f"{value:.2f}"

    rows: list[tuple[str, ...]] = []
    for sight in result.sights:
        counts = (sight.people, sight.far3, sight.far4, sight.first)
        linked = "" if sight.linked is None else f"{sight.linked}/{sight.rooms}"
        odds = (decimal(sight.d_sys), decimal(sight.luck))
        rows.append((sight.mask, sight.judge, *map(str, counts), linked, *odds))
    return _SIGHTS, rows


def costs(result: AttackResult) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Masks, what they give away and to whom they open: as `sights`."""
    rows: list[tuple[str, ...]] = []
    for odds in result.masks:
        verdict = f"leaks: {', '.join(odds.leaks)}" if odds.leaks else "holds"
        opened = f"{odds.opened}/{odds.tried}"
        rows.append((odds.mask, odds.form, str(odds.people), opened, f"{odds.psnr:.1f} dB", verdict))
    return _COSTS, rows


def _page(result: AttackResult) -> str:
    seen = result.conditions
    pairs = "the gallery and the key faces are other photos" if seen["pairs"] else "there is one photo of each"
    parts = [
        "<!doctype html><html lang=en><meta charset=utf-8><title>Attacks</title>",
        f"<style>{_STYLE}</style><h1>Attacks on the fakes</h1>",
        f"<p>{seen['people']} senders; {pairs}. Model {escape(seen['model'])}, judged by {escape(seen['recognisers'])}.</p>",
        f"<p>{escape(NOTE)}</p>",
        "<h2>Masks</h2>",
        _table(*sights(result)),
        _table(*costs(result)),
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
        if attack == "reverser":
            parts += [_sheet(mask, sheet) for mask, sheet in result.sheets.items()]
    return "\n".join(parts)


def _rows(findings: Iterable[Finding]) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for one in findings:
        low, high = one.interval
        chance = "" if one.chance is None else f"{one.chance:.1%}"
        odds = f"{one.successes} of {one.trials}", f"{low:.0%} to {high:.0%}", chance, one.verdict
        rows.append((one.attack, one.mask or "any", one.judge, one.what, *odds))
    return rows


def _values(figures: Iterable[Figure]) -> list[tuple[str, ...]]:
    return [
        (
            one.attack,
            one.mask or "any",
            one.judge,
            one.what,
            f"{one.value:,.0f}" if one.value > 99 else f"{one.value:.2f}",
            one.unit,
            "" if one.luck is None else f"{one.luck:.2f}",
            one.verdict,
        )
        for one in figures
    ]


def _markdown(result: AttackResult) -> str:
    """The tables of masks, then all results for the masks in use and for messages."""
    mine = {"", *(setting.name for setting in result.settings if setting.in_use)}
    tables: tuple[tuple[Sequence[str], Sequence[Sequence[str]]], ...] = (
        *(([name.removeprefix(">") for name in head], rows) for head, rows in (sights(result), costs(result))),
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


def _sheet(mask: str, sheet: bytes) -> str:
    data = base64.b64encode(sheet).decode()
    return (
        f"<h3>Mask {mask}</h3><p>The photo; the fake; what is made of its codes; what is made of its pixels.</p>"
        f"<img alt='reversed faces' src='data:image/jpeg;base64,{data}'>"
    )

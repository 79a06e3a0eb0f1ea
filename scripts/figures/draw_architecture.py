"""Draws which part imports which, from the table that ``tests/test_layers.py`` enforces.

    python scripts/figures/draw_architecture.py [-o docs/architecture.svg]

Each part of ``stylecrypt_msg`` goes into the row below the lowest part that imports it. Lines implied by others are left out:
if A imports B and B imports C, there is no line from A to C.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from statistics import fmean
from typing import TypeAlias

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.test_layers import IMPORTS, KNOWS

WIDE, HIGH, BESIDE, BETWEEN, MARGIN = 104, 30, 20, 44, 24  # px
SWEEPS = 8  # over the rows, after which nothing moves any more
STYLE = """
text { font: 14px sans-serif; text-anchor: middle; fill: #1e2024 }
.package { fill: #f2f3f5; stroke: #9aa0a8 }
.part { fill: #dbecff; stroke: #5b7fa6 }
path { fill: none; stroke: #5b7fa6 }
"""

Imports: TypeAlias = Mapping[str, set[str]]
Row: TypeAlias = list[str]
"""Names of parts, and of lines that cross the row: "from>to"."""
Place: TypeAlias = tuple[int, str]
"""A row, and a name in it."""


def depths(imports: Imports) -> dict[str, int]:
    """Each part's distance from the top, in rows."""
    users = {part: {one for one in imports if part in imports[one]} for part in imports}
    depth: dict[str, int] = {}
    while len(depth) < len(imports):
        ready = [part for part in imports if part not in depth and users[part] <= depth.keys()]
        depth |= {part: max((depth[one] + 1 for one in users[part]), default=0) for part in ready}
    return depth


def essential(imports: Imports) -> list[tuple[str, str]]:
    """The imports that others do not imply."""

    def reach(part: str) -> set[str]:
        return imports[part].union(*(reach(one) for one in imports[part]))

    return sorted(
        (part, one)
        for part, below in imports.items()
        for one in below - set().union(*(reach(other) for other in below))
    )


def middles(rows: list[Row]) -> dict[Place, float]:
    """The x of everything in the rows, which are centred on 0."""
    at = {}
    for depth, row in enumerate(rows):
        wide = [0 if ">" in name else WIDE for name in row]
        left = -(sum(wide) + BESIDE * (len(row) - 1)) / 2
        for name, own in zip(row, wide, strict=True):
            at[depth, name] = left + own / 2
            left += own + BESIDE
    return at


def laid_out(imports: Imports, lines: list[tuple[str, str]]) -> tuple[list[Row], list[list[Place]]]:
    """The rows, the top one first, and the path of each line through them.

    Few lines cross: everything goes as near as possible to its neighbours (Sugiyama, Tagawa and Toda 1981).
    """
    depth = depths(imports)
    rows: list[Row] = [[] for _ in range(max(depth.values()) + 1)]
    for part in sorted(imports):
        rows[depth[part]].append(part)
    ways = []
    for start, end in lines:
        between = [(number, f"{start}>{end}") for number in range(depth[start] + 1, depth[end])]
        for number, name in between:
            rows[number].append(name)
        ways.append([(depth[start], start), *between, (depth[end], end)])
    joined: dict[Place, list[Place]] = {}
    for way in ways:
        for one, other in pairwise(way):
            joined.setdefault(one, []).append(other)
            joined.setdefault(other, []).append(one)
    for _ in range(SWEEPS):
        for number, row in enumerate(rows):
            at = middles(rows)
            pull = {name: fmean(at[one] for one in joined[number, name]) for name in row}
            rows[number] = sorted(sorted(row), key=pull.__getitem__)
    return rows, ways


def box(name: str, left: float, top: float, wide: float, kind: str = "package") -> str:
    """A labelled rectangle."""
    return (
        f'<rect class="{kind}" x="{left:g}" y="{top:g}" width="{wide:g}" height="{HIGH}" rx="5"/>'
        f'<text x="{left + wide / 2:g}" y="{top + 20:g}">{name}</text>'
    )


def line(points: list[tuple[float, float]]) -> str:
    """A line from one box down to another, vertical where it meets them and at the points between."""
    drawn = [f"M{points[0][0]:g} {points[0][1]:g}"]
    for (x, y), (to_x, to_y) in pairwise(points):
        bend = (to_y - y) / 2
        drawn.append(f"C{x:g} {y + bend:g} {to_x:g} {to_y - bend:g} {to_x:g} {to_y:g}")
    return f'<path d="{"".join(drawn)}"/>'


def picture() -> str:
    """The SVG."""
    imports = {part: below for part, below in IMPORTS.items() if part != "__init__"}
    rows, ways = laid_out(imports, essential(imports))
    at = middles(rows)
    half = max(abs(x) for x in at.values()) + WIDE / 2 + MARGIN
    middle, step = half + MARGIN, HIGH + BETWEEN
    frame, wide = MARGIN + step, 2 * half
    first = frame + MARGIN + 10  # below the frame's name
    floor = first + len(rows) * step - BETWEEN + MARGIN
    height = floor + step + MARGIN
    above = [package for package, known in KNOWS.items() if "stylecrypt_msg" in known]
    each = (wide - (len(above) - 1) * BESIDE) / len(above)
    shapes = [
        f'<rect class="package" x="{MARGIN}" y="{frame}" width="{wide:g}" height="{floor - frame}" rx="5"/>'
        f'<text x="{middle:g}" y="{frame + 20}">stylecrypt_msg</text>',
        box("stylecrypt_protocol", MARGIN, floor + BETWEEN, wide),
        line([(middle, floor), (middle, floor + BETWEEN)]),
    ]
    for number, package in enumerate(above):
        left = MARGIN + number * (each + BESIDE)
        shapes += [
            box(package, left, MARGIN, each),
            line([(left + each / 2, MARGIN + HIGH), (left + each / 2, frame)]),
        ]
    for (start, *between, end), x in ((way, [middle + at[one] for one in way]) for way in ways):
        points = [(x[0], first + start[0] * step + HIGH)]
        for (row, _), there in zip(between, x[1:-1], strict=True):
            points += [(there, first + row * step), (there, first + row * step + HIGH)]
        shapes.append(line([*points, (x[-1], first + end[0] * step)]))
    for (row, name), x_ in sorted(at.items()):
        if ">" not in name:
            shapes.append(box(name, middle + x_ - WIDE / 2, first + row * step, WIDE, "part"))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide + 2 * MARGIN:g} {height}">\n'
        f"<style>{STYLE}</style>\n"
        f'<rect width="{wide + 2 * MARGIN:g}" height="{height}" fill="white"/>\n' + "\n".join(shapes) + "\n</svg>\n"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-o", "--output", type=Path, default=Path("docs/architecture.svg"))
    parser.parse_args().output.write_text(picture(), encoding="utf-8")


if __name__ == "__main__":
    main()

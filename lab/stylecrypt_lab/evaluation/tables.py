"""A summary as text tables, for the terminal and the report's page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from stylecrypt_msg.stylemix import REGIONS, LayerMask

from .layers import AREAS, MOVES
from .metrics import SIZE
from .summary import Cell, LayerMean, Summary
from .travel import AS_SENT
from .trial import NOT_SENT, Column

__all__ = ["Table", "layer_table", "summary_tables", "table2"]

_SCORES = ("PSNR", "SSIM", "LPIPS", "cosine x100", "distance", "verified", "strictly", "at FAR 0.1 %")


@dataclass(frozen=True)
class Table:
    """``rows`` are as long as ``head``; columns after the first are numbers. ``note`` is a paragraph, or empty."""

    title: str
    note: str
    head: tuple[str, ...]
    rows: list[tuple[str, ...]]


def summary_tables(summary: Summary) -> list[Table]:
    """All tables, table II first."""
    tables = [table2(summary), _travel_table(summary), _level_table(summary), _cycle_table(summary)]
    return [table for table in [*tables, layer_table(summary)] if table.rows]


def table2(summary: Summary) -> Table:
    """The paper's table II: every column, as the picture was sent."""
    identity = summary.identity
    note = (
        f"{len(summary.people)} people, compared with the original at {SIZE} px. Verified: the share that "
        f"{identity.recogniser} matches to the original, closer than {identity.threshold:.2f}; strictly, closer than "
        f"{identity.strict:.2f}. "
        f"Of {identity.impostors} pairs of photos of two people {identity.false_accepts:.1%} are closer than the first, "
        f"{identity.strict_false_accepts:.1%} than the second. "
    )
    note += (
        f"There are too few pairs for a FAR of 0.1 %: it would need {1 / identity.far:.0f}."
        if identity.threshold_at_far is None
        else f"0.1 % are closer than {identity.threshold_at_far:.2f}."
    )
    another, unsent = (
        " and ".join(str(counts[column]) for column in (Column.ENCRYPTED, Column.IN_PHOTO))
        for counts in (summary.another, summary.unsent)
    )
    note += (
        f" A fake that {summary.guards} takes for its sender is not sent: {another} people (portrait, and in the photo) "
        f"have another stand-in for that reason, and {unsent} none, whose fakes count here all the same."
    )
    rows = [(column.value, *_scores(next(iter(ways.values())))) for column, ways in summary.table2.items()]
    return Table("Table II: encryption and decryption", note, ("", *_SCORES), rows)


def _travel_table(summary: Summary) -> Table:
    rows = [
        (f"{column.value}; {way}", str(cell.people), *_scores(cell))
        for column, ways in summary.table2.items()
        if column is not Column.IN_PHOTO
        for way, cell in ways.items()
        if way not in (NOT_SENT, AS_SENT)
    ]
    note = "What arrives is decrypted and compared with the original again."
    return Table("Table II after a messenger", note, ("", "people", *_SCORES), rows)


def _level_table(summary: Summary) -> Table:
    key = "another photo of the sender" if summary.pairs else "the original"
    note = (
        f"The photo form by the SDK, {summary.levels_people} of the people; the key face of level keyface is {key}. "
        "Scores are of the face."
    )
    rows = [
        (
            f"{level}; {way}",
            f"{cell.reached} of {cell.sent}",
            *(_scores(cell.means) if cell.means else [""] * len(_SCORES)),
        )
        for level, ways in summary.levels.items()
        for way, cell in ways.items()
    ]
    return Table("Levels of recovery", note, ("", "level reached", *_SCORES), rows)


def _cycle_table(summary: Summary) -> Table:
    layers = list(summary.cycle[Column.ENCRYPTED][AS_SENT])
    rows = [
        (f"{_READERS[reader]}; {way}", *(f"{values[layer]:.2f}" for layer in layers))
        for reader, ways in summary.cycle.items()
        for way, values in ways.items()
    ]
    note = (
        "Style vectors put into the encrypted portrait, compared with those read in what arrives, without a key and "
        "with one, both less the average: Pearson's correlation over all people and dimensions."
    )
    return Table("The styles that travel", note, ("", *(f"style {layer}" for layer in layers)), rows)


_READERS = {
    Column.ENCRYPTED: "without a key",
    Column.KEY_ORIGINAL: "key: the original",
    Column.KEY_OTHER: "key: another photo",
    Column.KEY_WRONG: "key: somebody else",
}


def layer_table(summary: Summary) -> Table:
    """The paper's table I, measured: a row per region, a column per layer; ✓ from half of the row's largest value on."""
    means = summary.table1
    lines: list[tuple[str, Callable[[LayerMean], float | None]]] = [
        ("pose: head turned (degrees)", lambda mean: mean.yaw),
        *((f"place: {name} (% of eye distance)", lambda mean, name=name: mean.moves.get(name)) for name in MOVES),
        *((f"drawing: {name}", lambda mean, name=name: mean.drawing.get(name)) for name in AREAS),
        *((f"tone: {name}", lambda mean, name=name: mean.tone.get(name)) for name in AREAS),
    ]
    rows = [(name, *_marked([value(mean) for mean in means])) for name, value in lines] if means else []
    paper = "; ".join(
        f"{region} {LayerMask.parse(layers, max(len(means), 9))}" for region, layers in REGIONS.items() if means
    )
    note = (
        f"One layer at a time is replaced in the inversions of {summary.layers_people} of the people. Tone: how far the mean "
        f"colour of a region moves in CIELAB; drawing: how much further its pixels move, on average. "
        f"✓: at least half of the row's largest value. The paper ticks: {paper}."
    )
    return Table("Table I: what each layer changes", note, ("", *map(str, range(len(means)))), rows)


def _marked(values: Sequence[float | None]) -> list[str]:
    known = [value for value in values if value is not None]
    enough = max(known, default=0) / 2
    return [
        "" if value is None else f"{value:.1f}" + (" ✓" if value >= enough and value > 0 else "") for value in values
    ]


def _scores(cell: Cell) -> tuple[str, ...]:
    return (
        f"{cell.psnr:.2f}",
        f"{cell.ssim:.3f}",
        "–" if cell.lpips is None else f"{cell.lpips:.3f}",
        f"{cell.cosine:.2f}",
        f"{cell.distance:.2f}",
        f"{cell.verified:.0%}",
        f"{cell.strict:.0%}",
        "–" if cell.tar is None else f"{cell.tar:.0%}",
    )

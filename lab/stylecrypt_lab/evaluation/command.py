"""``evaluate``: the paper's experiments on a folder of faces, as tables and a report."""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path

from stylecrypt_msg.cli import console
from stylecrypt_msg.cli.cluster import joined
from stylecrypt_msg.cli.remedies import advice
from stylecrypt_msg.errors import InputError
from stylecrypt_msg.models import load_model
from stylecrypt_msg.recognisers import installed_recognisers, load_recogniser

from .metrics import Lpips, load_lpips
from .report import write_report
from .run import Spread, evaluate, in_turn, over
from .subjects import read_subjects
from .tables import table2

__all__ = ["run"]


def run(
    faces: Path,
    output: Path,
    *,
    pairs: bool,
    limit: int | None,
    ray: str | None,
    model_name: str,
    recogniser_name: str,
    as_json: bool,
) -> None:
    """``ray``: the address of a cluster that measures people."""
    recogniser = load_recogniser(recogniser_name)
    model = load_model(model_name)
    lpips: Lpips | None = None
    lpips_note: str | None = None
    guards = installed_recognisers()
    try:
        lpips = load_lpips()
    except InputError as error:
        lpips_note = f"{error} {advice(error)}"
        console.note(lpips_note)
    with ExitStack() as stack:
        spread: Spread = in_turn
        if ray is not None:
            given = model_name, recogniser_name, lpips is not None, [guard.name for guard in guards]
            spread = over(stack.enter_context(joined(ray)), *given)
        progress = stack.enter_context(console.progress())
        subjects, passed_over = read_subjects(
            faces, pairs=pairs, limit=limit, progress=lambda done, total: progress("reading photos", done, total)
        )
        for path, why in passed_over.items():
            console.note(f"{path.name} is passed over: {why}")
        summary = evaluate(
            subjects,
            passed_over,
            model,
            recogniser,
            lpips,
            guards,
            output,
            pairs=pairs,
            model_name=model_name,
            spread=spread,
            progress=progress,
        )
    page = write_report(output, summary, lpips_note=lpips_note)
    if as_json:
        console.print_json(json.loads(summary.model_dump_json()))
        return
    table = table2(summary)
    console.print_table((table.head[0], *(f">{head}" for head in table.head[1:])), table.rows)
    console.say(table.note)
    console.say(f"report: {page}")

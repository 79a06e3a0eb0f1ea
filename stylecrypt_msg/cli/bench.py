"""``bench``."""

from __future__ import annotations

from dataclasses import asdict

from ..benchmarks.models import measure
from . import console

__all__ = ["run"]


def run(model: str, as_json: bool) -> None:
    with console.progress() as report:
        speed = measure(model, report)
    if as_json:
        console.print_json(asdict(speed))
        return
    console.say(
        f"model {speed.model}, synthesis by {speed.runtime}, {speed.threads} threads; "
        f"matrix product here: {speed.peak:.0f} GFLOP/s"
    )
    rows = [
        (row.job, str(row.batch), f"{row.seconds:.3f} s", f"{row.gflop:.1f}", f"{row.share:.0%}") for row in speed.rows
    ]
    console.print_table(("job", ">batch", ">per picture", ">GFLOP", ">of the peak"), rows)
    console.say(
        f"memory: {speed.before:.0f} MB before, {speed.peak_memory:.0f} MB at most, of which weights {speed.weights:.0f} MB"
    )

"""``bench``: the results of the functions in ``benchmarks``, as tables."""

from __future__ import annotations

from dataclasses import asdict

from stylecrypt_msg.cli import console

from .protocol import bench_protocol

__all__ = ["jobs", "model", "protocol"]


def jobs(as_json: bool) -> None:
    from .jobs import measure

    with console.progress() as progress:
        found = measure(progress)
    if as_json:
        console.print_json(asdict(found))
        return
    console.say(f"yardstick: python -c {found.yardstick!r}, {found.unit:.2f} s; times are multiples of it")
    rows = [
        (
            job.name,
            f"{job.warm:.2f} s",
            f"{job.warm / found.unit:.2f}",
            f"{job.fresh:.2f} s",
            f"{job.fresh / found.unit:.2f}",
            f"{job.cpu:.2f} s",
            f"{job.memory:.0f} MB",
        )
        for job in found.jobs
    ]
    heads = ("job", ">warm", ">of the yardstick", ">as a command", ">of the yardstick", ">processors", ">memory")
    console.print_table(heads, rows)


def model(name: str, as_json: bool) -> None:
    from .models import measure

    with console.progress() as progress:
        speed = measure(name, progress)
    if as_json:
        console.print_json(asdict(speed))
        return
    console.say(
        f"model {speed.model}, run by {speed.runtime}, {speed.threads} threads; "
        f"matrix product here: {speed.peak:.0f} GFLOP/s"
    )
    rows = [
        (row.job, str(row.batch), f"{row.seconds:.3f} s", f"{row.gflop:.1f}", f"{row.share:.0%}") for row in speed.rows
    ]
    console.print_table(("job", ">batch", ">per picture", ">GFLOP", ">of the peak"), rows)
    console.say(
        f"memory: {speed.before:.0f} MB before, {speed.peak_memory:.0f} MB at most, of which weights {speed.weights:.0f} MB"
    )


def protocol(as_json: bool) -> None:
    with console.progress() as progress:
        progress("measuring", 0, 1)
        rows = bench_protocol()
    if as_json:
        console.print_json([asdict(row) for row in rows])
        return
    console.say("12 KB sealed, signed and packed, and opened and verified; medians")
    console.print_table(
        (">recipients", ">contacts known", ">seal", ">open", ">overhead"),
        [
            (
                str(row.recipients),
                str(row.contacts),
                f"{row.seal_ms:.2f} ms",
                f"{row.open_ms:.2f} ms",
                f"{row.overhead_bytes:.0f} bytes",
            )
            for row in rows
        ],
    )

"""Bytes that a message costs. Times depend on the machine: lab/stylecrypt_lab/benchmarks/protocol.py prints them."""

from __future__ import annotations

from stylecrypt_lab.benchmarks.protocol import bench_protocol


def test_overhead() -> None:
    one, ten, hundred = bench_protocol(contacts=(100,), repeats=3)
    assert one.overhead_bytes < 1300  # of which 1,088 the sketch
    # The age library adds 16 to 175 random bytes to a message; the mean over few messages still varies.
    assert (ten.overhead_bytes - one.overhead_bytes) / 9 < 130
    assert (hundred.overhead_bytes - one.overhead_bytes) / 99 < 116
    assert all(row.padding_bytes < 0.12 * 14_000 for row in (one, ten, hundred))

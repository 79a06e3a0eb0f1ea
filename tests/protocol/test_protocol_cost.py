"""Bytes that a message costs. Times depend on the machine: lab/stylecrypt_lab/benchmarks/protocol.py prints them."""

from __future__ import annotations

from stylecrypt_lab.benchmarks.protocol import bench_protocol


def test_overhead() -> None:
    one, ten, hundred = bench_protocol(contacts=(100,), repeats=3)
    assert 320 < one.overhead_bytes < 1500  # of which 320 the sketch, 297 padding
    # A stanza and an id for each recipient, and up to 12 % of padding. The age library adds 16 to 175 random bytes to a
    # message; the mean over few messages still varies.
    assert 0 < ten.overhead_bytes - one.overhead_bytes < 9 * 130 + 1800
    assert 99 * 98 < hundred.overhead_bytes - one.overhead_bytes < 99 * 130 + 1800

"""Speed and memory of a face model on this machine, against what the machine can do.

Times are medians over repeats in one process. The work of a network is counted by torch (multiplications and additions
of its convolutions and matrix products) and compared with the rate of a large matrix product measured in the same run,
so that the share says how well the code uses the machine, whatever the machine is.
"""

from __future__ import annotations

import resource
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from ..models import FaceModel, load_model

__all__ = ["Row", "Speed", "measure"]

_REPEATS = 5
_BATCHES = (1, 4)


@dataclass(frozen=True)
class Row:
    """``seconds`` per picture, ``gflop`` of arithmetic per picture, ``share`` of the matrix product's rate (0 to 1)."""

    job: str
    batch: int
    seconds: float
    gflop: float
    share: float


@dataclass(frozen=True)
class Speed:
    """``peak`` in GFLOP/s of float32 matrix products; memory in MB, ``peak_memory`` of the whole process."""

    model: str
    runtime: str
    threads: int
    peak: float
    rows: tuple[Row, ...]
    weights: float
    before: float
    peak_memory: float


def measure(model_name: str, report: Callable[[str, int, int], None]) -> Speed:
    """Loads a model and measures it. ``report`` hears (what, done, total). Raises ModelError as ``load_model`` does."""
    before = _memory()
    model = load_model(model_name)
    jobs: list[tuple[str, Callable[[Tensor], Tensor], Callable[[int], Tensor]]] = [
        ("synthesise", model.synthesize, lambda n: model.map(torch.randn(n, model.style_dim)))
    ]
    if model.has_encoder:
        jobs.insert(0, ("encode", model.encode, lambda n: torch.rand(n, 3, 256, 256) * 2 - 1))
    times: list[tuple[str, int, float, Tensor]] = []
    total = len(jobs) * len(_BATCHES)
    for job, function, inputs in jobs:
        for batch in _BATCHES:
            report("measuring", len(times), total)
            x = inputs(batch)
            times.append((job, batch, _median(lambda f=function, x=x: f(x)) / batch, x[:1]))  # type: ignore[misc]
    report("measuring", total, total)
    peak_memory = _memory()  # before the matrices and the counter add theirs
    peak = _matmul_peak()
    rows = []
    work = {job: _gflop(model, job, x) for job, batch, _, x in times if batch == 1}
    for job, batch, seconds, _ in times:
        rows.append(Row(job, batch, seconds, work[job], work[job] / seconds / peak))
    weights = sum(t.numel() * t.element_size() for _, t in model.state()) / 1e6
    return Speed(model.name, model.runtime, torch.get_num_threads(), peak, tuple(rows), weights, before, peak_memory)


def _median(call: Callable[[], Tensor]) -> float:
    call()
    times = []
    for _ in range(_REPEATS):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


@torch.inference_mode()
def _matmul_peak() -> float:
    """GFLOP/s of a matrix product of 2048 x 2048, by the faster of torch's two ways of computing one.

    As a 1x1 convolution it goes through oneDNN; on some processors that has twice the speed of ``@``.
    """
    n = 2048
    a, b = torch.randn(n, n), torch.randn(n, n)
    x = torch.randn(1, n, 64, n // 64).contiguous(memory_format=torch.channels_last)
    fastest = min(_median(lambda: a @ b), _median(lambda: torch.conv2d(x, b[:, :, None, None])))
    return 2 * n**3 / fastest / 1e9


def _gflop(model: FaceModel, job: str, x: Tensor) -> float:
    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        if job == "encode":
            model.encode(x)
        else:
            model.generator(x)
    return float(counter.get_total_flops()) / 1e9


def _memory() -> float:
    """Peak resident memory of this process so far, in MB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak / 1e3

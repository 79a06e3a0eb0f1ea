"""Speed and memory of a face model on this machine, compared with what the machine can do.

Times are medians over repeats in one process, with whichever runtime runs the model. PyTorch counts a network's work (the
multiplications and additions of its convolutions and matrix products); that is compared with the rate of a large matrix product
measured in the same run, so the share says how well the code uses any machine.
"""

from __future__ import annotations

import resource
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from stylecrypt_msg.models import FaceModel, load_model, to_torch
from stylecrypt_msg.models.face_model import Floats
from stylecrypt_msg.models.graphs import threads
from stylecrypt_msg.progress import Progress

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


def measure(model_name: str, progress: Progress) -> Speed:
    """Loads a model and measures it. ``progress`` is called with the progress. Raises ModelError as ``load_model`` does."""
    before = _memory()
    model = load_model(model_name)
    rng = np.random.default_rng(0)
    pictures = rng.random((max(_BATCHES), 3, 256, 256), np.float32) * 2 - 1
    codes = model.map(rng.standard_normal((max(_BATCHES), model.style_dim), np.float32))
    jobs: list[tuple[str, int, Callable[[FaceModel, Floats], Floats], Floats]] = []
    if model.has_encoder:
        jobs += [("look", batch, lambda model, x: model.encode(x, steps=0), pictures[:batch]) for batch in _BATCHES]
    if model.steps:
        jobs += [(f"encode, {model.steps} steps", 1, lambda model, x: model.encode(x), pictures[:1])]
    jobs += [("synthesise", batch, lambda model, x: model.synthesize(x), codes[:batch]) for batch in _BATCHES]
    times: list[float] = []
    for job, batch, function, x in jobs:
        progress("measuring", len(times), len(jobs))
        repeats = 1 if job.startswith("encode") else _REPEATS
        times.append(_median(lambda f=function, x=x: f(model, x), repeats) / batch)  # type: ignore[misc]
    progress("measuring", len(jobs), len(jobs))
    peak_memory = _memory()  # before the matrices and the counter add to it
    peak, counted = _matmul_peak(), to_torch(model)
    work = {job: _gflop(lambda f=function, x=x: f(counted, x)) for job, batch, function, x in jobs if batch == 1}  # type: ignore[misc]
    rows = [
        Row(job, batch, seconds, work[job], work[job] / seconds / peak)
        for (job, batch, _, _), seconds in zip(jobs, times, strict=True)
    ]
    weights = sum(t.numel() * t.element_size() for _, t in counted.state()) / 1e6
    return Speed(model.name, model.runtime, threads(), peak, tuple(rows), weights, before, peak_memory)


def _median(call: Callable[[], object], repeats: int = _REPEATS) -> float:
    call()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


@torch.inference_mode()
def _matmul_peak() -> float:
    """GFLOP/s of a matrix product of 2048 x 2048, by the faster of torch's two ways of computing one.

    As a 1x1 convolution it goes through oneDNN, which on some processors is twice as fast as ``@``.
    """
    n = 2048
    a, b = torch.randn(n, n), torch.randn(n, n)
    x = torch.randn(1, n, 64, n // 64).contiguous(memory_format=torch.channels_last)
    fastest = min(_median(lambda: a @ b), _median(lambda: torch.conv2d(x, b[:, :, None, None])))
    return 2 * n**3 / fastest / 1e9


def _gflop(call: Callable[[], object]) -> float:
    with FlopCounterMode(display=False) as counter:
        call()
    return float(counter.get_total_flops()) / 1e9


def _memory() -> float:
    """Peak resident memory of this process so far, in MB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak / 1e3

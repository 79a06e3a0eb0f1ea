"""The embedded model's stored graphs, run by ONNX Runtime. ``scripts/model/make_graphs.py`` writes them."""

from __future__ import annotations

import ctypes
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from importlib import resources
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ModelError, Remedy

__all__ = ["Graph", "give_back_memory", "runtime", "threads"]


class Graph:
    """A graph with its weights. Several threads may call it at the same time."""

    def __init__(self, name: str, weights: Mapping[str, NDArray[Any]]) -> None:
        """Raises ModelError where the runtime or the graph is missing or damaged."""
        ort = runtime()
        folder = resources.files(__package__) / "data"
        try:
            names: list[str] = json.loads((folder / "graphs.json").read_text("ascii"))[name]
            self._weights = [weights[tensor] for tensor in names]  # kept: the runtime does not copy them
            options = ort.SessionOptions()
            options.log_severity_level = 4  # the error is raised as well
            options.intra_op_num_threads = threads()
            # Busy-waiting threads are hardly faster alone, and slower than sleeping ones beside other work.
            options.add_session_config_entry("session.intra_op.allow_spinning", "0")
            options.enable_mem_pattern = False  # twice the memory, no faster
            options.add_external_initializers(
                names, [ort.OrtValue.ortvalue_from_numpy(array) for array in self._weights]
            )
            data = (folder / f"{name}.onnx").read_bytes()
            self._session = ort.InferenceSession(data, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # the runtime's are of many types
            raise ModelError(
                f"A part of the embedded model, {name}, is missing or damaged.",
                remedy=Remedy.REINSTALL,
                package="stylecrypt-msg",
            ) from error
        self._inputs = [value.name for value in self._session.get_inputs()]
        # Memory goes back after each run: a program that waits for the next photo should not hold 300 MB meanwhile.
        self._giving_back = ort.RunOptions()
        self._giving_back.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")
        give_back_memory()  # the memory for preparing the weights: 90 MB

    def __call__(self, *inputs: NDArray[np.float32], again: bool = False) -> list[NDArray[np.float32]]:
        """The outputs, for inputs in the graph's order. ``again``: the next run follows at once, and reuses this one's
        memory."""
        options = None if again else self._giving_back
        outputs: list[NDArray[np.float32]] = self._session.run(
            None, dict(zip(self._inputs, inputs, strict=True)), options
        )
        return outputs


def give_back_memory() -> None:
    """Returns free memory to the system where the C library would keep it for later: 200 MB after a photo."""
    with suppress(OSError, AttributeError):  # only glibc keeps it, and has a function to return it
        ctypes.CDLL(None).malloc_trim(0)


@cache
def runtime() -> Any:
    """ONNX Runtime. Raises ModelError, which says how to install it, if it cannot be loaded."""
    try:
        import onnxruntime
    except ImportError as error:
        raise ModelError(
            f"ONNX Runtime, which runs the embedded model, cannot be loaded: {error}.",
            hint="There are wheels for Linux (x86-64, ARM64), macOS (ARM64) and Windows (x86-64, ARM64).",
            remedy=Remedy.REINSTALL,
            package="onnxruntime",
        ) from error
    onnxruntime.disable_telemetry_events()  # of versions that do not know the variable, too
    return onnxruntime


def threads() -> int:
    """The processors that this process may use: those that a container or ``taskset`` allows, and by OpenMP's variable, which
    Ray sets for its workers."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    chosen = os.environ.get("OMP_NUM_THREADS", "")
    return min(allowed, int(chosen)) if chosen.isdecimal() and int(chosen) else allowed

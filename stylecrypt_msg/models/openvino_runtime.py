"""Runs a network of ours through OpenVINO, several times faster than torch on a CPU. Optional: extra ``openvino``."""

from __future__ import annotations

import importlib.util
import sys
import threading
import warnings
from collections.abc import Callable

import torch
from torch import Tensor, nn

__all__ = ["LazyNetwork", "available", "compile_network"]


def available() -> bool:
    """Whether OpenVINO is installed. Does not import it."""
    return importlib.util.find_spec("openvino") is not None


def compile_network(
    network: Callable[[Tensor], Tensor], example: Tensor, *, half: bool = False
) -> Callable[[Tensor], Tensor]:
    """Compiles ``network``, which maps (B, ...) of ``example``'s shape to one tensor, for the CPU and any batch.

    The result may be called from several threads. ``half`` allows bfloat16 where the processor has it: for training
    data, where 2 % of error in a pixel does not matter, never for messages.
    """
    # Without this OpenVINO tells its makers, over the network and without asking, that it was used: "import" of a module that
    # is None fails, and then it does without.
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    import openvino as ov

    class Wrapped(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return network(x)

    with torch.no_grad(), warnings.catch_warnings():
        # OpenVINO traces with torch.jit, which torch calls deprecated: theirs to change.
        warnings.simplefilter("ignore", DeprecationWarning)
        model = ov.convert_model(Wrapped(), example_input=example, input=[ov.PartialShape([-1, *example.shape[1:]])])
    core = ov.Core()
    # Where the processor lacks it, it is emulated, and slower than doing without.
    precision = "bf16" if half and "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES") else "f32"
    compiled = core.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": precision, "PERFORMANCE_HINT": "LATENCY"})
    lock = threading.Lock()

    def run(x: Tensor) -> Tensor:
        with lock:
            return torch.from_numpy(compiled([x.detach().numpy()])[0].copy())

    return run


class LazyNetwork:
    """`compile_network`, put off to the second call: compiling takes as long as a dozen pictures by torch do.

    A command that makes one picture is faster without; whoever calls twice will call more often.
    """

    def __init__(self, network: Callable[[Tensor], Tensor], example: Tensor) -> None:
        self._network = network
        self._example = example
        self._compiled: Callable[[Tensor], Tensor] | None = None
        self._called = False
        self._lock = threading.Lock()

    def __call__(self, x: Tensor) -> Tensor:
        with self._lock:
            if self._called and self._compiled is None:
                self._compiled = compile_network(self._network, self._example)
            self._called = True
        return (self._compiled or self._network)(x)

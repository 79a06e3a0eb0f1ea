"""From tensors by name to networks, and back to files: what the families share. `weights` and `checkpoints` read files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from ..errors import ModelError
from . import weights
from .ops import conv_layout
from .torch_model import TorchModel

__all__ = ["State", "checked", "fill", "load", "part", "save"]

State = dict[str, Tensor]


def load(paths: Sequence[Path]) -> tuple[str, State]:
    """The family and the tensors of files in the project's own format. Raises ModelError on anything else."""
    arrays = weights.Weights(paths)
    return arrays.family, {name: checked(name, torch.from_numpy(arrays[name]), paths[0]) for name in arrays}


def save(model: TorchModel, path: Path, *, part_of: Sequence[str] = ("",), small: bool = False) -> None:
    """Writes a model, or its tensors whose names start with ``part_of``; see `weights.write`."""
    arrays = [(n, t.cpu().contiguous().numpy()) for n, t in model.state() if n.startswith(tuple(part_of))]
    metadata = {
        "family": model.family,
        "name": model.name,
        "image_size": str(model.image_size),
        "n_styles": str(model.n_styles),
    }
    if len(arrays) == len(dict(model.state())) and not small:  # or the hash would be of other values
        metadata["digest"] = model.digest
    weights.write(path, arrays, metadata, small=small)


def part(state: Mapping[str, Tensor], prefix: str) -> State:
    """The tensors whose names start with the prefix, named without it."""
    return {name.removeprefix(prefix): tensor for name, tensor in state.items() if name.startswith(prefix)}


def checked(name: str, tensor: Tensor, path: Path) -> Tensor:
    """A copy of the tensor as the networks need it: float32 (counters stay integer), finite, laid out for them.

    Raises ModelError on values or sizes that no model has.
    """
    if tensor.layout != torch.strided or tensor.is_quantized or tensor.is_complex():
        raise ModelError(f"{path} holds a tensor of an unknown kind, {name!r}.")
    if tensor.ndim > weights.MAX_DIMS or not 1 <= tensor.numel() <= weights.MAX_TENSOR:
        raise ModelError(f"{path} holds a tensor of a shape that no face model has, {name!r}.")
    if not tensor.is_floating_point():
        return tensor.clone(memory_format=torch.contiguous_format)
    tensor = conv_layout(tensor.detach())
    # A sum is finite only if all values are; the slower test decides when the sum overflowed.
    if not torch.isfinite(tensor.sum()) and not torch.isfinite(tensor).all():
        raise ModelError(f"{path} holds weights that are not finite numbers.", hint="Use an earlier checkpoint.")
    return tensor


def fill(network: nn.Module, state: State, what: str) -> None:
    """Gives a network that was built on the meta device its tensors, as they are. ``what`` names it in
    errors.

    Raises ModelError if names or shapes do not fit.
    """
    wanted = network.state_dict()
    for name in wanted:
        if name.endswith("num_batches_tracked"):  # batch norm's counter; used in training only
            state.setdefault(name, torch.zeros((), dtype=torch.int64))
    missing = [name for name in wanted if name not in state]
    surplus = [name for name in state if name not in wanted]
    if missing:
        raise ModelError(
            f"{what} is incomplete: {len(missing)} of its {len(wanted)} tensors are missing, such as {missing[0]}.",
            hint="The file was cut or converted wrongly, or belongs to another architecture.",
        )
    if surplus:
        raise ModelError(
            f"{what} has {len(surplus)} tensors that do not belong to it, such as {surplus[0]}.",
            hint="The file belongs to another architecture.",
        )
    for name, tensor in wanted.items():
        if state[name].shape != tensor.shape:
            raise ModelError(
                f"{what} does not fit together: {name} has shape {tuple(state[name].shape)} "
                f"where {tuple(tensor.shape)} is needed."
            )
    network.load_state_dict(state, assign=True)

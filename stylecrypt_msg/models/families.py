"""The kinds of networks: from tensors or a file to a `TorchModel`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from . import checkpoints, mobilestylegan, store, stylegan2, weights
from .torch_model import EncoderModule, GeneratorModule, TorchModel

__all__ = ["assemble", "load"]

_BUILDERS: dict[str, Callable[[store.State], tuple[GeneratorModule, EncoderModule | None]]] = {
    "stylegan2": stylegan2.build,
    "mobilestylegan": mobilestylegan.build,
}


def load(paths: Sequence[Path], name: str) -> TorchModel:
    """Reads a model from files of this project, or of another one. Raises ModelError, OSError."""
    with paths[0].open("rb") as file:
        head = file.read(16)
    if weights.is_ours(head):
        family, state = store.load(paths)
        return assemble(state, family=family, name=name)
    return assemble(checkpoints.read(paths[0]), family="stylegan2", name=name)


def assemble(state: store.State, *, family: str, name: str) -> TorchModel:
    """Makes the networks of the family and hands them the tensors (not copied). Raises ModelError if they do not fit."""
    generator, encoder = _BUILDERS[family](state)
    return TorchModel(generator, encoder, state.get("latent_avg"), family=family, name=name)

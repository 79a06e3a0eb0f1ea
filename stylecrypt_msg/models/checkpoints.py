"""Files of other projects: StyleGAN2 (rosinality's PyTorch form), pSp and e4e, read without running code in them.

``read`` returns the tensors under this project's names (see ``store``). Shapes give the sizes later on;
the file's own statements are used only where the weights cannot tell (e4e's encoder has the names of
pSp's).
"""

from __future__ import annotations

import argparse
import re
import threading
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..errors import ModelError
from . import store, stylegan2
from .torch_model import average_latent

__all__ = ["read"]

MAX_FILE = 8 * 2**30  # bytes; the largest known, an e4e training state, has 3 GiB
ZIP, PICKLE = b"PK\x03\x04", b"\x80"  # first bytes of torch.save's files, from PyTorch 1.6 on and before
NVIDIA = (b"dnnlib", b"torch_utils.persistence")  # module names in the pickles of NVIDIA's own code

# Allow-listing is global to the process: one file at a time.
_loading = threading.Lock()


def read(path: Path) -> store.State:
    """The tensors of a checkpoint: ``generator.*``; ``encoder.*`` and ``latent_avg`` where it has them.

    Raises ModelError for any other file.
    """
    content = _unpickle(path)
    if "state_dict" in content:
        return _read_psp(content, path)
    if "g_ema" in content:
        return _read_rosinality(content, path)
    if "d" in content or "discriminator_state_dict" in content:
        raise ModelError(f"{path} holds a discriminator only.", hint="Use the file that holds the generator, 'g_ema'.")
    raise ModelError(
        f"{path} is a PyTorch file, but holds neither a StyleGAN2 generator nor a pSp or e4e model.",
        hint="Expected are files with 'g_ema' (StyleGAN2) or with 'state_dict' and 'opts' (pSp, e4e).",
    )


def _unpickle(path: Path) -> dict[Any, Any]:
    """The checkpoint's dictionary. Weights only: a pickle that names anything but tensors, plain containers
    and ``argparse.Namespace`` (rosinality's training options) is refused before it can do anything."""
    if path.stat().st_size > MAX_FILE:
        raise ModelError(f"{path} is larger than any face model ({MAX_FILE >> 30} GiB).")
    with path.open("rb") as file:
        head = file.read(2**20)
    if not head:
        raise ModelError(f"{path} is empty.", hint="Copy or download it again.")
    if head.startswith(PICKLE) and any(name in head for name in NVIDIA):
        raise ModelError(
            f"{path} is an NVIDIA pickle, which runs code when it is loaded, so it is not opened.",
            hint="Convert it where you trust it, with convert_weight.py of rosinality/stylegan2-pytorch.",
        )
    if not head.startswith((ZIP, PICKLE)):
        raise ModelError(f"{path} is not a model file.", hint="Use a .pt or .safetensors file.")
    try:
        if head.startswith(ZIP):
            with zipfile.ZipFile(path) as archive:
                if sum(entry.file_size for entry in archive.infolist()) > MAX_FILE:
                    raise ModelError(f"{path} unpacks to more than any face model ({MAX_FILE >> 30} GiB).")
        with _loading, torch.serialization.safe_globals([argparse.Namespace]), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # warns of old containers, which are read nonetheless
            content = torch.load(path, map_location="cpu", weights_only=True)
    except ModelError:
        raise
    except Exception as error:  # on malformed files the unpickler raises all sorts of errors
        if "Unsupported global" in str(error) or "Unsupported class" in str(error):
            raise ModelError(
                f"{path} holds Python objects besides weights, which could run code, so it is not opened.",
                hint="Save the state dict alone, as the published checkpoints do.",
            ) from error
        raise ModelError(
            f"{path} is truncated, or not a PyTorch checkpoint.", hint="Copy or download it again."
        ) from error
    if not isinstance(content, dict):
        raise ModelError(f"{path} is a PyTorch file, but holds no dictionary of weights.")
    return content


def _read_rosinality(content: dict[Any, Any], path: Path) -> store.State:
    """{g_ema[, latent_avg, g, d, g_optim, d_optim, args, ada_aug_p]}: the averaged generator counts."""
    state = _tensors(content.pop("g_ema"), "generator.", path)
    average = content.get("latent_avg")
    content.clear()
    if average is not None:
        state["latent_avg"] = _average(average, state, path)
    return state


def _read_psp(content: dict[Any, Any], path: Path) -> store.State:
    """{state_dict: {encoder.*, decoder.*}, opts, latent_avg}. Codes are offsets from latent_avg if it is
    there."""
    weights = content["state_dict"]
    opts = content.get("opts")
    opts = vars(opts) if isinstance(opts, argparse.Namespace) else opts if isinstance(opts, Mapping) else {}
    average = content.get("latent_avg")
    content.clear()
    if not isinstance(weights, dict) or not any(str(name).startswith("decoder.") for name in weights):
        raise ModelError(f"{path} holds no generator.", hint="Use a pSp or e4e file with 'decoder.' weights.")
    state = _tensors(_taken(weights, "decoder."), "generator.", path)
    state |= _tensors(_taken(weights, "encoder."), "encoder.", path)
    if not any(name.startswith("encoder.") for name in state):
        raise ModelError(f"{path} holds no encoder.", hint="Use a pSp or e4e file with 'encoder.' weights.")

    if average is not None:
        state["latent_avg"] = _average(average, state, path)
    else:  # some converters drop it, but keep what it was computed from
        generator, _ = stylegan2.build({k: v for k, v in state.items() if k.startswith("generator.")})
        state["latent_avg"] = average_latent(generator)
    # Without the option, an average in the file means that codes are relative to it: it is saved only then.
    relative = opts.get("start_from_latent_avg", average is not None)
    state["encoder.latent_avg"] = state["latent_avg"].clone() if relative else torch.zeros_like(state["latent_avg"])
    if opts.get("encoder_type") == "Encoder4Editing":
        state["encoder.base_weight"] = torch.ones(())
    return state


def _taken(weights: dict[Any, Any], prefix: str) -> dict[str, Any]:
    """Moves the entries with this prefix out of ``weights``: no tensor is held twice for long."""
    names = [name for name in weights if isinstance(name, str) and name.startswith(prefix)]
    return {name.removeprefix(prefix): weights.pop(name) for name in names}


def _tensors(weights: object, prefix: str, path: Path) -> store.State:
    """Empties ``weights``: its tensors under our names; blur kernels and counters are no weights."""
    if not isinstance(weights, dict):
        raise ModelError(f"{path} holds no dictionary of weights where one is expected.")
    state: store.State = {}
    for name in list(weights):
        tensor = weights.pop(name)
        if not isinstance(name, str) or not isinstance(tensor, Tensor):
            raise ModelError(f"{path} contains something other than weights.")
        if name.endswith("num_batches_tracked"):
            continue
        values = store.checked(name, tensor, path)
        if re.search(r"(^|\.)(blur|upsample)\.kernel$", name):
            _check_kernel(values, path)
        else:
            state[prefix + name] = values
    return state


def _check_kernel(kernel: Tensor, path: Path) -> None:
    taps = torch.tensor([1.0, 3.0, 3.0, 1.0])
    if kernel.shape != (4, 4) or not torch.allclose(kernel, torch.outer(taps, taps) / 16, atol=1e-5):
        raise ModelError(f"{path} was trained with another blur filter than StyleGAN2's [1, 3, 3, 1].")


def _average(average: object, state: store.State, path: Path) -> Tensor:
    """Shapes seen: (T,), (1, T), (n_styles, T) -> (n_styles, T), every row of its own."""
    blocks = sum(name.startswith("generator.to_rgb") and name.endswith(".conv.weight") for name in state)
    if not isinstance(average, Tensor):
        raise ModelError(f"{path} holds an average latent that is no tensor.")
    average = store.checked("latent_avg", average, path)
    if average.ndim not in (1, 2) or (average.ndim == 2 and len(average) not in (1, 2 * blocks)):
        raise ModelError(
            f"{path} has an average latent of shape {tuple(average.shape)}, but its generator takes {2 * blocks} styles."
        )
    return average.expand(2 * blocks, -1).contiguous()

"""The project's own model files: safetensors, read and written a tensor at a time.

A file holds tensors ``generator.*``, ``encoder.*`` (optional) and ``latent_avg``, and as metadata ``format``
("stylecrypt-model"), ``version`` ("1"), ``family`` and ``name``; the rest of the metadata informs only.

The format (an 8-byte little-endian length, a JSON header, then the values) is read here rather than by
mapping the file, since weights are laid out for convolutions on the way: mapped, they would count twice in
memory.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import math
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import torch
from torch import Tensor, nn

from stylecrypt_msg.errors import ModelError
from stylecrypt_msg.models.face_model import FaceModel
from stylecrypt_msg.models.ops import conv_layout

__all__ = ["ModelInfo", "State", "assemble", "checked", "fill", "info", "is_ours", "load", "part", "save"]

State = dict[str, Tensor]

FORMAT = {"format": "stylecrypt-model", "version": "1"}
# The families and the modules whose ``build(state) -> (generator, encoder or None)`` makes their networks. A
# module may also have ``runtime(generator)``, which gives a faster form of the same function (FaceModel's
# ``synthesis``).
FAMILIES = {
    "stylegan2": "stylecrypt_msg.models.stylegan2",
    "mobilestylegan": "stylecrypt_msg.models.mobilestylegan",
}
DTYPES = {"F32": torch.float32, "F16": torch.float16, "I64": torch.int64, "I8": torch.int8}
FINE = ".fine"  # suffix of the tensor that holds what half precision left of another: see `_split`

MAX_HEADER = 2**20  # bytes; the largest model known (18 styles, 1024 px) has 90 KB
MAX_TENSOR = 2**26  # values; the largest known has 12.8 million
MAX_TOTAL = 2**30  # values, 4 GiB; a pSp of 1024 px has 0.3 billion
MAX_DIMS = 5  # StyleGAN2's convolution weights


@dataclass(frozen=True)
class ModelInfo:
    """What a model file says about itself, without its weights being read.

    ``image_size`` in pixels and ``n_styles`` are 0 where the file does not tell; ``size`` is the file's, in
    bytes.
    """

    name: str
    path: Path
    family: str
    image_size: int
    n_styles: int
    has_encoder: bool
    size: int


def is_ours(head: bytes) -> bool:
    """Whether a file that starts with these (at least 9) bytes is safetensors."""
    return head[8:9] == b"{"


def load(paths: Sequence[Path], name: str) -> FaceModel:
    """Reads a model from files of the project's own format, which hold its tensors between them.

    Raises ModelError on anything else.
    """
    state: State = {}
    for path in paths:
        metadata, tensors = _read(path)
        state |= tensors
    return assemble(state, family=metadata["family"], name=name)


def _read(path: Path) -> tuple[dict[str, str], State]:
    with path.open("rb") as file:
        metadata, entries = _read_header(file, path)
        state: State = {}
        # One buffer for all: freed one by one, blocks of this size would stay with the process.
        largest = max((math.prod(shape) * dtype.itemsize for dtype, shape in entries.values()), default=0)
        buffer = torch.empty(largest, dtype=torch.uint8)
        for tensor_name, (dtype, shape) in entries.items():
            values = buffer[: math.prod(shape) * dtype.itemsize]
            if file.readinto(_bytes(values)) != values.nbytes:
                raise ModelError(f"{path} is truncated.", hint="Copy or download it again.")
            state[tensor_name] = checked(tensor_name, values.view(dtype).view(shape), path)
    for fine in [tensor_name for tensor_name in state if tensor_name.endswith(FINE)]:
        coarse = fine.removesuffix(FINE)
        if coarse not in state or state[coarse].shape != state[fine].shape:
            raise ModelError(f"{path} is not a model file: {fine} refines nothing.", hint="Copy or download it again.")
        state[coarse] = _join(state[coarse], state.pop(fine))
    return metadata, state


def info(paths: Sequence[Path]) -> ModelInfo:
    """Reads what a model's files say about themselves. Raises ModelError if they are no model files of ours."""
    entries: set[str] = set()
    for path in paths:
        with path.open("rb") as file:
            metadata, shapes = _read_header(file, path)
        entries |= set(shapes)
    return ModelInfo(
        name=paths[0].stem,
        path=paths[0],
        family=metadata["family"],
        image_size=_number(metadata.get("image_size")),
        n_styles=_number(metadata.get("n_styles")),
        has_encoder=any(name.startswith("encoder.") for name in entries),
        size=sum(path.stat().st_size for path in paths),
    )


def save(model: FaceModel, path: Path, *, part_of: Sequence[str] = ("",), small: bool = False) -> None:
    """Writes a model, or the tensors of it whose names start as ``part_of`` says, whole or not at all.

    ``small`` keeps the encoder in float16 and the generator in three bytes a value (`_split`), which changes
    the digest: a generator in float16 alone moves some pixels by 1 %, one in three bytes by less than 0.1 %.

    Raises ModelError if the file cannot be written.
    """
    tensors: list[tuple[str, Tensor]] = []
    for name, tensor in model.state():
        if not name.startswith(tuple(part_of)):
            continue
        if not small or not tensor.is_floating_point():
            tensors.append((name, tensor))
        elif name.startswith("encoder."):
            tensors.append((name, tensor.half()))
        else:
            coarse, fine = _split(tensor)
            tensors += [(name, coarse), (name + FINE, fine)]
    tensors.sort(key=lambda item: item[0])
    header: dict[str, object] = {
        "__metadata__": FORMAT
        | {
            "family": model.family,
            "name": model.name,
            "image_size": str(model.image_size),
            "n_styles": str(model.n_styles),
        }
    }
    dtypes = {name: tensor.dtype for name, tensor in tensors}
    codes = {dtype: code for code, dtype in DTYPES.items()}
    # Wider types first, so that all values lie on multiples of their size.
    tensors.sort(key=lambda item: -dtypes[item[0]].itemsize)
    end = 0
    for name, tensor in tensors:
        start, end = end, end + tensor.numel() * dtypes[name].itemsize
        header[name] = {
            "dtype": codes[dtypes[name]],
            "shape": list(tensor.shape),
            "data_offsets": [start, end],
        }
    encoded = json.dumps(header, separators=(",", ":")).encode()
    encoded += b" " * (-len(encoded) % 8)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".part", delete=False) as file:
            try:
                file.write(len(encoded).to_bytes(8, "little") + encoded)
                for _, tensor in tensors:
                    values = tensor.cpu().contiguous()
                    file.write(_bytes(values))
                file.flush()
                os.fsync(file.fileno())
                file.close()
                Path(file.name).replace(path)
            except BaseException:
                with contextlib.suppress(OSError):
                    Path(file.name).unlink()
                raise
    except OSError as error:
        raise ModelError(f"The model cannot be written to {path}: {error.strerror}.") from error


def assemble(state: State, *, family: str, name: str) -> FaceModel:
    """Makes the networks of the family and hands them the tensors (not copied). Raises ModelError if they do
    not fit."""
    module = importlib.import_module(FAMILIES[family])
    generator, encoder = module.build(state)
    runtime = module.runtime(generator) if hasattr(module, "runtime") else None
    return FaceModel(generator, encoder, state.get("latent_avg"), family=family, name=name, synthesis=runtime)


def part(state: Mapping[str, Tensor], prefix: str) -> State:
    """The tensors whose names start with the prefix, named without it."""
    return {name.removeprefix(prefix): tensor for name, tensor in state.items() if name.startswith(prefix)}


def checked(name: str, tensor: Tensor, path: Path) -> Tensor:
    """A copy of the tensor as the networks want it: float32 (counters stay integer), finite, laid out.

    Raises ModelError on values or sizes that no model has.
    """
    if tensor.layout != torch.strided or tensor.is_quantized or tensor.is_complex():
        raise ModelError(f"{path} holds a tensor of an unknown kind, {name!r}.")
    if tensor.ndim > MAX_DIMS or not 1 <= tensor.numel() <= MAX_TENSOR:
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

    Raises ModelError, one sentence, if names or shapes do not fit.
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


def _read_header(file: BinaryIO, path: Path) -> tuple[dict[str, str], dict[str, tuple[torch.dtype, list[int]]]]:
    """Metadata, and type and shape of every tensor in the order of the file, which is left at the first
    value."""
    broken = ModelError(f"{path} is not a model file: its header is broken.", hint="Copy or download it again.")
    try:
        length = int.from_bytes(file.read(8), "little")
        if length > MAX_HEADER:
            raise broken
        header = json.loads(file.read(length))
        metadata = header.pop("__metadata__", {})
        entries = sorted(header.items(), key=lambda item: item[1]["data_offsets"])
        shapes: dict[str, tuple[torch.dtype, list[int]]] = {}
        end = total = 0
        for name, entry in entries:
            dtype, shape, offsets = DTYPES[entry["dtype"]], entry["shape"], entry["data_offsets"]
            if not all(type(n) is int and 1 <= n <= MAX_TENSOR for n in shape) or len(shape) > MAX_DIMS:
                raise broken
            count = math.prod(shape)
            total += count
            if offsets != [end, end + count * dtype.itemsize] or count > MAX_TENSOR or total > MAX_TOTAL:
                raise broken
            end = offsets[1]
            shapes[name] = dtype, shape
        if any(metadata.get(key) != value for key, value in FORMAT.items()):
            raise ModelError(
                f"{path} is a safetensors file, but not one of this project's models.",
                hint="Import the original .pt file instead.",
            )
        if metadata.get("family") not in FAMILIES:
            raise ModelError(f"{path} is a model of an unknown family.", hint="A newer StyleCrypt may know it.")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise broken from error
    if path.stat().st_size != 8 + length + end:
        raise ModelError(f"{path} is truncated or has bytes appended.", hint="Copy or download it again.")
    return metadata, shapes


def _split(values: Tensor) -> tuple[Tensor, Tensor]:
    """float32 values as float16, and what is left of each in 256ths of the float16's last place: int8."""
    coarse = values.half()
    left = (values - coarse.float()) / _last_place(coarse)
    return coarse, (left * 256).round().clamp(-127, 127).to(torch.int8)


def _join(coarse: Tensor, fine: Tensor) -> Tensor:
    """The way back from `_split`. Powers of two throughout: the same values on every machine."""
    return coarse + fine * (_last_place(coarse) / 256)


def _last_place(half: Tensor) -> Tensor:
    """What the last of a float16's 11 bits is worth."""
    exponent = torch.frexp(half.float()).exponent
    exponent = torch.where(half == 0, -13, exponent.clamp(min=-13))  # subnormal ones share an exponent
    return torch.ldexp(torch.ones_like(exponent, dtype=torch.float32), exponent - 11)


def _bytes(values: Tensor) -> memoryview:
    """The memory of a contiguous tensor: little-endian, as the format wants it, wherever PyTorch runs."""
    return values.view(-1).view(torch.uint8).numpy().data


def _number(text: object) -> int:
    return int(text) if isinstance(text, str) and text.isdecimal() and len(text) < 9 else 0

"""The project's own model files: safetensors, read a tensor at a time, as NumPy arrays.

A model is one file or several that share its tensors: ``generator.*``, ``encoder.*`` (optional) and
``latent_avg``; as metadata ``format`` ("stylecrypt-model"), ``version`` ("1"), ``family`` and ``name``; the rest of the
metadata is only informative. The model hash is in the metadata or, if a model is several files, in a file beside them.

The format (an 8-byte little-endian length, a JSON header, then the values) is read here rather than by its own library,
since a value of the embedded generator has three bytes: a float16, and an int8 that refines it (`_join`).
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..errors import ModelError, os_reason

__all__ = ["MAX_DIMS", "MAX_TENSOR", "Array", "ModelInfo", "Weights", "digest", "info", "is_ours", "write"]

Array: TypeAlias = NDArray[Any]

FAMILIES = ("stylegan2", "mobilestylegan")
_FORMAT = {"format": "stylecrypt-model", "version": "1"}
_DTYPES: dict[str, np.dtype[Any]] = {
    "F32": np.dtype("<f4"),
    "F16": np.dtype("<f2"),
    "I64": np.dtype("<i8"),
    "I8": np.dtype("i1"),
}
_FINE = ".fine"  # suffix of the tensor with what half precision lost of another: see `_split`

_MAX_HEADER = 2**20  # bytes; the largest model known (18 styles, 1024 px) has 90 KB
MAX_TENSOR = 2**26  # values; the largest known has 12.8 million
_MAX_TOTAL = 2**30  # values, 4 GiB; a pSp of 1024 px has 0.3 billion
MAX_DIMS = 5  # StyleGAN2's convolution weights


@dataclass(frozen=True)
class ModelInfo:
    """A model file's description of itself, available without reading its weights.

    ``image_size`` in pixels and ``n_styles`` are 0 if the file does not tell; ``size`` is the file's, in bytes;
    ``digest`` is the model hash, or empty if it was not stored.
    """

    name: str
    path: Path
    family: str
    image_size: int
    n_styles: int
    has_encoder: bool
    size: int
    digest: str


@dataclass(frozen=True)
class _Entry:
    path: Path
    offset: int  # of the first value in the file
    dtype: np.dtype[Any]
    shape: tuple[int, ...]


class Weights(Mapping[str, Array]):
    """The tensors of a model's files by name: float32 (counters int64, bytes int8), read on demand.

    Raises ModelError for files of another kind, and for a tensor that cannot be read or is not finite.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        self._paths = paths
        self._entries: dict[str, _Entry] = {}
        for path in paths:
            with path.open("rb") as file:
                self.metadata, entries = _read_header(file, path)
            self._entries |= entries
        for fine in [name for name in self._entries if name.endswith(_FINE)]:
            coarse = self._entries.get(fine.removesuffix(_FINE))
            if coarse is None or coarse.shape != self._entries[fine].shape:
                raise ModelError(f"{paths[0]} is not a model file: {fine} refines nothing.", hint=_AGAIN)

    @property
    def family(self) -> str:
        """One of `FAMILIES`."""
        return self.metadata["family"]

    @property
    def digest(self) -> str:
        """The model hash (`digest`) as stored with the files, or empty. Computing it takes all weights."""
        beside = self._paths[0].with_suffix(".digest")
        return self.metadata.get("digest") or (beside.read_text("ascii").strip() if beside.is_file() else "")

    def __getitem__(self, name: str) -> Array:
        if name.endswith(_FINE):
            raise KeyError(name)
        entry = self._entries[name]
        array = _values(entry)
        if name + _FINE in self._entries:
            array = _join(array, _values(self._entries[name + _FINE]))
        elif array.dtype == np.float16:
            array = array.astype(np.float32)
        # A sum is finite only if all values are; the slower test decides when the sum overflowed.
        if array.dtype == np.float32 and not np.isfinite(array.sum()) and not np.isfinite(array).all():
            raise ModelError(
                f"{entry.path} holds weights that are not finite numbers.", hint="Use an earlier checkpoint."
            )
        return array

    def __iter__(self) -> Iterator[str]:
        return (name for name in self._entries if not name.endswith(_FINE))

    def __len__(self) -> int:
        return sum(1 for _ in self)


def is_ours(head: bytes) -> bool:
    """Whether a file that starts with these (at least 9) bytes is safetensors."""
    return head[8:9] == b"{"


def info(paths: Sequence[Path]) -> ModelInfo:
    """The description in a model's files. Raises ModelError if they are not in the project's format."""
    weights = Weights(paths)
    return ModelInfo(
        name=paths[0].stem,
        path=paths[0],
        family=weights.family,
        image_size=_number(weights.metadata.get("image_size")),
        n_styles=_number(weights.metadata.get("n_styles")),
        has_encoder=any(name.startswith("encoder.") for name in weights),
        size=sum(path.stat().st_size for path in paths),
        digest=weights.digest,
    )


def digest(family: str, tensors: Iterable[tuple[str, Array]]) -> str:
    """The model hash: hex SHA-256 over all that reading, synthesis and the mapping depend on.

    Hashed are the family's name and a newline, then for every tensor of the two networks in the order of its name
    ("encoder.*" before "generator.*"): name, space, comma-separated shape, newline, values as little-endian float32 in
    row-major order. Integer counters of batch norm are excluded. So is the centre of truncation, ``latent_avg``: it moves
    where samples are drawn, not what a code or a picture turns into (an average that the *encoder* adds is one of its
    buffers, and is included). The same weights therefore give the same hash from any kind of file; float16 files count as
    the float32 values they decode to.
    """
    sha = hashlib.sha256(f"{family}\n".encode())
    for name, values in tensors:
        if name != "latent_avg" and not name.endswith("num_batches_tracked"):
            sha.update(f"{name} {','.join(map(str, values.shape))}\n".encode())
            sha.update(np.ascontiguousarray(values, "<f4").data)
    return sha.hexdigest()


def write(
    path: Path, tensors: Sequence[tuple[str, Array]], metadata: Mapping[str, str], *, small: bool = False
) -> None:
    """Writes a model's tensors, whole or not at all; ``metadata`` has at least ``family``.

    ``small`` keeps the encoder in float16 and the generator in three bytes a value (`_split`), which changes the digest: a
    generator in float16 alone moves some pixels by 1 %, one in three bytes by less than 0.1 %.

    Raises ModelError if the file cannot be written.
    """
    kept: list[tuple[str, Array]] = []
    for name, array in tensors:
        if not small or array.dtype != np.float32:
            kept.append((name, array))
        elif name.startswith("encoder."):
            kept.append((name, array.astype(np.float16)))
        else:
            coarse, fine = _split(array)
            kept += [(name, coarse), (name + _FINE, fine)]
    codes = {dtype: code for code, dtype in _DTYPES.items()}
    # Wider types first, so that all values lie on multiples of their size.
    kept.sort(key=lambda item: (-item[1].dtype.itemsize, item[0]))
    header: dict[str, object] = {"__metadata__": _FORMAT | dict(metadata)}
    end = 0
    for name, array in kept:
        start, end = end, end + array.nbytes
        header[name] = {"dtype": codes[array.dtype], "shape": list(array.shape), "data_offsets": [start, end]}
    encoded = json.dumps(header, separators=(",", ":")).encode()
    encoded += b" " * (-len(encoded) % 8)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".part", delete=False) as file:
            try:
                file.write(len(encoded).to_bytes(8, "little") + encoded)
                for _, array in kept:
                    file.write(np.ascontiguousarray(array).data)
                file.flush()
                os.fsync(file.fileno())
                file.close()
                Path(file.name).replace(path)
            except BaseException:
                with contextlib.suppress(OSError):
                    Path(file.name).unlink()
                raise
    except OSError as error:
        raise ModelError(f"The model cannot be written to {path}: {os_reason(error)}.") from error


_AGAIN = "Copy or download it again."


def _read_header(file: BinaryIO, path: Path) -> tuple[dict[str, str], dict[str, _Entry]]:
    """Metadata, and the location of every tensor."""
    broken = ModelError(f"{path} is not a model file: its header is broken.", hint=_AGAIN)
    try:
        length = int.from_bytes(file.read(8), "little")
        if length > _MAX_HEADER:
            raise broken
        header = json.loads(file.read(length))
        metadata = header.pop("__metadata__", {})
        entries: dict[str, _Entry] = {}
        end = total = 0
        for name, entry in sorted(header.items(), key=lambda item: item[1]["data_offsets"]):
            dtype, shape, offsets = _DTYPES[entry["dtype"]], entry["shape"], entry["data_offsets"]
            if not all(type(n) is int and 1 <= n <= MAX_TENSOR for n in shape) or len(shape) > MAX_DIMS:
                raise broken
            count = math.prod(shape)
            total += count
            if offsets != [end, end + count * dtype.itemsize] or count > MAX_TENSOR or total > _MAX_TOTAL:
                raise broken
            entries[name] = _Entry(path, 8 + length + end, dtype, tuple(shape))
            end = offsets[1]
        if any(metadata.get(key) != value for key, value in _FORMAT.items()):
            raise ModelError(
                f"{path} is a safetensors file, but not one of this project's models.",
                hint="Import the original .pt file instead.",
            )
        if metadata.get("family") not in FAMILIES:
            raise ModelError(
                f"{path} is a model of an unknown family.", hint="A newer version of StyleCrypt may support it."
            )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise broken from error
    if path.stat().st_size != 8 + length + end:
        raise ModelError(f"{path} is truncated or has bytes appended.", hint=_AGAIN)
    return metadata, entries


def _values(entry: _Entry) -> Array:
    count = math.prod(entry.shape)
    with entry.path.open("rb") as file:
        file.seek(entry.offset)
        values = np.fromfile(file, entry.dtype, count)
    if len(values) != count:
        raise ModelError(f"{entry.path} is truncated.", hint=_AGAIN)
    return values.reshape(entry.shape)


# The value of a float16's last place by its exponent bits, the last of 11 bits; subnormals share the smallest exponent.
_LAST_PLACE = np.ldexp(np.float32(1), np.maximum(np.arange(32), 1) - 25).astype(np.float32)


def _last_place(half: Array) -> NDArray[np.float32]:
    """The value of the last of a float16's 11 bits."""
    return np.asarray(_LAST_PLACE[(half.view(np.uint16) >> 10) & 31], np.float32)


def _split(values: NDArray[np.float32]) -> tuple[Array, Array]:
    """float32 values as float16, and the rest of each as int8 in 256ths of the float16's last place."""
    coarse = values.astype(np.float16)
    left = (values - coarse.astype(np.float32)) / _last_place(coarse)
    return coarse, np.rint(left * 256).clip(-127, 127).astype(np.int8)


def _join(coarse: Array, fine: Array) -> NDArray[np.float32]:
    """The inverse of `_split`. Powers of two throughout: the same values on every machine."""
    scale = _last_place(coarse)
    scale *= np.float32(1 / 256)
    scale *= fine
    scale += coarse
    return scale


def _number(text: object) -> int:
    return int(text) if isinstance(text, str) and text.isdecimal() and len(text) < 9 else 0

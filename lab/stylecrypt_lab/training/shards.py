"""Aligned faces to train on, in files that load fast and run no code: shards, and the index of their contents.

A shard is a NumPy file, (N, S, S, 3) uint8 RGB. ``index.json`` lists the shards in order, and for each picture the photo it
was cut from and the person it shows, which you may edit; and the photos that could not be used, with the reason.
``prepare`` makes both.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from torch import Tensor

from stylecrypt_msg.errors import InputError
from stylecrypt_msg.files import write_atomically

from .runs import Dice

__all__ = ["INDEX", "Index", "Shard", "Shards", "Square", "read_index", "write_index"]

INDEX = "index.json"
_MIRROR = 100  # the use of dice here; no other use in a step has this number


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class Square(_Strict):
    """A picture: the photo it was cut from, relative to the folder of photos, and the name of the person it shows."""

    photo: str
    person: str


class Shard(_Strict):
    """A file of pictures beside the index."""

    file: str = Field(pattern=r"^[A-Za-z0-9_-]+\.npy$")
    pictures: list[Square] = Field(min_length=1)


class Index(_Strict):
    """The contents of a folder of shards. ``size``: pixels a side; ``refused``: photos without a picture, and why."""

    format: Literal["stylecrypt-shards"] = "stylecrypt-shards"
    version: Literal[1] = 1
    size: int = Field(ge=32, le=1024)
    matte: bool
    shards: list[Shard] = []
    refused: dict[str, str] = {}


def read_index(folder: Path) -> Index:
    """The index of a folder of shards. Raises InputError if there is none, or it is damaged."""
    path = folder / INDEX
    try:
        return Index.model_validate_json(path.read_bytes())
    except OSError as error:
        raise InputError(f"There are no shards in {folder}.", hint="Prepare photos into it first.") from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "the whole"
        raise InputError(
            f"{path} is damaged: {place}: {first['msg']}.", hint="Repair it, or prepare the photos into another folder."
        ) from error


def write_index(index: Index, folder: Path) -> None:
    """Writes it whole or not at all."""
    write_atomically(folder / INDEX, index.model_dump_json(indent=1).encode())


class Shards:
    """The N pictures of a folder of shards, read from the files as they are needed.

    Attributes:
        size: pixels a side.
        labels: the person each picture shows, (N,) int64: 0 to ``people`` - 1, in the order of their names.
        people: the number of people.
    """

    def __init__(self, folder: Path) -> None:
        """Raises InputError if the folder holds no shards, or shards that do not match its index."""
        index = read_index(folder)
        self.size = index.size
        self._files: list[NDArray[np.uint8]] = []
        for shard in index.shards:
            path = folder / shard.file
            try:
                pictures = np.load(path, mmap_mode="r", allow_pickle=False)
            except (OSError, ValueError, EOFError) as error:
                raise InputError(
                    f"The shard {path} is missing or damaged.", hint="Prepare the photos again."
                ) from error
            if pictures.shape != (len(shard.pictures), self.size, self.size, 3) or pictures.dtype != np.uint8:
                raise InputError(f"The shard {path} is not what its index says.", hint="Prepare the photos again.")
            self._files.append(pictures)
        names = [picture.person for shard in index.shards for picture in shard.pictures]
        numbers = {name: number for number, name in enumerate(sorted(set(names)))}
        self.people = len(numbers)
        self.labels = torch.tensor([numbers[name] for name in names], dtype=torch.int64)
        self._starts = np.cumsum([0, *map(len, self._files)])

    def __len__(self) -> int:
        return len(self.labels)

    def batch(self, seed: int, step: int, size: int, places: range, device: torch.device) -> tuple[Tensor, Tensor]:
        """Pictures (B, 3, S, S) float32 in [-1, 1], and their labels (B,), for the ``places`` in a batch of ``size``.

        Each picture comes once per epoch, mirrored half of the time.
        """
        numbers = [self._shuffled(seed, step * size + place) for place in places]
        pixels = torch.from_numpy(np.stack([self._picture(number) for number in numbers])).to(device)
        images = pixels.permute(0, 3, 1, 2).float() / 127.5 - 1
        mirror = Dice(seed, step, _MIRROR, places, device).uniform(1, 1, 1) < 0.5
        return torch.where(mirror, images.flip(3), images), self.labels[numbers].to(device)

    def _shuffled(self, seed: int, place: int) -> int:
        epoch, within = divmod(place, len(self))
        return int(_permutation(len(self), seed, epoch)[within])

    def _picture(self, number: int) -> NDArray[np.uint8]:
        file = int(np.searchsorted(self._starts, number, side="right")) - 1
        picture: NDArray[np.uint8] = self._files[file][number - self._starts[file]]
        return picture


@lru_cache(maxsize=2)  # a batch may reach into the next epoch
def _permutation(count: int, seed: int, epoch: int) -> NDArray[np.int64]:
    return np.random.default_rng((seed, epoch)).permutation(count)

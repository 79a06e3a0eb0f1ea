"""What the tests of `train prepare`, `generator` and `psp` share: small faces of nobody, and runs in processes."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from stylecrypt_lab.training.generator import GeneratorPlan, channels_of, new_generator
from stylecrypt_lab.training.runs import Processes
from stylecrypt_lab.training.shards import Index, Shard, Shards, Square, write_index

from stylecrypt_msg.cipher import to_pixels
from stylecrypt_msg.models.stylegan2 import Generator
from stylecrypt_msg.models.torch_model import TorchModel

ALONE = Processes(0, 1, torch.device("cpu"))
SMALL = GeneratorPlan(batch=8, channels=8, style_dim=128, save_seconds=0)


def some_faces(model: TorchModel, count: int, size: int = 32) -> NDArray[np.uint8]:
    """(count, size, size, 3) uint8 RGB, from the embedded model's preview."""
    z = torch.randn(count, model.style_dim, generator=torch.Generator().manual_seed(5))
    with torch.no_grad():
        images = model.preview(model.map(z, truncation=0.7))
    return np.stack(to_pixels(torch.nn.functional.interpolate(images, (size, size), mode="area").numpy()))


def write_shards(faces: NDArray[np.uint8], folder: Path, person: Callable[[int], str] = str) -> Shards:
    """Writes ``faces`` into two shards; ``person`` names the person on the face with a given number."""
    folder.mkdir()
    half = len(faces) // 2
    shards = []
    for name, start, end in (("shard-00000.npy", 0, half), ("shard-00001.npy", half, len(faces))):
        np.save(folder / name, faces[start:end])
        squares = [Square(photo=f"{number}.jpg", person=person(number)) for number in range(start, end)]
        shards.append(Shard(file=name, pictures=squares))
    write_index(Index(size=faces.shape[1], matte=False, shards=shards), folder)
    return Shards(folder)


def small_model(size: int = 32, seed: int = 1, channels: int = 8) -> TorchModel:
    """An untrained StyleGAN2."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        generator: Generator = new_generator(channels_of(size, channels), 128)
    return TorchModel(generator, family="stylegan2", name="small")


def environment() -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "default"}


def torchrun(processes: int, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs ``stylecrypt ARGUMENTS`` in several processes, as docs/training.md starts it."""
    stylecrypt = Path(sys.executable).with_name("stylecrypt")
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    return subprocess.run(
        [*command, "--no-python", "--", str(stylecrypt), *arguments],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


def distance(ours: dict[str, torch.Tensor], theirs: dict[str, torch.Tensor], start: dict[str, torch.Tensor]) -> float:
    """The distance between two trained networks, relative to how far they have moved from the start."""
    floats = [name for name in ours if ours[name].is_floating_point()]
    apart = sum(float((ours[name] - theirs[name]).square().sum()) for name in floats)
    moved = sum(float((ours[name] - start[name]).square().sum()) for name in floats)
    return float((apart / moved) ** 0.5)

"""What all training runs share: processes, random numbers, averaged weights, a resumable folder.

A run has one process, or as many as ``torchrun`` starts, each with an equal part of the batch. Every random number of a step
is a function of the seed, the step, and the sample's place in the whole batch (`Dice`): a stopped run resumes as if it had
never stopped, several processes do what one would, and there is no random generator state to save.

Gradients are averaged after the backward pass, not by DistributedDataParallel, whose hooks allow neither gradients of
gradients nor losses that leave some weights out; R1 and path length are both (StyleGAN3's code does the same).
"""

from __future__ import annotations

import contextlib
import csv
import math
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor, nn

from stylecrypt_msg.errors import InputError, os_reason
from stylecrypt_msg.files import write_atomically
from stylecrypt_msg.pictures import encode_picture

__all__ = ["Dice", "Processes", "Run", "Status", "blend", "make_folder", "processes", "write_sheet"]

_REPORT_STEPS = 25
_CHECKPOINT = "checkpoint.pt"


@dataclass(frozen=True)
class Status:
    """A run's progress: ``done`` of ``total`` steps, and the mean losses since the last report."""

    done: int
    total: int
    losses: dict[str, float]


@dataclass(frozen=True)
class Processes:
    """This process (``rank``) of ``count`` that train together, and where it computes."""

    rank: int
    count: int
    device: torch.device

    def share(self, batch: int) -> range:
        """This process's places in a batch: every process has the same number, in one piece."""
        part = batch // self.count
        return range(self.rank * part, (self.rank + 1) * part)

    def mean(self, values: Tensor) -> Tensor:
        """The mean of ``values`` over the processes, without gradients."""
        values = values.detach().clone()
        if self.count > 1:
            dist.all_reduce(values)
        return values / self.count

    def average_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Gives all processes the mean of their gradients. All must have gradients for the same parameters."""
        if self.count == 1:
            return
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        flat = self.mean(torch.cat([gradient.flatten() for gradient in gradients]))
        means = torch.split(flat, [gradient.numel() for gradient in gradients])
        for gradient, mean in zip(gradients, means, strict=True):
            gradient.copy_(mean.view_as(gradient))

    def autocast(self) -> torch.autocast:
        """Mixed precision in bfloat16, which needs no loss scaling, on GPUs that support it; elsewhere it does nothing."""
        has_it = self.device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
        return torch.autocast(self.device.type, torch.bfloat16, enabled=has_it)


@contextlib.contextmanager
def processes() -> Iterator[Processes]:
    """The processes that ``torchrun`` started, connected by NCCL on GPUs and gloo on CPUs; without it, only this one."""
    count, rank = int(os.environ.get("WORLD_SIZE", "1")), int(os.environ.get("RANK", "0"))
    device = torch.device("cpu")
    if torch.cuda.is_available():
        device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
        torch.cuda.set_device(device)
    if count > 1:
        dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield Processes(rank, count, device)
    finally:
        if count > 1:
            dist.destroy_process_group()


class Dice:
    """Random numbers for the samples at ``places`` of the whole batch, B of them, in one ``use`` of one step."""

    def __init__(self, seed: int, step: int, use: int, places: range, device: torch.device) -> None:
        self._device = device
        self._generators = [
            torch.Generator(device).manual_seed(
                int(np.random.SeedSequence((seed, step, use, place)).generate_state(1, np.uint64)[0] >> np.uint64(1))
            )
            for place in places
        ]

    def normal(self, *shape: int) -> Tensor:
        """(B, *shape), standard normal."""
        return torch.stack([torch.randn(shape, generator=g, device=self._device) for g in self._generators])

    def uniform(self, *shape: int) -> Tensor:
        """(B, *shape) in [0, 1)."""
        return torch.stack([torch.rand(shape, generator=g, device=self._device) for g in self._generators])


@torch.no_grad()
def blend(average: nn.Module, module: nn.Module, decay: float) -> None:
    """Moves averaged weights, and batch-norm statistics, towards the trained ones."""
    for mean, value in zip(average.state_dict().values(), module.state_dict().values(), strict=True):
        if mean.is_floating_point():
            mean.lerp_(value, 1 - decay)
        else:
            mean.copy_(value)


def make_folder(folder: Path) -> None:
    """Makes a folder if it does not exist. Raises InputError if that fails."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"The folder {folder} cannot be made: {os_reason(error)}.", hint="Choose another place."
        ) from error


def write_sheet(images: Tensor, path: Path, columns: int) -> None:
    """Writes a PNG of pictures (B, 3, S, S) in [-1, 1], row by row; values outside the range are clipped."""
    rows = math.ceil(len(images) / columns)
    size = images.shape[-1]
    squares = np.zeros((rows * columns, size, size, 3), np.uint8)
    pixels = images.detach().float().cpu().permute(0, 2, 3, 1)
    squares[: len(images)] = ((pixels + 1) * 127.5).round().clamp(0, 255).byte().numpy()
    sheet = squares.reshape(rows, columns, size, size, 3).swapaxes(1, 2).reshape(rows * size, columns * size, 3)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, encode_picture(sheet, "PNG"))


class _Part(Protocol):
    """Something whose state a checkpoint keeps: a module or an optimiser."""

    def state_dict(self) -> dict[str, Any]: ...
    def load_state_dict(self, state: dict[str, Any], /) -> Any: ...


class Run:
    """A folder with a run's state: ``checkpoint.pt``, ``losses.csv``, and ``losses.png`` where matplotlib is installed.

    ``step`` is the number of steps done. Only the first process writes; all read.
    """

    def __init__(
        self, folder: Path, settings: Mapping[str, str | int | float], parts: Mapping[str, _Part], world: Processes
    ) -> None:
        """Loads the checkpoint, if there is one, into ``parts``. ``settings`` cannot change during a run.

        Raises InputError if the checkpoint belongs to a run with other settings, or the file is not a checkpoint.
        """
        self.folder = folder
        self.step = 0
        self._settings, self._parts, self._world = dict(settings), parts, world
        self._seconds = 0.0
        self._sums: dict[str, tuple[Tensor, int]] = {}
        if (folder / _CHECKPOINT).exists():
            self._load()

    def go(
        self,
        steps: int,
        save_seconds: float,
        step: Callable[[int], dict[str, Tensor]],
        snapshot: Callable[[], None],
        progress: Callable[[Status], None],
    ) -> None:
        """Calls ``step`` with the numbers of the steps until ``steps`` are done.

        ``step`` trains and returns its losses; a step need not have every loss. Every ``save_seconds`` and at the end, this
        writes the checkpoint and calls ``snapshot``, which writes the files for people to look at.

        Raises InputError when losses or weights are no longer finite; the last checkpoint predates that.
        """
        if self._world.rank == 0:
            make_folder(self.folder)
            self._forget_losses_after(self.step)
        began = saved = time.monotonic()
        began -= self._seconds
        if self.step >= steps and self._world.rank == 0:
            snapshot()  # the run may have been killed before its last one
        while self.step < steps:
            for name, loss in step(self.step).items():
                total, count = self._sums.get(name, (torch.zeros((), device=self._world.device), 0))
                self._sums[name] = total + loss.detach().float(), count + 1
            self.step += 1
            if self.step % _REPORT_STEPS and self.step != steps:
                continue
            self._seconds = time.monotonic() - began
            losses = self._means()
            saving = self.step == steps or time.monotonic() - saved > save_seconds
            if not all(map(math.isfinite, losses.values())) or (saving and not self._sound()):
                raise InputError(
                    f"Losses or weights are no longer finite at step {self.step}.",
                    hint="Run it again to resume from the last checkpoint; if it recurs, use a lower rate.",
                )
            if self._world.rank != 0:
                continue
            self._write_losses(losses)
            progress(Status(self.step, steps, losses))
            if saving:
                self._save()
                snapshot()
                self._plot()
                saved = time.monotonic()

    def _sound(self) -> bool:
        networks = [part for part in self._parts.values() if isinstance(part, nn.Module)]
        return all(
            bool(torch.isfinite(values).all()) for network in networks for values in network.state_dict().values()
        )

    def _save(self) -> None:
        state: dict[str, Any] = {name: part.state_dict() for name, part in self._parts.items()}
        state |= {"settings": self._settings, "step": self.step, "seconds": self._seconds}
        temporary = self.folder / (_CHECKPOINT + ".tmp")
        with temporary.open("wb") as file:
            torch.save(state, file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(self.folder / _CHECKPOINT)

    def _load(self) -> None:
        path = self.folder / _CHECKPOINT
        bad = InputError(f"{path} is not a checkpoint of a run.", hint="Give another folder for the run.")
        try:
            state: dict[str, Any] = torch.load(path, weights_only=True, map_location="cpu")
            settings, self.step, self._seconds = dict(state["settings"]), int(state["step"]), float(state["seconds"])
        except Exception as error:  # any of many types, if the file is something else
            raise bad from error
        for name in self._settings | settings:
            was, wanted = settings.get(name, "none"), self._settings.get(name, "none")
            if was != wanted:
                raise InputError(
                    f"{self.folder} holds another run: its {name} is {was}, not {wanted}.",
                    hint="Give another folder for the run, or the settings that it began with.",
                )
        try:
            for name, part in self._parts.items():
                part.load_state_dict(state[name])
        except (KeyError, ValueError, RuntimeError) as error:
            raise bad from error

    def _means(self) -> dict[str, float]:
        """The mean losses since the last report, over all processes."""
        means = self._world.mean(torch.stack([total / count for total, count in self._sums.values()])).tolist()
        names = list(self._sums)
        self._sums = {}
        return dict(zip(names, means, strict=True))

    @property
    def _csv(self) -> Path:
        return self.folder / "losses.csv"

    def _rows(self) -> list[tuple[int, str, float]]:
        if not self._csv.exists():
            return []
        with self._csv.open(newline="") as file:
            return [(int(row["step"]), row["loss"], float(row["value"])) for row in csv.DictReader(file)]

    def _forget_losses_after(self, step: int) -> None:
        """Drops what a killed run logged after its last checkpoint: those steps are done again."""
        rows = [row for row in self._rows() if row[0] <= step]
        with self._csv.open("w", newline="") as file:
            csv.writer(file).writerows([("step", "loss", "value"), *rows])

    def _write_losses(self, losses: dict[str, float]) -> None:
        with self._csv.open("a", newline="") as file:
            csv.writer(file).writerows((self.step, name, f"{value:.6g}") for name, value in losses.items())

    def _plot(self) -> None:
        try:
            from matplotlib.figure import Figure
        except ImportError:
            return
        rows = self._rows()
        names = list(dict.fromkeys(name for _, name, _ in rows))
        figure = Figure(figsize=(8, 2 * len(names)), layout="constrained")
        for name, axes in zip(names, figure.subplots(len(names), sharex=True, squeeze=False)[:, 0], strict=True):
            axes.plot(*zip(*((step, value) for step, row, value in rows if row == name), strict=True))
            axes.set(ylabel=name)
            axes.grid(alpha=0.3)
        axes.set(xlabel="step")
        figure.savefig(self._csv.with_suffix(".png"), dpi=110)

"""Training of the embedded model's encoder: exact pairs first, then real-looking faces through the generator.

Stage 1, *pairs*: pictures of people who do not exist, rendered from known codes (``codes.sample_codes``) and degraded
as a messenger would; loss: mean squared error of the codes in units of W's deviation.
Stage 2, *faces*: part of each step remains stage 1, so that mixes stay invertible, including mixes of the faces met
here; the other part inverts faces from a folder and compares the generator's picture of the codes with the original
(pixels, features, identity), with a prior that keeps codes where the generator is good. Both parts correct their codes
as `FaceModel.encode` does, up to twice; gradients flow through the last correction. From here on batch norm is frozen:
its statistics are those of pairs.

Everything is resumable: a checkpoint is written atomically every few minutes; a run killed at any moment resumes from
the last one. Losses go to ``losses.csv``, and ``losses.png`` is drawn from it.
"""

from __future__ import annotations

import copy
import csv
import math
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stylecrypt_msg.errors import InputError
from stylecrypt_msg.models.mobile_encoder import MobileEncoder, MobileNetV2
from stylecrypt_msg.models.mobilestylegan import MobileStyleGAN

from .codes import sample_codes
from .identity import DlibNetwork
from .pictures import degrade, face_batches, load_faces, vary
from .runs import Status

__all__ = ["Plan", "train_encoder"]

COLUMNS = ("stage", "pairs", "seconds", "latent", "pixels", "features", "identity", "prior", "rate")

_WEIGHTS = {"latent": 0.5, "pixels": 10.0, "features": 1.0, "identity": 3.0, "prior": 0.02}
_CORRECTIONS = (0, 1, 1, 2, 2)  # a step draws one of these
_REPORT_STEPS = 25
_KEPT_CODES = 240  # of the latest faces, for pairs


@dataclass(frozen=True)
class Plan:
    """How long to train, and on which data.

    ``pairs``: synthetic pairs of stage 1. ``face_steps``: steps of stage 2, each of ``face_batch`` pictures of
    ``faces`` (a folder of aligned squares) and ``batch`` pairs. ``rate``: peak learning rate of Adam; each stage warms up
    over its first 100 steps, and stage 2 falls to a fiftieth along a cosine.
    """

    pairs: int = 200_000
    face_steps: int = 4_000
    faces: Path | None = None
    batch: int = 12
    face_batch: int = 8
    rate: float = 5e-4
    seed: int = 0
    save_seconds: float = 240.0


class _State:
    """What a checkpoint holds."""

    def __init__(self, encoder: MobileEncoder, plan: Plan) -> None:
        self.encoder = encoder
        self.average = copy.deepcopy(encoder).requires_grad_(False)
        self.optimiser = torch.optim.AdamW(encoder.parameters(), plan.rate, betas=(0.9, 0.99), weight_decay=1e-3)
        self.rng = torch.Generator().manual_seed(plan.seed)
        self.pairs_steps = 0
        self.face_steps = 0
        self.seconds = 0.0

    def save(self, path: Path) -> None:
        state = {
            "encoder": self.encoder.state_dict(),
            "average": self.average.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "rng": self.rng.get_state(),
            "steps": [self.pairs_steps, self.face_steps],
            "seconds": self.seconds,
        }
        temporary = path.with_suffix(".tmp")
        torch.save(state, temporary)
        temporary.replace(path)

    def load(self, path: Path) -> None:
        state: dict[str, Any] = torch.load(path, weights_only=True, map_location="cpu")
        self.encoder.load_state_dict(state["encoder"])
        self.average.load_state_dict(state["average"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.rng.set_state(state["rng"])
        self.pairs_steps, self.face_steps = state["steps"]
        self.seconds = state["seconds"]

    @torch.no_grad()
    def blend(self) -> None:
        """Moves the averaged weights, which are the ones that ship, towards the trained ones; likewise batch-norm statistics.

        The average spans 100 steps: the rate falls over the last thousand or so, and with 1000 the average was 0.6 dB behind.
        """
        step = self.pairs_steps + self.face_steps
        decay = min(0.99, (1 + step) / (10 + step))
        for mean, value in zip(self.average.state_dict().values(), self.encoder.state_dict().values(), strict=True):
            if mean.is_floating_point():
                mean.lerp_(value, 1 - decay)


def _rate(state: _State, plan: Plan) -> float:
    rate = plan.rate * min(1.0, ((state.face_steps or state.pairs_steps) + 1) / 100)
    if state.face_steps:
        rate *= max(0.02, 0.5 * (1 + math.cos(math.pi * state.face_steps / plan.face_steps)))
    return rate


class _FeatureLoss(nn.Module):
    """Distance of MobileNetV2's maps, each normalised per position, between two batches of pictures."""

    def __init__(self, trunk: MobileNetV2) -> None:
        super().__init__()
        self.trunk = trunk.requires_grad_(False).eval()

    def forward(self, made: Tensor, wanted: Tensor) -> Tensor:
        with torch.no_grad():
            targets = [F.normalize(m, dim=1) for m in self.trunk(wanted)]
        maps = [F.normalize(m, dim=1) for m in self.trunk(made)]
        return torch.stack([(m - t).square().sum(1).mean() for m, t in zip(maps, targets, strict=True)]).mean()


def train_encoder(
    generator: MobileStyleGAN,
    encoder: MobileEncoder,
    plan: Plan,
    recogniser: DlibNetwork | None,
    folder: Path,
    progress: Callable[[Status], None],
) -> MobileEncoder:
    """Trains, or resumes from the checkpoint in ``folder``; returns the encoder with averaged weights.

    A new run starts from ``encoder`` and changes it; a copy of its initial trunk judges pictures in stage 2. With a
    ``recogniser``, that stage also compares identities (the paper uses its angular margin loss for this). ``folder`` gets
    ``checkpoint.pt``, ``losses.csv`` and, where matplotlib is installed, ``losses.png``.

    Raises InputError for a folder without faces, and when gradients are no longer finite.
    """
    torch.manual_seed(plan.seed)
    generator = generator.requires_grad_(False).eval()
    encoder.requires_grad_(True)
    for parameter in encoder.parameters():
        if parameter.ndim == 4:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
    feature_loss = _FeatureLoss(copy.deepcopy(encoder.trunk))
    state = _State(encoder, plan)
    # Read now, so that problems do not surface only after the days that the first stage takes.
    pictures = load_faces(plan.faces, MobileEncoder.input_size) if plan.faces else None
    folder.mkdir(parents=True, exist_ok=True)
    checkpoint = folder / "checkpoint.pt"
    if checkpoint.exists():
        state.load(checkpoint)

    people: list[Tensor] = []  # codes of faces met in stage 2

    @torch.no_grad()
    def pairs() -> tuple[Tensor, Tensor]:
        codes = sample_codes(generator, plan.batch, state.rng, torch.cat(people) if people else None)
        images = degrade(generator.preview(codes), state.rng).contiguous(memory_format=torch.channels_last)
        return images, (codes - generator.w_mean) / generator.w_std

    # One batch ahead, in a thread: rendering and training in turn would leave a fifth of the machine idle.
    worker = ThreadPoolExecutor(1)
    pending = worker.submit(pairs)

    def next_pairs() -> tuple[Tensor, Tensor]:
        nonlocal pending
        images, wanted = pending.result()
        pending = worker.submit(pairs)
        return images, wanted

    def inverted(images: Tensor, corrections: int) -> tuple[Tensor, Tensor]:
        """Normalised codes at first, and after the corrections; only the last correction has gradients."""
        first = encoder.normalised(images)
        codes = first
        for left in reversed(range(corrections)):
            with torch.no_grad():
                codes = codes.detach()
                made = generator.preview(codes * generator.w_std + generator.w_mean).clamp(-1, 1)
                made = made.contiguous(memory_format=torch.channels_last)
            with torch.set_grad_enabled(left == 0):
                codes = codes + first - encoder.normalised(made)
        return first, codes

    log = _Log(folder / "losses.csv")
    began = time.monotonic() - state.seconds
    saved = time.monotonic()

    def step(stage: str, done: int, total: int, losses: dict[str, Tensor]) -> None:
        nonlocal saved
        rate = _rate(state, plan)
        for group in state.optimiser.param_groups:
            group["lr"] = rate
        state.optimiser.zero_grad()
        torch.stack([_WEIGHTS[name] * loss for name, loss in losses.items()]).sum().backward()  # type: ignore[no-untyped-call]
        # Before the step, so that the weights, and with them the next checkpoint, stay intact.
        if not torch.isfinite(nn.utils.clip_grad_norm_(encoder.parameters(), 1.0)):
            raise InputError(
                f"Gradients are no longer finite at step {done + 1} of the {stage}.",
                hint="Run it again to resume from the last checkpoint.",
            )
        state.optimiser.step()
        state.blend()
        state.seconds = time.monotonic() - began
        log.add({name: loss.item() for name, loss in losses.items()})
        if (done + 1) % _REPORT_STEPS == 0 or done + 1 == total:
            pairs = (state.pairs_steps + state.face_steps) * plan.batch
            progress(Status(done + 1, total, log.write(stage, pairs, state.seconds, rate), stage))
        if time.monotonic() - saved > plan.save_seconds:
            state.save(checkpoint)
            saved = time.monotonic()

    total = math.ceil(plan.pairs / plan.batch)
    encoder.train()
    while state.pairs_steps < total:
        images, wanted = next_pairs()
        losses = {"latent": F.mse_loss(encoder.normalised(images), wanted)}
        state.pairs_steps += 1
        step("pairs", state.pairs_steps - 1, total, losses)

    if pictures is not None:
        faces_rng = torch.Generator().manual_seed(plan.seed + state.face_steps)  # the worker draws from the other one
        batches = face_batches(pictures, plan.face_batch, faces_rng)
        encoder.eval()  # freezes batch norm; there is no dropout
        while state.face_steps < plan.face_steps:
            faces = vary(next(batches), faces_rng)
            images, wanted = next_pairs()
            corrections = _CORRECTIONS[int(torch.randint(len(_CORRECTIONS), (), generator=faces_rng))]
            both = torch.cat((degrade(faces, faces_rng), images)).contiguous(memory_format=torch.channels_last)
            first, last = inverted(both, corrections)
            codes = last[: len(faces)]
            made = generator.preview(codes * generator.w_std + generator.w_mean)
            latent = torch.stack([F.mse_loss(found[len(faces) :], wanted) for found in (first, last)]).mean()
            losses = {
                "latent": latent,
                "pixels": F.l1_loss(made, faces),
                "features": feature_loss(made, faces),
                "prior": codes.square().mean(),
            }
            people = [codes.detach() * generator.w_std + generator.w_mean, *people][: _KEPT_CODES // plan.face_batch]
            if recogniser is not None:
                with torch.no_grad():
                    wanted = recogniser(faces)
                losses["identity"] = (recogniser(made) - wanted).square().sum(1).mean()
            state.face_steps += 1
            step("faces", state.face_steps - 1, plan.face_steps, losses)

    worker.shutdown()
    state.save(checkpoint)
    log.plot()
    return state.average.eval()


class _Log:
    """Losses as running means, appended to a CSV; a plot of it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.sums: dict[str, float] = {}
        self.count = 0

    def add(self, losses: dict[str, float]) -> None:
        self.count += 1
        for name, value in losses.items():
            self.sums[name] = self.sums.get(name, 0.0) + value

    def write(self, stage: str, pairs: int, seconds: float, rate: float) -> dict[str, float]:
        means = {name: value / self.count for name, value in self.sums.items()}
        self.sums, self.count = {}, 0
        new = not self.path.exists()
        with self.path.open("a", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS)
            if new:
                writer.writeheader()
            row = {name: f"{value:.5g}" for name, value in means.items()}
            writer.writerow(row | {"stage": stage, "pairs": pairs, "seconds": f"{seconds:.0f}", "rate": f"{rate:.2e}"})
        return means

    def plot(self) -> None:
        try:
            from matplotlib.figure import Figure
        except ImportError:
            return
        with self.path.open(newline="") as file:
            rows = list(csv.DictReader(file))
        figure = Figure(figsize=(9, 5), layout="constrained")
        axes = figure.subplots()
        for name in ("latent", "pixels", "features", "identity"):
            points = [(int(row["pairs"]), float(row[name])) for row in rows if row[name]]
            if points:
                axes.plot(*zip(*points, strict=True), label=name)
        axes.set(xlabel="synthetic pairs seen", ylabel="loss", yscale="log", title="Training of the encoder")
        axes.grid(alpha=0.3)
        axes.legend()
        figure.savefig(self.path.with_suffix(".png"), dpi=110)

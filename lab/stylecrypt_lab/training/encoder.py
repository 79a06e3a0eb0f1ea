"""Training of the embedded model's encoder: exact pairs first, then real-looking faces through the generator.

Stage 1, *pairs*: pictures of people who do not exist, rendered from known codes (``codes.sample_codes``) and degraded
as a messenger would; loss: mean squared error of the codes in units of W's deviation.
Stage 2, *faces*: part of each step remains stage 1, so that mixes stay invertible, including mixes of the faces met
here; the other part inverts faces from a folder and compares the generator's picture of the codes with the original
(pixels, features, identity), with a prior that keeps codes where the generator is good. Both parts correct their codes
as `FaceModel.encode` does, up to twice; gradients flow through the last correction. From here on batch norm is frozen:
its statistics are those of pairs.

A run killed at any moment resumes from its last checkpoint (`runs.Run`).
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stylecrypt_msg.errors import InputError
from stylecrypt_msg.models.mobile_encoder import MobileEncoder, MobileNetV2
from stylecrypt_msg.models.mobilestylegan import MobileStyleGAN

from .codes import sample_codes
from .identity import DlibNetwork
from .pictures import degrade, face_batches, load_faces, vary
from .runs import Processes, Run, Status, blend

__all__ = ["Plan", "train_encoder"]

_WEIGHTS = {"latent": 0.5, "pixels": 10.0, "features": 1.0, "identity": 3.0, "prior": 0.02}
_CORRECTIONS = (0, 1, 1, 2, 2)  # a step draws one of these
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


class _Random:
    """A random number generator whose state a checkpoint keeps."""

    def __init__(self, seed: int) -> None:
        self.generator = torch.Generator().manual_seed(seed)

    def state_dict(self) -> dict[str, Tensor]:
        return {"state": self.generator.get_state()}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        self.generator.set_state(state["state"])


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
    average = copy.deepcopy(encoder).requires_grad_(False)
    optimiser = torch.optim.AdamW(encoder.parameters(), plan.rate, betas=(0.9, 0.99), weight_decay=1e-3)
    random = _Random(plan.seed)
    # Read now, so that problems do not surface only after the days that the first stage takes.
    pictures = load_faces(plan.faces, MobileEncoder.input_size) if plan.faces else None
    run = Run(
        folder,
        {},
        {"encoder": encoder, "average": average, "optimiser": optimiser, "random": random},
        Processes(0, 1, torch.device("cpu")),
    )
    first_stage = math.ceil(plan.pairs / plan.batch)

    people: list[Tensor] = []  # codes of faces met in stage 2

    @torch.no_grad()
    def pairs() -> tuple[Tensor, Tensor]:
        codes = sample_codes(generator, plan.batch, random.generator, torch.cat(people) if people else None)
        images = degrade(generator.preview(codes), random.generator).contiguous(memory_format=torch.channels_last)
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

    # The worker draws from the other one.
    faces_rng = torch.Generator().manual_seed(plan.seed + max(run.step - first_stage, 0))
    batches = face_batches(pictures, plan.face_batch, faces_rng) if pictures is not None else iter(())

    def pair_losses() -> dict[str, Tensor]:
        images, wanted = next_pairs()
        return {"latent": F.mse_loss(encoder.normalised(images), wanted)}

    def face_losses() -> dict[str, Tensor]:
        nonlocal people
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
                described = recogniser(faces)
            losses["identity"] = (recogniser(made) - described).square().sum(1).mean()
        return losses

    def step(done: int) -> dict[str, Tensor]:
        in_stage = 1 + (done - first_stage if done >= first_stage else done)
        rate = plan.rate * min(1.0, (in_stage + 1) / 100)
        if done >= first_stage:
            rate *= max(0.02, 0.5 * (1 + math.cos(math.pi * in_stage / plan.face_steps)))
        for group in optimiser.param_groups:
            group["lr"] = rate
        encoder.train(done < first_stage)  # from then on batch norm is frozen; there is no dropout
        losses = pair_losses() if done < first_stage else face_losses()
        optimiser.zero_grad()
        torch.stack([_WEIGHTS[name] * loss for name, loss in losses.items()]).sum().backward()  # type: ignore[no-untyped-call]
        # Before the step, so that the weights, and with them the next checkpoint, stay intact.
        if not torch.isfinite(nn.utils.clip_grad_norm_(encoder.parameters(), 1.0)):
            raise InputError(
                f"Gradients are no longer finite at step {done + 1}.",
                hint="Run it again to resume from the last checkpoint.",
            )
        optimiser.step()
        # Over 100 steps: the rate falls over the last thousand or so, and with 1000 the average was 0.6 dB behind.
        blend(average, encoder, min(0.99, (2 + done) / (11 + done)))
        return losses

    total = first_stage + (plan.face_steps if pictures is not None else 0)
    run.go(total, plan.save_seconds, step, lambda: None, progress)
    worker.shutdown()
    return average.eval()

"""Training of a pSp encoder (Richardson et al. 2021, arXiv 2008.00951) for a StyleGAN2 generator, on shards.

Losses, with weights as in pSp: squared error of the pixels; distance of features, using the embedded encoder's in place of
LPIPS's; identity, by dlib's recogniser in place of ArcFace, if it is given; the norm of the codes' offsets from the average;
and, added by the paper, the additive angular margin loss of ArcFace (Deng et al. 2019, arXiv 1801.07698).

The paper gives that loss (its equation 6) over "the feature vector of the i-th sample", but does not say which vector that is,
nor scale, margin and weight, nor how the loss is added to StyleGAN2, whose pictures show nobody. Here the feature vector is the
encoder's own output for the sample, the offsets E(x) of equation 1, all styles in a row, because these are exchanged with those
of another photo of the same person. Scale 64 and margin 0.5 are ArcFace's. The loss applies where people have several photos.
The generator is trained without it.

With each checkpoint, a run's folder also gets ``model.safetensors``, for `models.load_model`, and ``samples/*.png`` (pictures
above, inversions below).
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor, nn

from stylecrypt_msg.errors import InputError, ModelError
from stylecrypt_msg.models import psp, store
from stylecrypt_msg.models.ops import EqualLinear
from stylecrypt_msg.models.psp import GradualStyleEncoder
from stylecrypt_msg.models.stylegan2 import Generator
from stylecrypt_msg.models.torch_model import TorchModel

from .generator import check_batch
from .runs import Processes, Run, Status, blend, write_sheet
from .shards import Shards

__all__ = ["AngularMargin", "GlobalBatchNorm", "PspPlan", "train_psp"]

_WEIGHTS = {"pixels": 1.0, "features": 0.8, "identity": 0.1, "norm": 0.005, "margin": 0.01}
_BACKBONE = ("input_layer.", "body.")  # in the names of its weights
_SHEET = 8


@dataclass(frozen=True)
class PspPlan:
    """How long to train: ``steps`` of ``batch`` pictures, over all processes; Adam's ``rate``; ``save_seconds``, the time
    between checkpoints."""

    steps: int = 500_000
    batch: int = 8
    rate: float = 1e-4
    seed: int = 0
    save_seconds: float = 600.0


class AngularMargin(nn.Module):
    """The paper's equation 6: cross entropy of s cos(theta_j), with m added to the angle of the right class.

    ``weight`` (C, D), a vector for each of C people, is trained as well. Where the sum of angles would exceed pi, s m sin m is
    subtracted instead, as in ArcFace's own code, so that the logit keeps falling.
    """

    def __init__(self, people: int, dimensions: int, scale: float = 64.0, margin: float = 0.5) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(people, dimensions) / math.sqrt(dimensions))
        self.scale, self.margin = scale, margin

    def forward(self, features: Tensor, labels: Tensor) -> Tensor:
        """features (B, D) of any length, labels (B,) in [0, C) -> the mean loss."""
        cosines = F.linear(F.normalize(features), F.normalize(self.weight))  # (B, C)
        cosine = cosines.gather(1, labels[:, None])
        sine = (1 - cosine.square()).clamp_min(1e-7).sqrt()
        m = self.margin
        moved = torch.where(cosine > -math.cos(m), cosine * math.cos(m) - sine * math.sin(m), cosine - m * math.sin(m))
        return F.cross_entropy(self.scale * cosines.scatter(1, labels[:, None], moved), labels)


class GlobalBatchNorm(nn.BatchNorm2d):
    """Batch norm over the batches of all processes, on any device (PyTorch's version needs GPUs)."""

    def forward(self, x: Tensor) -> Tensor:
        if not (self.training and dist.is_initialized()):
            return super().forward(x)
        values = x.float()
        mean = _mean_of_all(values.mean((0, 2, 3)))
        variance = _mean_of_all((values - mean[:, None, None]).square().mean((0, 2, 3)))
        with torch.no_grad():
            count = x.numel() / x.shape[1] * dist.get_world_size()
            assert self.momentum is not None and self.running_mean is not None and self.running_var is not None  # noqa: S101
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(variance * (count / (count - 1)), self.momentum)
        scale = self.weight * torch.rsqrt(variance + self.eps)
        return (values * scale[:, None, None] + (self.bias - mean * scale)[:, None, None]).to(x.dtype)


class _SumOfAll(torch.autograd.Function):
    @staticmethod
    def forward(ctx: object, values: Tensor) -> Tensor:  # noqa: ARG004
        total = values.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: object, gradient: Tensor) -> Tensor:  # noqa: ARG004
        total = gradient.clone()
        dist.all_reduce(total)
        return total


def _mean_of_all(values: Tensor) -> Tensor:
    total: Tensor = _SumOfAll.apply(values)  # type: ignore[no-untyped-call]
    return total / dist.get_world_size()


def train_psp(
    shards: Shards,
    model: TorchModel,
    plan: PspPlan,
    folder: Path,
    world: Processes,
    progress: Callable[[Status], None],
    *,
    judge: TorchModel,
    recogniser: nn.Module | None = None,
    backbone: Path | None = None,
) -> TorchModel:
    """Trains an encoder for the generator of ``model``, or resumes from the checkpoint in ``folder``; returns generator and
    averaged encoder.

    ``judge`` is the embedded model, whose features are compared. ``recogniser``: images (B, 3, S, S) -> descriptors (B, D).
    ``backbone`` is a file with ArcFace's IR-SE-50, as pSp's authors publish it, to start from; without it, training starts
    from scratch.

    Raises ModelError if the model is not a StyleGAN2, InputError if shards or backbone do not fit, there are too few pictures
    for a batch, the batch cannot be divided among the processes, or the folder holds another run.
    """
    generator = model.generator
    if not isinstance(generator, Generator):
        raise ModelError(f"pSp needs a StyleGAN2 generator, but {model.name!r} is a {model.family}.")
    if model.style_dim not in psp.WIDTHS:
        raise ModelError(f"pSp does not fit a generator with styles of {model.style_dim} dimensions.")
    size = min(psp.INPUT_SIZE, model.image_size)
    if shards.size != size:
        raise InputError(
            f"The shards have pictures of {shards.size} px, but pSp reads {size} px for this generator.",
            hint=f"Prepare them again with --size {size}.",
        )
    check_batch(plan.batch, 1, shards, world)
    device, places = world.device, world.share(plan.batch)
    model, judge = model.to(device), judge.to(device)
    several = 1 < shards.people < len(shards)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(plan.seed)
        encoder = _new_encoder(model, size, backbone).to(device)
        margin = AngularMargin(shards.people if several else 1, model.n_styles * model.style_dim).to(device)
    average = copy.deepcopy(encoder).eval().requires_grad_(False)
    parameters = [*encoder.parameters(), *(margin.parameters() if several else ())]
    optimiser = torch.optim.Adam(parameters, plan.rate)
    run = Run(
        folder,
        {
            "kind": "psp",
            "size": size,
            "batch": plan.batch,
            "rate": plan.rate,
            "seed": plan.seed,
            "number of people": shards.people,
            "generator": model.digest[:12],
            "recogniser": "none" if recogniser is None else "given",
        },
        {"encoder": encoder, "average": average, "margin": margin, "optimiser": optimiser},
        world,
    )

    def step(number: int) -> dict[str, Tensor]:
        images, labels = shards.batch(plan.seed, number, plan.batch, places, device)
        encoder.train()
        with world.autocast():
            offsets = encoder.offsets(encoder.features(images))
            made = generator(offsets + encoder.latent_avg)
        offsets, made = offsets.float(), made.float()
        if made.shape[-1] > size:
            made = F.interpolate(made, (size, size), mode="area")
        losses = {
            "pixels": F.mse_loss(made, images),
            "features": _difference(judge, made, images),
            "norm": offsets.norm(dim=(1, 2)).mean(),
        }
        if recogniser is not None:
            with torch.no_grad():
                wanted = recogniser(images)
            losses["identity"] = (recogniser(made) - wanted).square().sum(1).mean()
        if several:
            losses["margin"] = margin(offsets.flatten(1), labels)
        optimiser.zero_grad()
        torch.stack([_WEIGHTS[name] * loss for name, loss in losses.items()]).sum().backward()  # type: ignore[no-untyped-call]
        world.average_gradients(parameters)
        optimiser.step()
        blend(average, encoder, min(0.999, (1 + number) / (10 + number)))
        return losses

    def trained() -> TorchModel:
        parts = copy.deepcopy((generator, average, model.average))
        return TorchModel(parts[0].cpu(), parts[1].cpu(), parts[2].cpu(), family="stylegan2", name=folder.name)

    def snapshot() -> None:
        made = trained()
        store.save(made, folder / "model.safetensors")
        count = min(_SHEET, len(shards))
        images, _ = shards.batch(plan.seed, 0, count, range(count), torch.device("cpu"))
        inverted = F.interpolate(made.synthesize(made.encode(images)), (size, size), mode="area")
        write_sheet(torch.cat((images, inverted)), folder / "samples" / f"{run.step:07}.png", columns=count)

    run.go(plan.steps, plan.save_seconds, step, snapshot, progress)
    return trained()


def _difference(judge: TorchModel, made: Tensor, wanted: Tensor) -> Tensor:
    """Squared distance between feature maps, normalised at each position; the mean over maps and positions."""
    with torch.no_grad():
        targets = [F.normalize(features, dim=1) for features in judge.features(wanted)]
    found = [F.normalize(features, dim=1) for features in judge.features(made)]
    return torch.stack([(a - b).square().sum(1).mean() for a, b in zip(found, targets, strict=True)]).mean()


def _new_encoder(model: TorchModel, size: int, backbone: Path | None) -> GradualStyleEncoder:
    encoder = GradualStyleEncoder(model.n_styles, model.style_dim, size)
    encoder.latent_avg.copy_(model.average)
    for module in encoder.modules():
        if isinstance(module, EqualLinear):
            nn.init.normal_(module.weight)
            nn.init.zeros_(module.bias)
        elif isinstance(module, nn.BatchNorm2d):
            module.__class__ = GlobalBatchNorm
    if backbone is not None:
        bad = InputError(
            f"{backbone} does not hold an IR-SE-50 that fits.",
            hint="Give model_ir_se50.pth, which pSp's authors publish, or train without a backbone.",
        )
        try:
            weights = torch.load(backbone, weights_only=True, map_location="cpu")
            parts = {name: value for name, value in weights.items() if name.startswith(_BACKBONE)}
            lacking = encoder.load_state_dict(parts, strict=False).missing_keys
        except Exception as error:  # any of many types, if the file is something else
            raise bad from error
        if any(name.startswith(_BACKBONE) for name in lacking):
            raise bad
    return encoder

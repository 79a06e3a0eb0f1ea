"""Training of a StyleGAN2 generator (Karras et al. 2020, arXiv 1912.04958) on shards, with ADA (arXiv 2006.06676).

Non-saturating logistic loss; R1 (Mescheder et al. 2018, arXiv 1801.04406) and path length regularisation, both lazy;
style mixing; an exponential moving average of the generator, which is the result. R1 is taken at the discriminator's
input, the augmented pictures. Both regularisers are computed in float32, whatever the rest uses.

With each checkpoint, a run's folder also gets ``model.safetensors``, for `models.load_model`, and ``samples/*.png``.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call

from stylecrypt_msg.errors import InputError
from stylecrypt_msg.models import store
from stylecrypt_msg.models.ops import EqualLinear
from stylecrypt_msg.models.stylegan2 import Generator
from stylecrypt_msg.models.torch_model import TorchModel

from .augment import Augmentation
from .discriminator import GROUP, Discriminator
from .runs import Dice, Processes, Run, Status, blend, write_sheet
from .shards import Shards

__all__ = [
    "GeneratorPlan",
    "channels_of",
    "check_batch",
    "draw",
    "new_generator",
    "path_lengths",
    "r1",
    "train_generator",
]

_R1_EVERY, _PATH_EVERY = 16, 4  # steps (section 3.1)
_PATH_WEIGHT, _PATH_DECAY = 2.0, 0.01  # section 3.2, appendix B
_MIXED = 0.9  # the share of pictures that mix two people (StyleGAN, arXiv 1812.04948, section 3.1)
_HALF_LIFE = 10_000  # pictures, the average's half-life; at first a twentieth of those seen
_SHEET = 16

# The uses of dice in a step.
_FOR_DISCRIMINATOR, _FOR_GENERATOR, _FOR_PATH, _FOR_FAKES, _FOR_REALS, _FOR_JUDGED = range(6)


@dataclass(frozen=True)
class GeneratorPlan:
    """How long to train, and which network.

    ``steps`` of ``batch`` pictures, over all processes. ``channels``: those of the smallest maps, which scale the larger ones;
    512 gives the published networks. ``style_dim``: 128, 256 or 512, as `psp` needs it. ``rate``: Adam's learning rate.
    ``gamma``: weight of R1; None is the rule of thumb of ADA's authors, 0.0002 size^2 / batch. ``save_seconds``: the time
    between checkpoints.
    """

    steps: int = 800_000
    batch: int = 32
    channels: int = 512
    style_dim: int = 512
    rate: float = 0.002
    gamma: float | None = None
    seed: int = 0
    save_seconds: float = 600.0


def train_generator(
    shards: Shards, plan: GeneratorPlan, folder: Path, world: Processes, progress: Callable[[Status], None]
) -> TorchModel:
    """Trains, or resumes from the checkpoint in ``folder``; returns the model with averaged weights and no encoder.

    Raises InputError if there are too few pictures for a batch, the batch cannot be divided among the processes, or the
    folder holds another run.
    """
    check_batch(plan.batch, GROUP, shards, world)
    device, places, style_dim = world.device, world.share(plan.batch), plan.style_dim
    channels = channels_of(shards.size, plan.channels)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(plan.seed)
        generator = new_generator(channels, style_dim).to(device)
        discriminator = Discriminator(channels).to(device)
    average = copy.deepcopy(generator).eval().requires_grad_(False)
    augmentation = Augmentation().to(device)
    path_length = _PathLength(world).to(device)
    generator_optimiser = _optimiser(generator, plan.rate, _PATH_EVERY)
    discriminator_optimiser = _optimiser(discriminator, plan.rate, _R1_EVERY)
    gamma = 0.0002 * shards.size**2 / plan.batch if plan.gamma is None else plan.gamma
    run = Run(
        folder,
        {
            "kind": "generator",
            "size": shards.size,
            "batch": plan.batch,
            "channels": plan.channels,
            "style dimension": style_dim,
            "rate": plan.rate,
            "gamma": gamma,
            "seed": plan.seed,
        },
        {
            "generator": generator,
            "discriminator": discriminator,
            "average": average,
            "augmentation": augmentation,
            "path length": path_length,
            "generator optimiser": generator_optimiser,
            "discriminator optimiser": discriminator_optimiser,
        },
        world,
    )

    def dice(step: int, use: int) -> Dice:
        return Dice(plan.seed, step, use, places, device)

    def update(network: nn.Module, optimiser: torch.optim.Optimizer, loss: Tensor) -> None:
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        world.average_gradients(network.parameters())
        optimiser.step()

    def step(number: int) -> dict[str, Tensor]:
        reals, _ = shards.batch(plan.seed, number, plan.batch, places, device)
        losses: dict[str, Tensor] = {}

        discriminator.requires_grad_(True)
        with torch.no_grad():
            codes, noise = draw(generator, dice(number, _FOR_DISCRIMINATOR))
            with world.autocast():
                fakes = functional_call(generator, noise, (codes,))
        fakes = augmentation(fakes, dice(number, _FOR_FAKES))
        reals = augmentation(reals, dice(number, _FOR_REALS))
        with world.autocast():
            for_fakes, for_reals = discriminator(fakes), discriminator(reals)
        losses["discriminator"] = F.softplus(for_fakes).mean() + F.softplus(-for_reals).mean()
        update(discriminator, discriminator_optimiser, losses["discriminator"])
        losses["r_t"] = for_reals.detach().sign().mean()
        augmentation.adjust(number, world.mean(losses["r_t"]), plan.batch)
        losses["p"] = augmentation.p.clone()
        if number % _R1_EVERY == 0:
            losses["r1"] = r1(discriminator, reals).mean()
            update(discriminator, discriminator_optimiser, losses["r1"] * (gamma / 2 * _R1_EVERY))

        discriminator.requires_grad_(False)
        codes, noise = draw(generator, dice(number, _FOR_GENERATOR))
        with world.autocast():
            fakes = functional_call(generator, noise, (codes,))
        fakes = augmentation(fakes, dice(number, _FOR_JUDGED))
        with world.autocast():
            losses["generator"] = F.softplus(-discriminator(fakes)).mean()
        update(generator, generator_optimiser, losses["generator"])
        if number % _PATH_EVERY == 0:
            thrown = dice(number, _FOR_PATH)
            codes, noise = draw(generator, thrown)
            fakes = functional_call(generator, noise, (codes,))
            losses["path"] = path_length(path_lengths(fakes, codes, thrown.normal(*fakes.shape[1:])))
            update(generator, generator_optimiser, losses["path"] * (_PATH_WEIGHT * _PATH_EVERY))

        seen = (number + 1) * plan.batch
        blend(average, generator, 0.5 ** (plan.batch / min(_HALF_LIFE, seen / 20)))
        return losses

    def model() -> TorchModel:
        return TorchModel(copy.deepcopy(average).cpu(), family="stylegan2", name=folder.name)

    def snapshot() -> None:
        made = model()
        store.save(made, folder / "model.safetensors")
        z = Dice(plan.seed, 0, 0, range(_SHEET), torch.device("cpu")).normal(style_dim)
        write_sheet(made.synthesize(made.map(z)), folder / "samples" / f"{run.step:07}.png", columns=4)

    run.go(plan.steps, plan.save_seconds, step, snapshot, progress)
    return model()


def check_batch(batch: int, multiple: int, shards: Shards, world: Processes) -> None:
    """Raises InputError unless the batch can be filled and each process can get a multiple of ``multiple`` pictures."""
    if batch < 1 or batch % (multiple * world.count):
        raise InputError(
            f"A batch of {batch} pictures cannot be shared out.",
            hint=f"Use a multiple of {multiple * world.count}: {multiple} for each process.",
        )
    if len(shards) < batch:
        raise InputError(
            f"There are only {len(shards)} pictures in the shards, but {batch} in a batch.",
            hint="Prepare more photos; a useful model needs thousands.",
        )


def channels_of(size: int, most: int) -> list[int]:
    """Channels at 4, 8, ..., size pixels: ``most`` up to 64 px, then half as many at each size; 512 is the published number."""
    return [min(most, 64 * most // side) for side in (2**i for i in range(2, size.bit_length()))]


def new_generator(channels: list[int], style_dim: int) -> Generator:
    """An untrained generator, initialised as StyleGAN2 is: weights and constants normal, biases of styles 1."""
    generator = Generator(channels, style_dim)
    for name, parameter in generator.named_parameters():
        if name.endswith((".conv.weight", ".modulation.weight", "input.input")):
            nn.init.normal_(parameter)
        else:
            nn.init.constant_(parameter, 1.0 if name.endswith(".modulation.bias") else 0.0)
    for layer in generator.style:
        if isinstance(layer, EqualLinear):
            nn.init.normal_(layer.weight, std=1 / layer.lr_mul)
    for noise in generator.noises.buffers():
        nn.init.normal_(noise)
    return generator


def draw(generator: Generator, dice: Dice) -> tuple[Tensor, dict[str, Tensor]]:
    """Codes (B, N, T) of people, nine in ten of them a mix of two; and noise maps for each, by the names of the buffers."""
    n, t = generator.n_styles, generator.style_dim
    z = dice.normal(2, t)
    first, second = generator.mapping(z.flatten(0, 1)).view(-1, 2, 1, t).unbind(1)  # (B, 1, T)
    crossover = torch.where(dice.uniform() < _MIXED, 1 + (dice.uniform() * (n - 1)).floor(), n)
    codes = torch.where(torch.arange(n, device=z.device)[:, None] < crossover[:, None, None], first, second)
    return codes, {f"noises.{name}": dice.normal(*noise.shape[1:]) for name, noise in generator.noises.named_buffers()}


def r1(discriminator: Callable[[Tensor], Tensor], images: Tensor) -> Tensor:
    """Squared norm of the gradient of each picture's logit, (B, 3, S, S) -> (B,), itself differentiable."""
    images = images.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(discriminator(images).sum(), images, create_graph=True)
    return gradient.square().sum((1, 2, 3))


def path_lengths(images: Tensor, codes: Tensor, noise: Tensor) -> Tensor:
    """|J^T y| of each picture (section 3.2), (B,), itself differentiable; the root mean square over the styles.

    ``images`` (B, 3, S, S) were made from ``codes`` (B, N, T); ``noise`` has the shape of ``images`` and is standard normal.
    """
    projected = (images * noise).sum() / math.sqrt(images.shape[2] * images.shape[3])
    (gradient,) = torch.autograd.grad(projected, codes, create_graph=True)
    return gradient.square().sum(2).mean(1).sqrt()


class _PathLength(nn.Module):
    """Mean squared difference between path lengths and their moving average, ``mean``: (B,) -> ()."""

    mean: Tensor

    def __init__(self, world: Processes) -> None:
        super().__init__()
        self._world = world
        self.register_buffer("mean", torch.zeros(()))

    def forward(self, lengths: Tensor) -> Tensor:
        self.mean.lerp_(self._world.mean(lengths.mean()), _PATH_DECAY)
        return (lengths - self.mean).square().mean()


def _optimiser(network: nn.Module, rate: float, every: int) -> torch.optim.Adam:
    """Adam, adjusted for a lazy regulariser that takes its own step after every ``every`` steps (appendix B)."""
    share = every / (every + 1)
    return torch.optim.Adam(network.parameters(), rate * share, betas=(0.0, 0.99**share), eps=1e-8)

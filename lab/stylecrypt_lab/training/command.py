"""``train``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from stylecrypt_msg.cli import console
from stylecrypt_msg.errors import InputError
from stylecrypt_msg.models import load_torch_model
from stylecrypt_msg.models.mobile_encoder import MobileEncoder
from stylecrypt_msg.models.mobilestylegan import MobileStyleGAN
from stylecrypt_msg.models.store import save
from stylecrypt_msg.models.torch_model import TorchModel

from .encoder import Plan, train_encoder
from .generator import GeneratorPlan, train_generator
from .identity import DlibNetwork
from .prepare import prepare as prepare_shards
from .psp import PspPlan, train_psp
from .runs import Status, processes
from .shards import INDEX, Shards

__all__ = ["encoder", "generator", "prepare", "psp"]


def encoder(
    run: Path,
    faces: Path | None,
    pairs: int,
    face_steps: int,
    trunk: Path | None,
    recogniser: Path | None,
    output: Path | None,
) -> None:
    model = load_torch_model("default")
    generator = model.generator
    assert isinstance(generator, MobileStyleGAN)  # noqa: S101 - what "default" is
    start = model.encoder if trunk is None else _fresh(generator, trunk)
    assert isinstance(start, MobileEncoder)  # noqa: S101 - what "default" has
    plan = Plan(pairs=pairs, face_steps=face_steps if faces else 0, faces=faces)
    with _progress() as progress:
        trained = train_encoder(generator, start, plan, DlibNetwork(recogniser) if recogniser else None, run, progress)
    console.say(f"losses: {run / 'losses.csv'}")
    if output is not None:
        save(TorchModel(generator, trained, model.average, family=model.family, name=output.stem), output)
        console.say(f"model: {output}")


def prepare(photos: Path, output: Path, size: int, with_matte: bool, as_json: bool) -> None:
    with console.progress() as bar:
        index = prepare_shards(
            photos, output, size, with_matte=with_matte, progress=lambda done, total: bar("photos", done, total)
        )
    pictures = [picture for shard in index.shards for picture in shard.pictures]
    people = len({picture.person for picture in pictures})
    if as_json:
        console.print_json({"pictures": len(pictures), "people": people, "refused": index.refused})
        return
    for name, reason in index.refused.items():
        console.note(f"{name}: {reason}")
    console.say(f"{len(pictures)} pictures of {people} people; {len(index.refused)} photos refused")
    console.say(f"index: {output / INDEX}")


def generator(
    shards: Path, run: Path, steps: int, batch: int, channels: int, style_dim: int, rate: float, gamma: float | None
) -> None:
    plan = GeneratorPlan(steps=steps, batch=batch, channels=channels, style_dim=style_dim, rate=rate, gamma=gamma)
    with processes() as world, _progress() as progress:
        train_generator(Shards(shards), plan, run, world, progress)
    _say_model(run, world.rank)


def psp(
    shards: Path,
    model: str,
    run: Path,
    steps: int,
    batch: int,
    rate: float,
    recogniser: Path | None,
    backbone: Path | None,
) -> None:
    plan = PspPlan(steps=steps, batch=batch, rate=rate)
    with processes() as world, _progress() as progress:
        train_psp(
            Shards(shards),
            load_torch_model(model),
            plan,
            run,
            world,
            progress,
            judge=load_torch_model("default"),
            backbone=backbone,
            recogniser=DlibNetwork(recogniser).to(world.device) if recogniser else None,
        )
    _say_model(run, world.rank)


@contextmanager
def _progress() -> Iterator[Callable[[Status], None]]:
    with console.progress() as bar:

        def show(status: Status) -> None:
            losses = "  ".join(f"{name} {value:.3f}" for name, value in status.losses.items())
            bar("steps", status.done, status.total)
            console.note(f"steps {status.done}/{status.total}  {losses}")

        yield show


def _say_model(run: Path, rank: int) -> None:
    if rank == 0:
        console.say(f"losses: {run / 'losses.csv'}")
        console.say(f"model: {run / 'model.safetensors'}")


def _fresh(generator: MobileStyleGAN, trunk: Path) -> MobileEncoder:
    """An encoder that knows only ImageNet: MobileNetV2's weights as torchvision publishes them."""
    encoder = MobileEncoder(generator.n_styles, generator.style_dim)
    try:
        encoder.trunk.load_state_dict(torch.load(trunk, weights_only=True, map_location="cpu"), strict=False)
    except Exception as error:  # any of many types, if the file is something else
        raise InputError(
            f"{trunk} cannot be read as weights of MobileNetV2.",
            hint="Give the .pth file that torchvision publishes, or leave out --trunk.",
        ) from error
    encoder.w_mean.copy_(generator.w_mean)
    encoder.w_std.copy_(generator.w_std)
    return encoder

"""``train encoder``."""

from __future__ import annotations

from pathlib import Path

import torch

from ..errors import InputError
from ..models import FaceModel, load_model
from ..models.mobile_encoder import MobileEncoder
from ..models.mobilestylegan import MobileStyleGAN
from ..models.store import save
from ..training.encoder import Plan, Progress, train_encoder
from ..training.identity import Recogniser
from . import console

__all__ = ["encoder"]


def encoder(
    run: Path,
    faces: Path | None,
    pairs: int,
    face_steps: int,
    trunk: Path | None,
    recogniser: Path | None,
    output: Path | None,
) -> None:
    model = load_model("default")
    generator = model.generator
    assert isinstance(generator, MobileStyleGAN)  # noqa: S101 - what "default" is
    start = model.encoder if trunk is None else _fresh(generator, trunk)
    assert isinstance(start, MobileEncoder)  # noqa: S101 - what "default" has
    plan = Plan(pairs=pairs, face_steps=face_steps if faces else 0, faces=faces)
    with console.progress() as bar:

        def report(progress: Progress) -> None:
            losses = "  ".join(f"{name} {value:.3f}" for name, value in progress.losses.items())
            bar(f"{progress.stage} (steps)", progress.done, progress.total)
            console.note(f"{progress.stage} {progress.done}/{progress.total}  {losses}")

        trained = train_encoder(generator, start, plan, Recogniser(recogniser) if recogniser else None, run, report)
    console.say(f"losses: {run / 'losses.csv'}")
    if output is not None:
        save(FaceModel(generator, trained, model.latent_avg, family=model.family, name=output.stem), output)
        console.say(f"model: {output}")


def _fresh(generator: MobileStyleGAN, trunk: Path) -> MobileEncoder:
    """An encoder that knows nothing but ImageNet: MobileNetV2's weights as torchvision publishes them."""
    encoder = MobileEncoder(generator.n_styles, generator.style_dim)
    try:
        encoder.trunk.load_state_dict(torch.load(trunk, weights_only=True, map_location="cpu"), strict=False)
    except Exception as error:  # of many types, on files that are something else
        raise InputError(
            f"{trunk} cannot be read as weights of MobileNetV2.",
            hint="Give the .pth file that torchvision publishes, or leave --trunk away.",
        ) from error
    encoder.w_mean.copy_(generator.w_mean)
    encoder.w_std.copy_(generator.w_std)
    return encoder

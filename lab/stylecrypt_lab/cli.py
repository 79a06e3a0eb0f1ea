"""``train``, ``bench`` and ``evaluate``, which plug into the command line. What they do is imported when they run."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from stylecrypt_msg.cli.options import Json, Model
from stylecrypt_msg.errors import InputError

__all__ = ["app"]

ShardsFolder = Annotated[Path, typer.Argument(metavar="SHARDS", help="Folder that `train prepare` made.")]
RunFolder = Annotated[
    Path, typer.Option("--run", help="Folder for checkpoint, model, samples and losses; resumes if it exists.")
]

app = typer.Typer()
train_app = typer.Typer(help="Train models.", no_args_is_help=True)
app.add_typer(train_app, name="train")


class Bench(StrEnum):
    """What `bench` measures."""

    JOBS = "jobs"
    MODEL = "model"
    PROTOCOL = "protocol"


@train_app.command("prepare")
def train_prepare(
    photos: Annotated[Path, typer.Argument(help="Folder of photos; those of a person in a folder of their own.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the shards; resumes if it exists.")],
    size: Annotated[int, typer.Option(help="Pixels a side of the faces: 32, 64, 128, 256, 512 or 1024.")] = 256,
    matte: Annotated[bool, typer.Option("--matte", help="Lay the person over grey. Takes seconds per photo.")] = False,
    json: Json = False,
) -> None:
    """Cut the faces out of photos, aligned, for the training of `generator` and `psp`."""
    from .training import command

    command.prepare(photos, output, size, matte, json)


@train_app.command("generator")
def train_generator(
    shards: ShardsFolder,
    run: RunFolder,
    steps: Annotated[int, typer.Option(min=1, help="Total steps; a higher number continues a finished run.")] = 800_000,
    batch: Annotated[
        int, typer.Option(min=1, help="Pictures a step, over all processes; each has a multiple of 4.")
    ] = 32,
    channels: Annotated[int, typer.Option(min=4, max=1024, help="Width of the networks.")] = 512,
    style_dim: Annotated[
        int, typer.Option(min=8, max=512, help="Dimensions of a style; 128, 256 or 512 for pSp.")
    ] = 512,
    rate: Annotated[float, typer.Option(min=1e-7, max=0.1, help="Learning rate.")] = 0.002,
    gamma: Annotated[
        float | None, typer.Option(min=0, help="Weight of R1; default: 0.0002 times size squared by batch.")
    ] = None,
) -> None:
    """Train a StyleGAN2 generator on shards. Days on GPUs; start it by `torchrun` for several."""
    from .training import command

    command.generator(shards, run, steps, batch, channels, style_dim, rate, gamma)


@train_app.command("psp")
def train_psp(
    shards: ShardsFolder,
    generator: Annotated[str, typer.Option(help="The StyleGAN2 model, a name or a file, that the encoder is for.")],
    run: RunFolder,
    steps: Annotated[int, typer.Option(min=1, help="Total steps; a higher number continues a finished run.")] = 500_000,
    batch: Annotated[int, typer.Option(min=1, help="Pictures a step, over all processes.")] = 8,
    rate: Annotated[float, typer.Option(min=1e-7, max=0.1, help="Learning rate.")] = 1e-4,
    recogniser: Annotated[
        Path | None,
        typer.Option(help="Folder `model` of the npm package @vladmandic/face-api: identity loss."),
    ] = None,
    backbone: Annotated[
        Path | None, typer.Option(help="Start from ArcFace's IR-SE-50: the file model_ir_se50.pth.")
    ] = None,
) -> None:
    """Train a pSp encoder for a StyleGAN2 generator on shards. Days on GPUs; start it by `torchrun` for several."""
    from .training import command

    command.psp(shards, generator, run, steps, batch, rate, recogniser, backbone)


@train_app.command("encoder")
def train_encoder(
    run: Annotated[Path, typer.Option(help="Folder for checkpoint, losses and plot; resumes if it exists.")] = Path(
        "runs/encoder"
    ),
    faces: Annotated[Path | None, typer.Option(help="Folder of aligned square faces for the second stage.")] = None,
    pairs: Annotated[int, typer.Option(min=0, help="Synthetic pairs of the first stage.")] = 200_000,
    face_steps: Annotated[int, typer.Option(min=0, help="Steps of the second stage.")] = 4_000,
    trunk: Annotated[
        Path | None, typer.Option(help="Start from MobileNetV2's ImageNet weights, not from the embedded encoder.")
    ] = None,
    recogniser: Annotated[
        Path | None,
        typer.Option(help="Folder `model` of the npm package @vladmandic/face-api: identity loss."),
    ] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write the model here when done.")] = None,
) -> None:
    """Train the embedded model's encoder. Days on a CPU; stop it at any time, and it resumes."""
    from .training import command

    command.encoder(run, faces, pairs, face_steps, trunk, recogniser, output)


@app.command()
def bench(
    part: Annotated[Bench, typer.Argument(help="Whole jobs, a model, or the protocol's messages.")] = Bench.JOBS,
    model: Model = "default",
    json: Json = False,
) -> None:
    """Speed and memory on this machine: of photos sent and opened, of a model, or of the protocol."""
    from .benchmarks import command

    if part is Bench.JOBS:
        command.jobs(json)
    elif part is Bench.PROTOCOL:
        command.protocol(json)
    else:
        command.model(model, json)


@app.command()
def evaluate(
    faces: Annotated[Path, typer.Argument(help="Folder of photos, a person each.")],
    pairs: Annotated[
        bool, typer.Option("--pairs", help="Two photos a person, 007-a.jpg and 007-b.jpg: the second is a key too.")
    ] = False,
    report: Annotated[Path, typer.Option(help="Folder for the report; resumed if already begun.")] = Path("evaluation"),
    limit: Annotated[int | None, typer.Option(min=2, help="Only the first N people; --attacks: by default 60.")] = None,
    recogniser: Annotated[
        str, typer.Option(help="sface, dlib, arcface:FILE (ONNX) or blendface:FILE; --attacks: all installed.")
    ] = "dlib",
    attacks: Annotated[
        bool, typer.Option("--attacks", help="Attack the fakes instead: what they reveal, for each layer mask.")
    ] = False,
    channels: Annotated[
        bool,
        typer.Option("--channels", help="Measure instead which messages survive the apps that re-encode pictures."),
    ] = False,
    side: Annotated[
        int | None, typer.Option(min=64, max=8192, help="With --channels: scale the photos to this many pixels first.")
    ] = None,
    ray: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="Measure people on a Ray cluster; not --attacks, --channels.")
    ] = None,
    model: Model = "default",
    json: Json = False,
) -> None:
    """Measure a model as the paper does: how a fake hides its sender, and what comes back. An hour and more for 50 people."""
    from stylecrypt_msg.files import same_file

    if same_file(faces, report):
        raise InputError(f"The report cannot be kept among the photos in {faces}.", hint="Use --report FOLDER.")
    if ray is not None and (channels or attacks):
        raise InputError("A cluster measures people only.", hint="Leave --ray out.")
    if channels:
        from .evaluation import channels as ways

        ways.run(faces, limit=limit, side=side, model_name=model, recogniser_name=recogniser, as_json=json)
        return
    if attacks:
        from .evaluation.attacks import command as bench

        bench.run(faces, report, pairs=pairs, limit=limit, model_name=model, as_json=json)
        return
    from .evaluation import command

    command.run(
        faces,
        report,
        pairs=pairs,
        limit=limit,
        ray=ray,
        model_name=model,
        recogniser_name=recogniser,
        as_json=json,
    )

"""`train generator` and `train psp`, small: they learn, resume where they were, and several processes do what one does."""

from __future__ import annotations

import csv
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from stylecrypt_lab.training.generator import train_generator
from stylecrypt_lab.training.psp import PspPlan, train_psp
from stylecrypt_lab.training.runs import Dice, Processes, Status
from stylecrypt_lab.training.shards import Shards
from torch import nn

from stylecrypt_msg.cli import main
from stylecrypt_msg.errors import InputError, ModelError
from stylecrypt_msg.models import load_torch_model, store
from stylecrypt_msg.models.psp import GradualStyleEncoder
from stylecrypt_msg.models.torch_model import TorchModel

from ...test_docs import check
from .runs_helpers import ALONE, SMALL, distance, environment, small_model, some_faces, torchrun, write_shards

DOCUMENT = Path(__file__).parents[3] / "docs" / "training.md"


@pytest.fixture(scope="module")
def folder(torch_model: TorchModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Shards of twelve faces, in pairs that count as a person."""
    folder = tmp_path_factory.mktemp("data") / "shards"
    write_shards(some_faces(torch_model, 12), folder, person=lambda number: f"person {number // 2}")
    return folder


@pytest.fixture(scope="module")
def generator_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "generator.safetensors"
    store.save(small_model(), path)
    return path


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Networks this small gain nothing from more threads, and lose where other work is running."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def silent(_: Status) -> None:
    pass


def losses(run: Path, name: str) -> list[float]:
    with (run / "losses.csv").open() as file:
        return [float(row["value"]) for row in csv.DictReader(file) if row["loss"] == name]


# ---- learning


def test_a_generator_learns(folder: Path, tmp_path: Path) -> None:
    """The mean and spread of its faces approach those of the pictures."""
    shards = Shards(folder)
    plan = replace(SMALL, steps=50, channels=16, rate=0.005)
    heard: list[Status] = []
    model = train_generator(shards, plan, tmp_path / "run", ALONE, heard.append)
    images, _ = shards.batch(0, 0, 12, range(12), ALONE.device)

    def away(model: TorchModel) -> float:
        z = torch.randn(64, 128, generator=torch.Generator().manual_seed(0))
        made = model.synthesize(model.map(z)).clamp(-1, 1)
        return float((made.mean(0) - images.mean(0)).square().mean().sqrt())

    start = train_generator(shards, replace(plan, steps=0), tmp_path / "nothing", ALONE, silent)
    assert away(model) < 0.7 * away(start)
    assert [progress.done for progress in heard] == [25, 50]
    assert {"discriminator", "generator", "r1", "path", "p", "r_t"} == set(heard[0].losses)
    assert len(losses(tmp_path / "run", "generator")) == 2
    # What is written is the model; the picture shows it.
    assert load_torch_model(tmp_path / "run" / "model.safetensors").digest == model.digest
    assert (tmp_path / "run" / "samples" / "0000050.png").stat().st_size > 1000


def test_an_encoder_learns(folder: Path, torch_model: TorchModel, tmp_path: Path) -> None:
    plan = PspPlan(steps=50, batch=4, rate=1e-3, save_seconds=0)
    model = small_model()
    trained = train_psp(Shards(folder), model, plan, tmp_path / "run", ALONE, silent, judge=torch_model)
    for name in ("pixels", "features", "margin"):  # the norm only holds them back
        first, last = losses(tmp_path / "run", name)
        assert last < first
    # The file is a model of ours: it reads and makes faces.
    loaded = load_torch_model(tmp_path / "run" / "model.safetensors")
    assert loaded.digest == trained.digest
    assert (loaded.family, loaded.image_size, loaded.has_encoder) == ("stylegan2", 32, True)
    faces, _ = Shards(folder).batch(0, 0, 4, range(4), ALONE.device)
    codes = loaded.encode(faces)
    assert codes.shape == (4, 8, 128)
    assert loaded.synthesize(codes).shape == (4, 3, 32, 32)
    assert torch.equal(codes, loaded.encode(nn.functional.interpolate(faces, (64, 64))))
    assert isinstance(loaded.encoder, GradualStyleEncoder)
    assert torch.equal(loaded.encoder.latent_avg, model.average)
    assert (tmp_path / "run" / "samples" / "0000050.png").exists()


def test_an_encoder_for_a_large_generator_reads_256_px() -> None:
    encoder = GradualStyleEncoder(18, 128, 256)
    assert [len(head.convs) // 2 for head in encoder.styles] == [4] * 3 + [5] * 4 + [6] * 11  # type: ignore[arg-type]


# ---- several processes


def test_two_processes_train_the_generator_that_one_trains(folder: Path, tmp_path: Path) -> None:
    plan = replace(SMALL, steps=6)
    start = train_generator(Shards(folder), replace(plan, steps=0), tmp_path / "start", ALONE, silent)
    one = train_generator(Shards(folder), plan, tmp_path / "one", ALONE, silent)
    done = torchrun(
        2,
        "train",
        "generator",
        str(folder),
        "--run",
        str(tmp_path / "two"),
        "--steps",
        "6",
        "--batch",
        "8",
        "--channels",
        "8",
        "--style-dim",
        "128",
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("model: ") == 1
    two = load_torch_model(tmp_path / "two" / "model.safetensors")
    states = [dict(model.generator.state_dict()) for model in (two, one, start)]
    assert distance(*states) < 0.01
    for name in ("discriminator", "generator", "r1", "path", "r_t", "p"):
        assert losses(tmp_path / "two", name) == pytest.approx(losses(tmp_path / "one", name), rel=1e-3)
    # One process can resume what two began.
    later = [
        train_generator(Shards(folder), replace(plan, steps=9), tmp_path / name, ALONE, silent)
        for name in ("two", "one")
    ]
    states = [dict(model.generator.state_dict()) for model in (*later, start)]
    assert distance(*states) < 0.01


def test_two_processes_train_the_encoder_that_one_trains(
    folder: Path, generator_file: Path, torch_model: TorchModel, tmp_path: Path
) -> None:
    """Batch norm looks at the whole batch, and people at all classes."""
    plan = PspPlan(steps=3, batch=4)
    model = load_torch_model(generator_file)
    start = train_psp(
        Shards(folder), model, replace(plan, steps=0), tmp_path / "start", ALONE, silent, judge=torch_model
    )
    one = train_psp(Shards(folder), model, plan, tmp_path / "one", ALONE, silent, judge=torch_model)
    done = torchrun(
        2,
        "train",
        "psp",
        str(folder),
        "--generator",
        str(generator_file),
        "--run",
        str(tmp_path / "two"),
        "--steps",
        "3",
        "--batch",
        "4",
    )
    assert done.returncode == 0, done.stderr
    two = load_torch_model(tmp_path / "two" / "model.safetensors")
    states = [dict(model.encoder.state_dict()) for model in (two, one, start) if model.encoder is not None]
    assert distance(*states) < 0.01
    for name in ("pixels", "features", "norm", "margin"):
        assert losses(tmp_path / "two", name) == pytest.approx(losses(tmp_path / "one", name), rel=1e-3)


def test_the_documents_start_them_so() -> None:
    lines = [line for line in DOCUMENT.read_text(encoding="utf-8").splitlines() if line.startswith("torchrun ")]
    assert len(lines) == 2
    for line in lines:
        start, command = line.split(" -- ")
        assert start == "torchrun --standalone --nproc-per-node 4 --no-python"
        check(command)


def test_dice_fall_by_place_in_the_batch() -> None:
    whole = Dice(0, 7, 1, range(4), ALONE.device).normal(5)
    assert torch.equal(Dice(0, 7, 1, range(2, 4), ALONE.device).normal(5), whole[2:])
    for other in (Dice(1, 7, 1, range(4), ALONE.device), Dice(0, 8, 1, range(4), ALONE.device)):
        assert not torch.isclose(other.normal(5), whole).any()
    assert not torch.isclose(whole[0], whole[1]).any()


# ---- stopping and going on


def same(a: Path, b: Path) -> bool:
    """Whether two runs reached the same checkpoint, apart from the time they took."""
    first, second = (torch.load(run / "checkpoint.pt", weights_only=True) for run in (a, b))
    first.pop("seconds"), second.pop("seconds")

    def equal(x: object, y: object) -> bool:
        if isinstance(x, dict) and isinstance(y, dict):
            return x.keys() == y.keys() and all(equal(x[key], y[key]) for key in x)
        if isinstance(x, torch.Tensor) and isinstance(y, torch.Tensor):
            return torch.allclose(x, y, rtol=1e-4, atol=1e-6)
        return x == y

    return equal(first, second)


def test_a_generator_goes_on_where_it_was(folder: Path, tmp_path: Path) -> None:
    train_generator(Shards(folder), replace(SMALL, steps=3), tmp_path / "halves", ALONE, silent)
    with (tmp_path / "halves" / "losses.csv").open("a") as file:
        file.write("5,generator,1.0\n")  # it came further, but was killed before the next checkpoint
    train_generator(Shards(folder), replace(SMALL, steps=6), tmp_path / "halves", ALONE, silent)
    assert len(losses(tmp_path / "halves", "generator")) == 2
    whole = train_generator(Shards(folder), replace(SMALL, steps=6), tmp_path / "whole", ALONE, silent)
    assert same(tmp_path / "halves", tmp_path / "whole")
    # Done already: the model comes back, and is written again.
    (tmp_path / "whole" / "model.safetensors").unlink()
    again = train_generator(Shards(folder), replace(SMALL, steps=6), tmp_path / "whole", ALONE, silent)
    assert again.digest == whole.digest == load_torch_model(tmp_path / "whole" / "model.safetensors").digest


def test_an_encoder_goes_on_where_it_was(folder: Path, torch_model: TorchModel, tmp_path: Path) -> None:
    def train(steps: int, name: str) -> None:
        plan = PspPlan(steps=steps, batch=2)
        train_psp(Shards(folder), small_model(), plan, tmp_path / name, ALONE, silent, judge=torch_model)

    train(1, "halves")
    train(3, "halves")
    train(3, "whole")
    assert same(tmp_path / "halves", tmp_path / "whole")


KILLED = """
import sys
from dataclasses import replace
from pathlib import Path
from stylecrypt_lab.training.generator import train_generator
from stylecrypt_lab.training.shards import Shards
from tests.lab.training.runs_helpers import ALONE, SMALL
train_generator(Shards(Path(sys.argv[1])), replace(SMALL, steps=100_000), Path(sys.argv[2]), ALONE, lambda _: None)
"""


def test_a_killed_run_goes_on(folder: Path, tmp_path: Path) -> None:
    """Killed somewhere after its first checkpoint, it resumes from the last one as if nothing had happened."""
    run = tmp_path / "killed"
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(folder), str(run)],
        cwd=Path(__file__).parents[3],
        env=environment(),
        stderr=subprocess.PIPE,
        text=True,
    )
    while process.poll() is None and not (run / "checkpoint.pt").exists():
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    _, complaints = process.communicate()
    assert process.returncode == -signal.SIGKILL, complaints
    done = torch.load(run / "checkpoint.pt", weights_only=True)["step"]
    for name in ("killed", "whole"):
        train_generator(Shards(folder), replace(SMALL, steps=done + 2), tmp_path / name, ALONE, silent)
    with (run / "losses.csv").open() as file:
        steps = [int(row["step"]) for row in csv.DictReader(file) if row["loss"] == "generator"]
    assert steps == [*range(25, done + 1, 25), done + 2]  # nothing is there twice
    assert losses(run, "generator") == pytest.approx(losses(tmp_path / "whole", "generator"), rel=1e-2)
    assert not list(run.glob("*.tmp"))


# ---- what cannot be


def test_runs_that_cannot_be_are_refused(
    folder: Path, torch_model: TorchModel, tmp_path: Path, generator_file: Path
) -> None:
    shards = Shards(folder)
    two = Processes(0, 2, torch.device("cpu"))

    def refused(message: str, train: Callable[[], object], kind: type[InputError] = InputError) -> None:
        with pytest.raises(kind, match=message):
            train()

    def generator(shards: Shards = shards, run: str = "run", world: Processes = ALONE, **changes: int) -> None:
        train_generator(shards, replace(SMALL, steps=1, **changes), tmp_path / run, world, silent)

    def encoder(shards: Shards = shards, model: TorchModel | None = None, run: str = "psp", batch: int = 2) -> None:
        model = model or load_torch_model(generator_file)
        train_psp(shards, model, PspPlan(steps=1, batch=batch), tmp_path / run, ALONE, silent, judge=torch_model)

    refused("A batch of 6 pictures cannot be shared out", lambda: generator(batch=6))
    refused("A batch of 12 pictures cannot be shared out", lambda: generator(batch=12, world=two))
    refused("only 12 pictures in the shards, but 16 in a batch", lambda: generator(batch=16))
    one = write_shards(np.zeros((2, 32, 32, 3), np.uint8), tmp_path / "one")
    refused("only 2 pictures in the shards, but 8 in a batch", lambda: generator(one))
    generator()
    refused("holds another run: its seed is 0, not 1", lambda: generator(seed=1))
    large = write_shards(np.zeros((8, 64, 64, 3), np.uint8), tmp_path / "large")
    refused("holds another run: its size is 32, not 64", lambda: generator(large))
    refused("holds another run: its kind is generator, not psp", lambda: encoder(run="run"))
    refused("have pictures of 64 px, but pSp reads 32 px", lambda: encoder(large))
    refused("needs a StyleGAN2 generator, but 'default' is", lambda: encoder(model=torch_model), ModelError)
    encoder()
    refused(
        "its number of people is 6, not 12",
        lambda: encoder(write_shards(some_faces(torch_model, 12), tmp_path / "p")),
    )
    (tmp_path / "run" / "checkpoint.pt").write_bytes(b"PK\x03\x04 no checkpoint")
    refused("is not a checkpoint of a run", generator)
    torch.save({"settings": print}, tmp_path / "run" / "checkpoint.pt")  # would be code
    refused("is not a checkpoint of a run", generator)
    encoder(run="parts")
    state = torch.load(tmp_path / "parts" / "checkpoint.pt", weights_only=True)
    state["encoder"].popitem()
    torch.save(state, tmp_path / "parts" / "checkpoint.pt")
    refused("is not a checkpoint of a run", lambda: encoder(run="parts"))
    refused(
        "does not hold an IR-SE-50 that fits",
        lambda: train_psp(
            shards,
            load_torch_model(generator_file),
            PspPlan(steps=1, batch=2),
            tmp_path / "b",
            ALONE,
            silent,
            judge=torch_model,
            backbone=generator_file,
        ),
    )


def test_numbers_that_are_not_finite_stop_a_run(folder: Path, tmp_path: Path) -> None:
    train_generator(Shards(folder), replace(SMALL, steps=1), tmp_path / "run", ALONE, silent)
    state = torch.load(tmp_path / "run" / "checkpoint.pt", weights_only=True)
    state["generator"]["to_rgb1.bias"].fill_(float("nan"))
    torch.save(state, tmp_path / "run" / "checkpoint.pt")
    before = (tmp_path / "run" / "checkpoint.pt").read_bytes()
    with pytest.raises(InputError, match="no longer finite at step 2"):
        train_generator(Shards(folder), replace(SMALL, steps=2), tmp_path / "run", ALONE, silent)
    assert (tmp_path / "run" / "checkpoint.pt").read_bytes() == before


def test_a_backbone_is_taken_over(folder: Path, torch_model: TorchModel, tmp_path: Path, generator_file: Path) -> None:
    """With the names that pSp's authors publish, and a head that is not needed."""
    torch.manual_seed(3)
    other = GradualStyleEncoder(8, 128, 32)
    parts = {name: value for name, value in other.state_dict().items() if name.startswith(("input_layer.", "body."))}
    torch.save(parts | {"output_layer.3.weight": torch.zeros(3)}, tmp_path / "backbone.pth")
    trained = train_psp(
        Shards(folder),
        load_torch_model(generator_file),
        PspPlan(steps=0, batch=2),
        tmp_path / "run",
        ALONE,
        silent,
        judge=torch_model,
        backbone=tmp_path / "backbone.pth",
    )
    assert trained.encoder is not None
    state = trained.encoder.state_dict()
    assert all(torch.equal(state[name], value) for name, value in parts.items())


def test_the_commands(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stylecrypt(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["stylecrypt", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            main()
        return int(end.value.code or 0), *capsys.readouterr()

    empty = tmp_path / "empty"
    empty.mkdir()
    code, _, err = stylecrypt("train", "prepare", empty, "-o", tmp_path / "shards")
    assert (code, err.splitlines()) == (
        1,
        [f"stylecrypt: There are no photos in {empty}.", "hint: Give a folder of JPEG, PNG or WebP files."],
    )
    code, _, err = stylecrypt("train", "generator", empty, "--run", tmp_path / "run")
    assert (code, err.splitlines()[0]) == (1, f"stylecrypt: There are no shards in {empty}.")
    small = ("--steps", 1, "--batch", 8, "--channels", 8, "--style-dim", 128)
    code, out, err = stylecrypt("train", "generator", folder, "--run", tmp_path / "run", *small)
    assert code == 0, err
    model = tmp_path / "run" / "model.safetensors"
    assert out.splitlines() == [f"losses: {tmp_path / 'run' / 'losses.csv'}", f"model: {model}"]
    assert "1/1  discriminator" in err
    code, out, err = stylecrypt(
        "train", "psp", folder, "--generator", model, "--run", tmp_path / "psp", "--steps", 1, "--batch", 2
    )
    assert code == 0, err
    assert load_torch_model(tmp_path / "psp" / "model.safetensors").has_encoder

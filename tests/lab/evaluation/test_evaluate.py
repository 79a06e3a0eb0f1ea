"""``stylecrypt evaluate`` on a few people who do not exist: the figures, the report, and resumed runs."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from stylecrypt_lab.evaluation import command, levels, run
from stylecrypt_lab.evaluation.journal import Header, Journal
from stylecrypt_lab.evaluation.summary import Summary
from stylecrypt_lab.evaluation.tables import summary_tables
from stylecrypt_lab.evaluation.travel import AS_SENT, WAYS, travelled
from stylecrypt_lab.evaluation.trial import NOT_SENT, Column, Moments, first_that_hides

from stylecrypt_msg.cipher import to_pixels
from stylecrypt_msg.cli import main
from stylecrypt_msg.errors import InputError
from stylecrypt_msg.models import FaceModel, load_model, model_cache
from stylecrypt_msg.pictures import Pixels
from stylecrypt_msg.recognisers import installed_recognisers
from stylecrypt_msg.standins import stand_in

from ...support import measured_before
from ...support.command_line import TINY, Ended

pytestmark = pytest.mark.usefixtures("short_descents")

HOSTILE = "<b\tonclick=x>&amp"  # a file's name, which the page must not take for markup
FEW_WAYS = (AS_SENT, "Matrix thumbnail")

Command = Callable[..., Ended]


def made(model: FaceModel, name: str) -> tuple[Pixels, Pixels]:
    """Two photos of somebody who does not exist: another pose, another light."""
    person, other = (stand_in(model, one, model.latent_avg[None]) for one in (name, f"{name}, another day"))
    drift = np.zeros((model.n_styles, 1), np.float32)
    drift[0:3], drift[8:] = 0.3, 0.2
    first, second = to_pixels(model.synthesize(np.concatenate([person, person + drift * (other - person)])))
    return first, second


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory, default_model: FaceModel) -> Path:
    """Two people with two photos each, one with a single photo, and a file that is no picture."""
    folder = tmp_path_factory.mktemp("faces")
    for name, seed in ((HOSTILE, "ann"), ("bea", "bea")):
        for look, pixels in zip("ab", made(default_model, seed), strict=True):
            photo = Image.new("RGB", (340, 280), (90, 110, 130))  # before a wall
            photo.paste(Image.fromarray(pixels).resize((256, 256), Image.Resampling.LANCZOS), (30, 12))
            photo.save(folder / f"{name}-{look}.png")
    Image.fromarray(np.full((64, 64, 3), 128, np.uint8)).save(folder / "wall-a.png")
    (folder / "broken-a.jpg").write_bytes(b"no picture")
    with suppress(OSError):  # systems whose names are Unicode
        (folder / os.fsdecode(b"not utf-8 \xff-a.jpg")).write_bytes(b"no picture")
    return folder


@pytest.fixture(scope="module")
def evaluated(faces: Path, default_model: FaceModel, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Ended]:
    """A report of both people, with fewer ways; ways, layers and levels only for the first person."""
    pytest.importorskip("dlib")
    folder = tmp_path_factory.mktemp("report")
    with pytest.MonkeyPatch.context() as patch:
        few(patch)
        ended = _run(patch, default_model, faces, "--pairs", "--report", folder)
    return folder, ended


def few(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(run, "WAYS", {way: WAYS[way] for way in FEW_WAYS})
    patch.setattr(run, "TRAVEL_OF", 1)
    patch.setattr(run, "LAYERS_OF", 1)
    patch.setattr(run, "LEVELS_OF", 1)


def _run(patch: pytest.MonkeyPatch, model: FaceModel, *arguments: object) -> Ended:
    """Runs the command in this process, with the other tests' model."""

    def load(name: str) -> FaceModel:
        return model if name == "default" else load_model(name)

    out, err = io.TextIOWrapper(io.BytesIO()), io.StringIO()
    patch.setattr(command, "load_model", load)
    patch.setattr(model_cache, "load_model", load)
    patch.setattr(sys, "argv", ["stylecrypt", "evaluate", *map(str, arguments)])
    patch.setattr(sys, "stdout", out)
    patch.setattr(sys, "stderr", err)
    with pytest.raises(SystemExit) as end:
        main()
    out.flush()
    code = end.value.code or 0
    assert isinstance(code, int)
    return Ended(code, out.buffer.getvalue(), err.getvalue())


@pytest.fixture
def evaluate(monkeypatch: pytest.MonkeyPatch, default_model: FaceModel, tmp_path: Path) -> Command:
    """Runs ``stylecrypt evaluate`` in an empty folder."""
    few(monkeypatch)
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: _run(monkeypatch, default_model, *arguments)


@pytest.fixture
def report(evaluated: tuple[Path, Ended], tmp_path: Path) -> Path:
    """A copy of the report that a test may resume."""
    return shutil.copytree(evaluated[0], tmp_path / "report")


def read(folder: Path) -> Summary:
    return Summary.model_validate_json((folder / "report.json").read_bytes())


# ---- what is measured


def test_the_figures_say_what_the_paper_says(evaluated: tuple[Path, Ended]) -> None:
    folder, ended = evaluated
    assert ended.code == 0, ended.err
    summary = read(folder)
    assert summary.people == [HOSTILE, "bea"]
    table = summary.table2
    assert set(table) == set(Column)
    assert set(table[Column.KEY_OTHER]) == set(table[Column.ENCRYPTED]) == set(FEW_WAYS)
    for ways in table.values():
        for way, cell in ways.items():
            assert cell.people == (2 if way in (AS_SENT, NOT_SENT) else 1)
            assert 0 < cell.ssim <= 1
            assert cell.lpips is None

    def distance(column: Column, way: str = AS_SENT) -> float:
        return table[column][way].distance

    approximated = table[Column.APPROXIMATED][NOT_SENT]
    assert approximated.psnr > table[Column.ENCRYPTED][AS_SENT].psnr
    assert approximated.distance < distance(Column.ENCRYPTED)
    # Only the sender's own key brings them back.
    for way in FEW_WAYS:
        assert distance(Column.KEY_ORIGINAL, way) < distance(Column.KEY_WRONG, way)
        assert distance(Column.KEY_ORIGINAL, way) < distance(Column.ENCRYPTED, way)
        assert distance(Column.KEY_OTHER, way) < distance(Column.KEY_WRONG, way)
    assert set(summary.cycle) == {Column.ENCRYPTED, Column.KEY_ORIGINAL, Column.KEY_OTHER, Column.KEY_WRONG}
    for ways in summary.cycle.values():  # type: ignore[assignment]
        assert set(ways) == set(FEW_WAYS)
        for values in ways.values():
            assert set(values) == {3, 6, 7}  # type: ignore[comparison-overlap]
            assert max(values.values()) < 1  # type: ignore[attr-defined]

    def travelled(reader: Column) -> float:
        return float(np.mean([value for values in summary.cycle[reader].values() for value in values.values()]))

    assert travelled(Column.ENCRYPTED) > 0.1  # what is read correlates with what was put in
    assert travelled(Column.KEY_ORIGINAL) > travelled(Column.KEY_OTHER) > travelled(Column.KEY_WRONG)


def test_fakes_are_those_that_would_be_sent(evaluated: tuple[Path, Ended]) -> None:
    summary = read(evaluated[0])
    assert summary.guards == "SFace or dlib"
    assert summary.unsent == {Column.ENCRYPTED: 0, Column.IN_PHOTO: 0}
    for column in (Column.ENCRYPTED, Column.IN_PHOTO):
        assert summary.table2[column][AS_SENT].verified == 0
    another = summary.another[Column.ENCRYPTED], summary.another[Column.IN_PHOTO]
    assert f"{another[0]} and {another[1]} people" in summary_tables(summary)[0].note


class Tones:
    """A recogniser for which the difference in brightness is the distance."""

    name, threshold, strict = "tones", 100.0, 50.0

    def describe(self, squares: Sequence[np.ndarray]) -> np.ndarray:
        return np.array([[square.mean()] for square in squares], np.float32)


def test_stand_ins_are_passed_over_until_one_hides_the_sender() -> None:
    def fake(somebody: np.ndarray) -> np.ndarray:
        return np.full((8, 8, 3), int(somebody), np.uint8)

    original, people = fake(np.array(20)), [np.array(tone) for tone in (30, 60, 130, 200)]
    somebody, square, passed_over = first_that_hides(original, people, fake, [Tones()])
    assert (int(somebody), int(square.max()), passed_over) == (130, 130, 2)
    somebody, _, passed_over = first_that_hides(original, people[:2], fake, [Tones()])
    assert (int(somebody), passed_over) == (60, 2)  # all of them


def test_too_few_people_have_no_rate_at_far(evaluated: tuple[Path, Ended]) -> None:
    identity = read(evaluated[0]).identity
    assert identity.impostors == 4  # two photos of one, times two of the other
    assert identity.threshold_at_far is None
    assert read(evaluated[0]).table2[Column.ENCRYPTED][AS_SENT].tar is None
    assert "too few" in summary_tables(read(evaluated[0]))[0].note


def test_levels_come_back_as_they_were_sent(evaluated: tuple[Path, Ended]) -> None:
    summary = read(evaluated[0])
    assert summary.levels_people == 1
    assert set(summary.levels) == {"keyface", "latent", "original"}
    for ways in summary.levels.values():
        assert set(ways) == set(levels.LEVEL_WAYS)
        for cell in ways.values():
            assert (cell.sent, cell.reached) == (1, 1)
    faces = {
        level: [cell.means for cell in ways.values() if cell.means is not None]
        for level, ways in summary.levels.items()
    }
    assert min(cell.psnr for cell in faces["original"]) > 33  # around the face it is what arrived
    assert max(cell.distance for cell in faces["original"]) < 0.15
    for worse, better in (("keyface", "latent"), ("latent", "original")):
        assert np.mean([cell.psnr for cell in faces[worse]]) < np.mean([cell.psnr for cell in faces[better]])


def test_the_measured_table_1(evaluated: tuple[Path, Ended], default_model: FaceModel) -> None:
    summary = read(evaluated[0])
    assert (summary.layers_people, len(summary.table1)) == (1, default_model.n_styles)
    coarse, fine, finest = summary.table1[1:7], summary.table1[9:], summary.table1[13:]
    # As the paper has it: from layer 9 on it is colours that move. With them landmarks jitter, one person's most of all; but
    # the last layers mostly leave them.
    nose = [np.median([layer.moves["nose"] for layer in layers]) for layers in (coarse, finest)]
    assert nose[0] > 1.5 * nose[1]
    mouth = [np.mean([layer.drawing["mouth"] for layer in layers]) for layers in (coarse, fine)]
    assert mouth[0] > 2 * mouth[1]
    assert max(layer.tone["skin"] for layer in fine) > 0.5


# ---- the report


class Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.sources: set[str] = set()
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        assert not [name for name, _ in attrs if name.startswith("on")]
        self.sources |= {value or "" for name, value in attrs if name in ("src", "href")}

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page_takes_no_name_for_markup_and_loads_nothing_from_elsewhere(evaluated: tuple[Path, Ended]) -> None:
    folder, _ = evaluated
    page = Page()
    page.feed((folder / "index.html").read_text(encoding="utf-8"))
    assert "b" not in page.tags
    assert page.tags.isdisjoint({"script", "link", "iframe", "object"})
    assert HOSTILE in page.text
    assert page.sources == {"sheet-01.jpg", "layers.jpg"}
    for table in summary_tables(read(folder)):
        assert table.title in page.text
        assert all(len(row) == len(table.head) for row in table.rows)
    assert "wall-a.png" in page.text  # passed over, and why


def test_sheets_hold_everybody(evaluated: tuple[Path, Ended], default_model: FaceModel) -> None:
    folder, _ = evaluated
    with Image.open(folder / "sheet-01.jpg") as sheet, Image.open(folder / "layers.jpg") as layers:
        assert sheet.size == (10 * run.TILE, 2 * run.TILE + 26)
        assert layers.size == ((1 + default_model.n_styles) * run.TILE, run.TILE + 26)


def test_the_terminal_shows_table_2_and_what_was_passed_over(evaluated: tuple[Path, Ended]) -> None:
    folder, ended = evaluated
    out = ended.out.decode()
    for column in Column:
        assert column.value in out
    assert str(folder / "index.html") in out
    assert "broken-a.jpg is passed over" in ended.err
    assert "wall-a.png is passed over" in ended.err
    assert "LPIPS was not measured" in ended.err


# ---- going on


@pytest.fixture
def nothing_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fails the test if anything is measured again."""

    def again(*_: Any) -> None:
        raise AssertionError("measured again")

    for name in ("try_person", "try_layers", "try_levels"):
        monkeypatch.setattr(run, name, again)


def test_what_is_there_is_not_measured_again(evaluate: Command, faces: Path, report: Path, nothing_again: None) -> None:
    before = read(report)
    (report / "report.json").unlink()
    (report / "sheet-01.jpg").unlink()
    ended = evaluate(faces, "--pairs", "--report", report, "--json")
    assert ended.code == 0, ended.err
    assert Summary.model_validate_json(ended.out) == read(report) == before
    assert (report / "sheet-01.jpg").exists()


def test_a_cluster_measures_the_same_although_a_worker_is_killed(faces: Path, report: Path, tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="the extra ray is not installed")
    again = tmp_path / "again"
    environment = {
        **os.environ,
        "MEASURED": str(report),
        "PYTHONPATH": str(Path(__file__).parents[3]),
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": "0" * 64,
    }
    arguments: list[str | Path] = [faces, "--pairs", "--report", again, "--ray", "local"]
    program = [sys.executable, "-c", measured_before.PROGRAM]
    done = subprocess.run([*program, *arguments], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (report / "killed").exists()
    assert read(again) == read(report)
    lines = [(folder / "results.jsonl").read_bytes().splitlines() for folder in (again, report)]
    assert sorted(lines[0]) == sorted(lines[1])  # each once


def test_workers_measure_with_the_same_recognisers(monkeypatch: pytest.MonkeyPatch, default_model: FaceModel) -> None:
    monkeypatch.setattr(run, "load_model", lambda _: default_model)
    guards = [one.name for one in installed_recognisers()]
    run.begin("default", "dlib", False, guards)
    with pytest.raises(InputError, match="other recognisers"):
        run.begin("default", "dlib", False, guards[:-1])


def test_a_stopped_run_goes_on(evaluate: Command, faces: Path, report: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last line was cut off while it was written: only that one is measured again."""
    journal = report / "results.jsonl"
    lines = journal.read_bytes().splitlines(keepends=True)
    parts = [json.loads(line).get("part") for line in lines]
    assert parts == [None, "trial", "trial", "layers", "levels"]
    journal.write_bytes(b"".join(lines)[:-20])
    measured: list[str] = []
    for name in ("try_person", "try_layers", "try_levels"):

        def instead(subject: Any, *_: Any, name: str = name) -> Any:
            measured.append(f"{name} {subject.name}")
            return levels.LevelTrial.model_validate(json.loads(lines[-1])["result"])

        monkeypatch.setattr(run, name, instead)
    before = read(report)
    assert evaluate(faces, "--pairs", "--report", report).code == 0
    assert measured == [f"try_levels {HOSTILE}"]
    assert read(report) == before
    assert journal.read_bytes() == b"".join(lines)


def test_another_photo_of_a_name_is_measured_anew(
    evaluate: Command, faces: Path, report: Path, nothing_again: None, tmp_path: Path
) -> None:
    changed = shutil.copytree(faces, tmp_path / "changed")
    with Image.open(changed / "bea-b.png") as image:
        image.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(changed / "bea-b.png")
    ended = evaluate(changed, "--pairs", "--report", report)
    assert ended.code == 2  # `nothing_again` is what was called
    assert "AssertionError" in ended.err


def test_models_are_not_mixed(evaluate: Command, faces: Path, report: Path, nothing_again: None) -> None:
    before = (report / "results.jsonl").read_bytes()
    for arguments, says in ((["--pairs", "--model", TINY], "another model"), ([], "two photos of each person")):
        ended = evaluate(faces, *arguments, "--report", report, "--json")
        assert (ended.code, ended.out) == (1, b"")
        assert says in ended.err
        assert "another folder" in ended.err.splitlines()[-1]
    assert (report / "results.jsonl").read_bytes() == before


HEADER = Header(method=1, model="m", recogniser="r", lpips=False, pairs=True, guards="dlib")


@pytest.mark.parametrize(
    ("other", "says"),
    [
        ({"method": 2}, "version"),
        ({"model": "n"}, "another model"),
        ({"recogniser": "s"}, "recogniser"),
        ({"lpips": True}, "LPIPS"),
        ({"guards": "SFace"}, "other recognisers installed"),
        ({"pairs": False}, "two photos of each person"),
    ],
)
def test_results_of_another_kind_are_refused(tmp_path: Path, other: dict[str, Any], says: str) -> None:
    Journal(tmp_path, HEADER)
    with pytest.raises(InputError, match=says) as caught:
        Journal(tmp_path, HEADER.model_copy(update=other))
    assert "another folder" in (caught.value.hint or "")


def test_a_journal_keeps_the_latest_and_nothing_of_other_pictures(tmp_path: Path) -> None:
    journal = Journal(tmp_path, HEADER)
    one, two = (Moments(count=n, a=0, b=0, aa=0, bb=0, ab=0) for n in (1, 2))
    journal.add("trial", HOSTILE, "x", one)
    journal.add("trial", HOSTILE, "y", two)
    journal.add("layers", "no face\nhere", "x", None)
    for again in (journal, Journal(tmp_path, HEADER)):
        assert again.get("trial", HOSTILE, "x") is None
        assert again.get("trial", HOSTILE, "y") == (two.model_dump(),)
        assert again.get("layers", "no face\nhere", "x") == (None,)
        assert again.get("levels", HOSTILE, "y") is None


def test_a_file_that_is_no_journal_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "results.jsonl").write_text("my own notes\n")
    with pytest.raises(InputError, match="cannot be read"):
        Journal(tmp_path, HEADER)
    assert (tmp_path / "results.jsonl").read_text() == "my own notes\n"


# ---- what is refused


def test_wrong_usage_ends_with_1(evaluate: Command, faces: Path, tmp_path: Path) -> None:
    pytest.importorskip("dlib")
    (tmp_path / "empty").mkdir()
    one = tmp_path / "one"
    one.mkdir()
    shutil.copy(faces / "bea-a.png", one)
    for arguments, says in (
        (["nowhere", "--json"], "no folder"),
        (["empty"], "Nobody"),
        (["one"], "One person alone"),
        ([faces, "--report", faces], "among the photos"),
        ([faces, "--recogniser", "facenet"], "no recogniser"),
        ([faces, "--recogniser", "arcface:nowhere.onnx"], "cannot be read"),
        ([faces, "--model", "nobody"], "no model"),
        ([faces, "--limit", 1], "greater than or equal to 2"),
        ([], "Missing argument"),
    ):
        ended = evaluate(*arguments)
        assert ended.code == 1, (arguments, ended.err)
        assert says in ended.err
        assert ended.out == b""
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty", "one"]


def test_a_report_that_cannot_be_kept(evaluate: Command, faces: Path, tmp_path: Path) -> None:
    pytest.importorskip("dlib")
    (tmp_path / "file").write_text("not a folder")
    ended = evaluate(faces, "--pairs", "--report", tmp_path / "file")
    assert (ended.code, ended.out) == (1, b"")
    assert "cannot be kept" in ended.err
    assert (tmp_path / "file").read_text() == "not a folder"


# ---- ways


@pytest.mark.parametrize("way", WAYS)
def test_ways_change_what_they_say(way: str) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (25, 30, 3), np.uint8)
    pixels = np.asarray(Image.fromarray(picture).resize((1500, 1250), Image.Resampling.BICUBIC))
    arrived = travelled(pixels, way)
    assert arrived.shape[:2] == {"half size": (625, 750), "Matrix thumbnail": (600, 720)}.get(way, (1250, 1500))
    assert np.array_equal(arrived, pixels) == (way == AS_SENT)
    file = WAYS[way](pixels)
    suffix = {"JPEG": b"\xff\xd8", "WebP": b"RIFF", "Matr": b"\xff\xd8"}.get(way[:4], b"\x89PNG")
    assert file.startswith(suffix)


def test_smaller_qualities_make_smaller_files_and_small_pictures_are_not_enlarged() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    sizes = [len(WAYS[f"JPEG q{quality}"](pixels)) for quality in (95, 80, 60)]
    assert sizes == sorted(sizes, reverse=True)
    assert travelled(pixels, "Matrix thumbnail").shape == pixels.shape
    assert next(iter(WAYS)) == AS_SENT

"""Folders of photos: there and back, resumed, planned; processes that die."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from stylecrypt_msg.cli.workers import in_parallel

from ..conftest import People
from ..support import jobs
from ..support.command_line import Run, read, refused, saved

HOSTILE = "<b onclick=x>&amp.png"
ALICE, BOB = ("--profile", "alice"), ("--profile", "bob")


@pytest.fixture
def friends(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Alice may send to Bob. Only her keys have a passphrase."""
    assert run(*BOB, "init", "--name", "Bob", "--no-passphrase").code == 0
    monkeypatch.setenv("STYLECRYPT_PASSPHRASE", "correct horse")
    assert run(*ALICE, "init", "--name", "Alice").code == 0
    for one, other in ((ALICE, BOB), (BOB, ALICE)):
        assert run(*one, "card", "export", "-o", "card.sccard").code == 0
        assert run(*other, "contact", "add", "card.sccard", "--trust").code == 0
        Path("card.sccard").unlink()


@pytest.fixture
def photos(run: Run, people: People) -> Path:
    """Ann, her photo once more, Ann and Bea in a folder below, a file that is no picture, and a text."""
    folder = Path("photos")
    (folder / "deep").mkdir(parents=True)
    (folder / "ann.png").write_bytes(saved(people.photo, "PNG"))
    (folder / "copy.png").write_bytes(saved(people.photo, "PNG"))
    (folder / "deep" / HOSTILE).write_bytes(saved(people.group, "PNG"))
    (folder / "broken.jpg").write_text("no picture")
    (folder / "notes.txt").write_text("no picture")
    return folder


def names(folder: str) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in Path(folder).rglob("*") if path.is_file())


@pytest.mark.slow
@pytest.mark.usefixtures("friends")
def test_there_and_back(run: Run, photos: Path, people: People) -> None:
    sent = run(*ALICE, "encrypt", photos, "-o", "fakes", "--to", "Bob", "--stand-in", "x", "--force")
    assert sent.code == 1
    assert sent.err.startswith("stylecrypt: broken.jpg: This is not a picture")
    assert b"fakes: 2 of 4 pictures done, 1 left out as copies of others, 1 refused. Report: " in sent.out
    assert names("fakes") == ["ann.png", f"deep/{HOSTILE}"]
    assert not np.array_equal(read("fakes/ann.png"), people.photo)
    refused(run(*ALICE, "encrypt", photos, "-o", "more", "--to", "Carol"), "Carol")  # once, not for each photo
    # The report: for people, and for programs.
    page = Path("fakes-report/report.html").read_text()
    assert "&lt;b onclick=x&gt;&amp;amp.png" in page and "<b onclick" not in page
    assert page.count("<img ") == 2
    told = {one["photo"]: one for one in json.loads(Path("fakes-report/report.json").read_bytes())["photos"]}
    assert (told["copy.png"]["same_as"], told["copy.png"]["output"]) == ("ann.png", None)
    assert told[f"deep/{HOSTILE}"]["facts"]["faces_replaced"] == 2
    assert "not a picture" in told["broken.jpg"]["error"]
    # A second time, only what was refused is tried again.
    before = {name: Path("fakes", name).stat().st_mtime_ns for name in names("fakes")}
    Path(photos, "broken.jpg").unlink()
    again = run(*ALICE, "encrypt", photos, "-o", "fakes", "--to", "Bob", "--stand-in", "x", "--force")
    assert (again.code, again.err) == (0, "")
    assert {name: Path("fakes", name).stat().st_mtime_ns for name in names("fakes")} == before
    refused(run(*ALICE, "encrypt", photos, "-o", "fakes", "--to", "Bob"), "a run with other options")
    # The other side.
    opened = run(*BOB, "decrypt", "fakes", "-o", "back", "--json").json
    assert [one["facts"]["level"] for one in opened["photos"]] == ["original", "original"]
    for name, was in (("ann.png", people.photo), (f"deep/{HOSTILE}", people.group)):
        assert cv2.PSNR(read(f"back/{name}"), was) > 38


@pytest.mark.slow
@pytest.mark.usefixtures("friends")
def test_a_plan_that_was_edited(run: Run, photos: Path, people: People) -> None:
    Path("bea.png").write_bytes(saved(people.bea, "PNG"))
    (photos / "broken.jpg").unlink()
    (photos / "copy.png").unlink()
    said = run(*ALICE, "encrypt", photos, "--dry-run", "--keep-face", "bea.png")
    assert said.code == 1 and "Nobody in the photo looks like the person" in said.err
    assert said.out.decode() == f"deep/{HOSTILE}: face 1: hide, face 2: keep\n"
    plan = run(*ALICE, "encrypt", photos, "--dry-run", "--json").json
    assert not Path("fakes").exists()
    (one,) = plan["photos"][0]["faces"]
    assert (one["face"], one["do"], one["why"]) == (1, "hide", None)
    plan["photos"] = plan["photos"][1:]
    plan["photos"][0]["faces"][0]["do"] = "keep"
    Path("plan.json").write_text(json.dumps(plan))
    options = ("--plan", "plan.json", "--to", "Bob", "--force", "--stand-in", "x")
    assert run(*ALICE, "encrypt", photos, "-o", "fakes", *options).code == 0
    assert names("fakes") == [f"deep/{HOSTILE}"]
    after = read(f"fakes/deep/{HOSTILE}")
    assert np.array_equal(after[:, :270], people.group[:, :270])
    assert not np.array_equal(after[:, 290:], people.group[:, 290:])
    # Whoever was kept must not stay visible because an earlier run is resumed, nor numbers mean other faces.
    plan["photos"][0]["faces"][0]["do"] = "hide"
    Path("plan.json").write_text(json.dumps(plan))
    refused(run(*ALICE, "encrypt", photos, "-o", "fakes", *options), "a run with other options")
    refused(
        run(*ALICE, "encrypt", photos, "-o", "more", *options, "--for", "signal"), "was made for no app in particular"
    )
    before = (photos / "deep" / HOSTILE).read_bytes()
    (photos / "deep" / HOSTILE).write_bytes(saved(people.group[:, ::-1], "PNG"))
    refused(run(*ALICE, "encrypt", photos, "-o", "more", *options), "has changed since the plan was made")
    (photos / "deep" / HOSTILE).write_bytes(before)
    assert not Path("more").exists()
    plan["photos"][0]["faces"][0]["do"] = "dance"
    Path("plan.json").write_text(json.dumps(plan))
    refused(run(*ALICE, "encrypt", photos, "-o", "more", *options), "plan.json is not a plan: photos.0.faces.0.do")


def test_what_cannot_be_begun(run: Run, photos: Path) -> None:
    Path("empty").mkdir()
    for arguments, says in (
        ((photos, "-o", photos / "deep"), "must not contain each other"),
        ((photos / "deep", "-o", photos), "must not contain each other"),
        ((photos, "-o", "fakes", "--report", "fakes/report"), "must not lie among the results"),
        ((photos, "-o", "fakes", "--only", 1), "A face's number means another person in each photo"),
        ((photos, "-o", "fakes", "--plan", photos / "notes.txt"), "notes.txt is not a plan"),
        ((photos,), "Say where the result goes"),
        (("empty", "-o", "fakes"), "No picture is in empty"),
        ((photos / "ann.png", "-o", "fake.png", "--dry-run"), "--dry-run is for folders"),
    ):
        refused(run("encrypt", *arguments, "--level", "keyface"), says)
    assert not Path("fakes").exists()
    (photos / "two\nlines.png").write_bytes(b"")
    refused(run("encrypt", photos, "-o", "fakes", "--level", "keyface"), "has a name that no report can show")


@pytest.mark.slow
@pytest.mark.usefixtures("friends")
def test_a_run_that_was_killed_goes_on(run: Run, photos: Path, people: People) -> None:
    Path(photos, "more.png").write_bytes(saved(people.photo[1:], "PNG"))
    (photos / "broken.jpg").unlink()
    command = [*ALICE, "encrypt", str(photos), "-o", "fakes", "--to", "Bob", "--force", "--stand-in", "x"]
    with subprocess.Popen([sys.executable, "-c", "from stylecrypt_msg.cli import main; main()", *command]) as running:
        try:
            while not list(Path("fakes").rglob("*.png")):
                assert running.poll() is None, "it ended by itself"
                time.sleep(0.05)  # it is to be killed between two photos
        finally:
            running.kill()
    made = {path: path.stat().st_mtime_ns for path in Path("fakes").rglob("*.png")}
    assert len(made) < 3, "it was not over"
    for path in made:
        read(path)  # nothing half-written
    with Path("fakes-report/journal.jsonl").open("a") as journal:
        journal.write('{"photo": "ann.p')  # as a machine that lost its power leaves it
    listed = {json.loads(line)["photo"] for line in Path("fakes-report/journal.jsonl").read_text().splitlines()[1:-1]}
    ended = run(*command)
    assert (ended.code, ended.err) == (0, "")
    assert len(names("fakes")) == 3
    for path, changed in made.items():
        if path.relative_to("fakes").as_posix() in listed:
            assert path.stat().st_mtime_ns == changed, "nothing is done twice"


# ---- processes


def test_a_job_that_kills_its_worker_takes_no_other_with_it() -> None:
    found = dict(in_parallel(jobs.double, list(range(6)), jobs.start, "hello"))
    assert found.pop(3) is None
    assert found == {number: (2 * number, "hello") for number in (0, 1, 2, 4, 5)}

"""``demo``: all of it once, on one sheet."""

from __future__ import annotations

from pathlib import Path

import pytest

from ..conftest import People
from ..support.command_line import AI_MADE, Run, read, refused, saved

_STEPS = ("", "-original", "-recovered", "-wrong-key")


@pytest.mark.slow
def test_demo(run: Run) -> None:
    result = run("demo", "-o", "sheets/first", "--json").json
    assert result["rows"] == ["alice, photo", "bob, photo", "carol, photo", "alice, portrait"]
    names = [f"{one}-photo" for one in ("alice", "bob", "carol")] + ["alice-portrait"]
    imprints = {path.name for path in Path("sheets/first").glob("*-imprint.jpg")}
    assert "alice-photo-imprint.jpg" in imprints  # her hair hides it; where nothing does, the sheet says so
    expected = {f"{name}{step}.jpg" for name in names for step in _STEPS}
    assert {path.name for path in Path("sheets/first").iterdir()} == expected | imprints | {"contact-sheet.jpg"}
    sheet = read(result["contact_sheet"])
    assert sheet.shape[0] > 1000
    assert sheet.shape[1] > 1000
    made = [path for path in Path("sheets/first").iterdir() if not path.stem.endswith("-original")]
    assert all(AI_MADE in path.read_bytes() for path in made)


def test_demo_on_a_photo(run: Run, photo: Path, ann: Path) -> None:
    refused(run("demo", "-o", "sheet", "--photo", "missing.jpg"), "There is no file")
    refused(run("demo", "-o", ".", "--photo", photo), "could overwrite pictures")
    refused(run("demo", "-o", ann, "--photo", photo), "cannot be made")
    assert not Path("sheet").exists()
    ended = run("demo", "-o", "sheet", "--photo", photo, "--key-face", ann)
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.decode().splitlines() == [f"contact sheet: {Path('sheet/contact-sheet.jpg')}"]
    expected = {f"you-{form}{step}.jpg" for form in ("photo", "portrait") for step in _STEPS}
    made = {path.name for path in Path("sheet").iterdir()} - {"you-portrait-imprint.jpg"}  # if it is not too even
    assert made == expected | {"contact-sheet.jpg"}  # the photo is too small for an imprint


def test_demo_writes_all_or_nothing(run: Run, photo: Path, people: People) -> None:
    Path("wall.png").write_bytes(saved(people.photo[:, 290:], "PNG"))
    refused(run("demo", "-o", "sheet", "--photo", photo, "--key-face", "wall.png"), "No face")
    assert list(Path("sheet").iterdir()) == []

"""The command line in this process, in an empty folder."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

from stylecrypt_msg.cli import demo as demo_command
from stylecrypt_msg.cli import main
from stylecrypt_msg.models import FaceModel, load_model, model_cache

from ..conftest import People
from ..support.command_line import Ended, Run, saved


@pytest.fixture
def run(
    short_descents: None,
    monkeypatch: pytest.MonkeyPatch,
    capsysbinary: pytest.CaptureFixture[bytes],
    tmp_path: Path,
    default_model: FaceModel,
    people: People,
) -> Run:
    """Runs ``stylecrypt`` with the arguments in this process, in an empty folder.

    The embedded model is loaded once for all tests. Having made the pictures for ``people``, it has settled on its runtime.
    """

    def load(name: str) -> FaceModel:
        return default_model if name == "default" else load_model(name)

    for user in (model_cache, demo_command):
        monkeypatch.setattr(user, "load_model", load)
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "share"))
    for name in ("DEBUG", "PROFILE", "PASSPHRASE"):
        monkeypatch.delenv(f"STYLECRYPT_{name}", raising=False)

    def run_(*arguments: object, stdin: bytes = b"") -> Ended:
        monkeypatch.setattr(sys, "argv", ["stylecrypt", *map(str, arguments)])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        with pytest.raises(SystemExit) as end:
            main()
        out, err = capsysbinary.readouterr()
        code = end.value.code or 0
        assert isinstance(code, int)
        return Ended(code, out, err.decode())

    return run_


@pytest.fixture
def photo(run: Run, people: People) -> Path:
    """Ann's photo, in the folder that commands run in."""
    path = Path("photo.png")
    path.write_bytes(saved(people.photo, "PNG"))
    return path


@pytest.fixture
def ann(run: Run, people: People) -> Path:
    path = Path("ann.jpg")
    path.write_bytes(saved(people.ann, "JPEG", quality=95))
    return path

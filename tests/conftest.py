"""What all tests share."""

import os
from pathlib import Path

import hypothesis
import pytest

# Machines differ in speed: a test that is slow on one is not wrong.
hypothesis.settings.register_profile("stylecrypt", deadline=None)
hypothesis.settings.load_profile("stylecrypt")


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of pictures and fixtures that lie beside the repository; tests that need it skip without it."""
    folder = Path(os.environ.get("STYLECRYPT_SHARED", Path(__file__).parents[2] / "shared"))
    if not folder.is_dir():
        pytest.skip(f"{folder} is not there; set STYLECRYPT_SHARED to a folder with its pictures and fixtures")
    return folder

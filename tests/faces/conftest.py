"""Pictures for the face tests. Most are kept beside the repository and must not become part of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from stylecrypt_msg.pictures import read_picture

from ..support.places import SHARED

Read = Callable[[str], NDArray[np.uint8]]


@pytest.fixture(scope="session")
def shared_faces() -> Path:
    """The folder of face pictures; the test is skipped without it."""
    if not (SHARED / "faces").is_dir():
        pytest.skip(f"the face pictures are not in {SHARED} (set STYLECRYPT_SHARED)")
    return SHARED / "faces"


@pytest.fixture(scope="session")
def shared_face(shared_faces: Path) -> Read:
    """Reads one of them by its name, such as ``pairs/001-neutral.jpg``."""
    return lambda name: read_picture(shared_faces / name).pixels


@pytest.fixture(scope="session")
def astronaut() -> NDArray[np.uint8]:
    """Eileen Collins, 512 px, a NASA portrait in the public domain that scikit-image carries."""
    data = pytest.importorskip("skimage.data")
    pixels: NDArray[np.uint8] = data.astronaut()
    return pixels

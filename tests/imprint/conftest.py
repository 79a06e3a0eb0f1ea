"""A picture for all these tests."""

from __future__ import annotations

import pytest

from stylecrypt_msg.pictures import Pixels

from ..support.scenery import scene


@pytest.fixture(scope="session")
def view() -> Pixels:
    return scene(1280, 960)

"""A homeserver and two people on it."""

from __future__ import annotations

from pathlib import Path

import pytest

from ...support.synapse import Homeserver, User
from .world import World


@pytest.fixture
def world(homeserver: Homeserver, tmp_path: Path) -> World:
    return World(homeserver, tmp_path)


@pytest.fixture
def alice(homeserver: Homeserver) -> User:
    return homeserver.register("alice")


@pytest.fixture
def bob(homeserver: Homeserver) -> User:
    return homeserver.register("bob")

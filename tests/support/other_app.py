"""matrix-js-sdk as an app in tests, with Element's crypto."""

from __future__ import annotations

import asyncio
import base64
import json
import secrets
import shutil
import subprocess
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from .people import PATIENCE
from .synapse import Homeserver, User

__all__ = ["OtherApp", "app", "modules", "new_secret"]

APP = Path(__file__).with_name("app.mjs")
SDK = "matrix-js-sdk@43.0.0"


@pytest.fixture(scope="package")
def modules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the SDK is installed."""
    if shutil.which("npm") is None:
        pytest.skip("npm is not installed")
    folder = tmp_path_factory.mktemp("js")
    command = ["npm", "install", "--no-audit", "--no-fund", "--prefix", str(folder), SDK]
    if subprocess.run(command, capture_output=True, timeout=300).returncode != 0:
        pytest.skip(f"npm cannot install {SDK}")
    return folder


class OtherApp:
    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.device = ""
        self.told: list[dict[str, Any]] = []

    async def wait(self, key: str, **wanted: object) -> dict[str, Any]:
        """The next report from the app that has a key, and these values."""
        assert self.process.stdout is not None
        while True:
            for told in self.told:
                if key in told and all(told.get(name) == value for name, value in wanted.items()):
                    self.told.remove(told)
                    return told
            line = await asyncio.wait_for(self.process.stdout.readline(), PATIENCE)
            assert line, f"it ended; it told {self.told}"
            self.told.append(json.loads(line))

    def order(self, do: str, **what: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"do": do, **what}).encode() + b"\n")


def new_secret() -> str:
    """Makes an `app` have cross-signing keys, and others of the same user's the same ones."""
    return base64.b64encode(secrets.token_bytes(32)).decode()


@asynccontextmanager
async def app(modules: Path, server: Homeserver, user: User, *secret: str) -> AsyncIterator[OtherApp]:
    process = await asyncio.create_subprocess_exec(
        "node", str(APP), server.url, user.id, user.password, *secret, cwd=modules, stdin=PIPE, stdout=PIPE, limit=2**26
    )
    try:
        other = OtherApp(process)
        other.device = str((await other.wait("started"))["started"])
        yield other
    finally:
        with suppress(ProcessLookupError):  # it ended by itself
            process.kill()
        await process.wait()

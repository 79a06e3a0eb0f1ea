"""The command, as people run it."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
import webbrowser
from pathlib import Path
from subprocess import PIPE

import pytest
from playwright.sync_api import Browser

from stylecrypt_msg.errors import InputError

from .conftest import Serve
from .people import serving_page

COMMAND = [sys.executable, "-c", "from stylecrypt_msg.cli import main; main()"]


@pytest.mark.parametrize(("asked", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_it_prints_its_address_and_leaves_nothing_behind(tmp_path: Path, asked: signal.Signals, code: int) -> None:
    environment = {**os.environ, "HOME": str(tmp_path), "BROWSER": "true"}
    command = [*COMMAND, "--profile", str(tmp_path / "profile"), "web"]
    with subprocess.Popen(command, stdout=PIPE, stderr=PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        printed = [process.stdout.readline() for _ in range(3)]
        address = printed[1].strip()
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/enter\?token=[\w-]{43}", address)
        until = time.monotonic() + 60
        while not list(tmp_path.glob("*.html")):
            assert time.monotonic() < until
        if asked is signal.SIGINT:
            with urllib.request.urlopen(address) as answer:  # noqa: S310 - it is http
                assert "StyleCrypt" in answer.read().decode()
        process.send_signal(asked)
        assert process.communicate(timeout=60) == ("", "")  # no traceback
    assert process.returncode == code
    assert list(tmp_path.glob("*.html")) == []


def test_the_file_leads_a_browser_in(
    browser: Browser, serve: Serve, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Although the file comes from elsewhere, and the cookie is for pages of the same site only."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(webbrowser, "open", lambda _: True)
    served = serve()
    served.open_browser()
    [link] = tmp_path.glob("*.html")
    context = browser.new_context()
    page = context.new_page()
    page.goto(link.as_uri())
    page.wait_for_selector("#name")
    context.close()


def test_a_port_that_is_taken_is_said_to_be(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(InputError, match=f"Port {port} cannot be used"), serving_page(tmp_path, port=port):
            pass

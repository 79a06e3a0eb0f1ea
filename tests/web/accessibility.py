"""What keeps people out of a page, as axe sees it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Literal

from playwright.sync_api import Page

__all__ = ["AXE", "axe_script", "barriers"]

AXE = "axe-core@4.14.1"
_SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")


def axe_script(folder: Path) -> str | None:
    """The script that checks accessibility, installed in ``folder``; None if it cannot be had."""
    if shutil.which("npm") is None:
        return None
    command = ["npm", "install", "--no-audit", "--no-fund", "--prefix", str(folder), AXE]
    if subprocess.run(command, capture_output=True, timeout=300).returncode != 0:
        return None
    return (folder / "node_modules" / "axe-core" / "axe.min.js").read_text(encoding="utf-8")


def barriers(page: Page, axe: str) -> list[str]:
    """What ``axe`` complains about in what ``page`` shows now, by day and by night."""
    page.evaluate(f"() => {{ {axe} }}")
    found = []
    for scheme in _SCHEMES:
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        for one in page.evaluate("async () => (await axe.run()).violations"):
            found += [f"{scheme}: {one['id']}: {node['html'][:150]}" for node in one["nodes"]]
    return found

"""People at their pages, in a real browser."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from playwright.sync_api import (
    Browser,
    BrowserContext,
    BrowserType,
    ConsoleMessage,
    Page,
    ViewportSize,
    sync_playwright,
)
from stylecrypt_web import serving

__all__ = ["PASSPHRASE", "PATIENCE", "Person", "browsing", "introduce", "launched", "serving_page", "sit_down"]

PASSPHRASE = "four words are enough"
PATIENCE = 180_000  # ms


@contextmanager
def browsing() -> Iterator[Browser | None]:
    """Debian's Chromium, as Playwright's own would be another download; None if there is none."""
    if _chromium() is None:
        yield None
        return
    with sync_playwright() as playwright:
        browser = launched(playwright.chromium)
        yield browser
        browser.close()


def launched(browser: BrowserType, *options: str) -> Browser:
    return browser.launch(executable_path=_chromium(), args=["--no-sandbox", *options])


def _chromium() -> str | None:
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@contextmanager
def serving_page(folder: Path, port: int = 0) -> Iterator[serving.Page]:
    """The program's server for a profile in a folder."""
    with serving.Page(folder, port=port, idle=900) as page:
        thread = threading.Thread(target=page.serve)
        thread.start()
        try:
            yield page
        finally:
            page.end()
            thread.join()


@dataclass
class Person:
    """Somebody in front of their page."""

    name: str
    served: serving.Page
    context: BrowserContext
    page: Page
    complaints: list[str] = field(default_factory=list)

    def go(self, part: str) -> None:
        """By the navigation."""
        self.page.click(f"nav a[href$='/{part}']")
        self.page.wait_for_url(f"**/{part}")

    def press(self, words: str) -> None:
        self.page.get_by_role("button", name=words, exact=True).click()

    def saved(self, words: str) -> tuple[str, bytes]:
        """Name and contents of a file that a link or button gives."""
        found = self.page.get_by_role("link", name=words).or_(self.page.get_by_role("button", name=words))
        with self.page.expect_download() as download:
            found.first.click()
        return download.value.suggested_filename, Path(download.value.path()).read_bytes()

    def give(self, where: str, name: str, data: bytes) -> None:
        """Chooses a file."""
        self.page.set_input_files(where, {"name": name, "mimeType": "application/octet-stream", "buffer": data})

    def choose(self, name: str, photo: bytes) -> None:
        """Chooses a photo to send."""
        self.go("send")
        self.give("#photo", name, photo)
        self.page.wait_for_selector(".photo .face:visible", timeout=PATIENCE)

    def hide(self) -> None:
        """Makes the picture."""
        self.press("Make the picture")
        self.page.wait_for_selector(".report, [role=alert]", timeout=PATIENCE)
        assert "What it still shows" in self.read()

    def open(self, name: str, picture: bytes) -> None:
        self.go("open")
        self.give("#picture", name, picture)
        self.page.wait_for_selector("text=Open another one", timeout=PATIENCE)

    def read(self) -> str:
        return self.page.inner_text("main")


def _is_fault(said: ConsoleMessage) -> bool:
    """Such as a script or style that the policy forbids; but not a page that tells people what they did wrong."""
    return said.type == "error" and "responded with a status of 4" not in said.text


def sit_down(browser: Browser, served: serving.Page, name: str, viewport: ViewportSize | None = None) -> Person:
    """Somebody new, who makes a profile."""
    context = browser.new_context(locale="en-GB", viewport=viewport or {"width": 1280, "height": 800})
    context.set_default_timeout(PATIENCE)
    person = Person(name, served, context, context.new_page())
    page = person.page
    page.on("pageerror", lambda error: person.complaints.append(str(error)))
    page.on("console", lambda said: person.complaints.extend([said.text] if _is_fault(said) else []))
    page.goto(served.gate.address)
    page.fill("#name", name)
    page.fill("#passphrase", PASSPHRASE)
    page.fill("#again", PASSPHRASE)
    person.press("Start")
    page.wait_for_selector("text=Your profile is ready")
    return person


def introduce(one: Person, other: Person) -> None:
    """Each adds the other's card, by a picture of its code, and lets them see photos."""
    for giving, taking in ((one, other), (other, one)):
        giving.go("contacts")
        name, picture = giving.saved("Save as a picture")
        taking.go("contacts")
        taking.give("#card", name, picture)
        taking.page.check("text=They may see my photos")
        taking.press("Add")
        taking.page.wait_for_selector("text=Added.")

"""What the page's tests share: a browser, and people who sit at their pages in it."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, sync_playwright
from stylecrypt_web import serving

from stylecrypt_msg.models import FaceModel, load_model, model_cache
from stylecrypt_msg.pictures import encode_picture

from ..conftest import People
from ..quickly import shortened

PASSPHRASE = "four words are enough"
PATIENCE = 60_000  # ms


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Debian's, as Playwright's own would be another download."""
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if found is None:
        pytest.skip("chromium is not installed")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="package")
def one_model(default_model: FaceModel) -> Iterator[None]:
    """The other tests' model, so that it is loaded only once, with short descents."""
    with pytest.MonkeyPatch.context() as patch, shortened():
        patch.setattr(model_cache, "load_model", lambda name: default_model if name == "default" else load_model(name))
        yield


@pytest.fixture(scope="session")
def photo(people: People) -> bytes:
    return encode_picture(people.photo, "JPEG")


@pytest.fixture(scope="session")
def group(people: People) -> bytes:
    return encode_picture(people.group, "PNG")


Serve = Callable[..., serving.Page]


@pytest.fixture(scope="module")
def serve(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serve]:
    """Starts the program's server for a profile in a folder, by default an empty one."""
    running: list[tuple[serving.Page, threading.Thread]] = []

    def start(folder: Path | None = None, idle: float = 900) -> serving.Page:
        page = serving.Page(folder or tmp_path_factory.mktemp("profile") / "profile", idle=idle)
        thread = threading.Thread(target=page.serve)
        thread.start()
        running.append((page, thread))
        return page

    yield start
    for page, thread in running:
        page.end()
        thread.join()


@dataclass
class Person:
    """Somebody in front of their page."""

    name: str
    served: serving.Page
    context: BrowserContext
    page: Page
    complaints: list[str]

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
        self.page.wait_for_selector("h2:text('What it still shows')", timeout=PATIENCE)

    def open(self, name: str, picture: bytes) -> None:
        self.go("open")
        self.give("#picture", name, picture)
        self.page.wait_for_selector("text=Open another one", timeout=PATIENCE)

    def read(self) -> str:
        return self.page.inner_text("main")


def _is_fault(said: ConsoleMessage) -> bool:
    """Such as a script or style that the policy forbids; but not a page that tells people what they did wrong."""
    return said.type == "error" and "responded with a status of 4" not in said.text


Meet = Callable[..., Person]


@pytest.fixture(scope="module")
def meet(browser: Browser, one_model: None, serve: Serve) -> Iterator[Meet]:
    """A new person: their server, their browser, their profile."""
    met: list[Person] = []

    def somebody(name: str, **options: object) -> Person:
        served = serve()
        context = browser.new_context(locale="en-GB", **options)  # type: ignore[arg-type]
        page = context.new_page()
        complaints: list[str] = []
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda said: complaints.extend([said.text] if _is_fault(said) else []))
        person = Person(name, served, context, page, complaints)
        met.append(person)
        page.goto(served.gate.address)
        page.fill("#name", name)
        page.fill("#passphrase", PASSPHRASE)
        page.fill("#again", PASSPHRASE)
        person.press("Start")
        page.wait_for_selector("text=Your profile is ready")
        return person

    yield somebody
    for person in met:
        person.context.close()
        assert person.complaints == [], person.name


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


@pytest.fixture(scope="module")
def couple(meet: Meet) -> tuple[Person, Person]:
    """Alice and Bob, who are contacts."""
    alice, bob = meet("Alice"), meet("Bob")
    introduce(alice, bob)
    return alice, bob

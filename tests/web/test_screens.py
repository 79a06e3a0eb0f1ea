"""Every screen, for everybody: with a screen reader, a keyboard, a phone, at night, in German, without scripts."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Response, ViewportSize

from .accessibility import AXE, barriers
from .conftest import Meet, Serve
from .people import PASSPHRASE, PATIENCE, Person, introduce

PHONE: ViewportSize = {"width": 390, "height": 844}
DESKTOP: ViewportSize = {"width": 1280, "height": 800}
MOST = 300_000  # bytes of a page, without photos


Screen = Callable[[str], None]


@dataclass
class Tour:
    """Alice, who knows Bob, and goes through all screens."""

    alice: Person
    photo: bytes
    group: bytes

    def walk(self, seen: Screen) -> None:
        alice, page = self.alice, self.alice.page
        for part in ("send", "open", "contacts", "keyfaces", "you"):
            alice.go(part)
            seen(part)
        alice.go("contacts")
        page.click(".people a")
        page.wait_for_selector("ol.words")
        page.click("summary")
        seen("contact")
        alice.choose("group.png", self.group)
        page.click("summary")
        seen("choose")
        page.locator("label:has(input[name=face-2][value=blur])").click()
        page.click("button.main >> nth=-1")
        page.wait_for_selector(".report", timeout=PATIENCE)
        seen("cover")
        with page.expect_download() as download:
            page.click("a.main[download]")
        picture = Path(download.value.path()).read_bytes()
        for name, data in (("own", picture), ("ordinary", self.photo)):
            alice.go("open")
            alice.give("#picture", "it.jpg", data)
            page.wait_for_url(re.compile("/open/[^/]+$"), timeout=PATIENCE)
            seen(f"opened-{name}")
        alice.go("send")
        alice.give("#photo", "text.jpg", b"no photo")
        page.wait_for_selector("[role=alert]", timeout=PATIENCE)
        seen("error")
        page.goto(page.url.split("/send")[0] + "/nothing")
        seen("missing")
        page.click("main .button")
        page.click(".top-end form[action$=lock] button")
        page.wait_for_selector("#passphrase")
        seen("unlock")
        page.fill("#passphrase", PASSPHRASE)
        page.click("button.main")
        page.wait_for_selector("#photo")


@pytest.fixture(scope="module")
def tour(meet: Meet, photo: bytes, group: bytes) -> Tour:
    alice, bob = meet("Alice"), meet("Bob")
    introduce(alice, bob)
    return Tour(alice, photo, group)


@dataclass
class Seen:
    """What a tour saw.

    Attributes:
        barriers: what axe complains about.
        wide: screens that do not fit a phone.
        loaded: the bytes of everything that was loaded, by its address.
    """

    barriers: list[str] = field(default_factory=list)
    wide: list[str] = field(default_factory=list)
    loaded: dict[str, int] = field(default_factory=dict)


@pytest.fixture(scope="module")
def seen(tour: Tour, axe: str | None) -> Seen:
    """With a phone, by day and by night."""
    page, seen = tour.alice.page, Seen()

    def count(answer: Response) -> None:
        seen.loaded[answer.url] = int(answer.headers.get("content-length", 0))

    def check(screen: str) -> None:
        if page.evaluate("document.documentElement.scrollWidth") > PHONE["width"]:
            seen.wide.append(screen)
        if axe is not None:
            seen.barriers.extend(f"{screen}, {one}" for one in barriers(page, axe))

    page.on("response", count)
    page.set_viewport_size(PHONE)
    tour.walk(check)
    page.remove_listener("response", count)
    page.set_viewport_size(DESKTOP)
    page.emulate_media(color_scheme="light")
    return seen


def test_nobody_is_shut_out(seen: Seen, axe: str | None) -> None:
    if axe is None:
        pytest.skip(f"npm cannot install {AXE}")
    assert seen.barriers == []


def test_every_screen_fits_a_phone(seen: Seen) -> None:
    assert seen.wide == []


def test_pages_are_light_and_all_their_parts_come_from_here(seen: Seen, tour: Tour) -> None:
    assert {url.split("/")[2] for url in seen.loaded} == {tour.alice.served.gate.host}
    photos = re.compile(r"/(original|cover|photo|picture|pixels|face/\d+|qr\.png)$")
    pages = {url: size for url, size in seen.loaded.items() if not photos.search(url)}
    common = sum(size for url, size in pages.items() if "/static/" in url)
    assert common > 10_000  # otherwise nothing was counted
    assert common + max(pages.values()) < MOST


def test_german(tour: Tour) -> None:
    """No English is left, but what a person has typed."""
    alice = tour.alice
    page = alice.page
    alice.go("send")
    page.get_by_role("button", name="Deutsch").click()
    page.wait_for_selector("html[lang=de]")
    english: list[str] = []

    def check(screen: str) -> None:
        words = set(page.inner_text("body").split())
        english.extend(
            f"{screen}: {word}" for word in sorted(words & {"the", "The", "and", "you", "your", "is", "not"})
        )
        assert page.get_attribute("html", "lang") == "de"

    tour.walk(check)
    page.get_by_role("button", name="English").click()
    page.wait_for_selector("html[lang=en]")
    assert english == []


def test_the_keyboard_is_enough(tour: Tour, group: bytes) -> None:
    alice = tour.alice
    page = alice.page
    alice.choose("group.png", group)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")  # on the first face
    assert page.is_checked("input[name=face-1][value=blur]")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")  # past the second face, to the choices for the first
    page.keyboard.press("ArrowRight")
    assert page.is_checked("input[name=face-1][value=keep]")


def test_without_scripts(browser: Browser, one_model: None, serve: Serve, photo: bytes, tmp_path: Path) -> None:
    served = serve()
    context = browser.new_context(java_script_enabled=False, locale="de-AT")
    page = context.new_page()
    page.goto(served.gate.address)
    page.wait_for_selector("#name")
    assert page.inner_text("h1") == "Willkommen"
    page.fill("#name", "Anna")
    page.fill("#passphrase", PASSPHRASE)
    page.fill("#again", PASSPHRASE)
    page.click("button.main")
    page.wait_for_selector("nav")
    page.click("nav a[href$=send]")
    page.set_input_files("#photo", {"name": "x.jpg", "mimeType": "image/jpeg", "buffer": photo})
    page.click("button.main")
    page.wait_for_selector("input[name=face-1]", timeout=PATIENCE, state="attached")
    page.click("summary")
    page.select_option("#level", "keyface")
    page.click("button.main >> nth=-1")
    page.wait_for_selector(".report", timeout=PATIENCE)
    assert "1 von 1 Gesichtern ersetzt." in page.inner_text(".report")
    context.close()


@pytest.fixture
def dora(meet: Meet) -> Iterator[Person]:
    yield meet("Dora")


def test_locking_clears_every_tab(dora: Person, photo: bytes) -> None:
    dora.choose("photo.jpg", photo)
    url = dora.page.url
    tab = dora.context.new_page()
    tab.goto(url)
    tab.get_by_role("button", name="Lock").click()
    tab.wait_for_selector("#passphrase")
    dora.page.wait_for_selector("#passphrase", timeout=PATIENCE)  # by itself
    dora.page.go_back()
    dora.page.wait_for_selector("#passphrase")
    dora.page.fill("#passphrase", PASSPHRASE)
    dora.press("Unlock")
    dora.page.wait_for_selector("h1:text('Send a photo')")
    dora.page.goto(url)
    assert "Nothing here" in dora.read()


def test_the_page_says_when_the_program_has_ended(dora: Person) -> None:
    tab = dora.context.new_page()
    tab.goto(dora.page.url)
    dora.go("you")
    dora.press("End")
    dora.page.wait_for_selector("h1:text('StyleCrypt has ended')")
    tab.wait_for_selector("text=Start it again to go on.", timeout=PATIENCE)
    tab.close()
    dora.complaints.clear()  # the browser's, about a server that does not answer

"""The camera of the machine, in a browser that plays a film in its place."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Browser

from stylecrypt_msg.sdk import StyleCrypt

from ..conftest import People
from .accessibility import AXE, barriers
from .conftest import Meet, Serve
from .people import PATIENCE, Person, launched, sit_down

SCENE = (1280, 720)  # px


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory, people: People) -> Path:
    """A person beside the QR code of Carol's card; a film is a sequence of JPEGs."""
    folder = tmp_path_factory.mktemp("film")
    with StyleCrypt.create(folder / "carol", name="Carol") as carol:
        code = io.BytesIO()
        carol.profile.card.to_qr().save(code, kind="png", scale=8)
    scene = Image.new("RGB", SCENE, "gray")
    for picture, left in ((Image.open(code).convert("RGB"), 0), (Image.fromarray(people.photo), SCENE[0] // 2)):
        picture.thumbnail((SCENE[0] // 2, SCENE[1]), Image.Resampling.LANCZOS)
        scene.paste(picture, (left, 0))
    frame = io.BytesIO()
    scene.save(frame, "JPEG", quality=92)
    path = folder / "camera.mjpeg"
    path.write_bytes(2 * frame.getvalue())
    return path


@pytest.fixture(scope="module")
def alice(browser: Browser, film: Path, one_model: None, serve: Serve) -> Iterator[Person]:
    """Her browser has a camera, and has not let the page use it yet."""
    options = ("--use-fake-device-for-media-stream", f"--use-file-for-fake-video-capture={film}")
    with launched(browser.browser_type, *options) as with_camera:
        person = sit_down(with_camera, serve(), "Alice")
        yield person
        assert person.complaints == []


def watched(person: Person) -> bool:
    """Whether the camera is on, which the machine's lamp would show."""
    return bool(person.page.evaluate("document.querySelector('video').srcObject?.active ?? false"))


def use_camera(person: Person) -> None:
    """By keyboard."""
    person.page.locator("[data-camera]").press("Enter")
    person.page.wait_for_selector("video")
    assert watched(person)
    assert person.page.evaluate("document.activeElement.textContent") == "Take the picture"


def test_a_refused_camera_is_explained(alice: Person) -> None:
    alice.go("contacts")
    alice.press("Use the camera")
    alice.page.wait_for_selector("text=The browser does not let this page use the camera.")
    assert not alice.page.locator("video").is_visible()


def test_no_camera_is_explained(meet: Meet) -> None:
    dora = meet("Dora")
    dora.go("send")
    dora.press("Use the camera")
    dora.page.wait_for_selector("text=No camera was found")


@pytest.fixture
def allowed(alice: Person) -> Person:
    alice.context.grant_permissions(["camera"], origin=f"http://{alice.served.gate.host}")
    return alice


def test_nobody_is_shut_out_of_the_camera(allowed: Person, axe: str | None) -> None:
    if axe is None:
        pytest.skip(f"npm cannot install {AXE}")
    for part in ("contacts", "send"):
        allowed.go(part)
        use_camera(allowed)
        assert barriers(allowed.page, axe) == []
        allowed.page.keyboard.press("Escape")


def test_a_code_in_front_of_the_camera_becomes_a_contact(allowed: Person) -> None:
    alice = allowed
    alice.go("contacts")
    use_camera(alice)
    alice.page.keyboard.press("Enter")
    alice.page.get_by_role("img", name="The picture that you took").wait_for()
    assert not watched(alice)
    alice.press("Add")
    alice.page.wait_for_selector("text=Added.")
    assert [contact.name for contact in alice.served.session.profile.contacts()] == ["Carol"]


def test_a_picture_of_the_camera_is_a_photo_to_send(allowed: Person) -> None:
    alice = allowed
    alice.go("send")
    use_camera(alice)
    alice.page.keyboard.press("Escape")
    assert not watched(alice) and alice.page.evaluate("document.activeElement.textContent") == "Use the camera"
    use_camera(alice)
    alice.page.keyboard.press("Enter")
    alice.page.wait_for_selector(".photo .face:visible", timeout=PATIENCE)
    assert alice.page.locator(".photo .face").count() == 1


def test_a_file_takes_the_place_of_the_picture(allowed: Person) -> None:
    alice = allowed
    alice.go("contacts")
    use_camera(alice)
    alice.page.keyboard.press("Enter")
    taken = alice.page.get_by_role("img", name="The picture that you took")
    taken.wait_for()
    alice.give("#card", "other.sccard", b"no card")
    taken.wait_for(state="hidden")

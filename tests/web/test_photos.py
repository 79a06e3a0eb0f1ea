"""Sending and opening photos, in a browser."""

from __future__ import annotations

import base64
import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import FilePayload

from stylecrypt_msg.messenger import EncryptedPhoto
from stylecrypt_msg.pictures import encode_picture, read_picture
from stylecrypt_msg.sdk import StyleCrypt

from ..conftest import People
from ..support.photographs import psnr
from .conftest import Meet
from .people import PATIENCE, Person

ANN, BEA = np.s_[60:220, 60:210], np.s_[60:200, 340:500]


def test_a_photo_goes_from_one_page_to_the_other(couple: tuple[Person, Person], photo: bytes, people: People) -> None:
    alice, bob = couple
    alice.choose("holiday.jpg", photo)
    alice.page.fill("#caption", "Look <b>where</b> I am")
    alice.hide()
    assert "1 of 1 faces replaced." in alice.read()
    assert "SFace it is somebody else" in alice.read()
    name, picture = alice.saved("Save")
    assert name.startswith("IMG_") and "holiday" not in name
    shown = read_picture(picture).pixels
    assert psnr(shown[ANN], people.photo[ANN]) < 25

    bob.open(name, picture)
    assert bob.page.inner_text("h1") == "A photo from Alice"
    assert bob.page.inner_text("blockquote") == "Look <b>where</b> I am"
    assert "The photo as it was" in bob.read()
    assert "not compared words" in bob.read()
    name, back = bob.saved("Save")
    assert name.startswith("Alice-")
    assert psnr(read_picture(back).pixels[ANN], people.photo[ANN]) > 38


def test_what_is_shown_is_what_was_chosen_for_each_face(
    couple: tuple[Person, Person], group: bytes, people: People
) -> None:
    alice, _ = couple
    alice.choose("group.png", group)
    second = alice.page.get_by_role("button", name="2 · Replace. Face 2 from the left.")
    second.click()  # on the photo
    alice.page.get_by_role("button", name="2 · Blur.").click()
    assert alice.page.is_checked("input[name=face-2][value=keep]")
    alice.hide()
    assert "Face 2 is still to be seen." in alice.read()
    kept = read_picture(alice.saved("Save")[1]).pixels
    alice.page.click("text=Change something")
    alice.page.locator("label:has(input[name=face-1][value=blur])").click()
    alice.page.locator("label:has(input[name=face-2][value=blur])").click()
    alice.hide()
    assert "Faces 1, 2 are blurred." in alice.read()
    blurred = read_picture(alice.saved("Save")[1]).pixels
    for shown, part, seen in ((kept, ANN, False), (kept, BEA, True), (blurred, ANN, False), (blurred, BEA, False)):
        assert (psnr(shown[part], people.group[part]) > 30) is seen


def test_nothing_is_made_when_nobody_would_be_hidden(couple: tuple[Person, Person], photo: bytes) -> None:
    alice, _ = couple
    alice.choose("photo.jpg", photo)
    alice.page.locator("label:has(input[value=keep])").click()
    alice.press("Make the picture")
    alice.page.wait_for_selector("[role=alert]", timeout=PATIENCE)
    assert "The face is to be kept. " in alice.page.inner_text("[role=alert]").replace("\n", " ") + " "
    assert alice.page.is_checked("input[value=keep]")  # what was filled in stays


def test_another_stand_in(couple: tuple[Person, Person], photo: bytes) -> None:
    alice, _ = couple
    alice.choose("photo.jpg", photo)
    alice.hide()
    first = read_picture(alice.saved("Save")[1]).pixels
    alice.press("Another stand-in")
    alice.page.wait_for_url("**/work/*")
    alice.page.wait_for_url("**/result", timeout=PATIENCE)
    again = read_picture(alice.saved("Save")[1]).pixels
    assert psnr(first[ANN], again[ANN]) < 30
    # The next photo shows the one that Bob knows.
    alice.choose("photo.jpg", photo)
    alice.hide()
    assert psnr(read_picture(alice.saved("Save")[1]).pixels[ANN], first[ANN]) > 35


def test_an_ordinary_picture_is_said_to_be_one(couple: tuple[Person, Person], photo: bytes) -> None:
    _, bob = couple
    bob.open("photo.jpg", photo)
    assert bob.page.inner_text("h1") == "This is an ordinary picture"


def test_what_does_not_fit_travels_beside(
    couple: tuple[Person, Person], photo: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice, bob = couple
    encrypt = StyleCrypt.encrypt

    def large(*given: object, **options: object) -> EncryptedPhoto:
        sent = encrypt(*given, **options)  # type: ignore[arg-type]
        plain = encode_picture(read_picture(sent.picture).pixels, "PNG")
        return replace(sent, picture=plain, format="PNG", envelope=sent.packed)

    monkeypatch.setattr(StyleCrypt, "encrypt", large)
    alice.choose("photo.jpg", photo)
    alice.hide()
    picture, (name, envelope) = alice.saved("Save")[1], alice.saved(".scenv")
    assert name.endswith(".scenv")
    bob.go("open")
    files: list[FilePayload] = [
        {"name": name, "mimeType": "application/octet-stream", "buffer": data}
        for name, data in (("it.png", picture), ("it.scenv", envelope))
    ]
    bob.page.set_input_files("#picture", files)
    bob.page.wait_for_selector("text=Open another one", timeout=PATIENCE)
    assert bob.page.inner_text("h1") == "A photo from Alice"


def test_a_phones_photo(couple: tuple[Person, Person], shared: Path) -> None:
    alice, bob = couple
    photo = shared / "faces" / "photos" / "female-02.jpg"
    pillow_heif = pytest.importorskip("pillow_heif", reason="nothing else here writes HEIC")
    file = io.BytesIO()
    with Image.open(photo) as image:
        pillow_heif.from_pillow(image).save(file, quality=90)
    alice.choose("IMG_1.HEIC", file.getvalue())
    # A system that can share; Chromium on Linux cannot.
    alice.context.add_init_script(
        "navigator.canShare = () => true; navigator.share = async ({ files }) => {"
        "    window.shared = files; document.body.id = 'shared'; };"
    )
    alice.context.grant_permissions(["clipboard-read", "clipboard-write"])
    alice.page.select_option("#app", "whatsapp")
    alice.hide()
    name, picture = alice.saved("Save")
    assert max(read_picture(picture).pixels.shape) <= 1600
    bob.open(name, picture)
    assert bob.page.inner_text("h1") == "A photo from Alice"

    alice.press("Share …")
    alice.page.wait_for_selector("#shared")
    shared_file = alice.page.evaluate("async () => [shared[0].name, (await shared[0].arrayBuffer()).byteLength]")
    assert shared_file == [name, len(picture)]

    alice.press("Copy")
    alice.page.wait_for_selector("text=Copied.")
    copied = alice.page.evaluate("""async () => {
        const [item] = await navigator.clipboard.read();
        const bytes = new Uint8Array(await (await item.getType("image/png")).arrayBuffer());
        return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
    }""")
    bob.open("copied.png", base64.b64decode(copied))
    assert "The faces, small, from the picture's pixels" in bob.read()


def bomb() -> bytes:
    """A PNG of 20,000 by 20,000 pixels, all alike."""
    file = io.BytesIO()
    Image.new("1", (20_000, 20_000)).save(file, "PNG")
    return file.getvalue()


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        pytest.param("bomb.png", bomb(), "too many pixels", id="bomb"),
        pytest.param("photo.jpg", b"Dear all,\n" * 99, "This is not a picture", id="text"),
        pytest.param("empty.jpg", b"", "0 bytes", id="empty"),
        pytest.param("wall.png", encode_picture(np.full((300, 400, 3), 90, np.uint8), "PNG"), "No face", id="wall"),
    ],
)
def test_what_is_no_photo_is_refused_in_words(couple: tuple[Person, Person], name: str, data: bytes, says: str) -> None:
    alice, _ = couple
    alice.go("send")
    alice.give("#photo", name, data)
    alice.page.wait_for_selector("[role=alert]", timeout=PATIENCE)
    assert says in alice.page.inner_text("[role=alert]")


def test_a_second_tab_has_a_photo_of_its_own(couple: tuple[Person, Person], photo: bytes, people: People) -> None:
    alice, _ = couple
    alice.choose("photo.jpg", photo)
    tab = alice.context.new_page()
    tab.goto(alice.page.url.rpartition("/")[0])
    other = Person("Alice", alice.served, alice.context, tab, alice.complaints)
    other.choose("cut.png", encode_picture(people.cut, "PNG"))
    assert "2 faces" in other.read() and "1 face\n" in alice.read()
    other.hide()
    alice.hide()
    assert "1 of 2 faces" in other.read() and "1 of 1 faces" in alice.read()
    tab.close()


def test_contacts_who_may_not_see_photos_cannot_be_chosen(meet: Meet, photo: bytes) -> None:
    carol = meet("Carol")
    carol.choose("photo.jpg", photo)
    assert "No contact may see your photos yet." in carol.read()
    carol.press("Make the picture")
    carol.page.wait_for_selector("[role=alert]", timeout=PATIENCE)
    assert "Choose at least one contact." in carol.page.inner_text("[role=alert]")


def test_a_photo_is_dropped_or_pasted(couple: tuple[Person, Person], photo: bytes) -> None:
    alice, _ = couple
    give = """([kind, data]) => {
        const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
        const given = new DataTransfer();
        given.items.add(new File([bytes], "x.jpg", { type: "image/jpeg" }));
        document.querySelector(".drop").dispatchEvent(kind === "drop"
            ? new DragEvent(kind, { dataTransfer: given, bubbles: true, cancelable: true })
            : new ClipboardEvent(kind, { clipboardData: given, bubbles: true, cancelable: true }));
    }"""
    for kind in ("drop", "paste"):
        alice.go("send")
        alice.page.evaluate(give, [kind, base64.b64encode(photo).decode()])
        alice.page.wait_for_selector(".photo .face:visible", timeout=PATIENCE)


def test_what_is_too_large_is_not_even_sent(couple: tuple[Person, Person]) -> None:
    alice, _ = couple
    alice.go("send")
    alice.page.eval_on_selector(".drop", "drop => { drop.dataset.most = 5 }")
    alice.give("#photo", "x.jpg", b"too long")
    assert "larger than 64 MB" in alice.read()
    assert alice.page.url.endswith("/send")

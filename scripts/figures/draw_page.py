"""Plays the way of a photo on the pages of two people who do not exist, in Chromium, and keeps what they see.

    python scripts/figures/draw_page.py [-o docs]

Writes ``page-choose.jpg``, ``page-cover.jpg`` and ``page-open.jpg``. Needs what the page's tests need.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import cv2
import numpy as np
from playwright.sync_api import ViewportSize

from stylecrypt_msg.cipher import to_pixels
from stylecrypt_msg.models import load_model
from stylecrypt_msg.pictures import encode_picture
from tests.web.people import PATIENCE, Person, browsing, introduce, serving_page, sit_down

VIEW: ViewportSize = {"width": 1000, "height": 780}
QUALITY = 82
SIDE = 900  # px of each half of the photo


def two_people() -> bytes:
    """A photo of two people beside each other, who do not exist."""
    model = load_model()
    # Further from the average than stand-ins are: to a recogniser, those look much alike.
    latent = [np.random.default_rng(seed).standard_normal((1, model.style_dim), np.float32) for seed in (5, 13)]
    halves = [to_pixels(model.synthesize(model.map(one, truncation=0.8)))[0] for one in latent]
    whole = np.hstack([cv2.resize(half, (SIDE, SIDE), interpolation=cv2.INTER_AREA) for half in halves])
    return encode_picture(np.asarray(whole, np.uint8), "JPEG")


def shoot(person: Person, path: Path) -> None:
    person.page.evaluate("document.activeElement.blur(); scrollTo(0, 0)")
    person.page.wait_for_load_state("networkidle")
    person.page.screenshot(path=path, type="jpeg", quality=QUALITY)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=Path, default=Path("docs"))
    output = parser.parse_args().output
    photo = two_people()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        browser = stack.enter_context(browsing())
        if browser is None:
            sys.exit("This needs Chromium.")
        alice, bob = (
            sit_down(browser, stack.enter_context(serving_page(folder / name)), name, VIEW) for name in ("Alice", "Bob")
        )
        introduce(alice, bob)
        bob.go("contacts")
        bob.page.click(".people a")
        bob.press("All of them match")
        bob.page.wait_for_selector("text=You have compared them.")
        alice.choose("holiday.jpg", photo)
        alice.page.fill("#caption", "Look where we are")
        shoot(alice, output / "page-choose.jpg")
        alice.hide()
        shoot(alice, output / "page-cover.jpg")
        name, picture = alice.saved("Save")
        bob.open(name, picture)
        bob.page.wait_for_selector("blockquote", timeout=PATIENCE)
        shoot(bob, output / "page-open.jpg")
        for person in (alice, bob):
            person.context.close()


if __name__ == "__main__":
    main()

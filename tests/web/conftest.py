"""What the page's tests share: a browser, and people who sit at their pages in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from playwright.sync_api import Browser
from stylecrypt_web import serving

from stylecrypt_msg.models import FaceModel
from stylecrypt_msg.pictures import encode_picture

from ..conftest import People
from ..support.quickly import shortened
from .accessibility import axe_script
from .people import Person, browsing, introduce, serving_page, sit_down


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    with browsing() as browser:
        if browser is None:
            pytest.skip("chromium is not installed")
        yield browser


@pytest.fixture(scope="package")
def one_model(default_model: FaceModel) -> Iterator[None]:
    """The other tests' model, with short descents."""
    with shortened():
        yield


@pytest.fixture(scope="package")
def axe(tmp_path_factory: pytest.TempPathFactory) -> str | None:
    return axe_script(tmp_path_factory.mktemp("axe"))


@pytest.fixture(scope="session")
def photo(people: People) -> bytes:
    return encode_picture(people.photo, "JPEG")


@pytest.fixture(scope="session")
def group(people: People) -> bytes:
    return encode_picture(people.group, "PNG")


Serve = Callable[..., serving.Page]


@pytest.fixture(scope="module")
def serve(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serve]:
    """Starts a server for a profile in a folder, by default an empty one."""
    with ExitStack() as running:

        def start(folder: Path | None = None) -> serving.Page:
            folder = folder or tmp_path_factory.mktemp("profile") / "profile"
            return running.enter_context(serving_page(folder))

        yield start


Meet = Callable[[str], Person]


@pytest.fixture(scope="module")
def meet(browser: Browser, one_model: None, serve: Serve) -> Iterator[Meet]:
    """A new person: their server, their browser, their profile."""
    met: list[Person] = []

    def somebody(name: str) -> Person:
        met.append(sit_down(browser, serve(), name))
        return met[-1]

    yield somebody
    for person in met:
        person.context.close()
        assert person.complaints == [], person.name


@pytest.fixture(scope="module")
def couple(meet: Meet) -> tuple[Person, Person]:
    """Alice and Bob, who are contacts."""
    alice, bob = meet("Alice"), meet("Bob")
    introduce(alice, bob)
    return alice, bob

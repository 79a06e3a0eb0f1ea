"""Who is let in: one browser of this machine, and nobody else."""

from __future__ import annotations

import http.client
import socket
import tempfile
import time
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from stylecrypt_web import uploads
from stylecrypt_web.serving import Page

from stylecrypt_msg.files import MAX_FILE_BYTES
from stylecrypt_msg.sdk import StyleCrypt

from .conftest import Serve
from .people import PASSPHRASE

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


class Answer:
    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status, self.headers = response.status, response.headers
        self.text = response.read().decode(errors="replace")


class Browser:
    """What a browser sends; the test may lie about anything."""

    def __init__(self, served: Page) -> None:
        self.served, self.gate = served, served.gate
        self.cookie = ""

    def ask(self, path: str, method: str = "GET", body: Any = None, **headers: str | None) -> Answer:
        told: dict[str, str | None] = {"Host": self.gate.host, "Cookie": self.cookie, "Sec-Fetch-Site": "same-origin"}
        if method == "POST":
            told |= FORM | {"Origin": f"http://{self.gate.host}"}
        told |= {name.replace("_", "-"): value for name, value in headers.items()}
        connection = http.client.HTTPConnection(self.gate.host, timeout=60)
        try:
            connection.request(method, path, body, {name: value for name, value in told.items() if value is not None})
            return Answer(connection.getresponse())
        finally:
            connection.close()

    def enter(self) -> Answer:
        answer = self.ask(f"/enter?token={self.gate.token}", Sec_Fetch_Site="none")
        if "Set-Cookie" in answer.headers:
            self.cookie = answer.headers["Set-Cookie"].partition(";")[0]
        return answer

    def post(self, path: str, body: str, **headers: str | None) -> Answer:
        return self.ask(self.gate.place + path, "POST", f"csrf={self.gate.csrf}&{body}", **headers)


@pytest.fixture(scope="module")
def alice(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("alice") / "profile"
    StyleCrypt.create(folder, name="Alice", passphrase=PASSPHRASE).close()
    return folder


@pytest.fixture(scope="module")
def inside(serve: Serve, alice: Path) -> Browser:
    """A browser that was let in, with the profile unlocked."""
    browser = Browser(serve(alice))
    assert browser.enter().status == 200
    assert browser.post("/unlock", f"passphrase={PASSPHRASE.replace(' ', '+')}").status == 303
    return browser


def test_the_token_works_once_and_stays_in_the_cookie_alone(serve: Serve) -> None:
    browser = Browser(serve())
    token = browser.gate.token
    answer = browser.enter()
    assert answer.status == 200
    cookie = answer.headers["Set-Cookie"].lower()
    assert {"httponly", "samesite=strict", f"path={browser.gate.place.lower()}"} <= set(cookie.split("; "))
    assert token not in answer.text and token not in cookie
    again = Browser(browser.served).ask(f"/enter?token={token}")
    assert again.status == 403 and "it works once" in again.text and "Set-Cookie" not in again.headers
    assert browser.ask(browser.gate.place + "/").status == 303  # the first one is still in


def test_without_the_token_there_is_a_plain_word_and_nothing_else(inside: Browser) -> None:
    stranger = Browser(inside.served)
    for path in ("/", inside.gate.place + "/contacts", inside.gate.place + "/", "/enter?token=guess", "/enter"):
        answer = stranger.ask(path)
        assert answer.status == 403
        assert "This page is not for you" in answer.text
        assert inside.gate.place not in answer.text.replace(path, "") and inside.gate.csrf not in answer.text
    stranger.cookie = "stylecrypt=guess"
    assert stranger.ask(inside.gate.place + "/contacts").status == 403
    assert inside.ask(inside.gate.place + "/contacts").status == 200


@pytest.mark.parametrize("host", ["evil.example", "localhost", "127.0.0.1", "127.0.0.1:1", "[::1]"])
def test_another_host_name_is_refused(inside: Browser, host: str) -> None:
    """DNS rebinding: the browser believes that it talks to somebody else."""
    answer = inside.ask(inside.gate.place + "/contacts", Host=host)
    assert answer.status == 403 and "Alice" not in answer.text


@pytest.mark.parametrize(
    "lies",
    [
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},  # a page at another port
        {"Sec_Fetch_Site": "cross-site", "Origin": "null"},
        {"Sec_Fetch_Site": None, "Origin": "http://evil.example"},
        {"Sec_Fetch_Site": None, "Origin": "null"},
        {"Sec_Fetch_Site": None, "Origin": None},
    ],
)
def test_a_form_from_elsewhere_does_nothing(inside: Browser, lies: dict[str, str | None]) -> None:
    assert inside.post("/lock", "", **lies).status == 403
    assert inside.ask(inside.gate.place + "/contacts").status == 200


def test_a_page_elsewhere_reads_nothing(inside: Browser) -> None:
    answer = inside.ask(inside.gate.place + "/contacts", Sec_Fetch_Site="cross-site")
    assert answer.status == 403 and "Alice" not in answer.text


@pytest.mark.parametrize("body", ["", "csrf=", "csrf=guess", "csrf=%C3%A4"])
def test_a_form_without_the_pages_own_secret_does_nothing(inside: Browser, body: str) -> None:
    answer = inside.ask(inside.gate.place + "/lock", "POST", body)
    assert answer.status == 403 and "The form does not come from this page" in answer.text
    assert inside.ask(inside.gate.place + "/contacts").status == 200


def test_every_answer_forbids_what_it_can(inside: Browser) -> None:
    place = inside.gate.place
    paths = ("/", "/static/page.js", f"{place}/contacts", f"{place}/card/qr.svg", f"{place}/no", f"{place}/card/file")
    for path in paths:
        headers = inside.ask(path).headers
        policy = dict(part.split(" ", 1) for part in headers["Content-Security-Policy"].split("; "))
        assert policy["default-src"] == policy["base-uri"] == policy["frame-ancestors"] == "'none'"
        assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == policy["form-action"] == "'self'"
        assert headers["Cache-Control"] == "no-store"
        assert headers["X-Frame-Options"] == "DENY"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["Cross-Origin-Opener-Policy"] == headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert "server" not in headers
    assert "attachment" in inside.ask(f"{place}/card/file").headers["Content-Disposition"]


def test_nobody_on_the_network_reaches_it(inside: Browser) -> None:
    name = inside.served._socket.getsockname()
    assert name[0] == "127.0.0.1"
    others = {info[4][0] for info in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)} - {"127.0.0.1"}
    for address in others:
        with pytest.raises(OSError):
            socket.create_connection((str(address), name[1]), timeout=5).close()


def test_a_wrong_passphrase_opens_nothing(serve: Serve, alice: Path) -> None:
    browser = Browser(serve(alice))
    browser.enter()
    answer = browser.post("/unlock", "passphrase=wrong")
    assert answer.status == 422 and "The passphrase is wrong." in answer.text
    assert browser.ask(browser.gate.place + "/contacts").status == 303


@contextmanager
def nothing_on_the_disk() -> Iterator[None]:
    """Fails when something opens a temporary file."""
    with pytest.MonkeyPatch.context() as patch:

        def refuse(*_: object, **__: object) -> None:
            raise AssertionError("a temporary file")

        for made in ("TemporaryFile", "NamedTemporaryFile", "mkstemp"):
            patch.setattr(tempfile, made, refuse)
        yield


def upload(inside: Browser, size: int) -> Answer:
    head = (
        f'--b\r\nContent-Disposition: form-data; name="csrf"\r\n\r\n{inside.gate.csrf}\r\n'
        '--b\r\nContent-Disposition: form-data; name="file"; filename="x.jpg"\r\n\r\n'
    ).encode()

    def parts() -> Iterator[bytes]:
        yield head
        for start in range(0, size, 2**20):
            yield bytes(min(2**20, size - start))
        yield b"\r\n--b--\r\n"

    return inside.ask(
        inside.gate.place + "/send",
        "POST",
        parts(),
        Content_Type="multipart/form-data; boundary=b",
        Content_Length=str(len(head) + size + 9),
    )


def test_uploads_stay_in_memory(inside: Browser) -> None:
    with nothing_on_the_disk():
        assert upload(inside, 5 * 2**20).status == 303


def test_an_upload_that_is_too_large_is_refused_in_words(inside: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "_MAX_FORM", 2 * 2**20)
    answer = upload(inside, 8 * 2**20)
    assert answer.status == 422
    assert f"The picture file is larger than {MAX_FILE_BYTES // 2**20} MB." in answer.text


def test_what_is_no_form_is_refused_in_words(inside: Browser) -> None:
    answer = inside.ask(inside.gate.place + "/send", "POST", b"\0" * 99, Content_Type="multipart/form-data; boundary=b")
    assert answer.status == 422 and "The form cannot be read." in answer.text


def test_a_profile_out_of_use_is_locked_and_its_photos_are_dropped(serve: Serve, alice: Path) -> None:
    browser = Browser(serve(alice))
    browser.enter()
    browser.post("/unlock", f"passphrase={PASSPHRASE.replace(' ', '+')}")
    upload(browser, 100)
    session = browser.served.session
    assert session.is_open and session._held
    session.idle = 0.5
    until = time.monotonic() + 60
    while session.is_open:
        assert time.monotonic() < until
        browser.ask(browser.gate.place + "/state")  # the page's own question is no use
        time.sleep(0.1)  # it is asked again and again, as the page does
    assert not session._held
    answer = browser.ask(browser.gate.place + "/state")
    assert '"locked":true' in answer.text
    assert browser.ask(browser.gate.place + "/contacts").status == 303


def test_the_program_opens_the_browser_without_telling_other_users_the_token(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    opened: list[str] = []
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(webbrowser, "open", opened.append)
    served = serve()
    served.open_browser()
    [link] = tmp_path.glob("*.html")
    assert opened == [link.as_uri()]
    assert served.gate.token not in opened[0]
    assert link.stat().st_mode & 0o777 == 0o600
    assert served.gate.token in link.read_text()
    Browser(served).enter()
    until = time.monotonic() + 60
    while link.exists():
        assert time.monotonic() < until
        time.sleep(0.05)  # until the watcher has seen it

"""Covers made by a server: what its clients get, what it refuses, what it never does."""

from __future__ import annotations

import asyncio
import json
import os
import re
import secrets
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import httpx2
import numpy as np
import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate
from starlette.testclient import TestClient
from stylecrypt_protocol import Level
from stylecrypt_serve import wire, work
from stylecrypt_serve.app import make_app
from stylecrypt_serve.client import CoverService
from stylecrypt_serve.limits import Limits
from stylecrypt_serve.tokens import Tokens
from stylecrypt_serve.wire import COVERS, CoverRequest
from stylecrypt_serve.work import MAX_PIXELS, Result

from stylecrypt_msg import StyleCrypt
from stylecrypt_msg.cipher import Unreplaced
from stylecrypt_msg.covering import CoverOrder
from stylecrypt_msg.errors import FaceError, InputError, NetworkError, NotAuthorisedError
from stylecrypt_msg.faces import Refusal
from stylecrypt_msg.models import FaceModel, model_cache
from stylecrypt_msg.pictures import Pixels, encode_picture, read_picture
from stylecrypt_msg.progress import silent

from ..conftest import People
from ..support.photographs import as_jpeg, astronaut, psnr

pytestmark = pytest.mark.model
TOKEN = secrets.token_hex(32)
OFF_LINE = "http://127.0.0.1:9"


@dataclass(frozen=True)
class Server:
    url: str
    process: subprocess.Popen[str]

    def post(self, token: str = TOKEN, **form: Any) -> httpx2.Response:
        files = [(name, (None if isinstance(value, str) else name, value)) for name, value in form.items()]
        headers = {"Authorization": f"Bearer {token}"}
        return httpx2.post(self.url + COVERS, files=files, headers=headers, timeout=120)

    def numbers(self) -> str:
        return httpx2.get(self.url + "/metrics", headers={"Authorization": f"bearer {TOKEN}"}).text

    def worker(self) -> int:
        """The id of its only worker."""
        found = subprocess.run(
            ["pgrep", "-P", str(self.process.pid), "-f", "spawn_main"], capture_output=True, text=True
        )
        return int(found.stdout.split()[0])


@pytest.fixture(scope="module")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tokens") / "tokens"
    path.touch(0o600)
    path.write_text(f"# the bridge\n{TOKEN}\n")
    return path


@pytest.fixture(scope="module")
def server(tokens: Path) -> Iterator[Server]:
    """One, with one worker, for the whole file."""
    command = Path(sys.executable).with_name("stylecrypt"), "serve", "--tokens", tokens, "--port", "0", "--workers", "1"
    with subprocess.Popen([*command, "--each", "2"], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            said = process.stdout.readline()
            yield Server(re.findall(r"http://\S+\d", said)[0], process)
        finally:
            process.kill()


@pytest.fixture(scope="module")
def photo() -> Pixels:
    return np.asarray(cv2.resize(astronaut()[:300, 60:400], None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC), np.uint8)


@pytest.fixture(scope="module")
def file(photo: Pixels) -> bytes:
    return as_jpeg(photo, quality=92)


@pytest.fixture
def no_model(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(name: str) -> None:
        raise AssertionError("a model was loaded here")

    monkeypatch.setattr(model_cache, "load_model", load)
    monkeypatch.setattr("stylecrypt_msg.sdk._MODELS", model_cache.ModelCache())


@pytest.mark.usefixtures("no_model")
def test_friends_open_what_the_server_covered(server: Server, file: bytes, photo: Pixels, tmp_path: Path) -> None:
    with CoverService(server.url, TOKEN) as covers, StyleCrypt.create(tmp_path / "bob", name="Bob") as bob:
        StyleCrypt.create(tmp_path / "alice", name="Alice").close()
        with StyleCrypt(tmp_path / "alice", covers=covers) as alice:
            alice.add_contact(bob.profile.card, trust=True)
            bob.add_contact(alice.profile.card)
            sent = alice.encrypt(file, ["Bob"], caption="secret")
            again = alice.encrypt(file, ["Bob"], form="portrait")
            with pytest.raises(FaceError, match="no face 7") as refusal:
                alice.encrypt(file, ["Bob"], only=[7])
        got, portrait = bob.decrypt(sent), bob.decrypt(again)
    assert refusal.value.hint == "Faces are counted from 1, left to right."
    assert (got.level, got.cover, got.caption, got.sender and got.sender.name) == (
        "original",
        "exact",
        "secret",
        "Alice",
    )
    assert psnr(got.pixels, photo) > 40  # the file's own loss
    assert sent.leaks.faces == "1 of 1 faces replaced" and not sent.leaks.looks_like_sender
    assert {one.recogniser for one in sent.leaks.likenesses} >= {"SFace"}
    cover = read_picture(sent.picture).pixels
    assert cover.shape == photo.shape
    changed = np.abs(cover.astype(int) - photo)
    assert changed[140:260, 270:390].mean() > 8 > 4 > changed[420:].mean()  # the face, and not the suit
    assert again.form == "portrait" and again.stand_in == sent.stand_in  # the conversation keeps what it showed first
    assert portrait.level == "original"


def test_the_description_holds(server: Server, file: bytes, tokens: Path) -> None:
    described = httpx2.get(server.url + "/openapi.json").json()
    validate(described)
    app = make_app(Tokens(tokens), Still(), Limits())
    assert {getattr(route, "path", "") for route in app.routes} == set(described["paths"])
    asked: dict[str, Any] = {
        "photo": file,
        "stand_in": "x",
        "picture": "PNG",
        "only": "1",
        "known": "true",
        "force": "1",
    }
    covered = server.post(**asked)
    for answer, status in (
        (covered, 200),
        (server.post(token="0" * 64, photo=file), 401),
        (server.post(photo=file, colour="red"), 400),
        (server.post(photo=file, level="best"), 400),
        (server.post(photo=b"no picture"), 422),
        (server.post(photo=encode_picture(np.zeros((1, MAX_PIXELS + 1, 3), np.uint8)[:, :16000], "PNG")), 422),
        (server.post(photo=bytes(33 * 2**20)), 413),
    ):
        assert answer.status_code == status, answer.text
        (schema,) = described["paths"][COVERS]["post"]["responses"][str(status)]["content"].values()
        whole = {"$ref": schema["schema"]["$ref"], "components": described["components"]}
        Draft202012Validator(whole).validate(answer.json())
        assert answer.headers["cache-control"] == "no-store"
    assert covered.json()["stand_ins"] == ["x"] and covered.json()["shown"] == [0]
    assert "sees the photos" in httpx2.get(server.url + "/").text
    assert 'stylecrypt_serve_answers_total{status="422"}' in server.numbers()
    assert httpx2.get(server.url + "/metrics").status_code == 401
    assert httpx2.get(server.url + "/health").text == "ok\n"


def test_a_killed_worker_costs_nobody_a_photo(server: Server, file: bytes) -> None:
    with ThreadPoolExecutor(1) as elsewhere:
        answer = elsewhere.submit(server.post, photo=file)
        while "stylecrypt_serve_busy 1.0" not in server.numbers() and not answer.done():
            pass
        os.kill(server.worker(), signal.SIGKILL)
        assert answer.result().status_code == 200


def test_it_answers_before_it_ends(server: Server, file: bytes) -> None:
    """The last test that needs the server."""
    with ThreadPoolExecutor(1) as elsewhere:
        answer = elsewhere.submit(server.post, photo=file)
        while "stylecrypt_serve_busy 1.0" not in server.numbers() and not answer.done():
            pass
        server.process.terminate()
        assert answer.result().status_code == 200
    assert server.process.wait() == 0


# ---- in this process


class Here:
    """A worker with the other tests' model."""

    count = 1

    async def answer(self, form: CoverRequest) -> Result:
        return work.answer(form)

    def close(self) -> None: ...


@pytest.mark.usefixtures("short_descents")
def test_people_are_chosen_and_styles_come_back(
    default_model: FaceModel, people: People, tokens: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work.begin("default")
    covers = CoverService(OFF_LINE, TOKEN)
    covers._http = TestClient(make_app(Tokens(tokens), Here(), Limits()), headers=dict(covers._http.headers))
    order = CoverOrder(
        pixels=people.group, key_faces=[people.bea], level=Level.LATENT, only=[people.ann], others="blur", force=True
    )
    cover = covers(order)
    seen = read_picture(
        encode_picture(order.pixels, "JPEG")
    ).pixels  # what the server gets, and nothing else of the file
    here = work._here[0].cover(replace(order, pixels=seen), silent)
    assert (
        (cover.found, cover.blurred, cover.shown) == (here.found, here.blurred, here.shown) == (2, ((2, None),), (0,))
    )
    assert cover.styles is not None and cover.styles == here.styles
    assert cover.mask == here.mask and np.array_equal(cover.quads, here.quads)
    assert psnr(cover.pixels, here.pixels) > 40
    covers.close()


def test_reasons_travel_by_name() -> None:
    """Their sentences may change on one side only."""
    for number, reason in enumerate(Refusal, 1):
        sent = wire._unreplaced(Unreplaced(number, reason)).model_dump_json()
        assert f'"{reason.name}"' in sent and reason.value not in sent
        assert wire._unreplaced_of(wire._Unreplaced.model_validate_json(sent)) == Unreplaced(number, reason)


# ---- without workers


class Still:
    """Workers that only work when they are told to."""

    count = 1

    def __init__(self) -> None:
        self.go = asyncio.Event()
        self.began = 0
        self.stopped = 0

    async def answer(self, form: CoverRequest) -> Result:
        self.began += 1
        try:
            await self.go.wait()
        except asyncio.CancelledError:
            self.stopped += 1
            raise
        return Result(200, b"{}")

    def close(self) -> None: ...


@asynccontextmanager
async def asking(tokens: Path, workers: Still, **limits: Any) -> AsyncIterator[httpx2.AsyncClient]:
    transport = httpx2.ASGITransport(make_app(Tokens(tokens), workers, Limits(**limits)))
    headers = {"Authorization": f"Bearer {TOKEN}"}
    async with httpx2.AsyncClient(transport=transport, base_url="http://here", headers=headers) as client:
        yield client


@pytest.mark.parametrize(("limits", "status"), [({"each": 2}, 429), ({"waiting": 1}, 503)])
async def test_it_takes_on_no_more_than_it_can(tokens: Path, limits: dict[str, int], status: int) -> None:
    workers = Still()
    async with asking(tokens, workers, **limits) as client:
        inside = [asyncio.create_task(client.post(COVERS, files={"photo": b"x"})) for _ in range(2)]
        while not workers.began:
            await asyncio.sleep(0)
        refused = await client.post(COVERS, files={"photo": b"x"})
        assert refused.status_code == status and int(refused.headers["retry-after"]) >= 1
        assert workers.began == 1
        workers.go.set()
        assert [(await one).status_code for one in inside] == [200, 200]
        assert (await client.post(COVERS, files={"photo": b"x"})).status_code == 200


async def test_what_takes_too_long_is_stopped(tokens: Path) -> None:
    workers = Still()
    async with asking(tokens, workers, seconds=0.05) as client:
        assert (await client.post(COVERS, files={"photo": b"x"})).status_code == 504
    assert (workers.began, workers.stopped) == (1, 1)


async def test_no_photo_is_written_to_the_disk(tokens: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rolled: list[object] = []
    monkeypatch.setattr(tempfile.SpooledTemporaryFile, "rollover", rolled.append)
    workers = Still()
    workers.go.set()
    async with asking(tokens, workers) as client:
        assert (await client.post(COVERS, files={"photo": bytes(20 * 2**20)})).status_code == 200
    assert rolled == []


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (200, b"<html>", NetworkError),
        (200, b"{}", NetworkError),
        (422, json.dumps({"kind": "SystemExit", "message": "x"}).encode(), NetworkError),
        (500, json.dumps({"kind": "InputError", "message": "x"}).encode(), NetworkError),
        (401, json.dumps({"kind": "InputError", "message": "x"}).encode(), NotAuthorisedError),
    ],
)
def test_nothing_comes_of_a_bad_answer(
    status: int, body: bytes, error: type[Exception], photo: Pixels, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    covers = CoverService(OFF_LINE, TOKEN)
    covers._http = httpx2.Client(
        base_url=OFF_LINE, transport=httpx2.MockTransport(lambda request: httpx2.Response(status, content=body))
    )
    StyleCrypt.create(tmp_path / "alice", name="Alice").close()
    with StyleCrypt(tmp_path / "alice", covers=covers) as alice, pytest.raises(error):
        alice.encrypt(photo, level="keyface")


def test_photos_go_nowhere_without_tls() -> None:
    with pytest.raises(InputError, match="without TLS"):
        CoverService("http://covers.example", TOKEN)
    CoverService("https://covers.example", TOKEN).close()


def test_tokens_are_kept_from_others(tokens: Path, tmp_path: Path) -> None:
    assert Tokens(tokens).client(f"Bearer {TOKEN}") == "0"
    assert Tokens(tokens).client(f"Basic {TOKEN}") is Tokens(tokens).client("Bearer ") is None
    shown = tmp_path / "shown"
    shown.write_text(TOKEN)
    shown.chmod(0o644)
    with pytest.raises(InputError, match="Others may read"):
        Tokens(shown)
    shown.chmod(0o600)
    shown.write_text("short\n")
    with pytest.raises(InputError, match="32 characters"):
        Tokens(shown)

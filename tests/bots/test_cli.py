"""`stylecrypt bot`, as an operator uses it: set it up, check it, run it, look at its health, stop it."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import pty
import re
import signal
import socket
import subprocess
import termios
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml
from stylecrypt_bots import logs

from stylecrypt_msg.errors import NetworkError
from stylecrypt_msg.profile import Profile
from stylecrypt_msg.transports.matrix.account import Account

from ..support.bot_command import COMMAND, SECRETS, Ended, stylecrypt
from ..support.people import PATIENCE, Household, Person
from ..support.synapse import Homeserver


class Operator:
    """Somebody with a server to run bots on."""

    def __init__(self, server: Homeserver, folder: Path) -> None:
        self.server, self.folder = server, folder
        self.owner, self.bot = server.register("owner"), server.register("bot")
        self.config, self.profile = folder / "bot.yaml", folder / "profile"

    def new(self, **changes: Any) -> None:
        values = {"homeserver": self.server.url, "user_id": self.bot.id, "owner": self.owner.id, "profile": "profile"}
        self.config.write_text(yaml.safe_dump(values | changes))

    def setup(self, *options: object, **more: Any) -> Ended:
        env = {"STYLECRYPT_MATRIX_PASSWORD": self.bot.password, **more.pop("env", {})}
        return stylecrypt("bot", "setup", "-c", self.config, "--name", "Ann", *options, env=env, **more)

    def check(self, **more: Any) -> list[dict[str, str]]:
        found: list[dict[str, str]] = json.loads(stylecrypt("bot", "check", "-c", self.config, "--json", **more).out)
        return found


@pytest.fixture
def operator(homeserver: Homeserver, tmp_path: Path) -> Operator:
    return Operator(homeserver, tmp_path)


def test_an_account_that_another_program_gave_cross_signing_keys(operator: Operator) -> None:
    """They are replaced if the operator says so, with the password. Until then, apps may hide what the bot posts."""

    async def use_another_program() -> None:
        await (await Person.log_in(operator.server, operator.bot, operator.folder)).session.close()

    def signed(**more: int) -> dict[str, str]:
        return next(check for check in operator.check(**more) if check["what"] == "cross-signing")

    operator.new()
    asyncio.run(use_another_program())
    done = operator.setup("--json")
    assert json.loads(done.out)["signed"] is False
    assert "another program made them" in done.err
    assert "--replace-identity" in done.err
    found = signed(code=1)
    assert (found["state"], "--replace-identity" in found["remedy"]) == ("broken", True)
    with Profile.open(operator.profile, lambda: "open sesame") as profile:
        token = profile.setting(f"bot token {operator.bot.id}")
    assert token is not None
    done = operator.setup("--replace-identity", env={"STYLECRYPT_MATRIX_TOKEN": token})
    assert "wants the password" in done.err
    done = operator.setup("--replace-identity", "--json")
    assert (json.loads(done.out)["signed"], done.err) == (True, "")
    assert signed(code=1)["state"] == "ok"  # there is no control room yet


def test_setup_makes_what_is_missing(operator: Operator) -> None:
    done = stylecrypt(
        "--profile",
        operator.profile,
        "bot",
        "setup",
        "-c",
        operator.config,
        "--homeserver",
        operator.server.url,
        "--user",
        operator.bot.id,
        "--owner",
        operator.owner.id,
        "--name",
        "Ann",
        "--json",
        env={"STYLECRYPT_MATRIX_PASSWORD": operator.bot.password},
    )
    result = json.loads(done.out)
    assert result["user"] == operator.bot.id
    assert yaml.safe_load(operator.config.read_text())["owner"] == operator.owner.id
    with Profile.open(operator.profile, lambda: "open sesame") as profile:
        assert profile.locked
        assert profile.card.user_id == operator.bot.id
    for secret in (operator.bot.password, "open sesame"):
        assert secret not in done.out + done.err + operator.config.read_text()
    # Once more: on the same device.
    again = json.loads(
        stylecrypt(
            "--profile",
            operator.profile,
            "bot",
            "setup",
            "-c",
            operator.config,
            "--json",
            env={"STYLECRYPT_MATRIX_PASSWORD": operator.bot.password},
        ).out
    )
    assert again["device"] == result["device"]
    asked = stylecrypt("bot", "setup", "-c", operator.config, "--owner", "@x:y", code=1)
    assert "is there already" in asked.err


def test_setup_that_ends_between_two_requests_loses_no_keys(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server has cross-signing keys by then, and takes no others without a password and somebody's word."""
    operator.new()
    with monkeypatch.context() as patch:
        patch.setattr(Account, "_sign", never_answered)
        operator.setup(code=3)
    assert json.loads(operator.setup("--json").out)["signed"] is True


def test_a_recovery_key_sets_the_bot_up_on_another_machine(operator: Operator) -> None:
    def restore(recovery: str | None, **more: Any) -> Ended:
        env = {} if recovery is None else {"STYLECRYPT_RECOVERY_KEY": recovery}
        return operator.setup("--restore", "--json", env=env, **more)

    operator.new()
    assert "recovery_key" not in json.loads(operator.setup("--json").out)
    first, second = (json.loads(operator.setup("--key-backup", "--json").out)["recovery_key"] for _ in range(2))
    for path in operator.profile.rglob("*"):
        assert not path.is_file() or second.encode() not in path.read_bytes()
    operator.new(profile="elsewhere")
    assert "no terminal to ask for it" in restore(None, code=4).err
    assert "a slip in it" in restore(second[:-1], code=1).err
    assert not (operator.folder / "elsewhere").exists()
    assert "This is not the recovery key of" in restore(first, code=4).err
    done = restore(second)
    assert (json.loads(done.out)["signed"], done.err) == (True, "")
    assert second not in done.out
    # A backup that somebody else made: nothing goes there before the operator says so.
    new = {
        "algorithm": "m.megolm_backup.v1.curve25519-aes-sha2",
        "auth_data": {"public_key": "hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo", "signatures": {}},
    }
    operator.server.ask("POST", "/_matrix/client/v3/room_keys/version", new, operator.bot)
    broken = [check for check in operator.check(code=1) if check["what"] == "key backup"]
    assert ["--key-backup" in check["remedy"] for check in broken] == [True]
    assert "Recovery key: Es" in operator.setup("--key-backup").out
    assert [check["state"] for check in operator.check(code=1) if check["what"] == "key backup"] == ["ok"]


def test_an_empty_line_is_no_recovery_key(operator: Operator) -> None:
    operator.new()
    terminal, there = pty.openpty()
    command = [*COMMAND, "bot", "setup", "-c", str(operator.config), "--restore"]
    environment = {name: value for name, value in os.environ.items() if name != "STYLECRYPT_RECOVERY_KEY"}
    with (
        os.fdopen(terminal, "wb", buffering=0) as keyboard,
        subprocess.Popen(
            command, env=environment, stdin=there, stderr=subprocess.PIPE, start_new_session=True
        ) as process,
    ):
        os.close(there)
        assert process.stderr is not None
        said = b""
        while b"Recovery key of" not in said:
            said += (more := os.read(process.stderr.fileno(), 4096))
            assert more, said
        while termios.tcgetattr(keyboard)[3] & termios.ECHO:  # what is typed before is discarded
            time.sleep(0.01)
        keyboard.write(b"\n")
        assert b"This is not a recovery key" in process.stderr.read()


async def never_answered(*_: object) -> None:
    raise NetworkError("The server does not answer.")


def test_setup_by_token_by_file_descriptor_and_without_any(operator: Operator) -> None:
    operator.new()
    asked = stylecrypt("bot", "setup", "-c", operator.config, "--name", "Ann", code=4)
    assert "there is no terminal to ask for it" in asked.err
    wrong = operator.setup(env={"STYLECRYPT_MATRIX_TOKEN": "syt_wrong"}, code=3)
    assert "does not accept the access token" in wrong.err
    assert not operator.profile.exists()
    secret = operator.folder / "secret"
    secret.write_text(f"{operator.bot.password}\n")
    with secret.open() as file:
        operator.setup("--password-fd", file.fileno(), env={"STYLECRYPT_MATRIX_PASSWORD": ""})
    own = operator.server.ask(
        "POST",
        "/_matrix/client/v3/login",
        {
            "type": "m.login.password",
            "identifier": {"type": "m.id.user", "user": operator.bot.id},
            "password": operator.bot.password,
        },
    )
    other = stylecrypt(
        "bot", "setup", "-c", operator.config, env={"STYLECRYPT_MATRIX_TOKEN": own["access_token"]}, code=1
    )
    assert "holds the keys of" in other.err


def test_setup_with_a_browser(operator: Operator) -> None:
    operator.new()
    process = subprocess.Popen(
        [*COMMAND, "bot", "setup", "-c", str(operator.config), "--name", "Ann", "--sso"],
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **SECRETS},
    )
    assert process.stderr is not None
    line = process.stderr.readline()
    address = urllib.parse.urlsplit(line.split()[-1])
    assert address.path == "/_matrix/client/v3/login/sso/redirect"
    back = urllib.parse.parse_qs(address.query)["redirectUrl"][0]
    # What server and browser do once somebody has logged in there.
    token = operator.server.ask("POST", "/_matrix/client/v1/login/get_token", {}, operator.bot)["login_token"]
    with pytest.raises(urllib.error.HTTPError):
        fetched(back.rsplit("/", 1)[0] + "/?loginToken=stolen")
    assert "You are logged in" in fetched(f"{back}?loginToken={token}")
    out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, err
    assert f"{operator.bot.id} is logged in" in out
    assert [finding["state"] for finding in operator.check(code=1)] == ["ok", "ok", "ok", "missing"]


@contextmanager
def web_server(**answers: object) -> Iterator[str]:
    """The address of one that answers with JSON at the paths that end like this, and with a page elsewhere."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = answers.get(self.path.rsplit("/", 1)[-1])
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"<html>" if found is None else json.dumps(found).encode())

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def test_setup_that_fails_leaves_nothing_and_says_why(operator: Operator) -> None:
    """So that the corrected command can follow."""

    def refused(code: int, *options: str, **changes: str) -> str:
        values = {"homeserver": operator.server.url, "user": operator.bot.id, "owner": operator.owner.id} | changes
        answers = [part for name, value in values.items() for part in (f"--{name}", value)]
        command = ("--profile", operator.profile, "bot", "setup", "-c", operator.config, "--name", "Ann", *answers)
        env = {"STYLECRYPT_MATRIX_PASSWORD": operator.bot.password if code == 0 else "wrong"}
        said = stylecrypt(*command, *options, env=env, code=code).err
        if code:
            assert list(operator.folder.iterdir()) == []
        return said

    assert "does not answer" in refused(3, homeserver="http://127.0.0.1:1")
    assert "is it http:// ?" in refused(3, homeserver=operator.server.url.replace("http", "https"))
    elsewhere = {"client": {"m.homeserver": {"base_url": "https://matrix.elsewhere"}}}
    with web_server(**elsewhere) as address:
        said = refused(1, homeserver=address)
        assert "is a web server, but no Matrix homeserver" in said
        assert "Its homeserver is https://matrix.elsewhere" in said
    with web_server(versions={"versions": ["v1.11"]}, login={"flows": [{"type": "m.login.password"}]}) as address:
        assert "offers no login with a browser" in refused(1, "--sso", homeserver=address)
    assert "cannot be both the bot and its owner" in refused(1, owner=operator.bot.id)
    assert "knows no @nobody:mx.test" in refused(1, owner="@nobody:mx.test")
    assert "refused to let" in refused(3)
    said = refused(0)
    assert "!card send" in said
    assert "!trust" in said
    assert operator.config.exists()


def test_check_says_what_is_wrong(operator: Operator) -> None:
    plain = operator.server.room(operator.owner, operator.bot)
    elsewhere = operator.server.room(operator.owner)
    rooms = {"family": {"room": plain}, "other": {"room": elsewhere}}
    operator.new(rooms=rooms)
    operator.setup()
    found = {finding["what"]: finding for finding in operator.check(code=1)}
    assert found["login"]["state"] == "ok"
    assert found["control room"]["state"] == "missing"
    assert found["#family"]["detail"] == "2 people, not encrypted"
    assert (found["#other"]["state"], found["#other"]["remedy"] != "") == ("broken", True)
    operator.new(control_room=plain)
    assert {finding["what"]: finding["state"] for finding in operator.check(code=1)}["control room"] == "broken"
    operator.new(user_id="@other:mx.test")
    assert "is not set up" in str(operator.check(code=1))


def test_run_and_stop(operator: Operator) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    operator.new(health={"port": port}, heartbeat="alive", log_level="debug")
    operator.setup()
    started = time.time()
    log = (operator.folder / "log").open("w")
    process = subprocess.Popen(
        [*COMMAND, "bot", "run", "-c", str(operator.config)], stderr=log, stdout=log, env={**os.environ, **SECRETS}
    )
    try:
        health = _ask(f"http://127.0.0.1:{port}/health")
        assert health["status"] == "ok"
        assert health["problems"] == {}
        metrics = fetched(f"http://127.0.0.1:{port}/metrics")
        assert re.search(r'^stylecrypt_bot_waiting\{where="outbox"\} \d', metrics, re.M)
        assert "process_resident_memory_bytes" in metrics
        # Rooms that are added are there without a restart.
        room = operator.server.room(operator.owner)
        operator.new(health={"port": port}, heartbeat="alive", log_level="debug", rooms={"family": {"room": room}})
        process.send_signal(signal.SIGHUP)
        assert started - 1 < int((operator.folder / "alive").read_text()) <= time.time()
        found = {finding["what"]: finding for finding in operator.check(code=1)}
        assert "the bot is running" in found["login"]["detail"]
        assert operator.owner.id in found["control room"]["detail"]  # who has not joined yet
        second = subprocess.run(
            [*COMMAND, "bot", "run", "-c", str(operator.config)],
            capture_output=True,
            text=True,
            env={**os.environ, **SECRETS},
            timeout=PATIENCE,
        )
        assert second.returncode == 1
        assert f"Nothing can be served at 127.0.0.1:{port}: address already in use." in second.stderr
        with operator.server.stopped():  # it must not wait for a server that is gone
            process.send_signal(signal.SIGTERM)
            assert process.wait(PATIENCE) == 0
    finally:
        process.kill()
    log.close()
    lines = [json.loads(line) for line in (operator.folder / "log").read_text().splitlines()]
    assert (lines[0]["message"], lines[-1]["message"]) == ("started", "stopped")
    assert "the rooms were read again" in [line["message"] for line in lines]
    assert {"time", "level", "user", "device", "control_room"} <= lines[0].keys()
    assert "key" not in operator.check(code=1)[1]["remedy"]  # it is still logged in


def fetched(url: str) -> str:
    with urllib.request.urlopen(url, timeout=30) as answer:  # noqa: S310 - a bot's own
        return str(answer.read().decode())


def _ask(url: str) -> dict[str, Any]:
    """The answer of a bot that is starting."""
    end = time.monotonic() + PATIENCE
    while True:
        try:
            found: dict[str, Any] = json.loads(fetched(url))
            return found
        except OSError as error:  # it is not listening yet, or not healthy yet
            assert time.monotonic() < end, error
            time.sleep(0.2)


def test_logs_tell_nothing_of_what_was_written(
    runner: asyncio.Runner, household: Household, capfd: pytest.CaptureFixture[str]
) -> None:
    logger = logging.getLogger("stylecrypt_bots")
    before = (logger.handlers, logger.propagate, logger.level)
    logs.set_up("DEBUG")

    async def test() -> None:
        await household.ask("!nonsense meet me at noon", "There is no command")
        await household.ask("!card", household.profile.card.user_id)

    try:
        runner.run(test())
    finally:
        logger.handlers, logger.propagate, logger.level = before
    written = capfd.readouterr().err
    assert [line for line in written.splitlines() if json.loads(line)["message"] == "posted"]
    for secret in (
        "noon",
        "nonsense",
        "stylecard1",
        household.profile.setting(f"bot token {household.bot_account.id}"),
    ):
        assert str(secret) not in written

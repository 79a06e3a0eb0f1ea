"""A real homeserver, Synapse, on the loopback interface, for the Matrix tests."""

from __future__ import annotations

import hashlib
import hmac
import importlib.util
import json
import secrets
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from stylecrypt_bots.registration import new_registration

__all__ = ["Homeserver", "User", "homeserver"]

SERVER_NAME = "mx.test"
MAX_UPLOAD = 2_000_000
_SECRET = "test-only"
_MUCH = "{per_second: 10000, burst_count: 10000}"
_CONFIG = """\
server_name: "{name}"
pid_file: {folder}/homeserver.pid
public_baseurl: "http://127.0.0.1:{port}/"
listeners:
  - {{port: {port}, bind_addresses: ["127.0.0.1"], type: http, tls: false, x_forwarded: false,
      resources: [{{names: [client], compress: false}}]}}
database: {{name: sqlite3, args: {{database: {folder}/homeserver.db}}}}
log_config: {folder}/log.yaml
media_store_path: {folder}/media_store
signing_key_path: {folder}/signing.key
registration_shared_secret: "{secret}"
macaroon_secret_key: "x"
form_secret: "y"
bcrypt_rounds: 4
report_stats: false
trusted_key_servers: []
suppress_key_server_warning: true
federation_domain_whitelist: []
send_federation: false
presence: {{enabled: false}}
cas_config: {{enabled: true, server_url: "http://127.0.0.1:1"}}
login_via_existing_session: {{enabled: true, require_ui_auth: false}}
max_upload_size: {max_upload}
app_service_config_files: ["{folder}/registration.yaml"]
rc_message: {much}
rc_registration: {much}
rc_login: {{address: {much}, account: {much}, failed_attempts: {much}}}
rc_joins: {{local: {much}, remote: {much}}}
rc_joins_per_room: {much}
rc_invites: {{per_room: {much}, per_user: {much}, per_issuer: {much}}}
rc_media_create: {much}
rc_room_creation: {much}
"""
_LOG = """\
version: 1
handlers: {{file: {{class: logging.FileHandler, filename: "{folder}/homeserver.log"}}}}
root: {{level: WARNING, handlers: [file]}}
disable_existing_loggers: false
"""


@dataclass(frozen=True)
class User:
    """An account that was made for a test."""

    id: str
    password: str
    access_token: str
    """The token of a separate session."""


class Homeserver:
    """Synapse with an empty database in ``folder``. The only limit on what people send is 2 MB at a time. It knows a service of
    bots by its ``registration``."""

    name = SERVER_NAME
    max_upload = MAX_UPLOAD

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        self._config = folder / "homeserver.yaml"
        self._config.write_text(
            _CONFIG.format(
                folder=folder, port=port, name=SERVER_NAME, secret=_SECRET, max_upload=MAX_UPLOAD, much=_MUCH
            )
        )
        self.registration = folder / "registration.yaml"
        self.registration.write_text(new_registration(SERVER_NAME))
        (folder / "log.yaml").write_text(_LOG.format(folder=folder))
        subprocess.run([*self._command, "--generate-keys"], check=True, capture_output=True)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def _command(self) -> list[str]:
        return [sys.executable, "-m", "synapse.app.homeserver", "-c", str(self._config)]

    def start(self) -> None:
        """Returns when it answers."""
        with (self.folder / "output.log").open("ab") as output:
            self._process = subprocess.Popen(self._command, stdout=output, stderr=output)
        for _ in range(600):
            assert self._process.poll() is None, (self.folder / "output.log").read_text()
            try:
                with urllib.request.urlopen(f"{self.url}/health", timeout=5):  # noqa: S310
                    return
            except (urllib.error.URLError, OSError):
                time.sleep(0.1)
        raise AssertionError("Synapse did not start within a minute")

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(30)
            self._process = None

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """Stops the server within the block. Its data is there again afterwards."""
        self.stop()
        try:
            yield
        finally:
            self.start()

    def register(self, name: str, *, admin: bool = False) -> User:
        """A new account; ``name`` gets a suffix, so that each test has its own."""
        name = f"{name}-{secrets.token_hex(4)}"
        password = secrets.token_hex(8)
        nonce = self.ask("GET", "/_synapse/admin/v1/register")["nonce"]
        signed = "\0".join([nonce, name, password, "admin" if admin else "notadmin"]).encode()
        made = self.ask(
            "POST",
            "/_synapse/admin/v1/register",
            {
                "nonce": nonce,
                "username": name,
                "password": password,
                "admin": admin,
                "mac": hmac.new(_SECRET.encode(), signed, hashlib.sha1).hexdigest(),
            },
        )
        return User(made["user_id"], password, made["access_token"])

    def room(self, owner: User, *members: User, encrypted: bool = False, alias: str | None = None) -> str:
        """The id of a new room that all of them are in."""
        content: dict[str, Any] = {"preset": "private_chat", "invite": [member.id for member in members]}
        if alias is not None:
            content["room_alias_name"] = alias
        if encrypted:
            content["initial_state"] = [
                {"type": "m.room.encryption", "state_key": "", "content": {"algorithm": "m.megolm.v1.aes-sha2"}}
            ]
        room = str(self.ask("POST", "/_matrix/client/v3/createRoom", content, owner)["room_id"])
        for member in members:
            self.ask("POST", f"/_matrix/client/v3/join/{room}", {}, member)
        return room

    def events(self, room: str, user: User) -> list[dict[str, Any]]:
        """The last 100 events of a room as the server stores them, the newest first."""
        path = f"/_matrix/client/v3/rooms/{room}/messages?dir=b&limit=100"
        return list(self.ask("GET", path, None, user)["chunk"])

    def ask(self, method: str, path: str, content: object = None, user: User | None = None) -> dict[str, Any]:
        """A request of the client-server or admin API, with its JSON."""
        headers = {"Authorization": f"Bearer {user.access_token}"} if user else {}
        data = None if content is None else json.dumps(content).encode()
        request = urllib.request.Request(self.url + path, data, headers, method=method)  # noqa: S310
        with urllib.request.urlopen(request, timeout=30) as response:  # noqa: S310
            answer: dict[str, Any] = json.load(response)
            return answer


@pytest.fixture(scope="session")
def homeserver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Homeserver]:
    """The homeserver of all tests; starting it takes 5 to 8 s."""
    if importlib.util.find_spec("synapse") is None:
        pytest.skip("Synapse is not installed: pip install matrix-synapse")
    server = Homeserver(tmp_path_factory.mktemp("synapse"))
    server.start()
    try:
        yield server
    finally:
        server.stop()

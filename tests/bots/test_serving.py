"""`stylecrypt bot register`, `serve`, `export`, `import` and `remove`, as whoever runs a service uses them."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml
from stylecrypt_bots.config import ServiceConfig
from stylecrypt_bots.registration import bot_of

from stylecrypt_msg.errors import NotAuthorisedError
from stylecrypt_msg.profile import Profile

from ..support.bot_command import COMMAND, SECRETS, stylecrypt
from ..support.people import Person
from ..support.synapse import Homeserver
from ..support.tenants import Tenant

OWN = {"STYLECRYPT_NEW_PASSPHRASE": "of the owner"}


@pytest.fixture
def config(homeserver: Homeserver, tmp_path: Path) -> Path:
    """A service that is registered: the homeserver knows another registration, which takes this one's place."""
    path = tmp_path / "service.yaml"
    said = stylecrypt("bot", "register", "-c", path, "--homeserver", homeserver.url, "--server-name", homeserver.name)
    written = yaml.safe_load((tmp_path / "registration.yaml").read_text())
    known = yaml.safe_load(homeserver.registration.read_text())
    tokens = {"as_token", "hs_token"}
    assert {key: value for key, value in written.items() if key not in tokens} == {
        key: value for key, value in known.items() if key not in tokens
    }
    assert written.keys() == known.keys()
    for token in tokens:
        assert len({written[token], known[token]}) == 2
        assert written[token] not in said.out + said.err
    assert (tmp_path / "registration.yaml").stat().st_mode & 0o777 == 0o600
    again = stylecrypt("bot", "register", "-c", path, code=1)
    assert "is there already" in again.err
    shutil.copy(homeserver.registration, tmp_path / "registration.yaml")
    return path


@contextmanager
def serving(config: Path) -> Iterator[Callable[[], None]]:
    """Runs the service; yields a check that it still does. It ends at SIGTERM."""
    log = config.with_name("log")
    with log.open("ab") as output:
        process = subprocess.Popen(
            [*COMMAND, "bot", "serve", "-c", str(config)], stderr=output, stdout=output, env={**os.environ, **SECRETS}
        )

    def alive() -> None:
        assert process.poll() is None, log.read_text()

    try:
        yield alive
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.wait()


def test_what_an_owner_takes_along(
    homeserver: Homeserver, runner: asyncio.Runner, config: Path, tmp_path: Path
) -> None:
    """From the service to a folder of their own, and back."""
    owners, taken = config.parent / "stylecrypt" / "owners", tmp_path / "taken along"
    ann = Tenant(homeserver, tmp_path, "Ann", lambda: None)
    ann_id = ann.owner_account.id

    async def talk(check: Callable[[], None]) -> str:
        ann.check = check  # type: ignore[method-assign]
        await ann.set_up()
        card = (await ann.ask("!card", "!card send")).splitlines()[-1]
        await ann.leave()
        return card

    with serving(config) as alive:
        card = runner.run(talk(alive))
        stylecrypt("bot", "export", ann_id, taken, "-c", config, env=OWN)
        assert "is running" in stylecrypt("bot", "remove", ann_id, "-c", config, code=1).err
        assert "not a terminal" in stylecrypt("bot", "verify", ann_id, "-c", config, code=1).err
        assert "has no bot here" in stylecrypt("bot", "verify", "@x:y", "-c", config, code=1).err
    assert "is not running" in stylecrypt("bot", "verify", ann_id, "-c", config, code=1).err
    with Profile.open(taken, lambda: "of the owner") as profile:
        assert profile.card.to_text() == card
        assert profile.card.user_id == bot_of(ann_id)
    with pytest.raises(NotAuthorisedError):
        Profile.open(next(owners.iterdir()), lambda: "of the owner")
    assert "has a bot here already" in stylecrypt("bot", "import", ann_id, taken, "-c", config, env=OWN, code=1).err
    stylecrypt("bot", "remove", ann_id, "-c", config)
    assert list(owners.iterdir()) == []
    assert "has no bot" in stylecrypt("bot", "remove", ann_id, "-c", config, code=1).err
    assert "may not have" in stylecrypt("bot", "import", "@ann:else.where", taken, "-c", config, env=OWN, code=1).err
    wrong = {"STYLECRYPT_NEW_PASSPHRASE": "of somebody else"}
    assert "wrong" in stylecrypt("bot", "import", ann_id, taken, "-c", config, env=wrong, code=4).err
    stylecrypt("bot", "import", ann_id, taken, "-c", config, env=OWN)
    [folder] = owners.iterdir()
    with pytest.raises(NotAuthorisedError):  # the service has a passphrase of its own for it
        Profile.open(folder, lambda: "of the owner")

    async def talk_again(check: Callable[[], None]) -> None:
        ann.owner = await Person.log_in(homeserver, ann.owner_account, ann.folder)
        ann.owner.check = check
        await ann.owner.text(ann.control, "This is your StyleCrypt bot.")
        assert card in await ann.ask("!card", "!card send")
        await ann.leave()

    with serving(config) as alive:
        runner.run(talk_again(alive))


@pytest.mark.parametrize(
    ("registration", "code", "said"),
    [(None, 78, "cannot be read: no such file"), ("as_token: 7", 78, "has no as_token"), ("as_token: x", 3, "accept")],
)
def test_a_registration_that_does_not_fit(config: Path, registration: str | None, code: int, said: str) -> None:
    file = config.with_name("registration.yaml")
    if registration is None:
        file.unlink()
    else:
        file.write_text(registration)
    assert said in stylecrypt("bot", "serve", "-c", config, code=code).err


def test_the_configuration(tmp_path: Path) -> None:
    least = 'homeserver: http://hs\nserver_name: "hs"\n'
    config = ServiceConfig.read(least)
    assert config.may_own("@ann:hs")
    assert not config.may_own("@ann:elsewhere")
    some = ServiceConfig.read(f'{least}allow: ["@bea:hs"]')
    assert (some.may_own("@bea:hs"), some.may_own("@ann:hs")) == (True, False)
    (tmp_path / "service.yaml").write_text(least)
    assert ServiceConfig.load(tmp_path / "service.yaml").folder == tmp_path / "stylecrypt"

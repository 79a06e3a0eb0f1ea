"""What the bot's tests share."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from stylecrypt_msg.pictures import encode_picture

from ..conftest import People
from ..support.other_app import modules  # noqa: F401  # a fixture
from ..support.people import Family, Household, Person, at_home
from ..support.synapse import Homeserver


@pytest.fixture(scope="package")
def runner() -> Iterator[asyncio.Runner]:
    """One loop for all tests: bots continue in it where the last test left them."""
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture(scope="package")
def household(
    homeserver: Homeserver, runner: asyncio.Runner, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Household]:
    """Ann and her bot, for tests that need no second household."""
    with at_home(homeserver, runner, tmp_path_factory.mktemp("household")) as ann:
        yield ann


@pytest.fixture
def ann(
    homeserver: Homeserver, runner: asyncio.Runner, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Household]:
    """A household for this test alone."""
    with at_home(homeserver, runner, tmp_path_factory.mktemp("ann")) as ann:
        yield ann


@pytest.fixture(scope="session")
def photo(people: People) -> bytes:
    return encode_picture(people.photo, "JPEG")


@pytest.fixture(scope="module")
def family(
    homeserver: Homeserver, runner: asyncio.Runner, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Family]:
    folder = tmp_path_factory.mktemp("family")
    alice, bob = Household(homeserver, folder, "Alice"), Household(homeserver, folder, "Bob")
    account = homeserver.register("mallory")
    rooms = {
        name: homeserver.room(alice.owner_account, alice.bot_account, bob.bot_account, account, encrypted=encrypted)
        for name, encrypted in (("plain", False), ("family", True))
    }
    for house in (alice, bob):
        house.configure(rooms={name: {"room": room} for name, room in rooms.items()})
    alice.profile.add_contact(bob.profile.card, trust=True)
    bob.profile.add_contact(alice.profile.card)

    async def begin() -> Family:
        await alice.set_up()
        await bob.set_up()
        mallory = await Person.log_in(homeserver, account, folder)
        await mallory.look()
        return Family(alice, bob, mallory, rooms)

    async def end() -> None:
        await alice.leave()
        await bob.leave()
        await made.mallory.session.close()

    made = runner.run(begin())
    yield made
    runner.run(end())

"""Bots for everybody on a homeserver, in one process: `stylecrypt bot serve`."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from stylecrypt_bots.config import QuotaSettings
from stylecrypt_bots.owners import Owner
from stylecrypt_bots.queues import YES
from stylecrypt_bots.terminals import Terminals, verified_at_terminal

from stylecrypt_msg.profile import Profile

from ..support.other_app import app, new_secret
from ..support.people import Person, until
from ..support.synapse import Homeserver
from ..support.tenants import PASSPHRASE, SERVICE_ID, Place, Tenant, new_place
from .test_verification import Terminal


@pytest.fixture(scope="module")
def place(homeserver: Homeserver, runner: asyncio.Runner, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    async def begin() -> Place:
        return new_place(homeserver, tmp_path_factory.mktemp("place"), quota=QuotaSettings(photos=1))

    made = runner.run(begin())
    yield made
    runner.run(made.stop())
    made.profile.close()


@pytest.fixture(scope="module")
def tenants(place: Place, runner: asyncio.Runner) -> Iterator[tuple[Tenant, Tenant]]:
    alice, bob = (Tenant(place.server, place.folder, name, place.check) for name in ("Alice", "Bob"))
    for tenant in (alice, bob):
        runner.run(tenant.set_up())
    yield alice, bob
    for tenant in (alice, bob):
        runner.run(tenant.leave())


def test_a_photo_between_two_owners(
    runner: asyncio.Runner, place: Place, tenants: tuple[Tenant, Tenant], photo: bytes
) -> None:
    """From their first word to the service to the photo, with a stop in between, at which nothing is lost."""
    alice, bob = tenants

    async def test() -> None:
        family = await asyncio.to_thread(place.server.room, alice.owner_account, bob.owner_account)
        for one in (alice, bob):
            await one.bring_bot(family)
            await one.ask(f"!room family {family}", "is a room of yours")
            await one.ask("!card publish", "in my profile")
        for one, other in ((alice, bob), (bob, alice)):
            await one.ask(f"!add {other.bot_account.id}", "is a contact now")
        await alice.ask(f"!trust {bob.bot_account.id}", "may see your photos")
        await alice.owner.show(alice.control, photo, f"#family {bob.bot_account.id} For you")
        await place.stop()
        place.start()
        draft = await alice.shown("the draft")
        await alice.owner.react(alice.control, draft.event_id, YES)
        shown = await bob.shown("the photo")
        assert "For you" in str(shown.content["body"])
        seen = await bob.owner.wait(lambda post: post.room_id == family and post.is_picture, "the fake")
        assert seen.sender == alice.bot_account.id

    runner.run(test())


def test_what_is_wrong_with_one_owner_hurts_no_other(
    runner: asyncio.Runner, place: Place, tenants: tuple[Tenant, Tenant], photo: bytes
) -> None:
    """Pictures that are cut off, and a profile that is damaged."""
    alice, bob = tenants

    async def test() -> None:
        carol = Tenant(place.server, place.folder, "Carol", place.check)
        await carol.set_up()
        for name in ("family", "nowhere"):
            await carol.owner.show(carol.control, photo[: len(photo) // 2], f"#{name} {bob.bot_account.id}")
        assert "All is well" in await alice.ask("!status", "All is well")
        await place.stop()
        name, _, _ = carol.owner_account.id.partition(":")
        (place.folder / "owners" / name / "profile.db").write_bytes(b"no database" * 1000)
        place.start()
        for tenant in (alice, bob):
            assert "All is well" in await tenant.ask("!status", "All is well")
        await carol.leave()

    runner.run(test())


def test_a_bug_with_what_one_person_says_ends_nothing(
    runner: asyncio.Runner, place: Place, tenants: tuple[Tenant, Tenant], monkeypatch: pytest.MonkeyPatch
) -> None:
    alice, bob = tenants
    owner_of = place.service.owners.get

    def fails_for_bob(user_id: str) -> Owner | None:
        if user_id == bob.owner_account.id:
            raise KeyError(user_id)
        return owner_of(user_id)

    async def test() -> None:
        with monkeypatch.context() as patched:
            patched.setattr(place.service.owners, "get", fails_for_bob)
            await bob.owner.say(bob.first_room, "Hello?")
            await alice.owner.say(alice.first_room, "Hello?")
            assert alice.bot_account.id in await alice.owner.text(alice.first_room, "Your own bot is")
        for tenant in tenants:
            assert "All is well" in await tenant.ask("!status", "All is well")
        await bob.owner.say(bob.first_room, "Hello again?")
        assert bob.bot_account.id in await bob.owner.text(bob.first_room, "Your own bot is")

    runner.run(test())


def test_a_quota_is_kept(runner: asyncio.Runner, tenants: tuple[Tenant, Tenant], photo: bytes) -> None:
    """One photo was sent before, and one a day is allowed."""
    alice, bob = tenants

    async def test() -> None:
        await alice.owner.show(alice.control, photo, f"#family {bob.bot_account.id}")
        assert "have sent 1 with" in await alice.owner.text(alice.control, "Send it tomorrow")

    runner.run(test())


def test_an_owner_who_left_the_control_room_is_invited_once_more(
    runner: asyncio.Runner, tenants: tuple[Tenant, Tenant]
) -> None:
    alice, _ = tenants

    async def test() -> None:
        await alice.owner.session.client.room_leave(alice.control)
        await alice.owner.say(alice.first_room, "Hello?")
        assert alice.bot_account.id in await alice.owner.text(alice.first_room, "Your own bot is")
        before, alice.control = alice.control, await alice.accept_invitation()
        assert alice.control != before
        assert "All is well" in await alice.ask("!status", "All is well")

    runner.run(test())


def test_two_services_divide_the_owners(
    runner: asyncio.Runner, place: Place, tenants: tuple[Tenant, Tenant], tmp_path: Path
) -> None:
    """As on two machines: the second one begins with a copy of everything but the encryption sessions."""
    alice, bob = tenants

    async def test() -> None:
        await place.stop()
        shutil.copytree(place.folder, tmp_path / "copy", ignore=lambda _, names: {"bot"} & {*names})
        with Profile.open(tmp_path / "copy" / "service", lambda: PASSPHRASE) as profile:
            second = Place(place.server, tmp_path / "copy", profile, allow=(bob.owner_account.id,))
            place.configure(allow=(alice.owner_account.id,))
            place.start()
            await bob.owner.text(bob.control, "This is your StyleCrypt bot.")  # as a new device
            for tenant in tenants:
                assert "All is well" in await tenant.ask("!status", "All is well")
                await tenant.owner.say(tenant.first_room, "Hello?")
                assert tenant.bot_account.id in await tenant.owner.text(tenant.first_room, "Your own bot is")
            await bob.owner.look()
            said = [
                post.content.get("body") for post in bob.owner.seen if post.room_id in (bob.first_room, bob.control)
            ]
            assert not any("Your own bot" in str(text) or "All is well" in str(text) for text in said)
            await second.stop()
        await place.stop()
        place.configure(allow=None)
        place.start()

    runner.run(test())


def test_an_app_verifies_a_bot_that_runs_in_the_service(
    runner: asyncio.Runner, place: Place, modules: Path, tmp_path: Path
) -> None:
    """In their room, and only while somebody at the service's terminal looks at the emoji as well."""
    erin = Tenant(place.server, place.folder, "Erin", place.check)
    owner, bot = erin.owner_account, erin.bot_account
    screen = Terminal(matches=False)

    async def test() -> None:
        await erin.set_up()
        with Profile.open(place.folder / "service", lambda: PASSPHRASE) as profile:
            async with app(modules, place.server, owner, new_secret()) as phone:
                phone.order("verifyInRoom", user=bot.id, room=erin.control)
                await phone.wait("failed")
                command = asyncio.create_task(verified_at_terminal(profile, owner.id, screen.compare))
                terminals = Terminals(profile)
                await until(lambda: terminals.of(owner.id) is not None, "nobody is at the terminal")
                phone.order("verifyInRoom", user=bot.id, room=erin.control)
                await phone.wait("failed")  # whoever runs the service said that the emoji differ
                screen.matches = True
                phone.order("verifyInRoom", user=bot.id, room=erin.control)
                await phone.wait("emoji")
                emoji = (await phone.wait("emoji"))["emoji"]
                assert (await phone.wait("verified"))["verified"] is True
                assert screen.shown == emoji
                assert await command == phone.device
                assert terminals.of(owner.id) is None
                await erin.owner.text(erin.control, "have whoever runs me do that")  # as soon as the phone may read it
                phone.order("say", room=erin.control, text="!contacts")
                await erin.owner.text(erin.control, "no contacts yet")
        await erin.leave()

    runner.run(test())


def test_whom_the_desk_does_not_serve(runner: asyncio.Runner, place: Place, tenants: tuple[Tenant, Tenant]) -> None:
    """Rooms of several people, bots, and more owners than there is room for."""
    alice, bob = tenants

    async def test() -> None:
        server = place.server
        group = await asyncio.to_thread(server.room, alice.owner_account, bob.owner_account)
        path = f"/_matrix/client/v3/rooms/{group}"
        await asyncio.to_thread(server.ask, "POST", f"{path}/invite", {"user_id": SERVICE_ID}, alice.owner_account)
        await place.stop()
        place.configure(most_owners=len(place.service.owners))
        place.start()
        dave = Tenant(server, place.folder, "Dave", place.check)
        dave.owner = await Person.log_in(server, dave.owner_account, dave.folder)
        await dave.owner.text(await dave.begin_a_chat(), "as many owners as I can take")
        assert place.service.owners.get(dave.owner_account.id) is None
        await bob.ask(f"!card send {SERVICE_ID}", "as soon as they are")
        assert (
            SERVICE_ID
            not in (await asyncio.to_thread(server.ask, "GET", f"{path}/joined_members", None, alice.owner_account))[
                "joined"
            ]
        )
        await bob.ask("!status", "To do: ")
        assert place.service.owners.get(bob.bot_account.id) is None
        await dave.leave()

    runner.run(test())

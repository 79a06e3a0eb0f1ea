"""Cross-signing, as Element demands it: with apps that have no dealings with devices that their owners did not sign."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest
from stylecrypt_bots.account import log_in

from stylecrypt_msg.models import FaceModel
from stylecrypt_msg.profile import Profile
from stylecrypt_msg.transports.matrix import Password

from ..support.other_app import OtherApp, app, new_secret
from ..support.people import Household, Person, until
from ..support.synapse import Homeserver

pytestmark = pytest.mark.usefixtures("short_descents")


async def start(house: Household) -> None:
    account = house.bot_account
    made = await log_in(house.config, house.profile, Password(account.id, account.password))
    assert made.unsigned is None
    house.start()


async def text(other: OtherApp, containing: str) -> dict[str, str]:
    """The first message that contains a text, and its room."""
    while True:
        told = await other.wait("content")
        if containing in str(told["content"].get("body")):
            return told


async def ask(other: OtherApp, room: str, command: str, answer: str) -> None:
    other.order("say", room=room, text=command)
    await text(other, answer)


def test_an_owner_whose_apps_accept_signed_devices_alone(
    runner: asyncio.Runner, homeserver: Homeserver, modules: Path, tmp_path: Path
) -> None:
    ann, secret = Household(homeserver, tmp_path, "Ann"), new_secret()

    async def test() -> None:
        async with app(modules, homeserver, ann.owner_account, secret) as phone:
            await start(ann)
            control = (await text(phone, "This is your StyleCrypt bot."))["room"]
            await ask(phone, control, "!status", "All is well")
            # A new device that the owner signed is the owner's, without being compared.
            async with app(modules, homeserver, ann.owner_account, secret) as laptop:
                await ask(laptop, control, "!contacts", "no contacts yet")
            # Other keys than those that the bot knows vouch for nothing: somebody may have taken the account over.
            phone.order("reset")
            await phone.wait("reset")
            phone.order("say", room=control, text="!status")
            await until(
                lambda: f"cross-signing keys of {ann.owner_account.id}" in str(ann.bot.health.status()), "it is well"
            )
        await ann.stop()
        ann.profile.close()

    runner.run(test())


def test_a_family_whose_apps_accept_signed_devices_alone(
    runner: asyncio.Runner,
    homeserver: Homeserver,
    modules: Path,
    tmp_path: Path,
    photo: bytes,
    default_model: FaceModel,
) -> None:
    """A device that its owner did not sign gets nothing, and stops nothing."""
    alice, bob = Household(homeserver, tmp_path, "Alice"), Household(homeserver, tmp_path, "Bob")
    mallory, dave = homeserver.register("mallory"), homeserver.register("dave")
    family = homeserver.room(alice.owner_account, alice.bot_account, mallory, dave, encrypted=True)
    alice.configure(rooms={"family": {"room": family, "auto_send": True}})
    alice.profile.add_contact(bob.profile.card, trust=True)
    carol = Profile.create(
        tmp_path / "carol", name="Carol", user_id="@c:mx.test", passphrase=None, now=int(time.time())
    )

    async def test() -> None:
        await alice.set_up()
        daves = await Person.log_in(homeserver, dave, tmp_path, signed=False)
        async with (
            app(modules, homeserver, mallory, new_secret()) as signed,
            app(modules, homeserver, mallory) as unsigned,
        ):
            await alice.owner.show(alice.control, photo, "#family @bob level=latent")
            seen = await signed.wait("picture", room=family)
            assert seen["sender"] == alice.bot_account.id
            signed.order("say", room=family, text=carol.card.to_text())
            await alice.owner.text(alice.control, "gave the card of Carol")
            await unsigned.wait("undecryptable", undecryptable=family)
            said = await alice.owner.text(alice.control, f"{dave.id} cannot read what I post")
            assert f"`!device {dave.id} {daves.session.device_id} {daves.session.key}`" in said
            # Who makes new keys gets nothing either, before the owner says that this is right.
            signed.order("reset")
            await signed.wait("reset")
            await alice.owner.show(alice.control, photo, "#family @bob level=latent")
            assert mallory.id in await alice.owner.text(alice.control, "cross-signing keys")
            await signed.wait("undecryptable", undecryptable=family)
            await alice.ask(f"!identity {mallory.id}", "accepted")
            await alice.owner.show(alice.control, photo, "#family @bob level=latent")
            await signed.wait("picture", room=family)
        await daves.session.close()
        await alice.leave()
        bob.profile.close()
        carol.close()

    runner.run(test())

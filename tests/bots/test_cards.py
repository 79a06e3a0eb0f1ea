"""Cards through Matrix: in profiles, in direct rooms, and what happens to them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from stylecrypt_bots.queues import NO, YES

from stylecrypt_msg.profile import Profile

from ..support.people import Household, reply_to
from ..support.synapse import Homeserver


@pytest.fixture(scope="module")
def pair(
    homeserver: Homeserver, runner: asyncio.Runner, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Household, Household]]:
    """Two newcomers."""
    folder = tmp_path_factory.mktemp("pair")
    alice, bob = Household(homeserver, folder, "Alice"), Household(homeserver, folder, "Bob")
    for house in (alice, bob):
        runner.run(house.set_up())
    yield alice, bob
    for house in (alice, bob):
        runner.run(house.leave())


def test_a_card_in_the_profile(runner: asyncio.Runner, pair: tuple[Household, Household]) -> None:
    alice, bob = pair

    async def test() -> None:
        assert "shows no card" in await alice.ask(f"!add {bob.bot_account.id}", bob.bot_account.id)
        await bob.ask("!card publish", "in my profile")
        assert "is a contact now" in await alice.ask(f"!add {bob.bot_account.id}", "Bob")
        assert alice.profile.contact("Bob").card == bob.profile.card
        await bob.ask("!card withdraw", "not in my profile any more")
        assert "shows no card" in await alice.ask(f"!add {bob.bot_account.id}", bob.bot_account.id)
        alice.profile.remove("Bob")

    runner.run(test())


def test_a_card_in_a_direct_room_is_kept_if_the_owner_agrees(
    runner: asyncio.Runner, pair: tuple[Household, Household]
) -> None:
    """As docs/bot.md tells newcomers, and also if they forget its first step. The words are the same on both sides."""
    alice, bob = pair

    async def test() -> None:
        await alice.ask(f"!card send {bob.bot_account.id}", "declined my invitation")
        room = await asyncio.to_thread(bob.server.room, alice.owner_account, bob.owner_account)
        for house in (alice, bob):
            await house.bring_bot(room)
        assert alice.profile.card.to_text() in await alice.ask("!card", "!card send")
        for answer, there in ((NO, []), (YES, ["Alice"])):
            await alice.ask(f"!card send {bob.bot_account.id}", "as soon as they are in a room with me")
            if answer == NO:  # the first time: may they have a room?
                question = await bob.owner.wait(
                    lambda post: f"{alice.bot_account.id} invites me" in str(post.content.get("body")), "a question"
                )
                await bob.owner.react(bob.control, question.event_id, YES)
            offer = await bob.owner.wait(
                lambda post: "gave the card of Alice" in str(post.content.get("body")), "an offer"
            )
            assert alice.bot_account.id in str(offer.content["body"])
            assert bob.profile.contacts() == []
            await bob.owner.react(bob.control, offer.event_id, answer)
            if there:
                await bob.owner.text(bob.control, "Alice")
            else:
                await bob.ask("!status", "All is well")
            assert [contact.name for contact in bob.profile.contacts()] == there
        # One direct room serves both, and nobody became trusted through it.
        rooms = await asyncio.to_thread(bob.server.ask, "GET", "/_matrix/client/v3/joined_rooms", None, bob.bot_account)
        assert len(rooms["joined_rooms"]) == 3  # with the control room, and the room of all
        assert not bob.profile.contact("Alice").trusted

        await bob.ask(f"!card send {alice.bot_account.id}", "as soon as they are")
        offer = await alice.owner.wait(lambda post: "gave the card of Bob" in str(post.content.get("body")), "an offer")
        await alice.owner.say(alice.control, "!add", **reply_to(offer.event_id))
        await alice.owner.text(alice.control, "is a contact now")
        hers = (await alice.ask("!verify bob", "Compare these words")).splitlines()[1:3]
        his = (await bob.ask("!verify alice", "Compare these words")).splitlines()[1:3]
        assert hers == his
        assert len(" ".join(hers).split()) == 12
        await alice.ask("!verify bob yes", "Bob is verified")

    runner.run(test())


def test_other_keys_under_a_known_name_wait_until_they_are_verified(
    runner: asyncio.Runner, pair: tuple[Household, Household], tmp_path_factory: pytest.TempPathFactory
) -> None:
    alice, bob = pair
    folder = tmp_path_factory.mktemp("other") / "p"
    other = Profile.create(
        folder, name="Bob", user_id=bob.bot_account.id, passphrase=None, now=bob.profile.card.created
    )

    async def test() -> None:
        before = alice.profile.contact(bob.bot_account.id)
        await alice.ask(f"!add {other.card.to_text()}", "have changed, and nobody vouches")
        assert alice.profile.contact(bob.bot_account.id).card == before.card
        assert alice.profile.contact(bob.bot_account.id).pending == other.card  # the error did not undo that
        assert "offers new keys" in await alice.ask("!contacts", "Bob")
        await alice.ask("!verify bob", "Compare these words")
        await alice.ask("!verify bob no", "somebody may be intercepting")
        assert alice.profile.contact(bob.bot_account.id) == before

    runner.run(test())
    other.close()

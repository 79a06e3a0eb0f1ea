"""The commands of the control room, and the bot's answers."""

from __future__ import annotations

import asyncio
import time

import pytest

from stylecrypt_msg.profile import Profile

from ..support.people import Household


@pytest.fixture(scope="module")
def bob(tmp_path_factory: pytest.TempPathFactory) -> Profile:
    return Profile.create(
        tmp_path_factory.mktemp("bob") / "p",
        name="Bob Smith",
        user_id="@bob:elsewhere",
        passphrase=None,
        now=int(time.time()),
    )


def test_contacts_are_added_verified_trusted_and_blocked(
    runner: asyncio.Runner, household: Household, bob: Profile
) -> None:
    async def test() -> None:
        ann = household
        assert "no contacts yet" in await ann.ask("!contacts", "contacts")
        assert "Bob Smith (@bob:elsewhere) is a contact now" in await ann.ask(f"!add {bob.card.to_text()}", "Bob Smith")
        assert "was a contact already" in await ann.ask(f"!add {bob.card.to_text()}", "Bob Smith")
        assert "Look at the words first" in await ann.ask('!verify "Bob Smith" yes', "words")
        words = await ann.ask('!verify "bob smith"', "Compare these words")
        bob.add_contact(ann.profile.card)
        assert set(bob.words("Ann")) <= set(words.split())
        assert await ann.ask("!verify bob yes", "verified") == "Bob Smith is verified."
        assert "may see your photos." in await ann.ask("!trust @bob:elsewhere", "may see")
        assert "from now on" in await ann.ask('!rename bob "Uncle Bob"', "Uncle Bob")
        assert "cannot be the name" in await ann.ask(f"!rename @bob:elsewhere {'x' * 200}", "cannot be")
        assert "Uncle Bob (@bob:elsewhere)" in await ann.ask("!contacts", "Uncle Bob")
        assert "I call Bob Smith what" in await ann.ask('!rename "uncle bob"', "their card")
        assert "Write it like this" in await ann.ask("!rename", "Write it")
        assert "blocked" in await ann.ask("!block bob", "Bob Smith (@bob:elsewhere)")
        assert "may see your photos" in await ann.ask("!contacts", "Bob Smith (@bob:elsewhere)")
        assert "blocked" not in await ann.ask("!unblock bob", "Bob Smith (@bob:elsewhere)")
        assert "may not see your photos any more" in await ann.ask("!untrust bob", "may not see")
        contact = ann.profile.contact("Bob Smith")
        assert (contact.verified, contact.trusted, contact.blocked) == (True, False, False)

    runner.run(test())


def test_rooms_are_named_in_the_chat(runner: asyncio.Runner, household: Household) -> None:
    async def test() -> None:
        ann = household
        room = await asyncio.to_thread(ann.server.room, ann.owner_account, alias="kin-of-ann")
        await ann.bring_bot(room)
        assert "I know no room #kin" in await ann.ask("!standin #kin", "#kin")
        assert "is a room of yours" in await ann.ask("!room kin #kin-of-ann:mx.test auto_send=yes receive=no", "#kin")
        assert "instead of you" in await ann.ask("!standin #kin", "#kin")
        assert "#kin: sends, posts without asking." in await ann.ask("!status", "To do: ")
        await ann.restart()
        assert "#kin: sends" in await ann.ask("!status", "To do: ")
        for wrong, said in {
            "!room kin nowhere": "kin room: is not a room's id",
            "!room kin #kin-of-ann:mx.test auto=yes": "kin auto: extra inputs are not permitted",
            "!room kin #kin-of-ann:mx.test app=telephone": "kin app: input should be",
            "!room kin": "Write it like this",
        }.items():
            assert said in await ann.ask(wrong, said)
        assert "is forgotten" in await ann.ask("!room #kin remove", "#kin")
        assert "no room #kin" in await ann.ask("!room kin remove", "#kin")
        await ann.restart(rooms={"kin": {"room": room}})
        assert "Change it there" in await ann.ask("!room kin remove", "#kin")

    runner.run(test())

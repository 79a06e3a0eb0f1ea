"""Plays a conversation of two owners, their bots and a bystander on a real homeserver, and draws what each of them sees.

    python scripts/bots/bot_transcript.py -o docs/bot-transcript.jpg

The embedded model makes the people, who do not exist. Needs what the tests need.
"""

from __future__ import annotations

import argparse
import io
import textwrap
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from shared import a_face, on_a_homeserver
from stylecrypt_bots.queues import YES

from stylecrypt_msg.pictures import encode_picture
from stylecrypt_msg.transports.matrix.server import Post
from tests.support.people import Household, Person
from tests.support.synapse import Homeserver

WIDE, MARGIN, GAP, SHOWN = 560, 20, 14, 330
INK, PALE, MINE, THEIRS = (30, 32, 36), (120, 124, 130), (219, 236, 255), (242, 243, 245)
LINE = 24
TITLE, TEXT, SMALL = (ImageFont.load_default(size) for size in (24, 17, 14))


@dataclass
class View:
    """What one person sees: a title, and messages as (who, text, picture file, whether it is their own)."""

    title: str
    messages: list[tuple[str, str, bytes | None, bool]] = field(default_factory=list)

    def add(self, who: str, text: str, picture: bytes | None = None, *, own: bool = False) -> None:
        self.messages.append((who, text, picture, own))

    def draw(self) -> Image.Image:
        sheet = Image.new("RGB", (WIDE, 4000), "white")
        pen = ImageDraw.Draw(sheet)
        pen.text((MARGIN, MARGIN), self.title, INK, TITLE)
        top = MARGIN + 44
        for who, text, picture, own in self.messages:
            lines = [part for line in text.splitlines() for part in textwrap.wrap(line, 56) or [""]]
            shown = None
            if picture is not None:
                shown = Image.open(io.BytesIO(picture)).convert("RGB")
                shown.thumbnail((SHOWN, SHOWN))
            high = 30 + len(lines) * LINE + (shown.height + 10 if shown else 0) + 8
            pen.rounded_rectangle((MARGIN, top, WIDE - MARGIN, top + high), 10, fill=MINE if own else THEIRS)
            pen.text((MARGIN + 12, top + 8), who, PALE, SMALL)
            at = top + 30
            if shown is not None:
                sheet.paste(shown, (MARGIN + 12, at))
                at += shown.height + 10
            for line in lines:
                pen.text((MARGIN + 12, at), line, INK, TEXT)
                at += LINE
            top += high + GAP
        return sheet.crop((0, 0, WIDE, top + MARGIN))


def said(post: Post) -> str:
    """The text without links and tokens, which are long and change every time; and with words for buttons the font lacks."""
    body = str(post.content.get("body", "")).replace(YES, "[yes]").replace("\u274c", "[no]")
    return "\n".join(line for line in body.splitlines() if not line.startswith("https://matrix.to")).split("https://")[
        0
    ]


async def play(server: Homeserver, folder: Path) -> list[View]:
    alice, bob = Household(server, folder, "Alice"), Household(server, folder, "Bob")
    account = server.register("mallory")
    room = server.room(alice.owner_account, alice.bot_account, bob.bot_account, account, encrypted=True)
    for house in (alice, bob):
        house.configure(rooms={"family": {"room": room}})
    alice.profile.add_contact(bob.profile.card, trust=True)
    bob.profile.add_contact(alice.profile.card)
    for house in (alice, bob):
        await house.set_up()
    mallory = await Person.log_in(server, account, folder)
    await mallory.look()

    views = [
        View("Alice and her bot, in private"),
        View("#family: what everybody sees"),
        View("Bob and his bot, in private"),
    ]
    hers, room_view, his = views
    photo = encode_picture(a_face("alice in the evening", 640), "JPEG")  # Alice, who does not exist
    caption = "#family @bob Greetings from the pier!"
    await alice.owner.show(alice.control, photo, caption)
    hers.add("Alice", caption, photo, own=True)
    preview = await alice.shown("the preview")
    hers.add("bot", said(preview), await alice.owner.picture(preview))
    await alice.owner.react(alice.control, preview.event_id, YES)
    hers.add("Alice", "[yes]", own=True)
    hers.add("bot", await alice.owner.text(alice.control, "Posted in") and "Posted in #family.")
    fake = await mallory.wait(lambda post: post.is_picture, "the fake")
    room_view.add("Alice's bot", "", await mallory.picture(fake))
    await mallory.say(room, "who is that?")
    room_view.add("Mallory", "who is that?", own=True)
    shown = await bob.shown("the photo")
    his.add("bot", said(shown), await bob.owner.picture(shown))
    reply = {"m.relates_to": {"m.in_reply_to": {"event_id": shown.event_id}}}
    answer = await bob.ask("!verify alice", "Compare these words", **reply)
    his.add("Bob", "!verify alice", own=True)
    his.add("bot", answer.replace("`", ""))
    for house in (alice, bob):
        await house.leave()
    await mallory.session.close()
    return views


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-o", "--output", type=Path, default=Path("docs/bot-transcript.jpg"))
    arguments = parser.parse_args()
    columns = [view.draw() for view in on_a_homeserver(play)]
    sheet = Image.new("RGB", (WIDE * len(columns), max(column.height for column in columns)), "white")
    for number, column in enumerate(columns):
        sheet.paste(column, (number * WIDE, 0))
    arguments.output.write_bytes(encode_picture(np.asarray(sheet), "JPEG", quality=82, ai_made=True))
    print(arguments.output)


if __name__ == "__main__":
    main()

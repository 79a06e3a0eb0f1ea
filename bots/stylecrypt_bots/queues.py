"""State that must survive a stop at any moment: queues and drafts, in the profile's database.

A received post stays in the inbox until its consequences are in the outbox or among the drafts: both in one transaction. An
event stays in the outbox until the server has it, under a transaction id that tells the server what it already has. So
nothing is lost and nothing is done twice.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeAlias

from pydantic import with_config

from stylecrypt_msg.profile import STORED, Profile
from stylecrypt_msg.transports.matrix.server import Post

__all__ = [
    "NO",
    "YES",
    "Media",
    "Outgoing",
    "PostDraft",
    "PostedPhoto",
    "Queue",
    "Queues",
    "Topic",
    "reference",
    "relation",
    "replied_to",
    "thread_of",
]

YES, NO = "\u2705", "\u274c"  # the buttons

Queue: TypeAlias = Literal["control", "photos", "rooms", "invitations", "strangers"]
"""The owner's messages; those among them that need work on pictures; those of other rooms; invitations that are accepted; and
all other invitations. Each queue is handled in order, independently of the others."""

_KEPT = (
    2000  # messages in the control room whose topic is remembered; photos that were posted or shown, and can be removed
)
_DRAFTS = 64


@with_config(STORED)
@dataclass(frozen=True)
class Media:
    """Picture files of an event."""

    picture: bytes = field(repr=False)
    media_type: str
    thumbnail: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Topic:
    """The topic of a message in the control room, which gives the owner's reactions and replies a meaning.

    ``draft``: the id of a photo that waits for a ✅. ``posted``: the event of a photo that was posted. ``card``: a contact card
    that waits for a ✅. ``invitation``: a room that the bot is invited to. ``room_id`` and ``event_id``, ``thread``: a message
    in another room, and the root of its thread.
    """

    draft: str | None = None
    posted: str | None = None
    card: str | None = None
    invitation: str | None = None
    room_id: str | None = None
    event_id: str | None = None
    thread: str | None = None


@dataclass(frozen=True)
class Outgoing:
    """An event to post.

    Attributes:
        id: the transaction id.
        room_id: where to post it; a user id means the direct room with that user.
        media: the id of its pictures.
        private: only the owner and the bot may be in the room.
        topic: remembered under the event's id once it is posted, with ✅ and ❌ to choose from if ``buttons``.
        draft: the draft whose photo it is; the outcome is reported.
        report: what the owner is told once it is posted.
        invited: the user of a direct room was invited to it for this event.
        withdrawn: it was being posted when it should not be any more; if it is, it is removed.
    """

    id: str
    room_id: str
    content: dict[str, Any] = field(repr=False)
    type: str = "m.room.message"
    media: str | None = None
    private: bool = False
    topic: Topic | None = None
    buttons: bool = False
    draft: str | None = None
    report: str = ""
    invited: bool = False
    withdrawn: bool = False


@dataclass(frozen=True)
class PostDraft:
    """A photo that is ready to post.

    Attributes:
        request: the owner's message that asked for it, and the root of its thread.
        photo: the message with the photo.
        room: as the owner calls it.
        to: user ids of the contacts who can open it.
        content: of the event.
        posting: the owner has agreed.
    """

    id: str
    request: str
    request_thread: str | None
    photo: str
    room: str
    room_id: str
    to: tuple[str, ...]
    content: dict[str, Any] = field(repr=False)
    posting: bool = False


@dataclass(frozen=True)
class PostedPhoto:
    """A fake in a room, as the owner calls it; ``requests`` are the owner's messages that led to it."""

    event_id: str
    room_id: str
    room: str
    requests: tuple[str, ...]


@dataclass(frozen=True)
class _Shown:
    """A photo of others in a room, and the messages in the control room that show it."""

    room_id: str
    event_id: str
    copies: tuple[str, ...]


@dataclass(frozen=True)
class _Kept:
    """A `Topic` with the event that it belongs to."""

    event_id: str
    topic: Topic


def reference(post: Post) -> bytes:
    """32 bytes that identify a post, always the same. Encrypted ones are identified by their ciphertext: a server that
    replays one to have it obeyed twice posts nothing new."""
    return hashlib.sha256(f"{post.room_id} {post.digest or post.event_id}".encode()).digest()


class Queues:
    """All queues and drafts. Changes belong to the current `transaction`; several threads may use it."""

    def __init__(self, profile: Profile, control_room: str) -> None:
        self.profile, self.control_room = profile, control_room
        self.drafts = profile.records("bot draft", PostDraft)
        self.media = profile.records("bot media", Media)
        self.inbox = profile.records("bot inbox", Post)
        self.outbox = profile.records("bot outbox", Outgoing)
        self.photos = profile.records("bot posted photo", PostedPhoto)
        self._shown = profile.records("bot shown photo", _Shown)
        self._topics = profile.records("bot topic", _Kept)

    def transaction(self) -> AbstractContextManager[None]:
        return self.profile.transaction()

    # What came in

    def receive(self, post: Post, queue: Queue, *, again: bool = False) -> bool:
        """Puts a post into the inbox. Returns False if it was there before, unless it is wanted ``again``."""
        with self.transaction():
            if (self.profile.finished(reference(post)) and not again) or self.inbox.get(reference(post)) is not None:
                return False
            self.inbox.put(reference(post), post, owner=queue.encode())
            return True

    def invite(self, post: Post, *, welcome: bool) -> Queue:
        """Puts an invitation into the inbox. Strangers' have a queue of their own: declining takes as long as the server's
        rate limit wants."""
        queue: Queue = "invitations" if welcome else "strangers"
        self.receive(post, queue)
        return queue

    def next(self, queue: Queue) -> Post | None:
        """The oldest post of a queue."""
        return self.inbox.first(queue.encode())

    def waiting(self, queue: Queue) -> list[Post]:
        """The posts of a queue, the one that is being handled included."""
        return self.inbox.all(queue.encode())

    def is_waiting(self, post: Post) -> bool:
        """Whether a post is still to be handled, as it is."""
        return self.inbox.get(reference(post)) == post

    def hand_over(self, post: Post, queue: Queue) -> None:
        """Moves a post to another queue, where it keeps its place among the others."""
        self.inbox.put(reference(post), post, owner=queue.encode())

    def starts(self, queue: Queue, post: Post) -> int:
        """How often the bot was started with this post as the first one: it may be what crashes the bot."""
        setting, name = f"bot starts {queue}", reference(post).hex()
        before, _, count = (self.profile.setting(setting) or "").partition(" ")
        starts = int(count) + 1 if before == name else 1
        self.profile.set_setting(setting, f"{name} {starts}")
        return starts

    def done(self, post: Post) -> None:
        """Removes a post whose every consequence is recorded."""
        self.inbox.delete(reference(post))
        self.profile.finish(reference(post))

    # What goes out

    def post(self, outgoing: Outgoing, media: Media | None = None) -> None:
        """Puts an event into the outbox; ``media`` under its id."""
        if media is not None:
            self.media.put(outgoing.id.encode(), media)
            outgoing = replace(outgoing, media=outgoing.id)
        self.outbox.put(outgoing.id.encode(), outgoing, owner=outgoing.room_id.encode())

    def tell(
        self,
        text: str,
        *,
        to: Post | str | None = None,
        thread: str | None = None,
        content: Mapping[str, Any] | None = None,
        media: Media | str | None = None,
        topic: Topic | None = None,
        buttons: bool = False,
    ) -> None:
        """Puts a message to the owner into the outbox: a text, or a picture with the text below it (``content``; ``media``,
        or the id of stored media); as an answer ``to`` one of their messages, in its thread."""
        if isinstance(to, Post):
            thread = thread_of(to.content)
        answered = to.event_id if isinstance(to, Post) else to
        shown = {"msgtype": "m.notice"} if content is None else content
        outgoing = Outgoing(
            id=secrets.token_hex(16),
            room_id=self.control_room,
            content={**shown, "body": text, "m.mentions": {}, **relation(answered, thread)},
            media=media if isinstance(media, str) else None,
            private=True,
            topic=topic,
            buttons=buttons,
        )
        self.post(outgoing, media if isinstance(media, Media) else None)

    def posted(self, outgoing: Outgoing, event_id: str | None) -> None:
        """Removes an event that is on the server under this id, or never will be (None)."""
        self.outbox.delete(outgoing.id.encode())
        if outgoing.media == outgoing.id and outgoing.draft is None:
            self.media.delete(outgoing.id.encode())
        if (topic := outgoing.topic) is None or event_id is None:
            return
        self.remember(event_id, topic)
        if outgoing.media is not None and topic.room_id is not None and topic.event_id is not None:
            copies = (*(self.shown(topic.room_id, topic.event_id) or ()), event_id)
            self._shown.put(_place(topic.room_id, topic.event_id), _Shown(topic.room_id, topic.event_id, copies))
            if len(self._shown) > _KEPT and (oldest := self._shown.first()) is not None:
                self._shown.delete(_place(oldest.room_id, oldest.event_id))

    def redact(self, room_id: str, event_id: str, *, report: str = "") -> None:
        """Removes a message of the bot's from a room."""
        content = {"redacts": event_id}
        self.post(Outgoing(secrets.token_hex(16), room_id, content, type="m.room.redaction", report=report))

    def shown(self, room_id: str, event_id: str) -> tuple[str, ...] | None:
        """The messages in the control room that show the owner a photo from a room; None if there are none."""
        shown = self._shown.get(_place(room_id, event_id))
        return None if shown is None else shown.copies

    def forget(self, room_id: str, event_id: str) -> tuple[str, ...]:
        """As `shown`, for the last time."""
        copies = self.shown(room_id, event_id) or ()
        self._shown.delete(_place(room_id, event_id))
        return copies

    def bring_along(self) -> None:
        """Moves events for the owner from an abandoned control room to the present one."""
        with self.transaction():
            for outgoing in self.outbox.all():
                if not outgoing.private or outgoing.room_id == self.control_room:
                    continue
                if outgoing.type != "m.room.message":  # it refers to a message there
                    self.posted(outgoing, None)
                    continue
                content = {key: value for key, value in outgoing.content.items() if key != "m.relates_to"}
                moved = replace(outgoing, room_id=self.control_room, content=content)
                self.outbox.put(moved.id.encode(), moved, owner=moved.room_id.encode())

    def rooms_waiting(self) -> set[str]:
        """The rooms with events to post."""
        return {outgoing.room_id for outgoing in self.outbox.all()}

    # Drafts, and what the owner's reactions mean

    def draft(self, draft: PostDraft, media: Media) -> Sequence[PostDraft]:
        """Keeps one more. Returns those dropped for it: 64 are kept."""
        self.media.put(draft.id.encode(), media)
        self.drafts.put(draft.id.encode(), draft)
        waiting = [other for other in self.drafts.all() if not other.posting]
        gone = waiting[: max(0, len(waiting) - _DRAFTS)]
        for other in gone:
            self.drop(other)
        return gone

    def keep_posted(self, photo: PostedPhoto) -> None:
        self.photos.put(photo.event_id.encode(), photo)
        if len(self.photos) > _KEPT and (oldest := self.photos.first()) is not None:
            self.photos.delete(oldest.event_id.encode())

    def drop(self, draft: PostDraft) -> None:
        self.drafts.delete(draft.id.encode())
        self.media.delete(draft.id.encode())

    def topic(self, event_id: str) -> Topic | None:
        """The topic of a message in the control room."""
        kept = self._topics.get(event_id.encode())
        return None if kept is None else kept.topic

    def remember(self, event_id: str, topic: Topic) -> None:
        self._topics.put(event_id.encode(), _Kept(event_id, topic))
        if len(self._topics) > _KEPT and (oldest := self._topics.first()) is not None:
            self._topics.delete(oldest.event_id.encode())


def _place(room_id: str, event_id: str) -> bytes:
    return f"{room_id} {event_id}".encode()


def replied_to(content: Mapping[str, Any]) -> str | None:
    """The message that a message replies to."""
    relation = content.get("m.relates_to")
    answer = relation.get("m.in_reply_to") if isinstance(relation, dict) else None
    if not isinstance(answer, dict) or not isinstance(answer.get("event_id"), str):
        return None
    # Apps without threads show a message in one as a reply to the message before it.
    if isinstance(relation, dict) and relation.get("rel_type") == "m.thread" and relation.get("is_falling_back"):
        return None
    return str(answer["event_id"])


def thread_of(content: Mapping[str, Any]) -> str | None:
    """The root of the thread that a message is in."""
    relation = content.get("m.relates_to")
    if (
        isinstance(relation, dict)
        and relation.get("rel_type") == "m.thread"
        and isinstance(relation.get("event_id"), str)
    ):
        return str(relation["event_id"])
    return None


def relation(to: str | None, thread: str | None) -> dict[str, Any]:
    """The field that makes a message an answer to another one, in its thread if it has one."""
    if to is None:
        return {}
    answer = {"m.in_reply_to": {"event_id": to}}
    if thread is None:
        return {"m.relates_to": answer}
    return {"m.relates_to": {"rel_type": "m.thread", "event_id": thread, "is_falling_back": False, **answer}}

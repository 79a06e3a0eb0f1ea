"""The owner's messages in the control room: photos to post, commands, and reactions to what the bot showed.

The bot obeys nobody else, and only in that room. A message counts if it was encrypted by a device of the owner's that the
bot trusts: otherwise a server could make the bot trust anybody. Reactions are never encrypted, so they only decide matters
    that
the owner prepared: whether to post a photo that they addressed, or to keep a card that they saw.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from typing import Any

from stylecrypt_msg.errors import InputError, NotAuthorisedError, Remedy, StyleCryptError
from stylecrypt_msg.messenger import Draft, EncryptedPhoto
from stylecrypt_msg.profile import Contact
from stylecrypt_msg.progress import Progress
from stylecrypt_msg.transports.matrix.server import Post

from . import texts
from .commands import Act, Call, Commands
from .config import Config
from .media import cover_of, smaller
from .queues import NO, YES, Media, Outgoing, PostDraft, Queues, Topic, reference, relation, replied_to, thread_of
from .remedies import failure
from .removal import Removal
from .request import Request, contact_of, face_of, parse_command, parse_request
from .rooms import Room, Rooms
from .session import INVITATION, BotSession
from .worker import PictureWorker
from .working import Working

__all__ = ["Control"]

_SHARES = (0.7, 0.35, 0.15)  # of what the server takes, for a photo: tried one after another
_log = logging.getLogger(__name__)
_HINT = "Send a photo with a text such as `#room @name`, or reply to one with `!send #room @name`."


class Control:
    """Handles posts of the control room: one after another, and the photos among them once more, for the work on them."""

    def __init__(
        self,
        config: Config,
        session: BotSession,
        queues: Queues,
        rooms: Rooms,
        worker: PictureWorker,
        commands: Commands,
        removal: Removal,
    ) -> None:
        self._config, self._session, self._queues = config, session, queues
        self._rooms, self._worker, self._commands = rooms, worker, commands
        self._removal = removal
        self._working = Working(config, session, queues)
        self._profile = queues.profile

    async def handle(self, post: Post) -> None:
        """Records every consequence of a post; hands it over to `work` if it is right and needs work on a picture, so
        that nothing waits for that. Raises NetworkError if it has to be handled again."""
        await self._handle(post, at_work=False)

    async def work(self, post: Post) -> None:
        """Does the work, and records its consequences. What was right may have changed since. Raises NetworkError."""
        await self._handle(post, at_work=True)

    async def _handle(self, post: Post, *, at_work: bool) -> None:
        try:
            if post.type == "m.room.redaction":
                await self._removal.handle(post)
            elif post.type == "m.reaction":
                await self._reaction(post)
            elif not await self._session.vouches_for(post, self._config.trust):
                await self._not_the_owner(post)
            elif (edited := _edited(post)) is not None:
                self._edit(post, edited)
            elif post.is_picture:
                await self._picture(post, _caption(post.content), at_work=at_work)
            else:
                await self._text(post, str(post.content.get("body", "")).strip(), at_work=at_work)
        except StyleCryptError as error:
            if not isinstance(error, InputError | NotAuthorisedError):
                raise
            self._answer(post, self._rooms.named_in(failure(error)))

    def _answer(self, post: Post, text: str, **more: Any) -> None:
        """Records the only consequence of a post, which is not deleted yet."""
        with self._queues.transaction():
            if not self._queues.is_waiting(post):
                return
            self._queues.tell(text, to=post, **more)
            self._queues.done(post)

    async def _not_the_owner(self, post: Post) -> None:
        _log.warning("not obeyed: the message is not from a device that is trusted", extra={"event": post.event_id})
        self._answer(
            post,
            "I did not obey this: it was not encrypted, or comes from a device of yours that I do not trust. "
            "`stylecrypt bot verify` on the bot's machine lets you verify it.",
        )

    # Reactions

    async def _reaction(self, post: Post) -> None:
        relation = post.content.get("m.relates_to")
        target, key = (relation.get("event_id"), relation.get("key")) if isinstance(relation, dict) else (None, None)
        topic = await self._topic(target) if isinstance(target, str) else None
        chosen = str(key).rstrip("\ufe0f")
        with self._queues.transaction():
            if topic is not None and chosen in (YES, NO):
                self._decide(post, topic, yes=chosen == YES)
            self._queues.done(post)

    async def _topic(self, event_id: str) -> Topic | None:
        """The topic of a message from the bot. It may have been posted a moment ago, or before the bot was stopped, and
        not be recorded yet: then the server knows which one it is. Raises NetworkError."""
        if (topic := self._queues.topic(event_id)) is not None:
            return topic
        sent = await self._session.transaction(self._queues.control_room, event_id)
        outgoing = None if sent is None else self._queues.outbox.get(sent.encode())
        return self._queues.topic(event_id) if outgoing is None else outgoing.topic

    def _decide(self, post: Post, topic: Topic, *, yes: bool) -> None:
        """In a transaction."""
        if topic.card is not None:
            if yes:
                self._queues.tell(self._commands.add_card(topic.card), to=post)
            return
        if topic.invitation is not None:
            answer = Post(topic.invitation, f"answer {post.event_id}", post.sender, {"answer": yes}, INVITATION)
            self._queues.receive(answer, "invitations")
            return
        if topic.posted is not None:
            photo = self._queues.photos.get(topic.posted.encode())
            if not yes and photo is not None:
                self._removal.take_back(photo)
            return
        draft = None if topic.draft is None else self._queues.drafts.get(topic.draft.encode())
        if draft is None or draft.posting:
            return  # already posted or dropped
        if not yes:
            self._queues.drop(draft)
            self._queues.tell("Dropped.", to=draft.request, thread=draft.request_thread)
            return
        try:
            for user_id in draft.to:  # they may no longer be authorised
                self._profile.authorised(user_id, draft.room_id)
        except StyleCryptError as error:
            said = self._rooms.named_in(failure(error))
            self._queues.tell(f"Not posted: {said}", to=draft.request, thread=draft.request_thread)
            return
        self._release(draft)

    def _release(self, draft: PostDraft) -> None:
        """Sends a draft to its room. In a transaction."""
        queues = self._queues
        queues.drafts.put(draft.id.encode(), replace(draft, posting=True))
        queues.post(Outgoing(draft.id, draft.room_id, draft.content, media=draft.id, draft=draft.id))

    # Photos

    async def _picture(self, post: Post, caption: str, *, at_work: bool) -> None:
        if caption.startswith("!"):
            await self._command(post, caption, photo=post, at_work=at_work)
        elif caption or replied_to(post.content) is not None:
            await self._photo(post, post, parse_request(caption), at_work=at_work)
        else:
            self._answer(post, _HINT)

    async def _photo(self, post: Post, photo: Post, request: Request, *, at_work: bool) -> None:
        """Prepares a photo as a post requests."""
        room, answered = await self._destination(post, request)
        if room.settings is None or not room.settings.send:
            raise NotAuthorisedError(
                f"Nothing is sent into {room.name}.",
                hint="`!room NAME #address:server` names it; or set `send: true` in the configuration.",
            )
        names = [*request.to, *_mentioned(post.content, self._profile.contacts())]
        if not names:
            raise InputError("No recipients were given.", remedy=Remedy.NAME_RECIPIENTS)
        contacts = {contact.user_id: contact for contact in (contact_of(self._profile, name) for name in names)}
        for user_id in contacts:
            self._profile.authorised(user_id, room.room_id)
        if not at_work:
            self._hand_over(post)
            return
        async with self._working.on(post) as progress:
            prepared, content, media = await self._prepare(photo, request, room, tuple(contacts), progress)
        self._keep(post, photo, room, prepared, content | answered, media)

    def _hand_over(self, post: Post) -> None:
        with self._queues.transaction():
            self._queues.hand_over(post, "photos")

    async def _prepare(
        self, photo: Post, request: Request, room: Room, to: tuple[str, ...], progress: Progress
    ) -> tuple[EncryptedPhoto, dict[str, Any], Media]:
        picture = await self._session.picture(photo)
        if picture is None:
            raise InputError(
                "The photo cannot be fetched: it is gone, damaged, or too large.",
                hint="Send it once more, or a smaller one.",
            )
        draft = Draft(
            photo=picture,
            to=to,
            level=request.level,
            only=[face_of(self._profile, face) for face in request.only] or None,
            keep=[face_of(self._profile, face) for face in request.keep],
            others=request.others,
            app=request.app or (room.settings.app if room.settings else None),
            conversation=room.room_id,
            chat=room.room_id,
            caption=request.caption,
        )
        most = await self._session.upload_limit()
        # The cover has about as many bytes as the photo, and the sealed part comes on top.
        for share in _SHARES:
            draft = replace(draft, photo=await self._worker.run(smaller, picture, int(most * share)))
            prepared = await self._worker.prepare(draft, progress)
            content, media = await self._worker.run(cover_of, prepared)
            if len(media.picture) <= most:
                break
        return prepared, content, media

    def _keep(
        self, post: Post, photo: Post, room: Room, made: EncryptedPhoto, content: dict[str, Any], media: Media
    ) -> None:
        """The draft, and the question whether to post it; nothing if the owner deleted or changed the post meanwhile."""
        draft = PostDraft(
            id=reference(post).hex()[:32],
            request=post.event_id,
            request_thread=thread_of(post.content),
            photo=photo.event_id,
            room=room.name,
            room_id=room.room_id,
            to=tuple(contact.user_id for contact in made.recipients),
            content=content,
        )
        with self._queues.transaction():
            if not self._queues.is_waiting(post):
                return
            for gone in self._queues.draft(draft, media):
                self._queues.tell("Dropped, since too many photos wait.", to=gone.request, thread=gone.request_thread)
            if room.settings is not None and room.settings.auto_send:
                self._release(draft)
            else:
                shown = {key: content[key] for key in ("msgtype", "filename", "info")}
                self._queues.tell(
                    texts.preview(made, room.name, made.recipients),
                    to=post,
                    content=shown,
                    media=draft.id,
                    topic=Topic(draft=draft.id),
                    buttons=True,
                )
            self._queues.done(post)

    async def _destination(self, post: Post, request: Request) -> tuple[Room, dict[str, Any]]:
        """Where a photo goes, and what it answers there: the message that the owner replies to determines both."""
        topic = None
        if (replied := replied_to(post.content)) is not None:
            topic = await self._topic(replied)
        if topic is not None and topic.room_id is not None:
            room = await self._rooms.of(topic.room_id)
            if request.room is None or (await self._rooms.named(request.room)).room_id == room.room_id:
                upgraded = room.room_id != topic.room_id
                return room, {} if upgraded else relation(topic.event_id, topic.thread)
        if request.room is None:
            raise InputError("You did not say which room the photo is for.", hint=_HINT)
        return await self._rooms.named(request.room), {}

    # Texts

    async def _text(self, post: Post, text: str, *, at_work: bool) -> None:
        if post.content.get("msgtype") not in ("m.text", "m.emote"):
            self._commit(post, lambda: "")
        elif text.startswith("!"):
            await self._command(post, text, at_work=at_work)
        else:
            self._answer(post, f"{_HINT} `!help` names all commands.")

    async def _command(self, post: Post, text: str, photo: Post | None = None, *, at_work: bool) -> None:
        name, arguments = parse_command(text)
        replied = replied_to(post.content)
        match name:
            case "send":
                request = parse_request(text[len("!send") :])
                await self._photo(post, await self._meant(post, photo), request, at_work=at_work)
            case "keyface" if arguments[:1] == ["add"] and not at_work:
                await self._meant(post, photo)
                self._hand_over(post)
            case "remove" if replied is not None:
                topic = await self._topic(replied)
                self._remove(post, replied, topic)
            case "post" | "drop" | "open" | "remove":
                topic = None if replied is None else await self._topic(replied)
                await self._choice(post, name, topic)
            case _:
                topic = None if replied is None or name != "add" else await self._topic(replied)
                call = Call(post, arguments, topic, partial(self._meant, post, photo))
                async with self._working.on(post) if at_work else nullcontext():
                    act = await self._commands.prepare(name, call)
                await asyncio.to_thread(self._commit, post, act)

    def _commit(self, post: Post, act: Act) -> None:
        """Acts and answers, or does neither."""
        with self._queues.transaction():
            if not self._queues.is_waiting(post):
                return
            if text := act():
                self._queues.tell(text, to=post)
            self._queues.done(post)

    async def _choice(self, post: Post, name: str, topic: Topic | None) -> None:
        """The reactions in words, which are encrypted."""
        if name == "open" and topic is not None and topic.room_id is not None and topic.event_id is not None:
            found = await self._session.event(topic.room_id, topic.event_id)
            if found is None:
                raise InputError("The message is gone.")
            with self._queues.transaction():
                self._queues.receive(found, "rooms", again=True)
                self._queues.done(post)
        elif name != "open" and topic is not None and (topic.draft or topic.card or topic.invitation):
            with self._queues.transaction():
                self._decide(post, topic, yes=name == "post")
                self._queues.done(post)
        else:
            raise InputError(f"It is not clear what to {name}.", hint=f"Reply with `!{name}` to what I told you of it.")

    def _remove(self, post: Post, replied: str, topic: Topic | None) -> None:
        """Removes what a reply means: a message that says what was posted, or that asked for it."""
        found = [
            photo
            for photo in self._queues.photos.all()
            if replied in photo.requests or (topic is not None and topic.posted == photo.event_id)
        ]
        if not found:
            raise InputError(
                "There is nothing to remove.",
                hint="Reply with `!remove` to “Posted in ...”, or to the photo that you sent.",
            )
        with self._queues.transaction():
            for photo in found:
                self._removal.take_back(photo)
            self._queues.done(post)

    def _edit(self, post: Post, edited: str) -> None:
        """Changes a request that waits or is being worked on; otherwise says what can be done."""
        queues, new = self._queues, post.content.get("m.new_content")
        with queues.transaction():
            for waiting in queues.waiting("photos"):
                if waiting.event_id == edited and isinstance(new, dict):
                    changed = {key: new[key] for key in ("body", "filename", "m.mentions") if key in new}
                    queues.hand_over(replace(waiting, content={**waiting.content, **changed}), "photos")
                    break
            else:
                ready = any(edited in (draft.request, draft.photo) for draft in queues.drafts.all())
                queues.tell(
                    f"The photo is ready, with the text that it had. {NO} drops it: then send it again."
                    if ready
                    else "I do not read changes of what I have dealt with: send it again.",
                    to=edited,
                )
            queues.done(post)

    async def _meant(self, post: Post, photo: Post | None) -> Post:
        """The photo above a command, or the one that it replies to. Raises InputError if there is none."""
        if photo is not None:
            return photo
        replied = replied_to(post.content)
        found = None if replied is None else await self._session.event(post.room_id, replied)
        if found is None or not found.is_picture or found.sender != self._config.owner:
            raise InputError("This is not a reply to a photo of yours.", hint="Reply to the photo that you mean.")
        if not await self._session.vouches_for(found, self._config.trust):
            raise NotAuthorisedError("The photo is not from a device of yours that I trust.")
        return found


def _caption(content: Mapping[str, Any]) -> str:
    """The text below a picture. Without a separate file name, the text is the file name, unless it is meant for the bot."""
    body = content.get("body")
    if not isinstance(body, str) or body == content.get("filename"):
        return ""
    return body.strip() if "filename" in content or body.startswith(("#", "!")) else ""


def _edited(post: Post) -> str | None:
    """The message that a post changes."""
    relation = post.content.get("m.relates_to")
    if not isinstance(relation, dict) or relation.get("rel_type") != "m.replace":
        return None
    return str(relation.get("event_id"))


def _mentioned(content: Mapping[str, Any], contacts: Sequence[Contact]) -> list[str]:
    """The contacts among the users that a message mentions, according to the app."""
    mentions = content.get("m.mentions")
    users = mentions.get("user_ids") if isinstance(mentions, dict) else None
    return [contact.user_id for contact in contacts if isinstance(users, list) and contact.user_id in users]

"""Into which rooms the bot goes: invitations are accepted, declined, or put to the owner; an upgraded room is followed."""

from __future__ import annotations

import logging

from stylecrypt_msg.transports.matrix.server import Post, ServerRefusalError

from . import texts
from .config import Config
from .notices import Notices
from .outbox import Outbox
from .queues import NO, YES, Queues, Topic
from .remedies import failure
from .rooms import Rooms
from .session import INVITATION, BotSession

__all__ = ["Invitations"]

_log = logging.getLogger(__name__)


class Invitations:
    """Handles invitations, and what the owner says to them; and upgrades of rooms."""

    def __init__(
        self, config: Config, session: BotSession, queues: Queues, rooms: Rooms, outbox: Outbox, notices: Notices
    ) -> None:
        self._config, self._session, self._queues = config, session, queues
        self._rooms, self._outbox, self._notices = rooms, outbox, notices
        self._profile = queues.profile

    async def handle(self, post: Post) -> None:
        """Records every consequence of an invitation, or of an upgrade. Raises NetworkError."""
        if post.type == INVITATION:
            await self._invited(post)
        else:
            await self._upgraded(post, str(post.content["replacement_room"]))

    async def _invited(self, post: Post) -> None:
        by, answer = post.sender, post.content.get("answer")
        known = answer is not None or self._config.may_invite(by)
        met = known or self._is_contact(by) or by in await self._rooms.neighbours()
        old = self._rooms.before(post.room_id)
        if answer is False:
            await self._session.leave(post.room_id)
        elif known or (old is not None and by in await self._session.members(old)):
            await self._join(post, old)
            return
        elif met and self._notices.may_tell(by):
            self._ask(post)
            return
        elif await self._session.membership(post.room_id, self._session.user_id) != "join":  # from another session
            await self._session.leave(post.room_id)
            _log.info("an invitation was declined", extra={"room": post.room_id, "by": by})
        with self._queues.transaction():
            self._queues.done(post)

    def _is_contact(self, user_id: str) -> bool:
        return any(contact.user_id == user_id and not contact.blocked for contact in self._profile.contacts())

    def _ask(self, post: Post) -> None:
        name = texts.printable(str(post.content.get("name") or "")) or "a room without a name"
        with self._queues.transaction():
            self._queues.tell(
                f"{post.sender} invites me to {name}. {YES} accepts, {NO} declines.",
                topic=Topic(invitation=post.room_id),
                buttons=True,
            )
            self._queues.done(post)

    async def _join(self, post: Post, old: str | None) -> None:
        try:
            await self._session.join(post.room_id)
        except ServerRefusalError as error:
            if not error.final:
                raise
            with self._queues.transaction():
                self._queues.tell(f"I could not accept the invitation of {post.sender}: {failure(error)}")
                self._queues.done(post)
            return
        if old is None:
            with self._queues.transaction():
                self._queues.done(post)
        else:
            await self._move(post, old, post.room_id)

    # Upgrades

    async def _upgraded(self, post: Post, new: str) -> None:
        """A room has been replaced by another one."""
        try:
            await self._session.join(new)
        except ServerRefusalError as error:
            if not error.final:
                raise
            with self._queues.transaction():  # until the invitation comes
                self._queues.done(post)
            return
        await self._move(post, post.room_id, new)

    async def _move(self, post: Post, old: str, new: str) -> None:
        """Brings everything along from a room to the one that replaces it. Photos are prepared again, since each is signed
        for its room. Raises NetworkError."""
        queues, profile = self._queues, self._profile
        if await self._session.predecessor(new) != old:  # or an admin of one room could direct photos into another
            _log.warning("a room claims a successor that does not know it", extra={"room": old, "successor": new})
            with queues.transaction():
                queues.done(post)
            return
        name = (await self._rooms.of(old)).name
        drafts = [draft for draft in queues.drafts.all() if draft.room_id == old]
        requests = [await self._session.event(queues.control_room, draft.request) for draft in drafts]
        with queues.transaction():
            self._rooms.succeeded(old, new)
            if profile.conversation(old).chosen:
                profile.choose_stand_in(new, profile.conversation(old).stand_in)
            for contact in profile.contacts():
                if old in contact.conversations:
                    profile.trust(contact.user_id, conversation=new)
            for draft, request in zip(drafts, requests, strict=True):
                if draft.posting and (outgoing := queues.outbox.get(draft.id.encode())) is not None:
                    self._outbox.withdraw(outgoing)
                queues.drop(draft)
                if request is not None:
                    queues.receive(request, "photos", again=True)
            again = " I prepare the photos for it again." if drafts else ""
            queues.tell(f"{name} was upgraded, and I follow: what you send there goes to the new room.{again}")
            queues.done(post)

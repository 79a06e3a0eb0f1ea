"""Takes back what the owner deletes, before and after it was posted, and removes what was shown of others' deleted photos.

Redactions are never encrypted: a server can forge them, but not gain more than by withholding messages.
"""

from __future__ import annotations

from stylecrypt_msg.transports.matrix.server import Post

from .outbox import Outbox
from .queues import Outgoing, PostDraft, PostedPhoto, Queues, replied_to
from .rooms import Rooms

__all__ = ["Removal"]


class Removal:
    """Handles redactions."""

    def __init__(self, queues: Queues, rooms: Rooms, outbox: Outbox) -> None:
        self._queues, self._rooms, self._outbox = queues, rooms, outbox

    async def handle(self, post: Post) -> None:
        """Records every consequence of a redaction: the owner's in the control room, or anybody's elsewhere.

        Raises NetworkError.
        """
        target = str(post.content.get("redacts"))
        own = post.room_id == self._queues.control_room
        name = "" if own or not self._is_known(post.room_id, target) else (await self._rooms.of(post.room_id)).name
        with self._queues.transaction():
            if own:
                self._deleted(target)
            elif name:
                self._forget(post, name, target)
            self._queues.done(post)

    def _deleted(self, event_id: str) -> None:
        """The owner has deleted a request, the photo that it was about, or a preview."""
        queues, topic = self._queues, self._queues.topic(event_id)
        for waiting in queues.waiting("photos"):
            if event_id in (waiting.event_id, replied_to(waiting.content)):
                queues.done(waiting)
                queues.tell("I stopped, since you deleted the message.")
        for draft in queues.drafts.all():
            if event_id in (draft.request, draft.photo) or (topic is not None and topic.draft == draft.id):
                self.drop(draft)
        for photo in queues.photos.all():
            if event_id in photo.requests:
                self.take_back(photo)

    def drop(self, draft: PostDraft) -> None:
        """In a transaction. Also a draft that is being posted this moment."""
        self._queues.drop(draft)
        if draft.posting and (outgoing := self._queues.outbox.get(draft.id.encode())) is not None:
            self._outbox.withdraw(outgoing)
        self._queues.tell(f"Dropped: it is not posted in {draft.room}.")

    def take_back(self, photo: PostedPhoto) -> None:
        """Removes a fake from its room. In a transaction."""
        self._queues.photos.delete(photo.event_id.encode())
        self._queues.redact(photo.room_id, photo.event_id, report=f"Removed from {photo.room}.")

    # Others' photos

    def _is_known(self, room_id: str, event_id: str) -> bool:
        return (
            self._queues.shown(room_id, event_id) is not None
            or any(post.event_id == event_id for post in self._queues.waiting("rooms"))
            or any(_is_about(outgoing, room_id, event_id) for outgoing in self._queues.outbox.all())
        )

    def _forget(self, post: Post, room: str, event_id: str) -> None:
        """Somebody has deleted a photo in a room."""
        queues = self._queues
        for waiting in queues.waiting("rooms"):
            if (waiting.room_id, waiting.event_id) == (post.room_id, event_id):
                queues.done(waiting)
        for outgoing in queues.outbox.all():
            if _is_about(outgoing, post.room_id, event_id):
                self._outbox.withdraw(outgoing)
        shown = queues.forget(post.room_id, event_id)
        for copy in shown:
            queues.redact(queues.control_room, copy)
        if shown:
            queues.tell(f"{post.sender} removed a photo in {room} that I had shown you: I removed your copy as well.")


def _is_about(outgoing: Outgoing, room_id: str, event_id: str) -> bool:
    """Whether it shows the owner the photo of an event."""
    topic = outgoing.topic
    return outgoing.media is not None and topic is not None and (topic.room_id, topic.event_id) == (room_id, event_id)

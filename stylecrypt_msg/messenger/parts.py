"""What both halves of the messenger use."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from stylecrypt_protocol import CardId, StrangerError

from ..covering import Coverer
from ..errors import NotAuthorisedError, ProfileError, RefusedError, Remedy
from ..models.model_cache import ModelCache
from ..profile import Contact, Profile

__all__ = ["Parts"]


@dataclass(frozen=True)
class Parts:
    """Gets the profile, which may be missing, when it is needed."""

    profile_if_any: Callable[[], Profile | None]
    models: ModelCache
    cover: Coverer

    @property
    def profile(self) -> Profile:
        """Raises ProfileError when there is none."""
        profile = self.profile_if_any()
        if profile is None:
            raise ProfileError("There is no profile to do this with.", remedy=Remedy.MAKE_PROFILE)
        return profile

    def sender(self, card: CardId, what: str) -> Contact:
        """The contact who wrote ``what``, a kind of thing with a verified signature. Raises NotAuthorisedError if blocked."""
        profile = self.profile
        contact = profile.me if card == profile.card.id else profile.by_card(card)
        if contact is None:  # another process has removed them since
            raise RefusedError("The sender is not among your contacts any more.", StrangerError(card))
        if contact.blocked:
            raise NotAuthorisedError(
                f"This {what} is from {contact.name}, whom you have blocked.",
                remedy=Remedy.UNBLOCK_CONTACT,
                contact=contact.name,
            )
        return contact

"""What both halves of the messenger work with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from stylecrypt_protocol import CardId, StrangerError

from ..errors import NotAuthorisedError, ProfileError, RefusedError, Remedy
from ..models.model_cache import ModelCache
from ..profile import Contact, Profile
from ..recognisers import Recogniser

__all__ = ["Parts"]


@dataclass(frozen=True)
class Parts:
    """Profile and recogniser are asked for when they are needed; there may be none."""

    profile_if_any: Callable[[], Profile | None]
    models: ModelCache
    recogniser: Callable[[], Recogniser | None]

    @property
    def profile(self) -> Profile:
        """Raises ProfileError when there is none."""
        profile = self.profile_if_any()
        if profile is None:
            raise ProfileError("There is no profile to do this with.", remedy=Remedy.MAKE_PROFILE)
        return profile

    def sender(self, card: CardId, what: str) -> Contact:
        """Who wrote ``what``, a kind of thing, whose signature is good. Raises NotAuthorisedError for who is blocked."""
        profile = self.profile
        contact = profile.me if card == profile.card.id else profile.by_card(card)
        if contact is None:  # removed by another process since
            raise RefusedError("The sender is not among your contacts any more.", StrangerError(card))
        if contact.blocked:
            raise NotAuthorisedError(
                f"This {what} is from {contact.name}, whom you have blocked.",
                remedy=Remedy.UNBLOCK_CONTACT,
                contact=contact.name,
            )
        return contact

"""What both halves of the messenger work with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..errors import ProfileError
from ..models.shelf import Shelf
from ..profile import Profile
from ..recognisers import Recogniser

__all__ = ["Parts"]


@dataclass(frozen=True)
class Parts:
    """Profile and recogniser are asked for when they are needed; there may be none."""

    profile_if_any: Callable[[], Profile | None]
    models: Shelf
    recogniser: Callable[[], Recogniser | None]

    @property
    def profile(self) -> Profile:
        """Raises ProfileError when there is none."""
        profile = self.profile_if_any()
        if profile is None:
            raise ProfileError("There is no profile to do this with.", hint="`stylecrypt init --name NAME` makes one.")
        return profile

"""How much work one owner may ask for in a day."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from stylecrypt_msg.errors import InputError
from stylecrypt_msg.profile import Profile

from .config import QuotaSettings

__all__ = ["Quota"]

_SPENT = "bot quota"  # the setting: the day, and the photos and bytes of it


class Quota:
    """Counts in the owner's profile, so that a restart forgives nothing. Days are those of UTC."""

    def __init__(self, settings: QuotaSettings, profile: Profile) -> None:
        self._settings, self._profile = settings, profile

    def check(self, size: int) -> None:
        """Raises InputError if a photo of ``size`` bytes is too much."""
        photos, sent = self._today()
        allowed = self._settings
        if photos >= allowed.photos or sent + size > allowed.bytes:
            raise InputError(
                f"You may send {allowed.photos} photos and {allowed.bytes >> 20} MiB a day here, and have sent {photos} "
                f"with {sent >> 20} MiB today.",
                hint="Send it tomorrow.",
            )

    def spend(self, size: int) -> None:
        """Counts a photo."""
        photos, sent = self._today()
        self._profile.set_setting(_SPENT, json.dumps([_day(), photos + 1, sent + size]))

    def _today(self) -> tuple[int, int]:
        day, photos, sent = json.loads(self._profile.setting(_SPENT) or '["", 0, 0]')
        return (photos, sent) if day == _day() else (0, 0)


def _day() -> str:
    return datetime.now(UTC).date().isoformat()

"""The messenger apps by name, and what they do to photos, in one table, for shaping covers and for testing them.

No app promises any of this, and versions differ. The values come from the apps' sources or others' measurements, in November
2026. Imports NumPy and Pillow only when pictures are at hand, so that `--help` can name the apps.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .pictures import Pixels


__all__ = ["APPS", "UNKNOWN_APP", "App", "Handling", "reduced", "trials"]


class App(StrEnum):
    """The app that will carry the cover, which decides what happens to it on the way (`APPS`)."""

    SIGNAL = "signal"
    WHATSAPP = "whatsapp"
    TELEGRAM = "telegram"
    ELEMENT = "element"
    INSTAGRAM = "instagram"
    FILE = "file"
    """Sent as a file, which stays untouched."""


@dataclass(frozen=True)
class Handling:
    """What an app does to a photo.

    Attributes:
        side: the most pixels on the longer side; larger photos are scaled down. None: no limit.
        quality: of the JPEG file that the app writes, on libjpeg's scale. None: the file stays as it is, with what it carries.
        format: "JPEG", or "WEBP" if the app converts to that.
        scale: the factor by which the app scales the sides, besides ``side``: bilinearly, without a filter, as phones do.
        source: where this comes from.
    """

    source: str
    side: int | None = None
    quality: int | None = None
    format: str = "JPEG"
    scale: float = 1.0

    def deliver(self, pixels: Pixels) -> Pixels:
        """``pixels``, (H, W, 3) uint8, as they arrive: simulated with Pillow's codecs."""
        import numpy as np
        from PIL import Image

        shown = reduced(pixels, self.side)
        if self.scale != 1:
            import cv2

            shown = np.asarray(cv2.resize(shown, None, fx=self.scale, fy=self.scale), np.uint8)
        if self.quality is None:
            return shown
        file = io.BytesIO()
        Image.fromarray(shown).save(file, self.format, quality=self.quality)
        return np.asarray(Image.open(file).convert("RGB"))


APPS: Mapping[App, Handling] = MappingProxyType(
    {
        App.SIGNAL: Handling("Signal-Android: PushMediaConstraints, ImageCompressionUtil", side=1600, quality=70),
        App.WHATSAPP: Handling("live tests published with FaintMark and Stegstr; the quality is assumed", 1600, 70),
        App.TELEGRAM: Handling("Telegram Desktop: localimageloader; tdesktop issue 6520", side=1280, quality=87),
        App.ELEMENT: Handling("Element X Android: AndroidMediaPreProcessor; Element Web leaves files alone", 1280, 78),
        App.INSTAGRAM: Handling("live tests published with FaintMark; the quality is assumed", side=1080, quality=70),
        App.FILE: Handling("sent as a file or document, it arrives as it was"),
    }
)

UNKNOWN_APP: Sequence[Handling] = (
    Handling("an ordinary JPEG", 1600, quality=70),
    Handling("a strong JPEG", 1600, quality=50),  # whoever survives this one survives the first with room to spare
    Handling("a smaller copy", 1600, quality=70, scale=0.84),
    Handling("a preview as WebP", 1600, quality=80, format="WEBP"),
)
"""What a cover for no app in particular should survive, the most important first. More pixels than these are easier."""

_STRONG = 50  # versions and encoders differ: mozjpeg at 70 does as much harm as libjpeg-turbo at 60 or less


def trials(app: App | None) -> Sequence[Handling]:
    """What a cover for ``app``, or for none in particular, should survive, the most important first."""
    if app is None:
        return UNKNOWN_APP
    handling = APPS[app]
    return (handling,) if handling.quality is None else (handling, replace(handling, quality=_STRONG))


def reduced(pixels: Pixels, side: int | None) -> Pixels:
    """Scales pixels down to at most ``side`` on the longer side, as apps do. None: leaves them as they are."""
    height, width = pixels.shape[:2]
    if side is None or max(width, height) <= side:
        return pixels
    import numpy as np
    from PIL import Image

    size = max(round(width * side / max(width, height)), 1), max(round(height * side / max(width, height)), 1)
    return np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC))

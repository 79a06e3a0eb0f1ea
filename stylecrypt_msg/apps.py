"""What messengers do to the photos that pass through them: the one table of it, for shaping covers and for trying them.

No app promises any of this, and versions differ. It is what their sources said, or what others measured, in November 2026.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .choices import App

__all__ = ["APPS", "UNKNOWN_APP", "Handling", "reduced"]

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Handling:
    """What becomes of a photo.

    Attributes:
        side: pixels of the longer side that it may have; a larger one is reduced. None: any.
        quality: of the JPEG file that is made of it, on libjpeg's scale. None: the file stays as it is, with what it carries.
        format: "JPEG", or "WEBP" where an app makes that of it.
        scale: of the sides, beside ``side``.
        source: who says so.
    """

    source: str
    side: int | None = None
    quality: int | None = None
    format: str = "JPEG"
    scale: float = 1.0

    def deliver(self, pixels: Pixels) -> Pixels:
        """What arrives of ``pixels``, (H, W, 3) uint8: simulated, with Pillow's codecs."""
        shown = reduced(pixels, self.side)
        if self.scale != 1:
            shown = reduced(shown, round(max(shown.shape[:2]) * self.scale))
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
    Handling("a strong one", 1600, quality=50),
    Handling("a smaller copy", 1600, quality=70, scale=0.8),
    Handling("a preview as WebP", 1600, quality=80, format="WEBP"),
)
"""What a cover for no app in particular should survive, the easiest first. No app keeps more pixels than these."""


def reduced(pixels: Pixels, side: int | None) -> Pixels:
    """With no more than ``side`` pixels on the longer side, as apps do it. None: as it is."""
    height, width = pixels.shape[:2]
    if side is None or max(width, height) <= side:
        return pixels
    size = max(round(width * side / max(width, height)), 1), max(round(height * side / max(width, height)), 1)
    return np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC))

"""Pictures with the features of photos: smooth walls, edges and texture."""

from __future__ import annotations

import cv2
import numpy as np

from stylecrypt_msg.pictures import Pixels


def scene(width: int, height: int, seed: int = 0) -> Pixels:
    """(height, width, 3): noise of all sizes on the right, a smooth wall on the left."""
    rng = np.random.default_rng(seed)
    picture = np.full((height, width, 3), 128, np.float32)
    for size, strength in ((6, 60), (24, 30), (96, 18), (384, 13)):
        noise = rng.normal(0, strength, (size * height // width + 1, size, 3)).astype(np.float32)
        layer = cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC)
        if size > 6:
            layer[:, : width // 3] = 0
        picture += layer
    return picture.clip(0, 255).astype(np.uint8)

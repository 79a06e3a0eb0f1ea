"""Where the bits of an imprint lie in a picture. SPEC.md, annex B.1.

The picture is looked at in one of `SIDES`, cut into cells, and each cell into blocks, of which seven low frequencies count.
"""

from __future__ import annotations

from functools import cache
from hashlib import shake_256
from typing import Final

import numpy as np
from numpy.typing import NDArray

from .error_correction import MAX_WORDS, UNIT_BITS, UNITS_PER_WORD
from .primitives import IMPRINT_DITHER

__all__ = ["BLOCK", "CELL", "FREQUENCIES", "LUMA", "SIDES", "STEP", "dither"]

SIDES: Final = (1024, 768)
"""Pixels on the longer side of the sizes in which a picture is looked at."""
CELL: Final = 64
BLOCK: Final = 8
FREQUENCIES: Final = ((0, 1), (1, 0), (1, 1), (0, 2), (2, 0), (1, 2), (2, 1))
"""(down, across), of a block's DCT-II."""
STEP: Final = 34.0
"""Levels between two values of a coefficient that mean the same bit."""
LUMA: Final = (0.299, 0.587, 0.114)


@cache
def dither() -> NDArray[np.float32]:
    """(units, `UNIT_BITS`), 0 to 1: how far each unit's values are shifted, in steps. It tells which unit a cell holds."""
    units = MAX_WORDS * UNITS_PER_WORD
    raw = shake_256(IMPRINT_DITHER).digest(units * UNIT_BITS * 2)
    return np.frombuffer(raw, ">u2").reshape(units, UNIT_BITS).astype(np.float32) / np.float32(65536)

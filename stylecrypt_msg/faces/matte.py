"""Cut a head and shoulders out of an aligned square: the paper's preprocessing (iii), a trimap and then a matte.

GrabCut (Rother, Kolmogorov and Blake 2004), started from where heads lie in FFHQ's framing, tells person from
background; a band along its outline is left unknown; PyMatting solves closed-form matting (Levin, Lischinski and Weiss
2008) in the band, which is where the hair is.
"""

from __future__ import annotations

import cv2
import numpy as np
from cv2.typing import MatLike
from numpy.typing import NDArray

__all__ = ["matte", "person", "trimap"]

_SIZE = 256  # px at which the matte is computed: the paper's size; the solver's time grows with the area (2 s at 512)
_BAND = 9  # px at that size by which the unknown band reaches to either side: about a curl of hair
_SPECK = 36  # of the side: what is smaller is a mistake


def matte(aligned: NDArray[np.uint8]) -> NDArray[np.float32]:
    """How much of each pixel is person: (S, S) float32, from 0 for background to 1, for an aligned (S, S, 3) uint8
    square."""
    from pymatting import estimate_alpha_cf  # compiles with numba when imported, which takes seconds

    how = cv2.INTER_AREA if aligned.shape[0] > _SIZE else cv2.INTER_CUBIC
    small = np.asarray(cv2.resize(aligned, (_SIZE, _SIZE), interpolation=how), np.uint8)
    alpha = estimate_alpha_cf(small / 255.0, trimap(small))
    full = cv2.resize(alpha, aligned.shape[:2][::-1], interpolation=cv2.INTER_CUBIC)
    return np.asarray(np.clip(full, 0, 1), np.float32)


def trimap(aligned: NDArray[np.uint8]) -> NDArray[np.float64]:
    """1 where ``aligned``, (256, 256, 3) uint8, is person for certain, 0 where it is not, 0.5 where it may be."""
    there = person(aligned, rounds=5).astype(np.uint8)
    band = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * _BAND + 1, 2 * _BAND + 1))
    result = np.full(there.shape, 0.5)
    result[cv2.erode(there, band) == 1] = 1
    result[cv2.dilate(there, band) == 0] = 0
    return result


def person(aligned: NDArray[np.uint8], rounds: int = 3) -> NDArray[np.bool_]:
    """Where ``aligned``, (S, S, 3) uint8, shows the person rather than what is behind: (S, S). GrabCut takes ``rounds``."""
    size = aligned.shape[0]
    across = (np.arange(size) + 0.5) / size
    y, x = np.meshgrid(across, across, indexing="ij")
    labels = np.full((size, size), cv2.GC_PR_BGD, np.uint8)
    # In FFHQ's framing: probably head with hair, neck and shoulders; surely face, crown and throat. Without the crown,
    # GrabCut takes hair for background, since it would learn the person's colours without it.
    labels[np.hypot((x - 0.5) / 0.38, (y - 0.5) / 0.47) < 1] = cv2.GC_PR_FGD
    labels[(y > 0.88) & (abs(x - 0.5) < 0.42)] = cv2.GC_PR_FGD
    labels[np.hypot((x - 0.5) / 0.26, (y - 0.53) / 0.41) < 1] = cv2.GC_FGD
    labels[(y > 0.85) & (abs(x - 0.5) < 0.12)] = cv2.GC_FGD
    # The upper corners and sides hold background in nearly every picture.
    labels[(abs(x - 0.5) > 0.47) & (y < 0.7)] = cv2.GC_BGD
    labels[(abs(x - 0.5) > 0.33) & (y < 0.06)] = cv2.GC_BGD

    cv2.setRNGSeed(0)  # GrabCut's clustering starts at random
    models = np.zeros((1, 65)), np.zeros((1, 65))  # OpenCV's working space
    bgr = np.ascontiguousarray(aligned[..., ::-1])
    cv2.grabCut(bgr, labels, (0, 0, 0, 0), *models, rounds, cv2.GC_INIT_WITH_MASK)
    there: MatLike = np.isin(labels, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.uint8)
    # Specks and holes are mistakes; the person is one piece, the one with the face in it.
    wide = round(size / _SPECK)
    speck = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (wide, wide))
    there = cv2.morphologyEx(cv2.morphologyEx(there, cv2.MORPH_OPEN, speck), cv2.MORPH_CLOSE, speck)
    _, pieces = cv2.connectedComponents(there)
    return np.asarray(pieces == pieces[round(0.57 * size), size // 2])

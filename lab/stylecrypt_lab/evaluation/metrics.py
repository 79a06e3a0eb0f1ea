"""The similarity of two pictures, and of two faces. For definitions and sources see docs/evaluation.md.

Pictures are compared as in the paper, at 256 px: aligned squares, (256, 256, 3) uint8 RGB. `recognisers` describe identities;
this module compares the descriptors.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

from stylecrypt_msg.errors import InputError, Remedy
from stylecrypt_msg.pictures import Pixels

__all__ = ["FAR", "HIGHEST_PSNR", "SIZE", "Lpips", "cosine", "load_lpips", "psnr", "ssim", "threshold_at_far"]


SIZE = 256
"""Pixels a side at which pictures are compared, as in the paper."""

HIGHEST_PSNR = 100.0
"""dB for identical pictures; a single one of 196,608 values off by one gives 101 dB."""

FAR = 1e-3
"""The false accept rate: the share of pairs of two people that may pass for one person."""

_TRUNK = "alexnet-owt-*.pth"  # torchvision's AlexNet, with the start of its hash


def psnr(original: Pixels, made: Pixels) -> float:
    """Peak signal-to-noise ratio in dB over all three colours (the paper's equation 4), at most `HIGHEST_PSNR`."""
    if np.array_equal(original, made):
        return HIGHEST_PSNR
    return min(float(_skimage().peak_signal_noise_ratio(original, made, data_range=255)), HIGHEST_PSNR)


def ssim(original: Pixels, made: Pixels) -> float:
    """Structural similarity (equation 5) as in Wang et al. 2004: Gaussian windows of 1.5 px; the mean over the colours."""
    options = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    return float(_skimage().structural_similarity(original, made, channel_axis=2, data_range=255, **options))


def _skimage() -> Any:
    try:
        from skimage import metrics
    except ImportError as error:
        raise InputError(
            "PSNR and SSIM cannot be measured: scikit-image is not installed.",
            remedy=Remedy.INSTALL_EXTRA,
            extra="evaluate",
        ) from error
    return metrics


Lpips: TypeAlias = Callable[[Pixels, Pixels], float]
"""LPIPS of two pictures (Zhang et al. 2018): 0 if identical; the less alike they look, the higher."""


def load_lpips() -> Lpips:
    """LPIPS with AlexNet, version 0.1, by the package ``lpips``; downloads nothing.

    Raises InputError, which says how to get what is missing, if the package does not work here or AlexNet's weights are not
    in torch's checkpoint folder.
    """
    try:
        import lpips
    except Exception as error:  # torchvision, which it imports, raises not only ImportError
        raise InputError(
            "LPIPS was not measured: the packages lpips and torchvision are missing or do not work here.",
            hint="Install lpips, and the version of torchvision that matches this torch, from the same source as torch.",
        ) from error
    folder = Path(torch.hub.get_dir()) / "checkpoints"
    trunks = sorted(folder.glob(_TRUNK))
    if not trunks:
        raise InputError(
            "LPIPS was not measured: AlexNet's weights are not on this machine.",
            hint=f"Download https://download.pytorch.org/models/alexnet-owt-7be5be79.pth to {folder}.",
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # lpips calls torchvision the way older versions wanted
            network = lpips.LPIPS(net="alex", version="0.1", pnet_rand=True, verbose=False)
        # Not with torchvision, which would unpickle whatever the file holds.
        weights = torch.load(trunks[-1], map_location="cpu", weights_only=True)
        names = network.net.state_dict()  # slice3.6.weight is AlexNet's features.6.weight
        network.net.load_state_dict({name: weights[f"features.{name.partition('.')[2]}"] for name in names})
    except Exception as error:  # any of many types, if the file is something else
        raise InputError(
            f"LPIPS was not measured: {trunks[-1]} does not hold AlexNet's weights.", hint="Download it again."
        ) from error
    network.eval()

    @torch.inference_mode()
    def measure(original: Pixels, made: Pixels) -> float:
        first, second = (
            torch.from_numpy(picture.copy()).permute(2, 0, 1)[None].float() / 127.5 - 1 for picture in (original, made)
        )
        return float(network(first, second))

    return measure


def cosine(first: NDArray[np.float32], second: NDArray[np.float32]) -> float:
    """Cosine of the angle between two descriptors, times 100, as in the paper's table II."""
    lengths = float(np.linalg.norm(first)) * float(np.linalg.norm(second))
    return 100 * float(first @ second) / max(lengths, 1e-12)


def threshold_at_far(impostors: Sequence[float]) -> float | None:
    """The distance that at most a share of `FAR` of ``impostors``, distances between two people, fall below.

    None for fewer than 1 / `FAR` distances, which do not determine the rate.
    """
    if len(impostors) * FAR < 1:
        return None
    return float(np.sort(impostors)[math.floor(len(impostors) * FAR)])

"""The colours of a picture file in sRGB, which is what screens and other programs expect of plain pixels.

Files say in several ways what their numbers mean. As in browsers (PNG, third edition, section 4.3), the first that is there
counts: coding-independent code points (ITU-T H.273; cICP in PNG, nclx in HEIC and AVIF), an ICC profile, PNG's gAMA and cHRM.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

__all__ = ["to_srgb"]

Floats = NDArray[np.float64]

_BT709 = (0.640, 0.330, 0.300, 0.600, 0.150, 0.060, 0.3127, 0.3290)
# x and y of red, green, blue and white, by their number in H.273, table 2.
_PRIMARIES: Mapping[int, tuple[float, ...]] = MappingProxyType(
    {
        1: _BT709,
        5: (0.640, 0.330, 0.290, 0.600, 0.150, 0.060, 0.3127, 0.3290),
        6: (0.630, 0.340, 0.310, 0.595, 0.155, 0.070, 0.3127, 0.3290),
        9: (0.708, 0.292, 0.170, 0.797, 0.131, 0.046, 0.3127, 0.3290),
        12: (0.680, 0.320, 0.265, 0.690, 0.150, 0.060, 0.3127, 0.3290),
    }
)
_WHITE: Final = 203.0  # candela per square metre of what shows as white (ITU-R BT.2408, section 2)
_PEAK: Final = 10_000.0  # of PQ's largest value
_HLG_WHITE: Final = 0.75  # HLG's value for the same white
_UNSPECIFIED: Final = 2
_LEVELS: Final = 4096  # of light, between which sRGB's curve is looked up
_ROWS: Final = 256  # at a time: a large picture in floats would take a gigabyte
_ALIKE: Final = 2  # levels: a profile that changes no colour by more is sRGB


def to_srgb(image: Image.Image, data: bytes) -> Image.Image:
    """A loaded ``image``, as it was read from the file ``data``, in sRGB and mode RGB, CMYK and grey included. What names no
    colours, or says nonsense of them, is taken for sRGB. HDR's light above white becomes white."""
    code_points = _code_points(image, data)
    if code_points is not None:
        primaries, curve = code_points
        return _by_light(image.convert("RGB"), _PRIMARIES.get(primaries, _BT709), _CURVES.get(curve, _srgb_to_light))
    if profile := image.info.get("icc_profile"):
        return _by_profile(image, profile) or image.convert("RGB")
    gamma = image.info.get("gamma")
    if isinstance(gamma, float) and 0.1 < gamma < 10 and "srgb" not in image.info:
        corners = image.info.get("chromaticity")  # white first
        primaries_xy = (*corners[2:], *corners[:2]) if isinstance(corners, tuple) and len(corners) == 8 else _BT709
        same = abs(gamma - 1 / 2.2) < 0.01 and np.allclose(primaries_xy, _BT709, atol=0.002)
        if not same:
            return _by_light(image.convert("RGB"), primaries_xy, lambda values: values ** (1 / gamma))
    return image.convert("RGB") if image.mode != "RGB" else image  # convert would copy


def _code_points(image: Image.Image, data: bytes) -> tuple[int, int] | None:
    """The primaries and the transfer characteristics that a file states, by number; None: none, or sRGB's own."""
    if image.format == "PNG":
        at = data.find(b"cICP", 0, data.find(b"IDAT"))
        found = tuple(data[at + 4 : at + 6]) if at > 0 else None
    elif image.format in ("HEIF", "AVIF") and "icc_profile" not in image.info:
        at = data.find(b"colrnclx")
        found = (data[at + 9], data[at + 11]) if 0 < at < len(data) - 12 else None
    else:
        found = None
    if found is None or len(found) < 2:
        return None
    primaries, curve = (1 if found[0] == _UNSPECIFIED else found[0]), (13 if found[1] == _UNSPECIFIED else found[1])
    # Photographs with the curve of television are shown as sRGB everywhere.
    return None if primaries == 1 and curve in (1, 6, 13, 14, 15) else (primaries, curve)


def _by_profile(image: Image.Image, profile: bytes) -> Image.Image | None:
    """An image converted by its ICC profile; None if that is damaged or not for such pixels."""
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        convert = ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), image.mode, "RGB")
        if image.mode == "RGB":
            sample = _sample()
            changed = ImageCms.applyTransform(sample, convert)
            difference = np.asarray(changed, np.int16) - np.asarray(sample, np.int16)
            if np.abs(difference).max() <= _ALIKE:
                return image  # a conversion would only round
        return ImageCms.applyTransform(image, convert)
    except (ImageCms.PyCMSError, OSError, ValueError):
        return None


def _sample() -> Image.Image:
    """729 colours, spread evenly."""
    steps = np.linspace(0, 255, 9).astype(np.uint8)
    return Image.fromarray(np.stack(np.meshgrid(steps, steps, steps), -1).reshape(27, 27, 3))


def _by_light(image: Image.Image, corners: tuple[float, ...], to_light: Callable[[Floats], Floats]) -> Image.Image:
    """An image whose values mean other light than sRGB's; ``to_light`` gives it, 1 for white."""
    matrix = np.linalg.inv(_to_xyz(_BT709)) @ _to_xyz(corners)
    light = to_light(np.arange(256) / 255).astype(np.float32)
    shown = np.rint(_light_to_srgb(np.arange(_LEVELS) / (_LEVELS - 1)) * 255).astype(np.uint8)
    pixels = np.asarray(image)
    result = np.empty_like(pixels)
    for top in range(0, len(pixels), _ROWS):
        rows = cv2.transform(light[pixels[top : top + _ROWS]], matrix.astype(np.float32))
        result[top : top + _ROWS] = shown[(rows.clip(0, 1) * (_LEVELS - 1) + 0.5).astype(np.uint16)]
    return Image.fromarray(result)


def _to_xyz(corners: tuple[float, ...]) -> Floats:
    """The matrix from linear light in these primaries to CIE XYZ (SMPTE RP 177)."""
    points = np.array(corners, np.float64).reshape(4, 2)
    columns = np.stack([points[:, 0] / points[:, 1], np.ones(4), (1 - points.sum(1)) / points[:, 1]])
    return np.asarray(columns[:, :3] * np.linalg.solve(columns[:, :3], columns[:, 3]))


# Curves: values, 0 to 1, to light.


def _srgb_to_light(values: Floats) -> Floats:
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def _light_to_srgb(light: Floats) -> Floats:
    return np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)


def _pq_to_light(values: Floats) -> Floats:
    """SMPTE ST 2084."""
    m1, m2, c1, c2, c3 = 2610 / 16384, 2523 / 32, 3424 / 4096, 2413 / 128, 2392 / 128
    power = values ** (1 / m2)
    return np.asarray((np.maximum(power - c1, 0) / (c2 - c3 * power)) ** (1 / m1) * _PEAK / _WHITE)


def _hlg_to_light(values: Floats) -> Floats:
    """ITU-R BT.2100, with the system gamma of 1.2 for each colour by itself."""
    a, b, c = 0.17883277, 0.28466892, 0.55991073

    def scene(values: Floats) -> Floats:
        return np.where(values <= 0.5, values**2 / 3, (np.exp((values - c) / a) + b) / 12)

    return np.asarray((scene(values) / scene(np.array(_HLG_WHITE))) ** 1.2)


# By their number in H.273, table 3.
_CURVES: Mapping[int, Callable[[Floats], Floats]] = MappingProxyType(
    {
        4: lambda values: values**2.2,
        5: lambda values: values**2.8,
        8: lambda values: values,
        13: _srgb_to_light,
        16: _pq_to_light,
        18: _hlg_to_light,
    }
)

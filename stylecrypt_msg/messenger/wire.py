"""Converts between the SDK's pixels and quads and those on the wire."""

from __future__ import annotations

import numpy as np
import stylecrypt_protocol as protocol
from stylecrypt_protocol import PublicPart

from ..choices import Form
from ..errors import InputError
from ..faces import Quad
from ..pictures import Pixels

__all__ = ["check_size", "form_of", "from_wire", "to_wire", "wire_pixels"]


def check_size(pixels: Pixels) -> None:
    """Raises InputError when a picture of this size cannot be described on the wire."""
    height, width = pixels.shape[:2]
    if max(width, height) > protocol.MAX_SIDE or width * height > protocol.MAX_PIXELS:
        raise InputError(
            f"The picture has {width} x {height} pixels; up to {protocol.MAX_SIDE} a side and "
            f"{protocol.MAX_PIXELS // 10**6} million in all can be sent.",
            hint="Make a smaller copy and use that.",
        )


def wire_pixels(pixels: Pixels) -> protocol.Pixels:
    """(H, W, 3) uint8 as the protocol takes them. Raises what `check_size` does."""
    check_size(pixels)
    return protocol.Pixels(width=pixels.shape[1], height=pixels.shape[0], rgb=np.ascontiguousarray(pixels).data)


# Corners run clockwise here; on the wire, in the order of Pillow's QUAD: top left, bottom left, bottom right, top right.
_ORDER = (0, 3, 2, 1)


def to_wire(quad: Quad) -> protocol.WireQuad:
    return protocol.WireQuad.from_pixels([tuple(quad[i]) for i in _ORDER])


def from_wire(quad: protocol.WireQuad) -> Quad:
    return np.array(quad.pixels(), np.float64)[list(_ORDER)]


def form_of(public: PublicPart) -> Form:
    side = float(public.width)
    whole = ((0.0, 0.0), (0.0, side), (side, side), (side, 0.0))
    square = public.width == public.height and len(public.faces) == 1 and public.faces[0].pixels() == whole
    return "portrait" if square else "photo"

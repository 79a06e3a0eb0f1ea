"""Between the SDK's pixels and quads and those of the wire."""

from __future__ import annotations

import numpy as np
import stylecrypt_protocol as protocol
from stylecrypt_protocol import PublicPart

from ..cipher import Form
from ..errors import InputError
from ..faces import Quad
from .values import Pixels

__all__ = ["form_of", "from_wire", "to_wire", "wire_pixels"]


def wire_pixels(pixels: Pixels) -> protocol.Pixels:
    height, width = pixels.shape[:2]
    try:
        return protocol.Pixels(width=width, height=height, rgb=pixels.tobytes())
    except (ValueError, protocol.LocalProtocolError) as error:
        raise InputError(
            f"The picture has {width} x {height} pixels; up to 16384 a side and 67 million can be sent.",
            hint="Make a smaller copy and use that.",
        ) from error


# Corners run clockwise here, and as Pillow's QUAD on the wire: top left, bottom left, bottom right, top right.
_ORDER = (0, 3, 2, 1)


def to_wire(quad: Quad) -> protocol.Quad:
    return protocol.Quad.from_pixels([tuple(quad[i]) for i in _ORDER])


def from_wire(quad: protocol.Quad) -> Quad:
    return np.array(quad.pixels(), np.float64)[list(_ORDER)]


def form_of(public: PublicPart) -> Form:
    side = float(public.width)
    whole = ((0.0, 0.0), (0.0, side), (side, side), (side, 0.0))
    square = public.width == public.height and len(public.faces) == 1 and public.faces[0].pixels() == whole
    return "portrait" if square else "photo"

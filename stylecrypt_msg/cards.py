"""Contact cards as people have them: a file, its text, or a picture of its QR code."""

from __future__ import annotations

import cv2
from stylecrypt_protocol import Card, Revocation, is_card, read_card

from .errors import InputError, PictureError, explaining
from .pictures import read_photo

__all__ = ["card_of"]


def card_of(data: bytes) -> Card | Revocation:
    """The card or revocation in ``data``: its bytes, its text, or a picture file with its QR code.

    Raises InputError for anything else, or a code that cannot be read; MessageError for a damaged card.
    """
    with explaining():
        return read_card(data if is_card(data) else _from_qr(data))


def _from_qr(data: bytes) -> bytes:
    try:
        pixels = read_photo(data).pixels
    except PictureError as error:
        raise InputError(
            "This is neither a card nor a picture of one.", hint="Use the file of a card, its text, or its QR code."
        ) from error
    # OpenCV's older detector finds no code in 3 of 100 pictures, be they ever so clean.
    for detector in (cv2.QRCodeDetectorAruco(), cv2.QRCodeDetector()):
        text, *_ = detector.detectAndDecode(pixels[..., ::-1].copy())
        if text:
            return str(text).encode()
    raise InputError("No QR code was found in the picture.", hint="Use a sharp picture that shows all of the code.")

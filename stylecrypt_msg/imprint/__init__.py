"""The imprint: a small sealed message in the pixels of a cover, which survives when an app re-encodes the picture and drops the
envelope. SPEC.md, annex B."""

from stylecrypt_protocol.error_correction import WORD_BYTES

from .channel import MIN_SIDE, Reading, Written, capacity, read, write
from .faces import LEAST_BYTES, paste_faces, small_faces

__all__ = [
    "LEAST_BYTES",
    "MIN_SIDE",
    "WORD_BYTES",
    "Reading",
    "Written",
    "capacity",
    "paste_faces",
    "read",
    "small_faces",
    "write",
]

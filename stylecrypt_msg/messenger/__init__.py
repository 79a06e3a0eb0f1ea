"""Photos to messages and back: profile, cipher and protocol together.

``Messenger.prepare`` turns a photo into a picture that is safe to send; ``Messenger.open`` turns a received picture into what
its sender let us see; the rest handles key faces. Bytes in, bytes and typed results out: no network, no clock, no files but
the profile's. Transports, the command line and bots do the talking.

``prepare`` returns nothing unless every step succeeded. ``open`` falls back from level to level by itself and says why in
``warnings``; but it refuses, at every level, a message that was tampered with or whose sender we do not know.
"""

from .key_faces import KeyPhoto, NewKeyFace, ReceivedKeyFace
from .messenger import Messenger
from .values import Arrival, DecryptedPhoto, Draft, EncryptedPhoto, LeakReport, sealable_name

__all__ = [
    "Arrival",
    "DecryptedPhoto",
    "Draft",
    "EncryptedPhoto",
    "KeyPhoto",
    "LeakReport",
    "Messenger",
    "NewKeyFace",
    "ReceivedKeyFace",
    "sealable_name",
]

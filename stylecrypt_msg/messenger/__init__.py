"""Photos to messages and back: profile, cipher and protocol together.

``Messenger.prepare`` turns a photo into a picture that may travel; ``Messenger.open`` turns a picture that arrived into what
its sender let us see; the rest is about key faces. Bytes in, bytes and typed results out: no network, no clock, no files but
the profile's. Transports, the command line and bots do the talking.

Nothing comes out of ``prepare`` unless every step succeeded. ``open`` falls back from level to level by itself and says
why in ``warnings``; but a message that was tampered with, or is from nobody that we know, is refused at every level.
"""

from .key_faces import KeyPhoto, NewKeyFace, ReceivedKeyFace
from .messenger import Messenger
from .values import Arrival, DecryptedPhoto, Draft, EncryptedPhoto, LeakReport, Level

__all__ = [
    "Arrival",
    "DecryptedPhoto",
    "Draft",
    "EncryptedPhoto",
    "KeyPhoto",
    "LeakReport",
    "Level",
    "Messenger",
    "NewKeyFace",
    "ReceivedKeyFace",
]

"""The wire format of StyleCrypt: bytes in, frozen values or bytes out. No network, no files, no clock, no
torch.

Choose by what you are building:

* a chat application or a bot that sends and opens messages: ``PublicPart.describe`` and ``seal_message`` make
  an ``Envelope``; ``Envelope.pack`` and ``put`` (or ``to_event``) carry it. Backwards: ``take`` and
  ``Envelope.unpack``, or ``from_event``, then ``open_message``; where several may come with one picture,
  ``envelopes_of`` and ``open_first``. Decoding pictures, asking the clock, and storing are yours.
* something that manages people: ``Identity`` (your own keys), ``Card`` (theirs), ``compare_cards``,
  ``pair_words``, ``Revocation``.
* something that keeps keys and files: ``lock``, ``unlock``, ``StorageKey``.
* pictures whose pixels speak for themselves: ``seal_imprint`` and ``open_imprint``; how the bytes get there is yours.
* key faces: ``KeyFace``, ``Inversion``, ``share_key_face``, ``open_key_face`` and ``pick_key_face``.
* another implementation: protocol/SPEC.md and protocol/vectors/.

Wrong calls raise ``LocalProtocolError``; received data that cannot be used raise a
``RemoteProtocolError``, whose text is meant for the user. Nothing else is raised for any received bytes.
"""

from __future__ import annotations

from .at_rest import Cost, StorageKey, Unlocked, lock, unlock
from .card import Card, CardChange, Revocation, RevocationReason, compare_cards, find_card, is_card, read_card
from .carriers import ENVELOPE_SUFFIX, put, remove, take
from .carriers.event import (
    CARD_KEY,
    EVENT_KEY,
    KEY_FACE_KEY,
    fits_event,
    from_event,
    has_key_face,
    key_face_event,
    to_event,
)
from .commitment import KeyFace, Opening
from .cover import CoverVerdict, Pixels, WireQuad
from .envelope import Envelope, PublicPart, pick_key_face
from .errors import (
    BadSignatureError,
    CoverMismatchError,
    ForgedError,
    ForwardedError,
    FromFutureError,
    LocalProtocolError,
    MalformedError,
    MovedError,
    NotForMeError,
    ProtocolError,
    RemoteProtocolError,
    ReplayedError,
    RevokedKeyError,
    StrangerError,
    TooLargeError,
    TooOldError,
    UnsealedError,
    UnsupportedError,
    WrongPassphraseError,
)
from .identity import Identity
from .imprint import (
    IMPRINT_CELLS,
    ImprintContent,
    ImprintedFace,
    OpenedImprint,
    imprint_bytes,
    open_imprint,
    seal_imprint,
)
from .key_face import Inversion, SharedKeyFace, open_key_face, share_key_face
from .level import Level
from .limits import (
    MAX_AGE,
    MAX_CARRIED_BYTES,
    MAX_CLOCK_SKEW,
    MAX_IMPRINT_FACES,
    MAX_IMPRINT_RECIPIENTS,
    MAX_PIXELS,
    MAX_SIDE,
)
from .messages import OpenedMessage, envelopes_of, open_first, open_message, seal_message
from .replay import MemorySeenStore, Seen, SeenStore
from .sealed import Residual, ResidualKind, SealedPart, context_of
from .secret import Secret
from .wire import CardId, MessageId
from .words import card_words, pair_words

__all__ = [
    "CARD_KEY",
    "ENVELOPE_SUFFIX",
    "EVENT_KEY",
    "IMPRINT_CELLS",
    "KEY_FACE_KEY",
    "MAX_AGE",
    "MAX_CARRIED_BYTES",
    "MAX_CLOCK_SKEW",
    "MAX_IMPRINT_FACES",
    "MAX_IMPRINT_RECIPIENTS",
    "MAX_PIXELS",
    "MAX_SIDE",
    "BadSignatureError",
    "Card",
    "CardChange",
    "CardId",
    "Cost",
    "CoverMismatchError",
    "CoverVerdict",
    "Envelope",
    "ForgedError",
    "ForwardedError",
    "FromFutureError",
    "Identity",
    "ImprintContent",
    "ImprintedFace",
    "Inversion",
    "KeyFace",
    "Level",
    "LocalProtocolError",
    "MalformedError",
    "MemorySeenStore",
    "MessageId",
    "MovedError",
    "NotForMeError",
    "OpenedImprint",
    "OpenedMessage",
    "Opening",
    "Pixels",
    "ProtocolError",
    "PublicPart",
    "RemoteProtocolError",
    "ReplayedError",
    "Residual",
    "ResidualKind",
    "Revocation",
    "RevocationReason",
    "RevokedKeyError",
    "SealedPart",
    "Secret",
    "Seen",
    "SeenStore",
    "SharedKeyFace",
    "StorageKey",
    "StrangerError",
    "TooLargeError",
    "TooOldError",
    "Unlocked",
    "UnsealedError",
    "UnsupportedError",
    "WireQuad",
    "WrongPassphraseError",
    "card_words",
    "compare_cards",
    "context_of",
    "envelopes_of",
    "find_card",
    "fits_event",
    "from_event",
    "has_key_face",
    "imprint_bytes",
    "is_card",
    "key_face_event",
    "lock",
    "open_first",
    "open_imprint",
    "open_key_face",
    "open_message",
    "pair_words",
    "pick_key_face",
    "put",
    "read_card",
    "remove",
    "seal_imprint",
    "seal_message",
    "share_key_face",
    "take",
    "to_event",
    "unlock",
]

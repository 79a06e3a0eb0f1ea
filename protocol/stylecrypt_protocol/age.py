"""Sealing with age v1 (https://age-encryption.org/v1) to X25519 recipients, through ``pyrage``. SPEC.md
section 4.3."""

from __future__ import annotations

import io
from collections.abc import Iterable
from typing import Final

import pyrage

from . import bech32
from .errors import MalformedError, NotForMeError, TooLargeError, UnsupportedError
from .identity import Identity
from .limits import MAX_AGE_HEADER_BYTES, MAX_AGE_STANZAS

INTRO: Final = b"age-encryption.org/v1\n"


def age_recipient(sealing_key: bytes) -> str:
    """An X25519 public key as age writes it: ``age1...``, 62 characters."""
    return bech32.encode("age", sealing_key, bech32.BECH32)


def encrypt(plaintext: bytes, sealing_keys: Iterable[bytes]) -> bytes:
    """An age file with a stanza for each of these X25519 public keys, which open it. File key, nonce and ephemeral
    keys are random, from pyrage."""
    recipients = [pyrage.x25519.Recipient.from_str(age_recipient(key)) for key in sealing_keys]
    return bytes(pyrage.encrypt(plaintext, recipients))


def decrypt(sealed: bytes, identity: Identity) -> bytes:
    """The plaintext.

    Raises NotForMeError if no stanza is for this key, MalformedError, TooLargeError, UnsupportedError.
    """
    check_header(sealed)
    key = pyrage.x25519.Identity.from_str(identity.age_identity().reveal().decode())
    plaintext = io.BytesIO()
    try:
        # Not pyrage.decrypt, which reads the whole header again for each of its lines: 65 ms for 100 recipients instead of
        # 6.
        pyrage.decrypt_io(io.BytesIO(sealed), plaintext, [key])
    except (pyrage.DecryptError, OSError) as error:  # OSError: a chunk of the payload does not authenticate
        if str(error) == "No matching keys found":
            raise NotForMeError from None
        raise MalformedError(f"sealed part: {error}") from None
    return plaintext.getvalue()


def check_header(sealed: bytes) -> int:
    """The number of keys a file is sealed to. Refuses, before any cryptography, what we would never produce: armor,
    passphrases, long headers, other key types.

    An unknown stanza is accepted if its type ends in "grease": age writers add such stanzas to keep unknown types legal.
    """
    if not sealed.startswith(INTRO):
        raise MalformedError("sealed part: not a binary age v1 file")
    end = sealed.find(b"\n---", 0, MAX_AGE_HEADER_BYTES)
    if end < 0:
        raise TooLargeError("sealed part: its header does not end in time")
    stanzas = [line.split(b" ") for line in sealed[len(INTRO) : end].split(b"\n") if line.startswith(b"->")]
    if len(stanzas) > MAX_AGE_STANZAS:
        raise TooLargeError(f"sealed part: {len(stanzas)} stanzas")
    if any(len(stanza) < 2 or not stanza[1] for stanza in stanzas):
        raise MalformedError("sealed part: a stanza without a type")
    keys = 0
    for _, *arguments in stanzas:
        if arguments[0] == b"X25519":
            keys += 1
        elif not arguments[0].endswith(b"grease"):
            raise UnsupportedError(f"sealed part: a stanza of type {arguments[0][:20].decode('ascii', 'replace')}")
    if not keys:
        raise MalformedError("sealed part: sealed to nobody")
    return keys


def padme(length: int) -> int:
    """The length that ``length`` bytes are padded to: at most 12 % more, leaking O(log log) bits of the
    length.

    Padmé, from Nikitin et al., "Reducing Metadata Leakage from Encrypted Files and Communication with
    PURBs" (PETS 2019), algorithm 1.
    """
    if length < 2:
        return length
    exponent = length.bit_length() - 1
    mask = (1 << (exponent - exponent.bit_length())) - 1
    return (length + mask) & ~mask

"""Every limit of the wire format, with its reason. SPEC.md section 9 is this file as a table.

A reader refuses anything over a limit before it allocates, decrypts or loops over it.
"""

from __future__ import annotations

from typing import Final

MAX_RECIPIENTS: Final = 128
"""Recipients of one message: the header then has 12.5 KB, and takes about 8 ms to open. A larger room needs several
messages."""

MAX_AGE_HEADER_BYTES: Final = 16 * 1024
"""Header of the sealed part: 128 stanzas of 98 bytes (12.5 KB), the MAC line, and one unknown ("grease")
stanza."""

MAX_AGE_STANZAS: Final = MAX_RECIPIENTS + 2
"""Stanzas of that header: one for each recipient, and up to two that writers add so that unknown ones stay
legal."""

MAX_FACES: Final = 128
"""Faces replaced in one photo: a school year, or a wedding. Each costs 32 bytes of public part and up to 1 KB of
sealed part."""

MAX_FACE_AREA: Final = 8
"""The boxes of all faces, cut to the cover, as a multiple of its area: a crowd whose heads touch has 4. A changed cover is
compared box by box, at 10 ns a pixel."""

MAX_SKETCH_BYTES: Final = 64 + MAX_FACES * 1024
"""A sketch: 64 bytes for the cover and up to 1024 for each face."""

MAX_SECRET_BYTES: Final = 64
"""A secret locked by a passphrase: a storage key, or an identity. The cipher does not commit to its key; a short plaintext
prevents a file that opens under many passphrases."""

MAX_STYLES: Final = 32
"""Style vectors of a model: 18 at 1024 px, 2 more for each doubling; the layer mask has 32 bits."""

MAX_STYLE_DIMENSIONS: Final = 1024
"""Numbers in a style vector: 512 in every published StyleGAN."""

MAX_SIDE: Final = 16_384
"""Width or height of a cover in pixels: as PNG, JPEG and WebP readers commonly accept (WebP stops at
16,383)."""

MAX_PIXELS: Final = 1 << 26
"""Pixels of a cover: 67 megapixels, 200 MB as RGB. Larger ones are refused before they are decoded."""

MAX_COORDINATE: Final = 1 << 22
"""Corners of a face in 1/64 px: 65,536 px either way, four times the largest side, since a face may be cut
off."""

MAX_CAPTION_BYTES: Final = 4096
"""Caption as UTF-8. Longer text belongs in a message of its own."""

MAX_FILE_NAME_BYTES: Final = 255
"""File name as UTF-8: the limit of ext4, APFS and NTFS."""

MAX_USER_ID_BYTES: Final = 255
"""User id as UTF-8: the limit that Matrix sets."""

MAX_DISPLAY_NAME_BYTES: Final = 128
"""Display name as UTF-8: it has to fit on one line, and a card into one QR code."""

MAX_TIME: Final = 253_402_300_799
"""Seconds since 1970: the end of the year 9999, the last that most languages' calendars support."""

MAX_AGE: Final = 30 * 24 * 3600
"""Seconds that a message may be under way: a phone that was off for a month still receives the ones it missed."""

MAX_CLOCK_SKEW: Final = 10 * 60
"""Seconds that something may be dated in the future: clocks that are set by hand differ by minutes."""

MAX_ENVELOPE_BYTES: Final = 32 * 1024 * 1024
"""A packed envelope, also as a file beside the picture. Opening holds five more copies in memory, 160 MB."""

MAX_CARRIED_BYTES: Final = 4 * 1024 * 1024
"""A packed envelope inside a picture: 2 MB of payload and its padding, with room. libpng readers drop chunks over 8 MB.
Larger ones travel as a file beside the picture, or at level ``latent`` (16 KB)."""

MAX_KEY_FACE_BYTES: Final = 4 * 1024 * 1024
"""The picture file of a shared key face. It is one face: 1024 x 1024 px as PNG have at most 3 MB."""

MAX_INVERSIONS: Final = 4
"""Models that a key face is prepared for: people use one, perhaps two. 256 KB at most, 64 KB in practice."""

MAX_IMPRINT_RECIPIENTS: Final = 8
"""Recipients of an imprint: each costs 97 bytes of the 1.4 KB that a photo of 4 : 3 holds."""

MAX_IMPRINT_BYTES: Final = 4080
"""An imprint: 20 words of 204 bytes, for which a square picture has the cells; at 42 dB it has room for half as much."""

MAX_IMPRINT_FACES: Final = 8
"""Faces in an imprint: in fewer than 300 bytes each, nobody can be recognised."""

MAX_PUBLIC_BYTES: Final = 8192
"""The public part: 4,221 bytes with 128 faces."""

MAX_PICTURE_BYTES: Final = 64 * 1024 * 1024
"""A picture file that is searched for an envelope. Matrix servers commonly stop at 50 or 100 MB."""

MAX_CHUNKS: Final = 65_536
"""PNG chunks, JPEG segments or WebP chunks walked in one file: a 64 MB PNG of 1 KB chunks."""

MAX_EVENT_BYTES: Final = 40 * 1024
"""The JSON form, as canonical JSON. A Matrix event holds 64 KB, an encrypted one 48 KB, and the picture's
keys as well."""

MAX_CARD_BYTES: Final = 640
"""A card: 622 bytes with the longest names and a rotation. Its text stays under the 1,023 symbols of the
checksum's code."""

MAX_ARGON2_MEMORY: Final = 1 << 30
"""Memory in bytes that a file from disk may ask of Argon2id: 1 GiB, libsodium's "sensitive"."""

MAX_ARGON2_OPERATIONS: Final = 16
"""Passes that a file from disk may ask of Argon2id: about 15 s at 1 GiB."""

MAX_AT_REST_BYTES: Final = 64 * 1024 * 1024
"""A file encrypted at rest: the largest picture that is read."""

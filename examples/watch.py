"""A folder watcher: what your phone or camera syncs into one folder appears in another, with the faces hidden.

    python examples/watch.py PHOTOS COVERS NAME [NAME ...]

The names are contacts that may see the photos. The profile is your usual one; STYLECRYPT_PROFILE names another. A photo that
cannot be covered is named, and nothing of it is written. Stop it with Ctrl+C; started again, it does what is still to do.
"""

from __future__ import annotations

import getpass
import os
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from stylecrypt_msg import StyleCrypt
from stylecrypt_msg.errors import StyleCryptError

PAUSE = 2.0  # seconds between two looks
SETTLED = 1.0  # seconds without a change, after which a file is complete


def new_photos(photos: Path, covers: Path) -> Iterator[Path]:
    """Files that no cover was made of yet, and that nobody is still writing."""
    done = {path.stem for path in covers.iterdir()}
    for path in sorted(photos.iterdir()):
        if path.is_file() and path.name not in done and time.time() - path.stat().st_mtime > SETTLED:
            yield path


def cover_new(me: StyleCrypt, photos: Path, covers: Path, to: list[str]) -> None:
    """Covers what is new; the cover of ``a.jpg`` is ``a.jpg.jpg``, so that photos of two formats keep apart."""
    for photo in new_photos(photos, covers):
        try:
            sent = me.encrypt(photo, to=to)
            print(f"{photo.name}: {sent.leaks.faces}")
            sent.save(covers / f"{photo.name}{sent.suffix}")
        except StyleCryptError as error:
            print(f"{photo.name}: {error} {error.hint or ''}".rstrip())
            (covers / f"{photo.name}.refused").touch()  # remove it to try again


def main(photos: Path, covers: Path, to: list[str]) -> None:
    covers.mkdir(exist_ok=True)
    with StyleCrypt(os.environ.get("STYLECRYPT_PROFILE"), passphrase=lambda: getpass.getpass("Passphrase: ")) as me:
        while True:
            cover_new(me, photos, covers, to)
            time.sleep(PAUSE)


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:])

"""Alice, Bob and Mallory, and what Alice sends to Bob."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from PIL import Image

from stylecrypt_msg import EncryptedPhoto, StyleCrypt
from stylecrypt_msg.models import FaceModel
from stylecrypt_msg.pictures import Pixels, encode_picture, read_picture

from ..conftest import People

MARKER = b"Elm Street 7"  # in the photo's metadata


@dataclass(frozen=True)
class Parties:
    """Alice and Bob know each other, and Alice lets Bob see her photos. Mallory knows Alice's card."""

    alice: StyleCrypt
    bob: StyleCrypt
    mallory: StyleCrypt


@pytest.fixture(scope="session", autouse=True)
def _with_the_model(default_model: FaceModel) -> None: ...


def introduce(folder: Path) -> Parties:
    alice, bob, mallory = (StyleCrypt.create(folder / name, name=name) for name in ("Alice", "Bob", "Mallory"))
    alice.profile.add_contact(bob.profile.card, trust=True)
    bob.profile.add_contact(alice.profile.card)
    mallory.profile.add_contact(alice.profile.card)
    return Parties(alice, bob, mallory)


@pytest.fixture(scope="session")
def together(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Parties]:
    """The parties, for tests that leave them as they are."""
    parties = introduce(tmp_path_factory.mktemp("together"))
    yield parties
    for one in vars(parties).values():
        one.close()


@pytest.fixture
def parties(tmp_path: Path) -> Iterator[Parties]:
    """The parties, for tests that change them."""
    parties = introduce(tmp_path / "parties")
    yield parties
    for one in vars(parties).values():
        one.close()


@pytest.fixture(scope="session")
def photo(people: People) -> bytes:
    """Ann's photo as a JPEG file like those from phones, with her address in it."""
    exif = Image.Exif()
    exif[0x010E] = MARKER.decode()
    file = io.BytesIO()
    Image.fromarray(people.photo).save(file, "JPEG", quality=92, exif=exif, comment=MARKER)
    return file.getvalue()


@pytest.fixture(scope="session")
def original(photo: bytes) -> Pixels:
    return read_picture(photo).pixels


@pytest.fixture(scope="session")
def key_face(people: People) -> bytes:
    """Ann on another day."""
    return encode_picture(people.ann, "JPEG")


Send = Callable[..., EncryptedPhoto]


@pytest.fixture(scope="session")
def send(together: Parties, photo: bytes) -> Send:
    """What Alice sends to Bob, made once for each set of options."""
    made: dict[tuple[tuple[str, object], ...], EncryptedPhoto] = {}

    def encrypted(**options: object) -> EncryptedPhoto:
        key = tuple(sorted(options.items()))
        if key not in made:
            made[key] = together.alice.encrypt(photo, to=["Bob"], stand_in="somebody", **options)  # type: ignore[arg-type]
        return made[key]

    return encrypted


def share_key_face(owner: StyleCrypt, to: StyleCrypt, photo: bytes, name: str = "me") -> None:
    """Makes a key face from a photo, seals it, and receives it."""
    owner.add_key_face(photo, name)
    to.receive_key_face(owner.share_key_face(name, [to.profile.card.user_id]))


def reencoded(picture: bytes, format: str = "JPEG", scale: float = 1, **options: object) -> bytes:
    """A picture as a messenger re-encodes it: only the pixels, recompressed."""
    with Image.open(io.BytesIO(picture)) as image:
        small = image.convert("RGB").resize((round(image.width * scale), round(image.height * scale)))
    file = io.BytesIO()
    small.save(file, format, **options)
    return file.getvalue()

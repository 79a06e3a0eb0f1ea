"""``StyleCrypt``: encrypt, decrypt, send and receive photos, for programs. ``AsyncStyleCrypt`` is the same with ``await``."""

from __future__ import annotations

import os
import time
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock, RLock
from typing import TYPE_CHECKING, Any, Self, TypeAlias, TypedDict, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from stylecrypt_protocol import (
    ENVELOPE_SUFFIX,
    Card,
    ForgedError,
    Level,
    NotForMeError,
    ReplayedError,
    Revocation,
    TooOldError,
    is_card,
)
from typing_extensions import Unpack

from .apps import App
from .cards import card_of
from .choices import Form, Others, named
from .covering import Coverer, coverer
from .errors import InputError, NoMessageError, RefusedError, StyleCryptError
from .files import read_file
from .messenger import (
    Arrival,
    DecryptedPhoto,
    Draft,
    EncryptedPhoto,
    LeakReport,
    Messenger,
    ReceivedKeyFace,
)
from .models.model_cache import ModelCache
from .pictures import Format, encode_picture
from .profile import Contact, MyKeyFace, Profile, default_folder
from .progress import Progress, silent
from .recognisers import installed_recognisers
from .transports import Delivery, Parcel, Transport

__all__ = [
    "AsyncStyleCrypt",
    "DecryptOptions",
    "DecryptedPhoto",
    "EncryptedPhoto",
    "Incoming",
    "LeakReport",
    "Level",
    "Options",
    "Photo",
    "ReceivedKeyFace",
    "StyleCrypt",
    "draft_of",
]

if TYPE_CHECKING:
    import asyncio

T = TypeVar("T")

CardSource: TypeAlias = Card | str | os.PathLike[str] | bytes
"""A card: the object, its text, or a file's path or contents. The file may also be a picture of its QR code."""

Photo: TypeAlias = str | os.PathLike[str] | bytes | Image.Image | NDArray[np.uint8]
"""A picture file's path or bytes, a Pillow picture, or pixels (H, W, 3) uint8 sRGB."""

# Retrying these messages cannot help.
_FINAL = (NotForMeError, ForgedError, TooOldError, ReplayedError)


class Options(TypedDict, total=False):
    """Options of `StyleCrypt.encrypt`; `Draft` describes them."""

    level: Level | str | None
    exact: bool
    stand_in: Photo | None
    """Text is a seed; give a photo in any other form."""
    conversation: str | None
    chat: str | Transport | None
    """The chat's public name, or the transport that posts there."""
    mask: str | None
    only: Sequence[int | Photo] | None
    keep: Sequence[int | Photo]
    """Numbers count from 1 at the left; pictures show the person."""
    others: Others | None
    form: Form
    refine_steps: int
    matting: bool
    covert: bool
    imprint: bool
    app: App | str | None
    format: Format
    caption: str
    file_name: str
    force: bool


class DecryptOptions(TypedDict, total=False):
    """Options of `StyleCrypt.decrypt`."""

    envelope: bytes | None
    """What came beside the picture. For a file, a ``.scenv`` file of the same name is found automatically."""
    key_face: Photo | None
    """Another photo of the sender, for pictures that carry no message, or none that we can open."""
    sender: str | None
    """The name of the contact whose key faces to try, for pictures that carry no message."""
    mask: str | None
    face: int | None
    chat: str | None
    """The public name of the chat in which the picture was found."""


@dataclass(frozen=True)
class Incoming:
    """Something that a transport delivered: ``photo``, or the ``error`` that kept it from being opened."""

    delivery: Delivery
    photo: DecryptedPhoto | None
    error: StyleCryptError | None


# One for the whole program: models are large, and they remember nothing about whom they worked for.
_MODELS = ModelCache()


def draft_of(photo: bytes, to: Sequence[str], options: Options) -> Draft:
    """What `StyleCrypt.encrypt` prepares; ``photo`` is a file. Raises InputError."""
    given: dict[str, Any] = {**options}
    if given.get("level") is not None:
        given["level"] = named(Level, "level", given["level"])
    if given.get("app") is not None:
        given["app"] = named(App, "app", given["app"])
    if not isinstance(given.get("stand_in"), str | None):
        given["stand_in"] = _file(given["stand_in"])
    for chosen in ("only", "keep"):
        if given.get(chosen) is not None:
            given[chosen] = [one if isinstance(one, int) else _file(one) for one in given[chosen]]
    return Draft(photo=photo, to=tuple(to), **given)


class _Base:
    """What `StyleCrypt` and `AsyncStyleCrypt` share."""

    def __init__(
        self,
        profile: str | os.PathLike[str] | Profile | None = None,
        *,
        passphrase: str | Callable[[], str] | None = None,
        model: str | os.PathLike[str] = "default",
        covers: Coverer | None = None,
    ) -> None:
        """Opens and loads nothing before it is needed.

        Args:
            profile: its folder; by default that of the environment (`profile.default_folder`), if it exists. Without a profile
                only level ``keyface`` works, with the key faces that you pass in.
            passphrase: the profile's, or a function that asks for it, called only if the profile has one.
            model: makes the fake faces; a name or a file, as for `models.load_model`.
            covers: makes the covers elsewhere, such as `stylecrypt_serve.client.CoverService`. Keys, contacts and seals stay
                here. By default this process makes them.
        """
        self._folder = None if isinstance(profile, Profile) else profile
        self._profile = profile if isinstance(profile, Profile) else None
        self._passphrase = (lambda: passphrase) if isinstance(passphrase, str) else passphrase
        self._model = os.fspath(model)
        self.messenger = Messenger(self._profile_if_any, _MODELS, covers or coverer(_MODELS, installed_recognisers))
        self._lock = RLock()

    @classmethod
    def create(
        cls,
        profile: str | os.PathLike[str],
        *,
        name: str,
        user_id: str | None = None,
        passphrase: str | None = None,
        model: str | os.PathLike[str] = "default",
    ) -> Self:
        """Makes a profile with new keys in a folder, for somebody called ``name``, and opens it.

        Raises ProfileError when the folder holds one already or cannot be made.
        """
        made = Profile.create(Path(profile), name=name, user_id=user_id, passphrase=passphrase, now=int(time.time()))
        return cls(made, model=model)

    @property
    def profile(self) -> Profile:
        """Cards and contacts, and what they shared.

        Raises ProfileError when there is no profile, NotAuthorisedError for a wrong passphrase.
        """
        return self._profile_if_any() or Profile.open(default_folder())

    def _profile_if_any(self) -> Profile | None:
        """None when no folder was given and there is no profile in the default place."""
        with self._lock:
            if self._profile is None:
                folder = default_folder() if self._folder is None else Path(self._folder)
                if self._folder is not None or folder.is_dir():
                    self._profile = Profile.open(folder, self._passphrase)
            return self._profile

    def _encrypt(self, photo: Photo, to: Sequence[str], progress: Progress, options: Options) -> EncryptedPhoto:
        draft = draft_of(_file(photo), to, options)
        return self.messenger.prepare(draft, now=int(time.time()), model=self._model, progress=progress)

    def _decrypt(self, image: Photo | EncryptedPhoto, progress: Progress, options: DecryptOptions) -> DecryptedPhoto:
        given: dict[str, Any] = {**options}
        if isinstance(image, EncryptedPhoto):
            given["envelope"] = image.envelope
            image = image.picture
        elif given.get("envelope") is None and isinstance(image, str | os.PathLike):
            beside = Path(image).with_suffix(ENVELOPE_SUFFIX)
            given["envelope"] = read_file(beside) if beside.is_file() else None
        if given.get("key_face") is not None:
            given["key_face"] = _file(given["key_face"])
        arrival = Arrival(picture=_file(image), **given)
        return self.messenger.open(arrival, now=int(time.time()), model=self._model, progress=progress)

    def _add_contact(self, card: CardSource, trust: bool) -> Contact:
        if isinstance(card, str) and is_card(card.encode(errors="replace")):
            card = card.encode()
        offered = card if isinstance(card, Card) else card_of(card if isinstance(card, bytes) else read_file(card))
        if isinstance(offered, Revocation):
            raise InputError("This is a revocation, not a card.", hint="Profile.revoke takes it.")
        return self.profile.add_contact(offered, trust=trust).contact

    def _add_key_face(self, photos: Photo | Sequence[Photo], name: str, progress: Progress) -> MyKeyFace:
        if isinstance(photos, str | os.PathLike | bytes | Image.Image | np.ndarray):
            photos = [photos]
        self.profile.key_face_name(name)  # before the work
        prepared = self.messenger.prepare_key_face(
            [photo if isinstance(photo, str | os.PathLike) else _file(photo) for photo in photos],
            model=self._model,
            progress=progress,
        )
        return self.profile.add_key_face(name, *prepared)

    def _share_key_face(self, name: str, to: Sequence[str]) -> bytes:
        return self.messenger.share_key_face(name, to, now=int(time.time()))

    def _receive_key_face(self, sealed: bytes, progress: Progress) -> ReceivedKeyFace:
        received = self.messenger.open_key_face(sealed, now=int(time.time()), model=self._model, progress=progress)
        self.profile.keep_key_face(received.face)
        return received

    def _take(self, delivery: Delivery) -> Incoming | None:
        """Opens a delivery. None: an ordinary picture."""
        arrival = Arrival(picture=delivery.picture, envelope=delivery.envelope, chat=delivery.chat)
        seen = self.profile.seen(delivery.reference)
        try:
            photo = self.messenger.open(arrival, now=int(time.time()), seen=seen, model=self._model)
        except NoMessageError:
            return None
        except StyleCryptError as error:
            return Incoming(delivery, None, error)
        return Incoming(delivery, photo, None)

    async def _incoming(self, transport: Transport, follow: bool) -> AsyncGenerator[Incoming, None]:
        profile = self.profile
        async for delivery in transport.deliveries(follow=follow):
            if profile.finished(delivery.reference):
                continue
            incoming = await _in_thread(self._take, delivery)
            if incoming is None:
                continue
            if incoming.photo is None or incoming.photo.sender != profile.me:  # otherwise we sent it ourselves
                yield incoming
            if incoming.photo is not None or _is_final(incoming.error):
                profile.finish(delivery.reference)

    def _close(self) -> None:
        with self._lock:
            if self._profile is not None:
                self._profile.close()


class StyleCrypt(_Base):
    """A person's profile, the models, and what to do with them. Threads may share one.

    Everything else about people, cards and contacts is at ``profile``; covers that are made later go through ``messenger``.
    """

    def __init__(
        self,
        profile: str | os.PathLike[str] | Profile | None = None,
        *,
        passphrase: str | Callable[[], str] | None = None,
        model: str | os.PathLike[str] = "default",
        covers: Coverer | None = None,
    ) -> None:
        super().__init__(profile, passphrase=passphrase, model=model, covers=covers)
        self._runner: asyncio.Runner | None = None
        self._running = Lock()

    __init__.__doc__ = _Base.__init__.__doc__

    def encrypt(
        self, photo: Photo, to: Sequence[str] = (), *, progress: Progress = silent, **options: Unpack[Options]
    ) -> EncryptedPhoto:
        """Replaces the photo's faces by fake ones; ``to``, names of contacts, can undo this.

        ``progress`` is called with what is being done, how much of it is done, and out of how much.
        Raises what `Messenger.prepare` does; writes and sends nothing.
        """
        chat = options.get("chat")
        if chat is not None and not isinstance(chat, str):
            options["chat"] = self._run(chat.chat())
        return self._encrypt(photo, to, progress, options)

    def decrypt(
        self, image: Photo | EncryptedPhoto, *, progress: Progress = silent, **options: Unpack[DecryptOptions]
    ) -> DecryptedPhoto:
        """Opens a received picture, as often as you like; `receive` takes each message only once.

        Raises what `Messenger.open` does.
        """
        return self._decrypt(image, progress, options)

    def send(self, photo: EncryptedPhoto, transport: Transport) -> str:
        """Hands a picture from `encrypt` to a transport. Returns where it went, to show the user. Raises what the transport
        does."""
        where: str = self._run(transport.send(_parcel(photo)))
        return where

    def receive(self, transport: Transport, *, follow: bool = False) -> Generator[Incoming, None, None]:
        """What a transport delivers, each message once; ends when nothing is left, unless ``follow``.

        A message counts as received when you ask for the next one: a program stopped before that gets it again. Messages that
        cannot be opened yet (from a stranger, for a missing model) come again next time.
        """
        incoming = self._incoming(transport, follow)
        try:
            while True:
                try:
                    yield self._run(anext(incoming))
                except StopAsyncIteration:
                    return
        finally:
            self._run(incoming.aclose())

    def add_contact(self, card: CardSource, *, trust: bool = False) -> Contact:
        """Saves somebody's card; ``trust``: they may see my photos. Compare `words` with them before you rely on it.

        Raises InputError if it is no card, MessageError if it is damaged, and what `Profile.add_contact` does.
        """
        return self._add_contact(card, trust)

    def words(self, name: str) -> tuple[str, ...]:
        """Twelve words, the same for a contact and me unless somebody intercepts us: read them to each other."""
        return self.profile.words(name)

    def verify(self, name: str, words: Sequence[str]) -> Contact:
        """Records that the ``words`` were compared and match. Raises what `Profile.verify` does."""
        return self.profile.verify(name, words)

    def add_key_face(self, photos: Photo | Sequence[Photo], name: str, *, progress: Progress = silent) -> MyKeyFace:
        """Saves a key face of mine, made from one or more photos that show only my face, from the front. The first becomes its
        picture, cropped to the head; all are inverted together, once, which takes tens of seconds.

        Raises what `Messenger.prepare_key_face` and `Profile.add_key_face` do.
        """
        return self._add_key_face(photos, name, progress)

    def key_faces(self) -> list[MyKeyFace]:
        """My key faces, the newest first. For those of a contact: `Profile.key_faces_of`."""
        return self.profile.key_faces()

    def share_key_face(self, name: str, to: Sequence[str]) -> bytes:
        """A file that gives one of my key faces to contacts, for their `receive_key_face`; nobody else can open it.

        Raises what `Messenger.share_key_face` does.
        """
        return self._share_key_face(name, to)

    def receive_key_face(self, sealed: bytes, *, progress: Progress = silent) -> ReceivedKeyFace:
        """Saves a key face that a contact shared. Without codes for the model it is prepared now, which takes tens of seconds;
        if that fails, it is saved anyway, and prepared when first used.

        Raises what `Messenger.open_key_face` does.
        """
        return self._receive_key_face(sealed, progress)

    def remove_key_face(self, name: str) -> None:
        """Deletes one of my key faces; contacts who have it keep it. Raises InputError."""
        self.profile.remove_key_face(name)

    def wait(self, job: Coroutine[Any, Any, T]) -> T:
        """Runs another coroutine of a transport, such as its ``close()``, in the event loop of `send` and `receive`."""
        result: T = self._run(job)
        return result

    def close(self) -> None:
        """Closes the profile."""
        with self._running:
            if self._runner is not None:
                self._runner.close()
                self._runner = None
        self._close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _run(self, job: Any) -> Any:
        async def wait() -> Any:
            return await job

        # One loop for all calls: a transport's connections belong to the loop in which they were made.
        with self._running:
            if self._runner is None:
                import asyncio  # takes a tenth of a second, which only sending and receiving should cost

                self._runner = asyncio.Runner()
            return self._runner.run(wait())


async def _in_thread(work: Callable[..., T], *given: Any) -> T:
    import asyncio  # already imported by anybody who awaits this

    return await asyncio.to_thread(work, *given)


class AsyncStyleCrypt(_Base):
    """`StyleCrypt` for programs with an event loop: pictures are worked on in threads, transports in the loop."""

    async def encrypt(
        self, photo: Photo, to: Sequence[str] = (), *, progress: Progress = silent, **options: Unpack[Options]
    ) -> EncryptedPhoto:
        """As `StyleCrypt.encrypt`; ``progress`` is called in a thread."""
        chat = options.get("chat")
        if chat is not None and not isinstance(chat, str):
            options["chat"] = await chat.chat()
        return await _in_thread(self._encrypt, photo, to, progress, options)

    async def decrypt(
        self, image: Photo | EncryptedPhoto, *, progress: Progress = silent, **options: Unpack[DecryptOptions]
    ) -> DecryptedPhoto:
        """As `StyleCrypt.decrypt`; ``progress`` is called in a thread."""
        return await _in_thread(self._decrypt, image, progress, options)

    async def send(self, photo: EncryptedPhoto, transport: Transport) -> str:
        """As `StyleCrypt.send`."""
        return await transport.send(_parcel(photo))

    def receive(self, transport: Transport, *, follow: bool = False) -> AsyncGenerator[Incoming, None]:
        """As `StyleCrypt.receive`."""
        return self._incoming(transport, follow)

    async def add_contact(self, card: CardSource, *, trust: bool = False) -> Contact:
        """As `StyleCrypt.add_contact`."""
        return await _in_thread(self._add_contact, card, trust)

    async def words(self, name: str) -> tuple[str, ...]:
        """As `StyleCrypt.words`."""
        return await _in_thread(self.profile.words, name)

    async def verify(self, name: str, words: Sequence[str]) -> Contact:
        """As `StyleCrypt.verify`."""
        return await _in_thread(self.profile.verify, name, words)

    async def add_key_face(
        self, photos: Photo | Sequence[Photo], name: str, *, progress: Progress = silent
    ) -> MyKeyFace:
        """As `StyleCrypt.add_key_face`; ``progress`` is called in a thread."""
        return await _in_thread(self._add_key_face, photos, name, progress)

    async def key_faces(self) -> list[MyKeyFace]:
        """As `StyleCrypt.key_faces`."""
        return await _in_thread(self.profile.key_faces)

    async def share_key_face(self, name: str, to: Sequence[str]) -> bytes:
        """As `StyleCrypt.share_key_face`."""
        return await _in_thread(self._share_key_face, name, to)

    async def receive_key_face(self, sealed: bytes, *, progress: Progress = silent) -> ReceivedKeyFace:
        """As `StyleCrypt.receive_key_face`; ``progress`` is called in a thread."""
        return await _in_thread(self._receive_key_face, sealed, progress)

    async def remove_key_face(self, name: str) -> None:
        """As `StyleCrypt.remove_key_face`."""
        await _in_thread(self.profile.remove_key_face, name)

    async def close(self) -> None:
        """Closes the profile."""
        self._close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


def _is_final(error: StyleCryptError | None) -> bool:
    return isinstance(error, RefusedError) and isinstance(error.reason, _FINAL)


def _parcel(photo: EncryptedPhoto) -> Parcel:
    return Parcel(
        picture=photo.picture,
        media_type=photo.media_type,
        envelope=photo.envelope,
        inside=photo.packed if photo.envelope is None else None,
        conversation=photo.conversation,
    )


def _file(photo: Photo) -> bytes:
    """A picture file's bytes. Pixels become a PNG, which is exact."""
    if isinstance(photo, bytes):
        return photo
    if isinstance(photo, Image.Image):
        photo = np.asarray(photo.convert("RGB"))
    if isinstance(photo, np.ndarray):
        return encode_picture(photo, "PNG")
    return read_file(photo)

"""The folder transport: each message is found exactly once; half-finished work of sync tools does no harm."""

from __future__ import annotations

import asyncio
import os
import re
import resource
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, contextmanager
from pathlib import Path

import pytest

from stylecrypt_msg.errors import InputError, NetworkError
from stylecrypt_msg.transports import Delivery, Parcel, folder, ordinary_name
from stylecrypt_msg.transports.folder import FolderTransport

PICTURE = b"\x89PNG, or so the folder believes" * 100
ENVELOPE = b"an envelope too large to be inside" * 1000


def send(where: Path, picture: bytes = PICTURE, envelope: bytes | None = None, media_type: str = "image/png") -> Path:
    return Path(asyncio.run(FolderTransport(where).send(Parcel(picture, media_type, envelope))))


def receive(where: Path) -> list[Delivery]:
    async def all_of_them() -> list[Delivery]:
        return [delivery async for delivery in FolderTransport(where).deliveries(follow=False)]

    return asyncio.run(all_of_them())


def files(where: Path) -> list[str]:
    return sorted(path.name for path in where.iterdir())


@pytest.mark.parametrize("envelope", [None, ENVELOPE])
def test_what_is_sent_arrives_and_nothing_else_is_there(tmp_path: Path, envelope: bytes | None) -> None:
    where = send(tmp_path, envelope=envelope)
    (delivery,) = receive(tmp_path)
    assert (delivery.picture, delivery.envelope, delivery.conversation) == (PICTURE, envelope, None)
    assert delivery.origin == str(where)
    assert len(delivery.reference) == 32
    assert receive(tmp_path) == [delivery]  # the caller remembers; the folder forgets nothing
    assert files(tmp_path) == sorted([where.name] + ([] if envelope is None else [where.with_suffix(".scenv").name]))


def test_names_are_a_cameras_and_never_repeat() -> None:
    for media_type, suffix in [("image/jpeg", "jpg"), ("image/png", "png"), ("image/webp", "webp")]:
        names = {ordinary_name(media_type) for _ in range(1000)}
        assert len(names) == 1000
        assert all(re.fullmatch(rf"IMG_\d{{12}}\.{suffix}", name) for name in names)
    with pytest.raises(InputError, match="not as image/tiff"):
        ordinary_name("image/tiff")


def test_nothing_is_overwritten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = iter(["IMG_1.jpg", "IMG_1.jpg", "IMG_2.png", "IMG_2.png", "IMG_3.jpg"])
    monkeypatch.setattr(folder, "ordinary_name", lambda media_type: next(names))
    assert send(tmp_path).name == "IMG_1.jpg"
    (tmp_path / "IMG_2.scenv").write_bytes(ENVELOPE)  # would become the envelope of a picture of that name
    assert send(tmp_path).name == "IMG_3.jpg"
    assert (tmp_path / "IMG_1.jpg").read_bytes() == PICTURE


def test_the_envelope_is_there_before_its_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[list[str]] = []
    rename = Path.rename

    def watched(path: Path, target: Path) -> Path:
        done = rename(path, target)
        seen.append([Path(name).suffix for name in files(tmp_path)])
        return done

    monkeypatch.setattr(Path, "rename", watched)
    send(tmp_path, envelope=ENVELOPE)
    assert seen == [[".scenv"], [".png", ".scenv"]]


def test_names_in_the_making_are_hidden(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []
    opened = os.open

    def watched(path: str | Path, flags: int, *mode: int) -> int:
        if flags & os.O_CREAT:
            made.append(Path(path).name)
        return opened(path, flags, *mode)

    monkeypatch.setattr(os, "open", watched)
    send(tmp_path, envelope=ENVELOPE)
    assert len(made) == 2
    assert all(re.fullmatch(r"\.IMG_\d{12}\.(png|scenv)\.[0-9a-f]{8}\.tmp", name) for name in made)


def test_the_oldest_comes_first(tmp_path: Path) -> None:
    for name, modified in [("b.png", 300), ("a.JPG", 100), ("c.webp", 200), ("d.jpeg", 200)]:
        (tmp_path / name).write_bytes(name.encode())
        os.utime(tmp_path / name, (modified, modified))
    assert [delivery.picture for delivery in receive(tmp_path)] == [b"a.JPG", b"c.webp", b"d.jpeg", b"b.png"]


@pytest.mark.parametrize(
    "name",
    [
        ".hidden.png",
        ".syncthing.photo.png.tmp",
        "~syncthing~photo.png.tmp",
        "photo.png.tmp",
        "photo.png.part",
        "photo.png.!sync",
        ".~lock.photo.png",
        "~$photo.png",
        "photo.crdownload",
        "photo.gif",
        "notes.txt",
        "png",
    ],
)
def test_other_files_are_left_alone(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(PICTURE)
    assert receive(tmp_path) == []
    assert files(tmp_path) == [name]


def test_folders_empty_files_and_large_ones_are_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "empty.png").touch()
    os.mkfifo(tmp_path / "pipe.png")  # opening it would wait for somebody to write
    with (tmp_path / "large.png").open("wb") as file:
        file.truncate(64 * 2**20 + 1)
    with (tmp_path / "just.png").open("wb") as file:
        file.truncate(64 * 2**20)
    (delivery,) = receive(tmp_path)
    assert len(delivery.picture) == 64 * 2**20


def test_links_are_not_followed(tmp_path: Path) -> None:
    """Otherwise, people who share the folder could pass off any picture on this machine, or an endless file, as a message."""
    (secret := tmp_path / "private.png").write_bytes(PICTURE)
    (shared := tmp_path / "shared").mkdir()
    (shared / "link.png").symlink_to(secret)
    (shared / "endless.jpg").symlink_to("/dev/zero")
    (shared / "real.png").write_bytes(b"real")
    (shared / "real.scenv").symlink_to(secret)
    assert [(delivery.picture, delivery.envelope) for delivery in receive(shared)] == [(b"real", None)]


def test_a_link_put_in_place_after_the_look_is_not_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (secret := tmp_path / "private.png").write_bytes(PICTURE)
    (shared := tmp_path / "shared").mkdir()
    (shared / "photo.png").write_bytes(b"harmless")
    looked = FolderTransport._look

    def then_swapped(transport: FolderTransport) -> dict[str, folder._Stamp]:
        found = looked(transport)
        (shared / "photo.png").unlink()
        (shared / "photo.png").symlink_to(secret)
        return found

    monkeypatch.setattr(FolderTransport, "_look", then_swapped)
    assert receive(shared) == []


def test_too_many_files_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder, "_MOST_FILES", 3)
    for number in range(4):
        (tmp_path / f"{number}.png").write_bytes(PICTURE)
    with pytest.raises(InputError, match="more than 3 pictures"):
        receive(tmp_path)


def test_a_reference_is_of_picture_and_envelope(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"picture")
    (tmp_path / "b.png").write_bytes(b"picture")  # a copy, as sync tools make of conflicts
    (tmp_path / "c.png").write_bytes(b"picture")
    (tmp_path / "c.scenv").write_bytes(b"envelope")
    (tmp_path / "d.png").write_bytes(b"pictureenvelope")
    a, b, c, d = (delivery.reference for delivery in receive(tmp_path))
    assert a == b
    assert len({a, c, d}) == 3


# As it happens


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder, "_POLL", 0.02)


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files that are read."""
    names: list[str] = []
    read = FolderTransport._read

    def watched(transport: FolderTransport, name: str) -> bytes | None:
        names.append(name)
        return read(transport, name)

    monkeypatch.setattr(FolderTransport, "_read", watched)
    return names


async def soon(deliveries: AsyncIterator[Delivery]) -> Delivery:
    return await asyncio.wait_for(anext(deliveries), 10)


@pytest.mark.usefixtures("quick")
async def test_following_sees_new_files_and_reads_each_once(tmp_path: Path, reads: list[str]) -> None:
    (tmp_path / "first.png").write_bytes(b"first")
    async with aclosing(FolderTransport(tmp_path).deliveries(follow=True)) as deliveries:
        assert (await soon(deliveries)).picture == b"first"
        for number in range(3):
            waiting = asyncio.ensure_future(soon(deliveries))
            await asyncio.sleep(0.1)  # some looks at the folder
            assert not waiting.done()
            await FolderTransport(tmp_path).send(Parcel(f"{number}".encode(), "image/jpeg"))
            assert (await waiting).picture == f"{number}".encode()
    assert len(reads) == len(set(reads)) == 4


@pytest.mark.usefixtures("quick")
async def test_an_envelope_that_comes_later_makes_a_new_delivery(tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").write_bytes(PICTURE)
    async with aclosing(FolderTransport(tmp_path).deliveries(follow=True)) as deliveries:
        first = await soon(deliveries)
        (tmp_path / "photo.scenv").write_bytes(ENVELOPE)
        second = await soon(deliveries)
    assert (first.picture, first.envelope) == (PICTURE, None)
    assert (second.picture, second.envelope) == (PICTURE, ENVELOPE)
    assert first.reference != second.reference


@pytest.mark.usefixtures("quick")
async def test_a_half_synced_file_is_delivered_again_when_it_is_whole(tmp_path: Path) -> None:
    with (tmp_path / "photo.jpg").open("wb") as file:
        file.write(PICTURE[:1000])
        file.flush()
        async with aclosing(FolderTransport(tmp_path).deliveries(follow=True)) as deliveries:
            half = await soon(deliveries)
            file.write(PICTURE[1000:])
            file.flush()
            whole = await soon(deliveries)
    assert (half.picture, whole.picture) == (PICTURE[:1000], PICTURE)
    assert half.reference != whole.reference


@pytest.mark.usefixtures("quick")
async def test_a_file_that_cannot_be_read_yet_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read, failures = FolderTransport._read, [".scenv", ".jpg"]

    def busy(transport: FolderTransport, name: str) -> bytes | None:
        if failures and name.endswith(failures[-1]):
            failures.pop()
            return None
        return read(transport, name)

    monkeypatch.setattr(FolderTransport, "_read", busy)
    (tmp_path / "photo.jpg").write_bytes(PICTURE)
    (tmp_path / "photo.scenv").write_bytes(ENVELOPE)
    async with aclosing(FolderTransport(tmp_path).deliveries(follow=True)) as deliveries:
        delivery = await soon(deliveries)
    assert (delivery.picture, delivery.envelope) == (PICTURE, ENVELOPE)
    assert not failures


@pytest.mark.usefixtures("quick")
async def test_a_file_that_is_replaced_is_delivered_again(tmp_path: Path) -> None:
    """Even by a file of the same size and time, which sync tools may set."""
    (tmp_path / "photo.jpg").write_bytes(b"before")
    os.utime(tmp_path / "photo.jpg", (1000, 1000))
    async with aclosing(FolderTransport(tmp_path).deliveries(follow=True)) as deliveries:
        assert (await soon(deliveries)).picture == b"before"
        (tmp_path / "new").write_bytes(b"after!")
        os.utime(tmp_path / "new", (1000, 1000))
        (tmp_path / "new").rename(tmp_path / "photo.jpg")
        assert (await soon(deliveries)).picture == b"after!"


# When the folder fails


@pytest.mark.usefixtures("quick")
async def test_a_folder_that_vanishes_ends_the_following(tmp_path: Path) -> None:
    (shared := tmp_path / "shared").mkdir()
    (shared / "photo.jpg").write_bytes(PICTURE)
    async with aclosing(FolderTransport(shared).deliveries(follow=True)) as deliveries:
        await soon(deliveries)
        shutil.rmtree(shared)
        with pytest.raises(NetworkError, match=r"The shared folder .*shared does not exist\.$") as error:
            await soon(deliveries)
        assert error.value.hint


@pytest.mark.parametrize("act", [send, receive])
def test_a_folder_that_is_none(tmp_path: Path, act: object) -> None:
    assert callable(act)
    with pytest.raises(NetworkError, match="does not exist"):
        act(tmp_path / "missing")
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(NetworkError, match="is not a folder"):
        act(tmp_path / "file")
    assert files(tmp_path) == ["file"]


@pytest.fixture
def another_users() -> Iterator[Path]:
    """A folder owned by somebody other than root. Meanwhile, root gives up the right to do everything."""
    where = Path(tempfile.mkdtemp())
    if os.geteuid() == 0:
        os.chown(where, 65534, 65534)
        os.seteuid(65534)
    try:
        yield where
    finally:
        os.seteuid(os.getuid())
        where.chmod(0o700)
        shutil.rmtree(where)


def test_a_read_only_folder(another_users: Path) -> None:
    another_users.chmod(0o500)
    with pytest.raises(InputError, match="you lack permission") as error:
        send(another_users, envelope=ENVELOPE)
    assert error.value.hint
    assert files(another_users) == []


def test_a_folder_that_may_not_be_read(another_users: Path) -> None:
    another_users.chmod(0o300)
    with pytest.raises(NetworkError, match=r"cannot be read: permission denied\.") as error:
        receive(another_users)
    assert error.value.hint


def test_a_picture_that_may_not_be_read_hides_no_other(another_users: Path) -> None:
    (another_users / "mine.png").write_bytes(b"mine")
    (another_users / "closed.png").write_bytes(b"closed")
    (another_users / "closed.png").chmod(0)
    assert [delivery.picture for delivery in receive(another_users)] == [b"mine"]


@contextmanager
def no_room_over(size: int) -> Iterator[None]:
    """Files may not grow over ``size`` bytes: the system refuses the rest, as it does when a disk is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("room", [100, 10_000])
def test_a_full_disk_leaves_nothing_behind(tmp_path: Path, room: int) -> None:
    """Neither if the envelope does not fit, nor if it does but the picture does not."""
    with no_room_over(room), pytest.raises(NetworkError, match=r"Nothing was sent through .*: file too large") as error:
        send(tmp_path, picture=PICTURE * 10, envelope=ENVELOPE[:5000])
    assert error.value.hint
    assert files(tmp_path) == []


def test_a_kind_of_picture_that_nobody_can_see_is_not_sent(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not as image/tiff"):
        send(tmp_path, envelope=ENVELOPE, media_type="image/tiff")
    assert files(tmp_path) == []

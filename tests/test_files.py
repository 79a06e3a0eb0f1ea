"""Files are written whole or not at all, and recognised by any name."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from stylecrypt_msg.errors import InputError
from stylecrypt_msg.files import read_file, same_file, write_atomically


def test_writing_replaces_whole(tmp_path: Path) -> None:
    target = tmp_path / "out.png"
    write_atomically(target, b"first")
    write_atomically(target, b"second")
    assert target.read_bytes() == b"second"
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.skipif(os.name != "posix", reason="POSIX permissions")
def test_written_files_have_ordinary_permissions(tmp_path: Path) -> None:
    (tmp_path / "plain").write_bytes(b"")
    write_atomically(tmp_path / "out.png", b"data")
    assert (tmp_path / "out.png").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_a_failed_write_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "out.png"
    target.write_bytes(b"old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(InputError, match="no space left on device"):
        write_atomically(target, b"new")
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]


def test_where_nothing_can_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="folder does not exist"):
        write_atomically(tmp_path / "absent" / "out.png", b"")
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(InputError, match="folder does not exist"):
        write_atomically(tmp_path / "file" / "out.png", b"")
    with pytest.raises(InputError, match="not a file"):
        write_atomically(tmp_path, b"")

    def refuse(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)  # for root, who may write everywhere
    with pytest.raises(InputError, match="read-only"):
        write_atomically(tmp_path / "out.png", b"")


def test_same_file_by_other_names(tmp_path: Path) -> None:
    photo = tmp_path / "photo.png"
    photo.write_bytes(b"x")
    (tmp_path / "folder").mkdir()
    assert same_file(photo, tmp_path / "folder" / ".." / "photo.png")
    assert not same_file(photo, tmp_path / "other.png")
    assert same_file(tmp_path / "new.png", tmp_path / "folder" / ".." / "new.png")
    if os.name == "posix":
        (tmp_path / "link.png").symlink_to(photo)
        assert same_file(tmp_path / "link.png", photo)


def test_what_cannot_be_read(tmp_path: Path) -> None:
    for path, says in (
        (tmp_path, "is a folder, not a file"),
        (tmp_path / "absent", "There is no file"),
        ("a\0b", "cannot be read"),
    ):
        with pytest.raises(InputError, match=says):
            read_file(path)


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_file(tmp_path: Path) -> None:
    (tmp_path / "photo.png").touch(0)
    with pytest.raises(InputError, match="You may not read"):
        read_file(tmp_path / "photo.png")


def test_permission_is_reported_in_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(InputError, match=r"^You may not read .*photo\.png\.$"):
        read_file(tmp_path / "photo.png")

"""`train prepare`: a folder of photos becomes shards, and shards become batches."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from stylecrypt_lab.training import prepare as prepare_module
from stylecrypt_lab.training.prepare import person_of, prepare
from stylecrypt_lab.training.shards import Shards, read_index

from stylecrypt_msg.errors import InputError

from ...conftest import People
from .runs_helpers import write_shards

CPU = torch.device("cpu")


def write(pixels: np.ndarray, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.ascontiguousarray(pixels[..., ::-1]))


@pytest.fixture
def photos(people: People, tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    write(people.ann, folder / "ann" / "1.png")
    write(people.photo, folder / "ann" / "holiday" / "2.jpg")
    write(people.bea, folder / "bea_1.webp")
    write(np.full((90, 120, 3), 130, np.uint8), folder / "wall.png")
    (folder / "broken.jpg").write_bytes(b"no picture")
    (folder / "notes.txt").write_text("no photo")
    return folder


def test_photos_become_shards(photos: Path, people: People, tmp_path: Path) -> None:
    heard: list[tuple[int, int]] = []
    shards = tmp_path / "shards"
    index = prepare(photos, shards, 64, with_matte=False, progress=lambda *now: heard.append(now))
    assert heard == [(n, 5) for n in range(1, 6)]
    assert {picture.photo: picture.person for picture in index.shards[0].pictures} == {
        "ann/1.png": "ann",
        "ann/holiday/2.jpg": "ann/holiday",
        "bea_1.webp": "bea",
    }
    assert set(index.refused) == {"broken.jpg", "wall.png"}
    assert index.refused["wall.png"] == "There is no face in it."
    assert "broken.jpg" not in index.refused["broken.jpg"] or index.refused["broken.jpg"].endswith(".")
    assert read_index(shards) == index
    # The squares are the faces, aligned: those of the generator are aligned before.
    squares = np.load(shards / "shard-00000.npy", allow_pickle=False)
    assert (squares.shape, squares.dtype) == ((3, 64, 64, 3), np.uint8)
    for square, face in ((squares[0], people.ann), (squares[2], people.bea)):
        small = cv2.resize(face, (64, 64), interpolation=cv2.INTER_AREA)
        assert np.corrcoef(square.ravel(), small.ravel())[0, 1] > 0.9

    # Known photos are not read again; new ones are added.
    (photos / "bea_1.webp").write_bytes(b"damaged since")
    write(people.bea[:, ::-1], photos / "bea" / "3.png")
    later = prepare(photos, shards, 64, with_matte=False)
    assert later.refused == index.refused
    assert later.shards[0] == index.shards[0]
    assert [picture.photo for picture in later.shards[1].pictures] == ["bea/3.png"]
    loaded = Shards(shards)
    assert (len(loaded), loaded.people, loaded.size) == (4, 3, 64)
    assert loaded.labels.tolist() == [0, 1, 2, 2]  # ann, ann/holiday, bea, bea


def test_a_stopped_preparation_goes_on(photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prepare_module, "_PHOTOS", 2)

    def stop(done: int, total: int) -> None:
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prepare(photos, tmp_path / "shards", 64, with_matte=False, progress=stop)
    assert len(read_index(tmp_path / "shards").shards) == 1
    (photos / "ann" / "1.png").write_bytes(b"damaged since")  # nobody looks at it again
    index = prepare(photos, tmp_path / "shards", 64, with_matte=False)
    assert [shard.file for shard in index.shards] == ["shard-00000.npy", "shard-00001.npy"]
    assert sorted(picture.photo for shard in index.shards for picture in shard.pictures) == [
        "ann/1.png",
        "ann/holiday/2.jpg",
        "bea_1.webp",
    ]
    assert len(Shards(tmp_path / "shards")) == 3


def test_a_matte_lays_people_over_grey(people: People, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The matte itself has tests of its own, and takes seconds."""
    half = np.repeat(np.linspace(0, 1, 2, dtype=np.float32), 32)
    monkeypatch.setattr(prepare_module, "matte", lambda square: np.broadcast_to(half, square.shape[:2]))
    write(people.ann, tmp_path / "photos" / "a.png")
    prepare(tmp_path / "photos", tmp_path / "shards", 64, with_matte=True)
    square = np.load(tmp_path / "shards" / "shard-00000.npy")[0]
    assert (square[:, :32] == 128).all()
    assert square[:, 32:].std() > 20


def test_names_say_who_it_is() -> None:
    assert person_of("007-smiling.jpg") == person_of("007_2.png") == person_of("007 x.png") == "007"
    assert person_of("alone.jpg") == "alone"
    assert person_of("ann/007-smiling.jpg") == "ann"
    assert person_of("2014/ann/1.jpg") == "2014/ann"


def test_bad_photos_and_folders_are_refused(photos: Path, people: People, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(InputError, match="There are no photos in"):
        prepare(empty, tmp_path / "shards", 64, with_matte=False)
    for size in (0, 48, 16, 2048):
        with pytest.raises(InputError, match=f"cannot have {size} px"):
            prepare(photos, tmp_path / "shards", size, with_matte=False)
    write(np.full((90, 120, 3), 130, np.uint8), empty / "wall.png")
    with pytest.raises(InputError, match=r"No photo in .* can be used; wall.png: There is no face in it\."):
        prepare(empty, tmp_path / "none", 64, with_matte=False)
    with pytest.raises(InputError, match="of another kind, 64 px without matte"):
        prepare(photos, tmp_path / "none", 32, with_matte=False)
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be made"):
        prepare(photos, tmp_path / "file" / "shards", 64, with_matte=False)


def test_bad_shards_are_refused(tmp_path: Path) -> None:
    faces = np.zeros((4, 32, 32, 3), np.uint8)
    folder = tmp_path / "shards"
    write_shards(faces, folder)
    good = (folder / "index.json").read_text()

    def refused(message: str) -> None:
        with pytest.raises(InputError, match=message):
            Shards(folder)

    index = json.loads(good)
    for place, value in (("file", "../elsewhere.npy"), ("file", "/etc/shard.npy"), ("pictures", []), ("size", 3)):
        index["shards"][0] = json.loads(good)["shards"][0] | {place: value}
        (folder / "index.json").write_text(json.dumps(index))
        refused("is damaged: shards.0")
    (folder / "index.json").write_text("{")
    refused("is damaged")
    (folder / "index.json").unlink()
    refused("There are no shards in")
    (folder / "index.json").write_text(good)
    np.save(folder / "shard-00001.npy", faces)  # more than the index says
    refused("is not what its index says")
    np.save(folder / "shard-00001.npy", np.array([{}, {}], object), allow_pickle=True)
    refused("missing or damaged")
    (folder / "shard-00001.npy").unlink()
    refused("missing or damaged")


def test_batches_hold_every_picture_once_an_epoch(tmp_path: Path) -> None:
    """Together, the processes' parts equal the batch of a single process."""
    faces = np.stack([np.full((32, 32, 3), 20 * n, np.uint8) for n in range(6)])
    faces[:, :, :16] += 5  # a left side
    shards = write_shards(faces, tmp_path / "shards", person=lambda n: "even" if n % 2 == 0 else "odd")
    seen: list[int] = []
    mirrored = 0
    for step in range(6):
        images, labels = shards.batch(0, step, 4, range(4), CPU)
        assert images.shape == (4, 3, 32, 32)
        pixels = ((images + 1) * 127.5).round()
        left, right = pixels[:, 0, 0, 0], pixels[:, 0, 0, -1]
        numbers = (torch.minimum(left, right) / 20).int().tolist()
        mirrored += int((left < right).sum())
        assert labels.tolist() == [number % 2 for number in numbers]
        seen += numbers
        parts = [shards.batch(0, step, 4, places, CPU)[0] for places in (range(2), range(2, 4))]
        assert torch.equal(torch.cat(parts), images)
    epochs = [seen[start : start + 6] for start in range(0, 24, 6)]
    assert all(sorted(epoch) == list(range(6)) for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) > 1
    assert 4 < mirrored < 20

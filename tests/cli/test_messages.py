"""``encrypt`` and ``decrypt``: there and back, whose faces, which layers."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from stylecrypt_msg.faces import certain_faces, crop, detect_faces, face_quad
from stylecrypt_msg.models import load_model

from ..conftest import People
from ..support.command_line import KEYFACE, SOMEBODY, Run, read, refused_without_trace, saved


@pytest.mark.parametrize(("form", "suffix"), [("photo", "png"), ("portrait", "jpg"), ("photo", "webp")])
def test_there_and_back_from_the_file_alone(form: str, suffix: str, run: Run, photo: Path, ann: Path) -> None:
    fake, back = f"fake.{suffix}", f"back.{suffix}"
    options = ["--portrait"] if form == "portrait" else []
    sent = run("encrypt", photo, "-o", fake, *KEYFACE, "--stand-in", "somebody", "--json", *options).json
    assert {key: sent[key] for key in ("output", "level", "form", "stand_in", "faces_found", "faces_replaced")} == {
        "output": fake,
        "level": "keyface",
        "form": form,
        "stand_in": "somebody",
        "faces_found": 1,
        "faces_replaced": 1,
    }
    assert sent["mask"] == {"photo": "3-7", "portrait": "0-2,4-5,8-15"}[form]
    assert sent["model_hash"] == load_model().digest
    # Whatever its name and folder: only the file's bytes count.
    Path("elsewhere").mkdir()
    arrived = Path(fake).rename(f"elsewhere/arrived.{suffix}")
    got = run("decrypt", arrived, "-o", back, "--key-face", ann, "--json").json
    assert {key: got[key] for key in ("level", "form", "mask", "sender", "verified", "warnings")} == {
        "level": "keyface",
        "form": form,
        "mask": sent["mask"],
        "sender": None,
        "verified": False,
        "warnings": [],
    }
    faked, recovered, original = read(arrived), read(back), read(photo)
    assert recovered.shape == faked.shape == ((1024, 1024, 3) if form == "portrait" else original.shape)
    (face,) = certain_faces(faked)
    (left, top), (right, bottom) = face.landmarks.min(0).astype(int), face.landmarks.max(0).astype(int)
    here = slice(top, bottom), slice(left, right)
    assert np.abs(recovered[here].astype(int) - faked[here]).mean() > 4
    assert len(detect_faces(recovered)) == 1
    if suffix == "png":
        quad = face_quad(certain_faces(original)[0].landmarks)
        inside = cv2.fillConvexPoly(np.zeros(original.shape[:2], np.uint8), np.rint(quad).astype(np.int32), 1)
        outside = cv2.dilate(inside, np.ones((5, 5))) == 0
        assert outside.mean() > 0.2
        np.testing.assert_array_equal(faked[outside], original[outside])


def test_people_read_what_was_done(run: Run, photo: Path) -> None:
    ended = run("encrypt", photo, "-o", "out.png", *SOMEBODY)
    assert (ended.code, ended.err) == (0, "")
    what, likeness, *_ = ended.out.decode().splitlines()
    assert what == "out.png: 1 of 1 faces replaced, layers 3-7, stand-in somebody"
    assert likeness.startswith("SFace sees a different person: distance 1.")


def test_a_seed_gives_the_same_bytes_and_another_seed_others(run: Run, photo: Path) -> None:
    options = KEYFACE
    for name, seed in (("a", "somebody"), ("b", "somebody"), ("c", "somebody else"), ("d", "x" * 300)):
        assert run("encrypt", photo, "-o", f"{name}.png", *options, "--stand-in", seed).code == 0
    a, b, c, d = (Path(f"{name}.png").read_bytes() for name in "abcd")
    assert a == b
    assert len({a, c, d}) == 3
    # Without a seed, a new person each time, named in the result.
    first, second = (run("encrypt", photo, "-o", "e.png", *options, "--json").json["stand_in"] for _ in range(2))
    assert first != second
    assert run("encrypt", photo, "-o", "f.png", *options, "--stand-in", second).code == 0
    assert Path("e.png").read_bytes() == Path("f.png").read_bytes()


def test_stand_in_photo(run: Run, photo: Path, ann: Path, people: People) -> None:
    Path("bea").write_bytes(saved(people.bea, "JPEG"))  # a file without a suffix is still a file
    for name, source in (("a", "ann.jpg"), ("b", "bea"), ("c", "./bea")):
        sent = run("encrypt", photo, "-o", f"{name}.png", *KEYFACE, "--stand-in", source, "--json").json
        assert sent["stand_in"] == str(Path(source))
    a, b, c = (Path(f"{name}.png").read_bytes() for name in "abc")
    assert a != b
    assert b == c


@pytest.mark.parametrize("name", ["missing.jpg", "folder/missing", "./missing"])
def test_a_stand_in_photo_that_is_missing_is_no_seed(name: str, run: Run, photo: Path) -> None:
    refused_without_trace(run, "There is no file", "encrypt", photo, "-o", "OUT", *KEYFACE, "--stand-in", name)


def test_several_faces(run: Run, people: People) -> None:
    Path("group.png").write_bytes(saved(people.group, "PNG"))
    ann, bea = (face_quad(face.landmarks) for face in detect_faces(people.group))

    def changed(name: str) -> list[bool]:
        after = read(name)
        return [not np.array_equal(crop(after, quad, 64), crop(people.group, quad, 64)) for quad in (ann, bea)]

    both = run("encrypt", "group.png", "-o", "both.png", *SOMEBODY, "--json").json
    assert (both["faces_found"], both["faces_replaced"], changed("both.png")) == (2, 2, [True, True])
    ended = run("encrypt", "group.png", "-o", "one.png", *SOMEBODY, "--only", 2)
    assert changed("one.png") == [False, True]
    assert b"Face 1 of 2 from the left is still to be seen" in ended.out
    Path("bea.png").write_bytes(saved(people.bea, "PNG"))
    for option, expected in (("--only", [False, True]), ("--keep-face", [True, False])):
        assert run("encrypt", "group.png", "-o", "one.png", *SOMEBODY, option, "bea.png").code == 0
        assert changed("one.png") == expected
    Path("wall.png").write_bytes(saved(people.photo[:, 290:], "PNG"))
    Path("bob.sccard").write_text("no picture")
    refused_without_trace(
        run,
        "The picture of the person cannot be used. This is not a picture",
        "encrypt",
        "group.png",
        "-o",
        "OUT",
        *SOMEBODY,
        "--only",
        "bob.sccard",
    )
    refused_without_trace(
        run,
        "No face was found in the picture of the person",
        "encrypt",
        "group.png",
        "-o",
        "OUT",
        *SOMEBODY,
        "--keep-face",
        "wall.png",
    )
    one = run("encrypt", "group.png", "-o", "portrait.png", *SOMEBODY, "--only", 1, "--portrait", "--json").json
    assert (one["faces_found"], one["faces_replaced"], read("portrait.png").shape) == (2, 1, (1024, 1024, 3))

    refused_without_trace(
        run, "one face, but 2 were found", "encrypt", "group.png", "-o", "OUT", *SOMEBODY, "--portrait"
    )
    refused_without_trace(
        run, "no face 3: 2 faces were found", "encrypt", "group.png", "-o", "OUT", *SOMEBODY, "--only", 3
    )


def test_a_face_that_cannot_be_replaced_is_blurred(run: Run, people: People) -> None:
    Path("cut.png").write_bytes(saved(people.cut, "PNG"))
    ended = run("encrypt", "cut.png", "-o", "fake.png", *SOMEBODY)
    assert b"1 of 2 faces replaced, 1 blurred" in ended.out
    assert b"Face 2 of 2 from the left is blurred: the face is cut off by the border of the picture." in ended.out
    kept = run("encrypt", "cut.png", "-o", "kept.png", *SOMEBODY, "--others", "keep", "--json").json
    assert (kept["faces_replaced"], kept["faces_blurred"], kept["faces_kept"]) == (1, 0, 1)
    refused_without_trace(
        run, "cut off by the border of the picture", "encrypt", "cut.png", "-o", "OUT", *SOMEBODY, "--others", "refuse"
    )


def test_no_face(run: Run, people: People, ann: Path) -> None:
    Path("wall.png").write_bytes(saved(people.photo[:, 290:], "PNG"))
    refused_without_trace(run, "No face was found in the picture", "encrypt", "wall.png", "-o", "OUT", *SOMEBODY)
    decrypt = ("-o", "OUT", "--key-face")
    refused_without_trace(run, "No face was found in the picture", "decrypt", "wall.png", *decrypt, ann)
    refused_without_trace(run, "No face was found in the key face", "decrypt", ann, *decrypt, "wall.png")


def test_several_faces_arrived(run: Run, people: People, ann: Path) -> None:
    Path("group.png").write_bytes(saved(people.group, "PNG"))
    options = ("--key-face", ann)
    got = run("decrypt", "group.png", "-o", "out.png", *options, "--json").json
    assert len(got["warnings"]) == 1
    assert "2 faces were found" in got["warnings"][0]
    assert run("decrypt", "group.png", "-o", "out.png", *options, "--face", 1, "--json").json["warnings"] == []
    refused_without_trace(run, "no face 3", "decrypt", "group.png", "-o", "OUT", *options, "--face", 3)


@pytest.mark.parametrize(
    ("mask", "layers"),
    [("0-2,8-", "0-2,8-15"), ("all-but:3,6,7", "0-2,4-5,8-15"), ("eyes", "6-8"), ("paper", "0-2,4-5,8-15"), ("9", "9")],
)
def test_masks(mask: str, layers: str, run: Run, photo: Path) -> None:
    assert run("encrypt", photo, "-o", "out.png", *SOMEBODY, "--mask", mask, "--json").json["mask"] == layers


@pytest.mark.parametrize(
    ("mask", "says"),
    [("nose", "'nose' is not"), ("7-3", "backwards"), ("0-17", "this model has layers 0 to 15"), ("", "not a layer")],
)
def test_wrong_masks(mask: str, says: str, run: Run, photo: Path, ann: Path) -> None:
    refused_without_trace(run, says, "encrypt", photo, "-o", "OUT", *SOMEBODY, "--mask", mask)
    refused_without_trace(run, says, "decrypt", photo, "-o", "OUT", "--key-face", ann, "--mask", mask)


def test_refine_and_matting_are_passed_on(run: Run, photo: Path) -> None:
    outputs = set()
    for options in ((), ("--refine", "1"), ("--matting",)):
        assert run("encrypt", photo, "-o", "out.png", *SOMEBODY, *options).code == 0
        outputs.add(Path("out.png").read_bytes())
    assert len(outputs) == 3

"""Each attack where it must succeed, and where it must not: against covers that keep all layers but one, and that keep none."""

from __future__ import annotations

import io
import json
import struct
import sys
import time
import zlib
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import ExifTags, Image
from PIL.PngImagePlugin import PngInfo
from stylecrypt_lab.evaluation import attacks
from stylecrypt_lab.evaluation.attacks import Effort, Finding, command, odds
from stylecrypt_lab.evaluation.attacks import bench as bench_module
from stylecrypt_lab.evaluation.attacks.detection import detection
from stylecrypt_lab.evaluation.attacks.faces import STYLES, linking, public_photo, recognition
from stylecrypt_lab.evaluation.attacks.guessing import wrong_keys
from stylecrypt_lab.evaluation.attacks.many import averaging
from stylecrypt_lab.evaluation.attacks.material import Material, People, Pipeline, Posted, Setting, gather, post
from stylecrypt_lab.evaluation.attacks.network import Pairs, learn, lessons, reversers, trained
from stylecrypt_lab.evaluation.attacks.odds import Figure
from stylecrypt_lab.evaluation.attacks.traces import Sent, alike, says_when, told_apart, unsealed
from stylecrypt_lab.evaluation.attacks.traffic import MARKER, ordinary_photo, padding, traffic
from stylecrypt_lab.evaluation.subjects import Photo, Subject
from stylecrypt_protocol import Card, Identity, Level

from stylecrypt_msg import StyleCrypt, effort
from stylecrypt_msg.cli import main
from stylecrypt_msg.errors import InputError
from stylecrypt_msg.faces import detect_faces
from stylecrypt_msg.messenger import EncryptedPhoto
from stylecrypt_msg.models import FaceModel, load_model
from stylecrypt_msg.pictures import encode_picture, read_picture
from stylecrypt_msg.progress import silent
from stylecrypt_msg.recognisers import load_recogniser
from stylecrypt_msg.stylemix import LayerMask

from ...support.command_line import TINY

pytestmark = pytest.mark.usefixtures("short_descents")

SEEDS = 2, 5, 6, 11  # of people whom the encoder reads well by itself
N = len(SEEDS)


@dataclass(frozen=True, eq=False)
class Bench:
    subjects: list[Subject]
    open: Material
    closed: Material


@pytest.fixture(scope="module")
def bench(default_model: FaceModel) -> Bench:
    """Four people who do not exist, with two photos each, and what they post.

    ``open`` replaces the last layer alone, which moves colours a little; ``closed`` replaces every layer.
    """
    pytest.importorskip("dlib", reason="the extra identity is not installed")
    pipeline = SmallPipeline(default_model, [load_recogniser(name) for name in ("sface", "dlib")])
    subjects = [
        Subject(f"person {i}", photo(pipeline, seed, 0.0), photo(pipeline, seed, 0.1)) for i, seed in enumerate(SEEDS)
    ]
    people = gather(subjects, N, pipeline, silent)
    n = default_model.n_styles
    settings = Setting.of(LayerMask.of([n - 1], n)), Setting.of(LayerMask.of(range(n), n))
    return Bench(subjects, *(material(people, one, pipeline) for one in settings))


def material(people: People, setting: Setting, pipeline: Pipeline) -> Material:
    here = post(people, people.sent, "A", setting, pipeline, silent)
    return Material(people, here, post(people, people.others, "B", setting, pipeline, silent), setting, pipeline)


class SmallPipeline(Pipeline):
    """Reads without descent, which is cheap. The whole bench, below, does not."""

    def encode(self, squares: Sequence[np.ndarray], steps: int = 0) -> np.ndarray:
        return super().encode(squares)


def photo(pipeline: Pipeline, number: int, drift: float) -> Photo:
    """A person who does not exist; with ``drift`` in another pose and light."""
    model = pipeline.model
    z = np.random.default_rng(number).standard_normal((2, model.style_dim), np.float32)
    codes, other = np.split(model.map(z, 0.85), 2)
    layers = np.zeros((model.n_styles, 1), np.float32)
    layers[0:3] = layers[8:] = drift
    (square,) = pipeline.preview(codes + layers * (other - codes))
    pixels = np.asarray(cv2.resize(square, (256, 256)), np.uint8)
    (face,) = detect_faces(pixels)
    return Photo(Path(f"{number}-{drift}.png"), pixels, face)


def of(found: list[Finding | Figure], words: str, judge: str = "") -> Finding:
    (one,) = [one for one in found if isinstance(one, Finding) and words in one.what and one.judge == judge]
    return one


def value(found: list[Finding | Figure], words: str, judge: str = "") -> float:
    (one,) = [one for one in found if isinstance(one, Figure) and one.what.endswith(words) and one.judge == judge]
    return one.value


def test_covers_are_made_as_the_program_makes_them(bench: Bench) -> None:
    """Photos use the encoder's codes; portraits and key faces use descent."""
    pipeline = Pipeline(bench.open.pipeline.model, [])
    seen = bench.open.people.sent[-1]
    view = pipeline.view(seen.square, seen.landmarks, deep=True)
    looks, depth = (pipeline.encode([view.square], steps)[0] for steps in (0, effort.KEY_STEPS))
    np.testing.assert_allclose(view.codes(Level.ORIGINAL), looks, atol=1e-4)
    np.testing.assert_allclose(view.codes(Level.KEYFACE), depth, atol=1e-4)
    np.testing.assert_allclose(view.key, depth, atol=1e-4)
    assert np.abs(looks - depth).max() > 0.01
    n = pipeline.model.n_styles
    assert Setting.of(LayerMask.photo(n)).form == "photo"
    assert Setting.of(LayerMask.paper(n)).form == "portrait"


def test_covers_as_sent_are_those_that_hide(bench: Bench) -> None:
    """Who looks like nobody is sent; whom no stand-in hides is not."""
    n, pipeline = bench.open.pipeline.model.n_styles, bench.open.pipeline
    sent = replace(Setting.of(LayerMask.photo(n)), sent=True)
    some = replace(
        bench.open.people, names=("a",), sent=bench.open.people.sent[:1], others=bench.open.people.others[:1]
    )
    posted = post(some, some.sent, "A", sent, pipeline, silent)
    assert posted.who == (0,)
    for judge, faces in zip(some.judges, posted.faces, strict=True):
        assert np.linalg.norm(faces[0] - judge.mine[0]) > judge.recogniser.threshold

    class Blind:
        name, threshold, strict = "Blind", 1.0, 1.0

        def describe(self, squares: Sequence[np.ndarray]) -> np.ndarray:
            return np.zeros((len(squares), 2), np.float32)

    refused = post(some, some.sent, "A", sent, SmallPipeline(pipeline.model, [Blind()]), silent)
    assert (refused.who, refused.squares) == ((), [])


def test_recognition(bench: Bench) -> None:
    known, unknown = recognition(bench.open), recognition(bench.closed)
    for judge in ("SFace", "dlib", STYLES):
        assert of(known, "found first", judge).successes == N
        assert of(unknown, "found first", judge).successes <= N / 2
        for rate in ("FAR 0.001", "FAR 0.0001"):
            assert of(known, rate, judge).successes == N
            assert of(unknown, rate, judge).successes < N / 2


def test_another_photo_opens_what_it_should_and_a_wrong_one_does_not(bench: Bench) -> None:
    people = bench.closed.people
    wrong = replace(people, others=people.others[1:] + people.others[:1])
    right, mistaken = (public_photo(one, N) for one in (bench.closed, replace(bench.closed, people=wrong)))
    for judge in ("SFace", "dlib"):
        assert of(right, "found first", judge).successes > of(mistaken, "found first", judge).successes
        assert of(right, "FAR 0.001", judge).successes > of(mistaken, "FAR 0.001", judge).successes
    assert value(right, "in the face") > value(mistaken, "in the face")


def test_wrong_keys(bench: Bench) -> None:
    known, unknown = (wrong_keys(one, keys=3, victims=N) for one in (bench.open, bench.closed))
    for judge in ("SFace", "dlib"):
        assert of(known, "nearer than", judge).successes == N
        # Every layer is the key's: the result is the stranger, and the message did not help.
        assert of(unknown, "nearer than", judge).successes == 0
        keys, strangers = (value(unknown, f"the best of 3 {whose}", judge) for whose in ("keys", "strangers"))
        assert keys == pytest.approx(strangers, abs=1e-3)


def test_averages(bench: Bench) -> None:
    known, unknown = (averaging(one, fakes=2, victims=N) for one in (bench.open, bench.closed))
    for judge in ("SFace", "dlib"):
        for what in ("pixels", "descriptors", "codes"):
            assert of(known, f"{what}: found first", judge).successes == N
            assert of(unknown, f"{what}: found first", judge).successes <= N / 2


def test_averaging_some_looks_in_the_whole_gallery(bench: Bench) -> None:
    found = averaging(bench.open, fakes=1, victims=2)
    one = of(found, "pixels: found first", "dlib")
    assert (one.successes, one.trials) == (2, 2)
    assert one.chance == pytest.approx(2 / N)


def test_reversers(bench: Bench) -> None:
    invented = lessons(bench.open.people, 8, bench.open.pipeline, silent)
    (known, sheet), (unknown, _) = (
        reversers(one, learn(one, invented, more=1), steps=15) for one in (bench.open, bench.closed)
    )
    for judge in ("SFace", "dlib"):
        assert of(known, "by pixels: FAR 0.001", judge).successes > N / 2
        for what in ("codes", "pixels"):
            assert of(unknown, f"by {what}: FAR 0.001", judge).successes <= N / 2
        # In galleries of two, one and one.
        assert of(known, "by pixels: found first", judge).chance == 1
        assert of(known, "the fake itself: FAR 0.001", judge).successes == N
        assert of(known, "the fake itself: FAR 0.001", judge).verdict == ""
    assert read_picture(sheet).pixels.shape == (N * 128, 4 * 128, 3)


def test_a_layer_learns_from_other_people_alone(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fakes that are their senders' faces, turned by a rotation, are undone by pairs of others; fakes that name their senders,
    and nothing else, say something only to those who have seen the sender.
    """
    rng = np.random.default_rng(4)
    few, many = (rng.normal(size=(60, size)) for size in (8, 60))
    monkeypatch.setattr(odds, "_PENALTIES", (1e-9,))  # so that whom it has seen it knows by heart
    turn = np.linalg.qr(rng.normal(size=(8, 8)))[0]
    judge = copy(bench.closed.people.judges[0])
    people = replace(bench.closed.people, sent=bench.closed.people.sent * 15, judges=(judge,))
    who = np.arange(60)
    for persons, fakes, least, most in ((few, few @ turn, 60, 60), (many, np.eye(60), 0, 8)):
        judge.mine = judge.others = persons
        here = Posted(tuple(who), [], np.empty(0, np.float32), (fakes,))
        pairs = Pairs(who, [], np.empty(0, np.float32), (fakes,), [], (persons,))
        found = trained(replace(bench.closed, people=people, here=here), pairs)
        assert all(least <= one.successes <= most for one in found if isinstance(one, Finding))
        assert found[0].chance == pytest.approx(2 / 20)  # type: ignore[union-attr]


def test_linking(bench: Bench) -> None:
    known = linking(bench.open)
    for judge in ("SFace", "dlib", STYLES):
        assert of(known, "other room", judge).successes == N


def test_strangers_are_not_linked_and_senders_are(bench: Bench) -> None:
    rng = np.random.default_rng(3)
    model, n = bench.open.pipeline.model, 10 * N
    people = replace(bench.open.people, sent=bench.open.people.sent * 10, kind=np.arange(n) % 2)

    def posted() -> Posted:
        noise = rng.standard_normal((n, model.n_styles, model.style_dim), np.float32)
        faces = tuple(rng.standard_normal((n, 128)) for _ in people.judges)
        return Posted(tuple(range(n)), [], model.latent_avg + noise, faces)

    here, there = posted(), posted()
    near = Posted(
        here.who,
        [],
        here.codes + 0.1 * there.codes,
        tuple(a + 0.1 * b for a, b in zip(here.faces, there.faces, strict=True)),
    )
    for other, verdict in ((there, "holds"), (near, "leaks")):
        found = linking(replace(bench.open, people=people, here=here, there=other))
        for judge in ("SFace", "dlib", STYLES):
            assert (of(found, "other room", judge).trials, of(found, "other room", judge).verdict) == (n, verdict)
            (d_sys,) = [one for one in found if isinstance(one, Figure) and (one.what, one.judge) == ("D_sys", judge)]
            assert d_sys.verdict == verdict
            assert value(found, "shuffled mates", judge) < 0.2
    mine = replace(
        here, who=here.who[: n // 2], codes=here.codes[: n // 2], faces=tuple(one[: n // 2] for one in here.faces)
    )
    found = linking(replace(bench.open, people=people, here=mine, there=near))
    assert of(found, "other room", "dlib").successes == n // 2, "those who posted in both rooms"


def test_detection(bench: Bench) -> None:
    """Squares with a grid, as some generators leave it, and squares that differ only in the person they show."""
    squares = [view.square for view in bench.open.people.sent]
    grid = np.zeros_like(squares[0])
    grid[::8] = grid[:, ::8] = 150
    marked = [cv2.add(square, grid) for square in squares]

    def found(posted: list[np.ndarray]) -> Finding:
        one = replace(bench.open, here=replace(bench.open.here, squares=posted))
        return of(detection(one), "for what it is")

    assert found(marked).successes == 2 * N
    assert found(marked).verdict == "leaks"
    assert found(squares).verdict == "holds"


@pytest.mark.usefixtures("default_model")
def test_sizes_metadata_times_and_links(bench: Bench) -> None:
    file = ordinary_photo(bench.subjects[0])
    assert file.count(MARKER) == 4, "so that something could be left"
    assert {"EXIF", "GPS"} <= {word.strip(",") for one in read_picture(file).dropped for word in one.split()}
    found = traffic(bench.subjects, 1, bench.open.pipeline.model, silent)
    for words in ("metadata", "when it was made"):
        assert (of(found, words).successes, of(found, words).verdict) == (0, "holds")
        assert of(found, words).trials == 15
    assert of(found, "number of recipients").verdict == "leaks"
    assert of(found, "with a seal").successes == 4
    assert of(found, "covert").successes == 0
    sizes = [value(found, f"latent, {count} recipients") for count in (1, 2, 5, 20)]
    assert sizes[3] - sizes[0] > 19 * 32, "a key for each of them"  # far beyond the bytes that age adds at random
    ways = ("keyface", "latent", "original", "latent to 20", "covert", "latent, two faces")
    assert all(value(found, f"made in, {way}") > 0 for way in ways)
    assert sum("how long it took" in one.what for one in found) == 4
    # Only the same cover, and another one with faces in the same places.
    assert (of(found, "one stand-in: two messages").successes, of(found, "one stand-in: two messages").trials) == (4, 4)
    assert (of(found, "two stand-ins").successes, of(found, "two stand-ins").trials) == (1, 1)
    assert (of(found, "key shares or seal").successes, of(found, "key shares or seal").trials) == (0, 4)


@pytest.fixture(scope="module")
def sent(default_model: FaceModel, bench: Bench, tmp_path_factory: pytest.TempPathFactory) -> Sent:
    """A message in a PNG."""
    with StyleCrypt.create(tmp_path_factory.mktemp("profile") / "p", name="Sender") as sender:
        sender.profile.add_contact(
            Card.create(Identity.generate(), user_id="b", display_name="B", created=0), trust=True
        )
        began = time.time()
        made = sender.encrypt(
            ordinary_photo(bench.subjects[0]), ["b"], level="latent", format="PNG", stand_in="s", force=True
        )
        return Sent(made, began, time.time())


def test_a_time_that_is_not_sealed_is_found(sent: Sent) -> None:
    def dated(message: EncryptedPhoto) -> bool:
        return says_when(unsealed(message), sent.first, sent.last)

    assert not dated(sent.message)
    seconds = int(sent.last)
    packed, picture = sent.message.packed or b"", sent.message.picture
    head = 4 + 2 + int.from_bytes(packed[4:6], "big")
    # Where the wire has it inside the seal: eight bytes, big-endian; here behind the message id of the public part.
    moved = packed[: 6 + 18] + seconds.to_bytes(8, "big") + packed[6 + 18 : head]
    assert says_when(moved, sent.first, sent.last)
    assert not says_when(packed[:head], sent.first, sent.last)
    stamp = Image.open(io.BytesIO(picture))
    notes, text = Image.Exif(), PngInfo()
    notes[ExifTags.Base.DateTime] = time.strftime("%Y:%m:%d %H:%M:%S", time.localtime(seconds))
    text.add_text("date", f"{seconds}")
    for options in ({"exif": notes}, {"pnginfo": text}):
        buffer = io.BytesIO()
        stamp.save(buffer, "PNG", **options)
        assert dated(replace(sent.message, picture=buffer.getvalue()))
        buffer = io.BytesIO()
        stamp.save(buffer, "JPEG", **({"exif": notes} if "exif" in options else {"comment": str(seconds)}))
        assert dated(replace(sent.message, picture=buffer.getvalue()))
    body = b"tIME" + struct.pack(">HBBBBB", *time.gmtime(seconds)[:6])
    chunk = struct.pack(">I", 7) + body + struct.pack(">I", zlib.crc32(body))
    assert dated(replace(sent.message, picture=picture[:-12] + chunk + picture[-12:]))


@pytest.mark.parametrize(
    "said",
    [
        b"\x1a" + (1_700_000_000).to_bytes(4, "big"),  # CBOR
        (1_700_000_000_123).to_bytes(8, "big"),
        (1_700_000_000_123_456).to_bytes(8, "little"),
        (1_700_000_000_123_456_789).to_bytes(8, "big"),
        b"1700000000",
        b"sent_at:1700000000123",
        b"2023-11-14T22:13:20Z",
        b"20231114T22",
    ],
)
def test_times_in_many_forms(said: bytes) -> None:
    rest = np.random.default_rng(0).bytes(500)
    assert says_when(rest[:250] + said + rest[250:], 1_699_999_999.5, 1_700_000_001.5)
    assert not says_when(rest[:250] + said + rest[250:], 1_600_000_000, 1_600_000_002)


def test_what_takes_longer_is_told_by_that_and_nothing_else_is() -> None:
    rng = np.random.default_rng(0)
    quick, slow, as_quick = rng.normal(1.0, 0.05, 40), rng.normal(1.5, 0.05, 40), rng.normal(1.0, 0.05, 40)
    groups = [i % 8 for i in range(40)]
    assert told_apart(quick, slow, groups) == (80, 80)  # type: ignore[arg-type]
    assert 24 < told_apart(quick, as_quick, groups)[0] < 56  # type: ignore[arg-type]


def test_messages_are_alike_by_what_is_not_the_formats() -> None:
    rng = np.random.default_rng(1)
    form, one, two, shared = (rng.bytes(n) for n in (60, 90, 90, 16))
    assert not alike(form + one, form + two, form)
    assert not alike(form + b"K" + one, form + b"K" + two, form), "one equal byte after the format's is luck"
    assert alike(form + one, form + two, b"")
    assert alike(form + one + shared, form + shared + two, form)


def test_captions_of_many_lengths_look_alike() -> None:
    lengths = padding()
    assert len(lengths) == 64
    assert len(set(lengths)) <= 16, "in steps of 16 bytes at least"


def test_the_whole_bench_and_its_report(bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    n, heard = bench.open.pipeline.model.n_styles, []
    effort = Effort(deep=1, victims=1, keys=1, fakes=2, learnt=6, more=1, steps=1, photos=1)
    settings = [replace(Setting.of(LayerMask.photo(n)), sent=True), Setting.of(LayerMask.paper(n))]
    sent = Finding("traffic", "", "the photo's metadata in the message", 0, 4, 0.0)
    monkeypatch.setattr(bench_module, "traffic", lambda *_: [sent])  # tested above
    result = attacks.run(
        bench.subjects[:2],
        bench.open.pipeline.model,
        bench.open.pipeline.recognisers,
        settings,
        tmp_path,
        lambda *told: heard.append(told),
        effort,
    )
    as_sent, paper = result.masks
    assert (as_sent.mask, as_sent.form, as_sent.people) == ("3-7 as sent", "photo", 2)
    assert (paper.mask, paper.form, paper.people) == ("0-2,4-5,8-15", "portrait", 1)
    assert as_sent.verdict == ("leaks" if as_sent.leaks else "holds")
    photos = [one for one in result.sights if one.mask == attacks.NO_COVER]
    assert [(one.judge, one.first, one.far3, one.far4) for one in photos] == [("SFace", 2, 2, 2), ("dlib", 2, 2, 2)]
    seen = [one for one in result.sights if one.mask == "3-7 as sent"]
    assert [(one.judge, one.people, one.rooms) for one in seen] == [("SFace", 2, 2), ("dlib", 2, 2), (STYLES, 2, 2)]
    assert {finding.attack for finding in result.findings} == set(attacks.ATTACKS)
    assert all(0 <= done <= total for _, done, total in heard)
    attacks.write_report(result, tmp_path)
    kept = json.loads((tmp_path / "attacks.json").read_text())
    assert [mask["mask"] for mask in kept["masks"]] == [as_sent.mask, paper.mask]
    assert len(kept["sights"]) == 2 + 3 + 3
    assert kept["findings"][0].keys() >= {"successes", "trials", "chance", "rate", "interval", "verdict"}
    assert kept["conditions"]["pairs"] is True
    tables = (tmp_path / "attacks.md").read_text()
    assert (
        f"| 3-7 as sent | dlib | 2 | {seen[1].far3} | {seen[1].far4} | {seen[1].first} | {seen[1].linked}/2 |" in tables
    )
    assert f"| {paper.mask} | portrait | 1 | {paper.opened}/1 |" in tables
    page = (tmp_path / "attacks.html").read_text()
    assert all(attack.capitalize() in page for attack in attacks.ATTACKS)
    assert "person 0" not in page


def test_a_run_that_was_stopped_goes_on(bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench_module, "Pipeline", lambda *_: bench.open.pipeline)
    sent = [Finding("traffic", "", "the photo's metadata in the message", 0, 4, 0.0)]
    monkeypatch.setattr(bench_module, "traffic", lambda *_: sent)
    model, recognisers = bench.open.pipeline.model, bench.open.pipeline.recognisers
    settings = [Setting.of(LayerMask.of(layers, model.n_styles)) for layers in ([15], [3, 4, 5])]
    settings[0] = replace(settings[0], mask=LayerMask.paper(model.n_styles))  # whose attacks have a sheet
    effort = Effort(deep=1, victims=1, keys=1, fakes=1, learnt=6, more=1, steps=1, photos=1)
    heard: list[tuple[str, int, int]] = []

    def run(
        folder: str,
        effort: Effort = effort,
        stop: int = 99,
        model: FaceModel = model,
        subjects: list[Subject] = bench.subjects[:2],
    ) -> attacks.AttackResult:
        def progress(*told: Any) -> None:
            heard.append(told)
            if told == ("masks", stop, 2):
                raise KeyboardInterrupt

        heard.clear()
        return attacks.run(subjects, model, recognisers, settings, tmp_path / folder, progress, effort)

    with pytest.raises(KeyboardInterrupt):
        run("stopped", stop=1)
    journal = tmp_path / "stopped" / "attacks.jsonl"
    whole = journal.read_text()
    assert whole.count("\n") == 3, "what all have in common, the photos, and the first mask"
    journal.write_text(whole + '{"part": "3-5", "person')  # as a machine that lost its power leaves it
    result = run("stopped")
    assert [told for told in heard if told[0] == "masks"] == [("masks", 1, 2), ("masks", 2, 2)]
    assert sum(what == "posting to room A" and not done for what, done, _ in heard) == 1
    assert journal.read_text().startswith(whole)
    assert result.to_json() == run("at once").to_json()
    assert result.sheets == run("stopped").sheets != {}
    assert heard == [("masks", 2, 2)], "nothing is done again, nor what it would take"
    for other, says in (({"effort": replace(effort, steps=2)}, "effort"), ({"model": load_model(TINY)}, "model")):
        with pytest.raises(InputError, match=f"another {says}") as refused:
            run("stopped", **other)
        assert "another folder" in (refused.value.hint or "")

    with pytest.raises(KeyboardInterrupt):
        run("stopped", stop=0, subjects=bench.subjects[1:3])
    assert heard[-1] == ("masks", 0, 2), "of other people nothing is known"


def test_nobody_who_can_be_sent_is_said(bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pipeline = bench.open.pipeline
    monkeypatch.setattr(bench_module, "Pipeline", lambda *_: pipeline)
    monkeypatch.setattr(bench_module, "post", lambda *_: Posted((), [], np.empty(0, np.float32), ()))
    settings = [Setting.of(LayerMask.photo(pipeline.model.n_styles))]
    with pytest.raises(InputError, match="no stand-in hides"):
        attacks.run(
            bench.subjects[:2], pipeline.model, pipeline.recognisers, settings, tmp_path, silent, Effort(learnt=1)
        )


def test_the_command(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Arguments to table; the bench itself is tested above."""
    n = bench.open.pipeline.model.n_styles
    folder, out = tmp_path / "faces", tmp_path / "out" / "report"
    folder.mkdir()
    for subject in bench.subjects[:2]:
        (folder / f"{subject.name.replace(' ', '')}.png").write_bytes(encode_picture(subject.photo.pixels, "PNG"))
    monkeypatch.setattr(bench_module, "Pipeline", lambda *_: bench.open.pipeline)
    tiny = {"deep": 1, "victims": 1, "keys": 1, "fakes": 1, "learnt": 2, "steps": 1}
    monkeypatch.setattr(bench_module, "Effort", lambda **more: Effort(**{**tiny, **more}))
    monkeypatch.setattr(command.attacks, "default_settings", lambda n: [Setting.of(LayerMask.of([n - 1], n))])  # type: ignore[attr-defined]
    monkeypatch.setattr(command, "load_model", lambda name: bench.open.pipeline.model)
    monkeypatch.setattr(bench_module, "traffic", lambda *_: [])
    monkeypatch.setattr(sys, "argv", ["stylecrypt", "evaluate", str(folder), "--attacks", "--report", str(out)])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code in (0, None)
    table = capsys.readouterr().out
    assert str(n - 1) in table
    assert "holds" in table
    assert all(judge in table for judge in ("SFace", "dlib", STYLES))
    assert {path.name for path in out.iterdir()} == {"attacks.json", "attacks.jsonl", "attacks.md", "attacks.html"}
    assert json.loads((out / "attacks.json").read_text())["conditions"]["pairs"] is False


def test_sealed_covers_keep_nothing_of_their_sender(bench: Bench) -> None:
    """As the program makes them: two senders with one entry of the codebook make one fake."""
    pipeline, (first, second, *_) = bench.open.pipeline, bench.open.people.sent
    n = pipeline.model.n_styles
    photo, key = Setting.of(LayerMask.photo(n)), np.stack([view.looks for view in bench.open.people.sent[2:4]])
    twin = replace(second, entry=first.entry)
    np.testing.assert_array_equal(pipeline.fakes(first, key, photo), pipeline.fakes(twin, key, photo))
    shown = replace(photo, level=Level.KEYFACE)
    own = pipeline.fakes(first, key, shown)[:, shown.kept]
    np.testing.assert_array_equal(own, np.repeat(first.key[None, shown.kept], 2, axis=0))


def test_masks_that_photos_cannot_bear_make_portraits() -> None:
    settings = attacks.default_settings(16)
    assert {one.name for one in settings if one.form == "photo"} == {"3-7 as sent", "3-7", "3-7 at keyface", "6"}
    assert Setting.of(LayerMask.paper(16)).kept == [3, 6, 7]
    assert [one.name for one in settings if one.in_use] == ["3-7 as sent", "3-7 at keyface", "0-2,4-5,8-15"]

"""Each attack where it must succeed, and where it must not: against covers that keep all layers but one, and that keep none."""

from __future__ import annotations

import io
import json
import struct
import sys
import time
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import ExifTags, Image
from PIL.PngImagePlugin import PngInfo
from stylecrypt_lab.evaluation import attacks
from stylecrypt_lab.evaluation.attacks import Effort, Finding, Setting, command
from stylecrypt_lab.evaluation.attacks import bench as bench_module
from stylecrypt_lab.evaluation.attacks.detection import detection
from stylecrypt_lab.evaluation.attacks.faces import linking, public_photo, recognition
from stylecrypt_lab.evaluation.attacks.guessing import wrong_keys
from stylecrypt_lab.evaluation.attacks.many import averaging
from stylecrypt_lab.evaluation.attacks.material import Material, Pipeline, Posted, gather, post, strangers
from stylecrypt_lab.evaluation.attacks.network import lessons, networks
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
    there: Posted
    """Under ``open``, in another room."""


@pytest.fixture(scope="module")
def bench(default_model: FaceModel) -> Bench:
    """Four people who do not exist, with two photos each, and what they post.

    ``open`` replaces the last layer alone, which moves colours a little; ``closed`` replaces every layer.
    """
    pytest.importorskip("dlib")
    pipeline = SmallPipeline(default_model, load_recogniser("dlib"))
    subjects = [
        Subject(f"person {i}", photo(pipeline, seed, 0.0), photo(pipeline, seed, 0.1)) for i, seed in enumerate(SEEDS)
    ]
    people = gather(subjects, pipeline, silent)
    strange = strangers(people, 3, pipeline, silent)
    n = default_model.n_styles
    settings = Setting.of(LayerMask.of([n - 1], n)), Setting.of(LayerMask.of(range(n), n))
    opened, closed = (
        Material(people, post(people, people.sent, "A", one, pipeline, silent), strange, one, pipeline)
        for one in settings
    )
    return Bench(subjects, opened, closed, post(people, people.others, "B", settings[0], pipeline, silent))


class SmallPipeline(Pipeline):
    """Renders at the preview's size, and reads without descent, which is cheap. The whole bench, below, does neither."""

    def render(self, codes: np.ndarray) -> list[np.ndarray]:
        return self.preview(codes)

    def encode(self, squares: Sequence[np.ndarray], steps: int | None = None) -> np.ndarray:
        return super().encode(squares, 0)


def photo(pipeline: Pipeline, number: int, drift: float) -> Photo:
    """A person who does not exist; with ``drift`` in another pose and light."""
    model = pipeline.model
    z = np.random.default_rng(number).standard_normal((2, model.style_dim), np.float32)
    codes, other = np.split(model.map(z, 0.85), 2)
    layers = np.zeros((model.n_styles, 1), np.float32)
    layers[0:3] = layers[8:] = drift
    (square,) = pipeline.render(codes + layers * (other - codes))
    pixels = np.asarray(cv2.resize(square, (256, 256)), np.uint8)
    (face,) = detect_faces(pixels)
    return Photo(Path(f"{number}-{drift}.png"), pixels, face)


def of(found: list[Finding | Figure], words: str) -> Finding:
    (one,) = [one for one in found if isinstance(one, Finding) and words in one.what]
    return one


def value(found: list[Finding | Figure], words: str) -> float:
    (one,) = [one for one in found if isinstance(one, Figure) and one.what.endswith(words)]
    return one.value


def test_covers_are_made_as_the_program_makes_them(bench: Bench) -> None:
    """Photos use the encoder's codes; portraits and key faces use descent."""
    pipeline = Pipeline(bench.open.pipeline.model, bench.open.pipeline.recogniser)
    seen = bench.open.people.sent[-1]
    view = pipeline.view(seen.square, seen.landmarks)
    looks, depth = (pipeline.encode([view.square], steps)[0] for steps in (0, effort.KEY_STEPS))
    np.testing.assert_allclose(view.sent[Level.ORIGINAL], looks, atol=1e-4)
    np.testing.assert_allclose(view.sent[Level.KEYFACE], depth, atol=1e-4)
    np.testing.assert_allclose(view.codes, depth, atol=1e-4)
    assert np.abs(looks - depth).max() > 0.01
    n = pipeline.model.n_styles
    assert Setting.of(LayerMask.photo(n)).form == "photo"
    assert Setting.of(LayerMask.paper(n)).form == "portrait"


def test_recognition(bench: Bench) -> None:
    known, unknown = recognition(bench.open), recognition(bench.closed)
    for words in ("dlib finds", "by the threshold", "kept styles"):
        assert of(known, words).successes == N
        assert of(unknown, words).successes <= N / 2
    assert value(known, "distance to the sender") < 0.5 < value(unknown, "distance to the sender")


def test_another_photo_opens_what_it_should_and_a_wrong_one_does_not(bench: Bench) -> None:
    people = bench.closed.people
    wrong = replace(people, others=people.others[1:] + people.others[:1])
    right, mistaken = public_photo(bench.closed), public_photo(replace(bench.closed, people=wrong))
    assert of(right, "by the threshold").successes > of(mistaken, "by the threshold").successes
    assert value(right, "distance to the sender") < value(mistaken, "distance to the sender")
    assert value(right, "in the face") > value(mistaken, "in the face")


def test_wrong_keys(bench: Bench) -> None:
    known, unknown = (wrong_keys(one, keys=3, victims=N) for one in (bench.open, bench.closed))
    assert of(known, "nearer than").successes == N
    # Every layer is the key's: the result is the stranger, and the message did not help.
    assert of(unknown, "nearer than").successes == 0
    assert value(unknown, "the best of 3 keys") == pytest.approx(value(unknown, "the best of 3 strangers"), abs=1e-3)


def test_averages(bench: Bench) -> None:
    known, sheet = averaging(bench.open, fakes=2, victims=N)
    unknown, _ = averaging(bench.closed, fakes=2, victims=N)
    for what in ("pixels", "descriptors", "codes"):
        assert of(known, f"{what} finds").successes == N
        assert of(unknown, f"{what} finds").successes <= N / 2
    assert sheet.counts == (1, 2)
    assert all(len(curve) == 2 for curve in sheet.distances.values())
    assert read_picture(sheet.sheet).pixels.shape == (N * 128, 4 * 128, 3)


def test_averages_are_judged_by_averages(bench: Bench) -> None:
    sent = bench.open.people.sent_faces
    step = np.zeros_like(sent)
    step[:, 0] = 2  # far from everybody, either way; the mean of both is there
    luck = replace(bench.open.strange, small_faces=np.stack([sent + step, sent - step], axis=1))
    for fakes, chance in ((1, 1 / (N + 1)), (2, 1.0)):
        found, _ = averaging(replace(bench.open, strange=luck), fakes, N)
        assert of(found, "descriptors is the sender").chance == pytest.approx(chance)


def test_averaging_some_looks_in_the_whole_gallery(bench: Bench) -> None:
    found, _ = averaging(bench.open, fakes=1, victims=2)
    assert (of(found, "pixels finds").successes, of(found, "pixels finds").trials) == (2, 2)
    assert of(found, "pixels finds").chance == pytest.approx(2 / N)


def test_networks(bench: Bench) -> None:
    learnt = lessons(bench.open.people, 8, bench.open.pipeline, silent)
    known, unknown = (networks(one, learnt, steps=15) for one in (bench.open, bench.closed))
    assert of(known, "convolutional network finds").successes > N / 2
    for words in ("regression of codes finds", "convolutional network finds"):
        assert of(unknown, words).successes <= N / 2
    assert value(known, "regression of codes") < value(unknown, "regression of codes")


def test_linking(bench: Bench) -> None:
    known = linking(bench.open, bench.there)
    for how in ("dlib", "the kept styles"):
        assert of(known, f"by {how}").successes == N
        assert value(known, f"ROC curve, by {how}") == 1
        assert value(known, f"equal error rate, by {how}") == 0


def test_strangers_are_not_linked(bench: Bench) -> None:
    rng = np.random.default_rng(3)
    model, n = bench.open.pipeline.model, 10 * N

    def posted() -> Posted:
        noise = rng.standard_normal((n, model.n_styles, model.style_dim), np.float32)
        return Posted([], model.latent_avg + noise, rng.standard_normal((n, 128)))

    many = replace(bench.open.people, sent=bench.open.people.sent * 10)
    found = linking(replace(bench.open, people=many, posted=posted()), posted())
    for how in ("dlib", "the kept styles"):
        assert of(found, f"by {how}").trials == n
        assert of(found, f"by {how}").verdict == "holds"
        assert 0.3 < value(found, f"ROC curve, by {how}") < 0.7
        assert 0.3 < value(found, f"equal error rate, by {how}") < 0.7


def test_detection(bench: Bench) -> None:
    """Squares with a grid, as some generators leave it, and squares that differ only in the person they show."""
    squares = [view.square for view in bench.open.people.sent]
    grid = np.zeros_like(squares[0])
    grid[::8] = grid[:, ::8] = 150
    marked = [cv2.add(square, grid) for square in squares]

    def found(posted: list[np.ndarray]) -> Finding:
        one = replace(bench.open, posted=replace(bench.open.posted, squares=posted))
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
    effort = Effort(keys=1, key_victims=1, fakes=2, averaged=1, learnt=2, steps=1, photos=1)
    settings = [Setting.of(LayerMask.paper(n))]
    sent = Finding("traffic", "", "the photo's metadata in the message", 0, 4, 0.0)
    monkeypatch.setattr(bench_module, "traffic", lambda *_: [sent])  # tested above
    result = attacks.run(
        bench.subjects[:2],
        bench.open.pipeline.model,
        bench.open.pipeline.recogniser,
        settings,
        tmp_path,
        lambda *told: heard.append(told),
        effort,
    )
    (row,) = result.masks
    assert (row.mask, row.form, row.people) == ("0-2,4-5,8-15", "portrait", 2)
    assert row.verdict == ("leaks" if row.leaks else "holds")
    assert {finding.attack for finding in result.findings} == set(attacks.ATTACKS)
    assert all(0 <= done <= total for _, done, total in heard)
    attacks.write_report(result, tmp_path)
    kept = json.loads((tmp_path / "attacks.json").read_text())
    assert kept["masks"][0]["mask"] == row.mask
    assert kept["findings"][0].keys() >= {"successes", "trials", "chance", "rate", "interval", "verdict"}
    assert kept["conditions"]["pairs"] is True
    assert f"| {row.mask} | portrait | {row.recognised}/2 |" in (tmp_path / "attacks.md").read_text()
    page = (tmp_path / "attacks.html").read_text()
    assert all(attack.capitalize() in page for attack in attacks.ATTACKS)
    assert "person 0" not in page


def test_a_run_that_was_stopped_goes_on(bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench_module, "Pipeline", lambda *_: bench.open.pipeline)
    sent = [Finding("traffic", "", "the photo's metadata in the message", 0, 4, 0.0)]
    monkeypatch.setattr(bench_module, "traffic", lambda *_: sent)
    model, recogniser = bench.open.pipeline.model, bench.open.pipeline.recogniser
    settings = [Setting.of(LayerMask.of(layers, model.n_styles)) for layers in ([15], [3, 4, 5])]
    effort = Effort(keys=1, key_victims=1, fakes=1, averaged=1, learnt=2, steps=1, photos=1)
    heard: list[tuple[str, int, int]] = []

    def run(
        folder: str,
        effort: Effort = effort,
        stop: int = 99,
        model: FaceModel = model,
        subjects: list[Subject] = bench.subjects[:1],
    ) -> attacks.AttackResult:
        def progress(*told: Any) -> None:
            heard.append(told)
            if told == ("masks", stop, 2):
                raise KeyboardInterrupt

        heard.clear()
        return attacks.run(subjects, model, recogniser, settings, tmp_path / folder, progress, effort)

    with pytest.raises(KeyboardInterrupt):
        run("stopped", stop=1)
    journal = tmp_path / "stopped" / "attacks.jsonl"
    whole = journal.read_text()
    assert whole.count("\n") == 2, "what all have in common, and the first mask"
    journal.write_text(whole + '{"part": "3-5", "person')  # as a machine that lost its power leaves it
    result = run("stopped")
    assert [told for told in heard if told[0] == "masks"] == [("masks", 1, 2), ("masks", 2, 2)]
    assert sum(what == "posting to room A" and not done for what, done, _ in heard) == 1
    assert journal.read_text().startswith(whole)
    assert result.to_json() == run("at once").to_json()
    assert result.averages["15"].sheet == run("stopped").averages["15"].sheet
    assert heard == [("masks", 2, 2)], "nothing is done again, nor what it would take"
    for other, says in (({"effort": replace(effort, steps=2)}, "effort"), ({"model": load_model(TINY)}, "model")):
        with pytest.raises(InputError, match=f"another {says}") as refused:
            run("stopped", **other)
        assert "another folder" in (refused.value.hint or "")

    with pytest.raises(KeyboardInterrupt):
        run("stopped", stop=0, subjects=bench.subjects[1:2])
    assert heard[-1] == ("masks", 0, 2), "of other people nothing is known"


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
    tiny = {"keys": 1, "key_victims": 1, "fakes": 1, "averaged": 1, "learnt": 2, "steps": 1}
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
    assert "2/2" in table
    assert {path.name for path in out.iterdir()} == {"attacks.json", "attacks.jsonl", "attacks.md", "attacks.html"}
    assert json.loads((out / "attacks.json").read_text())["conditions"]["pairs"] is False


def test_sealed_covers_keep_nothing_of_their_sender(bench: Bench) -> None:
    """As the program makes them: two senders with one entry of the codebook make one fake."""
    pipeline, (first, second, *_) = bench.open.pipeline, bench.open.people.sent
    n = pipeline.model.n_styles
    photo, key = Setting.of(LayerMask.photo(n)), bench.open.strange.codes[0, :2]
    twin = replace(second, entry=first.entry)
    np.testing.assert_array_equal(pipeline.fakes(first, key, photo), pipeline.fakes(twin, key, photo))
    shown = replace(photo, level=Level.KEYFACE)
    own = pipeline.fakes(first, key, shown)[:, shown.kept]
    np.testing.assert_array_equal(own, np.repeat(first.sent[Level.KEYFACE][None, shown.kept], 2, axis=0))


def test_masks_that_photos_cannot_bear_make_portraits() -> None:
    settings = attacks.default_settings(16)
    assert {one.name for one in settings if one.form == "photo"} == {"3-7", "3-7 at keyface", "4-7", "3-5", "6"}
    assert Setting.of(LayerMask.paper(16)).kept == [3, 6, 7]
    assert [one.in_use for one in settings] == [True, True, True] + [False] * 6

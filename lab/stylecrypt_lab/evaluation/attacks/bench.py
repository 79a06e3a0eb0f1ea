"""Runs every attack against every mask."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from pydantic import ConfigDict, Field
from stylecrypt_protocol import Level

from stylecrypt_msg.errors import InputError
from stylecrypt_msg.models import FaceModel
from stylecrypt_msg.progress import Progress
from stylecrypt_msg.recognisers import Recogniser
from stylecrypt_msg.stylemix import LayerMask

from ..journal import Conditions, Journal, inputs_of
from ..subjects import Subject
from ..trial import Record
from .detection import detection
from .faces import linking, public_photo, recognition
from .guessing import wrong_keys
from .judges import FARS, compared
from .many import averaging
from .material import Material, People, Pipeline, Setting, gather, post
from .network import Lessons, learn, lessons, reversers, trained
from .odds import Figure, Finding, distances
from .traffic import traffic

__all__ = ["ATTACKS", "NO_COVER", "AttackResult", "Effort", "MaskOdds", "Sight", "default_settings", "run"]

ATTACKS = {
    "recognition": "Face recognisers compare the fake with another photo of each sender.",
    "styles": "The same with the style vectors that the mask keeps, read from the fake by the model's own encoder.",
    "public photo": "Another photo of the sender is used as the key face.",
    "wrong keys": "Many people who do not exist are used as key faces; an oracle picks the best.",
    "averaging": "Many fakes of one sender, each with another stand-in, are averaged.",
    "reverser": "A regression and a convolutional network learn from pairs of originals and fakes to give originals back.",
    "trained recogniser": "A layer on top of each recogniser learns from fakes of other people whom they show.",
    "linking": "Two fakes of one sender, in two rooms and with two stand-ins, are compared.",
    "traffic": "Sizes, metadata and times of messages are examined, and what two messages have in common.",
    "detection": "A linear classifier decides whether the model made a face; files are searched for envelopes.",
}
"""Names of the attacks, and what the attacker does."""

NO_COVER = "no cover"
"""The name of the row about the photos themselves."""

_METHOD = 7  # increases whenever a measurement changes, so that old and new results are not mixed
_NO_KEY = ("recognition", "styles", "wrong keys", "averaging", "reverser", "trained recogniser", "linking")


@dataclass(frozen=True)
class Effort:
    """How many attempts each attack gets.

    Attributes:
        deep: people who also post at level ``keyface``.
        victims: of them, those of attacks with a key and with many fakes.
        keys: wrong keys for each of them.
        fakes: that are averaged.
        learnt: people who do not exist from whom reversers and recognisers learn.
        more: further fakes of each photo from which they learn.
        steps: of the convolutional network's training, three times.
        photos: the number of photos that are sent in each way, twice.
    """

    deep: int = 20
    victims: int = 8
    keys: int = 20
    fakes: int = 8
    learnt: int = 100
    more: int = 1
    steps: int = 200
    photos: int = 2


@dataclass(frozen=True)
class Sight:
    """What one judge sees of one mask's fakes: a row of the table, in counts out of ``people``; None where it was not asked.

    Attributes:
        mask: or `NO_COVER`.
        far3, far4: taken for the sender by a threshold that lets one in a thousand and in ten thousand strangers pass.
        first: found first among everybody's other photos.
        linked, rooms: fakes that find their sender's in another room first, and out of how many.
        d_sys, luck: unlinkability between rooms, 0 to 1, and what luck exceeds once in 200 times.
    """

    mask: str
    judge: str
    people: int
    far3: int
    far4: int
    first: int
    linked: int | None = None
    rooms: int | None = None
    d_sys: float | None = None
    luck: float | None = None


@dataclass(frozen=True)
class MaskOdds:
    """What a mask gives away, and to whom it opens.

    Attributes:
        people: whose fakes were sent; the rest were refused, or left out at levels that need descent.
        opened, tried: recovered with another photo as the key face and taken for the sender, by the judge who sees most.
        psnr: of what that photo recovers.
        leaks: the attacks without a key that succeed (`Finding.verdict`).
    """

    mask: str
    form: str
    people: int
    opened: int
    tried: int
    psnr: float
    leaks: tuple[str, ...]

    @property
    def verdict(self) -> str:
        return "leaks" if self.leaks else "holds"


@dataclass(frozen=True, eq=False)
class AttackResult:
    """What all attacks found.

    Attributes:
        settings: masks and their forms, in the order given.
        sheets: JPEG files by mask, as `reversers` makes them.
        conditions: model, recognisers, number of people, whether in pairs, effort.
    """

    settings: tuple[Setting, ...]
    conditions: dict[str, Any]
    findings: tuple[Finding, ...]
    figures: tuple[Figure, ...]
    sheets: dict[str, bytes] = field(repr=False)

    @property
    def sights(self) -> tuple[Sight, ...]:
        """What judges see."""
        firsts = [f for f in self.findings if f.attack in ("recognition", "styles") and f.what.endswith("found first")]
        return tuple(self._sight(first) for first in firsts)

    def _sight(self, first: Finding) -> Sight:
        mine = [one for one in self.findings if (one.mask, one.judge) == (first.mask, first.judge)]
        far3, far4 = (
            next(one.successes for one in mine if one.attack == first.attack and one.what.endswith(f"FAR {rate:g}"))
            for rate in FARS
        )
        linked = next((one for one in mine if one.attack == "linking"), None)
        keys = ("linking", first.mask, first.judge, "D_sys")
        d_sys = next((one for one in self.figures if (one.attack, one.mask, one.judge, one.what) == keys), None)
        return Sight(
            mask=first.mask,
            judge=first.judge,
            people=first.trials,
            far3=far3,
            far4=far4,
            first=first.successes,
            linked=linked.successes if linked else None,
            rooms=linked.trials if linked else None,
            d_sys=d_sys.value if d_sys else None,
            luck=d_sys.luck if d_sys else None,
        )

    @property
    def masks(self) -> tuple[MaskOdds, ...]:
        """What each mask costs."""
        return tuple(self._odds(setting) for setting in self.settings)

    def _odds(self, setting: Setting) -> MaskOdds:
        mine = [one for one in self.findings if one.mask == setting.name]
        figures = [one for one in self.figures if one.mask == setting.name]
        opened = [one for one in mine if one.attack == "public photo" and one.what.endswith(f"FAR {FARS[0]:g}")]
        most = max(opened, key=lambda one: one.successes)
        leaking = {one.attack for these in (mine, figures) for one in these if one.verdict == "leaks"}
        return MaskOdds(
            mask=setting.name,
            form=setting.form,
            people=next(one.trials for one in mine if one.attack == "recognition"),
            opened=most.successes,
            tried=most.trials,
            psnr=next(one.value for one in figures if "PSNR" in one.what),
            leaks=tuple(attack for attack in _NO_KEY if attack in leaking),
        )

    def to_json(self) -> dict[str, Any]:
        """Plain values, for `json.dumps`."""
        return {
            "conditions": self.conditions,
            "attacks": ATTACKS,
            "sights": [asdict(sight) for sight in self.sights],
            "masks": [{**asdict(odds), "leaks": list(odds.leaks), "verdict": odds.verdict} for odds in self.masks],
            "findings": [
                {
                    **asdict(finding),
                    "rate": finding.rate,
                    "interval": list(finding.interval),
                    "verdict": finding.verdict,
                }
                for finding in self.findings
            ],
            "figures": [{**asdict(figure), "verdict": figure.verdict} for figure in self.figures],
        }


def default_settings(n_styles: int) -> list[Setting]:
    """The program's own, weaker and stronger masks, and as the control one that keeps nothing of the sender."""
    texts = ("photo", "paper", "6", "8-", "0-7", "0-")
    photo, *others = (Setting.of(LayerMask.parse(text, n_styles)) for text in texts)
    return [replace(photo, sent=True), photo, replace(photo, level=Level.KEYFACE), *others]


class _Header(Conditions):
    effort: Effort = Field(description="another effort")


class _Found(Record):
    """The results of the attacks on one mask; or of those that no mask affects, which have no sheet."""

    model_config = ConfigDict(ser_json_bytes="base64", val_json_bytes="base64")

    findings: tuple[Finding, ...]
    figures: tuple[Figure, ...]
    sheet: bytes | None = None

    @classmethod
    def of(cls, found: Sequence[Finding | Figure], sheet: bytes | None = None) -> _Found:
        return cls(
            findings=tuple(one for one in found if isinstance(one, Finding)),
            figures=tuple(one for one in found if isinstance(one, Figure)),
            sheet=sheet,
        )


def run(
    subjects: Sequence[Subject],
    model: FaceModel,
    recognisers: Sequence[Recogniser],
    settings: Sequence[Setting],
    folder: Path,
    progress: Progress,
    effort: Effort | None = None,
) -> AttackResult:
    """Attacks fakes of the subjects in every setting that is not yet in ``folder``, which keeps each finished one.

    The same input gives the same result, except for sizes and times of messages. With pairs the gallery and the key faces
    are the other photos, otherwise the sent ones. ``progress`` is called with the current work, how much of it is done, and
    the total. Raises ModelError for a model without an encoder, InputError for a folder with other results, and
    where nobody can be hidden.
    """
    effort = effort or Effort()
    paired = all(subject.other is not None for subject in subjects)
    names = " and ".join(recogniser.name for recogniser in recognisers)
    header = _Header(method=_METHOD, model=model.digest, recogniser=names, pairs=paired, effort=effort)
    journal, inputs = Journal(folder, header, "attacks.jsonl"), inputs_of(*subjects)

    def kept(part: str) -> _Found | None:
        line = journal.get(part, "", inputs)
        # As JSON, in which bytes are text.
        return None if line is None else _Found.model_validate_json(json.dumps(line[0]))

    def keep(part: str, found: _Found) -> _Found:
        journal.add(part, "", inputs, found)
        return found

    known = {part: found for part in (NO_COVER, *(one.name for one in settings)) if (found := kept(part))}
    missing = [setting for setting in settings if setting.name not in known]
    if missing or NO_COVER not in known:
        pipeline = Pipeline(model, recognisers)
        people = gather(subjects, effort.deep, pipeline, progress)
        known[NO_COVER] = keep(NO_COVER, _Found.of(uncovered(people)))
        learnt = lessons(people, effort.learnt, pipeline, progress)
        for setting in missing:
            progress("masks", len(known) - 1, len(settings))
            found = _attack(setting, people, learnt, effort, pipeline, progress)
            known[setting.name] = keep(setting.name, found)
    progress("masks", len(settings), len(settings))
    about_messages = kept("traffic") or keep("traffic", _Found.of(traffic(subjects, effort.photos, model, progress)))
    every = [known[NO_COVER], *(known[setting.name] for setting in settings), about_messages]
    return AttackResult(
        settings=tuple(settings),
        conditions=_conditions(len(subjects), model, header),
        findings=tuple(one for found in every for one in found.findings),
        figures=tuple(one for found in every for one in found.figures),
        sheets={name: found.sheet for name, found in known.items() if found.sheet},
    )


def uncovered(people: People) -> list[Finding]:
    """What judges see in the photos themselves."""
    found: list[Finding] = []
    for judge in people.judges:
        between = distances(judge.mine, judge.others)
        found += compared(
            "recognition", NO_COVER, "the photo", between, range(len(people)), judge.name, judge.strangers
        )
    return found


def _attack(
    setting: Setting, people: People, learnt: Lessons, effort: Effort, pipeline: Pipeline, progress: Progress
) -> _Found:
    """Every attack on one mask. Nothing here may depend on which masks were tried before."""
    here = post(people, people.sent, "A", setting, pipeline, progress)
    there = post(people, people.others, "B", setting, pipeline, progress)
    material = Material(people, here, there, setting, pipeline, progress)
    if not material.victims(1):
        raise InputError(
            f"{setting.name} cannot be attacked: no stand-in hides any of these people.", hint="Add more people."
        )
    found = [*recognition(material), *linking(material), *public_photo(material, effort.victims)]
    if not setting.in_use:
        return _Found.of(found)
    found += wrong_keys(material, effort.keys, effort.victims)
    found += averaging(material, effort.fakes, effort.victims)
    pairs = learn(material, learnt, effort.more)
    reverser, sheet = reversers(material, pairs, effort.steps)
    found += [*reverser, *trained(material, pairs)]
    if setting.sent:  # others are enlarged previews
        found += detection(material)
    return _Found.of(found, sheet)


def _conditions(people: int, model: FaceModel, header: _Header) -> dict[str, Any]:
    return {
        "model": model.name,
        "model_hash": header.model,
        "recognisers": header.recogniser,
        "people": people,
        "pairs": header.pairs,
        "effort": asdict(header.effort),
    }

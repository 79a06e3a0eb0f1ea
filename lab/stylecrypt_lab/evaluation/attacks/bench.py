"""Runs every attack against every mask."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from pydantic import ConfigDict, Field
from stylecrypt_protocol import Level

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
from .many import Averages, averaging
from .material import Material, People, Pipeline, Setting, Strangers, gather, post, strangers
from .network import Lessons, lessons, networks
from .odds import Figure, Finding
from .traffic import traffic

__all__ = ["ATTACKS", "AttackResult", "Effort", "MaskOdds", "default_settings", "run"]

ATTACKS = {
    "recognition": "A face recogniser compares the fake with a gallery that has one photo of each sender.",
    "styles": "The same with the style vectors that the mask keeps, read from the fake by the model's own encoder.",
    "public photo": "Another photo of the sender is used as the key face.",
    "wrong keys": "Many people who do not exist are used as key faces; an oracle picks the best.",
    "averaging": "Many fakes of one sender, each with another stand-in, are averaged.",
    "network": "A regression and a small convolutional network learn on people who do not exist to invert fakes.",
    "linking": "Two fakes of one sender, in two rooms and with two stand-ins, are compared.",
    "traffic": "Sizes, metadata and times of messages are examined, and what two messages have in common.",
    "detection": "A linear classifier decides whether the model made a face; files are searched for envelopes.",
}
"""Names of the attacks, and what the attacker does."""

_METHOD = 6  # increases whenever a measurement changes, so that old and new results are not mixed
_WITHOUT_KEY = ("recognition", "styles", "wrong keys", "averaging", "network", "linking")
_SHARE = 4  # masks that only serve for comparison get the full effort divided by this


@dataclass(frozen=True)
class Effort:
    """How many attempts each attack gets.

    Attributes:
        keys: wrong keys for each of ``key_victims`` senders.
        fakes: fakes of each of ``averaged`` senders.
        learnt: people that the networks learn from.
        steps: of the convolutional network's training.
        photos: the number of photos that are sent in each way, twice.
    """

    keys: int = 50
    key_victims: int = 20
    fakes: int = 16
    averaged: int = 8
    learnt: int = 200
    steps: int = 200
    photos: int = 4

    def less(self) -> Effort:
        """For masks that nobody uses by default."""
        return Effort(
            keys=math.ceil(self.keys / _SHARE),
            key_victims=math.ceil(self.key_victims / _SHARE),
            fakes=math.ceil(self.fakes / _SHARE),
            averaged=self.averaged,
            learnt=self.learnt,
            steps=self.steps,
            photos=self.photos,
        )


@dataclass(frozen=True)
class MaskOdds:
    """One mask's row of the table: counts out of ``people``, and what comes back to a contact.

    Attributes:
        leaks: the attacks without a key that succeed (`Finding.verdict`).
        recognised, kept_styles, linked: found in a gallery of all senders by the fake, by its kept styles, by another fake.
        verified: matched to the sender at the recogniser's threshold.
        opened: recovered with another photo as the key face, and matched to the sender.
        psnr, distance: of what that photo recovers.
    """

    mask: str
    form: str
    people: int
    recognised: int
    verified: int
    kept_styles: int
    linked: int
    opened: int
    psnr: float
    distance: float
    leaks: tuple[str, ...]

    @property
    def verdict(self) -> str:
        return "leaks" if self.leaks else "holds"


@dataclass(frozen=True, eq=False)
class AttackResult:
    """What all attacks found.

    Attributes:
        settings: masks and their forms, in the order given.
        averages: by mask.
        conditions: model, recogniser, number of people, whether in pairs, effort.
    """

    settings: tuple[Setting, ...]
    conditions: dict[str, Any]
    findings: tuple[Finding, ...]
    figures: tuple[Figure, ...]
    averages: dict[str, Averages] = field(repr=False)

    @property
    def masks(self) -> tuple[MaskOdds, ...]:
        """The table."""
        return tuple(self._odds(setting) for setting in self.settings)

    def _odds(self, setting: Setting) -> MaskOdds:
        mine = [finding for finding in self.findings if finding.mask == setting.name]

        def count(attack: str, at: int = 0) -> int:
            return [finding for finding in mine if finding.attack == attack][at].successes

        def value(what: str) -> float:
            return next(
                f.value for f in self.figures if (f.attack, f.mask) == ("public photo", setting.name) and what in f.what
            )

        leaking = {finding.attack for finding in mine if finding.verdict == "leaks"}
        return MaskOdds(
            mask=setting.name,
            form=setting.form,
            people=self.conditions["people"],
            recognised=count("recognition"),
            verified=count("recognition", 1),
            kept_styles=count("styles"),
            linked=max(count("linking"), count("linking", 1)),
            opened=count("public photo"),
            psnr=value("PSNR"),
            distance=value("distance"),
            leaks=tuple(attack for attack in _WITHOUT_KEY if attack in leaking),
        )

    def to_json(self) -> dict[str, Any]:
        """Plain values, for `json.dumps`."""
        return {
            "conditions": self.conditions,
            "attacks": ATTACKS,
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
            "figures": [asdict(figure) for figure in self.figures],
            "averages": {
                mask: {"counts": list(one.counts), "distances": {what: list(d) for what, d in one.distances.items()}}
                for mask, one in self.averages.items()
            },
        }


def default_settings(n_styles: int) -> list[Setting]:
    """The program's own, weaker and stronger masks, and as the control one that keeps nothing of the sender."""
    texts = ("paper", "photo", "4-7", "3-5", "6", "8-", "0-7", "0-")
    paper, photo, *others = (Setting.of(LayerMask.parse(text, n_styles)) for text in texts)
    return [paper, photo, replace(photo, level=Level.KEYFACE), *others]


class _Header(Conditions):
    effort: Effort = Field(description="another effort")


class _Found(Record):
    """The results of the attacks on one mask; or of those that no mask affects, which average nothing."""

    model_config = ConfigDict(ser_json_bytes="base64", val_json_bytes="base64")

    findings: tuple[Finding, ...]
    figures: tuple[Figure, ...]
    averages: Averages | None = None

    @classmethod
    def of(cls, found: Sequence[Finding | Figure], averages: Averages | None = None) -> _Found:
        return cls(
            findings=tuple(one for one in found if isinstance(one, Finding)),
            figures=tuple(one for one in found if isinstance(one, Figure)),
            averages=averages,
        )


def run(
    subjects: Sequence[Subject],
    model: FaceModel,
    recogniser: Recogniser,
    settings: Sequence[Setting],
    folder: Path,
    progress: Progress,
    effort: Effort | None = None,
) -> AttackResult:
    """Attacks fakes of the subjects in every setting that is not yet in ``folder``, which keeps each finished one.

    The same input gives the same result, except for sizes and times of messages. With pairs the gallery and the key faces
    are the other photos, otherwise the sent ones. ``progress`` is called with the current work, how much of it is done, and
    the total. Raises ModelError for a model without an encoder, InputError for a folder with other results.
    """
    effort = effort or Effort()
    paired = all(subject.other is not None for subject in subjects)
    header = _Header(method=_METHOD, model=model.digest, recogniser=recogniser.name, pairs=paired, effort=effort)
    journal, inputs = Journal(folder, header, "attacks.jsonl"), inputs_of(*subjects)

    def kept(part: str) -> _Found | None:
        line = journal.get(part, "", inputs)
        # As JSON, in which bytes are text.
        return None if line is None else _Found.model_validate_json(json.dumps(line[0]))

    def keep(part: str, found: _Found) -> _Found:
        journal.add(part, "", inputs, found)
        return found

    known = {setting.name: found for setting in settings if (found := kept(setting.name))}
    missing = [setting for setting in settings if setting.name not in known]
    if missing:
        pipeline = Pipeline(model, recogniser)
        people = gather(subjects, pipeline, progress)
        strange = strangers(people, max(effort.keys, effort.fakes), pipeline, progress)
        learnt = lessons(people, effort.learnt, pipeline, progress)
        for setting in missing:
            progress("masks", len(known), len(settings))
            found = _attack(setting, people, strange, learnt, effort, pipeline, progress)
            known[setting.name] = keep(setting.name, found)
    progress("masks", len(settings), len(settings))
    about_messages = kept("traffic") or keep("traffic", _Found.of(traffic(subjects, effort.photos, model, progress)))
    every = [*(known[setting.name] for setting in settings), about_messages]
    return AttackResult(
        settings=tuple(settings),
        conditions=_conditions(len(subjects), model, recogniser, header),
        findings=tuple(one for found in every for one in found.findings),
        figures=tuple(one for found in every for one in found.figures),
        averages={name: found.averages for name, found in known.items() if found.averages},
    )


def _attack(
    setting: Setting,
    people: People,
    strange: Strangers,
    learnt: Lessons,
    effort: Effort,
    pipeline: Pipeline,
    progress: Progress,
) -> _Found:
    """Every attack on one mask. Nothing here may depend on which masks were tried before."""
    tried = effort if setting.in_use else effort.less()
    here = post(people, people.sent, "A", setting, pipeline, progress)
    there = post(people, people.others, "B", setting, pipeline, progress)
    material = Material(people, here, strange, setting, pipeline, progress)
    many, averages = averaging(material, tried.fakes, tried.averaged)
    return _Found.of(
        [
            *recognition(material),
            *public_photo(material),
            *wrong_keys(material, tried.keys, tried.key_victims),
            *many,
            *networks(material, learnt, tried.steps),
            *linking(material, there),
            *detection(material),
        ],
        averages,
    )


def _conditions(people: int, model: FaceModel, recogniser: Recogniser, header: _Header) -> dict[str, Any]:
    return {
        "model": model.name,
        "model_hash": header.model,
        "recogniser": header.recogniser,
        "threshold": recogniser.threshold,
        "strict_threshold": recogniser.strict,
        "people": people,
        "pairs": header.pairs,
        "effort": asdict(header.effort),
    }

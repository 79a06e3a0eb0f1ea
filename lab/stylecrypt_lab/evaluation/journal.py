"""Results as they arrive, one per line, so that a stopped run resumes where it was."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from stylecrypt_msg.errors import InputError
from stylecrypt_msg.files import write_atomically

from .subjects import Subject
from .trial import Record

__all__ = ["Conditions", "Header", "Journal", "inputs_of"]


class Conditions(Record):
    """What all results in a file share. ``model`` is the model hash; ``method`` is the version of the measurement.

    A field's description completes the sentence "these results were measured with" when its value differs.
    """

    method: int = Field(description="another version of this program")
    model: str = Field(description="another model")
    recogniser: str = Field(description="another recogniser")
    pairs: bool = Field(description="two photos of each person, or one")


class Header(Conditions):
    """The conditions of the paper's experiments."""

    lpips: bool = Field(description="LPIPS, or without it")
    guards: str = Field(description="other recognisers installed, to pass over stand-ins")


class _Line(Record):
    """A ``part`` of the measurements of ``person``, or of everybody (""), from the pictures whose digest is ``inputs``."""

    part: str
    person: str
    inputs: str
    result: dict[str, Any] | None


class Journal:
    """A file in a report's folder: the header, then a line for each part and person."""

    def __init__(self, folder: Path, header: Conditions, name: str = "results.jsonl") -> None:
        """Reads the file, or starts a new one. A line that a stopped run left half-written is dropped.

        Raises InputError when the folder holds results with another header, or cannot be written.
        """
        self._path = folder / name
        lines: list[_Line] = []
        try:
            folder.mkdir(parents=True, exist_ok=True)
            text = self._path.read_text(encoding="utf-8") if self._path.exists() else ""
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(
                f"The report cannot be kept in {folder}: {error}.", hint="Use another folder for the report."
            ) from error
        head, *rest = text.split("\n")
        if text:
            _check(folder, head, header)
            for line in rest:
                try:
                    lines.append(_Line.model_validate_json(line))
                except ValidationError:
                    break
        whole = "".join(one.model_dump_json() + "\n" for one in (header, *lines))
        if whole != text:
            write_atomically(self._path, whole.encode())
        self._results = {(line.part, line.person): line for line in lines}

    def get(self, part: str, person: str, inputs: str) -> tuple[dict[str, Any] | None] | None:
        """The result in a tuple; None when there is no result yet for these ``inputs``."""
        line = self._results.get((part, person))
        return (line.result,) if line is not None and line.inputs == inputs else None

    def add(self, part: str, person: str, inputs: str, result: Record | None) -> None:
        """Saves a result; None says that nothing could be measured."""
        values = None if result is None else result.model_dump(mode="json")
        line = _Line(part=part, person=person, inputs=inputs, result=values)
        with self._path.open("a", encoding="utf-8") as file:
            file.write(line.model_dump_json() + "\n")
        self._results[part, person] = line


def _check(folder: Path, head: str, header: Conditions) -> None:
    hint = "Use another folder for the report, or remove this one."
    try:
        found = type(header).model_validate_json(head)
    except ValidationError as error:
        raise InputError(f"{folder} holds results that cannot be read.", hint=hint) from error
    for name, field in type(header).model_fields.items():
        if getattr(found, name) != getattr(header, name):
            raise InputError(f"{folder} holds results measured with {field.description}.", hint=hint)


def inputs_of(*subjects: Subject) -> str:
    """A digest of the photos of ``subjects``."""
    sha = hashlib.sha256()
    for subject in subjects:
        for photo in (subject.photo, subject.other):
            if photo is not None:
                sha.update(f"{photo.pixels.shape}".encode())
                sha.update(photo.pixels.tobytes())
    return sha.hexdigest()

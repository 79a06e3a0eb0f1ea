"""``evaluate --attacks``: the attacker's bench on a folder of faces, as a table and a report."""

from __future__ import annotations

from pathlib import Path

from stylecrypt_msg.cli import console
from stylecrypt_msg.models import load_model
from stylecrypt_msg.recognisers import installed_recognisers

from .. import attacks
from ..subjects import read_subjects

__all__ = ["PEOPLE", "run"]

PEOPLE = 60
"""The first so many, unless told otherwise: what takes half an hour on two processor cores."""


def run(faces: Path, output: Path, *, pairs: bool, limit: int | None, model_name: str, as_json: bool) -> None:
    recognisers = installed_recognisers()
    model = load_model(model_name)
    with console.progress() as progress:
        subjects, passed_over = read_subjects(
            faces,
            pairs=pairs,
            limit=limit or PEOPLE,
            progress=lambda done, total: progress("reading photos", done, total),
        )
        for path, why in passed_over.items():
            console.note(f"{path.name} is passed over: {why}")
        result = attacks.run(subjects, model, recognisers, attacks.default_settings(model.n_styles), output, progress)
    page = attacks.write_report(result, output)
    if as_json:
        console.print_json(result.to_json())
        return
    console.print_table(*attacks.sights(result))
    console.print_table(*attacks.costs(result))
    console.say(attacks.NOTE)
    console.say(f"report: {page}")

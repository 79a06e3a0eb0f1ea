"""``model list | show | import``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..models import ModelInfo, import_model, list_models, load_model, models_folder
from . import console

__all__ = ["import_file", "list_all", "show"]


def list_all(as_json: bool) -> None:
    models = list_models()
    if as_json:
        console.print_json([_row(model) for model in models])
        return
    rows = [
        (
            m.name,
            m.family,
            f"{m.image_size} px",
            str(m.n_styles),
            "yes" if m.has_encoder else "no",
            f"{m.size / 1e6:.0f} MB",
        )
        for m in models
    ]
    console.print_table(("name", "family", ">pictures", ">styles", "encoder", ">size"), rows)
    console.note(f"imported models are kept in {models_folder()}")


def show(name: str, as_json: bool) -> None:
    with console.progress() as progress:
        progress("loading the model", 0, 1)
        model = load_model(name)
    facts: dict[str, Any] = {
        "name": model.name,
        "family": model.family,
        "image_size": model.image_size,
        "n_styles": model.n_styles,
        "style_dim": model.style_dim,
        "has_encoder": model.has_encoder,
        "model_hash": model.digest,
    }
    if as_json:
        console.print_json(facts)
        return
    for key, value in facts.items():
        console.say(f"{key.replace('_', ' '):<12} {value}")


def import_file(file: Path, name: str | None, as_json: bool) -> None:
    with console.progress() as progress:
        progress("reading and converting", 0, 1)
        model = import_model(file, name)
    if as_json:
        console.print_json(_row(model))
        return
    console.say(f"{model.name}: {model.image_size} px, {model.n_styles} styles, kept as {model.path}")


def _row(model: ModelInfo) -> dict[str, Any]:
    return {
        "name": model.name,
        "family": model.family,
        "image_size": model.image_size,
        "n_styles": model.n_styles,
        "has_encoder": model.has_encoder,
        "bytes": model.size,
        "path": str(model.path),
    }

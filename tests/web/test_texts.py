"""The page's words: two languages, of which neither lacks anything."""

from __future__ import annotations

import ast
import re
import string
from pathlib import Path

import pytest
import stylecrypt_web
from stylecrypt_protocol import Level
from stylecrypt_web import remedies
from stylecrypt_web.texts import LANGUAGES, TEXTS, Words, language_of

from stylecrypt_msg.apps import App
from stylecrypt_msg.errors import Remedy
from stylecrypt_msg.faces import Refusal

PACKAGE = Path(stylecrypt_web.__path__[0])
LIBRARY = Path(__file__).parents[2] / "stylecrypt_msg"


def fields(text: str) -> set[str]:
    return {field for _, field, _, _ in string.Formatter().parse(text) if field}


def steps() -> set[str]:
    """What the library says that it is doing."""
    said = set()
    for path in LIBRARY.rglob("*.py"):
        if not {"cli", "models"} & set(path.parts):
            said |= set(re.findall(r'\bprogress\(\s*"([^"]+)"', path.read_text(encoding="utf-8")))
    return said


def dropped() -> set[str]:
    """What a picture file may lose."""
    tree = ast.parse((LIBRARY / "pictures.py").read_text(encoding="utf-8"))
    [function] = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "_dropped"]
    [table] = [node for node in ast.walk(function) if isinstance(node, ast.Dict) and node.keys]
    return {str(key.value) for key in table.keys if isinstance(key, ast.Constant)} | {"three quarters of its pixels"}


FAMILIES = {
    "step.": {"", *steps()},
    "dropped.": dropped(),
    "refusal.": {refusal.name for refusal in Refusal},
    "app.": {"any", *App},
    "level.": {Level.ORIGINAL, Level.IMPRINT, Level.LATENT, Level.KEYFACE},
    "reached.": {"file", *Level},
}
"""Keys that are put together where they are used: their beginning, and all ends."""


@pytest.mark.parametrize("key", TEXTS)
def test_both_languages_say_the_same_with_the_same_facts(key: str) -> None:
    english, german = TEXTS[key]
    assert fields(english) - {"count"} == fields(german) - {"count"}
    assert english.count("|") == german.count("|")
    assert english == english.strip() != "" != german == german.strip()


@pytest.mark.parametrize("family", FAMILIES)
def test_nothing_that_the_library_says_lacks_a_text(family: str) -> None:
    assert {key.removeprefix(family) for key in TEXTS if key.startswith(family)} == FAMILIES[family]


def test_every_text_is_used_and_every_one_used_is_there() -> None:
    sources = "\n".join(
        path.read_text(encoding="utf-8")
        for path in [*PACKAGE.glob("templates/*.html"), *PACKAGE.glob("*.py")]
        if path.name != "texts.py"
    )
    quoted = set(re.findall(r"""["']([a-z]+\.(?!html)[\w-]+)["']""", sources))
    done = {
        f"done.{key}"
        for key in re.findall(r"""done="([\w-]+)"|^        "(\w+)": lambda""", sources, re.M)
        for key in key
    }
    done |= {f"done.{key}" for key in re.findall(r'"(keyface-\w+)"', sources)}
    put_together = {key for key in TEXTS if key.startswith(tuple(FAMILIES))}
    put_together |= {f"nav.{part}" for part in ("send", "open", "contacts", "keyfaces", "you")}
    put_together |= {f"choose.{way}" for way in ("hide", "blur", "keep", "exact", "portrait", "covert")}
    put_together |= {f"report.{kind}" for kind in ("good", "warn", "note")}
    families = {key.split(".")[0] for key in TEXTS}
    used = {key for key in quoted if key.split(".")[0] in families} | (done & TEXTS.keys()) | put_together
    assert used == set(TEXTS)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_remedy_has_words_that_use_its_facts(language: str) -> None:
    assert set(remedies.WORDS) == set(Remedy)
    for remedy, texts in remedies.WORDS.items():
        assert fields(texts[LANGUAGES.index(language)]) == set(remedy.facts), remedy


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        ("de", "de"),
        ("de-AT,de;q=0.9,en;q=0.8", "de"),
        ("fr,en;q=0.5,de;q=0.7", "de"),
        ("en-GB,en;q=0.9,de;q=0.8", "en"),
        ("fr", "en"),
        ("", "en"),
        ("de;q=0,en;q=0.1", "en"),
        ("de;q=x", "en"),
    ],
)
def test_the_browsers_language(accepted: str, language: str) -> None:
    assert language_of(accepted) == language


def test_one_and_many() -> None:
    words = Words("de")
    assert words("choose.faces", count=1) == "1 Gesicht"
    assert words("choose.faces", count=3) == "3 Gesichter"

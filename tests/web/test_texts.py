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
from stylecrypt_web.german import GERMAN
from stylecrypt_web.texts import LANGUAGES, TEXTS, Words, language_of
from stylecrypt_web.translation import Line, translated

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


# What a page cannot come across: paths and formats of the command line, masks, models, and faces named by photos.
ELSEWHERE = {
    "format_of", "read_exactly", "save", "_person", "named", "_add_contact", "prepare_key",
    "__init__", "verify_device",
}  # fmt: skip
SPEAKING = ("pictures", "cards", "cipher", "standin_choice", "residual", "messenger", "profile", "imprint")
PAGE = ("faces", "photos", "people", "entry", "uploads", "session")
ODD = {
    "… ….": "put together of others, which are in the table",
    "cut off": "caught where it arises",
    "Other faces cannot be treated as ….": "of programs",
    "Others are ….": "of programs",
    "The quality … is not between 1 and 100.": "of programs",
    "Use 95, or leave it out.": "of programs",
    "…; up to … million are read.": "put together of others, which are in the table",
    "imprint: damaged beyond repair": "caught where it arises",
    "… bytes are not 1 to … words of …": "of programs",
}


def template(node: ast.expr) -> str:
    """The text of a string in the source, with "…" for what varies."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values)
    return ""


def sentences(path: Path) -> set[str]:
    """What a module says to people, in errors, hints and warnings."""
    found: set[str] = set()

    def visit(node: ast.AST) -> None:
        if isinstance(node, ast.FunctionDef) and node.name in ELSEWHERE:
            return
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            if name.endswith(("Error", ".warning")):
                found.update(map(template, node.args))
                found.update(template(word.value) for word in node.keywords if word.arg == "hint")
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) in ("message", "hint"):
            found.add(template(node.value))
        for child in ast.iter_child_nodes(node):
            visit(child)

    visit(ast.parse(path.read_text(encoding="utf-8")))
    return found - {""}


def spoken() -> list[str]:
    places = [path for part in SPEAKING for path in (LIBRARY / f"{part}.py", *(LIBRARY / part).glob("*.py"))]
    places += [PACKAGE / f"{part}.py" for part in PAGE]
    places.append(LIBRARY.parent / "protocol" / "stylecrypt_protocol" / "errors.py")
    said = {sentence for path in places if path.is_file() for sentence in sentences(path)}
    return sorted(
        said - ODD.keys() - {"This cannot be put into a message.", "The passphrase is wrong, or the file is damaged."}
    )


@pytest.mark.parametrize("sentence", spoken())
def test_what_the_library_says_is_said_in_german(sentence: str) -> None:
    example = sentence.replace("…", "X")
    line = translated(example, "de")
    assert line.lang == "de" and line.text != example, "say it in web/stylecrypt_web/german.py"
    assert line.text.count("X") <= example.count("X")
    assert translated(example, "en") == Line(example, "en")


def test_nothing_is_translated_that_nobody_says() -> None:
    everything = "\n".join(
        template(node)
        for folder in (LIBRARY, PACKAGE, LIBRARY.parent / "protocol")
        for path in folder.rglob("*.py")
        if path.name != "german.py"
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.expr)
    )
    for english in GERMAN:
        for part in re.split("…|; | and ", english):
            assert part.strip(" .,:;()") in everything, english


def test_parts_of_a_sentence_are_translated_too() -> None:
    text = "Face 2 of 3, from the left, cannot be replaced: the face is turned too far aside."
    assert (
        translated(text, "de").text
        == "Gesicht 2 von 3, von links, lässt sich nicht ersetzen: es ist zu weit zur Seite gedreht."
    )
    assert translated("What nobody has translated.", "de") == Line("What nobody has translated.", "en")


@pytest.mark.parametrize("english", GERMAN)
def test_a_translation_has_as_many_parts(english: str) -> None:
    assert english.count("…") == GERMAN[english].count("…")

"""The documents: examples run, and the commands, options, errors, links and other things they name exist."""

from __future__ import annotations

import ast
import io
import os
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
from PIL import Image

from stylecrypt_msg import AsyncStyleCrypt, StyleCrypt
from stylecrypt_msg.cli import app, main
from stylecrypt_msg.models import FaceModel

from .conftest import People
from .support.scenery import scene

REPOSITORY = Path(__file__).resolve().parents[1]
PAGES = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").glob("*.md"))]
RUN = [
    page for page in PAGES if page.stem in ("README", "index", "guide", "sdk")
]  # what the others need has its own test
SOURCES = [
    path for part in ("stylecrypt_msg", "protocol/stylecrypt_protocol") for path in (REPOSITORY / part).rglob("*.py")
]


def name(page: Path) -> str:
    return page.relative_to(REPOSITORY).as_posix()


@dataclass(frozen=True)
class Block:
    """Fenced code; ``line`` is that of the fence."""

    page: Path
    line: int
    language: str
    text: str


def blocks(page: Path, *languages: str) -> Iterator[Block]:
    text = page.read_text(encoding="utf-8")
    for match in re.finditer(r"^```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        if match[1] in languages:
            yield Block(page, text.count("\n", 0, match.start()) + 1, match[1], match[2])


def prose(page: Path) -> str:
    return re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)


# ---- examples


@pytest.fixture
def folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, short_descents: None, default_model: FaceModel, people: People
) -> Path:
    """The folder where examples run, with the pictures they use and a folder for messages."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "share"))
    for variable in [variable for variable in os.environ if variable.startswith("STYLECRYPT_")]:
        monkeypatch.delenv(variable)
    camera = Image.Exif()
    camera[0x010F] = "Camera"
    me = scene(1600, 1200, seed=2)
    leaves = np.random.default_rng(2).normal(0, 20, (*me.shape[:2], 1))  # which hide an imprint well
    me = (me + leaves).clip(0, 255).astype(np.uint8)
    me[250:506, 520:776] = people.photo[20:276, 30:286]
    Image.fromarray(me).save("me.jpg", quality=92, exif=camera)
    Image.fromarray(people.ann).save("another-photo-of-me.jpg", quality=95)
    (tmp_path / "shared").mkdir()
    return tmp_path


@pytest.mark.parametrize("page", RUN, ids=name)
def test_python_examples_run_and_print_what_they_say(
    page: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    space: dict[str, Any] = {"__name__": "__main__"}
    examples = list(blocks(page, "python"))
    assert examples
    try:
        for example in examples:  # later ones continue where earlier ones stopped
            code = compile("\n" * example.line + example.text, str(page), "exec")
            exec(code, space)  # noqa: S102 - that is the point
            assert capsys.readouterr().out.splitlines() == re.findall(r"print\(.*\)  # (.+)", example.text)
    finally:
        for value in space.values():
            if isinstance(value, StyleCrypt):
                value.close()


def test_shell_sessions_print_what_they_show(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    """``alice$ command`` and its output: "…" marks omissions; ids and numbers differ each time."""
    pytest.importorskip("dlib", reason="the session shows its leak report")
    monkeypatch.setenv("STYLECRYPT_PASSPHRASE", "correct horse")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO()))
    sessions = "".join(block.text for block in blocks(REPOSITORY / "README.md", "console"))
    steps = re.findall(r"^(\w+)\$ stylecrypt (.+)\n((?:(?!\w+\$ ).*\n)*)", sessions, re.MULTILINE)
    assert sum(line.count("$ ") for line in sessions.splitlines()) == len(steps) == 8
    for person, command, shown in steps:
        monkeypatch.setenv("STYLECRYPT_PROFILE", str(folder / person))
        monkeypatch.setattr(sys, "argv", ["stylecrypt", *shlex.split(command)])
        with pytest.raises(SystemExit) as end:
            main()
        out, err = capsysbinary.readouterr()
        assert not end.value.code, err.decode()
        pattern = re.escape(varying(shown)).replace("…\\\n", "(?:.*\n)*").replace("…", ".*")
        assert re.fullmatch(pattern, varying(out.decode())), f"{command} printed:\n{out.decode()}"


def varying(text: str) -> str:
    # A stand-in that does not hide the face is followed by another: "1b2c… -> 1b2c…-2".
    return re.sub(r"\b[0-9a-f]{8,}(-\d+)?\b|\d+(\.\d+)?", "0", text)


# ---- commands and options


@cache
def tree() -> Any:
    """The commands, which only parse."""
    root = typer.main.get_command(app.program())
    for command in walk(root):
        command.callback = lambda **_: None
        for parameter in command.params:
            parameter.callback = None  # --install-completion would install something
    return root


def walk(command: Any) -> Iterator[Any]:
    yield command
    for inner in getattr(command, "commands", {}).values():
        yield from walk(inner)


OPTIONS = {option for command in walk(tree()) for parameter in command.params for option in parameter.opts} | {"--help"}
EXTRAS = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["optional-dependencies"]
TARGETS = re.findall(r"^(\w+):", (REPOSITORY / "Makefile").read_text(), re.MULTILINE)


def programs(line: str) -> Iterator[list[str]]:
    """The programs that a line of shell starts, with their arguments."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    words: list[str] = []
    tokens = iter([*lexer, ";"])
    for token in tokens:
        if token in ("<", ">", ">>"):
            next(tokens)
            if words[-1].isdigit():
                words.pop()  # the number of a file descriptor
        elif token in ("|", ";", "&&"):
            if words:
                yield words
            words = []
        else:
            words.append(token)


def check(line: str, *, whole: bool = True) -> None:
    """Parses what a line of shell starts. Not ``whole``: arguments may be missing. Raises what the parser does."""
    for program, *arguments in programs(line):
        if program == "stylecrypt":
            try:
                tree().main(arguments, prog_name="stylecrypt", standalone_mode=False)
            except Exception as error:
                if whole or type(error).__name__ not in ("MissingParameter", "NoArgsIsHelpError"):
                    raise
        elif program == "make":
            assert set(arguments) <= set(TARGETS), f"there is no target {arguments}"
        elif program == "pip":
            extras = re.findall(r"stylecrypt-msg\[(.+)\]", arguments[-1])
            assert extras and set(extras[0].split(",")) <= set(EXTRAS), f"there is no extra {extras}"
        else:
            assert program in ("age", "cat", "export"), f"what {program} does here is not checked"


@pytest.mark.parametrize(
    "line",
    [
        "stylecrypt forget Bob",
        "stylecrypt contact forget Bob",
        "stylecrypt send me.jpg --to Bob --nonsense",
        "stylecrypt send me.jpg --to Bob --covert",  # there, but not for this command
        "stylecrypt send me.jpg",  # to nobody
        "stylecrypt encrypt me.jpg -o fake.jpg --level nonsense",
        "stylecrypt decrypt me.jpg extra -o back.jpg",
        "cat me.jpg | stylecrypt encrypt - --nonsense > fake.jpg",
        "make nonsense",
        "pip install 'stylecrypt-msg[nonsense]'",
    ],
)
def test_what_does_not_exist_is_noticed(line: str) -> None:
    with pytest.raises(Exception, match=r"."):
        check(line)


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_commands_and_options_exist(page: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = [
        (f"line {block.line + number}", re.sub(r"^\w+\$ ", "", line), True)
        for block in blocks(page, "sh", "console")
        for number, line in enumerate(block.text.splitlines(), 1)
        if block.language == "sh" or re.match(r"\w+\$ ", line)
    ]
    quoted = re.findall(r"`([^`\n]+)`", prose(page))
    lines += [(span, span, False) for span in quoted if span.startswith(("stylecrypt ", "make ", "pip "))]
    for place, line, whole in lines:
        try:
            check(line, whole=whole)
        except Exception as error:
            pytest.fail(f"{name(page)}, {place}: {line}: {error}")
    options = [span.split()[0] for span in quoted if span.startswith("-") and span != "-"]
    assert set(options) <= OPTIONS


def test_the_table_of_options_is_that_of_help() -> None:
    _, _, table = prose(REPOSITORY / "README.md").partition("## Options of `stylecrypt encrypt`")
    shown = set()
    for cell in re.findall(r"^\| (`-.+?) \|", table, re.MULTILINE):
        names = re.findall(r"`(-[\w-]+)( [A-Z]+)?`", cell)
        shown.add((tuple(option for option, _ in names), any(value for _, value in names)))
    encrypt = next(command for command in walk(tree()) if command.name == "encrypt")
    assert shown == {(tuple(p.opts), not p.is_flag) for p in encrypt.params if p.opts[0].startswith("-")}


# ---- what else the documents name


def test_the_man_page_is_that_of_the_program(tmp_path: Path) -> None:
    script = REPOSITORY / "scripts" / "release" / "make_man_page.py"
    subprocess.run([sys.executable, script, "-o", tmp_path / "made.1"], check=True)
    made, shown = tmp_path / "made.1", REPOSITORY / "docs" / "stylecrypt.1"
    assert made.read_text(encoding="utf-8") == shown.read_text(encoding="utf-8"), f"run {script.name}"


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_to_files(page: Path) -> None:
    links = [link.partition("#")[0] for link in re.findall(r"\]\(([^)\s]+)\)", prose(page)) if "://" not in link]
    assert [link for link in links if link and not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_files_and_variables_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    files = re.findall(r"`((?:protocol|examples|scripts|lab|docs)/[\w./-]+)`", prose(page))
    assert [file for file in files if not (REPOSITORY / file).exists()] == []
    code = "".join(path.read_text(encoding="utf-8") for path in SOURCES)
    assert [variable for variable in re.findall(r"STYLECRYPT_[A-Z_]+", text) if f'"{variable}"' not in code] == []


def test_errors_are_those_of_the_program() -> None:
    """Each error in the guide's tables appears in the code; "…" stands for inserted values."""
    said = set()
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                said.add(node.value)
            elif isinstance(node, ast.JoinedStr):
                said.add("".join(v.value if isinstance(v, ast.Constant) else "…" for v in node.values))  # type: ignore[misc]
    _, _, tables = prose(REPOSITORY / "docs" / "guide.md").partition("## Troubleshooting")
    errors = [row for row in re.findall(r"^\| (.+?) \| ", tables, re.MULTILINE) if row not in ("error", "---")]
    assert len(errors) > 30
    assert [error for error in errors if error not in said] == []


def test_the_site_is_built_without_warnings(tmp_path: Path) -> None:
    pytest.importorskip("mkdocs", reason="the extra docs is not installed")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path)]
    quiet = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    ended = subprocess.run(command, cwd=REPOSITORY, env=quiet, capture_output=True, text=True, check=False)
    assert (ended.returncode, [line for line in ended.stderr.splitlines() if not line.startswith("INFO")]) == (0, [])
    reference = (tmp_path / "sdk" / "index.html").read_text(encoding="utf-8")
    for one in (StyleCrypt, AsyncStyleCrypt):
        public = [member for member in dir(one) if not member.startswith("_")]
        assert [m for m in public if f'id="stylecrypt_msg.sdk.{one.__name__}.{m}"' not in reference] == []

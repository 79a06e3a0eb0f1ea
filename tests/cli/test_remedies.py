"""The advice in errors: each interface has its own words, with none missing and none from another."""

from __future__ import annotations

import ast
import re
import shlex
import string
from collections.abc import Iterator
from pathlib import Path

import pytest
from stylecrypt_bots import remedies as chat

from stylecrypt_msg.cli import remedies as shell
from stylecrypt_msg.cli.remedies import advice
from stylecrypt_msg.errors import InputError, Remedy

REPOSITORY = Path(__file__).parents[2]
PLACES = ("stylecrypt_msg", "protocol", "bots", "serve", "web")
AT_A_TERMINAL = {"cli", "operating.py", "account.py", "serving.py"}  # people run these in a shell
SHELL_WORDS = re.compile(r"(?<!\w)--?[a-z]|`(stylecrypt|pip)\b|\b(stylecrypt|pip) [a-z]+ ")


@pytest.mark.parametrize("words", [shell.WORDS, chat.WORDS], ids=["command line", "bot"])
def test_every_remedy_has_words_that_use_its_facts(words: dict[Remedy, str]) -> None:
    assert set(words) == set(Remedy)
    for remedy, text in words.items():
        used = {field for _, field, _, _ in string.Formatter().parse(text) if field}
        assert used == set(remedy.facts), remedy


def test_nothing_in_the_chat_is_an_option_or_a_command_of_ours() -> None:
    for remedy, text in chat.WORDS.items():
        if remedy is not Remedy.INSTALL_EXTRA:  # which says where to run it
            assert not SHELL_WORDS.search(text), remedy


def library_hints() -> Iterator[tuple[str, str]]:
    for path in sorted(path for place in PLACES for path in (REPOSITORY / place).rglob("*.py")):
        if AT_A_TERMINAL & set(path.parts):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.keyword) and node.arg == "hint":
                said = "".join(
                    part.value
                    for part in ast.walk(node.value)
                    if isinstance(part, ast.Constant) and isinstance(part.value, str)
                )
                yield path.name, said


@pytest.mark.parametrize(
    ("where", "said"), [pytest.param(*one, id=f"{one[0]}: {one[1][:30]}") for one in library_hints()]
)
def test_the_library_advises_nothing_that_only_a_shell_understands(where: str, said: str) -> None:
    assert not SHELL_WORDS.search(said)


def test_hint_and_remedy_are_said_together() -> None:
    error = InputError("There is no contact 'Eve'.", hint="Yours: Bob.", remedy=Remedy.ADD_CONTACT)
    assert advice(error) == "Yours: Bob. `stylecrypt contact add FILE` adds one."
    assert chat.failure(error) == "There is no contact 'Eve'. Yours: Bob. `!add @user:server` adds one."
    assert advice(InputError("No.")) is None
    assert chat.failure(InputError("No.")) == "No."


@pytest.mark.parametrize("facts", [{}, {"folder": "x"}, {"contact": "Bob", "folder": "x"}])
def test_a_remedy_has_the_facts_that_its_words_need(facts: dict[str, str]) -> None:
    with pytest.raises(TypeError, match="TRUST_CONTACT"):
        InputError("No.", remedy=Remedy.TRUST_CONTACT, **facts)


@pytest.mark.parametrize("remedy", [remedy for remedy in Remedy if remedy.facts])
@pytest.mark.parametrize("fact", ["a; rm -rf ~", "$(reboot)", "it's `me`", '"quoted"', "--undo", "Bob B"])
def test_a_fact_cannot_put_commands_into_what_the_user_copies(remedy: Remedy, fact: str) -> None:
    said = advice(InputError("No.", remedy=remedy, **dict.fromkeys(remedy.facts, fact)))
    assert said is not None
    if remedy.facts == ("contact",):
        _, _, command = said.rpartition(": ")
        program, *words, named = shlex.split(command)
        assert (program, words[0], named) == ("stylecrypt", "contact", fact)
        assert ("--" in words) == fact.startswith("-")

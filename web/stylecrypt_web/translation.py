"""The library's sentences in the reader's language. They are written in English, where they arise."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from .german import GERMAN
from .texts import LANGUAGES

__all__ = ["Line", "translated"]


@dataclass(frozen=True)
class Line:
    """A sentence in a language; ``kind`` is "good", "warn" or "note"."""

    text: str
    lang: str
    kind: str = "note"


@cache
def _patterns() -> list[tuple[re.Pattern[str], str]]:
    """The longest first: it says the most."""
    return [
        (re.compile("(.+?)".join(map(re.escape, english.split("…"))), re.DOTALL), german)
        for english, german in sorted(GERMAN.items(), key=lambda one: -len(one[0]))
    ]


def translated(text: str, language: str, kind: str = "note") -> Line:
    """A sentence of the library: in English if there is no translation."""
    if language != LANGUAGES[0]:
        for pattern, german in _patterns():
            if found := pattern.fullmatch(text):
                whole, *more = german.split("…")
                for part, after in zip(found.groups(), more, strict=True):
                    whole += translated(part, language).text + after
                return Line(whole, language, kind)
    return Line(text, LANGUAGES[0], kind)

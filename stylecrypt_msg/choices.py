"""A sender's choices, in the words that every interface shares. Imports nothing heavy, so that `--help` can use it."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal, TypeAlias, TypeVar

from .errors import InputError

__all__ = ["Form", "Others", "named"]

_Choice = TypeVar("_Choice", bound=StrEnum)


Form: TypeAlias = Literal["photo", "portrait"]
"""The whole photo with other faces, or the aligned square of one face."""

Others: TypeAlias = Literal["blur", "refuse", "keep"]
"""What happens to faces that are not replaced."""


def named(choices: type[_Choice], what: str, word: str) -> _Choice:
    """The choice that ``word`` names. Raises InputError, which says ``what`` it does not name and lists the choices."""
    try:
        return choices(word)
    except ValueError:
        raise InputError(f"There is no {what} {word!r}.", hint=f"Use one of {', '.join(choices)}.") from None

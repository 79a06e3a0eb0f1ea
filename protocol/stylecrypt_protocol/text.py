"""Text that other people's programs will display or use as a file name. SPEC.md section 2.3."""

from __future__ import annotations

import re
from typing import Annotated, Final

from pydantic import AfterValidator

from .limits import MAX_CAPTION_BYTES, MAX_DISPLAY_NAME_BYTES, MAX_FILE_NAME_BYTES, MAX_USER_ID_BYTES

# Control characters (C0, DEL, C1), line and paragraph separators, and the marks that reverse the direction of
# writing, with which "photo<U+202E>gpj.exe" is shown as "photoexe.jpg".
_UNSHOWABLE: Final = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
# Some of the invisible code points (Default_Ignorable_Code_Point, Unicode 16), with which two names look alike, or one
# like none. Display names may have joiners and variation selectors: Persian and emoji need them.
_INVISIBLE: Final = re.compile(
    "[\u00ad\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u2060-\u206f\u2800\u3164\ufe00-\ufe0d\ufeff\uffa0\ufff0-\ufff8"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
_JOINERS: Final = re.compile("[\u200c\u200d\ufe0e\ufe0f]")
AROUND: Final = (
    " \t\r\n\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000"
)
"""Characters that may surround the text of a card: white space (SPEC.md section 2.3), tabs and line ends."""
_NOT_IN_FILE_NAMES: Final = re.compile(r'[/\\:*?"<>|]')


def _check_length(text: str, limit: int) -> None:
    if len(text) > limit or len(text.encode()) > limit:
        raise ValueError(f"over {limit} bytes of UTF-8")


def _caption(text: str) -> str:
    """Any text on any number of lines."""
    if _UNSHOWABLE.search(text.replace("\n", "")):
        raise ValueError("holds a control character")
    _check_length(text, MAX_CAPTION_BYTES)
    return text


def _line(text: str, limit: int) -> str:
    """Text on one line, without white space around it."""
    if _UNSHOWABLE.search(text):
        raise ValueError("holds a control character")
    if text != text.strip():
        raise ValueError("begins or ends with white space")
    _check_length(text, limit)
    return text


def _file_name(text: str) -> str:
    """One component of a path on any common system, or nothing."""
    _line(text, MAX_FILE_NAME_BYTES)
    if _NOT_IN_FILE_NAMES.search(text) or text.startswith(".") or text.endswith("."):
        raise ValueError("is not a plain file name")
    return text


def _display_name(text: str) -> str:
    if _INVISIBLE.search(text) or (text and not _JOINERS.sub("", text).strip()):
        raise ValueError("holds what cannot be seen")
    return _line(text, MAX_DISPLAY_NAME_BYTES)


def _user_id(text: str) -> str:
    if not text or " " in text:
        raise ValueError("is empty or holds a space")
    if _INVISIBLE.search(text) or _JOINERS.search(text):
        raise ValueError("holds what cannot be seen")
    return _line(text, MAX_USER_ID_BYTES)


Caption = Annotated[str, AfterValidator(_caption)]
FileName = Annotated[str, AfterValidator(_file_name)]
DisplayName = Annotated[str, AfterValidator(_display_name)]
UserId = Annotated[str, AfterValidator(_user_id)]

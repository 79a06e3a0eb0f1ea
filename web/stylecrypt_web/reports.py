"""What a result says, in sentences of the reader's language."""

from __future__ import annotations

from collections.abc import Sequence

from stylecrypt_msg.cipher import Unreplaced
from stylecrypt_msg.messenger import DecryptedPhoto, LeakReport

from .texts import Words
from .translation import Line, translated

__all__ = ["about_arrival", "about_cover"]


def about_cover(leaks: LeakReport, words: Words) -> list[Line]:
    """What the cover hides, and what it still says about its sender."""
    here = words.language
    lines = [
        Line(
            words("report.replaced", count=leaks.faces_covered, found=leaks.faces_found),
            here,
            "good" if leaks.faces_covered else "note",
        ),
        *_unreplaced(leaks.blurred, "report.blurred", words, "good"),
        *_unreplaced(leaks.kept, "report.kept", words, "warn"),
    ]
    for one in leaks.likenesses:
        text = words("report.same" if one.same else "report.other", recogniser=one.recogniser)
        lines.append(Line(text, here, "warn" if one.same else "good"))
    if leaks.substituted:
        lines.append(Line(words("report.substituted", count=leaks.substituted), here))
    if leaks.metadata_dropped:
        what = ", ".join(words(f"dropped.{name}") for name in leaks.metadata_dropped)
        lines.append(Line(words("report.dropped", what=what), here, "good"))
    if leaks.imprint:
        lines.append(translated(leaks.imprint, here, "warn"))
    lines.append(Line(words("report.look"), here))
    return lines


def _unreplaced(faces: Sequence[Unreplaced], key: str, words: Words, kind: str) -> list[Line]:
    lines = []
    for reason in dict.fromkeys(face.reason for face in faces):
        numbers = [str(face.number) for face in faces if face.reason is reason]
        text = words(key, count=len(numbers), numbers=", ".join(numbers))
        why = "" if reason is None else " " + words("report.because", reason=words(f"refusal.{reason.name}"))
        lines.append(Line(text + why, words.language, kind))
    return lines


def about_arrival(photo: DecryptedPhoto, words: Words) -> list[Line]:
    """Who vouches for an opened photo, and what it lacks."""
    lines = []
    if photo.signed and photo.sender is not None:
        key = "report.verified" if photo.verified else "report.signed"
        lines.append(Line(words(key, name=photo.sender.name), words.language, "good" if photo.verified else "warn"))
    else:
        lines.append(Line(words("report.unsigned"), words.language, "warn"))
    return [*lines, *(translated(warning, words.language, "warn") for warning in photo.warnings)]

"""``encrypt`` and ``decrypt``: files or pipes in, files or pipes out."""

from __future__ import annotations

import secrets
import sys
from pathlib import Path
from typing import Any

from ..cipher import KeyFace, cover, uncover
from ..errors import InputError
from ..models import FaceModel, load_model
from ..pictures import (
    MAX_FILE_BYTES,
    Format,
    Picture,
    encode_picture,
    format_of,
    read_picture,
    same_file,
    write_atomically,
)
from ..stylemix import LayerMask
from . import console

__all__ = ["decrypt", "encrypt"]

_PIPE = "-"


def encrypt(
    photo: str,
    output: str,
    *,
    level: str,
    mask: str | None,
    stand_in: str | None,
    face: int | None,
    portrait: bool,
    refine: int,
    matting: bool,
    covert: bool,
    model_name: str,
    as_json: bool,
) -> None:
    if level != "keyface":
        raise InputError(
            f"The level {level!r} is not available.",
            hint="Use --level keyface: nothing but the picture travels.",
        )
    stand_in_photo = _file(stand_in)
    _check_output(output, as_json, photo, stand_in_photo)
    picture = _read(photo)
    wanted = _format(output, picture)
    key_face: KeyFace = read_picture(stand_in_photo).pixels if stand_in_photo else stand_in or secrets.token_hex(4)
    with console.progress() as report:
        report("loading the model", 0, 1)
        model = load_model(model_name)
        report("loading the model", 1, 1)
        covered = cover(
            picture.pixels, model, key_face=key_face, form="portrait" if portrait else "photo",
            mask=_mask(mask, model), face=face, refine_steps=refine, matting=matting, report=report,
        )  # fmt: skip
    _write(output, encode_picture(covered.pixels, wanted, ai_made=not covert))
    uncovered = covered.found - len(covered.quads)
    result: dict[str, Any] = {
        "output": output, "level": "keyface", "form": "portrait" if portrait else "photo",
        "mask": str(covered.mask), "stand_in": key_face if isinstance(key_face, str) else stand_in,
        "faces_found": covered.found, "faces_replaced": len(covered.quads),
        "metadata_dropped": list(picture.dropped), "model": model.name,
    }  # fmt: skip
    if as_json:
        result["model_hash"] = model.digest  # which takes a while
    lines = [
        f"{_name(output)}: {len(covered.quads)} of {covered.found} faces replaced, layers {covered.mask}, "
        f"stand-in {result['stand_in']}"
    ]
    if uncovered and not portrait:
        lines.append(f"{uncovered} of the faces found are still to be seen, as --face asked.")
    if picture.dropped:
        lines.append(f"Left out of the file: {', '.join(picture.dropped)}.")
    _tell(output, result, lines, as_json)


def decrypt(
    picture: str,
    output: str,
    *,
    key_face: Path,
    mask: str | None,
    face: int | None,
    model_name: str,
    as_json: bool,
) -> None:
    _check_output(output, as_json, picture, key_face)
    arrived, key = _read(picture), read_picture(key_face)
    wanted = _format(output, arrived)
    with console.progress() as report:
        report("loading the model", 0, 1)
        model = load_model(model_name)
        report("loading the model", 1, 1)
        recovered = uncover(arrived.pixels, key.pixels, model, mask=_mask(mask, model), face=face, report=report)
    _write(output, encode_picture(recovered.pixels, wanted, ai_made=True))
    # Whoever the sender is, nothing in the picture proves it: the key face alone decides whose face comes out.
    result = {
        "output": output, "level": "keyface", "form": recovered.form, "mask": str(recovered.mask),
        "sender": None, "verified": False, "warnings": list(recovered.warnings),
    }  # fmt: skip
    lines = [f"{_name(output)}: recovered from the pixels alone ({recovered.form}, layers {recovered.mask})"]
    _tell(output, result, lines + [f"warning: {text}" for text in recovered.warnings], as_json)


def _check_output(output: str, as_json: bool, *sources: str | Path | None) -> None:
    """What can be known to fail before any work is done."""
    if output == _PIPE:
        if as_json:
            raise InputError("The picture and the JSON cannot both go to standard output.", hint="Use -o FILE.")
        return
    format_of(output)
    if any(same_file(source, output) for source in sources if source not in (None, _PIPE)):
        raise InputError(f"{output} is the picture itself, which would be lost.", hint="Choose another name with -o.")
    if not Path(output).absolute().parent.is_dir():
        raise InputError(f"{output} cannot be written: the folder does not exist.", hint="Make the folder first.")


def _read(source: str) -> Picture:
    if source != _PIPE:
        return read_picture(Path(source))
    return read_picture(sys.stdin.buffer.read(MAX_FILE_BYTES + 1) if sys.stdin else b"")


def _format(output: str, picture: Picture) -> Format:
    """The output's format by its name; through a pipe, that of the input where we write it."""
    if output != _PIPE:
        return format_of(output)
    return "JPEG" if picture.format == "JPEG" else "WEBP" if picture.format == "WEBP" else "PNG"


def _mask(text: str | None, model: FaceModel) -> LayerMask | None:
    return None if text is None else LayerMask.parse(text, model.n_styles)


def _file(stand_in: str | None) -> Path | None:
    """The photo that --stand-in names: what exists, or looks like a file's name; other text is a seed."""
    if stand_in is None:
        return None
    path = Path(stand_in)
    if path.suffix or path.name != stand_in:
        return path
    try:
        return path if path.exists() else None
    except OSError:  # longer than a name can be
        return None


def _write(output: str, data: bytes) -> None:
    if output != _PIPE:
        write_atomically(output, data)
        return
    try:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        console.drop_output()
        raise InputError(f"Standard output cannot be written: {(error.strerror or 'it failed').lower()}.") from error


def _name(output: str) -> str:
    return "standard output" if output == _PIPE else output


def _tell(output: str, result: dict[str, Any], lines: list[str], as_json: bool) -> None:
    if as_json:
        console.print_json(result)
        return
    for line in lines:
        (console.note if output == _PIPE else console.say)(line)

"""``encrypt``, ``decrypt``, ``inspect``, ``send`` and ``receive``: files, pipes and transports."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import stylecrypt_protocol as protocol
from stylecrypt_protocol import ENVELOPE_SUFFIX
from stylecrypt_protocol.wire import VERSION

from .. import imprint
from ..errors import InputError, NoMessageError, RefusedError, StyleCryptError, explaining, os_reason
from ..files import MAX_FILE_BYTES, read_file, same_file, write_atomically
from ..messenger import DecryptedPhoto, EncryptedPhoto, sealable_name
from ..pictures import format_of, read_photo
from ..sdk import DecryptOptions, Options
from . import console
from .remedies import advice
from .session import Session
from .transport import OpenTransport, verify_device

__all__ = [
    "decrypt",
    "encrypt",
    "got_line",
    "got_result",
    "inspect",
    "receive",
    "send",
    "sent_line",
    "sent_result",
]

_PIPE = "-"


def encrypt(
    session: Session,
    photo: str,
    output: str,
    to: Sequence[str],
    *,
    model: str,
    as_json: bool,
    options: Options,
) -> None:
    stand_in = options.get("stand_in")
    _check_output(output, as_json, photo, stand_in if isinstance(stand_in, Path) else None)
    data = _read(photo)
    if output != _PIPE:
        options["format"] = format_of(output)
        if photo != _PIPE and not options.get("file_name"):
            options["file_name"] = sealable_name(Path(photo).name)
    with session.stylecrypt(model) as stylecrypt, console.progress() as progress:
        sent = stylecrypt.encrypt(data, to, **options, progress=progress)
    if sent.envelope is not None and output == _PIPE:
        raise InputError(
            "The sealed part does not fit into the picture, and a pipe takes one file.",
            hint="Use -o FILE, which puts it beside the picture, or leave out --exact.",
        )
    if output == _PIPE:
        _write_pipe(sent.picture)
    else:
        sent.save(output)
    result = {"output": output, **sent_result(sent, options)}
    lines = [f"{_name(output)}: {sent_line(sent, options)}", *sent.leaks.lines]
    if sent.envelope is not None:
        lines.append(
            f"{Path(output).with_suffix(ENVELOPE_SUFFIX)}: the sealed part; send it together with the picture."
        )
    _tell(output, result, lines, as_json)


def decrypt(
    session: Session,
    picture: str,
    output: str,
    envelope: Path | None,
    *,
    model: str,
    as_json: bool,
    options: DecryptOptions,
) -> None:
    key_face = options.get("key_face")
    _check_output(output, as_json, picture, key_face if isinstance(key_face, Path) else None)
    if envelope is not None:
        options["envelope"] = read_file(envelope)
    with session.stylecrypt(model) as stylecrypt, console.progress() as progress:
        got = stylecrypt.decrypt(_read(picture) if picture == _PIPE else picture, **options, progress=progress)
    if output == _PIPE:
        _write_pipe(got.encoded())
    else:
        got.save(output)
    lines = [f"{_name(output)}: {got_line(got)}", *(f"warning: {text}" for text in got.warnings)]
    _tell(output, {"output": output, **got_result(got)}, lines, as_json)


def inspect(picture: str, sealed: Path | None, envelope: Path | None, as_json: bool) -> None:
    """Needs no keys: it shows what everybody can see."""
    data = _read(picture)
    shown = read_photo(data)
    beside = None if picture == _PIPE else Path(picture).with_suffix(ENVELOPE_SUFFIX)
    if envelope is None and beside is not None and beside.is_file():
        envelope = beside
    with explaining():
        packed = read_file(envelope) if envelope else _carried(data)
        message = protocol.Envelope.unpack(packed) if packed is not None else None
    reading = imprint.read(shown.pixels)
    imprinted = (
        None if reading is None else {"readable": reading.payload is not None, "damage": round(reading.damage, 3)}
    )
    if message is None or packed is None:
        if sealed is not None:
            raise NoMessageError(f"{_name(picture, 'standard input')} carries no message, so there is no sealed part.")
        none = [] if reading else ["This picture carries no message."]
        _say({"message": None, "imprint": imprinted}, [*none, *_imprint_lines(reading)], as_json)
        return
    public = message.public
    if sealed is not None:
        if message.sealed is None:
            raise InputError("This message has no sealed part.")
        write_atomically(sealed, message.sealed)
    height, width = shown.pixels.shape[:2]
    exact = protocol.Pixels(width=width, height=height, rgb=shown.pixels.data).digest == public.cover_digest
    result = {
        "message": {
            "v": VERSION,
            "message_id": public.message_id.hex(),
            "level": public.level,
            "model_hash": public.model_hash.hex(),
            "styles": public.styles,
            "replaced": list(public.replaced),
            "width": public.width,
            "height": public.height,
            "faces": [face.pixels() for face in public.faces],
            "cover_digest": public.cover_digest.hex(),
            "cover_unchanged": exact,
            "commitment": public.commitment.hex() if public.commitment else None,
            "sealed_bytes": len(message.sealed) if message.sealed else 0,
            "envelope_bytes": len(packed),
            "carried": "beside" if envelope else "inside",
        },
        "imprint": imprinted,
    }
    lines = [
        f"message {public.message_id.hex()}, level {public.level}, faces: {len(public.faces)}",
        f"layers replaced: {', '.join(map(str, public.replaced))} of {public.styles}; model {public.model_hash.hex()[:16]}",
        f"cover: {public.width} x {public.height} px, {'unchanged' if exact else 'changed on the way, or another picture'}",
        f"sealed: {len(message.sealed or b'')} bytes; who sent it and who can open it is inside",
        *_imprint_lines(reading),
    ]
    if sealed is not None:
        lines.append(f"{sealed}: the sealed part, an age file")
    _say(result, lines, as_json)


def _imprint_lines(reading: imprint.Reading | None) -> list[str]:
    if reading is None:
        return []
    if reading.payload is None:
        return ["imprint: in the pixels, but too damaged to be read"]
    return [f"imprint: in the pixels, sealed; {100 * reading.damage:.1f} % of its bits are damaged, which does no harm"]


def send(
    session: Session,
    photo: str,
    to: Sequence[str],
    open_transport: OpenTransport,
    *,
    device: str | None,
    model: str,
    as_json: bool,
    options: Options,
) -> None:
    data = _read(photo)
    if photo != _PIPE:
        options["file_name"] = sealable_name(Path(photo).name)
    with session.stylecrypt(model) as stylecrypt:
        transport = open_transport(stylecrypt.profile)
        try:
            if device is not None:
                stylecrypt.wait(verify_device(transport, device))
            options["chat"] = transport
            with console.progress() as progress:
                sent = stylecrypt.encrypt(data, to, **options, progress=progress)
                progress("sending", 0, 1)
                where = stylecrypt.send(sent, transport)
        finally:
            stylecrypt.wait(transport.close())
    _say(
        {"sent": where, **sent_result(sent, options)},
        [f"{where}: {sent_line(sent, options)}", *sent.leaks.lines],
        as_json,
    )


def receive(
    session: Session,
    open_transport: OpenTransport,
    output: Path,
    follow: bool,
    model: str,
    as_json: bool,
) -> None:
    _make_folder(output)
    failed: StyleCryptError | None = None
    results = []
    with session.stylecrypt(model) as stylecrypt:
        transport = open_transport(stylecrypt.profile)
        try:
            for incoming in stylecrypt.receive(transport, follow=follow):
                origin = incoming.delivery.origin
                if incoming.photo is None:
                    assert incoming.error is not None  # noqa: S101 - one of the two is there
                    error = incoming.error
                    if isinstance(error, RefusedError) and isinstance(error.reason, protocol.NotForMeError):
                        continue  # others' messages are nobody's business
                    failed = error
                    results.append({"origin": origin, "error": str(error), "hint": advice(error)})
                    if not as_json:
                        console.fail(f"{origin}: {error}", advice(error))
                    continue
                got = incoming.photo
                path = output / got.received_name
                write_atomically(path, got.encoded())
                results.append({"origin": origin, "output": str(path), **got_result(got)})
                if not as_json:
                    console.say(f"{path}: {got_line(got)}")
                    for text in got.warnings:
                        console.say(f"warning: {text}")
                elif follow:
                    console.print_json(results.pop())
        finally:
            stylecrypt.wait(transport.close())
    if as_json:
        console.print_json(results)
    elif not results:
        console.note("Nothing new.")
    if failed is not None:
        raise SystemExit(failed.exit_code)


def sent_result(sent: EncryptedPhoto, options: Options) -> dict[str, Any]:
    leaks = sent.leaks
    return {
        "level": sent.level.value,
        "form": sent.form,
        "mask": str(sent.mask),
        "stand_in": _stand_in(sent, options),
        "to": [contact.name for contact in sent.recipients],
        "message_id": sent.message_id.hex() if sent.message_id else None,
        "envelope": None if sent.packed is None else "beside" if sent.envelope else "inside",
        "imprint": sent.imprinted,
        "bytes": len(sent.picture) + len(sent.envelope or b""),
        "faces_found": leaks.faces_found,
        "faces_replaced": leaks.faces_covered,
        "faces_blurred": len(leaks.blurred),
        "faces_kept": len(leaks.kept),
        "unreplaced": list(leaks.unreplaced),
        "metadata_dropped": list(leaks.metadata_dropped),
        "likeness": [
            {
                "recogniser": one.recogniser,
                "threshold": round(one.threshold, 3),
                "distances": [round(distance, 3) for distance in one.distances],
            }
            for one in leaks.likenesses
        ],
        "model": sent.model,
        "model_hash": sent.model_hash,
    }


def sent_line(sent: EncryptedPhoto, options: Options) -> str:
    leaks = sent.leaks
    line = leaks.faces
    if leaks.faces_covered:
        line += f", layers {sent.mask}, stand-in {_stand_in(sent, options)}"
    if sent.recipients:
        line += f"; level {sent.level} for {', '.join(contact.name for contact in sent.recipients)}"
    return line


def _stand_in(sent: EncryptedPhoto, options: Options) -> str | None:
    """The seed, or the name of the photo that was given."""
    return sent.stand_in or (str(given) if (given := options.get("stand_in")) else None)


def got_result(got: DecryptedPhoto) -> dict[str, Any]:
    return {
        "level": got.level.value,
        "sender": got.sender.name if got.sender else None,
        "sender_id": got.sender.user_id if got.sender else None,
        "signed": got.signed,
        "verified": got.verified,
        "warnings": list(got.warnings),
        "cover": got.cover,
        "form": got.form,
        "mask": None if got.mask is None else str(got.mask),
        "caption": got.caption,
        "file_name": got.file_name,
        "exact": got.file is not None,
        "sent_at": None if got.sent_at is None else _time(got.sent_at),
        "message_id": got.message_id.hex() if got.message_id else None,
    }


def got_line(got: DecryptedPhoto) -> str:
    who = ""
    if got.signed and got.sender is not None:
        who = f", from {got.sender.name} ({'verified' if got.verified else 'not verified'})"
    caption = f': "{got.caption}"' if got.caption else ""
    return f"{got.reached}{who}{caption}"


def _time(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()


def _carried(data: bytes) -> bytes | None:
    try:
        return protocol.take(data)
    except protocol.UnsupportedError:  # GIF and BMP carry nothing
        return None


def _check_output(output: str, as_json: bool, *sources: str | Path | None) -> None:
    """Refuses what would fail, before any work is done."""
    if output == _PIPE:
        if as_json:
            raise InputError("The picture and the JSON cannot both go to standard output.", hint="Use -o FILE.")
        return
    format_of(output)
    if any(same_file(source, output) for source in sources if source not in (None, _PIPE)):
        raise InputError(f"{output} is the picture itself, which would be lost.", hint="Choose another name with -o.")
    if not Path(output).absolute().parent.is_dir():
        raise InputError(f"{output} cannot be written: the folder does not exist.", hint="Make the folder first.")


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"The folder {folder} cannot be made: {os_reason(error)}.", hint="Use -o FOLDER.") from error


def _read(source: str) -> bytes:
    if source != _PIPE:
        return read_file(source)
    return sys.stdin.buffer.read(MAX_FILE_BYTES + 1) if sys.stdin else b""


def _write_pipe(data: bytes) -> None:
    try:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        console.drop_output()
        raise InputError(f"Standard output cannot be written: {os_reason(error)}.") from error


def _name(path: str, pipe: str = "standard output") -> str:
    return pipe if path == _PIPE else path


def _tell(output: str, result: dict[str, Any], lines: list[str], as_json: bool) -> None:
    if as_json:
        console.print_json(result)
        return
    for line in lines:
        (console.note if output == _PIPE else console.say)(line)


def _say(result: dict[str, Any], lines: list[str], as_json: bool) -> None:
    _tell("", result, lines, as_json)

"""``demo``: everything once, on people who do not exist or on your own photo, as a contact sheet."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ..choices import Form
from ..cipher import to_pixels
from ..errors import InputError, os_reason
from ..files import same_file, write_atomically
from ..models import FaceModel, load_model
from ..models.face_model import Floats
from ..pictures import Pixels, encode_picture, read_photo, read_picture
from ..progress import Progress
from ..sdk import StyleCrypt
from ..standins import stand_in
from . import console

__all__ = ["run"]

_COLUMNS = (
    "the photo",
    "what everybody sees",
    "whom it is sealed to",
    "the same, after an app re-encoded it",
    "others, with the sender's key face",
    "others, with a stranger's key face",
)
_TILE = 320
_QUALITY = 85  # of the JPEG that "travels"
_KEY_FACE = "another photo"
_STRANGER = "mallory"


@dataclass(frozen=True)
class _Person:
    name: str
    photo: Pixels
    key_face: Pixels


def run(output: Path, photo: Path | None, key_face: Path | None, as_json: bool) -> None:
    if key_face is not None and photo is None:
        raise InputError("--key-face goes with --photo.", hint="Give both, or neither.")
    photos = [path for path in (photo, key_face) if path is not None]
    if any(same_file(path.absolute().parent, output) for path in photos):
        raise InputError(f"The demo could overwrite pictures in {output}.", hint="Use -o FOLDER.")
    given = [read_photo(path).pixels for path in photos]
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"The folder {output} cannot be made: {os_reason(error)}.", hint="Use -o FOLDER.") from error
    files: dict[str, bytes] = {}
    with console.progress() as progress:
        progress("loading the model", 0, 1)
        model = load_model("default")
        progress("loading the model", 1, 1)
        if given:
            people = [_Person("you", given[0], given[-1])]
        else:
            # A stand-in suits the person that it replaces: the average face is a woman's, its mirror image across the
            # average a man's.
            woman = model.latent_avg[None]
            man = 2 * woman - stand_in(model, "demo alice", woman)
            people = [_made(model, "alice", woman), _made(model, "bob", man), _made(model, "carol", woman)]
        stranger = _made(model, _STRANGER, model.latent_avg[None])
        jobs: list[tuple[_Person, Form]] = [(person, "photo") for person in people] + [(people[0], "portrait")]
        with TemporaryDirectory() as folder, ExitStack() as stack:
            # The friend may see the photos; the acquaintance only has key faces.
            friend, acquaintance = (
                stack.enter_context(StyleCrypt.create(Path(folder) / name, name=name))
                for name in ("friend", "acquaintance")
            )
            senders = {}
            for person in (*people, stranger):
                sender = stack.enter_context(StyleCrypt.create(Path(folder) / person.name, name=person.name))
                sender.profile.add_contact(friend.profile.card, trust=True)
                friend.profile.add_contact(sender.profile.card)
                _share_key_face(sender, acquaintance, person, progress)
                senders[person.name] = sender
            rows = [
                (
                    f"{person.name}, {form}",
                    _row(senders[person.name], friend, acquaintance, person, form, files, progress),
                )
                for person, form in jobs
            ]
    sheet = output / "contact-sheet.jpg"
    files[sheet.name] = encode_picture(_sheet(rows), "JPEG", quality=90, ai_made=True)
    for name, data in files.items():
        write_atomically(output / name, data)
    if len(given) == 1:
        console.note("Without --key-face the photo itself was the key, which shows more than another photo would.")
    if as_json:
        console.print_json({"contact_sheet": str(sheet), "folder": str(output), "rows": [name for name, _ in rows]})
    else:
        console.say(f"contact sheet: {sheet}")


def _made(model: FaceModel, name: str, like: Floats) -> _Person:
    """Two photos of somebody who does not exist: another pose, another light, a slightly different expression."""
    person = stand_in(model, f"demo {name}", like)
    other = stand_in(model, f"demo {name}, another day", person)
    drift = np.zeros((model.n_styles, 1), np.float32)
    drift[0:3], drift[4:6], drift[8:] = 0.35, 0.1, 0.25
    first, second = (to_pixels(model.synthesize(codes))[0] for codes in (person, person + drift * (other - person)))
    # A photo is not square: cropping the sides keeps the demo's photos from being aligned squares.
    side = model.image_size // 16
    return _Person(name, first[:, side:-side], second)


def _share_key_face(sender: StyleCrypt, acquaintance: StyleCrypt, person: _Person, progress: Progress) -> None:
    name = sender.profile.add_contact(acquaintance.profile.card, trust=True).contact.name
    acquaintance.profile.add_contact(sender.profile.card)
    sender.add_key_face(person.key_face, _KEY_FACE, progress=progress)
    acquaintance.receive_key_face(sender.share_key_face(_KEY_FACE, to=[name]), progress=progress)


def _row(
    sender: StyleCrypt,
    friend: StyleCrypt,
    acquaintance: StyleCrypt,
    person: _Person,
    form: Form,
    files: dict[str, bytes],
    progress: Progress,
) -> list[Pixels | str]:
    """The photo, its fake as a JPEG file, what the friend gets of it, with its envelope and without (or why there is nothing),
    and what two key faces recover from the pixels alone."""
    sent = sender.encrypt(
        person.photo,
        to=["friend"],
        stand_in=f"stand-in of {person.name}",
        form=form,
        format="JPEG",
        force=True,
        progress=progress,
    )
    travels = encode_picture(read_picture(sent.picture).pixels, "JPEG", quality=_QUALITY, ai_made=True)
    files[f"{person.name}-{form}.jpg"] = sent.picture
    opened = friend.decrypt(sent)
    files[f"{person.name}-{form}-original.jpg"] = opened.encoded("JPEG")
    row: list[Pixels | str] = [person.photo, read_picture(travels).pixels, opened.pixels]
    if sent.imprinted:
        small = friend.decrypt(travels)
        files[f"{person.name}-{form}-imprint.jpg"] = small.encoded("JPEG")
        row.append(small.pixels)
    else:
        row.append("No imprint: in a picture\nthis even, it would show.")
    for name, whose in (("recovered", person.name), ("wrong-key", _STRANGER)):
        recovered = acquaintance.decrypt(travels, sender=whose, progress=progress)
        files[f"{person.name}-{form}-{name}.jpg"] = recovered.encoded("JPEG")
        row.append(recovered.pixels)
    return row


def _sheet(rows: list[tuple[str, list[Pixels | str]]]) -> Pixels:
    gap, head = 8, 30
    width = len(_COLUMNS) * (_TILE + gap) + gap
    sheet = Image.new("RGB", (width, head + len(rows) * (_TILE + head + gap)), "white")
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(size=16)
    for c, title in enumerate(_COLUMNS):
        draw.text((gap + c * (_TILE + gap), 6), title, "black", font)
    for r, (name, pictures) in enumerate(rows):
        top = head + r * (_TILE + head + gap)
        for c, shown in enumerate(pictures):
            left = gap + c * (_TILE + gap)
            if isinstance(shown, str):
                draw.text((left + _TILE / 2, top + _TILE / 2), shown, "grey", font, "mm", align="center")
                continue
            tile = Image.fromarray(shown)
            tile.thumbnail((_TILE, _TILE), Image.Resampling.LANCZOS)
            sheet.paste(tile, (left + (_TILE - tile.width) // 2, top + (_TILE - tile.height) // 2))
        draw.text((gap, top + _TILE + 4), name, "grey", font)
    return np.asarray(sheet)

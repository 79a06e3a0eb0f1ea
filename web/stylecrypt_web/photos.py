"""Sending and opening photos."""

from __future__ import annotations

import secrets
from typing import Any, TypeVar

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from stylecrypt_protocol import ENVELOPE_SUFFIX, Level

from stylecrypt_msg.apps import App
from stylecrypt_msg.choices import named
from stylecrypt_msg.errors import InputError, LikenessError, NoMessageError
from stylecrypt_msg.files import MAX_FILE_BYTES
from stylecrypt_msg.messenger import DecryptedPhoto, EncryptedPhoto, sealable_name
from stylecrypt_msg.pictures import encode_picture, media_type_of, read_picture
from stylecrypt_msg.profile import Contact
from stylecrypt_msg.progress import Progress
from stylecrypt_msg.sdk import Options
from stylecrypt_msg.transports import ordinary_name

from .faces import find_faces, numbers_for, shown_as
from .pages import MissingError, Site, download, get, post, see
from .reports import about_arrival, about_cover
from .session import IncomingPhoto, OutgoingPhoto
from .uploads import Form

__all__ = ["PICTURES", "routes"]

PICTURES = "image/*,.heic,.heif,.avif"
"""What people may choose as a photo; not all systems take the last three for pictures."""

Held = TypeVar("Held")

_TRIES = 5  # stand-ins, of which nearly all hide nearly everybody


def routes(site: Site) -> list[Route]:
    return [
        get(site, "/send", _send),
        post(site, "/send", _look, _send),
        get(site, "/send/{id}", _choose),
        post(site, "/send/{id}", _hide, _choose),
        post(site, "/send/{id}/again", _again, _choose),
        get(site, "/send/{id}/result", _result),
        get(site, "/send/{id}/original", _original),
        get(site, "/send/{id}/face/{number:int}", _face),
        get(site, "/send/{id}/cover", _cover),
        get(site, "/send/{id}/picture", _picture),
        get(site, "/send/{id}/pixels", _pixels),
        get(site, "/send/{id}/envelope", _envelope),
        get(site, "/open", _open),
        post(site, "/open", _arrive, _open),
        get(site, "/open/{id}", _opened),
        post(site, "/open/{id}", _try, _opened),
        get(site, "/open/{id}/picture", _before),
        get(site, "/open/{id}/photo", _after),
        get(site, "/open/{id}/save", _save),
    ]


def _outgoing(site: Site, request: Request) -> OutgoingPhoto:
    return _there(site.session.held(OutgoingPhoto, request.path_params["id"]))


def _arrived(site: Site, request: Request) -> IncomingPhoto:
    return _there(site.session.held(IncomingPhoto, request.path_params["id"]))


def _there(held: Held | None) -> Held:
    if held is None:
        raise MissingError
    return held


def _jpeg(data: bytes) -> Response:
    if not data:
        raise MissingError
    return Response(data, media_type="image/jpeg")


# Sending.


def _may_see(site: Site) -> tuple[list[Contact], list[Contact]]:
    """The contacts who may see photos, and the others."""
    contacts = site.session.profile.contacts()
    may = [one for one in contacts if one.trusted and not one.blocked and not one.withdrawn and one.pending is None]
    return may, [one for one in contacts if one not in may]


def _send(site: Site, request: Request) -> Response:
    return site.show(
        request, "send.html", contacts=site.session.profile.contacts(), pictures=PICTURES, most=MAX_FILE_BYTES
    )


def _look(site: Site, request: Request, form: Form) -> Response:
    if not form.files:
        raise InputError("No photo was chosen.", hint="Choose one.")
    upload = form.files[0]
    outgoing = site.session.put(OutgoingPhoto(upload.data, sealable_name(upload.name)))
    job = site.session.work.start(
        lambda progress: find_faces(outgoing, progress), done_at=site.at("send", outgoing.id), failed_at=site.at("send")
    )
    return see(site.at("work", job.id))


def _choose(site: Site, request: Request) -> Response:
    outgoing = _outgoing(site, request)
    if not outgoing.found:
        raise MissingError
    may, others = _may_see(site)
    error = site.error_of(request)

    def chosen(field: str, otherwise: str) -> str:
        return outgoing.chosen.get(field, [otherwise])[0]

    return site.show(
        request,
        "choose.html",
        outgoing=outgoing,
        chosen=chosen,
        picked=outgoing.chosen.get("to", [may[0].card.id.hex()] if len(may) == 1 else []),
        contacts=may,
        others=[one.name for one in others],
        apps=list(App),
        levels=[Level.ORIGINAL, Level.IMPRINT, Level.LATENT, Level.KEYFACE],
        insist=isinstance(error, LikenessError),
    )


def _hide(site: Site, request: Request, form: Form) -> Response:
    outgoing = _outgoing(site, request)
    outgoing.chosen = {field: form.texts(field) for field in form.fields if field not in ("csrf", "force")}
    force = bool(form.text("force"))
    return _encrypt(site, outgoing, lambda progress: _hidden(site, outgoing, progress, force=force))


def _again(site: Site, request: Request, form: Form) -> Response:
    """Another stand-in, for this photo only: the chat keeps its own."""
    outgoing = _outgoing(site, request)

    def another(progress: Progress) -> None:
        for left in reversed(range(_TRIES)):
            try:
                _hidden(site, outgoing, progress, stand_in=secrets.token_hex(4))
            except LikenessError:
                if not left:
                    raise
            else:
                return

    return _encrypt(site, outgoing, another)


def _encrypt(site: Site, outgoing: OutgoingPhoto, action: Any) -> Response:
    at = site.at("send", outgoing.id)
    job = site.session.work.start(action, done_at=f"{at}/result", failed_at=at)
    return see(site.at("work", job.id))


def _hidden(
    site: Site, outgoing: OutgoingPhoto, progress: Progress, *, force: bool = False, stand_in: str | None = None
) -> None:
    """Makes the picture that is safe to send. Raises what `StyleCrypt.encrypt` does."""

    def chosen(field: str) -> str:
        return outgoing.chosen.get(field, [""])[0]

    app = named(App, "app", chosen("app")) if chosen("app") else None
    options: Options = {
        "level": named(Level, "level", chosen("level") or Level.ORIGINAL),
        "app": app,
        "caption": chosen("caption").strip(),
        "exact": bool(chosen("exact")),
        "covert": bool(chosen("covert")),
        "form": "portrait" if chosen("portrait") else "photo",
        "stand_in": stand_in or chosen("stand-in").strip() or None,
        "file_name": outgoing.name,
        "force": force,
        **_faces(outgoing, app),
    }
    if options["covert"]:
        options["level"] = Level.KEYFACE
    sent = site.session.stylecrypt.encrypt(outgoing.photo, outgoing.chosen.get("to", []), progress=progress, **options)
    outgoing.shown = shown_as(read_picture(sent.picture).pixels)
    outgoing.sent, outgoing.file_name = sent, ordinary_name(sent.media_type)


def _faces(outgoing: OutgoingPhoto, app: App | None) -> Options:
    """Which faces are replaced and which stay, as the options of `StyleCrypt.encrypt`; the rest is blurred."""
    ways = {face.number: outgoing.chosen.get(f"face-{face.number}", [""])[0] for face in outgoing.found}
    hide = [face.number for face in outgoing.found if ways[face.number] == "hide" and face.refusal is None]
    keep = [number for number, way in ways.items() if way == "keep"]
    if not keep and len(hide) == sum(face.refusal is None for face in outgoing.found):
        return {}
    numbers = numbers_for(outgoing, app)
    return {
        "only": [numbers[number] for number in hide],
        "keep": [numbers[number] for number in keep],
        "others": "blur",
    }


def _sent(outgoing: OutgoingPhoto) -> EncryptedPhoto:
    return _there(outgoing.sent)


def _result(site: Site, request: Request) -> Response:
    outgoing = _outgoing(site, request)
    sent = _sent(outgoing)
    return site.show(
        request,
        "cover.html",
        outgoing=outgoing,
        at=site.at("send", outgoing.id),
        report=about_cover(sent.leaks, site.words(request)),
        recipients=[contact.name for contact in sent.recipients],
        by_file=sent.packed is not None and outgoing.chosen.get("app", [""])[0] in ("", App.FILE),
        beside=_beside(outgoing) if sent.envelope is not None else "",
        copies=sent.imprinted,
    )


def _beside(outgoing: OutgoingPhoto) -> str:
    return outgoing.file_name.rpartition(".")[0] + ENVELOPE_SUFFIX


def _original(site: Site, request: Request) -> Response:
    return _jpeg(_outgoing(site, request).preview)


def _face(site: Site, request: Request) -> Response:
    number = request.path_params["number"]
    return _jpeg(next((face.picture for face in _outgoing(site, request).found if face.number == number), b""))


def _cover(site: Site, request: Request) -> Response:
    return _jpeg(_outgoing(site, request).shown)


def _picture(site: Site, request: Request) -> Response:
    outgoing = _outgoing(site, request)
    sent = _sent(outgoing)
    return download(sent.picture, sent.media_type, outgoing.file_name)


def _pixels(site: Site, request: Request) -> Response:
    """For the clipboard, which takes PNG and drops what is beside the pixels."""
    return Response(
        encode_picture(read_picture(_sent(_outgoing(site, request)).picture).pixels, "PNG"), media_type="image/png"
    )


def _envelope(site: Site, request: Request) -> Response:
    outgoing = _outgoing(site, request)
    return download(_there(_sent(outgoing).envelope), "application/octet-stream", _beside(outgoing))


# Opening.


def _open(site: Site, request: Request) -> Response:
    return site.show(request, "open.html", most=MAX_FILE_BYTES)


def _arrive(site: Site, request: Request, form: Form) -> Response:
    beside = [one.data for one in form.files if one.name.lower().endswith(ENVELOPE_SUFFIX)]
    pictures = [one.data for one in form.files if not one.name.lower().endswith(ENVELOPE_SUFFIX)]
    if len(pictures) != 1:
        raise InputError(
            "One picture at a time can be opened.", hint=f"Choose one, and its {ENVELOPE_SUFFIX} file if there is one."
        )
    arrived = site.session.put(IncomingPhoto(pictures[0], beside[0] if beside else None))
    return _decrypt(site, arrived, failed_at=site.at("open"))


def _try(site: Site, request: Request, form: Form) -> Response:
    """A covert picture: with a key face."""
    arrived = _arrived(site, request)
    options: dict[str, Any] = {"sender": form.text("sender") or None}
    if form.files:
        options["key_face"] = form.files[0].data
    return _decrypt(site, arrived, failed_at=site.at("open", arrived.id), **options)


def _decrypt(site: Site, arrived: IncomingPhoto, *, failed_at: str, **options: Any) -> Response:
    def action(progress: Progress) -> None:
        if not arrived.before:
            arrived.before = shown_as(read_picture(arrived.picture).pixels)
        try:
            photo = site.session.stylecrypt.decrypt(
                arrived.picture, envelope=arrived.envelope, progress=progress, **options
            )
        except NoMessageError:
            if options:
                raise
            return  # an ordinary picture, which is no error
        arrived.after = shown_as(photo.pixels)
        arrived.photo = photo

    job = site.session.work.start(action, done_at=site.at("open", arrived.id), failed_at=failed_at)
    return see(site.at("work", job.id))


def _opened(site: Site, request: Request) -> Response:
    arrived = _arrived(site, request)
    if not arrived.before:
        raise MissingError
    photo, words = arrived.photo, site.words(request)
    return site.show(
        request,
        "opened.html",
        at=site.at("open", arrived.id),
        photo=photo,
        heading=_heading(photo, words) if photo else "",
        report=about_arrival(photo, words) if photo else (),
        name=photo.received_name if photo else "",
        contacts=site.session.profile.contacts(),
        pictures=PICTURES,
        most=MAX_FILE_BYTES,
    )


def _heading(photo: DecryptedPhoto, words: Any) -> str:
    if photo.sender is None:
        return str(words("opened.from-nobody"))
    return str(words("opened.from" if photo.signed else "opened.from-perhaps", name=photo.sender.name))


def _before(site: Site, request: Request) -> Response:
    return _jpeg(_arrived(site, request).before)


def _after(site: Site, request: Request) -> Response:
    return _jpeg(_arrived(site, request).after)


def _save(site: Site, request: Request) -> Response:
    photo = _there(_arrived(site, request).photo)
    kind = media_type_of(photo.format) if photo.file is not None else f"image/{photo.suffix.replace('jpg', 'jpeg')[1:]}"
    return download(photo.encoded(), kind, photo.received_name)

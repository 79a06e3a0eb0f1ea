"""Contacts, key faces, and oneself."""

from __future__ import annotations

import io
import re
import time
from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from stylecrypt_protocol import Revocation, RevocationReason, is_card

from stylecrypt_msg.cards import card_of
from stylecrypt_msg.errors import InputError
from stylecrypt_msg.files import MAX_FILE_BYTES
from stylecrypt_msg.pictures import read_picture
from stylecrypt_msg.profile import Contact, Profile
from stylecrypt_msg.progress import Progress

from .entry import chosen_passphrase
from .faces import shown_as
from .pages import MissingError, Site, download, get, post, see
from .photos import PICTURES
from .uploads import Form

__all__ = ["routes"]

_BYTES = "application/octet-stream"
_QR_SCALE = 6  # pixels for each module of the code
_SIDE = 192  # px of a key face on the page


def routes(site: Site) -> list[Route]:
    return [
        get(site, "/contacts", _contacts),
        post(site, "/contacts", _add, _contacts),
        get(site, "/contacts/{card}", _contact),
        post(site, "/contacts/{card}", _change, _contact),
        get(site, "/card/qr.svg", _qr_svg),
        get(site, "/card/qr.png", _qr_png),
        get(site, "/card/file", _card_file),
        get(site, "/keyfaces", _key_faces),
        post(site, "/keyfaces", _add_key_face, _key_faces),
        post(site, "/keyfaces/receive", _receive_key_face, _key_faces),
        post(site, "/keyfaces/share", _share_key_face, _key_faces),
        post(site, "/keyfaces/remove", _remove_key_face, _key_faces),
        get(site, "/keyfaces/{number:int}/picture", _key_face),
        get(site, "/you", _you),
        post(site, "/you", _change_passphrase, _you),
        post(site, "/you/revocation", _revocation, _you),
    ]


# My card.


def _card_name(profile: Profile) -> str:
    return re.sub(r"\W+", "-", profile.me.name).strip("-")[:40] or "card"


def _qr(site: Site, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    site.session.profile.card.to_qr().save(file, kind=kind, **options)
    return file.getvalue()


def _qr_svg(site: Site, request: Request) -> Response:
    return Response(_qr(site, "svg", xmldecl=False, light="#fff"), media_type="image/svg+xml")


def _qr_png(site: Site, request: Request) -> Response:
    return download(_qr(site, "png", scale=_QR_SCALE), "image/png", f"{_card_name(site.session.profile)}.png")


def _card_file(site: Site, request: Request) -> Response:
    profile = site.session.profile
    return download(profile.card.to_bytes(), _BYTES, f"{_card_name(profile)}.sccard")


# Contacts.


def _contacts(site: Site, request: Request) -> Response:
    profile = site.session.profile
    return site.show(
        request,
        "contacts.html",
        contacts=profile.contacts(),
        me=profile.me,
        card_name=_card_name(profile),
        text=getattr(request.state, "text", ""),
        most=MAX_FILE_BYTES,
    )


def _add(site: Site, request: Request, form: Form) -> Response:
    request.state.text = text = form.text("text").strip()
    if text and not is_card(text.encode()):
        raise InputError("This text is no card.", hint="Paste all of it.")
    if not text and not form.files:
        raise InputError("No card was given.", hint="Choose a file or a picture, or paste the text.")
    offered = card_of(text.encode() if text else form.files[0].data)
    profile = site.session.profile
    if isinstance(offered, Revocation):
        profile.revoke(offered)
        return see(site.at("contacts"), done="withdrawn")
    added = profile.add_contact(offered, trust=bool(form.text("trust")))
    return see(site.at("contacts", added.contact.card.id.hex()), done="added")


def _named(site: Site, request: Request) -> Contact:
    try:
        return site.session.profile.contact(request.path_params["card"])
    except InputError:
        raise MissingError from None


def _contact(site: Site, request: Request) -> Response:
    contact = _named(site, request)
    words = site.session.profile.words(contact.card.id.hex())
    own_name = getattr(request.state, "own_name", contact.own_name)
    return site.show(request, "contact.html", contact=contact, words=words, own_name=own_name)


def _change(site: Site, request: Request, form: Form) -> Response:
    profile, who = site.session.profile, _named(site, request).card.id.hex()
    request.state.own_name = form.text("own_name")
    acts: dict[str, Callable[[], Contact | None]] = {
        "trust": lambda: profile.trust(who),
        "distrust": lambda: profile.trust(who, undo=True),
        # With the words that were on the page: a card that came in the meantime was not compared.
        "verify": lambda: profile.verify(who, form.text("words").split()),
        "discard": lambda: profile.discard_pending(who),
        "block": lambda: profile.block(who),
        "unblock": lambda: profile.block(who, undo=True),
        "rename": lambda: profile.rename(who, form.text("own_name")),
        "remove": lambda: profile.remove(who),
    }
    act = form.text("act")
    if act not in acts:
        raise InputError("The form cannot be read.", hint="Load the page again.")
    after = acts[act]()
    return see(site.at("contacts", *([after.card.id.hex()] if after else [])), done=act)


# Key faces.


def _key_faces(site: Site, request: Request) -> Response:
    profile = site.session.profile
    contacts, mine = profile.contacts(), profile.key_faces()
    names = {contact.card.id: contact.name for contact in contacts}
    theirs = [(contact.name, len(profile.key_faces_of(contact))) for contact in contacts]
    return site.show(
        request,
        "keyfaces.html",
        mine=mine,
        shared={face.name: sorted(names[card] for card in face.shared_with if card in names) for face in mine},
        theirs=[(name, count) for name, count in theirs if count],
        contacts=contacts,
        name=getattr(request.state, "name", ""),
        pictures=PICTURES,
        most=MAX_FILE_BYTES,
    )


def _key_face(site: Site, request: Request) -> Response:
    faces = site.session.profile.key_faces()
    if request.path_params["number"] >= len(faces):
        raise MissingError
    picture = faces[request.path_params["number"]].picture
    return Response(shown_as(read_picture(picture).pixels, _SIDE), media_type="image/jpeg")


def _add_key_face(site: Site, request: Request, form: Form) -> Response:
    request.state.name = name = form.text("name").strip()
    if not form.files:
        raise InputError("No photo was chosen.", hint="Choose one.")
    photos = [one.data for one in form.files]
    stylecrypt = site.session.stylecrypt
    stylecrypt.profile.key_face_name(name)  # before the work

    def action(progress: Progress) -> None:
        stylecrypt.add_key_face(photos, name, progress=progress)

    return _work(site, action, "keyface-added")


def _receive_key_face(site: Site, request: Request, form: Form) -> Response:
    if not form.files:
        raise InputError("No file was chosen.", hint="Choose one.")
    sealed, stylecrypt = form.files[0].data, site.session.stylecrypt

    def action(progress: Progress) -> None:
        stylecrypt.receive_key_face(sealed, progress=progress)

    return _work(site, action, "keyface-received")


def _work(site: Site, action: Callable[[Progress], None], done: str) -> Response:
    at = site.at("keyfaces")
    return see(site.at("work", site.session.work.start(action, done_at=f"{at}?done={done}", failed_at=at).id))


def _share_key_face(site: Site, request: Request, form: Form) -> Response:
    sealed = site.session.stylecrypt.share_key_face(form.text("name"), [form.text("to")])
    return download(sealed, _BYTES, "key-face.sckey")


def _remove_key_face(site: Site, request: Request, form: Form) -> Response:
    site.session.stylecrypt.remove_key_face(form.text("name"))
    return see(site.at("keyfaces"), done="keyface-removed")


# Oneself.


def _you(site: Site, request: Request) -> Response:
    profile = site.session.profile
    return site.show(request, "you.html", me=profile.me, card_name=_card_name(profile), folder=profile.folder)


def _change_passphrase(site: Site, request: Request, form: Form) -> Response:
    profile = site.session.profile
    passphrase = chosen_passphrase(form)
    Profile.open(
        profile.folder, lambda: form.text("present")
    ).close()  # whoever finds the page open must not lock us out
    profile.change_passphrase(passphrase)
    return see(site.at("you"), done="passphrase")


def _revocation(site: Site, request: Request, form: Form) -> Response:
    made = Revocation.create(
        site.session.profile.identity, created=int(time.time()), reason=RevocationReason.UNSPECIFIED
    )
    return download(made.to_bytes(), _BYTES, f"{_card_name(site.session.profile)}.revocation")

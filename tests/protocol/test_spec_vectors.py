"""The project's own vectors, read as another implementation would read them."""

from __future__ import annotations

import importlib
import json
import re
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
import stylecrypt_protocol as sp
from stylecrypt_protocol import age, errors, primitives
from stylecrypt_protocol.cover import judge_cover, make_sketch
from stylecrypt_protocol.error_correction import protect
from stylecrypt_protocol.residuals import FacesResidual, StylesResidual
from stylecrypt_protocol.signed import SignedPart

from stylecrypt_msg.imprint import read

from ..support.sealed_messages import CHEAP

FOLDER = Path(__file__).parents[2] / "protocol" / "vectors"
VALUES = json.loads((FOLDER / "values.json").read_text())
MESSAGES = json.loads((FOLDER / "messages.json").read_text())
REPLAYS = json.loads((FOLDER / "replays.json").read_text())
CARRIERS = json.loads((FOLDER / "carriers.json").read_text())
IMPRINT = json.loads((FOLDER / "imprint.json").read_text())
MALFORMED = json.loads((FOLDER / "malformed.json").read_text())
NOW = 1_760_000_000
PEOPLE = {
    name: sp.Identity.from_secret(sp.Secret(bytes.fromhex(keys["ed25519_seed"] + keys["x25519_secret"])))
    for name, keys in VALUES["identities"].items()
}
CARDS = [sp.Card.from_bytes(bytes.fromhex(card["bytes"])) for card in VALUES["cards"]]
ALICE = CARDS[0]
REVOCATION = sp.Revocation.from_bytes(bytes.fromhex(VALUES["revocation"]["bytes"]))
STORAGE_KEY = sp.StorageKey(secret=sp.Secret(bytes.fromhex(VALUES["file_at_rest"]["key"])))
COVER = sp.Pixels(
    width=VALUES["cover"]["width"], height=VALUES["cover"]["height"], rgb=bytes.fromhex(VALUES["cover"]["rgb"])
)


def test_the_files_are_up_to_date(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(FOLDER)
    make = importlib.import_module("make")
    for name, value in make.build(json.loads((FOLDER / "sealed.json").read_text())).items():
        assert json.loads(json.dumps(value)) == json.loads((FOLDER / name).read_text()), f"run make.py: {name}"


def test_the_worked_example_of_the_spec() -> None:
    spec = (FOLDER.parent / "SPEC.md").read_text()
    blocks = re.findall(r"\n```\n([0-9a-f].*?)\n```\n", spec, re.DOTALL)
    public, plaintext = (
        "".join(re.match(r"(?:[0-9a-f]{2,} ?)+", line)[0].replace(" ", "") for line in block.splitlines())  # type: ignore[index]
        for block in blocks
    )
    assert public == MESSAGES[0]["public"]
    assert plaintext == MESSAGES[0]["plaintext"]
    assert MESSAGES[0]["public_digest"] in spec


def test_the_spec_names_every_error() -> None:
    spec = (FOLDER.parent / "SPEC.md").read_text()
    assert all(f"`{row['error']}`" in spec for row in MALFORMED)
    concrete = [name for name in errors.__all__ if issubclass(getattr(errors, name), sp.RemoteProtocolError)]
    assert all(f"`{name}`" in spec for name in concrete if not getattr(errors, name).abstract)


def _face(corners: list[list[int]]) -> sp.WireQuad:
    return sp.WireQuad(corners=tuple((x, y) for x, y in corners))  # type: ignore[arg-type]


def test_identities() -> None:
    for name, keys in VALUES["identities"].items():
        who = PEOPLE[name]
        assert who.signing_key.hex() == keys["ed25519_public"]
        assert who.sealing_key.hex() == keys["x25519_public"]
        assert who.age_identity().reveal().decode() == keys["age_identity"]
        assert who.id.hex() == keys["card_id"]


def test_cards() -> None:
    for row, card in zip(VALUES["cards"], CARDS, strict=True):
        made = sp.Card.create(
            PEOPLE[row["signed_by"]],
            user_id=row["user_id"],
            display_name=row["display_name"],
            created=row["created"],
            previous=PEOPLE.get(row["replaces"]),
        )
        assert made == card
        assert made.to_text() == row["text"]
        assert sp.Card.from_text(row["text"]) == card
        assert " ".join(sp.card_words(card)) == row["words"]
    assert sp.compare_cards(CARDS[0], CARDS[3]) is sp.CardChange.ROTATED
    assert " ".join(sp.pair_words(*CARDS[:2])) == VALUES["pair_words"]["words"]


def test_cover_and_key_face() -> None:
    faces = [_face(VALUES["cover"]["face_in_64th_px"])]
    assert COVER.digest.hex() == VALUES["cover"]["digest"]
    assert make_sketch(COVER, faces).hex() == VALUES["cover"]["sketch"]
    given = VALUES["key_face"]
    key_face = sp.KeyFace(digest=bytes.fromhex(given["digest"]), secret=sp.Secret(bytes.fromhex(given["secret"])))
    public = sp.PublicPart.from_bytes(bytes.fromhex(given["public"]))
    assert key_face.open(public.message_id).key.hex() == given["commitment_key"]
    assert public.commit(key_face) == public
    assert sp.pick_key_face(public, [key_face]) == key_face
    assert [len(row["prepared"]) for row in given["shared"]] == [0, 1]
    for row in given["shared"]:
        shared = bytes.fromhex(row["bytes"])
        opened = sp.open_key_face(shared, PEOPLE["bob"], {ALICE.id: ALICE}, now=NOW)
        assert opened.key_face == key_face
        assert opened.picture.hex() == given["picture"]
        assert opened.prepared == tuple(
            sp.Inversion(
                model_hash=bytes.fromhex(one["model_hash"]),
                styles=one["styles"],
                dimensions=one["dimensions"],
                codes=bytes.fromhex(one["codes"]),
            )
            for one in row["prepared"]
        )
        assert opened.sign(PEOPLE["alice"]).hex() == row["plaintext"] == age.decrypt(shared[4:], PEOPLE["bob"]).hex()
    assert {n: age.padme(int(n)) for n in VALUES["padme"]} == VALUES["padme"]


@pytest.mark.parametrize("row", VALUES["received"], ids=lambda row: row["name"])
def test_received_pictures(row: dict[str, Any]) -> None:
    picture = sp.Pixels(width=row["width"], height=row["height"], rgb=bytes.fromhex(row["rgb"]))
    envelope = sp.Envelope.unpack(bytes.fromhex(MESSAGES[0]["envelope"]))
    swapped = row["verdict"] == "swapped"
    with pytest.raises(sp.CoverMismatchError) if swapped else nullcontext():
        opened = sp.open_message(envelope, PEOPLE["bob"], {ALICE.id: ALICE}, picture, now=NOW, seen=None)
        assert opened.cover.value == row["verdict"]


@pytest.mark.parametrize("row", VALUES["verdicts"], ids=lambda row: row["name"])
def test_verdicts_at_their_limits(row: dict[str, Any]) -> None:
    tile, sums = row["tile"], np.frombuffer(bytes.fromhex(row["sums"]), ">u2").astype(int).reshape(16, 16, 1)
    pixels = (sums // tile**2 + (np.arange(tile**2) < sums % tile**2)).astype(np.uint8)
    grey = pixels.reshape(16, 16, tile, tile).swapaxes(1, 2).reshape(16 * tile, 16 * tile)
    verdict = judge_cover(
        sp.Pixels(width=16 * tile, height=16 * tile, rgb=grey.repeat(3).tobytes()),
        digest=bytes(32),
        sketch=bytes.fromhex(row["sketch"]),
        faces=[_face(corners) for corners in row["faces_in_64th_px"]],
        width=row["width"],
        height=row["height"],
    )
    assert verdict.value == row["verdict"]


@pytest.mark.parametrize("row", VALUES["signatures"], ids=lambda row: row["name"])
def test_signatures_on_the_edge(row: dict[str, Any]) -> None:
    key, message, signature = (bytes.fromhex(row[name]) for name in ("key", "message", "signature"))
    with nullcontext() if row["good"] else pytest.raises(sp.BadSignatureError):
        primitives.ed25519_verify(key, b"", message, signature)


@pytest.mark.parametrize("row", REPLAYS["sequences"], ids=lambda row: row["name"])
def test_messages_that_come_again(row: dict[str, Any]) -> None:
    seen, contacts = sp.MemorySeenStore(), {card.id: card for card in CARDS[:3]}
    for step in row["steps"]:
        rgb = bytes.fromhex(REPLAYS["pictures"][step["picture"]])
        picture = sp.Pixels(width=COVER.width, height=COVER.height, rgb=rgb)
        found: Any = (PEOPLE["bob"], contacts, picture)
        when: Any = {"now": step["now"], "seen": seen, "chat": step["chat"]}
        opened: sp.OpenedMessage | sp.OpenedImprint
        try:
            if step["of"] in REPLAYS["imprints"]:
                opened = sp.open_imprint(bytes.fromhex(REPLAYS["imprints"][step["of"]]), *found, **when)
            else:
                envelope = sp.Envelope.unpack(bytes.fromhex(REPLAYS["envelopes"][step["of"]]))
                opened = sp.open_message(envelope, *found, **when)
            outcome = "opens elsewhere" if opened.elsewhere else "opens"
        except sp.RemoteProtocolError as error:
            outcome = type(error).__name__
        assert outcome == step["outcome"], step


def test_keys_and_files_at_rest() -> None:
    locked, file = VALUES["locked"], VALUES["file_at_rest"]
    assert (
        sp.unlock(bytes.fromhex(locked["bytes"]), locked["passphrase"], CHEAP).secret.reveal().hex() == locked["secret"]
    )
    assert STORAGE_KEY.decrypt(bytes.fromhex(file["bytes"]), file["name"]).hex() == file["content"]


@pytest.mark.parametrize("row", MESSAGES, ids=lambda row: row["name"])
def test_messages(row: dict[str, Any]) -> None:
    envelope = sp.Envelope.unpack(bytes.fromhex(row["envelope"]))
    assert envelope == sp.from_event(row["event"])
    assert envelope.public == sp.PublicPart.from_bytes(bytes.fromhex(row["public"]))
    assert envelope.public.digest().hex() == row["public_digest"]
    assert age.decrypt(envelope.sealed or b"", PEOPLE[row["opened_by"]]).hex() == row["plaintext"]
    opened = sp.open_message(
        envelope, PEOPLE[row["opened_by"]], {ALICE.id: ALICE}, COVER, now=NOW, seen=sp.MemorySeenStore(), chat="!work:x"
    )
    assert opened.elsewhere == (row["chat"] is not None)
    assert opened.content.context == (bytes(32) if row["chat"] is None else sp.context_of(row["chat"]))
    assert opened.cover is sp.CoverVerdict.EXACT
    assert opened.public.level == row["level"]
    assert opened.content.residual.data.hex() == row["residual"]
    assert (opened.content.caption, opened.content.file_name) == (row["caption"], row["file_name"])
    assert opened.content.sign(PEOPLE[row["sender"]]).hex() == row["plaintext"]


@pytest.mark.parametrize("row", CARRIERS, ids=lambda row: f"{row['format']}-{row['held']}-{len(row['payload'])}")
def test_carriers(row: dict[str, str | None]) -> None:
    picture, payload, carried, removed = (
        bytes.fromhex(row[key] or "") for key in ("picture", "payload", "carried", "removed")
    )
    if carried:
        assert sp.put(picture, payload) == carried
        assert sp.take(carried) == payload
        assert sp.remove(carried) == removed
    else:
        with pytest.raises(sp.LocalProtocolError, match="cannot carry"):
            sp.put(picture, payload)
        assert sp.remove(picture) == removed
    if row["held"] == "none":
        assert sp.take(picture) is None
        return
    with pytest.raises(sp.MalformedError):
        sp.take(picture)
    assert sp.remove(picture) == removed


@pytest.mark.parametrize("row", VALUES["several"], ids=lambda row: row["name"])
def test_several_envelopes(row: dict[str, Any]) -> None:
    event, beside = (None if row[key] is None else bytes.fromhex(row[key]) for key in ("event", "beside"))
    picture = bytes.fromhex(row["picture"])
    try:
        opened = sp.open_first(
            sp.envelopes_of(picture, event, beside),
            lambda one: sp.open_message(one, PEOPLE["bob"], {ALICE.id: ALICE}, COVER, now=NOW, seen=None),
        )
    except sp.RemoteProtocolError as error:
        assert type(error).__name__ == row["outcome"]
    else:
        meant = next(one for one in MESSAGES if one["name"] == row["outcome"])
        assert opened.content.sign(PEOPLE["alice"]).hex() == meant["plaintext"]


def _open(
    data: bytes,
    contacts: Mapping[sp.CardId, sp.Card | sp.Revocation] = MappingProxyType({ALICE.id: ALICE}),
    times: int = 1,
) -> None:
    seen = sp.MemorySeenStore()
    for _ in range(times):
        sp.open_message(sp.Envelope.unpack(data), PEOPLE["bob"], contacts, COVER, now=NOW, seen=seen)


def _open_imprint(data: bytes, who: str = "bob", chat: str | None = None) -> sp.OpenedImprint:
    return sp.open_imprint(data, PEOPLE[who], {ALICE.id: ALICE}, COVER, now=NOW, seen=sp.MemorySeenStore(), chat=chat)


@pytest.mark.parametrize("row", IMPRINT["code"], ids=lambda row: len(row["units"]))
def test_the_code_of_an_imprint(row: dict[str, Any]) -> None:
    units = protect(bytes.fromhex(row["payload"]))
    assert [np.packbits(unit).tobytes().hex() for unit in units] == row["units"]


@pytest.mark.parametrize("row", IMPRINT["pictures"], ids=lambda row: row["width"])
def test_pictures_with_an_imprint(row: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Made from the text of the specification; together they hold every possible unit."""
    monkeypatch.syspath_prepend(FOLDER)
    payload = bytes.fromhex(row["payload"])
    grey = importlib.import_module("imprints").picture(payload, row["units"], row["width"], row["height"])
    assert grey[:8, :8].tolist() == row["first_block"]
    got = read(np.repeat(grey[..., None], 3, 2))
    assert got is not None and (got.payload, got.damage) == (payload, 0)


@pytest.mark.parametrize("row", IMPRINT["messages"], ids=lambda row: row["name"])
def test_imprints(row: dict[str, Any]) -> None:
    data = bytes.fromhex(row["imprint"])
    stanzas = data[: 81 * len(row["stanzas"])]
    for who in row["stanzas"]:
        opened = _open_imprint(data, who, "!work:x")
        assert opened.elsewhere == (row["chat"] is not None)
    inside = primitives.xchacha20poly1305_decrypt(
        bytes.fromhex(row["key"]), bytes(24), data[len(stanzas) :], primitives.IMPRINT + stanzas
    )
    content = opened.content
    assert inside is not None and inside.hex() == row["plaintext"]
    assert inside == content.sign(PEOPLE[row["sender"]], len(inside))
    assert (content.sent_at, content.message_id.hex(), content.left_out, content.caption) == tuple(
        row[key] for key in ("sent_at", "message_id", "left_out", "caption")
    )
    assert content.faces == tuple(
        sp.ImprintedFace(
            **dict(zip(("left", "top", "columns", "rows"), face["box"], strict=True)),
            cells=bytes.fromhex(face["map"]),
            picture=bytes.fromhex(face["picture"]),
        )
        for face in row["faces"]
    )


@pytest.mark.parametrize("row", VALUES["sketches"], ids=lambda row: row["face"])
def test_sketches(row: dict[str, Any]) -> None:
    x, y = np.meshgrid(np.arange(280), np.arange(270))
    grey = ((x // 3 * 7 + y // 5 * 11) % 256).astype(np.uint8)
    cover = sp.Pixels(width=280, height=270, rgb=np.repeat(grey[..., None], 3, axis=2).tobytes())
    assert make_sketch(cover, [_face(row["face_in_64th_px"])]).hex() == row["sketch"]


@pytest.mark.parametrize("row", VALUES["comparisons"], ids=lambda row: row["name"])
def test_comparisons(row: dict[str, Any]) -> None:
    offered = sp.Card.from_bytes(bytes.fromhex(row["offered"]))
    offered.check_date(NOW)
    assert sp.compare_cards(ALICE, offered).value == row["change"]


def test_residuals() -> None:
    row = VALUES["residuals"]["styles"]
    styles = StylesResidual.from_bytes(
        bytes.fromhex(row["bytes"]), faces=row["faces"], styles=row["styles"], dimensions=row["dimensions"]
    )
    assert styles.to_bytes().hex() == row["bytes"]
    assert styles.landmarks == (tuple(64 * n for n in range(10)),)
    row = VALUES["residuals"]["faces"]
    faces = FacesResidual.from_bytes(bytes.fromhex(row["bytes"]), width=row["width"], height=row["height"])
    assert faces.to_bytes().hex() == row["bytes"]
    assert [(one.left, one.top, one.columns, one.rows, one.blocks) for one in faces.pieces] == [
        (0, 0, 1, 1, b"\x80"),
        (1, 1, 2, 2, b"\xe0"),
    ]


READ: dict[str, Callable[[Any], object]] = {
    "public": sp.PublicPart.from_bytes,
    "envelope": sp.Envelope.unpack,
    "plaintext": lambda data: SignedPart(data).verify(sp.SealedPart, ALICE.signing_key),
    "message": _open,
    "revoked": lambda data: _open(data, {REVOCATION.id: REVOCATION}),
    "again": lambda data: _open(data, times=2),
    "imprint": _open_imprint,
    "key-face": lambda data: sp.open_key_face(data, PEOPLE["bob"], {ALICE.id: ALICE}, now=NOW),
    "card": sp.Card.from_bytes,
    "new-card": lambda data: sp.Card.from_bytes(data).check_date(NOW),
    "card-text": sp.Card.from_text,
    "revocation": sp.Revocation.from_bytes,
    "picture": sp.take,
    "event": sp.from_event,
    "styles": lambda data: StylesResidual.from_bytes(data, faces=1, styles=2, dimensions=3),
    "faces": lambda data: FacesResidual.from_bytes(data, width=48, height=40),
    "locked": lambda data: sp.unlock(data, "passphrase", CHEAP),
    "file": lambda data: STORAGE_KEY.decrypt(data, VALUES["file_at_rest"]["name"]),
}


def test_there_are_enough_malformed_ones() -> None:
    assert len(MALFORMED) >= 60
    assert {row["read"] for row in MALFORMED} == set(READ)
    assert len({row["name"] for row in MALFORMED}) == len(MALFORMED)


@pytest.mark.parametrize("row", MALFORMED, ids=lambda row: row["name"])
def test_malformed(row: dict[str, Any]) -> None:
    text = row["read"] in ("card-text", "event")
    with pytest.raises(sp.RemoteProtocolError) as raised:
        READ[row["read"]](row["input"] if text else bytes.fromhex(row["input"]))
    assert raised.type.__name__ == row["error"], raised.value.detail

"""Writes the fuzzers' first inputs: ``python fuzz/seeds.py FOLDER`` fills FOLDER/container, FOLDER/envelope and
FOLDER/imprint."""

import io
import json
import sys
from pathlib import Path

import stylecrypt_protocol as sp
from PIL import Image
from stylecrypt_protocol import age
from stylecrypt_protocol.sealed import SealedPart


def main(folder: Path) -> None:
    """One valid input of every kind."""
    me = sp.Identity.from_secret(sp.Secret(bytes(range(64))))
    card = sp.Card.create(me, user_id="@me:example.org", display_name="Me", created=0)
    cover = sp.Pixels(width=16, height=16, rgb=bytes(768))
    face = sp.WireQuad.from_pixels([(1, 1), (1, 9), (9, 9), (9, 1)])
    key_face = sp.KeyFace.new(cover)
    public = sp.PublicPart.describe(
        cover,
        level=sp.Level.LATENT,
        model_hash=bytes(32),
        styles=18,
        replaced=range(3, 8),
        faces=[face],
        key_face=key_face,
    )
    envelope = sp.seal_message(
        me,
        [card],
        public,
        cover,
        sent_at=0,
        residual=sp.Residual(kind=sp.ResidualKind.STYLES, data=b"styles"),
        key_face=key_face,
        caption="hello",
        file_name="a.png",
    )
    packed = envelope.pack()
    content = SealedPart(
        sender=me.id,
        recipients=(me.id,),
        public_digest=public.digest(),
        sent_at=0,
        sketch=bytes(64),
        opening=key_face.open(public.message_id),
        caption="hello",
        file_name="a.png",
        residual=sp.Residual(kind=sp.ResidualKind.STYLES, data=b"styles"),
    )
    container = {"envelope": packed, "event": json.dumps(sp.to_event(envelope)).encode()}
    picture = Image.new("RGB", (16, 16))
    for name, options in {"PNG": {}, "JPEG": {}, "WEBP": {"lossless": False}}.items():
        file = io.BytesIO()
        picture.save(file, name, **options)
        container[name] = file.getvalue()
        container[f"{name}-full"] = sp.put(file.getvalue(), b"\1payload")
    file = io.BytesIO()
    Image.new("RGBA", (16, 16)).save(file, "WEBP", lossless=True)
    container["WEBP-lossless"] = file.getvalue()
    container["JPEG-two"] = sp.put(container["JPEG"], bytes(70_000))
    sealed = envelope.sealed or b""
    kinds = [
        public.to_bytes(),
        sealed,
        content.sign(me),
        sealed[len(age.INTRO) :],
        card.to_bytes(),
        sp.Revocation.create(me, created=0, reason=sp.RevocationReason.COMPROMISED).to_bytes(),
        card.to_text().encode(),
        sp.lock(sp.Secret(b"secret"), "passphrase", sp.Cost(operations=1, memory=8192)),
        sp.StorageKey(secret=sp.Secret(bytes(32))).encrypt(b"plain", "name"),
        sp.SharedKeyFace(
            sender=me.id,
            recipients=(me.id,),
            sent_at=0,
            key_face=key_face,
            prepared=(sp.Inversion(model_hash=bytes(32), styles=2, dimensions=1, codes=bytes(4)),),
            picture=b"picture",
        ).sign(me),
    ]
    envelopes = {f"kind-{i}": bytes([i]) + data for i, data in enumerate(kinds)}
    rotated = sp.Card.create(
        me, user_id="@me:example.org", display_name="Me", created=1, previous=sp.Identity.generate()
    )
    envelopes["rotated"] = b"\4" + rotated.to_bytes()
    file = io.BytesIO()
    Image.effect_noise((48, 64), 40).convert("RGB").save(file, "WEBP", quality=20)
    small = sp.ImprintedFace(left=1, top=2, columns=4, rows=3, cells=b"\xff\xf0", picture=file.getvalue()[20:])
    view = sp.Pixels(width=16, height=16, rgb=bytes(384) + b"\xff" * 384)
    imprint = sp.seal_imprint(me, [card], view, [small], size=1428, message_id=sp.MessageId(bytes(16)), sent_at=0)
    inside = sp.ImprintContent(
        sender=me.id,
        recipients=(me.id,),
        sent_at=0,
        message_id=sp.MessageId(bytes(16)),
        context=bytes(16),
        width=16,
        height=16,
        sketch=bytes(64),
        faces=(small,),
        caption="hello",
    )
    imprints = {
        f"kind-{i}": bytes([i]) + data
        for i, data in enumerate((imprint, inside.sign(me, 1300), small.to_bytes(), bytes(1000)))
    }
    for kind, inputs in (("container", container), ("envelope", envelopes), ("imprint", imprints)):
        (folder / kind).mkdir(parents=True, exist_ok=True)
        for name, data in inputs.items():
            (folder / kind / name).write_bytes(data)


if __name__ == "__main__":
    main(Path(sys.argv[1]))

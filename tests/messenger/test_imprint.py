"""What recipients see of a picture that an app has re-encoded and stripped."""

from __future__ import annotations

import numpy as np
import pytest
import stylecrypt_protocol as protocol
from PIL import Image

from stylecrypt_msg import EncryptedPhoto, Level
from stylecrypt_msg.errors import InputError, MessageError, NoMessageError, RefusedError
from stylecrypt_msg.models import FaceModel
from stylecrypt_msg.pictures import Pixels, encode_picture, read_picture
from stylecrypt_msg.sdk import Options

from ..conftest import People
from ..support.scenery import scene
from .conftest import Parties, reencoded


@pytest.fixture(scope="module")
def landscape(people: People) -> Pixels:
    """Ann in front of a landscape, 1024 x 768 px."""
    pixels = scene(1024, 768, seed=2)
    pixels[250:506, 520:776] = people.photo[20:276, 30:286]
    return pixels


@pytest.fixture(scope="module")
def photo(landscape: Pixels) -> bytes:
    return encode_picture(landscape, "JPEG", quality=92)


@pytest.fixture(scope="module")
def sent(together: Parties, photo: bytes) -> EncryptedPhoto:
    return together.alice.encrypt(photo, ["Bob"], stand_in="somebody", caption="At the lake")


def face(pixels: Pixels) -> Pixels:
    return pixels[290:490, 560:740]


def psnr(one: Pixels, other: Pixels) -> float:
    return float(10 * np.log10(255**2 / np.mean((one.astype(float) - other) ** 2)))


def resized(pixels: Pixels, like: Pixels) -> Pixels:
    return np.asarray(Image.fromarray(pixels).resize(like.shape[1::-1]))


def test_the_face_comes_out_of_the_pixels(together: Parties, sent: EncryptedPhoto, landscape: Pixels) -> None:
    assert sent.imprinted and not sent.leaks.imprint
    got = together.bob.decrypt(reencoded(sent.picture, quality=70))
    assert (got.level, got.signed, got.cover, got.caption) == (Level.IMPRINT, True, "changed", "At the lake")
    assert got.sender is not None and got.sender.name == "Alice"
    assert got.message_id == sent.message_id
    assert got.reached == "the sender's faces, small, from the pixels"
    assert any("lost" in warning for warning in got.warnings)
    hidden = read_picture(sent.picture).pixels
    assert psnr(face(got.pixels), face(landscape)) > max(28, psnr(face(hidden), face(landscape)) + 6)


def test_with_its_envelope_the_picture_is_what_it_was(
    together: Parties, sent: EncryptedPhoto, landscape: Pixels
) -> None:
    got = together.bob.decrypt(sent.picture)
    assert got.level is Level.ORIGINAL
    assert psnr(face(got.pixels), face(landscape)) > 37  # as well as the photo's own file


def test_others_see_a_picture_without_a_message(together: Parties, sent: EncryptedPhoto) -> None:
    with pytest.raises(RefusedError) as caught:
        together.mallory.decrypt(reencoded(sent.picture, quality=70))
    assert isinstance(caught.value.reason, protocol.NotForMeError)


def test_a_key_face_still_helps_others(
    together: Parties, sent: EncryptedPhoto, key_face: bytes, default_model: FaceModel, short_descents: None
) -> None:
    got = together.mallory.decrypt(reencoded(sent.picture, quality=70), key_face=key_face)
    assert (got.level, got.signed) == (Level.KEYFACE, False)
    assert any("Nothing proves who sent it" in warning for warning in got.warnings)


def test_an_envelope_for_others_does_not_hide_it(together: Parties, sent: EncryptedPhoto) -> None:
    """Replacing the sealed part by another does not keep recipients from the pixels."""
    stripped = reencoded(sent.picture, quality=80)
    shown = read_picture(stripped).pixels
    pixels = protocol.Pixels(width=shown.shape[1], height=shown.shape[0], rgb=shown.tobytes())
    public = protocol.PublicPart.describe(
        pixels, level=protocol.Level.ORIGINAL, model_hash=bytes(32), styles=18, replaced=[3], faces=[]
    )
    mallory = together.mallory.profile
    envelope = protocol.seal_message(
        mallory.identity,
        [mallory.card],
        public,
        pixels,
        sent_at=1_760_000_000,
        residual=protocol.Residual(kind=protocol.ResidualKind.FACES, data=b"x"),
    )
    got = together.bob.decrypt(protocol.put(stripped, envelope.pack()))
    assert got.level is Level.IMPRINT and got.sender is not None and got.sender.name == "Alice"


def test_it_is_not_moved_to_another_picture(together: Parties, sent: EncryptedPhoto, landscape: Pixels) -> None:
    """Makes the same change to the pixels of another view."""
    hidden = read_picture(sent.picture).pixels.astype(int)
    plain = together.alice.encrypt(
        encode_picture(landscape, "PNG"), ["Bob"], stand_in="somebody", imprint=False, format="PNG"
    )
    change = hidden - read_picture(plain.picture).pixels
    elsewhere = (landscape[::-1].astype(int) + change).clip(0, 255).astype(np.uint8)
    with pytest.raises((RefusedError, MessageError, NoMessageError)):
        together.bob.decrypt(encode_picture(elsewhere, "PNG"))


def test_what_is_damaged_is_said_to_be(together: Parties, sent: EncryptedPhoto) -> None:
    """Makes the picture smaller and smaller, until nothing is left."""
    original, refused = read_picture(sent.picture).pixels, 0
    for side in range(960, 400, -40):
        try:
            got = together.bob.decrypt(reencoded(sent.picture, scale=side / 1024, quality=80))
        except NoMessageError:
            break
        except MessageError as error:
            refused += 1
            assert "cannot be read any more" in str(error)
            assert error.hint is not None and "send it again" in error.hint
        else:
            assert got.level is Level.IMPRINT
            assert psnr(got.pixels, resized(original, got.pixels)) > 20
    assert refused


def test_level_imprint_is_the_pixels_alone(together: Parties, photo: bytes) -> None:
    sent = together.alice.encrypt(photo, ["Bob"], level="imprint", stand_in="somebody")
    assert (sent.packed, sent.envelope) == (None, None)
    assert protocol.take(sent.picture) is None
    for who in (together.bob, together.alice):
        got = who.decrypt(sent.picture)
        assert (got.level, got.message_id) == (Level.IMPRINT, sent.message_id)


def test_what_has_no_imprint(together: Parties, photo: bytes, people: People) -> None:
    who: Options = {"stand_in": "somebody"}
    choices: list[Options] = [{"imprint": False, **who}, {"level": "keyface", **who}, {"covert": True, **who}]
    for options in choices:
        sent = together.alice.encrypt(photo, ["Bob"], **options)
        assert not sent.imprinted and not sent.leaks.imprint
    small = together.alice.encrypt(people.photo, ["Bob"], stand_in="somebody")
    assert not small.imprinted and "smaller than 591 pixels" in small.leaks.imprint
    with pytest.raises(InputError, match="Level imprint sends nothing else"):
        together.alice.encrypt(people.photo, ["Bob"], level="imprint", stand_in="somebody")
    with pytest.raises(InputError, match="nothing to send"):
        together.alice.encrypt(photo, ["Bob"], level="imprint", imprint=False)


@pytest.mark.parametrize(("app", "side"), [("telegram", 1280), ("instagram", 1080), ("file", 1500)])
def test_covers_for_an_app_have_its_size(together: Parties, people: People, app: str, side: int) -> None:
    pixels = scene(1500, 1000, seed=4)
    pixels[250:506, 520:776] = people.photo[20:276, 30:286]
    sent = together.alice.encrypt(pixels, ["Bob"], stand_in="somebody", app=app, force=True)
    assert (sent.format, sent.imprinted) == ("JPEG", True)
    assert max(read_picture(sent.picture).pixels.shape) == side


def test_unknown_apps_are_named(together: Parties, photo: bytes) -> None:
    with pytest.raises(InputError, match="There is no app 'icq'") as caught:
        together.alice.encrypt(photo, ["Bob"], app="icq")
    assert "whatsapp" in str(caught.value.hint)

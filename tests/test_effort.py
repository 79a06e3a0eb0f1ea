"""The effort that users get is worth its time."""

from __future__ import annotations

import pytest
from stylecrypt_protocol import Level

from stylecrypt_msg import effort
from stylecrypt_msg.cipher import cover, invert, to_pixels
from stylecrypt_msg.models import FaceModel

from .conftest import People
from .support import quickly
from .test_cipher import apart, centre, codes_apart, undo


@pytest.mark.slow
def test_all_steps_are_worth_it(default_model: FaceModel, people: People) -> None:
    """The whole way: more comes back than by the short descents of most tests, and only with the right key."""
    quick, sent = (
        cover(people.photo, default_model, key_face="some stand-in", form="portrait", steps=steps)
        for steps in (quickly.STEPS, effort.COVER_STEPS[Level.KEYFACE])
    )
    seen = [to_pixels(default_model.synthesize(one.codes))[0] for one in (quick, sent)]
    off = [apart(pixels[centre(pixels)], sent.original[centre(pixels)]) for pixels in seen]
    assert off[1] < 0.8 * off[0]
    right, wrong = (undo(sent.pixels, key, default_model) for key in (people.ann, people.bea))
    with quickly.shortened():  # enough to tell them apart
        own, other = (codes_apart(invert(one.pixels, default_model), sent.codes) for one in (right, wrong))
    assert own < 0.8 * other

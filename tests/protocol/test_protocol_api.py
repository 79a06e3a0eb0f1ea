"""The surface of the package: its exports, its tree of errors, its values, what it must not import."""

from __future__ import annotations

import copy
import pickle
import re
import subprocess
import sys
from pathlib import Path

import pytest
import stylecrypt_protocol as sp
from stylecrypt_protocol import errors

from ..support.sealed_messages import ALICE, COVER, FACE, describe


def test_exports() -> None:
    assert sorted(sp.__all__, key=str.lower) == sorted(set(sp.__all__), key=str.lower)
    assert all(hasattr(sp, name) for name in sp.__all__)
    public = {name for name in vars(sp) if not name.startswith("_")} - set(sp.__all__) - {"annotations"}
    modules = {name for name in public if type(getattr(sp, name)).__name__ == "module"}
    assert public == modules, "a name is public but not exported"
    assert set(errors.__all__) <= set(sp.__all__)


def test_imports_neither_torch_nor_a_network() -> None:
    code = "import sys, stylecrypt_protocol; print({'torch', 'PIL', 'cv2', 'nio'} & set(sys.modules))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "set()\n"


def test_has_no_clock_and_opens_no_file() -> None:
    package = Path(sp.__file__).parent
    for source in package.rglob("*.py"):
        text = source.read_text()
        assert len(text.splitlines()) <= 600
        used = re.search(r"^\s*(import|from) (time|datetime|socket|pathlib|torch)\b|(?<![\w.])open\(", text, re.M)
        assert not used or "def open(" in text, source.name


@pytest.mark.parametrize("name", errors.__all__)
def test_errors(name: str) -> None:
    error = getattr(errors, name)
    assert name in (errors.__doc__ or ""), "not in the tree"
    assert issubclass(error, sp.ProtocolError)
    if error.abstract:
        with pytest.raises(TypeError, match="abstract"):
            error("x")
        return
    raised = error(b"\1" * 16) if error is sp.StrangerError else error("why")
    assert str(raised).startswith(error.message.removesuffix("."))
    for said in filter(None, (error.message, error.hint)):
        assert said[:1].isupper() and said.endswith(".")
    assert raised.detail in str(raised)
    assert issubclass(error, sp.RemoteProtocolError) != issubclass(error, sp.LocalProtocolError)


def test_secrets_do_not_show() -> None:
    secret = ALICE.to_secret()
    key_face = sp.KeyFace.new(COVER)
    for shown in (
        repr(secret),
        str(secret),
        f"{secret}",
        repr(ALICE),
        repr(key_face),
        repr(sp.StorageKey.generate()),
    ):
        assert "\\x01" not in shown
        assert secret.reveal().hex()[:8] not in shown
    assert key_face.digest.hex() not in repr(key_face)
    for leak in (pickle.dumps, copy.deepcopy):
        with pytest.raises(TypeError, match="not pickled"):
            leak(secret)
    with pytest.raises(TypeError):
        hash(secret)
    assert secret == sp.Secret(secret.reveal())
    assert secret != sp.Secret(b"other")
    assert secret != secret.reveal()
    assert len(secret) == 64


def test_content_does_not_show() -> None:
    residual = sp.Residual(kind=sp.ResidualKind.FILE, data=b"the original")
    assert "original" not in repr(residual)


def test_pydantic_does_not_show_what_it_refuses() -> None:
    with pytest.raises(Exception, match="valid dictionary") as raised:
        sp.SealedPart.model_validate(b"secret")
    assert "secret" not in str(raised.value)
    with pytest.raises(sp.LocalProtocolError) as refused:
        sp.Residual(kind=sp.ResidualKind.NONE, data=b"secret")
    assert "secret" not in str(refused.value.__context__), "what crash reporters print"


def test_models_are_frozen_and_checked() -> None:
    public = describe()
    with pytest.raises(Exception, match="frozen"):
        public.width = 3
    with pytest.raises(sp.LocalProtocolError, match="layer mask"):
        describe(replaced=[18])
    with pytest.raises(sp.LocalProtocolError, match="replaced"):
        describe(replaced=[])
    with pytest.raises(sp.LocalProtocolError, match="faces"):
        describe(faces=[FACE] * 129)
    with pytest.raises(sp.LocalProtocolError, match="model_hash"):
        describe(model_hash=b"short")
    with pytest.raises(sp.LocalProtocolError, match="over 67108864 pixels"):
        sp.PublicPart(**{**dict(public), "width": 16_384, "height": 4097})
    with pytest.raises(sp.LocalProtocolError, match="need 12 bytes"):
        sp.Pixels(width=2, height=2, rgb=b"123")
    with pytest.raises(sp.LocalProtocolError, match="pixels"):
        sp.Pixels(width=16_384, height=16_384, rgb=b"")
    with pytest.raises(sp.LocalProtocolError):
        sp.Envelope(public=public)
    with pytest.raises(sp.LocalProtocolError):
        sp.Residual(kind=sp.ResidualKind.STYLES)
    for bad in (float("nan"), float("inf")):
        with pytest.raises(sp.LocalProtocolError, match="finite"):
            sp.WireQuad.from_pixels([(0, 0), (0, 1), (1, 1), (bad, 0)])
    with pytest.raises(sp.LocalProtocolError, match="corners"):
        sp.WireQuad.from_pixels([(0, 0), (0, 1), (1, 1), (70_000, 0)])


def test_identity() -> None:
    assert sp.Identity.from_secret(ALICE.to_secret()).id == ALICE.id
    assert sp.Identity.generate().id != sp.Identity.generate().id
    assert ALICE.age_identity().reveal().startswith(b"AGE-SECRET-KEY-1")
    with pytest.raises(sp.MalformedError):
        sp.Identity.from_secret(sp.Secret(b"short"))


def test_no_envelope_carries_the_level_that_lives_in_the_pixels() -> None:
    with pytest.raises(sp.LocalProtocolError, match="no envelope carries level imprint"):
        describe(level=sp.Level.IMPRINT)


def test_sizes_over_the_limits() -> None:
    large = sp.Envelope(public=describe(), sealed=bytes(32 * 1024 * 1024))
    with pytest.raises(sp.LocalProtocolError, match="level latent"):
        large.pack()
    with pytest.raises(sp.TooLargeError):
        sp.Envelope.unpack(bytes(32 * 1024 * 1024 + 1))
    with pytest.raises(sp.LocalProtocolError, match="empty"):
        sp.Envelope(public=describe(), sealed=b"")
    small = sp.WireQuad.from_pixels([(60, 40), (60, 72), (92, 72), (92, 40)])
    most = describe(faces=[small] * 128, key_face=sp.KeyFace.new(COVER))
    assert len(most.to_bytes()) == 4221
    with pytest.raises(sp.LocalProtocolError, match="more than 8 times"):
        describe(faces=[FACE] * 128)
    none = describe(faces=[])  # every face is hidden, and none replaced
    for public in (most, none):
        assert sp.PublicPart.from_bytes(public.to_bytes()) == public

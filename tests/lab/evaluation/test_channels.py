"""`stylecrypt evaluate --channels`: what still opens after each app."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from PIL import Image

from stylecrypt_msg.cli import main
from stylecrypt_msg.models import FaceModel

from ...conftest import People
from ...support.scenery import scene


@pytest.fixture
def folder(tmp_path: Path, people: People) -> Path:
    """Ann in front of a landscape, and a picture of nobody."""
    photos = tmp_path / "photos"
    photos.mkdir()
    pixels = scene(1024, 768, seed=2)
    Image.fromarray(pixels).save(photos / "nobody.png")
    pixels[250:506, 520:776] = people.photo[20:276, 30:286]
    Image.fromarray(pixels).save(photos / "ann.png")
    return photos


def test_channels(
    folder: Path, default_model: FaceModel, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["stylecrypt", "evaluate", str(folder), "--channels", "--json"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code in (0, None)
    result = json.loads(capsys.readouterr().out)
    assert (result["photos"], result["imprinted"]) == (1, 1)
    assert result["cover_psnr"] > 38  # both were compressed, each in its way
    ways = {way["name"]: way for way in result["ways"]}
    for app in ("signal", "whatsapp", "telegram", "element", "instagram", "file", "signal, then whatsapp"):
        assert ways[app]["opened"] == 1, app
        assert ways[app]["psnr"] > 25
        assert ways[app]["distance"] < 0.6
    assert ways["whatsapp, with mozjpeg"]["opened"] == ways["for instagram, with mozjpeg"]["opened"] == 1
    removals = {one["name"]: one for one in result["removals"]}
    assert removals["another imprint on top"]["opened"] == 0
    assert removals["another imprint on top"]["psnr"] > 40
    assert removals["turned by 1 degree"] == {"name": "turned by 1 degree", "photos": 1, "opened": 0, "psnr": None}
    assert result["told"] is None, "one picture is too few"

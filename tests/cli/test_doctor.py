"""``doctor``: what works here, and how to fix the rest."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import cv2
import pytest

from stylecrypt_msg.models import embedded, graphs

from ..support.command_line import Run


def test_doctor(run: Run) -> None:
    findings = {finding["what"]: finding for finding in run("doctor", "--json").json}
    assert list(findings) == [
        "python",
        "onnxruntime",
        "embedded model",
        "faces",
        "recognisers",
        "matting",
        "torch",
        "training",
        "models folder",
    ]
    assert all(finding["state"] in ("ok", "missing") for finding in findings.values())
    assert all(findings[what]["state"] == "ok" for what in ("python", "onnxruntime", "embedded model", "faces"))
    assert all(finding["remedy"] for finding in findings.values() if finding["state"] != "ok")


def test_doctor_says_what_is_broken(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def fail(*arguments: object) -> None:
        raise cv2.error("no detector")

    monkeypatch.setattr(cv2.FaceDetectorYN, "create", fail)
    ended = run("doctor", "--json")
    assert ended.code == 1
    states = {finding["what"]: finding["state"] for finding in json.loads(ended.out)}
    assert [what for what, state in states.items() if state == "broken"] == ["round trip"]


def test_doctor_notices_another_models_weights(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded.EmbeddedModel, "digest", "0" * 64)
    ended = run("doctor")
    assert ended.code == 1
    assert b"its weights are not those published" in ended.out


def test_doctor_says_what_to_install(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    for package in ("onnxruntime", "torch", "dlib", "pymatting", "matplotlib"):
        monkeypatch.setitem(sys.modules, package, None)
    graphs.runtime.cache_clear()
    ended = run("doctor", "--json")
    graphs.runtime.cache_clear()
    assert ended.code == 1
    findings = {finding["what"]: finding for finding in json.loads(ended.out)}
    assert findings["onnxruntime"]["state"] == "broken"
    assert "pip install --force-reinstall onnxruntime" in findings["onnxruntime"]["remedy"]
    for what, extra in (("torch", "torch"), ("recognisers", "identity"), ("matting", "matting"), ("training", "train")):
        assert findings[what]["state"] == "missing"
        assert findings[what]["remedy"] == f"pip install 'stylecrypt-msg[{extra}]'"

"""``model``, and models that cannot be used."""

from __future__ import annotations

from pathlib import Path

from stylecrypt_msg.models import load_model

from ..support.command_line import DATA, KEYFACE, SOMEBODY, TINY, Run, refused, refused_without_trace


def test_models_are_imported_listed_and_used(run: Run, photo: Path) -> None:
    assert [row["name"] for row in run("model", "list", "--json").json] == ["default"]
    row = run("model", "import", TINY, "--name", "mine", "--json").json
    assert {key: row[key] for key in ("name", "family", "image_size", "n_styles", "has_encoder")} == {
        "name": "mine",
        "family": "stylegan2",
        "image_size": 64,
        "n_styles": 10,
        "has_encoder": True,
    }
    assert run("model", "list", "--json").json[1:] == [row]
    assert Path(row["path"]).stat().st_size == row["bytes"]
    facts = run("model", "show", "mine", "--json").json
    assert (facts["name"], facts["n_styles"], facts["model_hash"]) == ("mine", 10, load_model(TINY).digest)
    table = run("model", "list").out.decode().splitlines()
    assert [line.split()[0] for line in table] == ["name", "default", "mine"]
    assert facts["model_hash"] in run("model", "show", "mine").out.decode()

    for name, model in (("a", "mine"), ("b", TINY)):
        assert run("encrypt", photo, "-o", f"{name}.png", *KEYFACE, "-m", model, "--stand-in", "x").code == 0
    assert Path("a.png").read_bytes() == Path("b.png").read_bytes()

    refused(run("model", "import", TINY, "--name", "mine"), "already")
    refused(run("model", "import", TINY, "--name", "default"), "'default'")
    refused(run("model", "import", TINY, "--name", "../mine"), "'../mine'")
    assert [row["name"] for row in run("model", "list", "--json").json] == ["default", "mine"]


def test_models_that_cannot_be_used(run: Run, photo: Path, ann: Path) -> None:
    Path("garbage.pt").write_bytes(b"garbage" * 100)
    Path("cut.pt").write_bytes(TINY.read_bytes()[:100_000])
    Path("cut.safetensors").write_bytes(b"\x40\0\0\0\0\0\0\0{" + bytes(100))
    for model, says in (
        ("garbage.pt", "not a model file"),
        ("cut.pt", "truncated"),
        ("cut.safetensors", "not a model file"),
        (photo, "not a model file"),
        ("missing.pt", "no file"),
        ("missing", "no model 'missing'"),
        ("x" * 300, "cannot be the name"),
        (DATA / "ros_tiny.pt", "no encoder"),
    ):
        refused_without_trace(run, says, "encrypt", photo, "-o", "OUT", *KEYFACE, "-m", model)
        refused_without_trace(run, says, "decrypt", photo, "-o", "OUT", "--key-face", ann, "-m", model)
        if "encoder" not in says:
            refused(run("model", "show", model), says)
        if Path(model).suffix and "encoder" not in says:
            refused(run("model", "import", model, "--name", "mine"), says)
    assert [row["name"] for row in run("model", "list", "--json").json] == ["default"]


def test_a_mask_must_fit_the_model(run: Run, photo: Path, ann: Path) -> None:
    sent = run("encrypt", photo, "-o", "fits.png", *SOMEBODY, "-m", TINY, "--mask", "8-", "--json").json
    assert sent["mask"] == "8-9"
    arguments = (photo, "-o", "OUT", "-m", TINY, "--mask", "8-15")
    refused_without_trace(run, "this model has layers 0 to 9", "encrypt", *arguments, *SOMEBODY)
    refused_without_trace(run, "this model has layers 0 to 9", "decrypt", *arguments, "--key-face", ann)

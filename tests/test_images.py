"""The container images."""

from __future__ import annotations

import tomllib
from pathlib import Path

REPOSITORY = Path(__file__).parents[1]


def test_the_build_sees_all_that_the_package_is_made_of() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
    wheel = project["tool"]["hatch"]["build"]["targets"]["wheel"]
    needed = {"pyproject.toml", "constraints.txt", project["project"]["readme"], *project["project"]["license-files"]}
    lines = (REPOSITORY / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert needed | {*wheel["packages"], *wheel["shared-data"]} == {line[1:] for line in lines if line.startswith("!")}

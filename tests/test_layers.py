"""The architecture: who may import whom (CONTRIBUTING.md, "Where things are"), and what packages export."""

from __future__ import annotations

import ast
import importlib
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
PACKAGES = {
    "stylecrypt_protocol": REPOSITORY / "protocol" / "stylecrypt_protocol",
    "stylecrypt_msg": REPOSITORY / "stylecrypt_msg",
    "stylecrypt_bots": REPOSITORY / "bots" / "stylecrypt_bots",
}

# Each part of stylecrypt_msg, and the parts that it may import besides itself. A new part needs a line here.
MAY_IMPORT = {
    "__init__": {"messenger", "sdk"},
    "errors": set(),
    "pictures": {"errors"},
    "faces": {"errors"},
    "iresnet": {"errors"},
    "level": {"models"},
    "models": {"errors"},
    "recognisers": {"errors", "faces", "iresnet"},
    "residual": {"errors", "pictures"},
    "stylemix": {"errors"},
    "standins": {"errors", "models"},
    "cipher": {"errors", "faces", "level", "models", "standins", "stylemix"},
    "profile": {"errors"},
    "transports": {"errors", "pictures"},
    "messenger": {
        "cipher", "errors", "faces", "level", "models", "pictures", "profile", "recognisers", "residual", "standins",
        "stylemix",
    },
    "sdk": {"cipher", "errors", "messenger", "models", "pictures", "profile", "recognisers", "transports"},
    "training": {"errors", "faces", "models", "pictures", "recognisers"},
    "evaluation": {
        "cipher", "errors", "faces", "level", "models", "pictures", "recognisers", "residual", "sdk", "standins",
        "stylemix",
    },
    "benchmarks": {"cipher", "errors", "models", "pictures", "sdk", "standins"},
    "cli": {
        "benchmarks", "cipher", "errors", "evaluation", "faces", "messenger", "models", "pictures", "profile",
        "recognisers", "sdk", "standins", "stylemix", "training", "transports",
    },
}  # fmt: skip

NOT_ON_THE_WIRE = {
    "asyncio", "datetime", "http", "os", "pathlib", "requests", "socket", "ssl", "time", "torch", "urllib",
}  # fmt: skip


def modules(package: str) -> Iterator[tuple[str, Path]]:
    """Dotted names and files of a package."""
    for path in sorted(PACKAGES[package].rglob("*.py")):
        parts = path.relative_to(PACKAGES[package]).with_suffix("").parts
        yield ".".join((package, *(part for part in parts if part != "__init__"))), path


def imports(module: str, path: Path) -> Iterator[str]:
    """Dotted names of all that a module imports, anywhere in it; relative ones resolved."""
    package = module.split(".") if path.name == "__init__.py" else module.split(".")[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            yield from (".".join([*base, *filter(None, [node.module]), alias.name]) for alias in node.names)


def part_of(module: str) -> str:
    return (*module.split("."), "__init__")[1]


@pytest.mark.parametrize("part", MAY_IMPORT)
def test_parts_import_downwards_only(part: str) -> None:
    mine = [(module, path) for module, path in modules("stylecrypt_msg") if part_of(module) == part]
    assert mine, f"there is no part {part} any more"
    for module, path in mine:
        inside = {part_of(name) for name in imports(module, path) if name.split(".")[0] == "stylecrypt_msg"}
        assert inside <= MAY_IMPORT[part] | {part}, module


def test_every_part_has_its_place() -> None:
    assert {part_of(module) for module, _ in modules("stylecrypt_msg")} == set(MAY_IMPORT)


def test_permissions_have_no_circles() -> None:
    placed: set[str] = set()
    while placed != set(MAY_IMPORT):
        ready = {part for part, below in MAY_IMPORT.items() if part not in placed and below <= placed}
        assert ready, "these import each other: " + ", ".join(set(MAY_IMPORT) - placed)
        placed |= ready


def test_the_protocol_knows_nothing_above_it_and_does_no_io() -> None:
    for module, path in modules("stylecrypt_protocol"):
        roots = {name.split(".")[0] for name in imports(module, path)}
        assert not roots & {"stylecrypt_msg", "stylecrypt_bots", *NOT_ON_THE_WIRE}, module


def test_the_sdk_does_not_know_the_bots() -> None:
    for module, path in modules("stylecrypt_msg"):
        assert "stylecrypt_bots" not in {name.split(".")[0] for name in imports(module, path)}, module


ALL_MODULES = [item for package in PACKAGES for item in modules(package)]


def exported(path: Path) -> list[str] | None:
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and [ast.unparse(target) for target in node.targets] == ["__all__"]:
            names: list[str] = ast.literal_eval(node.value)
            return names
    return None


@pytest.mark.parametrize(("module", "path"), [pytest.param(m, p, id=m) for m, p in ALL_MODULES if exported(p)])
def test_what_a_module_exports_is_there(module: str, path: Path) -> None:
    names = exported(path)
    assert names and len(names) == len(set(names))
    loaded = importlib.import_module(module)
    assert [name for name in names if not hasattr(loaded, name)] == []


@pytest.mark.parametrize(
    ("module", "path"), [pytest.param(m, p, id=m) for m, p in ALL_MODULES if p.name == "__init__.py" and exported(p)]
)
def test_packages_export_what_they_offer(module: str, path: Path) -> None:
    """No public function or class that a package defines or takes from its own modules is left out."""
    offered = {
        name
        for name, value in vars(importlib.import_module(module)).items()
        if not name.startswith("_") and f"{getattr(value, '__module__', '')}.".startswith(f"{module}.")
    }
    assert offered <= set(exported(path) or ())

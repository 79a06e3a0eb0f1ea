"""The architecture: which part imports which (docs/how-it-works.md, "Parts"), and what packages export."""

from __future__ import annotations

import ast
import importlib
import re
import subprocess
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
PACKAGES = {
    "stylecrypt_protocol": REPOSITORY / "protocol" / "stylecrypt_protocol",
    "stylecrypt_msg": REPOSITORY / "stylecrypt_msg",
    "stylecrypt_bots": REPOSITORY / "bots" / "stylecrypt_bots",
    "stylecrypt_lab": REPOSITORY / "lab" / "stylecrypt_lab",
    "stylecrypt_serve": REPOSITORY / "serve" / "stylecrypt_serve",
    "stylecrypt_web": REPOSITORY / "web" / "stylecrypt_web",
}

# Each part of stylecrypt_msg, and exactly those parts that it imports besides itself.
IMPORTS = {
    "__init__": {"messenger", "sdk"},
    "cards": {"errors", "pictures"},
    "apps": {"pictures"},
    "choices": {"errors"},
    "errors": set(),
    "files": {"errors"},
    "faces": set(),
    "imprint": {"errors", "pictures"},
    "models": {"errors"},
    "colours": set(),
    "pictures": {"colours", "errors", "files"},
    "profile": {"errors"},
    "progress": set(),
    "stylemix": {"errors"},
    "codebook": {"models", "stylemix"},
    "effort": {"models"},
    "recognisers": {"errors", "faces"},
    "quality": {"pictures"},
    "residual": {"errors", "pictures", "quality"},
    "standins": {"models"},
    "transports": {"errors", "files", "pictures"},
    "cipher": {
        "choices", "codebook", "effort", "errors", "faces", "models", "pictures", "progress", "standins", "stylemix",
    },
    "whom": {"errors", "faces", "pictures", "recognisers"},
    "standin_choice": {"cipher", "errors", "faces", "models", "progress", "recognisers"},
    "covering": {
        "choices", "cipher", "effort", "errors", "faces", "standin_choice", "models", "pictures", "progress", "recognisers",
        "residual", "stylemix", "whom",
    },
    "messenger": {
        "apps", "imprint",
        "choices", "cipher", "covering", "errors", "faces", "files", "standin_choice", "models", "pictures", "profile",
        "progress", "quality", "residual", "standins", "stylemix",
    },
    "sdk": {
        "apps",
        "cards", "choices", "covering", "errors", "files", "messenger", "models", "pictures", "profile", "progress",
        "recognisers", "transports",
    },
    "cli": {
        "apps",
        "cards", "choices", "cipher", "covering", "errors", "faces", "files", "imprint", "messenger", "models", "pictures",
        "profile", "progress", "recognisers", "sdk", "standins", "transports", "whom",
    },
}  # fmt: skip

# The packages, and those that each one knows. All others reach the command line as plug-ins.
KNOWS = {
    "stylecrypt_protocol": set(),
    "stylecrypt_msg": {"stylecrypt_protocol"},
    "stylecrypt_bots": {"stylecrypt_protocol", "stylecrypt_msg"},
    "stylecrypt_lab": {"stylecrypt_protocol", "stylecrypt_msg"},
    "stylecrypt_serve": {"stylecrypt_protocol", "stylecrypt_msg"},
    "stylecrypt_web": {"stylecrypt_protocol", "stylecrypt_msg"},
}

# Who may import torch, which few installs have: modules of networks; and, once there is a tensor or when asked for one, these.
TORCH = {
    "models.checkpoints", "models.mobile_encoder", "models.mobilestylegan", "models.ops", "models.psp", "models.refine",
    "models.store", "models.stylegan2", "models.torch_model", "recognisers.iresnet",
}  # fmt: skip
TORCH_LATER = {"models.face_model", "models.loading"}

NOT_ON_THE_WIRE = {
    "asyncio", "datetime", "http", "os", "pathlib", "requests", "socket", "ssl", "time", "torch", "urllib",
}  # fmt: skip


def modules(package: str) -> Iterator[tuple[str, Path]]:
    """Dotted names and files of a package."""
    for path in sorted(PACKAGES[package].rglob("*.py")):
        parts = path.relative_to(PACKAGES[package]).with_suffix("").parts
        yield ".".join((package, *(part for part in parts if part != "__init__"))), path


def imports(module: str, path: Path) -> Iterator[str]:
    """Dotted names of everything that a module imports, anywhere in it; relative names are resolved."""
    package = module.split(".") if path.name == "__init__.py" else module.split(".")[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            yield from (".".join([*base, *filter(None, [node.module]), alias.name]) for alias in node.names)


def part_of(module: str) -> str:
    return (*module.split("."), "__init__")[1]


@pytest.mark.parametrize("part", IMPORTS)
def test_parts_import_what_the_table_says(part: str) -> None:
    mine = [(module, path) for module, path in modules("stylecrypt_msg") if part_of(module) == part]
    assert mine, f"there is no part {part} any more"
    inside = {part_of(name) for one in mine for name in imports(*one) if name.split(".")[0] == "stylecrypt_msg"}
    assert inside - {part} == IMPORTS[part]


def test_every_part_has_its_place() -> None:
    assert {part_of(module) for module, _ in modules("stylecrypt_msg")} == set(IMPORTS)


def test_the_documents_name_every_part_bottom_up() -> None:
    _, _, section = (REPOSITORY / "docs" / "how-it-works.md").read_text(encoding="utf-8").partition("## Parts")
    rows = [re.findall(r"`(\w+)`", row.split("|")[1]) for row in section.splitlines() if row.startswith("| `")]
    assert {part for row in rows for part in row} == set(IMPORTS) - {"__init__"}
    above: set[str] = set()
    for row in rows:
        for part in row:
            assert IMPORTS[part] <= above | set(row), part
        above |= set(row)


def test_the_picture_shows_the_table(tmp_path: Path) -> None:
    script = REPOSITORY / "scripts" / "figures" / "draw_architecture.py"
    subprocess.run([sys.executable, script, "-o", tmp_path / "drawn.svg"], check=True)
    drawn, shown = tmp_path / "drawn.svg", REPOSITORY / "docs" / "architecture.svg"
    assert drawn.read_text(encoding="utf-8") == shown.read_text(encoding="utf-8"), f"run {script.name}"


def test_parts_import_downwards_only() -> None:
    TopologicalSorter(IMPORTS).prepare()  # raises CycleError, which names the parts


@pytest.mark.parametrize("package", PACKAGES)
def test_no_modules_import_each_other(package: str) -> None:
    """Not in circles, nor late, nor for types alone."""
    files = dict(modules(package))

    def module_of(name: str) -> str:
        while name and name not in files:
            name = name.rpartition(".")[0]
        return name

    imported = {module: {module_of(name) for name in imports(module, path)} for module, path in files.items()}
    TopologicalSorter({module: names - {module, ""} for module, names in imported.items()}).prepare()


def test_torch_is_imported_where_the_table_says() -> None:
    found: dict[bool, set[str]] = {True: set(), False: set()}
    for module, path in modules("stylecrypt_msg"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        typing = [node for one in tree.body if isinstance(one, ast.If) for node in ast.walk(one)]
        for node in ast.walk(tree):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) and not node.level else []
            if node not in typing and any(name.split(".")[0] == "torch" for name in names):
                found[node in tree.body].add(module.removeprefix("stylecrypt_msg."))
    assert (found[True], found[False]) == (TORCH, TORCH_LATER)


def test_the_protocol_does_no_io() -> None:
    for module, path in modules("stylecrypt_protocol"):
        assert not {name.split(".")[0] for name in imports(module, path)} & NOT_ON_THE_WIRE, module


@pytest.mark.parametrize("package", PACKAGES)
def test_packages_know_those_below(package: str) -> None:
    known = {name.split(".")[0] for one in modules(package) for name in imports(*one)} & set(PACKAGES)
    assert known - {package} == KNOWS[package]


@pytest.mark.parametrize("package", PACKAGES)
def test_nothing_is_imported_by_a_text_that_this_cannot_see(package: str) -> None:
    hidden = {"__import__", "import_module", "exec", "run_module", "run_path"}
    for module, path in modules(package):
        nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
        used = {node.id for node in nodes if isinstance(node, ast.Name)}
        used |= {node.attr for node in nodes if isinstance(node, ast.Attribute)}
        assert not used & hidden, module


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
    """No public function or class that a package defines or takes from its own modules is missing."""
    offered = {
        name
        for name, value in vars(importlib.import_module(module)).items()
        if not name.startswith("_") and f"{getattr(value, '__module__', '')}.".startswith(f"{module}.")
    }
    assert offered <= set(exported(path) or ())

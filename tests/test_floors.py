"""The architecture diagram: which part of tdvc may import which.

`ALLOWED` is the diagram. A part may always import itself. A name such as `storage.base` allows that module alone, a
name such as `model` the whole part. Imports inside functions, those for type checkers, and modules that are named in a
string to be imported later count like any other: an arrow is an arrow.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import tdvc

ALLOWED: dict[str, tuple[str, ...]] = {
    # floor 0: words
    "errors": (),
    "ids": (),
    "names": ("errors",),
    "workers": ("errors",),
    # floor 1: bytes under names
    "storage": ("errors", "names"),
    # floor 2: objects under their hash
    "objects": ("errors", "ids", "storage.base"),
    # floor 3: sorted tables, and what an annotation means; they never meet here
    "tables": ("errors", "ids", "objects.store"),
    "model": ("errors", "ids", "names"),
    # floor 4: annotation files, and which files are meant
    "formats": ("errors", "ids", "names", "model"),
    "query": ("errors", "model"),
    # floor 5: history
    "repo": (
        "errors",
        "ids",
        "names",
        "model",
        "tables",
        "objects.press",
        "objects.store",
        "objects.sweep",
        "storage.base",
        "storage.local",
    ),
    # floor 5 and a half: what a directory holds as Arrow tables, derived and cached
    "columns": ("errors", "ids", "workers", "model", "tables", "objects.store", "storage.base", "repo"),
    # floor 6: verbs
    "ops": (
        "errors",
        "ids",
        "names",
        "workers",
        "model",
        "formats",
        "tables",
        "query",
        "repo",
        "columns",
        "objects.idset",
        "objects.packcheck",
        "objects.store",
        "objects.sweep",
        "storage.filling",
        "storage.folder",
    ),
    # floor 6 and a half: what trains reads from here
    "loader": (
        "errors",
        "ids",
        "names",
        "model",
        "tables.page",
        "tables.tree",
        "query",
        "repo",
        "columns.shapes",
        "objects.pack",
        "objects.store",
        "objects.sweep",
        "storage.base",
        "ops.opening",
        "ops.pins",
        "ops.querying",
    ),
    # floor 7: the only floor that prints, reads the environment and exits
    "cli": ("errors", "names", "model", "ops", "repo", "__init__"),
    "__main__": ("cli",),
    # the public names
    "__init__": ("errors", "model", "repo", "ops", "loader"),
}

TALKS_TO_PEOPLE = {"click", "rich", "argparse", "getpass", "readline"}

ROOT = Path(tdvc.__file__).parent
FILES = {path.relative_to(ROOT).with_suffix("").as_posix().replace("/", "."): path for path in ROOT.rglob("*.py")}
MODULES = {name.removesuffix(".__init__"): path for name, path in FILES.items()}
_MODULE_IN_TEXT = re.compile(r"tdvc(\.[a-z_]+)+")


def part_of(module: str) -> str:
    return module.split(".")[0]


def imported(source: str, package: str) -> Iterator[str]:
    """What a module imports, as dotted names in full."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*above, node.module or ""]).rstrip(".")
            yield from (f"{base}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and _MODULE_IN_TEXT.fullmatch(node.value):
            yield node.value


def module_of(name: str) -> str:
    """The module of tdvc that an imported name is, or is in."""
    inner = name.removeprefix("tdvc").lstrip(".")
    while inner and inner not in MODULES:
        inner = inner.rpartition(".")[0]
    return inner or "__init__"


def arrows(source: str, module: str, path: Path) -> set[str]:
    """The modules of tdvc that a module imports."""
    package = (
        f"tdvc.{module}" if path.name == "__init__.py" and module != "__init__" else f"tdvc.{module}".rpartition(".")[0]
    )
    return {module_of(name) for name in imported(source, package) if name.split(".")[0] == "tdvc"}


def forbidden(module: str, targets: set[str]) -> list[str]:
    allowed = ALLOWED[part_of(module)]
    return sorted(
        target
        for target in targets
        if part_of(target) != part_of(module) and target not in allowed and part_of(target) not in allowed
    )


def test_every_part_is_in_the_diagram() -> None:
    assert {part_of(module) for module in MODULES} <= ALLOWED.keys()


@pytest.mark.parametrize("module", sorted(MODULES))
def test_imports_go_where_the_diagram_allows(module: str) -> None:
    path = MODULES[module]
    assert forbidden(module, arrows(path.read_text(), module, path)) == []


@pytest.mark.parametrize("module", sorted(module for module in MODULES if part_of(module) not in ("cli", "__init__")))
def test_only_the_command_line_talks_to_people(module: str) -> None:
    path = MODULES[module]
    roots = {name.split(".")[0] for name in imported(path.read_text(), "tdvc")}
    assert roots & TALKS_TO_PEOPLE == set()


def test_the_diagram_has_no_cycle() -> None:
    left = {part: {part_of(target) for target in targets} - {"__init__"} for part, targets in ALLOWED.items()}
    while free := [part for part, targets in left.items() if not targets & left.keys()]:
        for part in free:
            del left[part]
    assert left == {}


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("model.records", "from tdvc.tables.page import Page"),
        ("model.records", "def f():\n    import tdvc.repo.view\n"),
        ("tables.page", "from tdvc.model import records"),
        ("objects.store", "from tdvc.storage import local"),
        ("objects.store", "from ..repo import view"),
        ("formats.pascal_voc", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from tdvc.repo import view\n"),
        ("cli.main", "from tdvc.tables.tree import Table"),
        ("cli.main", "LATER = {'x': 'tdvc.objects.store'}"),
        ("ops.add", "from tdvc.cli import output"),
        ("errors", "from tdvc import names"),
    ],
)
def test_the_check_sees_every_way_to_import(module: str, source: str) -> None:
    assert forbidden(module, arrows(source, module, MODULES[module])) != []


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("cli.main", "from tdvc import __version__"),
        ("cli.main", "from tdvc.repo.repository import Repository"),
        ("objects.store", "from ..storage.base import Storage"),
        ("objects.store", "from . import pack"),
        ("tables.edit", "import os, struct\nfrom tdvc.ids import Kind"),
    ],
)
def test_the_check_lets_allowed_imports_be(module: str, source: str) -> None:
    assert forbidden(module, arrows(source, module, MODULES[module])) == []
